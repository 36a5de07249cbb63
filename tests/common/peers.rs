//! Other people's programs that judge ours: promtool, Prometheus and real exporters.
//!
//! Where one is not installed its check is skipped, and says so. `FANIN_REQUIRE_PEERS=1` makes that
//! a failure.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::command;
use super::log::Log;

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
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = quiet.spawn().unwrap();
        let log = Log::collect(child.stderr.take().unwrap());
        let peer = Self { child, log };
        assert!(peer.log.wait_for(ready, 1).is_some(), "not ready:\n{}", peer.log.text());
        peer
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
