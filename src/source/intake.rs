//! A page on its way in: bytes as they come, in blocks of whole lines, each of them lexed while the
//! next one fills.
//!
//! The blocks are the writer's until the page is whole. Where the source may lose malformed lines,
//! they are gone before anything else looks at a block.

use smol::future::yield_now;

use super::{ScrapeError, Source};
use crate::config::OnMalformed;
use crate::exposition::{Checker, Format, IndexError, Indexer, Page, Scrubber, Watch};
use crate::memory::{Block, Budget, PageError, PageWriter, Text};

/// What looks at the lines of a page.
pub(super) trait Judge {
    /// Looks at the next of `blocks`, all of the page so far that are complete; whether there was
    /// one.
    fn advance(&mut self, blocks: &[Block]) -> Result<bool, IndexError>;
}

impl Judge for Indexer<'_> {
    fn advance(&mut self, blocks: &[Block]) -> Result<bool, IndexError> {
        Indexer::advance(self, blocks)
    }
}

/// Checks lines, and keeps nothing of them.
pub(super) struct Checking {
    checker: Checker,
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
}

/// A page that is being received.
pub(super) struct Intake<J> {
    writer: PageWriter,
    scrubbing: Scrubbing,
    judge: J,
}

impl<J: Judge> Intake<J> {
    /// A page of `source` in `format`, looked at by `judge`.
    pub(super) fn new(source: &Source, format: Format, judge: J, budget: &Budget) -> Self {
        let writer = PageWriter::new(budget.clone(), source.max_bytes());
        Self { writer, scrubbing: Scrubbing::new(source, format), judge }
    }

    /// Room for the next read.
    pub(super) fn spare(&mut self) -> Result<&mut [u8], PageError> {
        self.writer.spare()
    }

    /// Counts `n` bytes of [`Intake::spare`] as received, and looks at the blocks that are complete.
    pub(super) async fn received(&mut self, n: usize) -> Result<(), ScrapeError> {
        self.writer.advance(n)?;
        self.scrubbing.scrub(self.writer.complete_mut()).await;
        while self.judge.advance(self.writer.complete())? {
            yield_now().await;
        }
        Ok(())
    }

    /// Ends the page and looks at the rest of it.
    async fn finish(self) -> Result<(Text, J, Scrubbing), ScrapeError> {
        let Self { writer, mut scrubbing, mut judge } = self;
        let mut text = writer.finish()?;
        scrubbing.scrub(text.blocks_mut()).await;
        while judge.advance(text.blocks())? {
            yield_now().await;
        }
        Ok((text, judge, scrubbing))
    }
}

impl Intake<Indexer<'_>> {
    /// The page, indexed.
    pub(super) async fn page(self, source: &Source) -> Result<Page, ScrapeError> {
        let (text, indexer, scrubbing) = self.finish().await?;
        let page = indexer.finish(text)?;
        let mut losses = Losses::default();
        scrubbing.tell(page.samples(), &mut losses)?;
        source.lost(&losses);
        Ok(page)
    }
}

impl Intake<Checking> {
    /// The page's text, checked, and how many samples it has.
    pub(super) async fn text(self, source: &Source) -> Result<(Text, usize), ScrapeError> {
        let (text, checking, scrubbing) = self.finish().await?;
        let samples = checking.checker.finish()?;
        let mut losses = Losses::default();
        scrubbing.tell(samples, &mut losses)?;
        source.lost(&losses);
        Ok((text, samples))
    }
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
pub(super) async fn index(
    mut text: Text,
    (source, watch): (&Source, &Watch),
    budget: &Budget,
    losses: &mut Losses,
) -> Result<Page, ScrapeError> {
    let last = text.blocks().last().map(Block::filled).unwrap_or_default();
    let openmetrics = last == b"# EOF\n" || last.ends_with(b"\n# EOF\n");
    let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
    let mut scrubbing = Scrubbing::new(source, format);
    scrubbing.scrub(text.blocks_mut()).await;
    let mut indexer = Indexer::new(format, watch, source.families(), budget)?;
    while indexer.advance(text.blocks())? {
        yield_now().await;
    }
    let page = indexer.finish(text)?;
    scrubbing.tell(page.samples(), losses)?;
    Ok(page)
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
