//! Heads that two programs might read differently: refused, and the connection with them.

use super::common::exporter::{CHUNKED_HEAD, TEXT};
use super::common::{Connection, Exporter, Setup, page};
use super::{GOOD, assert_ordinary_scrape};

/// What follows each of the requests below: must never be answered.
const SMUGGLED: &str = "GET /-/ready HTTP/1.1\r\nHost: smuggled\r\n\r\n";

/// A name, the request, and the statuses that it may be refused with.
type Case = (&'static str, &'static str, &'static [u16]);

const LENGTHS: [Case; 16] = [
    (
        "length and coding",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "coding and length",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "two lengths",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        &[400],
    ),
    (
        "the same length twice",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        &[400],
    ),
    ("a list of lengths", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd", &[400]),
    ("a signed length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", &[400]),
    ("a negative length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", &[400]),
    (
        "a hexadecimal length",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\nabcd",
        &[400],
    ),
    ("an empty length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", &[400]),
    (
        "a length beyond all numbers",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        &[400, 413],
    ),
    (
        "two codings",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked twice",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "chunked, then identity",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "an unknown coding",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n",
        &[501, 400],
    ),
    (
        "a quoted coding",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "a coding in 1.0",
        "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
];

const HEADS: [Case; 22] = [
    (
        "a blank before the colon",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd",
        &[400],
    ),
    ("a tab before the colon", "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", &[400]),
    ("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", &[400]),
    (
        "a folded coding",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    ("a first field that is folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", &[400]),
    ("a bare LF", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", &[400]),
    ("bare LFs only", "GET / HTTP/1.1\nHost: a\n\n", &[400]),
    (
        "a bare CR in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 4\r\n\r\n",
        &[400],
    ),
    ("a NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n", &[400]),
    (
        "a control byte in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        &[400, 501],
    ),
    ("no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", &[400]),
    ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &[400]),
    ("a field without a name", "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", &[400]),
    ("a field without a colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", &[400]),
    ("a blank in a name", "GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n", &[400]),
    ("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[505]),
    ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", &[505]),
    ("HTTP/3", "GET / HTTP/3\r\nHost: a\r\n\r\n", &[505, 400]),
    ("no version", "GET /\r\n\r\n", &[400, 505]),
    ("lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", &[400, 505]),
    ("a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", &[400, 505]),
    ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\u{7c}\x03\x03", &[400]),
];

/// After its first reply the connection gives no second one, whatever came behind.
fn assert_refused(name: &str, mut client: Connection, request: &str, statuses: &[u16]) {
    client.send(format!("{request}{SMUGGLED}").as_bytes());
    let reply = client.reply();
    assert!(statuses.contains(&reply.status), "{name}: {}: {}", reply.status, reply.body);
    assert!(reply.closes(), "{name}: {:?}", reply.headers);
    assert_eq!(reply.body.lines().count(), 1, "{name}: one line of text: {}", reply.body);
    assert!(client.ended(), "{name}: answered what came behind");
}

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() {
    let good = Exporter::serving(GOOD);
    let daemon = Setup::new().source("good", &good).route("/side", "{merge: [good]}").start();
    for (name, request, statuses) in LENGTHS.into_iter().chain(HEADS) {
        assert_refused(name, daemon.connect(), request, statuses);
        assert_ordinary_scrape(name, &daemon);
    }
}

/// A body whose chunks are malformed: one answer at most, and nothing behind it.
#[test]
fn malformed_chunks_end_the_connection() {
    let good = Exporter::serving(GOOD);
    let daemon = Setup::new().source("good", &good).route("/side", "{merge: [good]}").start();
    let cases = [
        ("prefixed", "0x4\r\nabcd\r\n0\r\n\r\n"),
        ("signed", "+4\r\nabcd\r\n0\r\n\r\n"),
        ("negative", "-4\r\nabcd\r\n0\r\n\r\n"),
        ("a blank in front", " 4\r\nabcd\r\n0\r\n\r\n"),
        ("empty", "\r\nabcd\r\n0\r\n\r\n"),
        ("beyond all numbers", "fffffffffffffffff\r\nabcd"),
        ("wraps around to 4", "10000000000000004\r\nabcd\r\n0\r\n\r\n"),
        ("a bare LF after the size", "4\nabcd\r\n0\r\n\r\n"),
        ("a bare LF in an extension", "4;a\nb\r\nabcd\r\n0\r\n\r\n"),
        ("a bare LF after the data", "4\r\nabcd\n0\r\n\r\n"),
        ("more data than said", "4\r\nabcdefgh\r\n0\r\n\r\n"),
        ("a bare LF at the end", "4\r\nabcd\r\n0\r\n\n"),
    ];
    for (name, body) in cases {
        let mut client = daemon.connect();
        let head = "POST /-/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.send(format!("{head}{body}{SMUGGLED}").as_bytes());
        let all = String::from_utf8_lossy(&client.drain()).into_owned();
        assert!(all.matches("HTTP/1.1 ").count() <= 1, "{name}: {all}");
        assert_ordinary_scrape(name, &daemon);
    }
}

/// The same from an upstream: that source is down, reason `protocol`.
#[test]
fn replies_that_can_be_read_in_two_ways_are_refused() {
    let text =
        |fields: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {TEXT}\r\n{fields}\r\nbad 1\n");
    let chunks = |body: &str| [CHUNKED_HEAD, body.as_bytes()].concat();
    let cases = [
        (
            "length and coding",
            text("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n").into_bytes(),
        ),
        ("two lengths", text("Content-Length: 6\r\nContent-Length: 5\r\n").into_bytes()),
        ("the same length twice", text("Content-Length: 6\r\nContent-Length: 6\r\n").into_bytes()),
        ("a signed length", text("Content-Length: +6\r\n").into_bytes()),
        ("an unknown coding", text("Transfer-Encoding: zip\r\n").into_bytes()),
        ("two codings", text("Transfer-Encoding: gzip, chunked\r\n").into_bytes()),
        ("a blank before the colon", text("Content-Length : 6\r\n").into_bytes()),
        ("a folded line", text("X: y\r\n z\r\nContent-Length: 6\r\n").into_bytes()),
        ("a bare LF", text("X: y\nContent-Length: 6\r\n").into_bytes()),
        ("a bare CR", text("X: y\rz\r\nContent-Length: 6\r\n").into_bytes()),
        ("a NUL", text("X: y\0\r\nContent-Length: 6\r\n").into_bytes()),
        (
            "a coding in 1.0",
            text("Transfer-Encoding: chunked\r\n").replace("1.1", "1.0").into_bytes(),
        ),
        ("HTTP/2", text("Content-Length: 6\r\n").replace("HTTP/1.1", "HTTP/2").into_bytes()),
        ("a prefixed chunk size", chunks("0x6\r\nbad 1\n\r\n0\r\n\r\n")),
        ("a signed chunk size", chunks("+6\r\nbad 1\n\r\n0\r\n\r\n")),
        ("a chunk size that wraps", chunks("10000000000000006\r\nbad 1\n\r\n0\r\n\r\n")),
        ("a bare LF after a chunk size", chunks("6\nbad 1\n\r\n0\r\n\r\n")),
        ("more data than a chunk has", chunks("6\r\nbad 1\nbad 2\n\r\n0\r\n\r\n")),
    ];
    let good = Exporter::serving(GOOD);
    for (name, bytes) in cases {
        let bad = Exporter::closing(bytes);
        let daemon = Setup::new()
            .source("good", &good)
            .source("bad", &bad)
            .route("/side", "{merge: [good]}")
            .route("/both", "{merge: [good, bad]}")
            .start();
        let reply = daemon.get("/both");
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        assert_eq!(page::count(&reply.body), 1, "{name}: {}", reply.body);
        let failures = [("source", "bad"), ("reason", "protocol")];
        assert_eq!(daemon.own("fanin_source_failures_total", &failures), Some(1.0), "{name}");
        assert_ordinary_scrape(name, &daemon);
    }
}
