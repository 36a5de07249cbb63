//! Many pages as one: every family once, all its samples together.
//!
//! [`Merge`] takes pages in their configured order and works in steps, so that its caller can let
//! others run in between. What comes out, [`Merged`], owns the pages and the order of their runs;
//! any number of [`Emitter`]s read it, each for one reply.

use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::emit::{Emitter, LONGEST_LINE, Rendered};
use super::family::{Families, NameRef};
use super::label::{Labels, Names, OnConflict};
use super::lexer::Lexer;
use super::line::{Format, Line, Sample};
use super::page::{Page, Run};
use super::pairs::{Pair, Pairs};
use crate::memory::{Budget, Full, Table};

/// A page and the labels its samples get.
pub struct Part {
    /// The page.
    pub page: Rc<Page>,
    /// What is put on each of its samples.
    pub labels: Rc<Labels>,
    /// Whether the page was looked through for these labels when it came.
    pub watched: bool,
}

impl Part {
    /// A page that was indexed for a merge with these labels.
    #[must_use]
    pub const fn new(page: Rc<Page>, labels: Rc<Labels>) -> Self {
        Self { page, labels, watched: true }
    }

    /// Whether a sample of it may have one of these labels itself.
    fn may_conflict(&self) -> bool {
        !self.watched || self.page.has_watched_labels()
    }
}

impl AsRef<Page> for Part {
    fn as_ref(&self) -> &Page {
        &self.page
    }
}

/// What did not fit together, for `fanin_merge_conflicts_total{kind}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// Families whose pages disagree on the type.
    pub types: usize,
    /// Samples left out because an equal series was there already.
    pub duplicates: usize,
    /// Labels left out because escaping gave them the name of another.
    pub labels: usize,
}

/// A run of one of the pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunRef {
    pub(super) page: u16,
    run: u16,
}

/// A family's place in the reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) family: u32,
    /// The run after its last.
    pub(super) end: u32,
}

/// A line that is left out: the number of its run, and its first byte within the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dropped {
    pub(super) run: u32,
    pub(super) start: u16,
}

/// One correct page, ready to be written.
pub struct Merged {
    pub(super) parts: Vec<Part>,
    pub(super) families: Families,
    pub(super) groups: Table<Group>,
    pub(super) runs: Table<RunRef>,
    pub(super) dropped: Table<Dropped>,
    pub(super) on_conflict: OnConflict,
    pub(super) names: Names,
    conflicts: Conflicts,
}

impl Merged {
    /// Bytes of the pages it was made of, which is about what it has itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.page.text().len()).sum()
    }

    /// Samples that it writes.
    #[must_use]
    pub fn samples(&self) -> usize {
        let all = self.parts.iter().map(|part| part.page.samples());
        all.fold(0, usize::saturating_add).saturating_sub(self.dropped.len())
    }

    /// What did not fit together.
    #[must_use]
    pub const fn conflicts(&self) -> Conflicts {
        self.conflicts
    }

    /// The page and the run that run number `number` of the reply is.
    pub(super) fn run(&self, number: u32) -> Option<(&Part, Run)> {
        let at = self.runs.get(usize::try_from(number).ok()?)?;
        let part = self.parts.get(usize::from(at.page))?;
        let mut run = *part.page.index().runs.get(at.run.into())?;
        run.plain &= part.watched;
        Some((part, run))
    }

    /// A name's bytes as they leave: without quotes around them.
    pub(super) fn name(&self, at: NameRef) -> &[u8] {
        self.families.name(&self.parts, at)
    }
}

/// A merge under way.
pub struct Merge {
    merged: Merged,
    budget: Budget,
    step: Step,
    hasher: RandomState,
    seen: Seen,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Give every name its family.
    Resolve,
    /// Count the runs of this page by family.
    Count(usize),
    /// Put the families in order.
    Place,
    /// Make room for so many runs.
    Room(u32),
    /// Sort the runs of this page into their families.
    Sort(usize),
    /// Look for series of this run that were there before.
    Duplicates(u32),
    Done,
}

impl Merge {
    /// An empty merge, its tables paid for by `budget`.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no block for it.
    pub fn new(on_conflict: OnConflict, names: Names, budget: &Budget) -> Result<Self, Full> {
        Ok(Self {
            merged: Merged {
                parts: Vec::new(),
                families: Families::new(names == Names::Underscores, budget)?,
                groups: Table::default(),
                runs: Table::default(),
                dropped: Table::default(),
                on_conflict,
                names,
                conflicts: Conflicts::default(),
            },
            budget: budget.clone(),
            step: Step::Resolve,
            hasher: RandomState::default(),
            seen: Seen::default(),
        })
    }

    /// Adds the next page.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no block for its names.
    pub fn add(&mut self, part: Part) -> Result<(), Full> {
        self.merged.parts.push(part);
        self.merged.families.add(&self.merged.parts, &self.budget)
    }

    /// Does some of the work, about as much as a page has runs. Returns whether there is more; then [`Merge::finish`].
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no block for what must be remembered.
    pub fn advance(&mut self) -> Result<bool, Full> {
        self.step = match self.step {
            Step::Resolve => self.resolve(),
            Step::Count(page) => self.count(page),
            Step::Place => self.place()?,
            Step::Room(left) => self.make_room(left)?,
            Step::Sort(page) => self.sort(page),
            Step::Duplicates(run) => self.find_duplicates(run)?,
            Step::Done => Step::Done,
        };
        Ok(self.step != Step::Done)
    }

    /// The merged page.
    #[must_use]
    pub fn finish(self) -> Merged {
        self.merged
    }

    fn resolve(&mut self) -> Step {
        self.merged.conflicts.types = self.merged.families.resolve(&self.merged.parts);
        Step::Count(0)
    }

    fn count(&mut self, number: usize) -> Step {
        let merged = &mut self.merged;
        let Some(part) = merged.parts.get(number) else { return Step::Place };
        for run in part.page.index().runs.iter() {
            let family = merged.families.of(number, run.name);
            if let Some(family) = family.and_then(|family| merged.families.get_mut(family)) {
                family.runs = family.runs.saturating_add(1);
            }
        }
        Step::Count(number.saturating_add(1))
    }

    fn place(&mut self) -> Result<Step, Full> {
        let Merged { parts, families, groups, .. } = &mut self.merged;
        let mut total = 0_u32;
        families.in_order(parts, |number, family| {
            let start = total;
            total = total.saturating_add(family.runs);
            family.runs = start;
            groups.push(Group { family: number, end: total }, &self.budget)
        })?;
        Ok(Step::Room(total))
    }

    /// A page's worth of room at a time.
    fn make_room(&mut self, left: u32) -> Result<Step, Full> {
        let now = left.min(u32::from(u16::MAX));
        for _ in 0..now {
            self.merged.runs.push(RunRef { page: 0, run: 0 }, &self.budget)?;
        }
        Ok(if left == now { Step::Sort(0) } else { Step::Room(left.saturating_sub(now)) })
    }

    fn sort(&mut self, number: usize) -> Step {
        let Merged { parts, families, runs, .. } = &mut self.merged;
        let Some(part) = parts.get(number) else {
            return if self.duplicates_possible() { Step::Duplicates(0) } else { Step::Done };
        };
        let page = u16::try_from(number).unwrap_or(u16::MAX);
        for (at, run) in part.page.index().runs.iter().enumerate() {
            let family = families.of(number, run.name).and_then(|family| families.get_mut(family));
            let Some(family) = family else { continue };
            let slot = usize::try_from(family.runs).ok().and_then(|slot| runs.get_mut(slot));
            if let Some(slot) = slot {
                *slot = RunRef { page, run: u16::try_from(at).unwrap_or(u16::MAX) };
            }
            family.runs = family.runs.saturating_add(1);
        }
        Step::Sort(number.saturating_add(1))
    }

    /// Whether equal series can come of different ones, or from sources that nothing tells apart.
    fn duplicates_possible(&self) -> bool {
        let Merged { parts, on_conflict, names, .. } = &self.merged;
        let alike = parts.iter().enumerate().any(|(number, part)| {
            let mut before = parts.iter().take(number).enumerate();
            before.any(|(other, its)| {
                !part.labels.tell_apart_from(&its.labels) && self.have_one_name(number, other)
            })
        });
        let changed = parts.iter().any(|part| {
            let loses = *on_conflict != OnConflict::Rename || part.labels.is_forcing();
            loses && part.may_conflict()
        });
        let escaped =
            *names == Names::Underscores && parts.iter().any(|part| part.page.has_quoted_names());
        alike || changed || escaped
    }

    /// Whether two pages may have a series in common, by their names; where both have many, it is
    /// not worth a look.
    fn have_one_name(&self, one: usize, other: usize) -> bool {
        /// Names of a page for which it is.
        const FEW: usize = 4;
        let families = |number: usize| {
            let names = self.merged.parts.get(number).map_or(0, |part| part.page.names());
            let all = 0..u16::try_from(names).unwrap_or(u16::MAX);
            (names, all.filter_map(move |name| self.merged.families.of(number, name)))
        };
        let ((names, mut one), (others, other)) = (families(one), families(other));
        match (names <= FEW, others <= FEW) {
            (true, _) => {
                let few: heapless::Vec<_, FEW> = one.by_ref().take(FEW).collect();
                let mut other = other;
                other.any(|family| few.contains(&family))
            }
            (false, true) => {
                let few: heapless::Vec<_, FEW> = other.take(FEW).collect();
                one.any(|family| few.contains(&family))
            }
            (false, false) => true,
        }
    }

    fn find_duplicates(&mut self, run: u32) -> Result<Step, Full> {
        let merged = &mut self.merged;
        let Some((_, found)) = merged.run(run) else { return Ok(Step::Done) };
        let mut start = usize::from(found.place.start);
        let end = start.saturating_add(found.place.len.into());
        while start < end {
            let at = Dropped { run, start: u16::try_from(start).map_err(|_| Full)? };
            let (next, lost) = merged.render(at, &mut self.seen.line);
            merged.conflicts.labels = merged.conflicts.labels.saturating_add(lost);
            let hash = series_hash(&self.hasher, &self.seen.line);
            if self.seen.has(merged, hash) {
                merged.dropped.push(at, &self.budget)?;
                merged.conflicts.duplicates = merged.conflicts.duplicates.saturating_add(1);
            } else {
                self.seen.insert(at, hash, &self.budget)?;
            }
            start = if next > start { next } else { end };
        }
        Ok(Step::Duplicates(run.saturating_add(1)))
    }
}

impl Merged {
    /// Writes the line at `at` as it will leave into `line`; returns where the next one begins, and
    /// how many labels escaping has cost.
    fn render(&self, at: Dropped, line: &mut Vec<u8>) -> (usize, usize) {
        line.resize(line.capacity().max(1024), 0);
        loop {
            if let Some(Rendered { len, next, lost }) = Emitter::line(self, at, line) {
                line.truncate(len);
                return (next, lost);
            }
            if line.len() >= LONGEST_LINE {
                line.clear();
                return (0, 0);
            }
            line.resize(line.len().saturating_mul(2), 0);
        }
    }
}

/// The series met so far, by hash.
#[derive(Default)]
struct Seen {
    entries: Table<SeenEntry>,
    heads: Table<u32>,
    line: Vec<u8>,
    other: Vec<u8>,
}

struct SeenEntry {
    hash: u32,
    next: u32,
    at: Dropped,
}

/// Chains of the table: four blocks.
const HEADS: usize = 16 * 1024;
const NONE: u32 = u32::MAX;

impl Seen {
    fn head(hash: u32) -> usize {
        usize::try_from(hash).unwrap_or(0) & HEADS.saturating_sub(1)
    }

    /// Whether the series in `self.line`, whose hash is `hash`, was met before.
    fn has(&mut self, merged: &Merged, hash: u32) -> bool {
        let mut next = self.heads.get(Self::head(hash)).copied().unwrap_or(NONE);
        while let Some(entry) = usize::try_from(next).ok().and_then(|next| self.entries.get(next)) {
            if entry.hash == hash {
                merged.render(entry.at, &mut self.other);
                if same_series(&self.line, &self.other) {
                    return true;
                }
            }
            next = entry.next;
        }
        false
    }

    fn insert(&mut self, at: Dropped, hash: u32, budget: &Budget) -> Result<(), Full> {
        while self.heads.len() < HEADS {
            self.heads.push(NONE, budget)?;
        }
        let number = u32::try_from(self.entries.len()).map_err(|_| Full)?;
        let head = self.heads.get_mut(Self::head(hash)).ok_or(Full)?;
        self.entries.push(SeenEntry { hash, next: *head, at }, budget)?;
        *head = number;
        Ok(())
    }
}

/// A line as it leaves, lexed.
fn lexed(line: &[u8]) -> Option<Sample> {
    let lexer = Lexer { format: Format::Text, watch: None };
    match lexer.single(line, 0) {
        Ok((Line::Sample(sample), _)) => Some(sample),
        _ => None,
    }
}

/// The labels that count: those that are not empty.
fn labels<'a>(line: &'a [u8], sample: &Sample) -> impl Iterator<Item = Pair<'a>> {
    Pairs::new(sample.labels.of(line)).filter(|pair| !pair.value.is_empty())
}

/// The same for the same name, labels in whatever order, and timestamp.
fn series_hash(hasher: &RandomState, line: &[u8]) -> u32 {
    let Some(sample) = lexed(line) else { return 0 };
    let pairs = labels(line, &sample).fold(0_u64, |sum, pair| {
        let mut state = hasher.build_hasher();
        state.write(pair.name);
        state.write_u8(0);
        state.write(pair.value);
        sum.wrapping_add(state.finish())
    });
    let mut state = hasher.build_hasher();
    state.write(sample.name.of(line));
    state.write_u8(0);
    state.write(sample.timestamp.of(line));
    state.write_u64(pairs);
    u32::try_from(state.finish() & u64::from(u32::MAX)).unwrap_or(0)
}

/// Whether two lines are samples of one series at one time.
fn same_series(one: &[u8], two: &[u8]) -> bool {
    let (Some(first), Some(second)) = (lexed(one), lexed(two)) else { return false };
    first.name.of(one) == second.name.of(two)
        && first.timestamp.of(one) == second.timestamp.of(two)
        && labels(one, &first).count() == labels(two, &second).count()
        && labels(one, &first).all(|pair| labels(two, &second).any(|other| other == pair))
}
