//! Networks of their own: a site behind NAT, a router, and a hub on the other side.
//!
//! ```text
//!   site 10.77.1.2 ──> router: masquerade, nothing new comes back ──> hub 10.77.2.2
//! ```
//!
//! Each is a network namespace of the system, named after this process and deleted when dropped.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::Command;
use std::thread;

use rustix::process::geteuid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::command::{Done, run};
use super::peers;

/// The site's address, which leads nowhere from the hub.
pub const SITE: &str = "10.77.1.2";

/// The hub's address, seen from the site and from itself.
pub const HUB: &str = "10.77.2.2";

/// What the router does.
const RULES: &str = "table ip fanin {
  chain leaving { type nat hook postrouting priority 100; oifname \"hub\" masquerade; }
  chain passing {
    type filter hook forward priority 0; policy drop;
    iifname \"site\" accept
    ct state established,related accept
  }
}
";

/// What it does while the link is cut: whatever comes is lost, and nobody is told.
const CUT: &str = "table ip fanin {
  chain cut { type filter hook forward priority -1; policy drop; }
}
";

/// Three namespaces and what connects them.
pub struct Networks {
    names: [String; 3],
}

impl Networks {
    /// New ones. `None` where this is not root, has no tools, or the system does not let it, and that
    /// was said.
    pub fn new(what: &str) -> Option<Self> {
        peers::find(what, &["ip"])?;
        peers::find(what, &["nft"])?;
        if !geteuid().is_root() {
            eprintln!("SKIPPED {what}: only root makes namespaces");
            return None;
        }
        let id = std::process::id();
        let names = ["site", "router", "hub"].map(|name| format!("fanin-{id}-{name}"));
        let networks = Self { names };
        match networks.connect() {
            Ok(()) => Some(networks),
            Err(why) => {
                eprintln!("SKIPPED {what}: this system has no namespaces with NAT: {why}");
                None
            }
        }
    }

    fn connect(&self) -> Result<(), String> {
        let [site, router, hub] = &self.names;
        for name in &self.names {
            done(&format!("ip netns add {name}"), "")?;
            done(&format!("ip -n {name} link set lo up"), "")?;
        }
        for (name, end, network) in [("site", site, 1), ("hub", hub, 2)] {
            done(
                &format!("ip -n {router} link add {name} type veth peer name out netns {end}"),
                "",
            )?;
            done(&format!("ip -n {router} address add 10.77.{network}.1/24 dev {name}"), "")?;
            done(&format!("ip -n {router} link set {name} up"), "")?;
            done(&format!("ip -n {end} address add 10.77.{network}.2/24 dev out"), "")?;
            done(&format!("ip -n {end} link set out up"), "")?;
            done(&format!("ip -n {end} route add default via 10.77.{network}.1"), "")?;
        }
        let forward = "/proc/sys/net/ipv4/ip_forward";
        done(&format!("ip netns exec {router} tee {forward}"), "1\n")?;
        self.rule(RULES)
    }

    fn rule(&self, rules: &str) -> Result<(), String> {
        done(&format!("ip netns exec {} nft -f -", self.names[1]), rules)
    }

    /// From now on nothing passes the router.
    pub fn cut(&self) {
        self.rule(CUT).unwrap();
    }

    /// From now on it does again.
    pub fn restore(&self) {
        self.rule("delete chain ip fanin cut\n").unwrap();
    }

    /// What `work` opens and starts is in the site's network.
    pub fn at_site<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.names[0], work)
    }

    /// The same in the hub's.
    pub fn at_hub<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.names[2], work)
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.names {
            // One that was not made is none to delete.
            let _ = done(&format!("ip netns del {name}"), "");
        }
    }
}

/// A namespace is a thread's: `work` has one of its own.
fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(format!("/run/netns/{name}")).unwrap();
    let inside = || {
        let network = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), network).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(inside).join()).unwrap()
}

/// Runs a command of plain words.
fn done(line: &str, input: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let Done { code, err, .. } = run(Command::new(words.next().unwrap()).args(words), input);
    if code == Some(0) { Ok(()) } else { Err(format!("{line}: {}", err.trim())) }
}
