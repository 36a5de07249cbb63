//! The lines of a page as they go by: how many there were, and where in the page a fault is.

use super::fault::{Fault, Malformed};
use super::indexer::IndexError;
use super::line::Format;

/// Counts the lines of one page, and knows whether it may go on and whether it may end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    format: Format,
    /// Lines before the block under way.
    before: usize,
    /// Whether `# EOF` was there.
    ended: bool,
}

impl Lines {
    /// At the start of a page.
    pub(super) const fn new(format: Format) -> Self {
        Self { format, before: 0, ended: false }
    }

    /// Counts the lines of a block that is done.
    pub(super) const fn pass(&mut self, lines: usize) {
        self.before = self.before.saturating_add(lines);
    }

    /// The line just read is `# EOF`.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// Whether `# EOF` was there, so that no line may follow.
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    /// Where in the page the fault is that was found in `block`.
    pub(super) fn malformed(&self, block: &[u8], Malformed { at, fault }: Malformed) -> IndexError {
        let before = block.get(..at).unwrap_or_default();
        let newlines = memchr::memchr_iter(b'\n', before).count();
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |lf| lf.saturating_add(1));
        IndexError::Malformed {
            line: self.before.saturating_add(newlines).saturating_add(1),
            column: at.saturating_sub(line_start).saturating_add(1),
            fault,
        }
    }

    /// Says whether the page may end here.
    ///
    /// # Errors
    ///
    /// [`Fault::NoEof`] where OpenMetrics wants its last line.
    pub(super) fn finish(&self) -> Result<(), IndexError> {
        if self.format == Format::OpenMetrics && !self.ended {
            let line = self.before.saturating_add(1);
            return Err(IndexError::Malformed { line, column: 1, fault: Fault::NoEof });
        }
        Ok(())
    }
}
