//! What is counted of pages that applications bring.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::{Duration, Instant};

use super::metrics::{Families, SourceStats};

/// Reasons for which a push can be refused; more would be a mistake in the program.
const REASONS: usize = 24;

/// Time between two lines of the log on pushes that belong to no group.
const QUIET: Duration = Duration::from_secs(60);

/// What became of a source's pushes.
#[derive(Debug, Default)]
pub struct PushStats {
    /// Whether it is a source for pushes at all.
    listens: Cell<bool>,
    groups: Cell<usize>,
    connections: Cell<usize>,
    accepted: Cell<u64>,
    bytes: Cell<u64>,
    expired: Cell<u64>,
    refused: RefCell<heapless::LinearMap<&'static str, u64, REASONS>>,
    complained: Cell<Option<Instant>>,
}

fn add(cell: &Cell<u64>, n: usize) {
    cell.set(cell.get().wrapping_add(u64::try_from(n).unwrap_or(u64::MAX)));
}

impl PushStats {
    /// It takes pushes.
    pub fn listens(&self) {
        self.listens.set(true);
    }

    /// There are so many applications and groups now.
    pub fn groups(&self, groups: usize) {
        self.groups.set(groups);
    }

    /// A connection to one of its addresses begins.
    pub fn connected(&self) {
        self.connections.set(self.connections.get().saturating_add(1));
    }

    /// One has ended.
    pub fn disconnected(&self) {
        self.connections.set(self.connections.get().saturating_sub(1));
    }

    /// A page of so many bytes was accepted.
    pub fn accepted(&self, bytes: usize) {
        add(&self.accepted, 1);
        add(&self.bytes, bytes);
    }

    /// So many groups were too old.
    pub fn expired(&self, groups: usize) {
        add(&self.expired, groups);
    }

    /// A push was refused, for this reason.
    pub fn refused(&self, reason: &'static str) {
        let mut refused = self.refused.borrow_mut();
        let count = refused.get(reason).copied().unwrap_or(0).wrapping_add(1);
        // A map too small for the reasons there are loses the count, nothing else.
        let _ = refused.insert(reason, count);
    }

    /// Whether the log has not told of a refusal for a while; then it may.
    pub fn may_complain(&self) -> bool {
        let now = Instant::now();
        let quiet = self.complained.get().is_none_or(|last| now.duration_since(last) >= QUIET);
        if quiet {
            self.complained.set(Some(now));
        }
        quiet
    }
}

/// Writes what there is to tell of sources for pushes.
pub(super) fn render(sources: &[(&str, &SourceStats)], page: &mut Families<'_>) -> fmt::Result {
    let of_pushes = || {
        let all = sources.iter().map(|(name, stats)| (*name, &stats.push));
        all.filter(|(_, push)| push.listens.get())
    };
    if of_pushes().next().is_none() {
        return Ok(());
    }
    type Read = fn(&PushStats) -> u64;
    let families: [(&str, &str, &str, Read); 5] = [
        ("fanin_push_groups", "gauge", "Applications and groups that are known.", |push| {
            u64::try_from(push.groups.get()).unwrap_or(u64::MAX)
        }),
        ("fanin_push_connections", "gauge", "Connections to the source's addresses.", |push| {
            u64::try_from(push.connections.get()).unwrap_or(u64::MAX)
        }),
        ("fanin_push_accepted_total", "counter", "Pushed pages that were accepted.", |push| {
            push.accepted.get()
        }),
        ("fanin_push_bytes_total", "counter", "Bytes of these pages.", |push| push.bytes.get()),
        (
            "fanin_push_expired_total",
            "counter",
            "Applications and groups that were forgotten for their age.",
            |push| push.expired.get(),
        ),
    ];
    for (name, kind, help, read) in families {
        page.family(name, kind, help)?;
        for (source, push) in of_pushes() {
            page.sample(name, &[("source", source)], read(push))?;
        }
    }
    let name = "fanin_push_refused_total";
    if of_pushes().any(|(_, push)| !push.refused.borrow().is_empty()) {
        page.family(name, "counter", "Pushes that were refused, by reason.")?;
    }
    for (source, push) in of_pushes() {
        for (reason, count) in push.refused.borrow().iter() {
            page.sample(name, &[("source", source), ("reason", reason)], count)?;
        }
    }
    Ok(())
}
