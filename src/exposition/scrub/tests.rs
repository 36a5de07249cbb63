//! Pages with lines that nobody takes, and what is left of them.

use super::*;
use crate::exposition::Checker;
use crate::exposition::mutants::{Dice, blocks, budget, indexed, mutant, pages, short_pages};
use crate::limits::BLOCK;

const FORMATS: [Format; 2] = [Format::Text, Format::OpenMetrics];

/// Line, column and fault of the first line dropped.
type First = Option<(usize, usize, Fault)>;
/// A name, the page, its format, what is left, how many lines were dropped.
type Case<'a> = (&'a str, &'a [u8], Format, &'a [u8], usize, First);

/// What is left of `blocks`, and who took it out.
fn scrubbed(mut blocks: Vec<Block>, format: Format) -> (Vec<Block>, Scrubber) {
    let mut scrubber = Scrubber::new(format);
    for block in &mut blocks {
        scrubber.block(block);
    }
    (blocks, scrubber)
}

fn bytes(blocks: &[Block]) -> Vec<u8> {
    blocks.iter().flat_map(|block| block.filled().to_vec()).collect()
}

/// The lines of `page` that would be taken if each stood alone, as many as there are before and
/// with `# EOF`.
fn good_lines(page: &[u8], format: Format) -> Vec<u8> {
    let mut good = Vec::new();
    for line in page.split_inclusive(|&b| b == b'\n') {
        let mut checker = Checker::new(format);
        let line = [line.strip_suffix(b"\n").unwrap_or(line), b"\n"].concat();
        if checker.block(&line).is_ok() {
            good.extend_from_slice(&line);
            if format == Format::OpenMetrics && checker.finish().is_ok() {
                break;
            }
        }
    }
    good
}

#[test]
fn only_malformed_lines_are_dropped() {
    let cases: [Case<'_>; 9] = [
        ("nothing", b"", Format::Text, b"", 0, None),
        ("none", b"a 1\n# x\n\nb 2\n", Format::Text, b"a 1\n# x\n\nb 2\n", 0, None),
        ("the first", b"a\nb 2\n", Format::Text, b"b 2\n", 1, Some((1, 2, Fault::Value))),
        ("the last", b"a 1\nb 2 x\n", Format::Text, b"a 1\n", 1, Some((2, 5, Fault::Timestamp))),
        ("all", b"<a>\n<b>\n<c>\n", Format::Text, b"", 3, Some((1, 1, Fault::Markup))),
        (
            "here and there",
            b"a 1\nb\nc{x=\"1\",y=\"2\"} 1\nc{x=\"1\",x=\"2\"} 1\nc{x=\"1\",y=\"3\"} 1\n9\nd 1\n",
            Format::Text,
            b"a 1\nc{x=\"1\",y=\"2\"} 1\nc{x=\"1\",y=\"3\"} 1\nd 1\n",
            3,
            Some((2, 2, Fault::Value)),
        ),
        (
            "bytes that are no text, but in comments",
            b"a{b=\"\xe9\"} 1\n# \xe9\0\n# HELP a \xe9\na{b=\"\0\"} 1\na{b=\"\xc3\xa9\"} 1\n",
            Format::Text,
            b"# \xe9\0\na{b=\"\xc3\xa9\"} 1\n",
            3,
            Some((1, 6, Fault::Utf8)),
        ),
        (
            "after the end",
            b"a 1\n# EOF\nb 1\n\n# EOF\n",
            Format::OpenMetrics,
            b"a 1\n# EOF\n",
            3,
            Some((3, 1, Fault::AfterEof)),
        ),
        ("no end", b"a 1\nb\n", Format::OpenMetrics, b"a 1\n", 1, Some((2, 2, Fault::Value))),
    ];
    let budget = budget();
    for (name, page, format, want, dropped, first) in cases {
        for lines in [1, 2, usize::MAX] {
            let (left, scrubber) = scrubbed(blocks(page, &budget, || lines), format);
            assert_eq!(bytes(&left).escape_ascii().to_string(), want.escape_ascii().to_string());
            assert_eq!(scrubber.dropped(), dropped, "{name}");
            let first =
                first.map(|(line, column, fault)| IndexError::Malformed { line, column, fault });
            assert_eq!(scrubber.first(), first, "{name}");
        }
    }
}

#[test]
fn a_page_without_its_end_stays_refused() {
    let budget = budget();
    let (left, _) = scrubbed(blocks(b"a 1\nb\n", &budget, || usize::MAX), Format::OpenMetrics);
    let want = IndexError::Malformed { line: 2, column: 1, fault: Fault::NoEof };
    assert_eq!(indexed(&left, Format::OpenMetrics, &budget), Err(want));
}

/// Scrubs `page` and asserts that what is left is its good lines, which others take.
fn scrub(name: &str, page: &[u8], mut lines: impl FnMut() -> usize) {
    let budget = budget();
    for format in FORMATS {
        let (left, scrubber) = scrubbed(blocks(page, &budget, &mut lines), format);
        let text = String::from_utf8_lossy(page);
        let about = format!("{name} as {format:?}:\n{text}");
        assert_eq!(
            String::from_utf8_lossy(&bytes(&left)),
            String::from_utf8_lossy(&good_lines(page, format)),
            "{about}"
        );
        assert_eq!(scrubber.dropped() > 0, scrubber.first().is_some(), "{about}");
        let indexed = indexed(&left, format, &budget);
        let mut checker = Checker::new(format);
        for block in &left {
            assert_eq!(checker.block(block.filled()), Ok(()), "{about}");
        }
        assert_eq!(checker.finish(), indexed, "{about}");
        let no_end = matches!(indexed, Err(IndexError::Malformed { fault: Fault::NoEof, .. }));
        assert!(indexed.is_ok() || no_end, "{about}");
    }
}

#[test]
fn what_is_left_is_taken() {
    let mut dice = Dice(0x853c_49e6_748f_ea9b);
    for (name, page) in short_pages() {
        for cut in 0..=page.len() {
            scrub(&name, &page[..cut], || usize::MAX);
        }
        for _ in 0..500 {
            let lines = [1, 3, usize::MAX][dice.roll(3)];
            scrub(&name, &mutant(&page, &mut dice), || lines);
        }
    }
}

#[test]
fn good_pages_are_left_as_they_are() {
    let budget = budget();
    for (name, page) in pages() {
        let openmetrics = page.ends_with(b"# EOF\n");
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        let (left, scrubber) = scrubbed(blocks(&page, &budget, || usize::MAX), format);
        assert!(bytes(&left) == page, "{name}");
        assert_eq!((scrubber.dropped(), scrubber.first()), (0, None), "{name}");
    }
}

#[test]
fn every_other_line_of_many_blocks() {
    let budget = budget();
    let page = b"a\nb 1\n".repeat(1 + 20 * BLOCK / 6);
    let (left, scrubber) = scrubbed(blocks(&page, &budget, || usize::MAX), Format::Text);
    assert_eq!(scrubber.dropped(), 1 + 20 * BLOCK / 6);
    assert_eq!(bytes(&left).len(), 4 * (1 + 20 * BLOCK / 6));
}
