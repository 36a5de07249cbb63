//! The pool of blocks, and the budgets through which everything takes from it.
//!
//! The pool owns no memory but a few idle blocks: it is an account. A [`Budget`] is a share of it
//! promised to one scrape; a [`Lease`] is one block's worth of a budget in use, or several; a
//! [`Block`] is a lease with its bytes. All of them give back what they hold when dropped, so
//! nothing can leak while nothing is forgotten.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use super::admission::Queue;
use crate::limits::{BLOCK, IDLE_BLOCKS, LONG_BLOCK, RESERVED_BLOCKS};

/// The pool has no block left that is not promised to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limits.memory has no room left for it")
    }
}

impl std::error::Error for Full {}

/// Blocks that this many bytes take up.
#[must_use]
pub const fn blocks_for(bytes: usize) -> usize {
    bytes.div_ceil(BLOCK)
}

/// Blocks by what has become of them, for `fanin_blocks{state}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// All there are.
    pub total: usize,
    /// Holding bodies, indexes or replies, kept pages included.
    pub used: usize,
    /// Promised to scrapes that have not taken them yet.
    pub promised: usize,
    /// Neither used nor promised.
    pub free: usize,
    /// Of the used ones, those of pages kept between scrapes.
    pub kept: usize,
    /// Scrapes that wait for blocks.
    pub waiting: usize,
}

/// A fixed number of blocks, shared by everything in the program.
#[derive(Clone)]
pub struct Pool(pub(super) Rc<Shared>);

pub(super) struct Shared {
    total: usize,
    kept_limit: Cell<usize>,
    /// The sum of what all budgets were granted.
    granted: Cell<usize>,
    used: Cell<usize>,
    kept: Cell<usize>,
    idle: RefCell<Vec<Box<[u8]>>>,
    idle_long: RefCell<Option<Box<[u8]>>>,
    pub(super) queue: Queue,
    /// Told when blocks come back.
    #[cfg(feature = "push")]
    freed: event_listener::Event,
}

impl Pool {
    /// A pool of as many whole blocks as `memory` bytes hold, of which kept pages may take
    /// `kept` bytes.
    #[must_use]
    pub fn new(memory: usize, kept: usize) -> Self {
        Self(Rc::new(Shared {
            total: memory / BLOCK,
            kept_limit: Cell::new(kept / BLOCK),
            granted: Cell::new(0),
            used: Cell::new(0),
            kept: Cell::new(0),
            idle: RefCell::new(Vec::with_capacity(IDLE_BLOCKS)),
            idle_long: RefCell::default(),
            queue: Queue::new(),
            #[cfg(feature = "push")]
            freed: event_listener::Event::new(),
        }))
    }

    /// The standing budget of fanin's own metrics, health, status page and errors: the last
    /// [`RESERVED_BLOCKS`], which no scrape can take.
    #[must_use]
    pub fn reserve(&self) -> Budget {
        let reserve = self.grant(RESERVED_BLOCKS);
        // It lives as long as the program: what it took beyond its share must not stay with it.
        reserve.0.keeps.set(RESERVED_BLOCKS);
        reserve
    }

    /// A budget of nothing, which grows by what nobody was promised and gives it back at once.
    #[must_use]
    pub fn lent(&self) -> Budget {
        let lent = self.grant(0);
        lent.0.keeps.set(0);
        lent
    }

    /// As [`Pool::lent`], for a page that comes to stay: from its first block on, all that it takes
    /// counts as kept, so that pages on their way in leave to scrapes what those that are there do.
    #[must_use]
    #[cfg(feature = "push")]
    pub fn store(&self) -> Budget {
        let store = self.lent();
        store.0.stored.set(true);
        store
    }

    /// Told when a block comes back.
    #[must_use]
    #[cfg(feature = "push")]
    pub fn freed(&self) -> event_listener::EventListener {
        self.0.freed.listen()
    }

    /// What has become of all blocks.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let shared = &self.0;
        Counters {
            total: shared.total,
            used: shared.used.get(),
            promised: shared.granted.get().saturating_sub(shared.used.get()),
            free: shared.unpromised(),
            kept: shared.kept.get(),
            waiting: shared.queue.len(),
        }
    }

    /// Blocks that no budget holds.
    #[must_use]
    pub fn unpromised(&self) -> usize {
        self.0.unpromised()
    }

    /// The most that one scrape can be granted, whatever it asks for.
    #[must_use]
    pub fn largest_grant(&self) -> usize {
        self.0.total.saturating_sub(RESERVED_BLOCKS)
    }

    /// Changes what kept pages may take. Those kept already stay until they expire.
    pub fn set_kept_limit(&self, bytes: usize) {
        self.0.kept_limit.set(bytes / BLOCK);
    }

    pub(super) fn grant(&self, blocks: usize) -> Budget {
        self.0.granted.set(self.0.granted.get().saturating_add(blocks));
        Budget(Rc::new(Account {
            pool: self.clone(),
            granted: Cell::new(blocks),
            used: Cell::new(0),
            peak: Cell::new(0),
            keeps: Cell::new(usize::MAX),
            #[cfg(feature = "push")]
            stored: Cell::new(false),
        }))
    }

    fn give_back(&self, blocks: usize) {
        if blocks > 0 {
            self.0.ungrant(blocks);
            self.pump();
            #[cfg(feature = "push")]
            self.0.freed.notify(usize::MAX);
        }
    }
}

impl Shared {
    pub(super) fn kept(&self) -> usize {
        self.kept.get()
    }

    fn unpromised(&self) -> usize {
        self.total.saturating_sub(self.granted.get())
    }

    fn ungrant(&self, blocks: usize) {
        self.granted.set(self.granted.get().saturating_sub(blocks));
    }

    fn bytes(&self) -> Box<[u8]> {
        let idle = self.idle.borrow_mut().pop();
        idle.unwrap_or_else(|| fresh(BLOCK))
    }

    fn long_bytes(&self) -> Box<[u8]> {
        let idle = self.idle_long.borrow_mut().take();
        idle.unwrap_or_else(|| fresh(LONG_BLOCK.saturating_mul(BLOCK)))
    }

    /// Takes a block's bytes back: a few idle ones stay for the next scrape.
    fn recycle(&self, bytes: Box<[u8]>) {
        let mut idle = self.idle.borrow_mut();
        if bytes.len() == BLOCK && idle.len() < IDLE_BLOCKS {
            idle.push(bytes);
        } else if bytes.len() == LONG_BLOCK.saturating_mul(BLOCK) {
            self.idle_long.replace(Some(bytes));
        }
    }
}

/// Bytes for a new block. They are line feeds, since zeros cost more with musl: its `calloc` reads
/// all of them first, in case they are zero already, so the kernel maps each page twice.
fn fresh(len: usize) -> Box<[u8]> {
    vec![b'\n'; len].into_boxed_slice()
}

/// A share of the pool, held by one scrape (or one source of it).
///
/// Clones share the same budget; it ends with the last clone, lease or block.
#[derive(Clone)]
pub struct Budget(Rc<Account>);

struct Account {
    pool: Pool,
    granted: Cell<usize>,
    used: Cell<usize>,
    /// The most that was in use at once.
    peak: Cell<usize>,
    /// Blocks that stay with this budget when they are given back; those beyond go to the pool.
    keeps: Cell<usize>,
    /// What is taken counts as kept.
    #[cfg(feature = "push")]
    stored: Cell<bool>,
}

#[cfg(feature = "push")]
impl Account {
    /// Counts `blocks` more as kept, if this is a page that comes to stay and they may be.
    fn store(&self, blocks: usize) -> Result<(), Full> {
        let shared = &self.pool.0;
        let kept = shared.kept.get().saturating_add(blocks);
        if !self.stored.get() {
            return Ok(());
        }
        if kept > shared.kept_limit.get() {
            return Err(Full);
        }
        shared.kept.set(kept);
        Ok(())
    }

    /// Undoes that for blocks that have come back.
    fn unstore(&self, blocks: usize) {
        if self.stored.get() && blocks > 0 {
            let shared = &self.pool.0;
            shared.kept.set(shared.kept.get().saturating_sub(blocks));
        }
    }
}

impl Budget {
    /// One block's worth: of this budget, or else of what nobody was promised.
    ///
    /// # Errors
    ///
    /// [`Full`] when both are used up; what is held already stays as it is.
    pub fn lease(&self) -> Result<Lease, Full> {
        self.leases(1)
    }

    /// The worth of this many blocks, as one lease: all or nothing.
    ///
    /// # Errors
    ///
    /// As [`Budget::lease`].
    pub fn leases(&self, blocks: usize) -> Result<Lease, Full> {
        let account = &self.0;
        let shared = &account.pool.0;
        let used = account.used.get().saturating_add(blocks);
        let missing = used.saturating_sub(account.granted.get());
        if missing > shared.unpromised() {
            return Err(Full);
        }
        #[cfg(feature = "push")]
        account.store(blocks)?;
        shared.granted.set(shared.granted.get().saturating_add(missing));
        account.granted.set(account.granted.get().saturating_add(missing));
        account.used.set(used);
        account.peak.set(account.peak.get().max(used));
        shared.used.set(shared.used.get().saturating_add(blocks));
        Ok(Lease { account: Rc::clone(account), blocks })
    }

    /// A block, empty.
    ///
    /// # Errors
    ///
    /// As [`Budget::lease`].
    pub fn block(&self) -> Result<Block, Full> {
        let lease = self.lease()?;
        Ok(Block { bytes: self.0.pool.0.bytes(), len: 0, lease })
    }

    /// [`LONG_BLOCK`] blocks in one piece, empty: for what is moved rather than kept.
    ///
    /// # Errors
    ///
    /// As [`Budget::lease`].
    pub fn long_block(&self) -> Result<Block, Full> {
        let lease = self.leases(LONG_BLOCK)?;
        Ok(Block { bytes: self.0.pool.0.long_bytes(), len: 0, lease })
    }

    /// Moves `blocks` of what is granted and not yet used to a budget of its own; fewer if there
    /// are fewer.
    #[must_use]
    pub fn split(&self, blocks: usize) -> Self {
        let account = &self.0;
        let spare = account.granted.get().saturating_sub(account.used.get());
        let moved = blocks.min(spare);
        account.granted.set(account.granted.get().saturating_sub(moved));
        account.pool.0.ungrant(moved);
        account.pool.grant(moved)
    }

    /// Says that at most `blocks` will be used in all: the rest goes back to the pool.
    pub fn correct(&self, blocks: usize) {
        let account = &self.0;
        let surplus = account.granted.get().saturating_sub(blocks.max(account.used.get()));
        account.granted.set(account.granted.get().saturating_sub(surplus));
        account.pool.give_back(surplus);
    }

    /// Says that nothing more will be taken: what is unused goes back now, the rest block by block.
    pub fn settle(&self) {
        self.0.keeps.set(0);
        self.correct(0);
    }

    /// Blocks promised, those in use included.
    #[must_use]
    pub fn granted(&self) -> usize {
        self.0.granted.get()
    }

    /// Blocks in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.get()
    }

    /// The most blocks that were in use at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.0.peak.get()
    }

    /// Marks all that is in use as kept between scrapes, if `limits.kept` allows it beside what is
    /// kept already, less `going`: what the caller will drop at once.
    ///
    /// # Errors
    ///
    /// [`Full`] when kept pages would take more than they may; nothing is marked then.
    pub fn keep(&self, going: Option<&Kept>) -> Result<Kept, Full> {
        let shared = &self.0.pool.0;
        let blocks = self.used();
        let kept = shared.kept.get().saturating_add(blocks);
        if kept.saturating_sub(going.map_or(0, |going| going.blocks)) > shared.kept_limit.get() {
            return Err(Full);
        }
        shared.kept.set(kept);
        // Who waits for all there is waits for less now.
        self.0.pool.pump();
        Ok(Kept { pool: self.0.pool.clone(), blocks })
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.pool.give_back(self.granted.get());
    }
}

/// The right of a page to stay between scrapes; counted against `limits.kept` until dropped.
pub struct Kept {
    pool: Pool,
    blocks: usize,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let kept = &self.pool.0.kept;
        kept.set(kept.get().saturating_sub(self.blocks));
    }
}

/// One block's worth of a budget, or several, in use until dropped.
pub struct Lease {
    account: Rc<Account>,
    blocks: usize,
}

impl Lease {
    /// Gives back what it stands for; only for what takes its room with something else.
    #[cfg(feature = "push")]
    pub(super) fn shed(&mut self) {
        self.give_back();
        self.blocks = 0;
    }

    fn give_back(&self) {
        let account = &self.account;
        account.used.set(account.used.get().saturating_sub(self.blocks));
        let shared = &account.pool.0;
        shared.used.set(shared.used.get().saturating_sub(self.blocks));
        let granted = account.granted.get();
        let surplus = granted.saturating_sub(account.keeps.get()).min(self.blocks);
        account.granted.set(granted.saturating_sub(surplus));
        #[cfg(feature = "push")]
        account.unstore(self.blocks);
        account.pool.give_back(surplus);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// 16 KiB of the pool, or [`LONG_BLOCK`] times as much, filled from the front.
pub struct Block {
    bytes: Box<[u8]>,
    len: usize,
    lease: Lease,
}

impl Block {
    /// What has been written.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// What can still be written.
    pub fn spare(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    /// Counts `n` bytes of [`Block::spare`] as written; never more than there are.
    pub fn advance(&mut self, n: usize) {
        self.len = self.len.saturating_add(n).min(self.bytes.len());
    }

    /// Forgets what was written after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends as much of `data` as there is room for; returns how much that was.
    pub fn append(&mut self, data: &[u8]) -> usize {
        let spare = self.spare();
        let n = data.len().min(spare.len());
        if let (Some(to), Some(from)) = (spare.get_mut(..n), data.get(..n)) {
            to.copy_from_slice(from);
        }
        self.advance(n);
        n
    }

    /// Copies `bytes` of what was written to `to`, which lies before them, over what is there: so
    /// that a caller can close gaps as it goes, and [`Block::truncate`] what is left at the end.
    /// Nothing happens where either is not within what was written.
    pub fn shift(&mut self, bytes: Range<usize>, to: usize) {
        let good = to < bytes.start && bytes.start < bytes.end && bytes.end <= self.len;
        if good && let Some(filled) = self.bytes.get_mut(..self.len) {
            filled.copy_within(bytes, to);
        }
    }

    /// Gives the memory behind [`Block::spare`] back to the system; for pages that stay.
    pub fn trim(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        bytes.truncate(self.len);
        self.bytes = bytes.into_boxed_slice();
    }

    /// What pays for it.
    #[cfg(feature = "push")]
    pub(super) const fn lease(&mut self) -> &mut Lease {
        &mut self.lease
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.lease.account.pool.0.recycle(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shifted_within_what_was_written() {
        let cases: [(&str, Range<usize>, usize, &str); 7] = [
            ("over a gap", 4..6, 1, "aefdefgh"),
            ("over themselves", 1..8, 0, "bcdefghh"),
            ("to where they are", 3..6, 3, "abcdefgh"),
            ("none", 5..5, 1, "abcdefgh"),
            ("forwards", 1..3, 4, "abcdefgh"),
            ("beyond the end", 6..9, 0, "abcdefgh"),
            ("far beyond it", usize::MAX - 1..usize::MAX, 0, "abcdefgh"),
        ];
        for (name, bytes, to, want) in cases {
            let mut block = Pool::new(BLOCK, 0).reserve().block().unwrap();
            block.append(b"abcdefgh");
            block.shift(bytes, to);
            assert_eq!(str::from_utf8(block.filled()), Ok(want), "{name}");
        }
    }
}
