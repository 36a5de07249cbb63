//! HTTP/1.1 and 1.0 as clients may speak it.

use crate::common::{Exporter, Gate, Setup, page};

const GOOD: &str = "# TYPE up gauge\nup 1\n";

#[test]
fn an_unknown_path_is_a_404() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    for path in ["/nothing", "/merged/", "/merged/x", "/Merged", "//merged", "/-/", "/-/nothing"] {
        let status = daemon.get(path).status;
        assert!(matches!(status, 404 | 400), "{path}: {status}");
    }
    for path in ["/./merged", "/x/../merged"] {
        assert!(matches!(daemon.get(path).status, 400 | 404), "{path}");
    }
    assert_eq!(a.requests(), 0);
    assert_eq!(daemon.get("/merged?any=query").status, 200);
    assert_eq!(daemon.get("/%6Derged").status, 200, "each segment is decoded");
}

#[test]
fn a_method_that_a_route_lacks_is_a_405_with_allow() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    let cases = [
        ("POST", "/merged", &["GET", "HEAD"][..]),
        ("DELETE", "/metrics", &["GET", "HEAD"]),
        ("PUT", "/", &["GET", "HEAD"]),
        ("POST", "/-/healthy", &["GET", "HEAD"]),
        ("GET", "/-/reload", &["POST"]),
        ("BREW", "/merged", &["GET", "HEAD"]),
    ];
    for (method, path, allowed) in cases {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: fanin\r\nContent-Length: 0\r\n\r\n");
        let reply = daemon.request(head.as_bytes());
        assert_eq!(reply.status, 405, "{method} {path}");
        let allow = reply.header("allow").expect("Allow");
        let mut methods: Vec<_> = allow.split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods, allowed, "{method} {path}");
    }
    assert_eq!(a.requests(), 0);
}

#[test]
fn head_is_get_without_the_body() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    let mut client = daemon.connect();
    for path in ["/merged", "/metrics", "/", "/-/healthy", "/nothing"] {
        client.ask(path);
        let get = client.reply();
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: fanin\r\n\r\n").as_bytes());
        let head = client.reply_to_head();
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
    // The connection is still in step.
    client.ask("/-/healthy");
    assert_eq!(client.reply().status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gate = Gate::new();
    let slow = Exporter::behind(&gate, GOOD);
    let daemon = Setup::merging(&[&slow]).start();
    let mut client = daemon.connect();
    client.send(
        b"GET /merged HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n\
        HEAD /-/healthy HTTP/1.1\r\nHost: a\r\n\r\nGET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    slow.wait_for_requests(1);
    gate.open();
    assert_eq!(page::count(&client.reply().body), 1);
    assert_eq!(client.reply().status, 404);
    assert_eq!(client.reply_to_head().status, 200);
    assert_eq!(client.reply().status, 200);
}

#[test]
fn a_request_is_the_same_wherever_the_wire_is_cut() {
    let daemon = Setup::new().start();
    let wire = b"GET /-/healthy HTTP/1.1\r\nHost: fanin\r\nAccept: */*\r\n\r\n";
    let mut client = daemon.connect();
    for cut in 0..=wire.len() {
        client.send(&wire[..cut]);
        // Asking elsewhere makes it likely that the first part was read by itself.
        if cut % 8 == 0 {
            assert_eq!(daemon.get("/-/ready").status, 200);
        }
        client.send(&wire[cut..]);
        assert_eq!(client.reply().status, 200, "cut at {cut}");
    }
}

#[test]
fn connections_are_kept_and_closed_as_asked() {
    let daemon = Setup::new().start();
    let cases = [
        ("1.1", "GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("1.1 close", "GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        (
            "1.1 Close, among others",
            "GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
            false,
        ),
        ("1.0", "GET /-/healthy HTTP/1.0\r\n\r\n", false),
        ("1.0 keep-alive", "GET /-/healthy HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
    ];
    for (name, request, kept) in cases {
        let mut client = daemon.connect();
        client.send(request.as_bytes());
        let reply = client.reply();
        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(!reply.closes(), kept, "{name}: {:?}", reply.headers);
        if kept {
            client.ask("/-/healthy");
            assert_eq!(client.reply().status, 200, "{name}");
        } else {
            assert!(client.ended(), "{name}");
        }
    }
}

/// A 1.0 client gets no chunks, whatever the length of the page.
#[test]
fn a_1_0_client_gets_a_page_that_the_close_ends() {
    let text = include_str!("../pages/node_exporter.prom");
    let a = Exporter::serving(text);
    let daemon = Setup::merging(&[&a]).start();
    let mut client = daemon.connect();
    client.send(b"GET /merged HTTP/1.0\r\n\r\n");
    let reply = client.reply();
    assert_eq!(reply.header("transfer-encoding"), None);
    assert_eq!(page::count(&reply.body), page::count(text));
    assert!(client.ended());
}

#[test]
fn an_absolute_target_is_its_path() {
    let daemon = Setup::new().start();
    for target in ["http://fanin/-/healthy", "http://fanin:10555/-/healthy?x=y"] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: fanin\r\nConnection: close\r\n\r\n");
        assert_eq!(daemon.request(head.as_bytes()).status, 200, "{target}");
    }
}

#[test]
fn expect_continue_is_honoured_or_answered_at_once() {
    let daemon = Setup::new().start();
    let mut client = daemon.connect();
    client.send(
        b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    );
    let first = client.reply();
    if first.status == 100 {
        client.send(b"body");
        assert_eq!(client.reply().status, 200);
    } else {
        // An answer sent before the body was read closes the connection.
        assert_eq!(first.status, 200);
        assert!(client.ended());
    }
}

#[test]
fn a_small_body_is_skipped_and_the_connection_goes_on() {
    let daemon = Setup::new().start();
    let mut client = daemon.connect();
    client.send(b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.reply().status, 200);
    client.send(
        b"POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    );
    let reply = client.reply();
    assert_eq!(reply.status, 200);
    if !reply.closes() {
        client.ask("/-/healthy");
        assert_eq!(client.reply().status, 200);
    }
}
