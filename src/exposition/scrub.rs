//! Dropping the malformed lines of a page, block by block, before anything else sees them.
//!
//! For sources with `on_malformed: drop_line`. A [`Scrubber`] takes each line out of a block, in
//! place, that an [`Indexer`](super::Indexer) would refuse; what is left passes it, and passes a
//! [`Checker`](super::Checker). Each line is lexed once, and moved at most once; in a block without
//! faults nothing is.
//!
//! OpenMetrics: a line after `# EOF` is a malformed line, but a missing `# EOF` is no line that could
//! be dropped: the page is cut short, and stays refused.

use super::fault::{Fault, Malformed};
use super::indexer::IndexError;
use super::lexer::{Before, Lexer, check_bytes};
use super::line::{Format, Note, Sample};
use super::lines::Lines;
use crate::memory::Block;

/// Drops the malformed lines of one page.
#[derive(Debug, Clone)]
pub struct Scrubber {
    lexer: Lexer<'static>,
    lines: Lines,
    dropped: usize,
    first: Option<IndexError>,
}

/// Lines one after another that stay, and what is wrong with the one behind them.
struct Good {
    end: usize,
    lines: usize,
    fault: Option<Malformed>,
}

impl Scrubber {
    /// At the start of a page in `format`.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self {
            lexer: Lexer { format, watch: None },
            lines: Lines::new(format),
            dropped: 0,
            first: None,
        }
    }

    /// Takes the malformed lines out of the next block of the page, which is one of whole lines.
    pub fn block(&mut self, block: &mut Block) {
        let text = check_bytes(block.filled()).is_ok();
        let (mut start, mut kept, mut lines) = (0, 0, 0_usize);
        loop {
            let bytes = block.filled();
            let good = self.good(bytes, start, text);
            lines = lines.saturating_add(good.lines);
            let next = good.fault.map(|fault| {
                // Nothing has moved before the first one, so its place can still be told.
                self.first.get_or_insert_with(|| self.lines.malformed(bytes, fault));
                after_line(bytes, good.end)
            });
            block.shift(start..good.end, kept);
            kept = kept.saturating_add(good.end.saturating_sub(start));
            let Some(next) = next else { break };
            self.dropped = self.dropped.saturating_add(1);
            lines = lines.saturating_add(1);
            start = next;
        }
        block.truncate(kept);
        self.lines.pass(lines);
    }

    /// Lines dropped so far.
    #[must_use]
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// What was wrong with the first line dropped, and where in the page as it came.
    #[must_use]
    pub const fn first(&self) -> Option<IndexError> {
        self.first
    }

    /// The good lines of `bytes` from `at` on. `text` says that all bytes are good.
    fn good(&mut self, bytes: &[u8], mut at: usize, text: bool) -> Good {
        let mut before = Before::default();
        let mut lines = 0_usize;
        while at < bytes.len() {
            match self.judge(bytes, at, &mut before, text) {
                Ok(next) => at = next,
                Err(fault) => return Good { end: at, lines, fault: Some(fault) },
            }
            lines = lines.saturating_add(1);
        }
        Good { end: at, lines, fault: None }
    }

    /// Where the line after the one at `at` begins, if that one is good.
    fn judge(
        &mut self,
        bytes: &[u8],
        at: usize,
        before: &mut Before,
        text: bool,
    ) -> Result<usize, Malformed> {
        let (note, next) = self.lexer.line(bytes, at, before, &mut Sample::default())?;
        if self.lines.ended() {
            return Err(Malformed { at, fault: Fault::AfterEof });
        }
        if !text {
            let line = bytes.get(at..next).unwrap_or_default();
            check_bytes(line).map_err(|fault| Malformed {
                at: at.saturating_add(fault.at),
                fault: fault.fault,
            })?;
        }
        if note == Some(Note::Eof) {
            self.lines.end();
        }
        Ok(next)
    }
}

/// Where the line after the one at `at` begins.
fn after_line(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at.saturating_add(memchr::memchr(b'\n', rest).map_or(rest.len(), |feed| feed.saturating_add(1)))
}

#[cfg(test)]
mod tests;
