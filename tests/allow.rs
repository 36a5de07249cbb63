//! `allow`: which networks may come to a server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

mod common;

use std::net::TcpListener;

use common::daemon::get_at;
use common::{Connection, Daemon, Reply, Setup, page};

/// One server with these networks, also on a Unix socket, which is its second address.
fn allowing(networks: &str) -> Setup {
    let setup = Setup::new().server_key(&format!("allow: {networks}"));
    let socket = format!("unix://{}", setup.folder().file("fanin.sock").display());
    setup.listen(&socket)
}

/// Asks on the Unix socket, where everybody passes.
fn inside(daemon: &Daemon, path: &str) -> Reply {
    get_at(&daemon.listeners[1], path, &[]).unwrap()
}

/// How many requests were answered 403, as the program tells on its Unix socket.
fn refused(daemon: &Daemon) -> f64 {
    let own = inside(daemon, "/metrics").body;
    let name = "fanin_http_requests_total";
    page::value(&own, name, &[("route", "other"), ("code", "403")]).unwrap_or(0.0)
}

#[test]
fn those_within_pass_and_others_are_told_403() {
    let cases = [
        ("[127.0.0.0/8]", 200),
        ("127.0.0.1", 200),
        ("[10.0.0.0/8, \"::1\", 127.0.0.1/32]", 200),
        ("0.0.0.0/0", 200),
        ("[10.0.0.0/8]", 403),
        ("[127.0.0.2]", 403),
        ("[\"::1\", \"::/0\"]", 403),
    ];
    for (networks, want) in cases {
        let daemon = allowing(networks).start();
        for path in ["/metrics", "/", "/-/healthy", "/nowhere"] {
            let reply = daemon.get(path);
            let usual = if path == "/nowhere" { 404 } else { 200 };
            assert_eq!(reply.status, if want == 403 { 403 } else { usual }, "{networks} {path}");
            if want == 403 {
                assert_eq!(reply.body, "this address is not among those allowed here\n");
                assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
                assert!(reply.closes(), "{networks} {path}");
            }
            assert_eq!(inside(&daemon, path).status, usual, "{networks} {path}: Unix peers pass");
        }
        assert_eq!(refused(&daemon), if want == 403 { 4.0 } else { 0.0 }, "{networks}");
    }
}

/// On an address of both families, IPv4 comes in as `::ffff:127.0.0.1`.
#[test]
fn the_unmapped_address_is_judged() {
    for (networks, want) in [("127.0.0.0/8", 200), ("\"::/0\"", 403)] {
        let daemon =
            Setup::new().listen("tcp://:0").server_key(&format!("allow: {networks}")).start();
        let port = daemon.listeners[1].rsplit(':').next().unwrap();
        let reply = get_at(&format!("127.0.0.1:{port}"), "/-/healthy", &[]).unwrap();
        assert_eq!(reply.status, want, "{networks}");
    }
}

#[test]
fn ipv6_peers_are_judged() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    for (networks, want) in [("\"::1\"", 200), ("\"fd00::/8\"", 403), ("127.0.0.0/8", 403)] {
        let daemon =
            Setup::new().listen("tcp://[::1]:0").server_key(&format!("allow: {networks}")).start();
        let reply = get_at(&daemon.listeners[1], "/-/healthy", &[]).unwrap();
        assert_eq!(reply.status, want, "{networks}");
    }
}

/// Nothing of the request is looked at, and a large one does not keep the answer from its client.
#[test]
fn the_answer_is_the_same_whatever_is_sent() {
    let daemon = allowing("10.0.0.0/8").start();
    let large = format!(
        "PUT /x HTTP/1.1\r\nHost: fanin\r\nContent-Length: 40000\r\n\r\n{}",
        "x".repeat(40_000)
    );
    let requests =
        ["GET / HTTP/1.0\r\n\r\n", "nonsense\n\n", "POST /-/reload HTTP/1.1\r\n", &large];
    for request in requests {
        let mut connection = daemon.connect();
        connection.send(request.as_bytes());
        let reply = connection.reply();
        assert_eq!((reply.status, reply.closes()), (403, true), "{request}");
        assert!(connection.ended(), "{request}");
    }
}

/// One that says nothing is told all the same, and gives way at once to those who may come.
#[test]
fn the_silent_hold_up_nobody() {
    let daemon = allowing("10.0.0.0/8").limit("connections: 1").start();
    let mut silent = daemon.connect();
    assert_eq!(inside(&daemon, "/-/healthy").status, 200);
    assert!(silent.try_reply().is_err() || silent.ended());

    let mut silent = daemon.connect();
    assert_eq!(silent.reply().status, 403);
    assert!(silent.ended());
}

/// A reload counts for new connections at once, and for kept ones from their next request on.
#[test]
fn a_reload_applies_to_kept_connections() {
    let daemon = allowing("127.0.0.0/8").start();
    let mut kept = daemon.connect();
    kept.ask("/-/healthy");
    assert_eq!(kept.reply().status, 200);
    daemon.rewrite(&rewritten(&daemon, "10.0.0.0/8"));
    assert_eq!(reload(&daemon).status, 200);

    kept.ask("/-/healthy");
    let reply = kept.reply();
    assert_eq!((reply.status, reply.closes()), (403, true));
    assert!(kept.ended());
    assert_eq!(daemon.get("/-/healthy").status, 403);
    assert_eq!(refused(&daemon), 2.0);

    daemon.rewrite(&rewritten(&daemon, "127.0.0.0/8"));
    assert_eq!(reload(&daemon).status, 200);
    assert_eq!(daemon.get("/-/healthy").status, 200);
}

/// The same server with other networks.
fn rewritten(daemon: &Daemon, networks: &str) -> Setup {
    Setup::new().server_key(&format!("allow: {networks}")).listen(&daemon.listeners[1])
}

/// Reloads over the Unix socket.
fn reload(daemon: &Daemon) -> Reply {
    let mut connection = Connection::open(&daemon.listeners[1]);
    connection.send(b"POST /-/reload HTTP/1.1\r\nHost: fanin\r\nContent-Length: 0\r\n\r\n");
    connection.reply()
}

/// Each server has its own.
#[test]
fn a_server_without_allow_lets_everybody_in() {
    let daemon = Setup::new().start();
    assert_eq!(daemon.get("/-/healthy").status, 200);
}
