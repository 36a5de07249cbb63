//! `every`: a source that is fetched on its own, so that whoever scrapes finds a page.
//!
//! The schedule belongs to the source and ends with it. When the next fetch is due is remembered
//! beyond that, so that a reload neither repeats a fetch nor leaves one out.

use std::rc::{Rc, Weak};
use std::time::Instant;

use smol::Timer;

use super::{Engine, Fetched, Params, ScrapeError, Source};
use crate::http::alarm::later;
use crate::memory::Want;

impl Source {
    /// Fetches the source every so often, from now on, if the configuration says so.
    pub fn start(self: &Rc<Self>, engine: &Rc<Engine>) {
        let Some(every) = self.every else { return };
        let (source, for_work) = (Rc::downgrade(self), Rc::clone(engine));
        let task = engine.executor.spawn(async move {
            while let Some(due) = source.upgrade().map(|source| source.state.due.get()) {
                if let Some(at) = due {
                    Timer::at(at).await;
                }
                let Some(source) = Weak::upgrade(&source) else { return };
                source.state.due.set(Some(later(Instant::now(), every.period)));
                let fetched = source.renew(&for_work, later(Instant::now(), every.timeout)).await;
                if source.epoch == source.state.epoch.get() {
                    source.state.failed.replace(fetched.err());
                }
            }
        });
        self.schedule.replace(Some(task));
    }

    /// Fetches the page and keeps it, for whoever asks meanwhile too.
    async fn renew(self: &Rc<Self>, engine: &Rc<Engine>, deadline: Instant) -> Fetched {
        let (blocks, guessed) = self.needs();
        let late = async {
            Timer::at(deadline).await;
            None
        };
        let admitted = async { Some(engine.pool.admit(Want { blocks, guessed }).await) };
        let Some(mut admission) = smol::future::or(admitted, late).await else {
            self.gave_up();
            return Err(Rc::new(ScrapeError::Memory));
        };
        let budget = admission.budget.split(admission.budget.granted());
        let flight = self.fly(engine, budget, (Params::default(), deadline));
        let fetched = flight.result().await;
        admission.sizes_known();
        if fetched.as_ref().is_err_and(|error| error.is_memory()) {
            self.gave_up();
        }
        fetched
    }
}
