//! `every`: a source that is fetched on its own, so that whoever scrapes finds a page.
//!
//! The schedule belongs to the source and ends with it. When the next fetch is due, and the one that
//! is under way, go over to the source that takes its place: a reload neither repeats a fetch nor
//! leaves one out.

use std::rc::{Rc, Weak};
use std::time::Instant;

use smol::Timer;

use super::{Engine, Fetched, Params, ScrapeError, Source};
use crate::http::alarm::later;
use crate::limits::FIRST_RUN_BLOCKS;
use crate::memory::Want;

impl Source {
    /// Fetches the source every so often, from now on, if the configuration says so.
    pub fn start(self: &Rc<Self>, engine: &Rc<Engine>) {
        let Some(every) = self.every else { return };
        // One that the same source began before a reload.
        let mut under_way = self.state.flights.under_way(&Params::default());
        let (source, for_work) = (Rc::downgrade(self), Rc::clone(engine));
        let task = engine.executor.spawn(async move {
            while let Some(due) = source.upgrade().map(|source| source.state.due.get()) {
                if let Some(at) = due.filter(|_| under_way.is_none()) {
                    Timer::at(at).await;
                }
                let Some(source) = Weak::upgrade(&source) else { return };
                let fetched = match under_way.take() {
                    Some(flight) => flight.result().await,
                    None => {
                        let now = Instant::now();
                        source.state.due.set(Some(later(now, every.period)));
                        source.renew(&for_work, later(now, every.timeout)).await
                    }
                };
                if source.epoch == source.state.epoch.get() {
                    source.state.failed.replace(fetched.err());
                }
            }
        });
        self.schedule.replace(Some(task));
    }

    /// Ends that. A fetch under way goes on if somebody else waits for it.
    pub fn stop(&self) {
        self.schedule.replace(None);
    }

    /// Fetches the page and keeps it, for whoever asks meanwhile too.
    async fn renew(self: &Rc<Self>, engine: &Rc<Engine>, deadline: Instant) -> Fetched {
        // A guess would hold up the first scrapes of all others for as long as this takes.
        let (blocks, guessed) = self.needs();
        let blocks = if guessed { FIRST_RUN_BLOCKS } else { blocks };
        let late = async {
            Timer::at(deadline).await;
            None
        };
        let admitted = async { Some(engine.pool.admit(Want { blocks, guessed: false }).await) };
        let Some(admission) = smol::future::or(admitted, late).await else {
            self.gave_up();
            return Err(Rc::new(ScrapeError::Memory));
        };
        let budget = admission.budget.split(admission.budget.granted());
        let flight = self.fly(engine, budget, (Params::default(), deadline));
        let fetched = flight.result().await;
        if fetched.as_ref().is_err_and(|error| error.is_memory()) {
            self.gave_up();
        }
        fetched
    }
}
