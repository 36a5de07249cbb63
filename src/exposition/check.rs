//! Checking a page that is handed on as it came, block by block, as it arrives.
//!
//! A proxied page needs no index, only the certainty that a scraper will take it. [`Checker`] finds
//! exactly the faults that [`Indexer`](super::Indexer) finds, at the same places, with the same
//! lexer; it keeps a few numbers and takes no memory.
//!
//! Not here: the limits of an index. A page of any number of families is good.

use super::fault::{Fault, Malformed};
use super::indexer::IndexError;
use super::lexer::{Before, Lexer, check_bytes};
use super::line::{Format, Note, Sample};
use super::lines::Lines;

/// Checks one page.
#[derive(Debug, Clone)]
pub struct Checker {
    lexer: Lexer<'static>,
    lines: Lines,
    samples: usize,
}

impl Checker {
    /// At the start of a page in `format`.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { lexer: Lexer { format, watch: None }, lines: Lines::new(format), samples: 0 }
    }

    /// Checks the next lines: a block's worth at most, so that the caller can yield to the others
    /// in between. A last line without its line feed is taken for a whole one.
    ///
    /// # Errors
    ///
    /// [`IndexError::Malformed`], the first fault; the page is of no use then.
    pub fn block(&mut self, lines: &[u8]) -> Result<(), IndexError> {
        let whole = memchr::memrchr(b'\n', lines).map_or(0, |feed| feed.saturating_add(1));
        let (whole, cut) = lines.split_at_checked(whole).unwrap_or_default();
        self.whole(whole)?;
        if cut.is_empty() {
            return Ok(());
        }
        let mut ended = cut.to_vec();
        ended.push(b'\n');
        self.whole(&ended)
    }

    /// Samples so far.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// The samples of the page, when all of it was checked.
    ///
    /// # Errors
    ///
    /// [`Fault::NoEof`] where OpenMetrics wants its last line.
    pub fn finish(&self) -> Result<usize, IndexError> {
        self.lines.finish()?;
        Ok(self.samples)
    }

    fn whole(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        let mut checked = check_bytes(bytes);
        if checked.is_ok() {
            checked = self.lex(bytes);
        }
        checked.map_err(|fault| self.lines.malformed(bytes, fault))
    }

    fn lex(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let (mut at, mut lines, mut samples) = (0, 0_usize, 0_usize);
        let (mut before, mut sample) = (Before::default(), Sample::default());
        while at < bytes.len() {
            let (note, next) = self.lexer.line(bytes, at, &mut before, &mut sample)?;
            if self.lines.ended() {
                return Err(Malformed { at, fault: Fault::AfterEof });
            }
            lines = lines.saturating_add(1);
            match note {
                None => samples = samples.saturating_add(1),
                Some(Note::Eof) => self.lines.end(),
                Some(_) => {}
            }
            at = next;
        }
        self.lines.pass(lines);
        self.samples = self.samples.saturating_add(samples);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
