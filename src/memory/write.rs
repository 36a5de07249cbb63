//! Formatted text into blocks.

use std::fmt;

use super::page::{PageError, PageWriter, Text};
use super::pool::Budget;

/// A page that is written with `write!`. It owns its blocks until it is finished; what `fmt` cannot
/// say of an error is kept beside them.
pub struct TextWriter {
    page: PageWriter,
    fault: Option<PageError>,
}

impl TextWriter {
    /// An empty page of at most `limit` bytes, its blocks taken from `budget`.
    #[must_use]
    pub const fn new(budget: Budget, limit: usize) -> Self {
        Self { page: PageWriter::new(budget, limit), fault: None }
    }

    /// Ends the page; `written` is how writing it ended.
    ///
    /// # Errors
    ///
    /// As [`PageWriter::write`], for the first piece that had no room.
    pub fn finish(self, written: fmt::Result) -> Result<Text, PageError> {
        match (written, self.fault) {
            (Ok(()), None) => self.page.finish(),
            (_, fault) => Err(fault.unwrap_or(PageError::Full)),
        }
    }
}

impl fmt::Write for TextWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.page.write(text.as_bytes()).map_err(|fault| {
            self.fault.get_or_insert(fault);
            fmt::Error
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::limits::BLOCK;
    use crate::memory::Pool;

    #[test]
    fn what_had_no_room_is_told_even_where_nobody_looked() {
        let pool = Pool::new(BLOCK, 0);
        let budget = pool.reserve();
        budget.correct(0);
        for (limit, text, want) in
            [(9, "up 1\n", Ok(5)), (9, "up 1", Ok(5)), (4, "up 1\n", Err(PageError::TooLarge(4)))]
        {
            let mut out = TextWriter::new(budget.clone(), limit);
            let _ = out.write_str(text);
            assert_eq!(out.finish(Ok(())).map(|text| text.len()), want, "{text:?}");
        }
        budget.correct(0);
        let _taken = pool.reserve();
        let mut out = TextWriter::new(budget, 9);
        let written = out.write_str("up 1\n");
        assert_eq!(out.finish(written).map(|text| text.len()), Err(PageError::Full));
    }
}
