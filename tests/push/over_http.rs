//! Bad pushes over HTTP: each is refused, and what was there stays.

use std::io::Write as _;

use super::common::{Daemon, Setup, page};

/// Pages come and leave below `/m`.
fn receiving() -> Daemon {
    let setup = Setup::new().limit("body: 1MiB").limit("memory: 4MiB");
    let setup = setup.source_of("hub", "{push: {}}");
    setup.route("/m", "{receive: hub, relay: hub}").start()
}

fn head(fields: &str) -> String {
    format!("PUT /m/home/pi HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

/// What was there before is there still.
fn assert_kept(what: &str, daemon: &Daemon) {
    let reply = daemon.get("/m/home/pi");
    assert_eq!((reply.status, reply.body.as_str()), (200, "x 1\n"), "{what}");
}

fn sized(body: &[u8], fields: &str) -> Vec<u8> {
    let mut request = head(&format!("Content-Length: {}\r\n{fields}", body.len())).into_bytes();
    request.extend_from_slice(body);
    request
}

#[test]
fn a_bad_push_leaves_what_was_there() {
    let daemon = receiving();
    assert_eq!(daemon.request(&sized(b"x 1\n", "")).status, 200);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b'\n'; 100 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let gzip = "Content-Encoding: gzip\r\n";
    let long = vec![b'\n'; (1 << 20) + 1];
    let cases: [(&str, Vec<u8>, u16); 5] = [
        ("no UTF-8", sized(b"x{l=\"\xe4\"} 1\n", ""), 400),
        ("malformed", sized(b"x 1\ny {\n", ""), 400),
        ("one byte too long", sized(&long, ""), 413),
        ("100 MiB in 100 KiB", sized(&bomb, gzip), 413),
        ("half a gzip body", sized(&bomb[..bomb.len() / 2][..1024], gzip), 400),
    ];
    for (what, request, status) in cases {
        let reply = daemon.request(&request);
        assert_eq!(reply.status, status, "{what}: {}", reply.body);
        assert_kept(what, &daemon);
    }
}

#[test]
fn a_push_without_an_end_is_refused_when_it_is_too_long() {
    let daemon = receiving();
    assert_eq!(daemon.request(&sized(b"x 1\n", "")).status, 200);
    let mut endless = daemon.connect();
    endless.send(head("Transfer-Encoding: chunked\r\n").as_bytes());
    let chunk = format!("1000\r\n{}\r\n", "\n".repeat(0x1000));
    while endless.try_send(chunk.as_bytes()).is_ok() {}
    assert_kept("endless", &daemon);
    assert!(
        page::value(
            &daemon.get("/metrics").body,
            "fanin_push_refused_total",
            &[("source", "hub"), ("reason", "too_large")]
        )
        .is_some_and(|count| count >= 1.0)
    );
}

#[test]
fn a_push_that_is_cut_anywhere_leaves_what_was_there() {
    let daemon = receiving();
    assert_eq!(daemon.request(&sized(b"x 1\n", "")).status, 200);
    let whole = sized(b"x 2\ny 3\n", "");
    let chunked =
        [&head("Transfer-Encoding: chunked\r\n"), "4\r\nx 2\n\r\n4\r\ny 3\n\r\n0\r\n\r\n"];
    for request in [whole, chunked.concat().into_bytes()] {
        for cut in 0..request.len() {
            daemon.connect().send(&request[..cut]);
        }
        daemon.until("all are gone", || daemon.own("fanin_connections", &[]) == Some(1.0));
        assert_kept("cut", &daemon);
    }
}
