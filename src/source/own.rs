//! `self`: fanin's own metrics as a page like any other.

use std::fmt;

use crate::exposition::{Format, Indexer, Page, Watch};
use crate::limits::{DEFAULT_BODY, DEFAULT_FAMILIES};
use crate::memory::{Budget, PageError, PageWriter, Text};
use crate::source::ScrapeError;
use crate::telemetry::metrics::{Metrics, Now};

/// fanin's own metrics as they are `now`, as text.
///
/// # Errors
///
/// [`ScrapeError::Memory`] when `budget` has no room.
pub fn own_text(metrics: &Metrics, now: &Now<'_>, budget: &Budget) -> Result<Text, ScrapeError> {
    let mut out = Lines { page: PageWriter::new(budget.clone(), DEFAULT_BODY), fault: None };
    if metrics.render(now, &mut out).is_err() {
        return Err(out.fault.unwrap_or(PageError::Full).into());
    }
    Ok(out.page.finish()?)
}

/// fanin's own metrics as they are `now`, indexed. `watch` is for the labels that a merge puts on them.
///
/// # Errors
///
/// [`ScrapeError::Memory`] when `budget` has no room.
pub fn own_page(
    metrics: &Metrics,
    now: &Now<'_>,
    watch: &Watch,
    budget: &Budget,
) -> Result<Page, ScrapeError> {
    let text = own_text(metrics, now, budget)?;
    let mut indexer = Indexer::new(Format::Text, watch, DEFAULT_FAMILIES, budget)?;
    while indexer.advance(text.blocks())? {}
    Ok(indexer.finish(text)?)
}

/// Formatted text into blocks; what `fmt` cannot say of an error is kept beside it.
struct Lines {
    page: PageWriter,
    fault: Option<PageError>,
}

impl fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.page.write(text.as_bytes()).map_err(|fault| {
            self.fault = Some(fault);
            fmt::Error
        })
    }
}
