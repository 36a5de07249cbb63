//! Pages merged: what is taken leaves as a page that is taken again, sample for sample, whatever the
//! size of the buffer, and merging that once more changes nothing. A checker agrees with the indexer,
//! and takes what a scrubber leaves.
#![no_main]

use std::rc::Rc;

use fanin::exposition::{
    Checker, Emitter, Format, Indexer, Labels, Merge, Merged, Names, OnConflict, Page, Part,
    Scrubber, Watch,
};
use fanin::memory::{Budget, PageWriter, Pool};
use libfuzzer_sys::fuzz_target;

fn page(text: &[u8], format: Format, watch: &Watch, budget: &Budget) -> Option<Page> {
    let mut writer = PageWriter::new(budget.clone(), 1 << 20);
    writer.write(text).ok()?;
    let text = writer.finish().ok()?;
    let mut indexer = Indexer::new(format, watch, 1000, budget).ok()?;
    while indexer.advance(text.blocks()).ok()? {}
    indexer.finish(text).ok()
}

/// Drops the malformed lines of a block's worth of `text`.
fn scrub(text: &[u8], format: Format, watch: &Watch, budget: &Budget) {
    let mut block = budget.block().unwrap();
    block.append(text);
    let whole = block.filled().iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    block.truncate(whole);
    let mut checker = Checker::new(format);
    let good = checker.block(block.filled()).is_ok();

    let mut scrubber = Scrubber::new(format);
    scrubber.block(&mut block);

    assert_eq!(scrubber.dropped() == 0, good, "a good page is left as it is, and only that");
    let mut checker = Checker::new(format);
    checker.block(block.filled()).expect("what is left is taken");
    if let Some(page) = page(block.filled(), format, watch, budget) {
        assert_eq!(checker.finish(), Ok(page.samples()));
    }
}

fn merge(pages: Vec<(Page, Labels)>, how: OnConflict, names: Names, budget: &Budget) -> Rc<Merged> {
    let mut merge = Merge::new(how, names, budget).unwrap();
    for (page, labels) in pages {
        merge.add(Part::new(Rc::new(page), Rc::new(labels))).unwrap();
    }
    while merge.advance().unwrap() {}
    Rc::new(merge.finish())
}

fn emit(merged: &Rc<Merged>, buffer: usize) -> Vec<u8> {
    let mut emitter = Emitter::new(Rc::clone(merged));
    let (mut out, mut all) = (vec![0; buffer], Vec::new());
    loop {
        match emitter.fill(&mut out) {
            0 => return all,
            len => all.extend_from_slice(&out[..len]),
        }
    }
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (flags, buffer, text) = input;
    let budget = Pool::new(64 << 20, 0).reserve();
    let on_conflict = match flags & 3 {
        0 | 1 => OnConflict::Rename,
        2 => OnConflict::Override,
        _ => OnConflict::Keep,
    };
    let names = if flags & 4 == 0 { Names::Underscores } else { Names::Quoted };
    let watch = Watch::new(["l"]);
    // A form feed, which no page needs, stands between two pages.
    let mut pages = Vec::new();
    for (number, text) in text.splitn(3, |&byte| byte == 0x0c).enumerate() {
        let openmetrics = flags & (8 << number) != 0;
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        scrub(text, format, &watch, &budget);
        let Some(page) = page(text, format, &watch, &budget) else { continue };
        let value = number.to_string();
        let ours = (flags & 64 == 0).then_some(("l", value.as_str()));
        pages.push((page, Labels::new(ours)));
    }
    let samples: usize = pages.iter().map(|(page, _)| page.samples()).sum();

    let merged = merge(pages, on_conflict, names, &budget);
    let whole = emit(&merged, 16 * 1024);
    assert_eq!(emit(&merged, usize::from(buffer) + 1), whole, "cut otherwise");

    // With nothing to watch for, no line has to be written anew.
    let again = page(&whole, Format::Text, &Watch::default(), &budget)
        .expect("what a merge emits is a page");
    assert_eq!(again.samples(), samples - merged.conflicts().duplicates);
    let again = merge(vec![(again, Labels::default())], OnConflict::Rename, names, &budget);
    assert_eq!(emit(&again, 16 * 1024), whole, "merged once more");
});
