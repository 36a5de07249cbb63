//! A request's head, cut anywhere: the same answer, and every accessor in bounds.
#![no_main]

use fanin::http::{head::RequestHead, scan::Scan, server};
use fanin::source::Params;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, wire) = input;
    let whole = Scan::new().advance(wire);
    let first = wire.get(..usize::from(cut)).unwrap_or(wire);
    let mut scan = Scan::new();
    let pieces = match scan.advance(first) {
        Ok(None) => scan.advance(wire),
        other => other,
    };
    assert_eq!(whole, pieces);
    let Ok(Some(range)) = whole else { return };
    let Ok(head) = RequestHead::parse(&wire[range]) else { return };
    assert!(head.target().path().starts_with('/') || head.target().path() == "*");
    for segment in head.target().segments() {
        let text = segment.to_string();
        assert!(!text.is_empty() && text != "." && text != "..");
    }
    let (module, rest) = Params::take_first(head.target().raw_query(), "module");
    assert!(module.is_none() || rest.as_str().len() < head.target().raw_query().len());
    for value in rest.values("module") {
        let _ = value.to_string();
    }
    let _ = (head.host(), head.fields().iter().count(), server::keeps_alive(&head));
});
