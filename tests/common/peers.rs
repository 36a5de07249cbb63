//! Other people's programs that judge ours: promtool, Prometheus and real exporters.
//!
//! Where one is not installed its check is skipped, and says so. `FANIN_REQUIRE_PEERS=1` makes that
//! a failure.

use std::env;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::command;
use super::daemon::get_at;
use super::folder::Folder;
use super::log::Log;
use super::{LIMIT, beat};

/// The first of `names` in `PATH`. `None` after it has said that `what` is skipped.
pub fn find(what: &str, names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        let required = env::var("FANIN_REQUIRE_PEERS").is_ok_and(|value| value == "1");
        assert!(!required, "{what}: none of {names:?} is installed, and FANIN_REQUIRE_PEERS=1");
        eprintln!("SKIPPED {what}: none of {names:?} is installed");
    }
    found
}

/// Asserts that `promtool check metrics` finds no syntax fault. It exits 1 for such a fault, and 3
/// for mere advice on names and help texts, which is not ours to give.
pub fn assert_syntax(name: &str, page: &str) {
    let Some(promtool) = find(&format!("promtool on {name}"), &["promtool"]) else { return };
    let done = command::run(Command::new(promtool).args(["check", "metrics"]), page);
    let fault =
        done.err.lines().chain(done.out.lines()).find(|line| line.contains("parsing error"));
    let fine = matches!(done.code, Some(0 | 3)) && fault.is_none();
    assert!(fine, "{name}: promtool exits {:?}: {}{}\n{page}", done.code, done.out, done.err);
}

/// A port that was free a moment ago, for programs that cannot say which one they got.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Another program, running; killed by its id when dropped.
pub struct Peer {
    child: Child,
    /// What it writes to standard error.
    pub log: Log,
}

impl Peer {
    /// Starts `command` and waits for a line with `ready` on standard error.
    pub fn start(command: &mut Command, ready: &str) -> Self {
        let peer = Self::spawn(command);
        assert!(peer.log.wait_for(ready, 1).is_some(), "not ready:\n{}", peer.log.text());
        peer
    }

    /// Starts `command`, which says nothing when it is ready, and waits until `address` accepts.
    ///
    /// # Errors
    ///
    /// What it wrote, where it ended instead.
    pub fn accepting(command: &mut Command, address: &str) -> Result<Self, String> {
        let mut peer = Self::spawn(command);
        let until = Instant::now() + LIMIT;
        while TcpStream::connect(address).is_err() {
            if peer.child.try_wait().unwrap().is_some() {
                peer.log.wait_for_end(LIMIT);
                return Err(peer.log.text());
            }
            assert!(Instant::now() < until, "not ready:\n{}", peer.log.text());
            beat(10);
        }
        Ok(peer)
    }

    fn spawn(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = quiet.spawn().unwrap();
        let log = Log::collect(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// The port in the first line with `needle`, the text up to the port.
    pub fn port(&self, needle: &str) -> u16 {
        let lines = self.log.wait_for(needle, 1).expect(needle);
        let (_, rest) = lines[0].split_once(needle).unwrap();
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Prometheus server, with a folder of its own for what it stores.
pub struct Prometheus {
    /// Where it listens, as `HOST:PORT`.
    pub addr: String,
    peer: Peer,
    _folder: Folder,
}

impl Prometheus {
    /// Starts `program` with this configuration at a free port, and waits until it is ready.
    pub fn start(program: PathBuf, port: u16, config: &str) -> Self {
        let (folder, addr) = (Folder::new(), format!("127.0.0.1:{port}"));
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", folder.write("prometheus.yml", config)));
        command.arg(format!("--storage.tsdb.path={}", folder.file("tsdb").display()));
        command.arg(format!("--web.listen-address={addr}"));
        let peer = Peer::start(&mut command, "Server is ready to receive web requests");
        Self { addr, peer, _folder: folder }
    }

    /// The first value of an instant query; `None` while there is none.
    pub fn query(&self, expression: &str) -> Option<f64> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/api/v1/query?query={encoded}");
        let reply = get_at(&self.addr, &path, &[]).unwrap();
        assert_eq!(reply.status, 200, "{expression}: {}", reply.body);
        let (_, rest) = reply.body.split_once("\"value\":[")?;
        let (_, rest) = rest.split_once(",\"")?;
        rest.split('"').next()?.parse().ok()
    }

    /// What it has complained of.
    pub fn complaints(&self) -> Vec<String> {
        let lines = self.peer.log.lines_with("level=").into_iter();
        let complains = |line: &String| {
            let line = line.to_ascii_lowercase();
            line.contains("level=warn") || line.contains("level=error")
        };
        lines.filter(complains).collect()
    }
}
