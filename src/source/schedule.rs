//! `every`: a source that is fetched on its own, so that whoever scrapes finds a page.
//!
//! The schedule belongs to the source and ends with it. When the next fetch is due, and the one that
//! is under way, go over to the source that takes its place: a reload neither repeats a fetch nor
//! leaves one out.

use std::rc::Rc;
use std::time::Instant;

use smol::Timer;

use super::keep::Fetched;
use super::{Engine, Params, ScrapeError, Source, admitted};
use crate::config;
use crate::http::alarm::later;
use crate::limits::FIRST_BLOCKS;
use crate::memory::Want;

impl Source {
    /// Fetches the source every so often, from now on, if the configuration says so.
    pub fn start(self: &Rc<Self>, engine: &Rc<Engine>) {
        #[cfg(feature = "push")]
        if let Some(tending) = self.tend_store(engine) {
            self.schedule.replace(Some(tending));
        }
        let Some(every) = self.every else { return };
        // One that the same source began before a reload.
        let mut under_way = self.state.flights.under_way(&Params::default());
        let (source, for_work) = (Rc::clone(self), Rc::clone(engine));
        let task = engine.executor.spawn(async move {
            loop {
                let fetched = match under_way.take() {
                    Some(flight) => flight.result().await,
                    None => {
                        if let Some(at) = source.state.due.get() {
                            Timer::at(at).await;
                        }
                        source.renew(&for_work, every).await
                    }
                };
                source.state.failed.replace(fetched.err());
            }
        });
        self.schedule.replace(Some(task));
    }

    /// Ends that. A fetch under way goes on if somebody else waits for it.
    pub fn stop(&self) {
        self.schedule.replace(None);
    }

    /// Fetches the page and keeps it, for whoever asks meanwhile too. Where memory was short, it is
    /// asked for once more: the next time may be far.
    async fn renew(self: &Rc<Self>, engine: &Rc<Engine>, every: config::Every) -> Fetched {
        let start = Instant::now();
        let (deadline, params) = (later(start, every.timeout), Params::default());
        for again in [true, false] {
            // A guess would hold up the first scrapes of all others for as long as this takes.
            let (blocks, guessed) = self.needs();
            let want = Want { blocks: if guessed { FIRST_BLOCKS } else { blocks }, guessed: false };
            let admitted = admitted(engine, want, deadline).await;
            self.state.due.set(Some(later(start, every.period)));
            let Ok(admission) = admitted else { break };
            let flight = self.fly(engine, admission.budget, (params.clone(), deadline));
            match flight.result().await {
                Err(error) if error.is_memory() && again && self.is_repeatable(&params) => {}
                Err(error) if error.is_memory() => break,
                fetched => return fetched,
            }
        }
        self.gave_up();
        Err(Rc::new(ScrapeError::Memory))
    }
}
