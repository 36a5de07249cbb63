//! Pages on their way into a store, without sockets: cut, spoilt, and of every shape.

use std::path::Path;
use std::rc::Rc;

use super::capnp::Capnp;
use super::json::Json;
use super::{Arrival, Group, Incoming, PushError};
use crate::config;
use crate::exposition::Page;
use crate::http::socket::Peer;
use crate::source::{Source, State};

/// One who brings pages to a source with these keys.
pub(super) fn arrival(keys: &str) -> Arrival {
    let text = format!(
        "servers: [{{listen: tcp://:1}}]\nsources: {{apps: {{push: {{{keys}}}}}}}\nlimits: {{body: 64KiB}}"
    );
    let plan = config::parse(&text, Path::new("fanin.yaml"), &|_| None).unwrap();
    let engine = crate::runtime::engine(&plan.limits);
    let state = Rc::new(State::default());
    let source = Source::new(&plan.sources[0], plan.limits.families, state).unwrap();
    Arrival::new(engine, Rc::new(source), Peer::Unix)
}

/// Waits for what needs the engine.
pub(super) fn wait<T>(arrival: &Arrival, work: impl Future<Output = T>) -> T {
    smol::block_on(arrival.engine.executor.run(work))
}

/// A page of `group` that came in these pieces.
pub(super) fn page(arrival: &Arrival, group: &Group, pieces: &[&[u8]]) -> Result<Page, PushError> {
    wait(arrival, async {
        let mut incoming = Incoming::new(&arrival.engine, &arrival.source);
        for piece in pieces {
            incoming.write(piece).await;
        }
        incoming.finish((&arrival.source, group), None).await
    })
}

/// Applications and the text that each brought.
fn kept(arrival: &Arrival) -> String {
    let mut all = String::new();
    for entry in arrival.source.state.store.entries() {
        let Some(kept) = entry.kept else { continue };
        let blocks = kept.page.text().blocks().iter();
        let text: Vec<u8> = blocks.flat_map(|block| block.filled().to_vec()).collect();
        all.push_str(&format!("{}: {:?}; ", entry.group, String::from_utf8(text).unwrap()));
    }
    all
}

/// Reads pieces one after another, up to what is wrong; answers are joined. Whether nothing is under way.
fn json(arrival: &Arrival, pieces: &[&[u8]]) -> (String, Option<&'static str>, bool) {
    wait(arrival, async {
        let (mut reader, mut said) = (Json::new(), String::new());
        for piece in pieces {
            let mut input = *piece;
            loop {
                match reader.feed(arrival, &mut input).await {
                    Ok(None) => break,
                    Ok(Some(answer)) => said.push_str(&answer),
                    Err(error) => return (said, Some(error.reason()), reader.is_between()),
                }
            }
        }
        (said, None, reader.is_between())
    })
}

fn capnp(arrival: &Arrival, pieces: &[&[u8]]) -> (Option<&'static str>, bool) {
    wait(arrival, async {
        let mut reader = Capnp::default();
        for piece in pieces {
            if let Err(error) = reader.feed(arrival, piece).await {
                return (Some(error.reason()), reader.is_between());
            }
        }
        (None, reader.is_between())
    })
}

#[test]
fn json_is_the_same_wherever_it_is_cut() {
    let cases: [(&str, &str, &str, Option<&str>); 13] = [
        ("nothing", "", "", None),
        ("an object of nothing", "{}", "", None),
        ("a text", r#"{"a": "x 1"}"#, "app=\"a\": \"x 1\\n\"; ", None),
        ("an empty text", r#"{"a": ""}"#, "app=\"a\": \"\"; ", None),
        ("lines", r#"{"a": ["x 1", "y 2\n"]}"#, "app=\"a\": \"x 1\\ny 2\\n\"; ", None),
        ("no lines", r#"{"a": []}"#, "app=\"a\": \"\"; ", None),
        (
            "two, and another document",
            r#"{"a": "x 1", "b": "y 1"} {"a": "x 2"}"#,
            "app=\"a\": \"x 2\\n\"; app=\"b\": \"y 1\\n\"; ",
            None,
        ),
        (
            "escapes",
            "{\"\\u0061\\ud83d\\ude00\": \"x{l=\\\"\\u00e4\u{e4}\\\"} 1\"}",
            "app=\"a\u{1f600}\": \"x{l=\\\"\u{e4}\u{e4}\\\"} 1\\n\"; ",
            None,
        ),
        ("other values", r#"{"a": 1, "b": null, "c": {"d": "x 1"}, "e": [["x 1"]]}"#, "", None),
        ("a good one behind", r#"{"a": 1, "b": "x 1"}"#, "app=\"b\": \"x 1\\n\"; ", None),
        (
            "half of a pair",
            r#"{"a": "x{l=\"\ud83d\"} 1"}"#,
            "app=\"a\": \"x{l=\\\"\u{fffd}\\\"} 1\\n\"; ",
            None,
        ),
        ("a number", "7", "", Some("json")),
        ("a list with something", "[\"x 1\"]", "", Some("json")),
    ];
    for (name, wire, want, fault) in cases {
        let wire = wire.as_bytes();
        for cut in 0..=wire.len() {
            let arrival = arrival("");
            let (said, reason, between) = json(&arrival, &[&wire[..cut], &wire[cut..]]);
            assert_eq!((said.as_str(), reason), ("", fault), "{name}, cut at {cut}");
            assert_eq!(kept(&arrival), want, "{name}, cut at {cut}");
            assert!(between || fault.is_some(), "{name}, cut at {cut}");
        }
    }
}

#[test]
fn questions_are_answered_wherever_they_are_cut() {
    let wire = b"[]{\"a\": \"x 1\", \"b\": \"\"} [ ][]{\"c\": 1}[]";
    let want = "accepted 0\naccepted 2\naccepted 0\naccepted 0, refused 1: app=\"c\": not an object of \
                applications with a text, or a list of lines, each\n";
    for cut in 0..=wire.len() {
        let (said, reason, between) = json(&arrival(""), &[&wire[..cut], &wire[cut..]]);
        assert_eq!((said.as_str(), reason, between), (want, None, true), "{cut}");
    }
}

/// Whatever a byte becomes, what is kept is text, and what was kept before stays or is replaced.
#[test]
fn no_spoilt_byte_of_json_does_harm() {
    let wire = "{\"a\": [\"x{l=\\\"\\u00e4\u{e4}\\\"} 1\", \"y 2\"], \"b\": \"z 3\"}[]".as_bytes();
    for at in 0..wire.len() {
        for byte in [0x00, b'"', b'\\', b'[', b'}', 0x80, 0xc3, 0xff] {
            let arrival = arrival("");
            json(&arrival, &[b"{\"a\": \"first 1\"}"]);
            let mut spoilt = wire.to_vec();
            spoilt[at] = byte;
            json(&arrival, &[&spoilt]);
            assert!(kept(&arrival).starts_with("app=\"a\": "), "{at} {byte}");
        }
    }
}

/// `{app: text}` as a message of one segment.
fn message(app: &str, text: &str) -> Vec<u8> {
    let words = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let (app, text) = ((app.len() + 1, words(app)), (text.len() + 1, words(text)));
    let list = |offset: usize, len: usize| {
        let low = u32::try_from(offset << 2 | 1).unwrap();
        let high = u32::try_from(len << 3 | 2).unwrap();
        [low.to_le_bytes(), high.to_le_bytes()].concat()
    };
    let root = [0, 0, 0, 0, 0, 0, 2, 0];
    let pointers = [&root[..], &list(1, app.0), &list(app.1.len() / 8, text.0)].concat();
    let segment = [pointers, app.1, text.1].concat();
    let size = u32::try_from(segment.len() / 8).unwrap().to_le_bytes();
    [&[0; 4][..], &size, &segment].concat()
}

#[test]
fn messages_are_the_same_wherever_they_are_cut() {
    let two = [message("app", "x 1\ny 2"), message("b", "")].concat();
    let kept_of_two = "app=\"app\": \"x 1\\ny 2\\n\"; app=\"b\": \"\"; ";
    let null = [0_u32, 1, 0, 0].map(u32::to_le_bytes).concat();
    let cases: [(&str, Vec<u8>, &str, Option<&str>); 5] = [
        ("nothing", vec![], "", None),
        ("two", two, kept_of_two, None),
        ("a null struct has no name", null, "", None),
        ("many segments", vec![0, 2, 0, 0], "", Some("capnp")),
        ("a huge segment", vec![0, 0, 0, 0, 0, 0, 0, 1], "", Some("capnp")),
    ];
    for (name, wire, want, fault) in cases {
        for cut in 0..=wire.len() {
            let arrival = arrival("");
            let (reason, between) = capnp(&arrival, &[&wire[..cut], &wire[cut..]]);
            assert_eq!(reason, fault, "{name}, cut at {cut}");
            assert_eq!(kept(&arrival), want, "{name}, cut at {cut}");
            assert!(between || fault.is_some(), "{name}, cut at {cut}");
        }
    }
}

#[test]
fn half_a_message_is_none() {
    let wire = message("app", "x 1\ny 2");
    for cut in 1..wire.len() {
        let arrival = arrival("");
        assert_eq!(capnp(&arrival, &[&wire[..cut]]), (None, false), "{cut}");
        assert_eq!(kept(&arrival), "", "{cut}");
    }
}

#[test]
fn no_spoilt_byte_of_a_message_does_harm() {
    let wire = message("a", "x 1\ny{l=\"\u{e4}\"} 2");
    for at in 0..wire.len() {
        for bits in [0x01, 0x02, 0x10, 0x80, 0xff] {
            let arrival = arrival("");
            capnp(&arrival, &[&message("a", "first 1")]);
            let mut spoilt = wire.clone();
            spoilt[at] ^= bits;
            capnp(&arrival, &[&spoilt]);
            assert!(kept(&arrival).starts_with("app=\"a\": "), "{at} {bits}");
        }
    }
}

#[test]
fn a_page_is_the_same_wherever_its_pieces_end() {
    let (arrival, group) = (arrival(""), Group::app("a").unwrap());
    let text = "# TYPE x gauge\nx{l=\"\u{e4}\"} 1\nx 2".as_bytes();
    for cut in 0..=text.len() {
        let page = page(&arrival, &group, &[&text[..cut], &text[cut..]]).unwrap();
        assert_eq!((page.samples(), page.text().len()), (2, text.len() + 1), "{cut}");
    }
    assert_eq!(arrival.engine.pool.counters().kept, 0, "nobody kept them");
}

#[test]
fn a_page_is_refused_for_what_is_wrong_with_it() {
    let (arrival, group) = (arrival(""), Group::app("a").unwrap());
    let cases = [
        ("no page", vec![b"no page at all\n".to_vec()], "malformed"),
        ("not UTF-8", vec![b"x{l=\"\xff\"} 1\n".to_vec()], "malformed"),
        ("a long line", vec![b"x".repeat(20_000)], "line_too_long"),
        ("a long page", vec![b"x 1\n".repeat(4096); 5], "too_large"),
    ];
    for (name, pieces, reason) in cases {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let error = page(&arrival, &group, &pieces).err().unwrap();
        assert_eq!(error.reason(), reason, "{name}");
    }
    assert_eq!(arrival.engine.pool.counters().kept, 0);
}
