//! `auth`: who may log in at a server, and what becomes of the others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

mod common;
#[path = "access/tokens.rs"]
mod tokens;
#[path = "access/users.rs"]
mod users;

use common::daemon::get_at;
use common::{Connection, Daemon, Reply, Setup};

/// A server with these logins, also on a Unix socket, which is its second address.
fn asking(auth: &str) -> Setup {
    let setup = Setup::new().server_key(&format!("auth: {auth}"));
    let socket = format!("unix://{}", setup.folder().file("fanin.sock").display());
    setup.listen(&socket)
}

/// Asks for `path` with this login.
fn with(daemon: &Daemon, login: &str, path: &str) -> Reply {
    daemon.get_with(path, &[("Authorization", login)])
}

/// POSTs `/-/reload` at this address, with further header fields.
fn reload(address: &str, fields: &str) -> Reply {
    let mut connection = Connection::open(address);
    let head =
        format!("POST /-/reload HTTP/1.1\r\nHost: fanin\r\n{fields}Content-Length: 0\r\n\r\n");
    connection.send(head.as_bytes());
    connection.reply()
}

/// What a page says of refused logins.
fn failures(page: &str) -> f64 {
    common::page::value(page, "fanin_login_failures_total", &[]).unwrap_or(0.0)
}

/// Asks on the Unix socket.
fn on_socket(daemon: &Daemon, path: &str, fields: &[(&str, &str)]) -> Reply {
    get_at(&daemon.listeners[1], path, fields).unwrap()
}
