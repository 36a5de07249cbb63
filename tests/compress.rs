//! Pages that leave packed with gzip.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

mod common;

use std::io::Read as _;

use common::{Exporter, Reply, Setup, big_page};
use flate2::read::GzDecoder;

const GZIP: [(&str, &str); 1] = [("Accept-Encoding", "deflate, gzip")];

fn unpacked(reply: &Reply) -> String {
    let mut text = String::new();
    GzDecoder::new(&reply.bytes[..]).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_page_leaves_packed_for_those_who_take_it_so() {
    for bytes in [1500, 20_000, 2_000_000] {
        let exporter = Exporter::serving(&big_page(bytes));
        let setup = Setup::merging(&[&exporter])
            .source_of("f", "{file: {path: f.prom}}")
            .route("/plain", "{merge: {sources: a, compress: never}}")
            .route("/proxy", "{proxy: {sources: f, default: f}}")
            .route("/proxy/plain", "{proxy: {sources: f, default: f, compress: never}}");
        setup.folder().write("f.prom", &big_page(bytes));
        let daemon = setup.start();
        for (path, plain) in [("/merged", "/plain"), ("/proxy", "/proxy/plain")] {
            let want = daemon.get(path);
            assert_eq!(want.header("content-encoding"), None, "{path}");
            assert_eq!(want.header("vary"), Some("Accept-Encoding"), "{path}");
            let packed = daemon.get_with(path, &GZIP);
            assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path} {bytes}");
            assert_eq!(packed.header("content-type"), want.header("content-type"), "{path}");
            assert!(packed.bytes.len() < want.body.len() / 2, "{path} {bytes}");
            assert_eq!(unpacked(&packed), want.body, "{path} {bytes}");
            let never = daemon.get_with(plain, &GZIP);
            assert_eq!((never.header("content-encoding"), never.header("vary")), (None, None));
            assert_eq!(never.body, want.body, "{path} {bytes}");
        }
    }
}

#[test]
fn a_page_leaves_as_it_is_where_packing_is_not_worth_it_or_not_wanted() {
    let (small, large) = (Exporter::serving("up 1\n"), Exporter::serving(&big_page(20_000)));
    let daemon =
        Setup::merging(&[&large]).source("s", &small).route("/small", "{merge: s}").start();
    let cases = [
        ("/small", "gzip"),
        ("/merged", "identity"),
        ("/merged", "gzip;q=0"),
        ("/merged", "br"),
        ("/merged", "gzip;q=0, *"),
    ];
    for (path, accept) in cases {
        let reply = daemon.get_with(path, &[("Accept-Encoding", accept)]);
        assert_eq!(
            (reply.status, reply.header("content-encoding")),
            (200, None),
            "{path} {accept}"
        );
    }
    let tight = Setup::merging(&[&large]).limit("memory: 512KiB").limit("body: 64KiB").start();
    let reply = tight.get_with("/merged", &GZIP);
    assert_eq!((reply.status, reply.header("content-encoding")), (200, None), "no room to pack");
    let mut connection = daemon.connect();
    connection.send(b"HEAD /merged HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(connection.reply_to_head().header("content-encoding"), Some("gzip"));
}
