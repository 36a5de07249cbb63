//! Applications bring their pages: over TCP and Unix sockets, in JSON and in Cap'n Proto.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

mod common;

#[path = "push/capnp.rs"]
mod capnp;
#[path = "push/command.rs"]
mod command;
#[path = "push/doors.rs"]
mod doors;
#[path = "push/limits.rs"]
mod limits;
#[path = "push/over_http.rs"]
mod over_http;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use common::{Daemon, Setup, page};

/// One source, `apps`, at one TCP address, alone in `/merged`.
fn one() -> Setup {
    with("")
}

/// The same, with further keys inside the kind.
fn with(inside: &str) -> Setup {
    let listen = ["\"tcp://127.0.0.1:0\""];
    Setup::new().pushed("apps", &listen, inside, "").route("/merged", "{merge: apps}")
}

/// Where applications push to.
fn door(daemon: &Daemon) -> &str {
    daemon.listeners[1].strip_prefix("tcp://").unwrap()
}

/// Sends these bytes on a connection of their own, and waits until it is closed at the other end.
fn push(daemon: &Daemon, bytes: &[u8]) {
    common::push::push_to(&daemon.listeners[1], bytes);
}

/// The value of a sample in `/merged`, if it is there.
fn value(daemon: &Daemon, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 200, "{}", reply.body);
    page::value(&reply.body, name, labels)
}

/// How many pushes were refused for this reason.
fn refused(daemon: &Daemon, reason: &str) -> f64 {
    let labels = [("source", "apps"), ("reason", reason)];
    daemon.own("fanin_push_refused_total", &labels).unwrap_or(0.0)
}

/// Names and values.
type Samples = &'static [(&'static str, f64)];

#[test]
fn what_is_pushed_is_merged_with_its_application() {
    let daemon = one().start();
    let cases: [(&str, &[u8], Samples); 7] = [
        ("a text", b"{\"a\": \"x 1\\ny{app=\\\"q\\\"} 2\\n\"}", &[("x", 1.0), ("y", 2.0)]),
        ("a text without an end", b"{\"a\": \"x 3\"}", &[("x", 3.0)]),
        (
            "a list of lines",
            b"{\"a\": [\"# TYPE x gauge\", \"x 4\", \"y 5\"]}",
            &[("x", 4.0), ("y", 5.0)],
        ),
        ("lines with ends", b"{\"a\": [\"x 6\\n\", \"y 7\\n\"]}", &[("x", 6.0), ("y", 7.0)]),
        (
            "escapes",
            b"\n {\"\\u0061\": \"x\\u007bl=\\\"\\ud83d\\ude00\\\"\\u007d 8\"}",
            &[("x", 8.0)],
        ),
        ("the last of two", b"{\"a\": \"x 9\", \"a\": \"x 10\"}", &[("x", 10.0)]),
        ("the last of two documents", b"{\"a\": \"x 9\"}{\"a\": \"x 11\"}\n", &[("x", 11.0)]),
    ];
    for (name, bytes, want) in cases {
        push(&daemon, bytes);
        for (metric, want) in want {
            let labels = [("exporter_name", "apps"), ("app", "a")];
            assert_eq!(value(&daemon, metric, &labels), Some(*want), "{name}: {metric}");
        }
    }
    assert_eq!(daemon.own("fanin_push_accepted_total", &[("source", "apps")]), Some(9.0));
    common::peers::assert_syntax("pushed", &daemon.get("/merged").body);
    assert!(value(&daemon, "push_time_seconds", &[("app", "a")]).unwrap() > 1e9);
    assert_eq!(value(&daemon, "push_failure_time_seconds", &[("app", "a")]), Some(0.0));
}

#[test]
fn applications_leave_each_other_alone() {
    let daemon = one().start();
    push(&daemon, b"{\"a\": \"x 1\", \"b\": [\"x 2\"], \"c\": \"\"}");
    push(&daemon, b"{\"b\": \"x 3\"}");
    assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(1.0));
    assert_eq!(value(&daemon, "x", &[("app", "b")]), Some(3.0));
    assert_eq!(daemon.own("fanin_push_groups", &[("source", "apps")]), Some(3.0));
    assert_eq!(daemon.own("fanin_source_up", &[("source", "apps")]), Some(1.0));
}

#[test]
fn a_source_that_nobody_filled_is_no_failure() {
    let daemon = one().start();
    let reply = daemon.get("/merged");
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(daemon.own("fanin_source_up", &[("source", "apps")]), Some(1.0));
}

#[test]
fn an_empty_page_is_no_answer_to_failures() {
    let setup = Setup::new().source_at("node", "http://127.0.0.1:1/metrics", "", "");
    let setup = setup.pushed("apps", &["\"tcp://127.0.0.1:0\""], "", "");
    let daemon = setup
        .route("/merged", "{merge: [node, apps]}")
        .route("/told", "{merge: [self, node, apps]}")
        .start();
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.starts_with("source \"node\": "), "{}", reply.body);
    assert_eq!(daemon.get("/told").status, 200, "it says itself what has failed");
    push(&daemon, b"{\"a\": \"x 1\"}");
    assert_eq!(daemon.get("/merged").status, 200);
}

/// A connection that stays open is served like one that ends.
#[test]
fn a_connection_carries_many_pages() {
    let daemon = one().start();
    let mut connection = TcpStream::connect(door(&daemon)).unwrap();
    for n in 0..50_u32 {
        connection.write_all(format!("{{\"a\": \"x {n}\"}}\n").as_bytes()).unwrap();
        daemon.until("the page", || value(&daemon, "x", &[]) == Some(f64::from(n)));
    }
    assert_eq!(daemon.own("fanin_push_connections", &[("source", "apps")]), Some(1.0));
}

/// Sends `wire`, which has two pages, in two pieces, cut at each of its bytes in turn.
fn push_in_two(daemon: &Daemon, wire: &[u8]) {
    for cut in 0..=wire.len() {
        let mut connection = TcpStream::connect(door(daemon)).unwrap();
        connection.set_nodelay(true).unwrap();
        connection.write_all(&wire[..cut]).unwrap();
        connection.write_all(&wire[cut..]).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        assert_eq!(connection.read(&mut [0]).unwrap_or(0), 0, "{cut}");
    }
    let pushes = 2.0 * (wire.len() + 1) as f64;
    assert_eq!(daemon.own("fanin_push_accepted_total", &[]), Some(pushes));
}

#[test]
fn a_push_is_the_same_wherever_the_wire_is_cut() {
    let daemon = one().start();
    let wire = "{\"a\": [\"x{l=\\\"\\u00e4\\ud83d\\ude00\u{e9}\\\"} 1\"], \"b\": \"y 2\\nz 3\"}"
        .as_bytes();
    push_in_two(&daemon, wire);
    assert_eq!(value(&daemon, "x", &[("app", "a"), ("l", "\u{e4}\u{1f600}\u{e9}")]), Some(1.0));
}

/// What was accepted stays, whatever comes next.
#[test]
fn a_bad_push_changes_nothing() {
    let daemon = one().start();
    push(&daemon, b"{\"a\": \"x 1\\n\", \"b\": \"y 2\"}");
    let cases: [(&str, &[u8], &str); 13] = [
        ("no page", b"{\"a\": \"x 1\\nnot a page\\n\"}", "malformed"),
        ("not UTF-8", b"{\"a\": \"x{l=\\\"\xff\\\"} 1\"}", "json"),
        ("a list at the top", b"[\"x 1\"]", "json"),
        ("a number", b"{\"a\": 7}", "json"),
        ("an object within", b"{\"a\": {\"b\": \"x 7\"}}", "json"),
        ("a number in a list", b"{\"a\": [\"x 7\", 8]}", "json"),
        ("a list in a list", b"{\"a\": [[\"x 7\"]]}", "json"),
        ("cut", b"{\"a\": \"x 7", "closed"),
        ("a name of nothing", b"{\"\": \"x 7\"}", "name"),
        ("a name with a line feed", b"{\"a\\n\": \"x 7\"}", "name"),
        ("no comma", b"{\"a\": \"x 1\" \"b\": \"x 1\"}", "json"),
        ("a word", b"{\"a\": nil}", "json"),
        (
            "a long line",
            &[b"{\"a\": \"".as_slice(), &b"x".repeat(20000), b"\"}"].concat(),
            "line_too_long",
        ),
    ];
    for (name, bytes, reason) in cases {
        let before = refused(&daemon, reason);
        push(&daemon, bytes);
        assert_eq!(refused(&daemon, reason), before + 1.0, "{name}");
        assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(1.0), "{name}");
        assert_eq!(value(&daemon, "y", &[("app", "b")]), Some(2.0), "{name}");
    }
    assert!(value(&daemon, "push_failure_time_seconds", &[("app", "a")]).unwrap() > 1e9);
    assert!(daemon.log_contains("app=\"a\" from 127.0.0.1:"));
    assert!(daemon.log_contains("refused: line 2:5:"));
}

/// Each of these is cut at every byte: nothing of it is taken for a page.
#[test]
fn half_a_push_is_none() {
    let daemon = one().start();
    let wire = b"{\"a\": [\"x 1\", \"y 2\"]}";
    for cut in 1..wire.len() - 2 {
        push(&daemon, &wire[..cut]);
    }
    assert_eq!(daemon.own("fanin_push_accepted_total", &[]), Some(0.0));
    assert_eq!(daemon.get("/merged").body, "");
}

#[test]
fn a_first_push_that_fails_is_told_of() {
    let daemon = one().start();
    push(&daemon, b"{\"a\": \"no page at all\"}");
    assert_eq!(value(&daemon, "push_time_seconds", &[("app", "a")]), Some(0.0));
    assert!(value(&daemon, "push_failure_time_seconds", &[("app", "a")]).unwrap() > 1e9);
}

#[test]
fn pages_grow_old() {
    let daemon = with("ttl: 300ms").start();
    push(&daemon, b"{\"a\": \"x 1\"}");
    daemon.until("the end of the page", || value(&daemon, "x", &[]).is_none());
    daemon.until("the count", || daemon.own("fanin_push_expired_total", &[]) == Some(1.0));
    assert_eq!(daemon.own("fanin_push_groups", &[]), Some(0.0));
    assert_eq!(daemon.own("fanin_blocks_kept", &[]), Some(0.0));
}

#[test]
fn an_unverified_page_that_is_none_is_kept_and_harms_nobody() {
    let listen = ["\"tcp://127.0.0.1:0\""];
    let setup = Setup::new().pushed("apps", &listen, "", "verify: false");
    let daemon = setup.route("/merged", "{merge: apps}").start();
    push(&daemon, b"{\"a\": \"no page at all\", \"b\": \"x 1\"}");
    assert_eq!(daemon.own("fanin_push_accepted_total", &[]), Some(2.0));
    assert_eq!(value(&daemon, "x", &[("app", "b")]), Some(1.0));
}

#[test]
fn malformed_lines_are_dropped_where_the_source_says_so() {
    let listen = ["\"tcp://127.0.0.1:0\""];
    let setup = Setup::new().pushed("apps", &listen, "", "on_malformed: drop_line");
    let daemon = setup.route("/merged", "{merge: apps}").start();
    push(&daemon, b"{\"a\": \"x 1\\nno line\\ny 2\"}");
    assert_eq!(value(&daemon, "x", &[]), Some(1.0));
    assert_eq!(value(&daemon, "y", &[]), Some(2.0));
    assert_eq!(daemon.own("fanin_source_dropped_lines_total", &[]), Some(1.0));
}

#[test]
fn a_proxy_has_all_applications_as_one_page() {
    let daemon = one().route("/proxy", "{proxy: apps}").start();
    push(&daemon, b"{\"a\": \"x 1\", \"b\": \"x 2\"}");
    let reply = daemon.get("/proxy?module=apps");
    assert_eq!(reply.status, 200);
    assert_eq!(page::value(&reply.body, "x", &[("app", "b")]), Some(2.0));
    assert!(!reply.body.contains("exporter_name"), "{}", reply.body);
}
