//! Whole heads, taken and refused.

use super::*;
use crate::http::scan::Scan;

/// A request as it comes off the wire: through the scanner first.
fn request(wire: &[u8]) -> Result<RequestHead<'_>, Fault> {
    let range = Scan::new().advance(wire)?.expect("a whole head");
    RequestHead::parse(&wire[range])
}

fn reply(wire: &[u8]) -> Result<ReplyHead<'_>, Fault> {
    let range = Scan::new().advance(wire)?.expect("a whole head");
    ReplyHead::parse(&wire[range])
}

#[test]
fn a_request_is_read() {
    let head = request(
        b"\r\nPUT /a/b?c=d HTTP/1.1\r\nHost: pi:9999\r\nContent-Length: 3\r\nX: \xc3\xa9\r\n\r\nabc",
    )
    .unwrap();
    assert_eq!((head.method(), head.target().path()), ("PUT", "/a/b"));
    assert_eq!((head.version(), head.framing()), (Version::Http11, Framing::Length(3)));
    assert_eq!((head.host(), head.fields().text("x")), ("pi:9999", Some("é")));
}

#[test]
fn a_whole_url_names_the_host() {
    let head = request(b"GET http://a:1/x HTTP/1.1\r\nHost: b\r\n\r\n").unwrap();
    assert_eq!((head.host(), head.target().path()), ("a:1", "/x"));
}

#[test]
fn an_old_request_needs_no_host() {
    let head = request(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!((head.version(), head.host()), (Version::Http10, ""));
}

#[test]
fn requests_that_could_be_read_twice_are_refused() {
    let cases: [(&str, &[u8], Fault); 31] = [
        ("bare LF in the line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", Fault::BareLineFeed),
        ("bare LF in a field", b"GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", Fault::BareLineFeed),
        ("bare LF at the end", b"GET / HTTP/1.1\r\nHost: a\r\n\n", Fault::BareLineFeed),
        ("bare CR", b"GET / HTTP/1.1\r\nHost: a\rB: c\r\n\r\n", Fault::BareCarriageReturn),
        ("zero in a value", b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", Fault::ControlByte),
        ("DEL in a value", b"GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", Fault::ControlByte),
        ("fold", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", Fault::FoldedField),
        (
            "fold with a tab",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
            Fault::FoldedField,
        ),
        ("fold first", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Fault::FoldedField),
        ("a line of blanks", b"GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", Fault::FoldedField),
        ("blank before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", Fault::BlankBeforeColon),
        ("tab before colon", b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", Fault::BlankBeforeColon),
        ("no colon", b"GET / HTTP/1.1\r\nHost a\r\n\r\n", Fault::Field),
        ("no name", b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", Fault::Field),
        ("a name in brackets", b"GET / HTTP/1.1\r\nHost: a\r\n(x): b\r\n\r\n", Fault::Field),
        ("no Host", b"GET / HTTP/1.1\r\n\r\n", Fault::HostMissing),
        ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Fault::HostRepeated),
        ("two in 1.0", b"GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", Fault::HostRepeated),
        ("a path as Host", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Fault::HostInvalid),
        ("Host not UTF-8", b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", Fault::HostInvalid),
        (
            "length twice",
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            Fault::LengthRepeated,
        ),
        (
            "coding in 1.0",
            b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            Fault::CodingInOld,
        ),
        (
            "another expectation",
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n",
            Fault::Expectation,
        ),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Fault::Version),
        ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", Fault::Version),
        ("HTTP/0.9", b"GET /\r\n\r\n", Fault::RequestLine),
        ("no version", b"GET / HTML\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("two blanks", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("a blank in the path", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("no method", b" / HTTP/1.1\r\nHost: a\r\n\r\n", Fault::RequestLine),
        ("two dots", b"GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n", Fault::Target),
    ];
    for (name, wire, want) in cases {
        assert_eq!(request(wire).map(|_| ()), Err(want), "{name}");
    }
}

#[test]
fn the_last_field_that_fits_is_taken() {
    for (fields, want) in [(HEADERS, Ok(())), (HEADERS + 1, Err(Fault::TooManyFields))] {
        let mut wire = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
        for _ in 1..fields {
            wire.extend_from_slice(b"X: y\r\n");
        }
        wire.extend_from_slice(b"\r\n");
        assert_eq!(request(&wire).map(|_| ()), want, "{fields}");
    }
}

#[test]
fn the_last_byte_that_fits_is_taken() {
    for (len, want) in [(HEAD, Ok(())), (HEAD + 1, Err(Fault::HeadTooLong))] {
        let mut wire = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
        wire.resize(len - 4, b'x');
        wire.extend_from_slice(b"\r\n\r\n");
        assert_eq!(request(&wire).map(|_| ()), want, "{len}");
    }
}

#[test]
fn a_response_is_read() {
    let head =
        reply(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nup 1\n")
            .unwrap();
    assert_eq!((head.status(), head.version()), (200, Version::Http11));
    assert_eq!(head.stated(), Some(Framing::Length(5)));
    assert_eq!(head.fields().text("content-type"), Some("text/plain"));
    let head = reply(b"HTTP/1.0 404 \r\n\r\n").unwrap();
    assert_eq!((head.status(), head.version(), head.stated()), (404, Version::Http10, None));
    assert_eq!(reply(b"HTTP/1.1 204\r\n\r\n").unwrap().status(), 204);
}

#[test]
fn responses_that_could_be_read_twice_are_refused() {
    let cases: [(&str, &[u8], Fault); 13] = [
        ("bare LF", b"HTTP/1.1 200 OK\n\n", Fault::BareLineFeed),
        ("bare CR", b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", Fault::BareCarriageReturn),
        ("control byte", b"HTTP/1.1 200 O\x01K\r\n\r\n", Fault::ControlByte),
        ("fold", b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Fault::FoldedField),
        ("blank before colon", b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Fault::BlankBeforeColon),
        ("no colon", b"HTTP/1.1 200 OK\r\nA\r\n\r\n", Fault::Field),
        ("status of two digits", b"HTTP/1.1 20 OK\r\n\r\n", Fault::StatusLine),
        ("status 600", b"HTTP/1.1 600 OK\r\n\r\n", Fault::StatusLine),
        ("status 099", b"HTTP/1.1 099 OK\r\n\r\n", Fault::StatusLine),
        ("another protocol", b"ICY 200 OK\r\n\r\n", Fault::Version),
        ("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n", Fault::Version),
        (
            "length with coding",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Fault::LengthWithCoding,
        ),
        (
            "gzip coding",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            Fault::CodingUnknown,
        ),
    ];
    for (name, wire, want) in cases {
        assert_eq!(reply(wire).map(|_| ()), Err(want), "{name}");
    }
}
