//! Sources that fail: left out and reported, never half served, never a broken page.

use crate::common::exporter::{CHUNKED_HEAD, TEXT, ok, reply};
use crate::common::{Daemon, Exporter, Gate, Setup, page, peers};

const GOOD: &str = "# TYPE up gauge\nup 1\n";

/// A reply that says more bytes than it has, so that it is cut when the connection closes.
fn cut(text: &str) -> Vec<u8> {
    let mut bytes =
        reply("200 OK", &[("Content-Type", TEXT)], &format!("{text}{}", "x".repeat(100)));
    bytes.truncate(bytes.len().saturating_sub(100));
    bytes
}

fn chunk_cut(text: &str) -> Vec<u8> {
    [CHUNKED_HEAD, format!("{:x}\r\n{text}\r\n", text.len()).as_bytes(), b"40\r\ny{a=\"b"].concat()
}

fn without_source_b(name: &str, daemon: &Daemon, reason: &str) {
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    page::assert_well_formed(name, &reply.body);
    assert_eq!(page::count(&reply.body), 1, "{name}: {}", reply.body);
    assert_eq!(daemon.own("fanin_source_up", &[("source", "a")]), Some(1.0), "{name}");
    assert_eq!(daemon.own("fanin_source_up", &[("source", "b")]), Some(0.0), "{name}");
    let failures =
        daemon.own("fanin_source_failures_total", &[("source", "b"), ("reason", reason)]);
    assert_eq!(failures, Some(1.0), "{name}: reason {reason}:\n{}", daemon.get("/metrics").body);
}

#[test]
fn a_page_that_is_not_one_is_refused_whole_with_its_reason() {
    let html = "<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n";
    let error = reply("500 Internal Server Error", &[("Content-Type", "text/html")], html);
    let gzip = reply("200 OK", &[("Content-Type", TEXT), ("Content-Encoding", "gzip")], "\x1f\x08");
    let cases: [(&str, Vec<u8>, &str); 13] = [
        ("an HTML page", ok("text/html; charset=utf-8", html), "malformed"),
        ("an HTML page called text", ok(TEXT, html), "malformed"),
        ("an HTML error", error, "status"),
        ("404", reply("404 Not Found", &[], "no\n"), "status"),
        ("one bad line", ok(TEXT, "y 1\nz one\nw 1\n"), "malformed"),
        ("an unknown type", ok(TEXT, "# TYPE y meter\ny 1\n"), "malformed"),
        ("a body cut mid-line", cut("y{a=\"b\"} 1\ny{a=\"c"), "closed"),
        ("a body cut at a line's end", cut("y{a=\"b\"} 1\n"), "closed"),
        ("cut within a chunk", chunk_cut("y 1\n"), "closed"),
        ("gzip, unasked for", gzip, "encoding"),
        ("nothing but a close", Vec::new(), "closed"),
        ("a head cut short", b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec(), "closed"),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), "protocol"),
    ];
    for (name, bytes, reason) in cases {
        let a = Exporter::serving(GOOD);
        let b = Exporter::closing(bytes);
        without_source_b(name, &Setup::merging(&[&a, &b]).start(), reason);
    }
}

#[test]
fn a_source_that_nobody_answers_is_left_out() {
    let a = Exporter::serving(GOOD);
    let port = peers::free_port();
    let cases = [
        ("refused", format!("http://127.0.0.1:{port}/metrics"), "connect"),
        ("no such socket", "unix:///nonexistent/fanin.sock:/metrics".to_owned(), "connect"),
        ("no such name", "http://no-such-host.invalid/metrics".to_owned(), "resolve"),
    ];
    for (name, url, reason) in cases {
        let daemon = Setup::new()
            .source("a", &a)
            .source_at("b", &url, "", "")
            .route("/merged", "{merge: [a, b]}")
            .start();
        without_source_b(name, &daemon, reason);
    }
}

/// `self` is rendered after the others have ended, so the page itself says which are missing.
#[test]
fn the_merged_page_says_which_source_is_down() {
    let a = Exporter::serving(GOOD);
    let b = Exporter::closing("");
    let daemon = Setup::new()
        .source("a", &a)
        .source("b", &b)
        .route("/merged", "{merge: [self, a, b]}")
        .start();

    let reply = daemon.get("/merged");

    assert_eq!(reply.status, 200);
    page::assert_well_formed("self", &reply.body);
    assert_eq!(page::value(&reply.body, "fanin_source_up", &[("source", "a")]), Some(1.0));
    assert_eq!(page::value(&reply.body, "fanin_source_up", &[("source", "b")]), Some(0.0));
    assert_eq!(page::value(&reply.body, "up", &[("exporter_name", "a")]), Some(1.0));
    assert_eq!(
        page::value(&reply.body, "fanin_build_info", &[("exporter_name", "self")]),
        Some(1.0)
    );
    let first = page::samples(&reply.body).swap_remove(0);
    assert_eq!(first.label("exporter_name"), Some("self"), "self stands where it is configured");
}

#[test]
fn strict_makes_one_failure_a_503_that_names_it() {
    let a = Exporter::serving(GOOD);
    let b = Exporter::closing("");
    let daemon = Setup::new()
        .source("a", &a)
        .source("b", &b)
        .route("/strict", "{merge: {sources: [self, a, b], strict: true}}")
        .route("/fine", "{merge: {sources: [self, a], strict: true}}")
        .start();

    let reply = daemon.get("/strict");

    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(reply.body.starts_with("source \"b\": "), "{}", reply.body);
    assert!(!reply.body.contains("source \"a\""), "{}", reply.body);
    assert_eq!(daemon.get("/fine").status, 200);
}

#[test]
fn when_all_fail_the_answer_is_a_503_that_says_why() {
    let port = peers::free_port();
    let a = Exporter::closing(reply("404 Not Found", &[], "no\n"));
    let daemon = Setup::new()
        .source("gone", &a)
        .source_at("dead", &format!("http://127.0.0.1:{port}/metrics"), "", "")
        .route("/merged", "{merge: [gone, dead]}")
        .route("/with-self", "{merge: [self, gone, dead]}")
        .start();
    for path in ["/merged", "/with-self"] {
        let reply = daemon.get(path);
        assert_eq!(reply.status, 503, "{path}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
        assert!(reply.body.contains("source \"gone\": "), "{path}: {}", reply.body);
        assert!(reply.body.contains("404"), "{path}: {}", reply.body);
        let refused = format!("source \"dead\": connect 127.0.0.1:{port}: connection refused");
        assert!(reply.body.to_lowercase().contains(&refused), "{path}: {}", reply.body);
        assert!(reply.body.ends_with('\n'), "{path}: {}", reply.body);
    }
    assert_eq!(daemon.get("/-/healthy").status, 200);
}

/// The log says where; the client is told no more than that the page is malformed.
#[test]
fn a_malformed_line_is_logged_with_its_place() {
    let a = Exporter::serving("y 1\n# HELP z Fine.\nz{a=\"b\" 1\n");
    let daemon = Setup::merging(&[&a]).start();

    let reply = daemon.get("/merged");

    assert_eq!(reply.status, 503);
    assert!(reply.body.starts_with("source \"a\": "), "{}", reply.body);
    let line = daemon.log.wait_for("source \"a\"", 1).unwrap().remove(0);
    assert!(line.contains("3:"), "line 3 and a column: {line}");
}

/// A source that comes back is up again, with nothing in between to wait for.
#[test]
fn a_source_that_recovers_is_up_again() {
    let well = Gate::new();
    let theirs = well.clone();
    let a = Exporter::talking(move |conversation| {
        if conversation.number() > 1 {
            theirs.wait();
            while conversation.request().is_some() {
                conversation.send(&ok(TEXT, GOOD));
            }
        }
    });
    let daemon = Setup::merging(&[&a]).start();
    assert_eq!(daemon.get("/merged").status, 503);
    well.open();
    assert_eq!(daemon.get("/merged").status, 200);
    assert_eq!(daemon.own("fanin_source_up", &[("source", "a")]), Some(1.0));
}
