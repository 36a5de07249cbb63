//! Making a page's index, block by block, as the page arrives.
//!
//! The [`Indexer`] lexes each line once and keeps its name and its run. OpenMetrics names are turned
//! into those of the text format here, so that no merge knows of OpenMetrics.

use std::fmt;
use std::hash::BuildHasher;

use super::fault::{Fault, Malformed};
use super::label::escape_name;
use super::lexer::{Before, Lexer, check_bytes};
use super::line::{Format, Kind, Note, Sample, Span};
use super::lines::Lines;
use super::page::{Index, Name, Page, Run, Spot};
use super::watch::Watch;
use crate::limits::RUNS;
use crate::memory::{Block, Budget, Full, Lease, Place, Text};

/// Why a page cannot be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexError {
    /// A line is not what the format allows.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// The byte within it, counted from 1.
        column: usize,
        /// What is wrong there.
        fault: Fault,
    },
    /// More than this many families (`limits.families`).
    TooManyFamilies(usize),
    /// More than [`RUNS`] runs: samples of different names in constant change.
    TooManyRuns,
    /// No block for the index.
    Full,
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, column, fault } => write!(f, "line {line}:{column}: {fault}"),
            Self::TooManyFamilies(limit) => write!(f, "more than {limit} metric families"),
            Self::TooManyRuns => write!(f, "the metric name changes more than {RUNS} times"),
            Self::Full => Full.fmt(f),
        }
    }
}

impl std::error::Error for IndexError {}

impl From<Full> for IndexError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

const NONE: u16 = u16::MAX;
/// Chains of the name table; with their lease they are a block.
const HEADS: usize = 8192;

/// Builds a [`Page`], block by block.
pub struct Indexer<'w> {
    lexer: Lexer<'w>,
    budget: Budget,
    families_limit: usize,
    families: usize,
    index: Index,
    /// The number of the last name met.
    latest: u16,
    heads: Vec<u16>,
    _heads_lease: Lease,
    /// Blocks done.
    done: usize,
    lines: Lines,
}

impl<'w> Indexer<'w> {
    /// For a page in `format` of at most `families` families; `watch` is for the labels that merges
    /// will put on it.
    ///
    /// # Errors
    ///
    /// [`Full`] when `budget` has no block for it.
    pub fn new(
        format: Format,
        watch: &'w Watch,
        families: usize,
        budget: &Budget,
    ) -> Result<Self, Full> {
        Ok(Self {
            lexer: Lexer { format, watch: Some(watch) },
            _heads_lease: budget.lease()?,
            budget: budget.clone(),
            families_limit: families,
            families: 0,
            index: Index::default(),
            latest: NONE,
            heads: vec![NONE; HEADS],
            done: 0,
            lines: Lines::new(format),
        })
    }

    /// Indexes the next of `blocks` (all of the page so far that are complete). Returns whether
    /// there was one: the caller yields to the others and calls again.
    ///
    /// # Errors
    ///
    /// [`IndexError`]; the page is of no use then.
    pub fn advance(&mut self, blocks: &[Block]) -> Result<bool, IndexError> {
        let Some(block) = blocks.get(self.done) else { return Ok(false) };
        let bytes = block.filled();
        check_bytes(bytes).map_err(|fault| self.lines.malformed(bytes, fault))?;
        self.block(blocks, bytes)?;
        self.done = self.done.saturating_add(1);
        Ok(true)
    }

    /// Samples so far.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.index.samples
    }

    /// Whether the page may end here.
    ///
    /// # Errors
    ///
    /// [`Fault::NoEof`] where OpenMetrics wants its last line.
    #[cfg(any(feature = "local", feature = "push"))]
    pub fn may_end(&self) -> Result<(), IndexError> {
        self.lines.finish()
    }

    /// The page, when all blocks of `text` are indexed.
    ///
    /// # Errors
    ///
    /// [`Fault::NoEof`] where OpenMetrics wants its last line.
    pub fn finish(self, text: Text) -> Result<Page, IndexError> {
        self.lines.finish()?;
        let format = self.lexer.format;
        Ok(Page { text, index: self.index, format, budget: self.budget, kept: None })
    }

    fn block(&mut self, blocks: &[Block], bytes: &[u8]) -> Result<(), IndexError> {
        let mut at = 0;
        let mut lines = 0_usize;
        let mut samples = 0_usize;
        let mut stamps = 0_usize;
        let mut run: Option<OpenRun> = None;
        let (mut before, mut sample) = (Before::default(), Sample::default());
        while at < bytes.len() {
            let lexed = self.lexer.line(bytes, at, &mut before, &mut sample);
            let (note, next) = lexed.map_err(|fault| self.lines.malformed(bytes, fault))?;
            lines = lines.saturating_add(1);
            if self.lines.ended() {
                return Err(self.lines.malformed(bytes, Malformed { at, fault: Fault::AfterEof }));
            }
            match note {
                None => {
                    samples = samples.saturating_add(1);
                    stamps |= sample.timestamp.end;
                    let goes_on = before.again && !sample.is_odd();
                    if let Some(open) = run.as_mut().filter(|open| goes_on && open.plain) {
                        open.single = false;
                    } else {
                        self.close(&mut run, at)?;
                        let name = (sample.name, sample.quoted);
                        let name = self.number(blocks, bytes, name, before.again)?;
                        self.sampled(name, &sample);
                        let plain = !(sample.irregular || sample.watched);
                        run = Some(OpenRun { start: at, name, plain, single: true });
                    }
                }
                Some(note) => {
                    self.close(&mut run, at)?;
                    self.note(blocks, bytes, note, before.again)?;
                }
            }
            at = next;
        }
        self.close(&mut run, at)?;
        self.lines.pass(lines);
        self.index.samples = self.index.samples.saturating_add(samples);
        self.index.stamped |= stamps > 0;
        Ok(())
    }

    /// Ends the run under way, if there is one, before the line at `end`.
    #[inline(always)]
    fn close(&mut self, run: &mut Option<OpenRun>, end: usize) -> Result<(), IndexError> {
        run.take().map_or(Ok(()), |run| self.closed(run, end))
    }

    /// Takes a run down that ended before the line at `end`.
    fn closed(&mut self, run: OpenRun, end: usize) -> Result<(), IndexError> {
        let OpenRun { start, name, plain, single } = run;
        if self.index.runs.len() >= RUNS {
            return Err(IndexError::TooManyRuns);
        }
        let place = Place::new(self.done, start, end)?;
        self.index.runs.push(Run { place, name, plain, single }, &self.budget)?;
        Ok(())
    }

    /// Notes that name number `number` has a sample with these peculiarities.
    fn sampled(&mut self, number: u16, sample: &Sample) {
        self.index.watched |= sample.watched;
        self.index.quoted |= sample.quoted || sample.quoted_label;
        if let Some(entry) = self.index.names.get_mut(number.into()) {
            entry.sampled = true;
            entry.odd_le |= sample.odd_le;
            entry.odd_quantile |= sample.odd_quantile;
        }
    }

    /// Takes a comment down; `again` tells that the name it may have is the last one met.
    fn note(
        &mut self,
        blocks: &[Block],
        bytes: &[u8],
        note: Note,
        again: bool,
    ) -> Result<(), IndexError> {
        match note {
            Note::Comment => Ok(()),
            Note::Eof => {
                self.lines.end();
                Ok(())
            }
            Note::Help { name, quoted, text } => {
                let number = self.number(blocks, bytes, (name, quoted), again)?;
                let place = Place::new(self.done, text.start, text.end)?;
                let target = self.alias_of(number);
                if let Some(entry) = self.index.names.get_mut(target)
                    && place.len > 0
                {
                    entry.help.get_or_insert(place);
                }
                Ok(())
            }
            Note::Type { name, quoted, kind } => {
                let number = self.number(blocks, bytes, (name, quoted), again)?;
                self.declare(blocks, number, kind)
            }
        }
    }

    fn alias_of(&self, number: u16) -> usize {
        let alias = self.index.names.get(number.into()).map_or(NONE, |name| name.alias);
        if alias == NONE { number.into() } else { alias.into() }
    }

    /// Takes a TYPE down; under the text format's name where OpenMetrics has another.
    fn declare(&mut self, blocks: &[Block], number: u16, kind: Kind) -> Result<(), IndexError> {
        let suffix: &[u8] = match (self.lexer.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => b"_total",
            (Format::OpenMetrics, Kind::Info) => b"_info",
            _ => b"",
        };
        let mut target = usize::from(number);
        if !suffix.is_empty() {
            let renamed = self.renamed(blocks, number, suffix)?;
            target = usize::from(renamed);
            let help = self.index.names.get_mut(number.into()).and_then(|name| {
                name.alias = renamed;
                name.help.take()
            });
            if let Some(entry) = self.index.names.get_mut(target) {
                entry.help = entry.help.or(help);
            }
        }
        if let Some(entry) = self.index.names.get_mut(target) {
            let known = *entry.kind.get_or_insert(kind);
            entry.contradicted |= known.word() != kind.word();
        }
        Ok(())
    }

    /// The number of the name that is name number `number` with `suffix` at its end.
    fn renamed(&mut self, blocks: &[Block], number: u16, suffix: &[u8]) -> Result<u16, IndexError> {
        let spots = self.index.names.get(number.into()).map(|name| (name.written, name.bare));
        let (written, bare) = spots.unwrap_or_default();
        let make = |index: &Index, spot: Spot| {
            let mut name = index.spot(blocks, spot).to_vec();
            name.extend_from_slice(suffix);
            name
        };
        let full = make(&self.index, written);
        let full_bare = make(&self.index, bare);
        let hash = self.hash(&full);
        if let Some(found) = self.find(blocks, &full, hash) {
            return Ok(found);
        }
        let spot = self.make(&full)?;
        let bare = if full == full_bare { spot } else { self.make(&full_bare)? };
        self.insert(hash, spot, bare)
    }

    /// The number of the name, perhaps `quoted`, that stands at `span` of the block under way:
    /// the last one met if the lexer says `again`.
    fn number(
        &mut self,
        blocks: &[Block],
        bytes: &[u8],
        (span, quoted): (Span, bool),
        again: bool,
    ) -> Result<u16, IndexError> {
        if !again {
            let name = span.of(bytes);
            let hash = self.hash(name);
            self.latest = match self.find(blocks, name, hash) {
                Some(number) => number,
                None => {
                    self.count_family(blocks, name)?;
                    let place = Place::new(self.done, span.start, span.end)?;
                    let written = Spot { place, made: false };
                    let bare = if quoted { self.make(&escape_name(name))? } else { written };
                    self.insert(hash, written, bare)?
                }
            };
        }
        Ok(self.latest)
    }

    fn hash(&self, name: &[u8]) -> u32 {
        let hash = self.index.hasher.hash_one(name);
        u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// The chain of the names with this hash.
    fn head(hash: u32) -> usize {
        usize::try_from(hash).unwrap_or(0) & HEADS.saturating_sub(1)
    }

    fn find(&self, blocks: &[Block], name: &[u8], hash: u32) -> Option<u16> {
        let mut at = self.heads.get(Self::head(hash)).copied()?;
        while let Some(entry) = self.index.names.get(at.into()) {
            if entry.hash == hash && self.index.spot(blocks, entry.written) == name {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    fn insert(&mut self, hash: u32, written: Spot, bare: Spot) -> Result<u16, IndexError> {
        let too_many = IndexError::TooManyFamilies(self.families_limit);
        let number = u16::try_from(self.index.names.len()).map_err(|_| too_many)?;
        let head = self.heads.get_mut(Self::head(hash)).ok_or(too_many)?;
        if number == NONE {
            return Err(too_many);
        }
        let entry = Name { written, bare, hash, next: *head, alias: NONE, ..Name::default() };
        self.index.names.push(entry, &self.budget)?;
        *head = number;
        Ok(number)
    }

    /// Counts a new name as a family, unless it is a part of a histogram or a summary.
    fn count_family(&mut self, blocks: &[Block], name: &[u8]) -> Result<(), IndexError> {
        let stem = super::family::stem(name)
            .and_then(|(stem, _)| self.find(blocks, stem, self.hash(stem)));
        let part = stem
            .and_then(|stem| self.index.names.get(stem.into()))
            .is_some_and(|stem| matches!(stem.kind, Some(Kind::Histogram | Kind::Summary)));
        if part {
            return Ok(());
        }
        self.families = self.families.saturating_add(1);
        if self.families > self.families_limit {
            return Err(IndexError::TooManyFamilies(self.families_limit));
        }
        Ok(())
    }

    /// Keeps a name that stands nowhere in the page.
    fn make(&mut self, name: &[u8]) -> Result<Spot, IndexError> {
        let made = &mut self.index.made;
        if made.last_mut().is_none_or(|block| block.spare().len() < name.len()) {
            made.push(self.budget.block()?);
        }
        let number = made.len().saturating_sub(1);
        let Some(block) = made.last_mut() else { return Err(IndexError::Full) };
        let start = block.filled().len();
        if block.append(name) < name.len() {
            return Err(IndexError::Full);
        }
        let place = Place::new(number, start, start.saturating_add(name.len()))?;
        Ok(Spot { place, made: true })
    }
}

/// A run whose end is not reached yet.
#[derive(Debug, Clone, Copy)]
struct OpenRun {
    start: usize,
    name: u16,
    plain: bool,
    single: bool,
}
