//! What was pushed: one page for each application or group, until it is replaced, deleted or too old.
//!
//! The store owns the pages, and shares each with those who are reading it. It lives on when the
//! configuration changes. Times are those of the monotonic clock: boards boot in 1970.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use event_listener::Event;
use smol::Timer;

use super::group::Group;
use super::refusal::PushError;
use crate::exposition::Page;
use crate::http::socket::Peer;

/// The pages of one source.
#[derive(Default)]
pub struct Store {
    entries: RefCell<Vec<Entry>>,
    /// Told when a page comes that is good for less than all others.
    sooner: Event,
    /// When the first of them will be too old.
    next: Cell<Option<Instant>>,
    /// Groups whose pages were too old, and since when, the longest gone first. They and the others
    /// are together no more than there may be of these.
    gone: RefCell<Vec<(Group, Instant)>>,
    /// How long these are remembered, and how many groups there may be.
    remembers: Cell<(Duration, usize)>,
}

/// One application or group.
#[derive(Clone)]
pub struct Entry {
    /// Which one.
    pub group: Group,
    /// What it sent last that was accepted; `None` where nothing was so far.
    pub kept: Option<Kept>,
    /// What it sent last that was refused.
    pub refused: Option<Refused>,
    /// When all of this is forgotten; `None` for never.
    pub expires: Option<Instant>,
}

/// A page that was accepted.
#[derive(Clone)]
pub struct Kept {
    /// The page.
    pub page: Rc<Page>,
    /// The labels that it was looked through for.
    pub watched: Rc<[Box<str>]>,
    /// When it came.
    pub at: Instant,
    /// Who sent it.
    pub from: Peer,
}

/// A push that was refused.
#[derive(Clone)]
pub struct Refused {
    /// When it came.
    pub at: Instant,
    /// Who sent it.
    pub from: Peer,
    /// What was wrong with it.
    pub why: Rc<str>,
}

impl Entry {
    /// Whether the last of its pushes was refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refused
            .as_ref()
            .is_some_and(|refused| self.kept.as_ref().is_none_or(|kept| kept.at < refused.at))
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// When what is good for `ttl` from now on is too old.
fn expiry(ttl: Option<Duration>) -> Option<Instant> {
    ttl.and_then(|ttl| Instant::now().checked_add(ttl))
}

impl Store {
    /// All that are not too old, in the order in which they first came.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let now = Instant::now();
        self.entries.borrow().iter().filter(|entry| entry.is_fresh(now)).cloned().collect()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, group: &Group) -> Option<Entry> {
        let now = Instant::now();
        let entries = self.entries.borrow();
        entries.iter().find(|entry| entry.group == *group && entry.is_fresh(now)).cloned()
    }

    /// The groups that have brought a good page, and those that did and whose page became too old
    /// within `keep`, as far as they are remembered.
    #[must_use]
    pub fn known(&self, keep: Duration) -> Vec<Group> {
        let now = Instant::now();
        let is_near = |gone: Instant| now.saturating_duration_since(gone) < keep;
        let entries = self.entries.borrow();
        let there = entries.iter().filter(|entry| entry.kept.is_some());
        let there = there.filter(|entry| entry.is_fresh(now) || entry.expires.is_some_and(is_near));
        let gone = self.gone.borrow();
        let gone = gone.iter().filter(|(_, since)| is_near(*since)).map(|(group, _)| group);
        there.map(|entry| &entry.group).chain(gone).cloned().collect()
    }

    /// Remembers groups for this long after their pages became too old; `most` is how many there
    /// may be of all.
    pub fn remember(&self, keep: Duration, most: usize) {
        self.remembers.set((keep, most));
        self.forget(Instant::now());
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.borrow().is_empty()
    }

    /// Keeps a page in place of what `group` sent before. Of `most` there may be, those that never
    /// sent a good page give way.
    ///
    /// # Errors
    ///
    /// [`PushError::TooMany`]; nothing changes then.
    pub fn put(
        &self,
        group: Group,
        kept: Kept,
        (ttl, most): (Option<Duration>, usize),
    ) -> Result<(), PushError> {
        self.make_room(&group, most, true)?;
        let expires = expiry(ttl);
        let refused = self.get(&group).and_then(|before| before.refused);
        self.insert(Entry { group, kept: Some(kept), refused, expires });
        Ok(())
    }

    /// Takes down that a push was refused: of a group that is there, or of a new one if there is
    /// room. Returns what the last one was refused for, if none was accepted since.
    pub fn refuse(
        &self,
        group: &Group,
        refused: Refused,
        (ttl, most): (Option<Duration>, usize),
    ) -> Option<Rc<str>> {
        let refused = Some(refused);
        let before = self.get(group);
        let entry = match before.clone() {
            Some(before) => Entry { refused, ..before },
            None if self.make_room(group, most, false).is_err() => return None,
            None => Entry { group: group.clone(), kept: None, refused, expires: expiry(ttl) },
        };
        self.insert(entry);
        let before = before.filter(Entry::is_refused)?;
        before.refused.map(|refused| refused.why)
    }

    /// Forgets a group; whether it was there.
    pub fn delete(&self, group: &Group) -> bool {
        self.gone.borrow_mut().retain(|(gone, _)| gone != group);
        let mut entries = self.entries.borrow_mut();
        let before = entries.len();
        entries.retain(|entry| entry.group != *group);
        entries.len() < before
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.entries.borrow_mut().clear();
        self.gone.borrow_mut().clear();
    }

    /// Forgets the oldest beyond `most`.
    pub fn shrink(&self, most: usize) {
        let mut entries = self.entries.borrow_mut();
        while entries.len() > most {
            let age = |entry: &Entry| entry.kept.as_ref().map(|kept| kept.at);
            let oldest = entries.iter().enumerate().min_by_key(|(_, entry)| age(entry));
            let Some((at, _)) = oldest else { break };
            entries.remove(at);
        }
    }

    /// Whether there is room for a page of `group`, before any of it is read.
    ///
    /// # Errors
    ///
    /// [`PushError::TooMany`].
    pub fn make_room(&self, group: &Group, most: usize, good: bool) -> Result<(), PushError> {
        let mut entries = self.entries.borrow_mut();
        if entries.len() < most || entries.iter().any(|entry| entry.group == *group) {
            return Ok(());
        }
        self.drop_stale(&mut entries, Instant::now());
        if entries.len() >= most
            && good
            && let Some(bad) = entries.iter().position(|entry| entry.kept.is_none())
        {
            entries.remove(bad);
        }
        if entries.len() < most { Ok(()) } else { Err(PushError::TooMany(most)) }
    }

    fn insert(&self, entry: Entry) {
        if let Some(expires) = entry.expires
            && self.next.get().is_none_or(|next| expires < next)
        {
            self.next.set(Some(expires));
            self.sooner.notify(usize::MAX);
        }
        if entry.kept.is_some() {
            self.gone.borrow_mut().retain(|(gone, _)| *gone != entry.group);
        }
        let mut entries = self.entries.borrow_mut();
        match entries.iter_mut().find(|known| known.group == entry.group) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
        drop(entries);
        self.forget(Instant::now());
    }

    /// Forgets what is too old, for ever; `expired` is told how many, and how many are left.
    pub async fn tend(&self, expired: impl Fn(usize, usize)) {
        loop {
            let sooner = self.sooner.listen();
            match self.next.get() {
                None => sooner.await,
                Some(next) => {
                    let due = async {
                        Timer::at(next).await;
                    };
                    smol::future::or(sooner, due).await;
                }
            }
            let now = Instant::now();
            let mut entries = self.entries.borrow_mut();
            let before = entries.len();
            self.drop_stale(&mut entries, now);
            expired(before.saturating_sub(entries.len()), entries.len());
            let next = entries.iter().filter_map(|entry| entry.expires).min();
            drop(entries);
            let end = self.forget(now);
            self.next.set(next.into_iter().chain(end).min());
        }
    }

    /// Moves those that are too old to the names that are remembered.
    fn drop_stale(&self, entries: &mut Vec<Entry>, now: Instant) {
        let mut gone = self.gone.borrow_mut();
        for entry in entries.extract_if(.., |entry| !entry.is_fresh(now)) {
            if let Some(since) = entry.expires.filter(|_| entry.kept.is_some()) {
                gone.push((entry.group, since));
            }
        }
        gone.sort_by_key(|(_, since)| *since);
    }

    /// Forgets names that are remembered for long enough, and the oldest of those for which there
    /// is no room. Returns when the next is to be forgotten.
    fn forget(&self, now: Instant) -> Option<Instant> {
        let (keep, most) = self.remembers.get();
        let mut gone = self.gone.borrow_mut();
        gone.retain(|(_, since)| now.saturating_duration_since(*since) < keep);
        let room = most.saturating_sub(self.entries.borrow().len());
        let over = gone.len().saturating_sub(room);
        gone.drain(..over);
        gone.first().and_then(|(_, since)| since.checked_add(keep))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{arrival, page};
    use super::*;

    const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    fn group(name: &str) -> Group {
        Group::app(name).unwrap()
    }

    fn kept(text: &str) -> Kept {
        let arrival = arrival("");
        let page = page(&arrival, &group("a"), &[text.as_bytes()]).unwrap();
        Kept { page: Rc::new(page), watched: Rc::default(), at: Instant::now(), from: Peer::Unix }
    }

    fn refused(why: &str) -> Refused {
        Refused { at: Instant::now(), from: Peer::Unix, why: why.into() }
    }

    /// Names, each with the number of its samples, `!` where the last push was refused.
    fn names(store: &Store) -> String {
        let name = |entry: Entry| {
            let samples = entry.kept.as_ref().map(|kept| kept.page.samples().to_string());
            let mark = if entry.is_refused() { "!" } else { "" };
            let name = entry.group.as_app().unwrap_or_default();
            format!("{name}{}{mark}", samples.unwrap_or_default())
        };
        store.entries().into_iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_page_replaces_that_of_its_group_alone() {
        let store = Store::default();
        for (name, text) in [("a", "x 1"), ("b", "x 1\ny 1"), ("a", "x 1\ny 1\nz 1")] {
            store.put(group(name), kept(text), (HOUR, 2)).unwrap();
        }
        assert_eq!(names(&store), "a3 b2");
        let full = store.put(group("c"), kept("x 1"), (HOUR, 2)).unwrap_err();
        assert_eq!(full.reason(), "too_many");
        assert_eq!(names(&store), "a3 b2");
        assert!(store.delete(&group("a")) && !store.delete(&group("a")));
        store.put(group("c"), kept("x 1"), (HOUR, 2)).unwrap();
        assert_eq!(names(&store), "b2 c1");
        store.clear();
        assert!(store.is_empty());
    }

    #[test]
    fn a_refusal_leaves_the_page_and_is_told_of_once() {
        let store = Store::default();
        store.put(group("a"), kept("x 1"), (HOUR, 2)).unwrap();
        let until = store.get(&group("a")).unwrap().expires;
        assert_eq!(store.refuse(&group("a"), refused("first"), (HOUR, 2)), None);
        assert_eq!(names(&store), "a1!");
        assert_eq!(store.refuse(&group("a"), refused("then"), (HOUR, 2)).as_deref(), Some("first"));
        assert_eq!(store.get(&group("a")).unwrap().expires, until, "it lives no longer for that");
        store.put(group("a"), kept("x 1\ny 1"), (HOUR, 2)).unwrap();
        assert_eq!(names(&store), "a2");
    }

    #[test]
    fn who_never_sent_a_page_gives_way() {
        let store = Store::default();
        store.refuse(&group("bad"), refused("why"), (HOUR, 2));
        store.put(group("a"), kept("x 1"), (HOUR, 2)).unwrap();
        assert_eq!(names(&store), "bad! a1");
        store.refuse(&group("worse"), refused("why"), (HOUR, 2));
        assert_eq!(names(&store), "bad! a1", "not for another such");
        store.put(group("b"), kept("x 1"), (HOUR, 2)).unwrap();
        assert_eq!(names(&store), "a1 b1");
    }

    #[test]
    fn the_oldest_go_where_fewer_may_stay() {
        let store = Store::default();
        for name in ["a", "b", "c", "a"] {
            store.put(group(name), kept("x 1"), (HOUR, 3)).unwrap();
        }
        store.shrink(2);
        assert_eq!(names(&store), "a1 c1");
    }

    #[test]
    fn what_is_too_old_is_not_there_and_is_forgotten_when_its_time_comes() {
        let store = Store::default();
        store.put(group("gone"), kept("x 1"), (Some(Duration::ZERO), 3)).unwrap();
        store.put(group("soon"), kept("x 1"), (Some(Duration::from_millis(20)), 3)).unwrap();
        store.put(group("ever"), kept("x 1"), (None, 3)).unwrap();
        assert_eq!((names(&store).as_str(), store.len()), ("soon1 ever1", 3));
        let left = Cell::new(3);
        let forgotten = async {
            while left.get() > 1 {
                smol::future::yield_now().await;
            }
        };
        let tending = store.tend(|_, now| left.set(now));
        smol::block_on(smol::future::or(forgotten, tending));
        assert_eq!((names(&store).as_str(), store.len()), ("ever1", 1));
    }

    /// Names of ten thousand: as many stay as may, and what they have brought before.
    #[test]
    fn no_flood_of_names_takes_the_place_of_pages() {
        let store = Store::default();
        let page = kept("x 1");
        for number in 0..10_000 {
            let name = group(&format!("app{number}"));
            assert_eq!(store.put(name, page.clone(), (HOUR, 16)).is_ok(), number < 16, "{number}");
            store.refuse(&group(&format!("bad{number}")), refused("why"), (HOUR, 16));
        }
        assert!(names(&store).starts_with("app0") && store.len() == 16);
    }
}
