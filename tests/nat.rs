//! A site behind NAT, a hub that cannot reach it, and a real Prometheus beside the hub that finds the
//! site's exporters by itself: the README's own configurations, in networks of their own.
//!
//! `FANIN_CUT=60` keeps the link cut for so many seconds.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and what was seen is reported"
)]
#![cfg(all(feature = "pipe", feature = "push", feature = "tls"))]

mod common;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::daemon::get_at;
use common::exporter::{TEXT, ok};
use common::netns::{HUB, Networks, SITE};
use common::peers::{Prometheus, find};
use common::{Daemon, Exporter, Folder, Setup, fanin, made_ours};

const README: &str = include_str!("../README.md");

/// How often pages are sent and scraped, and the list is read.
const EVERY: &str = "1s";

/// The blocks of the README's recipe: the hub's, Prometheus', the site's.
fn recipe() -> [String; 3] {
    let (_, rest) = README.split_once("\n### Coming from prompipe\n").unwrap();
    let mut blocks = rest.split("```yaml\n").skip(1).map(|it| it.split("```").next().unwrap());
    std::array::from_fn(|_| blocks.next().unwrap().to_owned())
}

/// Starts the program with what is in this folder.
fn start(folder: Folder, listeners: usize) -> Daemon {
    let mut command = Setup::new().command();
    command.arg("serve").arg("--config").arg(folder.file("fanin.yaml"));
    Daemon::spawn(command, folder, listeners)
}

/// All of it. What runs is dropped before the networks are.
struct World {
    prometheus: Prometheus,
    site: Daemon,
    _node: Exporter,
    networks: Networks,
    cert: String,
    key: String,
}

const TOKEN: &str = "auth: {bearer_token: \"${PIPE_TOKEN}\"}";

impl World {
    fn new() -> Option<(Self, Daemon)> {
        let program = find("a site behind NAT", &["prometheus"])?;
        let networks = Networks::new("a site behind NAT")?;
        let [_, prometheus, site] = recipe();
        let folder = Folder::new();
        let [cert, key] = ["cert.pem", "key.pem"].map(|it| folder.file(it).display().to_string());
        let made = fanin(&["cert", HUB, "--cert", &cert, "--key", &key]);
        assert_eq!(made.code, Some(0), "{made:?}");
        let read = |file: &str| std::fs::read_to_string(file).unwrap();
        let (cert, key) = (read(&cert), read(&key));
        let hub = Self::hub(&networks, "one", (&cert, &key));

        let node = networks.at_site(|| {
            Exporter::talking(|conversation| {
                while conversation.request().is_some() {
                    conversation.send(&ok(TEXT, "# TYPE node_load1 gauge\nnode_load1 0.5\n"));
                }
            })
        });
        folder.write("token", "one\n");
        let site = made_ours(
            &site,
            &[
                ("127.0.0.1:9100", &node.addr),
                ("hub.example.net", HUB),
                // A refused login waits a second for its answer.
                ("every: 4s", &format!("every: {EVERY}, timeout: 2s")),
                (TOKEN, "token_file: token"),
            ],
        );
        folder.write("fanin.yaml", &format!("servers: [{{listen: tcp://127.0.0.1:0}}]\n{site}"));
        let site = networks.at_site(|| start(folder, 1));
        let prometheus = made_ours(
            &prometheus,
            &[
                ("scrape_interval: 15s", &format!("scrape_interval: {EVERY}")),
                ("refresh_interval: 30s", &format!("refresh_interval: {EVERY}")),
            ],
        );
        let prometheus = format!("global: {{scrape_timeout: {EVERY}}}\n{prometheus}");
        let prometheus = networks.at_hub(|| Prometheus::start(program, 9099, &prometheus));
        Some((Self { prometheus, site, _node: node, networks, cert, key }, hub))
    }

    /// A hub with this token.
    fn hub(networks: &Networks, token: &str, (cert, key): (&str, &str)) -> Daemon {
        let [hub, ..] = recipe();
        let folder = Folder::new();
        folder.write("cert.pem", cert);
        folder.write("key.pem", key);
        folder.write("token", token);
        let hub = made_ours(&hub, &[(TOKEN, "auth: {bearer_token_file: token}")]);
        folder.write("fanin.yaml", &hub);
        networks.at_hub(|| start(folder, 2))
    }

    /// What Prometheus has of the site at this moment.
    fn up(&self) -> Option<f64> {
        self.query("up{job='home',instance='pi'}")
    }

    fn query(&self, expression: &str) -> Option<f64> {
        self.networks.at_hub(|| self.prometheus.query(expression))
    }

    fn of_pipe(&self, name: &str) -> f64 {
        let metric = format!("fanin_pipe_{name}");
        self.networks.at_site(|| self.site.own(&metric, &[])).unwrap_or(0.0)
    }

    /// Ticks that the pipe has had, pages that were sent or left out.
    fn ticks(&self) -> f64 {
        self.of_pipe("attempts_total") + self.of_pipe("skipped_total")
    }

    /// Waits for the first page to be taken, which is within two ticks of now, beside that of the
    /// attempt under way and one that a busy machine misses; then for Prometheus.
    fn recovers(&self, what: &str, ticks: f64) {
        let start = Instant::now();
        self.site.until("pages are taken again", || self.of_pipe("up") == 1.0);
        let needed = self.ticks() - ticks;
        let taken = start.elapsed();
        self.site.until("up", || self.up() == Some(1.0));
        let seen = start.elapsed();
        eprintln!("{what}: taken after {taken:.1?} and {needed} ticks, up after {seen:.1?}");
        assert!(needed <= 4.0, "{what}: {needed} ticks:\n{}", self.site.log.text());
    }

    /// Waits for Prometheus to see that the site is down, which it must not take back.
    fn goes_down(&self, what: &str) {
        self.site.until(what, || self.up() == Some(0.0));
        let listed = self.networks.at_hub(|| get_at("127.0.0.1:9090", "/sd", &[]));
        if let Ok(list) = listed {
            assert!(list.body.contains("\"instance\":\"pi\""), "{what}: {}", list.body);
        }
        self.site.until("the site knows", || self.of_pipe("up") == 0.0);
    }
}

#[test]
fn a_site_behind_nat_is_found_scraped_lost_and_found_again() {
    let Some((world, hub)) = World::new() else { return };
    world.networks.at_hub(|| {
        let there = format!("{SITE}:22").parse().unwrap();
        let refused = TcpStream::connect_timeout(&there, Duration::from_millis(300)).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::TimedOut, "there is no way to the site");
    });
    world.site.until("up", || world.up() == Some(1.0));
    assert_eq!(world.query("node_load1{job='home',instance='pi'}"), Some(0.5));
    assert_eq!(world.query("count(up)"), Some(1.0));
    let (files, hub_files) = (world.site.descriptors(), hub.descriptors());
    let memory = |daemon: &Daemon| daemon.status("VmRSS");
    let (used, hub_used) = (memory(&world.site), memory(&hub));

    world.networks.cut();
    let cut = Instant::now();
    world.goes_down("the link is cut");
    let long = std::env::var("FANIN_CUT").map_or(0, |seconds| seconds.parse().unwrap());
    let failures = world.of_pipe("failures_total");
    world.site.until("some failures", || world.of_pipe("failures_total") >= failures + 2.0);
    while cut.elapsed() < Duration::from_secs(long) {
        assert_eq!(world.up(), Some(0.0), "after {:?}", cut.elapsed());
        common::beat(500);
    }
    let ticks = world.ticks();
    world.networks.restore();
    world.recovers("link restored", ticks);

    let at_site = memory(&world.site).saturating_sub(used);
    let at_hub = memory(&hub).saturating_sub(hub_used);
    eprintln!("memory more than before the cut: site {at_site} KiB, hub {at_hub} KiB");
    assert!(at_site < 1024 && at_hub < 1024, "{at_site} {at_hub} KiB");
    world.site.until("no descriptor is left over", || hub.descriptors() <= hub_files);
    drop(hub);
    world.goes_down("the hub is gone");
    let ticks = world.ticks();
    let hub = World::hub(&world.networks, "one", (&world.cert, &world.key));
    world.recovers("hub started again", ticks);
    let hub_files = hub.descriptors();

    hub.folder().write("token", "two\n");
    hub.reload();
    world.goes_down("another token");
    assert!(world.site.log_contains("answered 401"), "{}", world.site.log.text());
    let ticks = world.ticks();
    world.site.folder().write("token", "two\n");
    world.site.reload();
    world.recovers("token changed at both ends", ticks);

    world.site.until("no descriptor is left over", || {
        world.site.descriptors() <= files && hub.descriptors() <= hub_files
    });
    let more = memory(&world.site).saturating_sub(used);
    assert!(more < 1024, "{more} KiB");
    assert_eq!(world.site.log.lines_with("pages are taken again").len(), 3);
}
