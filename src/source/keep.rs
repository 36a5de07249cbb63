//! Pages that serve more than one who asks: those that are kept, and those being fetched.
//!
//! ```text
//!   scrape ──at hand──> the kept page, or why `every` has none
//!     └──else──> a fetch under way, or a new one ──> kept, where the source keeps pages
//! ```
//!
//! Of a source whose page cannot be had twice, a FIFO or a command, all who ask meanwhile share the
//! one fetch. An exporter that is not kept is asked by each for himself.

use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::Timer;

use super::flight::Flight;
use super::{Engine, Kind, Params, ScrapeError, Source};
use crate::exposition::Page;
use crate::memory::Budget;

/// What one fetch gives to all who share it.
pub(super) type Fetched = Result<Rc<Page>, Rc<ScrapeError>>;

impl Source {
    /// Blocks that a scrape is to be granted, and whether that is a guess: the most there may be.
    /// None where a page that is there, or the one being fetched, will do.
    #[must_use]
    pub fn expects(&self, params: &Params) -> (usize, bool) {
        // A run may be over by the time that blocks are granted, and the next one is not repeated.
        let shares = self.every.is_some() || self.kind() != "exec";
        let under_way = shares && self.state.flights.under_way(params).is_some();
        if under_way || self.at_hand(params).is_some() { (0, false) } else { self.needs() }
    }

    /// What there is without a fetch: a kept page, or why the last fetch of `every` failed.
    fn at_hand(&self, params: &Params) -> Option<Fetched> {
        self.keeps_for(params)?;
        if let Some(page) = self.state.kept.borrow().as_ref() {
            return Some(Ok(Rc::clone(page)));
        }
        let waits = self.every.is_none() || self.state.flights.under_way(params).is_some();
        let failed = self.state.failed.borrow();
        failed.as_ref().filter(|_| !waits).map(|error| Err(Rc::clone(error)))
    }

    /// Fetches the page by `deadline`, paid for by `budget`, or hands out the one that is kept or
    /// being fetched. `params` are of those that the source has use for.
    ///
    /// # Errors
    ///
    /// [`ScrapeError`]; it is counted already, but for [`ScrapeError::Memory`]: the caller can try
    /// again, and calls [`Source::gave_up`] when it does not.
    pub async fn scrape(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        budget: Budget,
        (params, deadline): (&Params, Instant),
    ) -> Fetched {
        if let Some(there) = self.at_hand(params) {
            return there;
        }
        let keeps = self.keeps_for(params).is_some();
        if !keeps && matches!(self.kind, Kind::Http(_)) {
            return self.fetch(engine, budget, (params, deadline)).await.map_err(Rc::new);
        }
        // One under way for `every` will do, however long it takes.
        let scheduled = self.every.filter(|_| keeps);
        let flight = scheduled.and_then(|_| self.state.flights.under_way(params));
        let flight = flight.unwrap_or_else(|| self.fly(engine, budget, (params.clone(), deadline)));
        let start = Instant::now();
        let late = || Err(Rc::new(ScrapeError::Timeout(start.elapsed())));
        flight.result_by(deadline).await.unwrap_or_else(late)
    }

    /// Joins the fetch with these parameters that is under way, or starts one.
    pub(super) fn fly(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        budget: Budget,
        (params, deadline): (Params, Instant),
    ) -> Rc<Flight<Fetched>> {
        self.state.flights.share(params.clone(), deadline, || {
            let (source, for_work) = (Rc::clone(self), Rc::clone(engine));
            Flight::start(&engine.executor, deadline, async move {
                source.fetch(&for_work, budget, (&params, deadline)).await.map_err(Rc::new)
            })
        })
    }

    /// For how long a page that was fetched with these parameters is kept, if it is.
    pub(super) fn keeps_for(&self, params: &Params) -> Option<Duration> {
        let keeps_for = self.every.map(|every| every.max_age).or(self.cache);
        keeps_for.filter(|_| params.is_empty())
    }

    /// Keeps `page` for the scrapes that come within `keep_for`, if there is room for kept pages.
    ///
    /// # Errors
    ///
    /// [`ScrapeError::NotKept`] where the page is of use only to those who come later.
    pub(super) fn keep(
        &self,
        engine: &Engine,
        mut page: Page,
        keep_for: Duration,
    ) -> Result<Rc<Page>, ScrapeError> {
        if self.epoch != self.state.epoch.get() {
            return Ok(Rc::new(page));
        }
        // The page that goes makes room for the one that comes, unless somebody reads it still.
        let before = self.state.kept.take();
        let going = before.as_ref().filter(|before| Rc::strong_count(before) == 1);
        if !page.keep(going.map(AsRef::as_ref)) {
            self.state.kept.replace(before);
            if self.every.is_some() {
                return Err(ScrapeError::NotKept);
            }
            log::warn!("source \"{}\": cannot keep its page: limits.kept is used up", self.name);
            return Ok(Rc::new(page));
        }
        let page = Rc::new(page);
        self.state.kept.replace(Some(Rc::clone(&page)));
        let state = Rc::downgrade(&self.state);
        let expiry = async move {
            Timer::after(keep_for).await;
            if let Some(state) = state.upgrade() {
                state.kept.replace(None);
            }
        };
        self.state.expiry.replace(Some(engine.executor.spawn(expiry)));
        Ok(page)
    }
}
