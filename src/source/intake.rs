//! A page on its way in: bytes as they come, in blocks of whole lines, each of them lexed while the
//! next one fills.
//!
//! The blocks are the writer's until the page is whole. Where the source may lose malformed lines,
//! they are gone before anything else looks at a block.

use smol::future::yield_now;

use super::body::Body;
use super::{ScrapeError, Source};
use crate::config::OnMalformed;
use crate::exposition::{Checker, Format, IndexError, Indexer, Scrubber};
#[cfg(any(feature = "local", feature = "push"))]
use crate::exposition::{Page, Watch};
use crate::memory::{Block, Budget, PageWriter, Text};

/// What looks at the lines of a page.
pub(super) trait Judge {
    /// Looks at the next of `blocks`, all of the page so far that are complete; whether there was
    /// one.
    fn advance(&mut self, blocks: &[Block]) -> Result<bool, IndexError>;

    /// Samples it has seen.
    fn samples(&self) -> usize;
}

impl Judge for Indexer<'_> {
    fn advance(&mut self, blocks: &[Block]) -> Result<bool, IndexError> {
        Indexer::advance(self, blocks)
    }

    fn samples(&self) -> usize {
        Indexer::samples(self)
    }
}

/// Checks lines, and keeps nothing of them.
pub(super) struct Checking {
    pub(super) checker: Checker,
    /// Blocks done.
    done: usize,
}

impl Checking {
    pub(super) fn new(format: Format) -> Self {
        Self { checker: Checker::new(format), done: 0 }
    }
}

impl Judge for Checking {
    fn advance(&mut self, blocks: &[Block]) -> Result<bool, IndexError> {
        let Some(block) = blocks.get(self.done) else { return Ok(false) };
        self.done = self.done.saturating_add(1);
        self.checker.block(block.filled()).map(|()| true)
    }

    fn samples(&self) -> usize {
        self.checker.samples()
    }
}

/// Reads `body`, a page of `source` in `format`, and has `judge` look at it as it comes.
pub(super) async fn receive<J: Judge>(
    mut body: Body,
    (source, format): (&Source, Format),
    mut judge: J,
    budget: &Budget,
) -> Result<(Text, J), ScrapeError> {
    let mut writer = PageWriter::new(budget.clone(), source.max_bytes());
    let mut scrubbing = Scrubbing::new(source, format);
    loop {
        let n = body.read(writer.spare()?).await?;
        if n == 0 {
            break;
        }
        writer.advance(n)?;
        scrubbing.scrub(writer.complete_mut()).await;
        while judge.advance(writer.complete())? {
            yield_now().await;
        }
    }
    drop(body);
    let mut text = writer.finish()?;
    let mut losses = Losses::default();
    look(&mut text, scrubbing, &mut judge, &mut losses).await?;
    source.lost(&losses);
    Ok((text, judge))
}

/// Has `judge` look at what is new to it of a page that is whole.
async fn look(
    text: &mut Text,
    mut scrubbing: Scrubbing,
    judge: &mut impl Judge,
    losses: &mut Losses,
) -> Result<(), ScrapeError> {
    scrubbing.scrub(text.blocks_mut()).await;
    while judge.advance(text.blocks())? {
        yield_now().await;
    }
    Ok(scrubbing.tell(judge.samples(), losses)?)
}

/// What a source's page has lost to `on_malformed: drop_line`.
#[derive(Default)]
pub(super) struct Losses {
    /// Lines.
    pub(super) lines: usize,
    /// The first of them, as the log names it.
    pub(super) first: Option<String>,
}

/// Indexes a page that was received whole. Its format is OpenMetrics if its last line says so.
#[cfg(feature = "local")]
pub(super) async fn index(
    text: Text,
    (source, watch): (&Source, &Watch),
    budget: &Budget,
    losses: &mut Losses,
) -> Result<Page, ScrapeError> {
    let format = Format::told_by_end(&text);
    let page = index_as(format, text, (source, watch), budget, losses).await;
    page.map_err(|(_, error)| error)
}

/// Indexes a page of this format that was received whole; gives it back if that does not work.
#[cfg(any(feature = "local", feature = "push"))]
pub(super) async fn index_as(
    format: Format,
    mut text: Text,
    (source, watch): (&Source, &Watch),
    budget: &Budget,
    losses: &mut Losses,
) -> Result<Page, (Text, ScrapeError)> {
    let mut indexer = match Indexer::new(format, watch, source.families(), budget) {
        Ok(indexer) => indexer,
        Err(full) => return Err((text, full.into())),
    };
    let scrubbing = Scrubbing::new(source, format);
    let looked = look(&mut text, scrubbing, &mut indexer, losses).await;
    if let Err(error) = looked.and_then(|()| Ok(indexer.may_end()?)) {
        return Err((text, error));
    }
    indexer.finish(text).map_err(|error| (Text::default(), error.into()))
}

/// Takes malformed lines out of a page's blocks, where its source says so.
struct Scrubbing {
    scrubber: Option<Scrubber>,
    /// Blocks done.
    done: usize,
}

impl Scrubbing {
    fn new(source: &Source, format: Format) -> Self {
        let drops = source.on_malformed == OnMalformed::DropLine;
        Self { scrubber: drops.then(|| Scrubber::new(format)), done: 0 }
    }

    /// Does so in those of `blocks`, all of the page so far, that are new.
    async fn scrub(&mut self, blocks: &mut [Block]) {
        let Some(scrubber) = &mut self.scrubber else { return };
        for block in blocks.get_mut(self.done..).unwrap_or_default() {
            scrubber.block(block);
            self.done = self.done.saturating_add(1);
            yield_now().await;
        }
    }

    /// Adds what was dropped of the whole page, of which `samples` are left. One without any was a
    /// web page, not a page with a bad line, and is refused.
    fn tell(&self, samples: usize, losses: &mut Losses) -> Result<(), IndexError> {
        let Some((scrubber, first)) = self.scrubber.as_ref().and_then(|it| Some((it, it.first()?)))
        else {
            return Ok(());
        };
        if samples == 0 {
            return Err(first);
        }
        losses.lines = losses.lines.saturating_add(scrubber.dropped());
        losses.first.get_or_insert_with(|| first.to_string());
        Ok(())
    }
}
