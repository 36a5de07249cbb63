//! gzip of exporters, undone; in a program without the feature `gzip`, refused.

use super::ScrapeError;
#[cfg(feature = "gzip")]
use crate::http::gzip::Inflater;
#[cfg(feature = "gzip")]
use crate::limits::INFLATER_BLOCKS;
use crate::memory::Budget;
#[cfg(feature = "gzip")]
use crate::memory::Lease;

/// Inflates, and pays for what that takes.
#[cfg(feature = "gzip")]
pub(super) struct Inflating {
    inflater: Inflater,
    _lease: Lease,
}

#[cfg(feature = "gzip")]
impl Inflating {
    pub(super) fn new(budget: &Budget) -> Result<Self, ScrapeError> {
        let lease = budget.leases(INFLATER_BLOCKS)?;
        Ok(Self { inflater: Inflater::new(), _lease: lease })
    }

    /// Inflates from the front of `input` to the front of `out`; returns how much of each was used.
    /// `ended` tells that nothing comes behind `input`.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        ended: bool,
        out: &mut [u8],
    ) -> Result<(usize, usize), ScrapeError> {
        let progress = self.inflater.decode(input, ended, out).map_err(ScrapeError::Gzip)?;
        Ok((progress.used, progress.made))
    }
}

/// What there is none of.
#[cfg(not(feature = "gzip"))]
pub(super) enum Inflating {}

#[cfg(not(feature = "gzip"))]
impl Inflating {
    pub(super) fn new(_: &Budget) -> Result<Self, ScrapeError> {
        Err(ScrapeError::Encoding("gzip".into()))
    }

    pub(super) fn decode(
        &mut self,
        _: &[u8],
        _: bool,
        _: &mut [u8],
    ) -> Result<(usize, usize), ScrapeError> {
        match *self {}
    }
}
