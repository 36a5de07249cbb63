//! Pages that leave packed with gzip: packed as they leave, so that none is held twice.
//!
//! Packing takes [`DEFLATER_BLOCKS`] and one block for what is to be packed next. It is a favour: where
//! there is no room for it, or [`PACKERS`] pages are being packed already, a page leaves as it is.

use std::rc::Rc;

#[cfg(feature = "gzip")]
use crate::http::gzip::Deflater;
#[cfg(feature = "gzip")]
use crate::limits::{DEFLATER_BLOCKS, PACKERS};
use crate::memory::Budget;
#[cfg(feature = "gzip")]
use crate::memory::{Block, Lease};

/// Packs one page.
#[cfg(feature = "gzip")]
pub(super) struct Packing {
    deflater: Box<Deflater>,
    input: Block,
    /// Bytes of `input` that are packed.
    used: usize,
    /// Nothing comes behind `input`.
    ended: bool,
    _lease: Lease,
    _seat: Rc<()>,
}

#[cfg(feature = "gzip")]
impl Packing {
    /// One of the few that may be under way, paid for by `budget`; `seats` is what all of them hold
    /// on to. `None` where there is no room.
    pub(super) fn new(seats: &Rc<()>, budget: &Budget) -> Option<Self> {
        // `seats` itself counts as one.
        if Rc::strong_count(seats) > PACKERS {
            return None;
        }
        let lease = budget.leases(DEFLATER_BLOCKS).ok()?;
        let input = budget.block().ok()?;
        let deflater = Box::new(Deflater::new());
        let seat = Rc::clone(seats);
        Some(Self { deflater, input, used: 0, ended: false, _lease: lease, _seat: seat })
    }

    /// Packs what `next` writes to the front of the room it is given (0 at the end) into `out`;
    /// returns how many bytes that made. 0 for a step that made none yet, unless [`Packing::is_done`].
    pub(super) fn step(&mut self, out: &mut [u8], next: impl FnOnce(&mut [u8]) -> usize) -> usize {
        if self.used >= self.input.filled().len() && !self.ended {
            self.input.truncate(0);
            self.used = 0;
            let n = next(self.input.spare());
            self.input.advance(n);
            self.ended = n == 0;
        }
        let rest = self.input.filled().get(self.used..).unwrap_or_default();
        let progress = self.deflater.encode(rest, self.ended, out);
        self.used = self.used.saturating_add(progress.used);
        progress.made
    }

    /// Whether all has left.
    pub(super) fn is_done(&self) -> bool {
        self.deflater.is_done()
    }
}

/// What there is none of.
#[cfg(not(feature = "gzip"))]
pub(super) enum Packing {}

#[cfg(not(feature = "gzip"))]
impl Packing {
    pub(super) fn new(_: &Rc<()>, _: &Budget) -> Option<Self> {
        None
    }

    pub(super) fn step(&mut self, _: &mut [u8], _: impl FnOnce(&mut [u8]) -> usize) -> usize {
        match *self {}
    }

    pub(super) fn is_done(&self) -> bool {
        match *self {}
    }
}

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use super::*;
    use crate::limits::BLOCK;
    use crate::memory::Pool;

    #[test]
    fn two_pages_are_packed_at_once_where_there_is_room() {
        let (seats, blocks) = (Rc::new(()), DEFLATER_BLOCKS + 1);
        let pool = Pool::new(3 * blocks * BLOCK, 0);
        let budget = pool.reserve();
        let one = Packing::new(&seats, &budget);
        let two = Packing::new(&seats, &budget);
        assert!(one.is_some() && two.is_some());
        assert!(Packing::new(&seats, &budget).is_none(), "two are enough");
        drop(one);
        let small = Pool::new(DEFLATER_BLOCKS * BLOCK, 0).reserve();
        assert!(Packing::new(&seats, &small).is_none(), "no room for its input");
        assert_eq!(small.used(), 0);
        assert!(Packing::new(&seats, &budget).is_some());
    }
}
