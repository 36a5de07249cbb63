//! Answers that come compressed.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::common::wire::Seen;
use crate::common::{Exporter, Setup, big_page, page};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

/// A 200 with this coding and body.
fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
         Content-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn setup(exporter: &Exporter) -> Setup {
    Setup::new()
        .source("m", exporter)
        .source_with("raw", exporter, "verify: false")
        .route("/proxy", "{proxy: {sources: all, default: m}}")
        .route("/merged", "{merge: {sources: m, label: none}}")
}

/// It stays compressed for those who take it so, and is inflated for the others.
#[test]
fn gzip_passes_or_is_inflated() {
    for text in ["up 1\n".to_owned(), "up   1".to_owned(), String::new(), big_page(300_000)] {
        for coding in ["gzip", "X-GZIP"] {
            let compressed = gzip(text.as_bytes());
            let exporter = Exporter::answering(coded(coding, &compressed));
            let daemon = setup(&exporter).start();
            for module in ["m", "raw"] {
                let path = format!("/proxy?module={module}");
                let reply = daemon.get_with(&path, &[("Accept-Encoding", "gzip")]);
                assert_eq!(reply.status, 200, "{module}: {}", reply.body);
                assert_eq!(reply.header("content-encoding"), Some(coding), "{module}");
                assert_eq!(reply.bytes, compressed, "{module}: as it came");
                assert_eq!(gunzip(&reply.bytes), text, "{module}");
            }
            let reply = daemon.get("/proxy");
            assert_eq!(reply.header("content-encoding"), None);
            assert_eq!(reply.body.trim_end(), text.trim_end());
            let merged = daemon.get("/merged");
            assert_eq!(merged.status, 200, "{}", merged.body);
            assert_eq!(page::count(&merged.body), page::count(&text));
        }
    }
}

#[test]
fn a_page_that_cannot_be_inflated_is_no_page() {
    let good = gzip(big_page(100_000).as_bytes());
    let mut bad_sum = good.clone();
    let at = bad_sum.len() - 6;
    bad_sum[at] ^= 1;
    let malformed = gzip(b"up 1\nbroken here\n");
    let bomb = gzip(&vec![b'\n'; 64 << 20]);
    let line = gzip(&vec![b'x'; 100_000]);
    let unended = gzip(&vec![b'x'; 16 * 1024]);
    let trailing = [&good[..], b"more"].concat();
    let cases = [
        ("cut", "gzip", &good[..good.len() / 2], "encoding"),
        ("cut in its end", "gzip", &good[..good.len() - 1], "encoding"),
        ("a wrong sum", "gzip", &bad_sum, "encoding"),
        ("no gzip at all", "gzip", b"up 1\n", "encoding"),
        ("nothing", "gzip", b"", "encoding"),
        ("more behind it", "gzip", &trailing, "encoding"),
        ("malformed within", "gzip", &malformed, "malformed"),
        ("a bomb", "gzip", &bomb, "too_large"),
        ("a long line", "gzip", &line, "line_too_long"),
        ("a line of a block, unended", "gzip", &unended, "line_too_long"),
        ("another coding", "br", b"up 1\n", "encoding"),
        ("two codings", "gzip, gzip", b"up 1\n", "encoding"),
    ];
    for (name, coding, body, reason) in cases {
        let exporter = Exporter::answering(coded(coding, body));
        let daemon = setup(&exporter).limit("body: 1MiB").limit("memory: 4MiB").start();
        let hwm = daemon.status("VmHWM");
        for (accept, count) in [("gzip", 1.0), ("identity", 2.0)] {
            let reply = daemon.get_with("/proxy", &[("Accept-Encoding", accept)]);
            assert_eq!(reply.status, 502, "{name} {accept}: {}", reply.body);
            let failed = [("source", "m"), ("reason", reason)];
            let counted = daemon.own("fanin_source_failures_total", &failed);
            assert_eq!(counted, Some(count), "{name} {accept}: {}", reply.body);
        }
        assert_eq!(daemon.get("/merged").status, 503, "{name}");
        let grown = daemon.status("VmHWM").saturating_sub(hwm);
        assert!(grown < 6 * 1024, "{name}: grew by {grown} KiB");
    }
}

/// Members of which none holds anything unpack to nothing for ever; others are answered meanwhile.
#[test]
fn a_body_of_empty_members_stalls_nobody() {
    let members = gzip(b"").repeat(3000);
    let exporter = Exporter::talking(move |conversation| {
        conversation.request();
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
        while conversation.send(&members) {}
    });
    // As much as even an emulated board unpacks within the deadline.
    let daemon = setup(&exporter).limit("body: 2MiB").start();
    let mut connection = daemon.connect();
    connection.send(b"GET /proxy HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
    exporter.wait_for_requests(1);
    let mut longest = Duration::ZERO;
    while connection.look(Duration::from_millis(20)) == Seen::Nothing {
        let before = Instant::now();
        assert_eq!(daemon.get("/-/healthy").status, 200);
        longest = longest.max(before.elapsed());
    }
    assert_eq!(connection.reply().status, 502);
    assert!(longest < Duration::from_millis(500), "{longest:?}");
}
