//! Where pages come from. A source yields one [`Page`], lexed and indexed, or says why not.
//!
//! A [`Source`] is what the configuration says of it together with a [`State`] that outlives
//! reloads: what it took last time, what became of its scrapes, and the page it keeps.

pub mod discover;
mod error;
mod file;
pub mod flight;
mod http;
mod own;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::{LocalExecutor, Timer};

pub use self::error::{FileFault, FileName, ScrapeError};
use self::flight::Flight;
pub use self::own::{own_page, own_text};
use crate::config;
use crate::exposition::{Page, Watch};
use crate::http::fetch::Client;
use crate::memory::{Budget, Pool, blocks_for};
use crate::telemetry::log::Chain;
use crate::telemetry::metrics::{Metrics, Scrape, SourceStats};

/// What all sources and outlets work with.
pub struct Engine {
    /// The one thread's executor.
    pub executor: Rc<LocalExecutor<'static>>,
    /// All blocks there are.
    pub pool: Pool,
    /// The share of them that no scrape can take.
    pub reserve: Budget,
    /// Connections to exporters.
    pub client: Client,
    /// What is counted.
    pub metrics: Metrics,
}

/// A configured source.
pub struct Source {
    name: Box<str>,
    kind: Kind,
    timeout: Option<Duration>,
    cache: Option<Duration>,
    labels: Vec<(Box<str>, Box<str>)>,
    max_bytes: usize,
    families: usize,
    watch: Watch,
    state: Rc<State>,
}

/// How a source is reached.
enum Kind {
    Http(http::Http),
    File(file::File),
}

/// What a source remembers from scrape to scrape and from configuration to configuration.
#[derive(Default)]
pub struct State {
    /// What became of its scrapes.
    pub stats: SourceStats,
    /// Blocks that its page and index took last time; 0 before the first.
    expected: Cell<usize>,
    /// The page that `cache` keeps.
    kept: RefCell<Option<Rc<Page>>>,
    /// Who reads its FIFO.
    turn: file::Turn,
    /// Its last fetch took what cannot be had a second time.
    consumed: Cell<bool>,
    /// The fetch under way that others may share.
    flight: RefCell<Option<std::rc::Weak<Flight<Fetched>>>>,
}

/// What one fetch gives to all who share it.
type Fetched = Result<Rc<Page>, Rc<ScrapeError>>;

impl Source {
    /// The source that `plan` describes, with what is remembered of it.
    ///
    /// # Errors
    ///
    /// Text for an address that cannot be used; the configuration is checked before, so there is
    /// none from there.
    pub fn new(plan: &config::Source, families: usize, state: Rc<State>) -> Result<Self, String> {
        let watch = Watch::new(plan.label_names.iter().map(AsRef::as_ref));
        let kind = match &plan.kind {
            config::Kind::Http(plan) => Kind::Http(http::Http::new(plan)?),
            config::Kind::File(plan) => Kind::File(file::File::new(plan)),
        };
        Ok(Self {
            name: plan.name.clone(),
            kind,
            timeout: plan.timeout,
            cache: plan.cache,
            labels: plan.labels.clone(),
            max_bytes: plan.max_bytes,
            families,
            watch,
            state,
        })
    }

    /// What a source that takes this one's place remembers; the kept page only if it is the `same`.
    #[must_use]
    pub fn hand_over(&self, same: bool) -> Rc<State> {
        if !same {
            self.state.kept.replace(None);
            self.state.flight.replace(None);
        }
        Rc::clone(&self.state)
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is reached, in a word: the key that the configuration has for it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.kind {
            Kind::Http(_) => "http",
            Kind::File(_) => "file",
        }
    }

    /// Where it is, for anybody to see: no query, no header, no path of ours.
    #[must_use]
    pub fn place(&self) -> &dyn fmt::Display {
        match &self.kind {
            Kind::Http(http) => http.place(),
            Kind::File(file) => file.place(),
        }
    }

    /// The labels that the configuration puts on its samples.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (&**name, &**value))
    }

    /// What became of its scrapes.
    #[must_use]
    pub fn stats(&self) -> &SourceStats {
        &self.state.stats
    }

    /// Blocks that a scrape is to be granted, and whether that is a guess: the most there may be.
    /// None where a kept page, or the one being fetched, will do.
    #[must_use]
    pub fn expects(&self) -> (usize, bool) {
        if self.state.kept.borrow().is_some() || self.under_way().is_some() {
            return (0, false);
        }
        let known = match (&self.kind, self.state.expected.get()) {
            (Kind::File(file), 0) => file.expects(),
            (Kind::Http(_), 0) => None,
            (_, blocks) => Some(blocks),
        };
        known.map_or((blocks_for(self.max_bytes), true), |blocks| (blocks, false))
    }

    /// Remembers that the blocks were not enough: next time it asks for twice as many. A scrape that
    /// was granted next to nothing, since a kept page seemed to do, makes nobody ask for less.
    fn wants_more(&self, had: usize) {
        let twice = had.max(1).saturating_mul(2);
        self.state.expected.set(twice.max(self.state.expected.get()));
    }

    /// Fetches the page by `deadline`, paid for by `budget`, or hands out the one that is kept or
    /// being fetched.
    ///
    /// # Errors
    ///
    /// [`ScrapeError`]; it is counted already, but for [`ScrapeError::Memory`]: the caller can try
    /// again, and calls [`Source::gave_up`] when it does not.
    pub async fn scrape(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        budget: Budget,
        deadline: Instant,
    ) -> Fetched {
        // What is read from a FIFO is there only once, so all who ask share it.
        if self.cache.is_none() && !matches!(self.kind, Kind::File(_)) {
            return self.fetch(engine, budget, deadline).await.map_err(Rc::new);
        }
        if let Some(page) = self.state.kept.borrow().as_ref() {
            return Ok(Rc::clone(page));
        }
        let shared = self.under_way().filter(|flight| flight.serves(deadline));
        let flight = shared.unwrap_or_else(|| {
            let (source, engine) = (Rc::clone(self), Rc::clone(engine));
            let executor = Rc::clone(&engine);
            let flight = Flight::start(&executor.executor, deadline, async move {
                let fetched = source.fetch(&engine, budget, deadline).await;
                let kept = |page| match source.cache {
                    Some(keep_for) => source.keep(&engine, page, keep_for),
                    None => page,
                };
                fetched.map(kept).map_err(Rc::new)
            });
            self.state.flight.replace(Some(Rc::downgrade(&flight)));
            flight
        });
        let start = Instant::now();
        let late = async {
            Timer::at(deadline).await;
            Err(Rc::new(ScrapeError::Timeout(start.elapsed())))
        };
        smol::future::or(flight.result(), late).await
    }

    /// The fetch that others can share.
    fn under_way(&self) -> Option<Rc<Flight<Fetched>>> {
        let flight = self.state.flight.borrow().as_ref().and_then(std::rc::Weak::upgrade);
        flight.filter(|flight| !flight.is_done())
    }

    /// Keeps `page` for the scrapes that come within `keep_for`, if there is room for kept pages.
    fn keep(self: &Rc<Self>, engine: &Rc<Engine>, page: Rc<Page>, keep_for: Duration) -> Rc<Page> {
        let mut page = page;
        let allowed = Rc::get_mut(&mut page).is_some_and(Page::keep);
        if !allowed {
            log::warn!("source \"{}\": cannot keep its page: limits.kept is used up", self.name);
            return page;
        }
        self.state.kept.replace(Some(Rc::clone(&page)));
        let kept = Rc::downgrade(&page);
        let state = Rc::downgrade(&self.state);
        let expiry = async move {
            Timer::after(keep_for).await;
            let Some(state) = state.upgrade() else { return };
            let same = |page: &Rc<Page>| Rc::downgrade(page).ptr_eq(&kept);
            if state.kept.borrow().as_ref().is_some_and(same) {
                state.kept.replace(None);
            }
        };
        engine.executor.spawn(expiry).detach();
        page
    }

    /// Fetches the page, whatever is kept, and takes down how that went.
    async fn fetch(
        &self,
        engine: &Engine,
        budget: Budget,
        deadline: Instant,
    ) -> Result<Rc<Page>, ScrapeError> {
        let start = Instant::now();
        let own = self.timeout.and_then(|timeout| start.checked_add(timeout));
        let deadline = own.map_or(deadline, |own| own.min(deadline));
        let fetched = self.ask(engine, &budget, deadline).await;
        let granted = budget.granted();
        budget.settle();
        match &fetched {
            Ok(_) => self.state.expected.set(budget.peak().max(1)),
            Err(ScrapeError::Memory) => self.wants_more(granted),
            Err(_) => {}
        }
        if !matches!(fetched, Err(ScrapeError::Memory)) {
            self.take_down(start.elapsed(), &fetched);
        }
        fetched.map(Rc::new)
    }

    /// Whether a scrape for which there was no memory can be tried again: not where a FIFO was read.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        !self.state.consumed.get() || self.state.kept.borrow().is_some()
    }

    /// Counts a scrape for which there was no memory, and which is not tried again.
    pub fn gave_up(&self) {
        self.take_down(Duration::ZERO, &Err(ScrapeError::Memory));
    }

    /// Asks for the page, and takes nothing down.
    pub(crate) async fn ask(
        &self,
        engine: &Engine,
        budget: &Budget,
        deadline: Instant,
    ) -> Result<Page, ScrapeError> {
        let start = Instant::now();
        let late = async {
            Timer::at(deadline).await;
            Err(ScrapeError::Timeout(deadline.saturating_duration_since(start)))
        };
        let work = async {
            match &self.kind {
                // Large, and one allocation beside a whole exchange is nothing.
                Kind::Http(http) => Box::pin(http.fetch(self, engine, budget, deadline)).await,
                Kind::File(file) => Box::pin(file.fetch(self, engine, budget)).await,
            }
        };
        smol::future::or(work, late).await
    }

    /// Counts a scrape, and logs it where it ended otherwise than the one before.
    fn take_down(&self, took: Duration, fetched: &Result<Page, ScrapeError>) {
        let failure = fetched.as_ref().err().map(ScrapeError::reason);
        let (samples, bytes) =
            fetched.as_ref().map_or((0, 0), |page| (page.samples(), page.text().len()));
        let at = Instant::now();
        let scrape = Scrape { at, took, samples: Some(samples), bytes, failure };
        if let Err(error) = fetched {
            self.state.stats.explain(&Chain(error));
        }
        log::debug!("source \"{}\": {samples} samples, {bytes} bytes in {took:?}", self.name);
        let before = self.state.stats.record(scrape).map(|before| before.failure);
        match fetched {
            Err(error) if before != Some(failure) => {
                log::warn!("source \"{}\": {:#}", self.name, Chain(error));
            }
            Ok(_) if before.flatten().is_some() => log::info!("source \"{}\": up again", self.name),
            _ => {}
        }
    }

    /// What it remembers.
    const fn state(&self) -> &Rc<State> {
        &self.state
    }

    pub(crate) const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(crate) const fn families(&self) -> usize {
        self.families
    }

    pub(crate) const fn watch(&self) -> &Watch {
        &self.watch
    }
}
