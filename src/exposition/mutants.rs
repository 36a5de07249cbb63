//! Pages for tests of what must hold for every page: those in the tree, and broken copies of them.

use crate::exposition::{Format, IndexError, Indexer, Watch};
use crate::limits::{BLOCK, MAX_FAMILIES};
use crate::memory::{Block, Budget, Pool, Text};

/// Numbers that look like chance and are the same each time.
pub(super) struct Dice(pub u64);

impl Dice {
    /// From 0 to `below` - 1.
    pub(super) fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }
}

pub(super) fn budget() -> Budget {
    Pool::new(64 << 20, 0).reserve()
}

/// The pages of the tree and some of odd lines, with what to call each.
pub(super) fn pages() -> Vec<(String, Vec<u8>)> {
    let mut pages = vec![
        (
            "odd lines".to_owned(),
            b"  a{ b = \"c\" , } 1\r\n\ta\t2  3 \r\na {} 4\n{\"my.name\",\"l.x\"=\"v\"} 1\n\
              a{b=\"1\",c=\"2\"} 1\na{b=\"1\",c=\"3\",d=\"\\q\"} +Inf\na{b=\"1\",c=\"3\",d=\"4\"} 1\n\
              # caf\xe9\n#\n\n# HELP a \xc3\xa9 \\n\na_b{b=\"\xc3\xa9\\\"\\\\\",le=\"x\"} NaN 5\n"
                .to_vec(),
        ),
        (
            "exemplars".to_owned(),
            b"# TYPE a counter\na_total{b=\"c\"} 1 1520879607.789 # {id=\"x\"} 0.67 5\n\
              a_total{b=\"d\"} 17.0 # {} 1\na_created 1.5\n# EOF\n"
                .to_vec(),
        ),
    ];
    for folder in ["pages", "golden"] {
        let folder = format!("{}/tests/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        // Neither a table for people nor a folder is a page.
        paths.retain(|path| path.is_file() && path.extension().is_none_or(|kind| kind != "md"));
        paths.sort();
        pages.extend(paths.into_iter().map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
        }));
    }
    pages
}

/// The pages short enough for tests that go over each many times.
pub(super) fn short_pages() -> Vec<(String, Vec<u8>)> {
    pages().into_iter().filter(|(_, page)| page.len() < 3000).collect()
}

/// A copy of `page` with a few faults in it.
pub(super) fn mutant(page: &[u8], dice: &mut Dice) -> Vec<u8> {
    const BYTES: &[u8] = b"\0\t\n\r !\"#+,-.09:=AEZ\\_aez{}\x7f\x80\xc3\xa9\xff";
    let mut page = page.to_vec();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(page.len());
        let byte = BYTES[dice.roll(BYTES.len())];
        match dice.roll(5) {
            0 if !page.is_empty() => _ = page.remove(at),
            1 => page.insert(at, byte),
            2 => page.truncate(at),
            3 => {
                let piece = page[at..(at + dice.roll(60)).min(page.len())].to_vec();
                let to = dice.roll(page.len());
                page.splice(to..to, piece);
            }
            _ => {
                if let Some(old) = page.get_mut(at) {
                    *old = byte;
                }
            }
        }
    }
    page
}

/// The page in blocks of as many lines as `lines` says, one block after another; the last line is
/// ended, as the reader of a page does.
pub(super) fn blocks(page: &[u8], budget: &Budget, mut lines: impl FnMut() -> usize) -> Vec<Block> {
    let mut blocks = vec![budget.block().unwrap()];
    let mut left = lines();
    for line in page.split_inclusive(|&b| b == b'\n') {
        let whole = blocks.last_mut().unwrap().spare().len() < line.len() + 1;
        if left == 0 || whole {
            blocks.push(budget.block().unwrap());
            left = lines();
        }
        left = left.saturating_sub(1);
        let block = blocks.last_mut().unwrap();
        assert!(line.len() < BLOCK && block.append(line) == line.len());
        if !line.ends_with(b"\n") {
            block.append(b"\n");
        }
    }
    blocks
}

/// The samples that an indexer finds, or its error.
pub(super) fn indexed(
    blocks: &[Block],
    format: Format,
    budget: &Budget,
) -> Result<usize, IndexError> {
    let watch = Watch::new(["b", "exporter_name"]);
    let mut indexer = Indexer::new(format, &watch, MAX_FAMILIES, budget).unwrap();
    while indexer.advance(blocks)? {}
    indexer.finish(Text::default()).map(|page| page.samples())
}
