//! Applications that bring their pages, and what they brought.
//!
//! ```text
//!   JSON, Cap'n Proto ──> connection ─┐
//!   PUT, POST (outlet) ───────────────┴──> Incoming ──index──> Page ──> Store ──> merges, relays
//! ```
//!
//! A page is looked through once, when it comes, and kept with its index: a scrape reads no line of
//! it. What is refused changes nothing but the time at which it was.

mod body;
mod capnp;
pub(crate) mod connection;
mod group;
mod incoming;
mod json;
mod refusal;
#[cfg(feature = "gzip")]
mod snappy;
mod store;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};
use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::Task;
use smol::future::yield_now;

pub(crate) use self::body::receive;
pub use self::group::{BadGroup, Group};
pub(crate) use self::incoming::Incoming;
use self::incoming::Patience;
pub use self::refusal::{PushError, Room};
pub use self::store::{Entry, Kept, Refused, Store};
use super::{Engine, Kind, ScrapeError, Source};
use crate::config;
use crate::exposition::{Format, Indexer, Page, PageFamilies, Watch};
use crate::http::socket::Peer;
use crate::limits::{DEFAULT_BODY, DEFAULT_FAMILIES};
use crate::memory::{Budget, PageWriter, TextWriter};
use crate::telemetry::clock::unix_seconds;
use crate::telemetry::push::PushStats;

/// The label that a group without one gets empty.
pub const INSTANCE: &str = "instance";

/// What the configuration says of it.
pub(super) struct Push {
    plan: config::Push,
    /// The labels that pages are looked through for.
    watched: Rc<[Box<str>]>,
}

impl Push {
    pub(super) fn new(plan: &config::Push, watched: &[Box<str>]) -> Self {
        Self { plan: plan.clone(), watched: watched.into() }
    }

    /// Where applications bring their pages.
    pub(super) const fn place(&self) -> &dyn fmt::Display {
        self
    }
}

/// The addresses; no path of ours.
impl fmt::Display for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, listen) in self.plan.listen.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            match listen {
                config::Listen::Unix { path, .. } => {
                    let name = path.file_name().unwrap_or_default();
                    write!(f, "unix:{}", name.to_string_lossy().escape_debug())?;
                }
                listen => listen.fmt(f)?,
            }
        }
        Ok(())
    }
}

/// A page that was pushed, as a merge takes it.
pub struct Pushed {
    /// The page.
    pub page: Rc<Page>,
    /// What its samples get beside what all of the source get.
    pub group: Group,
    /// Whether it was looked through for these labels.
    pub watched: bool,
}

impl Source {
    const fn as_push(&self) -> Option<&Push> {
        match &self.kind {
            Kind::Push(push) => Some(push),
            _ => None,
        }
    }

    /// What was pushed, if this is a source for that.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.as_push().map(|_| &self.state.store)
    }

    /// The pages that were pushed and are not too old.
    #[must_use]
    pub fn pushed(&self) -> Vec<Pushed> {
        let Some(push) = self.as_push() else { return Vec::new() };
        let pushed = |entry: Entry| {
            let Entry { group, kept: Some(Kept { page, watched, .. }), .. } = entry else {
                return None;
            };
            Some(Pushed { page, group, watched: watched == push.watched })
        };
        self.state.store.entries().into_iter().filter_map(pushed).collect()
    }

    /// Its addresses; none if it is no source for pushes.
    #[must_use]
    pub fn doors(&self) -> &[config::Listen] {
        self.as_push().map(|push| push.plan.listen.as_slice()).unwrap_or_default()
    }

    /// Samples and bytes of all pages.
    pub(super) fn pushed_sizes(&self) -> (usize, usize) {
        let add = |(samples, bytes): (usize, usize), pushed: Pushed| {
            let Pushed { page, .. } = pushed;
            (samples.saturating_add(page.samples()), bytes.saturating_add(page.text().len()))
        };
        self.pushed().into_iter().fold((0, 0), add)
    }

    /// How long a page is good for whose sender says `asked`.
    fn ttl(push: &Push, asked: Option<Duration>) -> Option<Duration> {
        match (asked, push.plan.max_ttl) {
            (None, _) => push.plan.ttl,
            (Some(asked), most) => Some(most.map_or(asked, |most| asked.min(most))),
        }
    }

    /// Forgets pages when they are too old, until dropped.
    pub(super) fn tend_store(self: &Rc<Self>, engine: &Engine) -> Option<Task<()>> {
        let push = self.as_push()?;
        self.state.store.shrink(push.plan.apps);
        self.state.store.remember(push.plan.remembered, push.plan.apps);
        let stats = self.push_stats();
        stats.listens();
        stats.groups(self.state.store.len());
        let state = Rc::clone(&self.state);
        Some(engine.executor.spawn(async move {
            let expired = |expired, left| {
                state.stats.push.expired(expired);
                state.stats.push.groups(left);
            };
            state.store.tend(expired).await;
        }))
    }

    /// What a page of `group` is looked through for: all labels that its samples get.
    fn watch_of(&self, group: &Group) -> Watch {
        let watched = self.as_push().map(|push| &*push.watched).unwrap_or_default();
        let of_group = group.labels().map(|(name, _)| name);
        Watch::new(watched.iter().map(AsRef::as_ref).chain(of_group).chain([INSTANCE]))
    }

    fn push_stats(&self) -> &PushStats {
        &self.state.stats.push
    }
}

impl Push {
    /// When each group was pushed and refused last, as a page of its own.
    pub(super) async fn fetch(
        &self,
        source: &Source,
        budget: &Budget,
    ) -> Result<Page, ScrapeError> {
        let mut out = TextWriter::new(budget.clone(), DEFAULT_BODY);
        let named = source.labels().any(|(label, _)| label == INSTANCE);
        let written = times(&source.state.store.entries(), named, &mut out);
        let text = out.finish(written)?;
        let mut indexer = Indexer::new(Format::Text, source.watch(), DEFAULT_FAMILIES, budget)?;
        while indexer.advance(text.blocks())? {}
        Ok(indexer.finish(text)?)
    }
}

/// Writes two families of a series for each group, with the names and the meaning that the
/// Pushgateway has given them. As on the group's samples, there is an empty `instance` where it has
/// none, unless the source is `named` so itself.
fn times(entries: &[Entry], named: bool, out: &mut TextWriter) -> fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    type Time = fn(&Entry) -> Option<Instant>;
    let families: [(&str, &str, Time); 2] = [
        ("push_time_seconds", "When this group last pushed a page that was accepted.", |entry| {
            entry.kept.as_ref().map(|kept| kept.at)
        }),
        ("push_failure_time_seconds", "When this group last pushed what was refused.", |entry| {
            entry.refused.as_ref().map(|refused| refused.at)
        }),
    ];
    for (name, help, time) in families {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        for entry in entries {
            let at = time(entry).map_or(0.0, unix_seconds);
            let group = &entry.group;
            let bare = !named && group.as_app().is_none() && !group.has(INSTANCE);
            let instance = if bare { "instance=\"\"," } else { "" };
            writeln!(out, "{name}{{{instance}{group}}} {at:.3}")?;
        }
    }
    Ok(())
}

/// One who brings pages to a source.
pub(crate) struct Arrival {
    engine: Rc<Engine>,
    source: Rc<Source>,
    peer: Peer,
}

impl Arrival {
    pub(crate) const fn new(engine: Rc<Engine>, source: Rc<Source>, peer: Peer) -> Self {
        Self { engine, source, peer }
    }

    pub(crate) const fn source(&self) -> &Rc<Source> {
        &self.source
    }

    fn most(&self) -> usize {
        self.source.as_push().map_or(0, |push| push.plan.apps)
    }

    /// A place for bytes that are no lines, and count as kept.
    fn bytes_writer(&self, most: usize) -> PageWriter {
        PageWriter::of_bytes(self.engine.pool.store(), most)
    }

    /// Appends to that.
    async fn write(&self, writer: &mut PageWriter, piece: &[u8]) -> Result<(), PushError> {
        Patience::new(&self.engine.pool).write(writer, piece).await
    }

    /// How it is written without HTTP.
    fn format(&self) -> config::PushFormat {
        self.source.as_push().map(|push| push.plan.format).unwrap_or_default()
    }

    /// A page of `group` begins.
    ///
    /// # Errors
    ///
    /// [`PushError::TooMany`].
    pub(crate) fn begin(&self, group: &Group) -> Result<Incoming, PushError> {
        self.source.state.store.make_room(group, self.most(), true)?;
        Ok(Incoming::new(&self.engine, &self.source))
    }

    /// It is whole and good, or not. What is refused is counted and logged.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(crate) fn end(
        &self,
        group: Group,
        page: Result<Page, PushError>,
        asked: Option<Duration>,
    ) -> Result<(), PushError> {
        let kept = page.and_then(|page| self.keep(&group, page, asked));
        match kept {
            Ok(bytes) => {
                self.source.push_stats().accepted(bytes);
                self.source.push_stats().groups(self.source.state.store.len());
                Ok(())
            }
            Err(error) => {
                self.refused(Some(&group), &error);
                Err(error)
            }
        }
    }

    /// What a page that came over HTTP becomes of that group: where it is to be added to what is
    /// there, the families of that which it does not have itself stay. As in the Pushgateway, it may
    /// contradict no other group.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(crate) async fn combine(
        &self,
        group: &Group,
        page: Page,
        adds: bool,
    ) -> Result<Page, PushError> {
        if page.has_timestamps() {
            return Err(PushError::Timestamps);
        }
        let lent = self.engine.pool.lent();
        let no_room = |_| PushError::Room(Room::Memory);
        let families = PageFamilies::new(&page, &lent).map_err(no_room)?;
        for other in self.source.state.store.entries().iter().filter(|other| other.group != *group)
        {
            let kept = other.kept.as_ref();
            if let Some(name) = kept.and_then(|kept| families.contradicts(&kept.page)) {
                return Err(PushError::Inconsistent(name));
            }
            yield_now().await;
        }
        let before = self.source.state.store.get(group).and_then(|entry| entry.kept);
        let text = |kept: &Kept| kept.page.format() == Format::Text;
        let Some(Kept { page: before, .. }) = before.filter(|kept| adds && text(kept)) else {
            drop(families);
            return Ok(page);
        };
        let stays = PageFamilies::new(&before, &lent).map_err(no_room)?;
        let mut both = Incoming::new(&self.engine, &self.source);
        for (number, block) in before.text().blocks().iter().enumerate() {
            for (start, end) in stays.beside(&families, number) {
                both.write(block.filled().get(start..end).unwrap_or_default()).await;
            }
        }
        for block in page.text().blocks() {
            both.write(block.filled()).await;
        }
        drop((stays, families));
        drop(page);
        both.finish((&self.source, group), Some(Format::Text)).await
    }

    fn keep(&self, group: &Group, page: Page, asked: Option<Duration>) -> Result<usize, PushError> {
        let Some(push) = self.source.as_push() else { return Err(PushError::Closed) };
        let bytes = page.text().len();
        let store = &self.source.state.store;
        let was_refused = store.get(group).is_some_and(|entry| entry.is_refused());
        let kept = Kept {
            page: Rc::new(page),
            watched: Rc::clone(&push.watched),
            at: Instant::now(),
            from: self.peer,
        };
        store.put(group.clone(), kept, (Source::ttl(push, asked), push.plan.apps))?;
        if was_refused {
            log::info!("source \"{}\": {group}: accepted again", self.source.name());
        }
        Ok(bytes)
    }

    /// Counts and logs a push that is refused: of each group only the first in a row, and of those
    /// that have no place in the store one a minute.
    pub(crate) fn refused(&self, group: Option<&Group>, error: &PushError) {
        let stats = self.source.push_stats();
        stats.refused(error.reason());
        let Some(push) = self.source.as_push() else { return };
        let ttl = (push.plan.ttl, push.plan.apps);
        let store = &self.source.state.store;
        let (name, peer) = (self.source.name(), self.peer);
        let text: Rc<str> = error.to_string().into();
        let refused = Refused { at: Instant::now(), from: peer, why: Rc::clone(&text) };
        let before = group.and_then(|group| store.refuse(group, refused, ttl));
        stats.groups(store.len());
        let placed = group.filter(|group| store.get(group).is_some());
        let tell = match placed {
            Some(_) => before.is_none(),
            None => stats.may_complain(),
        };
        if !tell {
            return log::debug!("source \"{name}\": push from {peer} refused: {text}");
        }
        match group {
            Some(group) => log::warn!("source \"{name}\": {group} from {peer} refused: {text}"),
            None => log::warn!("source \"{name}\": push from {peer} refused: {text}"),
        }
    }
}
