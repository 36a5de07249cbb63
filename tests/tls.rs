//! TLS at both ends, with openssl, curl and Prometheus at the other.
#![cfg(feature = "tls")]
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and one is a server"
)]

#[path = "tls/client.rs"]
mod client;
mod common;
#[path = "tls/files.rs"]
mod files;
#[path = "tls/mutual.rs"]
mod mutual;
#[path = "tls/own.rs"]
mod own;
#[path = "tls/server.rs"]
mod server;
#[path = "tls/web.rs"]
mod web;

use std::path::PathBuf;
use std::process::Command;

use common::command::{Done, run};
use common::tls::Authority;
use common::{Daemon, Setup, peers};

/// What curl gets from `https://localhost` at the port of `daemon`: its code, and the status and the
/// page on standard output.
fn curl(program: &PathBuf, daemon: &Daemon, arguments: &[&str]) -> Done {
    let port = daemon.addr().rsplit(':').next().unwrap();
    let url = format!("https://localhost:{port}/metrics");
    let mut command = Command::new(program);
    command.args(["--silent", "--show-error", "--write-out", "\n%{http_code}"]);
    run(command.args(arguments).arg(url), "")
}

/// Asserts that curl got fanin's own page.
fn assert_page(name: &str, done: &Done) {
    assert!(done.out.ends_with("\n200"), "{name}: {} {}", done.out, done.err);
    assert!(done.out.contains("fanin_build_info"), "{name}: {}", done.out);
}

/// An authority that has issued `server`, and curl.
fn peers(what: &str) -> Option<(Authority, PathBuf)> {
    let authority = Authority::new(what)?;
    authority.issue("server", "localhost");
    Some((authority, peers::find(what, &["curl"])?))
}

/// A server with the pair `server`.
fn serving(authority: &Authority, more: &str) -> Setup {
    Setup::new().server_key(&format!("tls: {}", authority.keys("server", more)))
}
