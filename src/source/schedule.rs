//! `every`: a source that is fetched on its own, so that whoever scrapes finds a page.
//!
//! The schedule belongs to the source and ends when a reload takes the source out of use, though
//! requests under way may still hold it. When the next fetch is due is remembered beyond that, and a
//! fetch under way is taken over by the source that is the same, so that a reload neither repeats a
//! fetch nor leaves one out. Of a source that has changed or is gone, it ends.

use std::rc::Rc;
use std::time::Instant;

use smol::Timer;

use super::flight::Flight;
use super::{Engine, Fetched, Kind, Params, ScrapeError, Source};
use crate::config::Every;
use crate::http::alarm::later;
use crate::limits::FIRST_RUN_BLOCKS;
use crate::memory::Want;

impl Source {
    /// Fetches the source every so often, from now on, if the configuration says so.
    pub fn start(self: &Rc<Self>, engine: &Rc<Engine>) {
        let Some(every) = self.every else { return };
        let begun = self.state.flights.under_way(&Params::default());
        let (source, for_work) = (Rc::downgrade(self), Rc::clone(engine));
        let task = engine.executor.spawn(async move {
            if let Some(flight) = begun
                && let Some(source) = source.upgrade()
            {
                source.take_over(&flight).await;
            }
            while let Some(due) = source.upgrade().map(|source| source.state.due.get()) {
                if let Some(at) = due {
                    Timer::at(at).await;
                }
                let Some(source) = source.upgrade() else { return };
                let fetched = source.renew(&for_work, every).await;
                source.state.failed.replace(fetched.err());
            }
        });
        self.schedule.replace(Some(task));
    }

    /// Ends the schedule: the sources that come after this one are started.
    pub fn retire(&self) {
        self.schedule.replace(None);
    }

    /// Waits for a fetch that the schedule before this one has begun.
    async fn take_over(&self, flight: &Flight<Fetched>) {
        let fetched = flight.result().await;
        if fetched.as_ref().is_err_and(|error| error.is_memory()) {
            self.gave_up();
        }
        self.state.failed.replace(fetched.err());
    }

    /// Fetches the page and keeps it, for whoever asks meanwhile too. What was granted too little is
    /// fetched once more, but no command is run again.
    async fn renew(self: &Rc<Self>, engine: &Rc<Engine>, every: Every) -> Fetched {
        let now = Instant::now();
        let (deadline, next) = (later(now, every.timeout), later(now, every.period));
        let is_short = |fetched: &Fetched| fetched.as_ref().is_err_and(|error| error.is_memory());
        let mut fetched = self.fetch_to_keep(engine, deadline, next).await;
        if is_short(&fetched) && matches!(self.kind, Kind::Http(_)) && Instant::now() < deadline {
            fetched = self.fetch_to_keep(engine, deadline, next).await;
        }
        self.state.due.set(Some(next));
        if is_short(&fetched) {
            self.gave_up();
        }
        fetched
    }

    /// Fetches it once, when there is memory for that; the fetch after it is due at `next`.
    async fn fetch_to_keep(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        deadline: Instant,
        next: Instant,
    ) -> Fetched {
        // A guess would hold up those of all others for as long as this may take, which is long.
        let blocks = match self.needs() {
            (blocks, true) => blocks.min(FIRST_RUN_BLOCKS),
            (blocks, false) => blocks,
        };
        let late = async {
            Timer::at(deadline).await;
            None
        };
        let want = Want { blocks, guessed: false };
        let admitted = async { Some(engine.pool.admit(want).await) };
        let Some(admission) = smol::future::or(admitted, late).await else {
            return Err(Rc::new(ScrapeError::Memory));
        };
        // Not before: a reload that comes while it waits for memory must not leave it out.
        self.state.due.set(Some(next));
        let flight = self.fly(engine, admission.budget, (Params::default(), deadline));
        flight.result().await
    }
}
