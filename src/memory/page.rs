//! A page of text in blocks, each of which holds whole lines only.
//!
//! [`PageWriter`] hands out room for the next read. When a read ends in the middle of a line, that
//! line's beginning moves to the next block, so whoever lexes a block never sees a line cut in two.
//! The writer owns the blocks while they fill; [`Text`] owns them afterwards and never changes.

use std::fmt;

#[cfg(feature = "push")]
use super::partial::Partial;
use super::pool::{Block, Budget, Full};
use crate::limits::BLOCK;

/// Why a page could not be taken whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageError {
    /// It is longer than this many bytes (`limits.body`).
    TooLarge(usize),
    /// It has a line longer than a block.
    LineTooLong,
    /// There is no block for the rest of it.
    Full,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "the page is longer than {limit} bytes"),
            Self::LineTooLong => write!(f, "a line is longer than {BLOCK} bytes"),
            Self::Full => Full.fmt(f),
        }
    }
}

impl std::error::Error for PageError {}

impl From<Full> for PageError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// Where in a page a piece of a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The block's number.
    pub block: u32,
    /// Its first byte within the block.
    pub start: u16,
    /// Its length in bytes.
    pub len: u16,
}

impl Place {
    /// The piece from `start` to `end` of block number `block`.
    ///
    /// # Errors
    ///
    /// [`Full`] for a block number beyond 32 bits, which no pool reaches.
    pub fn new(block: usize, start: usize, end: usize) -> Result<Self, Full> {
        Ok(Self {
            block: u32::try_from(block).map_err(|_| Full)?,
            start: u16::try_from(start).map_err(|_| Full)?,
            len: u16::try_from(end.saturating_sub(start)).map_err(|_| Full)?,
        })
    }

    /// The bytes of `blocks` that it means; empty for a place of another page.
    #[must_use]
    #[inline]
    pub fn of(self, blocks: &[Block]) -> &[u8] {
        let start = usize::from(self.start);
        usize::try_from(self.block)
            .ok()
            .and_then(|number| blocks.get(number))
            .and_then(|block| block.filled().get(start..start.saturating_add(self.len.into())))
            .unwrap_or_default()
    }
}

/// A page while it is being received.
pub struct PageWriter {
    blocks: Vec<Block>,
    budget: Budget,
    /// Bytes that may still come; one more is too many.
    room: usize,
    limit: usize,
    /// Whether blocks end where lines do.
    lines: bool,
}

impl PageWriter {
    /// An empty page of at most `limit` bytes, its blocks taken from `budget`.
    #[must_use]
    pub const fn new(budget: Budget, limit: usize) -> Self {
        Self { blocks: Vec::new(), budget, room: limit, limit, lines: true }
    }

    /// As [`PageWriter::new`], for bytes that are no lines.
    #[must_use]
    pub const fn of_bytes(budget: Budget, limit: usize) -> Self {
        Self { blocks: Vec::new(), budget, room: limit, limit, lines: false }
    }

    /// Room for the next read: never empty, at most a block.
    ///
    /// # Errors
    ///
    /// [`PageError::LineTooLong`] when the last block is full and has no line end,
    /// [`PageError::Full`] when a further block is needed and there is none.
    pub fn spare(&mut self) -> Result<&mut [u8], PageError> {
        if self.blocks.last_mut().is_none_or(|block| block.spare().is_empty()) {
            self.open_block()?;
        }
        Ok(self.blocks.last_mut().map(Block::spare).unwrap_or_default())
    }

    /// Counts `n` bytes of [`PageWriter::spare`] as received.
    ///
    /// # Errors
    ///
    /// [`PageError::TooLarge`] when the page has become longer than its limit.
    pub fn advance(&mut self, n: usize) -> Result<(), PageError> {
        self.room = self.room.checked_sub(n).ok_or(PageError::TooLarge(self.limit))?;
        if let Some(block) = self.blocks.last_mut() {
            block.advance(n);
        }
        Ok(())
    }

    /// Appends `data`.
    ///
    /// # Errors
    ///
    /// As [`PageWriter::spare`] and [`PageWriter::advance`].
    pub fn write(&mut self, mut data: &[u8]) -> Result<(), PageError> {
        while !data.is_empty() {
            let spare = self.spare()?;
            let n = spare.len().min(data.len());
            let (now, later) = data.split_at(n);
            if let Some(spare) = spare.get_mut(..n) {
                spare.copy_from_slice(now);
            }
            self.advance(n)?;
            data = later;
        }
        Ok(())
    }

    /// Whether nothing was received yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.room == self.limit
    }

    /// The blocks that are complete: all but the one being filled.
    #[must_use]
    pub fn complete(&self) -> &[Block] {
        self.blocks.split_last().map(|(_, complete)| complete).unwrap_or_default()
    }

    /// The same, to be changed before they are read.
    pub fn complete_mut(&mut self) -> &mut [Block] {
        self.blocks.split_last_mut().map(|(_, complete)| complete).unwrap_or_default()
    }

    /// Ends the page, and its last line where the sender did not.
    ///
    /// # Errors
    ///
    /// [`PageError::LineTooLong`] or [`PageError::Full`] when there is no room for that line end.
    pub fn finish(mut self) -> Result<Text, PageError> {
        let last = self.blocks.last().and_then(|block| block.filled().last());
        let ended = last.is_none_or(|byte| *byte == b'\n');
        if self.lines && !ended {
            self.room = self.room.saturating_add(1);
            self.write(b"\n")?;
        }
        Ok(Text { blocks: self.blocks })
    }

    /// Opens the next block and moves the unfinished line to it.
    fn open_block(&mut self) -> Result<(), PageError> {
        let Some(last) = self.blocks.last().filter(|_| self.lines) else {
            self.blocks.push(self.budget.block()?);
            return Ok(());
        };
        let filled = last.filled();
        let whole = memchr::memrchr(b'\n', filled).ok_or(PageError::LineTooLong)?;
        let whole = whole.saturating_add(1);
        let mut next = self.budget.block()?;
        next.append(filled.get(whole..).unwrap_or_default());
        if let Some(last) = self.blocks.last_mut() {
            last.truncate(whole);
        }
        self.blocks.push(next);
        Ok(())
    }
}

/// A page, whole and unchanging: blocks of whole lines.
#[derive(Default)]
pub struct Text {
    blocks: Vec<Block>,
}

impl Text {
    /// The blocks, each of whole lines.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The same, to be changed before they are read.
    pub fn blocks_mut(&mut self) -> &mut [Block] {
        &mut self.blocks
    }

    /// The bytes at `place`; empty for a place of another page.
    #[must_use]
    #[inline]
    pub fn at(&self, place: Place) -> &[u8] {
        place.of(&self.blocks)
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.filled().len()).sum()
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.iter().all(|block| block.filled().is_empty())
    }

    /// As [`Text::trim`]; what is left of the last block, and what pays for it.
    #[cfg(feature = "push")]
    pub(crate) fn trim_to_part(&mut self) -> Option<Partial<'_>> {
        self.trim();
        let last = self.blocks.last_mut()?;
        Some(Partial { bytes: last.filled().len(), lease: last.lease() })
    }

    /// Gives back what the last block does not use; for pages that stay between scrapes.
    pub fn trim(&mut self) {
        if let Some(last) = self.blocks.last_mut() {
            last.trim();
        }
        self.blocks.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Pool;

    fn writer(blocks: usize, limit: usize) -> (Pool, PageWriter) {
        let pool = Pool::new(blocks * BLOCK, 0);
        let budget = pool.reserve();
        budget.correct(0);
        (pool, PageWriter::new(budget, limit))
    }

    #[test]
    fn a_block_ends_where_a_line_ends_wherever_the_reads_are_cut() {
        let page: Vec<u8> =
            (0..3000).flat_map(|n| format!("metric_{n} {n}\n").into_bytes()).collect();
        for step in [1, 7, 4096, BLOCK, page.len()] {
            let (_pool, mut writer) = writer(8, page.len());
            for piece in page.chunks(step) {
                writer.write(piece).unwrap();
            }
            let text = writer.finish().unwrap();
            assert!(text.blocks().iter().all(|block| block.filled().ends_with(b"\n")), "{step}");
            let joined: Vec<u8> = text.blocks().iter().flat_map(|b| b.filled().to_vec()).collect();
            assert_eq!(joined, page, "{step}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let long = vec![b'a'; BLOCK + 1];
        let cases: [(&str, usize, usize, &[u8], PageError); 4] = [
            ("over the limit", 4, 10, b"up 1\nup 2\nup 3\n", PageError::TooLarge(10)),
            ("a line over a block", 4, 1 << 20, &long, PageError::LineTooLong),
            ("no room for the line end", 4, 1 << 20, &long[1..], PageError::LineTooLong),
            ("no block", 0, 1 << 20, b"up 1\n", PageError::Full),
        ];
        for (name, blocks, limit, data, want) in cases {
            let (pool, mut writer) = writer(blocks, limit);
            let got = writer.write(data).and_then(|()| writer.finish()).err();
            assert_eq!(got, Some(want), "{name}");
            assert_eq!(pool.counters().used, 0, "{name}");
        }
    }

    #[test]
    fn a_missing_last_line_end_is_added() {
        for (page, want) in [("", ""), ("up 1", "up 1\n"), ("up 1\n", "up 1\n")] {
            let (_pool, mut writer) = writer(1, 4.max(page.len()));
            // As a reader does, who learns only then that nothing comes.
            writer.spare().unwrap();
            writer.write(page.as_bytes()).unwrap();
            let text = writer.finish().unwrap();
            assert_eq!(text.blocks().first().map_or(&b""[..], Block::filled), want.as_bytes());
        }
    }
}
