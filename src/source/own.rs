//! `self`: fanin's own metrics as a page like any other.

use crate::exposition::{Format, Indexer, Page, Watch};
use crate::limits::{DEFAULT_BODY, DEFAULT_FAMILIES};
use crate::memory::{Budget, Text, TextWriter};
use crate::source::ScrapeError;
use crate::telemetry::metrics::{Metrics, Now};

/// fanin's own metrics as they are `now`, as text.
///
/// # Errors
///
/// [`ScrapeError::Memory`] when `budget` has no room.
pub fn own_text(metrics: &Metrics, now: &Now<'_>, budget: &Budget) -> Result<Text, ScrapeError> {
    let mut out = TextWriter::new(budget.clone(), DEFAULT_BODY);
    let written = metrics.render(now, &mut out);
    Ok(out.finish(written)?)
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
