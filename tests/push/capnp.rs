//! Cap'n Proto messages, any number on a connection.
use super::{one, push, push_in_two, refused, value, with};

/// Text as words: its bytes, a zero, and padding.
fn words(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A pointer to a text of this length, `offset` words behind it.
fn list(offset: i32, text: &[u8]) -> [u8; 8] {
    let low = u64::from((offset << 2).cast_unsigned() | 1);
    (low | 2 << 32 | (text.len() as u64 + 1) << 35).to_le_bytes()
}

/// A pointer to another segment.
fn far(segment: u64, word: u64, double: bool) -> [u8; 8] {
    (2 | u64::from(double) << 2 | word << 3 | segment << 32).to_le_bytes()
}

/// A pointer to a struct of two pointers.
const ROOT: [u8; 8] = [0, 0, 0, 0, 0, 0, 2, 0];

/// Segments as a message.
fn message(segments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = (segments.len() as u32 - 1).to_le_bytes().to_vec();
    for segment in segments {
        assert_eq!(segment.len() % 8, 0);
        bytes.extend((segment.len() as u32 / 8).to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    segments.iter().for_each(|segment| bytes.extend(segment));
    bytes
}

/// The simplest there is.
fn simple(app: &[u8], text: &[u8]) -> Vec<u8> {
    let behind = 1 + (words(app).len() / 8) as i32 - 1;
    let all = [&ROOT[..], &list(1, app), &list(behind, text), &words(app), &words(text)].concat();
    message(&[all])
}

#[test]
fn messages_are_read_however_their_segments_lie() {
    let daemon = one().start();
    let (app, text) = (b"a".as_slice(), b"x 2".as_slice());
    let pad = list(0, text).to_vec();
    let cases = [
        ("one segment", simple(b"a", b"x 1\n"), 1.0),
        (
            "the text in another",
            message(&[
                [&ROOT[..], &list(1, app), &far(1, 0, false), &words(app)].concat(),
                [&pad[..], &words(text)].concat(),
            ]),
            2.0,
        ),
        (
            "the text in a third, by way of the second",
            message(&[
                [&ROOT[..], &list(1, app), &far(1, 0, true), &words(app)].concat(),
                [far(2, 1, false), list(0, b"x 3")].concat(),
                [&words(b"pad")[..], &words(b"x 3")].concat(),
            ]),
            3.0,
        ),
        (
            "the struct in another",
            message(&[
                far(1, 0, false).to_vec(),
                [&ROOT[..], &list(1, app), &list(1, b"x 4"), &words(app), &words(b"x 4")].concat(),
            ]),
            4.0,
        ),
        ("many on one connection", [simple(b"b", b"y 1"), simple(b"a", b"x 5")].concat(), 5.0),
    ];
    for (name, bytes, want) in cases {
        push(&daemon, &bytes);
        assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(want), "{name}");
    }
    assert_eq!(value(&daemon, "y", &[("app", "b")]), Some(1.0));
}

#[test]
fn a_message_is_the_same_wherever_the_wire_is_cut() {
    let daemon = one().start();
    let wire = [simple(b"app", b"x 1\ny 2\n"), simple(b"other", b"z 3")].concat();
    push_in_two(&daemon, &wire);
}

#[test]
fn what_is_no_message_is_refused() {
    let daemon = one().limit("body: 64KiB").start();
    push(&daemon, &simple(b"a", b"x 1"));
    let good = simple(b"a", b"x 2");
    // Every byte of pointers and texts, spoilt: whatever that means, the program lives on.
    for at in 8..good.len() {
        for bits in [0x01, 0x40, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= bits;
            push(&daemon, &bad);
        }
    }
    push(&daemon, &simple(b"a", b"x 1"));
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("many segments", [255, 255, 0, 0].to_vec(), "capnp"),
        ("a huge one", [0, 0, 0, 0, 255, 255, 255, 255].to_vec(), "capnp"),
        (
            "a pointer to nowhere",
            message(&[[ROOT, list(9, b"a"), list(9, b"x")].concat()]),
            "capnp",
        ),
        ("no name", message(&[vec![0; 8]]), "name"),
        ("no page", simple(b"a", b"no page"), "malformed"),
        ("cut", good[..good.len() - 1].to_vec(), "closed"),
    ];
    for (name, bytes, reason) in cases {
        let before = refused(&daemon, reason);
        push(&daemon, &bytes);
        assert_eq!(refused(&daemon, reason), before + 1.0, "{name}");
        assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(1.0), "{name}");
    }
}

#[test]
fn the_format_is_what_the_configuration_says() {
    let cases = [("capnp", 1.0, None), ("json", 0.0, Some("json"))];
    for (format, accepted, reason) in cases {
        let daemon = with(&format!("format: {format}")).start();
        push(&daemon, &simple(b"a", b"x 1"));
        assert_eq!(daemon.own("fanin_push_accepted_total", &[]), Some(accepted), "{format}");
        assert_eq!(reason.map(|reason| refused(&daemon, reason)), reason.map(|_| 1.0), "{format}");
    }
}
