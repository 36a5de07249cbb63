//! What a checker finds is what an indexer finds, whatever the page and wherever its blocks end.

use super::*;
use crate::exposition::line::Line;
use crate::exposition::mutants::{Dice, blocks, budget, indexed, mutant, pages, short_pages};
use crate::memory::Block;

const FORMATS: [Format; 2] = [Format::Text, Format::OpenMetrics];

fn checked(blocks: &[Block], format: Format) -> Result<usize, IndexError> {
    let mut checker = Checker::new(format);
    for block in blocks {
        checker.block(block.filled())?;
    }
    assert_eq!(checker.finish().unwrap_or(checker.samples()), checker.samples());
    checker.finish()
}

/// Asserts that both find the same in `page`, cut into blocks of as many lines as `lines` says.
fn agree(name: &str, page: &[u8], mut lines: impl FnMut() -> usize) {
    let budget = budget();
    let blocks = blocks(page, &budget, &mut lines);
    for format in FORMATS {
        let want = indexed(&blocks, format, &budget);
        let text = String::from_utf8_lossy(page);
        assert_eq!(checked(&blocks, format), want, "{name} as {format:?}:\n{text}");
    }
}

#[test]
fn good_pages_are_found_good_wherever_a_block_ends() {
    for (name, page) in pages() {
        for lines in [1, 2, 3, 7, 100, usize::MAX] {
            agree(&name, &page, || lines);
        }
    }
    for (name, page) in short_pages() {
        for cut in 0..page.split(|&b| b == b'\n').count() {
            let mut first = Some(cut);
            agree(&name, &page, || first.take().unwrap_or(usize::MAX));
        }
    }
}

#[test]
fn a_page_cut_at_any_byte_is_judged_as_by_an_indexer() {
    for (name, page) in short_pages() {
        for cut in 0..=page.len() {
            agree(&name, &page[..cut], || usize::MAX);
        }
    }
}

#[test]
fn broken_pages_are_refused_at_the_same_place() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for (name, page) in short_pages() {
        for _ in 0..1500 {
            let page = mutant(&page, &mut dice);
            let lines = [1, 3, usize::MAX][dice.roll(3)];
            agree(&name, &page, || lines);
        }
    }
}

#[test]
fn what_a_line_repeats_is_read_as_if_it_stood_alone() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut pages = short_pages();
    for (name, page) in pages.clone() {
        pages.extend((0..300).map(|_| (name.clone(), mutant(&page, &mut dice))));
    }
    for (name, mut page) in pages {
        page.push(b'\n');
        let lexer = Lexer { format: Format::Text, watch: None };
        let (mut at, mut before) = (0, Before::default());
        while at < page.len() {
            let alone = lexer.single(&page, at);
            let line = String::from_utf8_lossy(&page[at..]);
            let mut sample = Sample::default();
            let told = lexer.line(&page, at, &mut before, &mut sample);
            let told =
                told.map(|(note, next)| (note.map_or(Line::Sample(sample), Line::Note), next));
            assert_eq!(told, alone, "{name}: {line}");
            at += memchr::memchr(b'\n', &page[at..]).unwrap() + 1;
        }
    }
}

#[test]
fn what_is_repeated_wrongly_is_seen() {
    let cases = [
        ("a name that needs quotes, without them", "{\"my.name\"} 1\nmy.name 2\n", 2, 3),
        ("a label again", "a{b=\"1\",c=\"2\"} 1\na{b=\"1\",b=\"2\"} 1\n", 2, 9),
        ("a comma too many", "a{b=\"1\",c=\"2\"} 1\na{b=\"1\",,c=\"2\"} 1\n", 2, 9),
        ("no value", "a{b=\"1\",c=\"2\"} 1\na{b=\"1\",\n", 2, 9),
        ("a longer name", "# TYPE a gauge\na-b 1\n", 2, 2),
    ];
    for (name, page, line, column) in cases {
        let mut checker = Checker::new(Format::Text);
        let Err(IndexError::Malformed { line: l, column: c, .. }) = checker.block(page.as_bytes())
        else {
            panic!("{name}")
        };
        assert_eq!((l, c), (line, column), "{name}");
        agree(name, page.as_bytes(), || usize::MAX);
    }
}

#[test]
fn a_last_line_without_its_line_feed_is_checked_too() {
    for (page, good) in [("a 1\nb 2", true), ("a 1\nb", false), ("b 2", true), ("", true)] {
        let mut checker = Checker::new(Format::Text);
        assert_eq!(checker.block(page.as_bytes()).is_ok(), good, "{page}");
    }
}
