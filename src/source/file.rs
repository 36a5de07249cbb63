//! Files that something else writes: one path, or all that fit a pattern, as one page.
//!
//! ```text
//!   pattern ──list──> names ──open──> descriptors ──read──> Text ──index──> Page ─┐
//!                                                                Page ─┼──join──> Page
//!                                                                Page ─┘
//! ```
//!
//! Each file is a page of its own first, so that a fault has the file's name and its own line, and
//! so that OpenMetrics and text can stand side by side. Several pages are then merged, without
//! labels, into the text of one: families joined, equal series left out. A single file stays as it
//! is.
//!
//! All is done on the executor, a block at a time. What is read is what was opened: a file that is
//! replaced meanwhile does no harm. One that is written in place is read again, since half of it
//! may be of another age than the rest.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use smol::Async;
use smol::future::yield_now;
use smol::io::AsyncReadExt as _;

use super::intake::{Losses, index};
use super::{Engine, FileFault, FileName, ScrapeError, Source};
use crate::config::{self, PathPattern, Segment};
use crate::exposition::{Emitter, Labels, Merge, Names, OnConflict, Page, Part, Watch};
use crate::limits::{FILE_READS, FILES, MERGE_BLOCKS};
use crate::memory::{Budget, PageError, PageWriter, Text, blocks_for};
use crate::telemetry::clock;
use crate::telemetry::metrics::FileTime;

/// Entries of a folder that are looked at before others have their turn.
const ENTRIES: usize = 256;

/// Which files, and how old they may be.
pub(super) struct File {
    path: PathPattern,
    max_age: Option<Duration>,
}

/// One that was found.
struct Found {
    name: FileName,
    meta: Meta,
}

/// What the kernel says of a file. The standard library has 32 bits for times on 32-bit boards with
/// musl, so it is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meta {
    kind: FileKind,
    /// Bytes.
    len: usize,
    mtime: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Regular,
    Fifo,
}

impl File {
    pub(super) fn new(plan: &config::File) -> Self {
        Self { path: plan.path.clone(), max_age: plan.max_age }
    }

    /// The path, or pattern, below its folder.
    pub(super) fn place(&self) -> &dyn fmt::Display {
        &self.path
    }

    /// Blocks for a file that was never read, by its length. A FIFO begins with a few, or it would
    /// hold up the first scrapes of others for as long as it waits for its writer.
    pub(super) fn expects(&self) -> Option<usize> {
        if self.path.is_wild() {
            return None;
        }
        let name = self.name();
        let meta = stat(&name.folder.join(&name.below)).ok()?;
        Some(expected(&[Found { name, meta }]))
    }

    /// Reads all files there are as one page.
    pub(super) async fn fetch(
        &self,
        source: &Source,
        engine: &Engine,
        budget: &Budget,
    ) -> Result<Page, ScrapeError> {
        let state = source.state();
        state.consumed.set(false);
        state.stats.found(Vec::new());
        let found = self.find().await?;
        let regular = found.iter().filter(|file| file.meta.kind == FileKind::Regular);
        state.stats.found(regular.map(Found::time).collect());
        let fifo = found.iter().any(|file| file.meta.kind == FileKind::Fifo);
        let _turn = if fifo { Some(state.turns.take(1).await) } else { None };
        if !fifo {
            budget.correct(expected(&found));
        }
        let single = found.len() == 1;
        let unwatched = Watch::default();
        let watch = if single { source.watch() } else { &unwatched };
        let mut left = source.max_bytes();
        let mut losses = Losses::default();
        let mut pages = Vec::with_capacity(found.len());
        for file in found {
            let path = file.name.folder.join(&file.name.below);
            let read = self.read(&path, left, budget, &state.consumed).await;
            let read = match read {
                // It was there a moment ago: as good as never found.
                Err(ScrapeError::File(FileFault::Io(fault)))
                    if self.path.is_wild() && is_gone(&fault) =>
                {
                    continue;
                }
                Err(ScrapeError::Page(PageError::TooLarge(_))) => {
                    Err(PageError::TooLarge(source.max_bytes()).into())
                }
                read => read,
            };
            let text = read.map_err(|error| error.in_file(file.name.clone()))?;
            left = left.saturating_sub(text.len());
            let had_lost = losses.lines;
            let page = index(text, (source, watch), budget, &mut losses).await;
            if had_lost == 0
                && let Some(first) = &mut losses.first
            {
                *first = format!("{:#}: {first}", file.name);
            }
            pages.push(page.map_err(|error| error.in_file(file.name))?);
        }
        source.lost(&losses);
        match pages.pop() {
            None => Err(ScrapeError::from(FileFault::NoMatch).in_file(self.name())),
            Some(page) if single => Ok(page),
            Some(page) => {
                pages.push(page);
                join(pages, source, engine, budget).await
            }
        }
    }

    /// The files that fit, sorted by name; at least one.
    async fn find(&self) -> Result<Vec<Found>, ScrapeError> {
        let names = list(&self.path).await.map_err(|error| error.in_file(self.name()))?;
        let mut found = Vec::with_capacity(names.len());
        for below in names {
            let name = FileName { folder: self.path.folder().to_owned(), below };
            match stat(&name.folder.join(&name.below)) {
                Ok(meta) => found.push(Found { name, meta }),
                Err(ScrapeError::File(FileFault::Io(fault)))
                    if self.path.is_wild() && is_gone(&fault) => {}
                Err(error) => return Err(error.in_file(name)),
            }
        }
        if found.is_empty() {
            return Err(ScrapeError::from(FileFault::NoMatch).in_file(self.name()));
        }
        Ok(found)
    }

    /// What the configuration says, as messages name it.
    fn name(&self) -> FileName {
        let below = PathBuf::from(self.path.to_string());
        FileName { folder: self.path.folder().to_owned(), below }
    }

    /// The text of the file at `path`, of at most `limit` bytes.
    async fn read(
        &self,
        path: &Path,
        limit: usize,
        budget: &Budget,
        consumed: &Cell<bool>,
    ) -> Result<Text, ScrapeError> {
        let (file, meta) = open(path)?;
        let writer = || PageWriter::new(budget.clone(), limit);
        if meta.kind == FileKind::Fifo {
            return read_fifo(path, file, writer(), consumed).await;
        }
        if let Some(most) = self.max_age {
            // A time to come is that of a clock that was set since: such a file is new.
            let age = clock::now().duration_since(meta.mtime).unwrap_or_default();
            if age > most {
                return Err(ScrapeError::Stale(age, most));
            }
        }
        read_regular(file, writer).await
    }
}

impl Meta {
    /// Of a regular file or a FIFO. A FIFO's length counts as none.
    fn new(stat: &Stat) -> Result<Self, FileFault> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::Regular,
            FileType::Fifo => FileKind::Fifo,
            _ => return Err(FileFault::Kind),
        };
        let len = if kind == FileKind::Fifo { 0 } else { stat.st_size };
        let mtime = clock::at(stat.st_mtime, stat.st_mtime_nsec);
        Ok(Self { kind, len: usize::try_from(len).unwrap_or(usize::MAX), mtime })
    }
}

impl Found {
    fn time(&self) -> FileTime {
        let since = self.meta.mtime.duration_since(UNIX_EPOCH).unwrap_or_default();
        FileTime { path: self.name.to_string().into(), mtime: since.as_secs_f64() }
    }
}

/// Blocks for the files' texts, their indexes, and what they become together.
fn expected(found: &[Found]) -> usize {
    let texts = |blocks: usize, file: &Found| blocks.saturating_add(blocks_for(file.meta.len));
    let text = found.iter().fold(0, texts);
    // Half as much again for the index, and a block for each of its tables.
    let page = text.saturating_add(text / 2).saturating_add(4);
    let tables = found.len().saturating_mul(3);
    match found {
        [_] => page,
        _ => page.saturating_mul(2).saturating_add(tables).saturating_add(MERGE_BLOCKS),
    }
}

/// Whether a file vanished, or a folder is none.
fn is_gone(fault: &io::Error) -> bool {
    matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The paths below the pattern's folder that fit, sorted. Without wildcards it is not asked whether
/// there is such a file.
async fn list(pattern: &PathPattern) -> Result<Vec<PathBuf>, ScrapeError> {
    let mut paths = vec![PathBuf::new()];
    for segment in pattern.segments() {
        let mut next = Vec::new();
        for path in paths {
            match segment {
                Segment::Name(name) => next.push(path.join(&**name)),
                Segment::Wild(name) => {
                    let entries = match fs::read_dir(pattern.folder().join(&path)) {
                        Err(fault) if is_gone(&fault) => continue,
                        entries => entries?,
                    };
                    for (number, entry) in entries.enumerate() {
                        if number % ENTRIES == ENTRIES.saturating_sub(1) {
                            yield_now().await;
                        }
                        let file = entry?.file_name();
                        if name.matches(&file.to_string_lossy()) {
                            next.push(path.join(file));
                        }
                        if next.len() > FILES {
                            return Err(FileFault::TooMany.into());
                        }
                    }
                }
            }
        }
        paths = next;
        yield_now().await;
    }
    paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(paths)
}

/// What is at `path`, if it can be read.
fn stat(path: &Path) -> Result<Meta, ScrapeError> {
    Ok(Meta::new(&rustix::fs::stat(path).map_err(io::Error::from)?)?)
}

/// Of what is open.
fn fstat(file: &fs::File) -> Result<Meta, ScrapeError> {
    Ok(Meta::new(&rustix::fs::fstat(file).map_err(io::Error::from)?)?)
}

/// Opens what is at `path` without waiting for anybody. Devices are not even opened: some take
/// that for a command.
fn open(path: &Path) -> Result<(fs::File, Meta), ScrapeError> {
    stat(path)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?;
    let file = fs::File::from(file);
    let meta = fstat(&file)?;
    Ok((file, meta))
}

/// Reads a file from its beginning to its end; again if it was written meanwhile.
async fn read_regular(
    mut file: fs::File,
    writer: impl Fn() -> PageWriter,
) -> Result<Text, ScrapeError> {
    for _ in 0..FILE_READS {
        let before = fstat(&file)?;
        file.rewind()?;
        let mut writer = writer();
        loop {
            match file.read(writer.spare()?) {
                Ok(0) => break,
                Ok(n) => writer.advance(n)?,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault.into()),
            }
            yield_now().await;
        }
        if before == fstat(&file)? {
            return Ok(writer.finish()?);
        }
    }
    Err(FileFault::Changing.into())
}

/// Reads what one writer, or several at once, have to say. Waits for the first of them for ever:
/// the scrape has a deadline.
///
/// # Source
///
/// fifo(7). A descriptor that has seen a writer come and go reports the end for ever after; a new
/// one reports nothing until the next writer. It is opened before the old one is closed, so that a
/// writer between the two loses nothing.
async fn read_fifo(
    path: &Path,
    file: fs::File,
    mut writer: PageWriter,
    consumed: &Cell<bool>,
) -> Result<Text, ScrapeError> {
    let mut fifo = Async::new(file)?;
    loop {
        match fifo.read(writer.spare()?).await {
            Ok(0) if writer.is_empty() => {
                let (file, meta) = open(path)?;
                if meta.kind != FileKind::Fifo {
                    return Err(FileFault::Changing.into());
                }
                fifo = Async::new(file)?;
                fifo.readable().await?;
            }
            Ok(0) => return Ok(writer.finish()?),
            Ok(n) => {
                consumed.set(true);
                writer.advance(n)?;
                yield_now().await;
            }
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) => return Err(fault.into()),
        }
    }
}

/// Makes one page of several.
async fn join(
    pages: Vec<Page>,
    source: &Source,
    engine: &Engine,
    budget: &Budget,
) -> Result<Page, ScrapeError> {
    let mut merge = Merge::new(OnConflict::Keep, Names::Quoted, budget)?;
    let labels = Rc::new(Labels::new([]));
    for page in pages {
        merge.add(Part::new(Rc::new(page), Rc::clone(&labels)))?;
        yield_now().await;
    }
    while merge.advance()? {
        yield_now().await;
    }
    let merged = merge.finish();
    engine.metrics.conflicts(merged.conflicts());
    let mut emitter = Emitter::new(Rc::new(merged));
    // All of it was within the limit once.
    let mut writer = PageWriter::new(budget.clone(), usize::MAX);
    let mut block = budget.block()?;
    loop {
        let n = emitter.fill(block.spare());
        if n == 0 {
            break;
        }
        block.advance(n);
        writer.write(block.filled())?;
        block.truncate(0);
        yield_now().await;
    }
    drop((emitter, block));
    let text = writer.finish()?;
    index(text, (source, source.watch()), budget, &mut Losses::default()).await
}

#[cfg(test)]
mod tests;
