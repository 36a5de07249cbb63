//! Where pages come from. A source yields one [`Page`], lexed and indexed, or says why not; of an
//! exporter it also hands on the answer as it is (`pass.rs`).
//!
//! A [`Source`] is what the configuration says of it together with a [`State`] that outlives
//! reloads: what it took last time, what became of its scrapes, the page it keeps and what is under
//! way, and when it is to be fetched next.

mod body;
pub mod discover;
mod error;
#[cfg(feature = "local")]
mod exec;
#[cfg(feature = "local")]
mod file;
pub mod flight;
mod http;
mod inflating;
mod intake;
mod keep;
#[cfg(feature = "klipper")]
pub mod klipper;
mod own;
mod params;
mod pass;
#[cfg(feature = "push")]
pub mod push;
mod schedule;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::{LocalExecutor, Task, Timer};

pub use self::error::{ExecFault, FileFault, FileName, ScrapeError};
#[cfg(feature = "local")]
pub use self::exec::Children;
use self::flight::Flights;
use self::intake::Losses;
use self::keep::Fetched;
pub use self::own::{own_page, own_text};
pub use self::params::Params;
pub use self::pass::{Passed, Stream, Terms, Told};
use crate::config;
use crate::exposition::{Page, Watch};
use crate::http::fetch::Client;
use crate::limits::FIRST_BLOCKS;
#[cfg(feature = "klipper")]
use crate::limits::REPLY_MARGIN;
use crate::memory::{Admission, Budget, Pool, Want, blocks_for};
use crate::telemetry::log::Chain;
use crate::telemetry::metrics::{Metrics, Scrape, SourceStats};
#[cfg(feature = "local")]
use crate::telemetry::throttle::Throttle;
#[cfg(feature = "local")]
use crate::turns::Turns;

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
    /// Commands that run.
    #[cfg(feature = "local")]
    pub children: Rc<Children>,
    /// What is counted.
    pub metrics: Metrics,
    /// Held by each page that is being packed.
    pub packers: Rc<()>,
}

/// A configured source.
pub struct Source {
    name: Box<str>,
    kind: Kind,
    timeout: Option<Duration>,
    cache: Option<Duration>,
    every: Option<config::Every>,
    verify: bool,
    on_malformed: config::OnMalformed,
    labels: Vec<(Box<str>, Box<str>)>,
    max_bytes: usize,
    families: usize,
    watch: Watch,
    state: Rc<State>,
    /// Which of the configurations of `state` this is.
    epoch: u32,
    /// Fetches it every so often, until stopped.
    schedule: RefCell<Option<Task<()>>>,
}

/// The parameter with a further argument for a command, as in exporter_exporter.
const ARGS: &str = "args";

/// How a source is reached.
enum Kind {
    Http(http::Http),
    #[cfg(feature = "local")]
    File(file::File),
    #[cfg(feature = "local")]
    Exec(exec::Exec),
    #[cfg(feature = "klipper")]
    Klipper(klipper::Printer, config::Modules),
    #[cfg(feature = "push")]
    Push(push::Push),
}

/// What a source remembers from scrape to scrape and from configuration to configuration.
#[derive(Default)]
pub struct State {
    /// What became of its scrapes.
    pub stats: SourceStats,
    /// Blocks that its page and index took last time; 0 before the first.
    expected: Cell<usize>,
    /// The same for a page that was handed on as it came.
    expected_passed: Cell<usize>,
    /// The page that `cache` or `every` keeps.
    kept: RefCell<Option<Rc<Page>>>,
    /// Ends the time of the kept page.
    expiry: RefCell<Option<Task<()>>>,
    /// Who reads its FIFO, and who runs its command.
    #[cfg(feature = "local")]
    turns: Rc<Turns>,
    /// What its command says beside its output.
    #[cfg(feature = "local")]
    complaints: Throttle,
    /// Its last fetch took what cannot be had a second time.
    consumed: Cell<bool>,
    /// The fetches under way that others may share, by the parameters they were given.
    flights: Flights<Params, Fetched>,
    /// Counts the configurations of the source that differ.
    epoch: Cell<u32>,
    /// When `every` wants the next fetch.
    due: Cell<Option<Instant>>,
    /// Why the printer is not there, as the fetch under way found.
    #[cfg(feature = "klipper")]
    down: RefCell<Option<ScrapeError>>,
    /// Why the last fetch that `every` wanted failed, if it did.
    failed: RefCell<Option<Rc<ScrapeError>>>,
    /// What applications have brought.
    #[cfg(feature = "push")]
    store: push::Store,
}

impl State {
    /// Whether the last scrape failed. One that never sent a page is not granted the most it may send
    /// again and again: it may be down for good, and there is but one guess at a time.
    fn has_failed(&self) -> bool {
        self.stats.last().is_some_and(|last| last.failure.is_some())
    }
}

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
            #[cfg(feature = "local")]
            config::Kind::File(plan) => Kind::File(file::File::new(plan)),
            #[cfg(feature = "local")]
            config::Kind::Exec(plan) => Kind::Exec(exec::Exec::new(plan)),
            #[cfg(feature = "klipper")]
            config::Kind::Klipper(plan) => {
                Kind::Klipper(klipper::Printer::new(plan)?, plan.modules)
            }
            #[cfg(feature = "push")]
            config::Kind::Push(push) => Kind::Push(push::Push::new(push, &plan.label_names)),
        };
        #[cfg(feature = "push")]
        if !matches!(kind, Kind::Push(_)) {
            state.store.clear();
        }
        Ok(Self {
            name: plan.name.clone(),
            kind,
            timeout: plan.timeout,
            cache: plan.cache,
            every: plan.every,
            verify: plan.verify,
            on_malformed: plan.on_malformed,
            labels: plan.labels.clone(),
            max_bytes: plan.max_bytes,
            families,
            watch,
            epoch: state.epoch.get(),
            state,
            schedule: RefCell::default(),
        })
    }

    /// What a source that takes this one's place remembers; what it keeps only if it is the `same`.
    #[must_use]
    pub fn hand_over(&self, same: bool) -> Rc<State> {
        let state = &self.state;
        if !same {
            state.epoch.set(state.epoch.get().wrapping_add(1));
            state.kept.replace(None);
            state.flights.forget();
            state.due.set(None);
            state.failed.replace(None);
        }
        Rc::clone(state)
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
            #[cfg(feature = "local")]
            Kind::File(_) => "file",
            #[cfg(feature = "local")]
            Kind::Exec(_) => "exec",
            #[cfg(feature = "klipper")]
            Kind::Klipper(..) => "klipper",
            #[cfg(feature = "push")]
            Kind::Push(_) => "push",
        }
    }

    /// Where it is, for anybody to see: no query, no header, no argument, no path of ours.
    #[must_use]
    pub fn place(&self) -> &dyn fmt::Display {
        match &self.kind {
            Kind::Http(http) => http.place(),
            #[cfg(feature = "local")]
            Kind::File(file) => file.place(),
            #[cfg(feature = "local")]
            Kind::Exec(exec) => exec.place(),
            #[cfg(feature = "klipper")]
            Kind::Klipper(printer, _) => printer.place(),
            #[cfg(feature = "push")]
            Kind::Push(push) => push.place(),
        }
    }

    /// The printer that it is, and what it is asked for.
    #[cfg(feature = "klipper")]
    pub(crate) const fn printer(&self) -> Option<(&klipper::Printer, config::Modules)> {
        match &self.kind {
            Kind::Klipper(printer, modules) => Some((printer, *modules)),
            _ => None,
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

    /// Those of `params` that this source has use for.
    #[must_use]
    pub fn heeded(&self, params: &Params) -> Params {
        match &self.kind {
            Kind::Http(_) => params.clone(),
            #[cfg(feature = "local")]
            Kind::Exec(exec) if exec.takes_args() => params.only(ARGS),
            #[cfg(any(feature = "local", feature = "klipper", feature = "push"))]
            _ => Params::default(),
        }
    }

    /// Whether `params` hold arguments for a command that takes none.
    #[must_use]
    pub fn refuses(&self, params: &Params) -> bool {
        let takes_none = match &self.kind {
            #[cfg(feature = "local")]
            Kind::Exec(exec) => !exec.takes_args(),
            _ => false,
        };
        takes_none && params.values(ARGS).next().is_some()
    }

    /// Blocks that a fetch is to be granted, and whether that is a guess.
    fn needs(&self) -> (usize, bool) {
        let known = match (&self.kind, self.state.expected.get()) {
            #[cfg(feature = "local")]
            (Kind::File(file), 0) => file.expects(),
            // Few, or a slow command would hold up the first scrapes of others.
            #[cfg(feature = "local")]
            (Kind::Exec(_), 0) => Some(FIRST_BLOCKS),
            // One of many printers that is off would hold up the others.
            #[cfg(feature = "klipper")]
            (Kind::Klipper(..), 0) => Some(FIRST_BLOCKS),
            #[cfg(feature = "push")]
            (Kind::Push(_), 0) => Some(FIRST_BLOCKS),
            (Kind::Http(_), 0) if self.state.has_failed() => Some(FIRST_BLOCKS),
            (Kind::Http(_), 0) => None,
            (_, blocks) => Some(blocks),
        };
        known.map_or((blocks_for(self.max_bytes), true), |blocks| (blocks, false))
    }

    /// Fetches the page, whatever is kept, keeps it where the source keeps pages, and takes down how
    /// that went.
    async fn fetch(
        &self,
        engine: &Engine,
        budget: Budget,
        (params, deadline): (&Params, Instant),
    ) -> Result<Rc<Page>, ScrapeError> {
        let start = Instant::now();
        let deadline = self.own_deadline(start, deadline);
        let fetched = self.ask(engine, &budget, (params, deadline)).await;
        settle(&budget, &self.state.expected, fetched.as_ref().err());
        let fetched = fetched.and_then(|page| match self.keeps_for(params) {
            Some(keep_for) => self.keep(engine, page, keep_for),
            None => Ok(Rc::new(page)),
        });
        let seen = fetched.as_ref().map(|page| (Some(page.samples()), page.text().len()));
        #[cfg(feature = "push")]
        let seen = seen.map(|(samples, bytes)| {
            let (more, more_bytes) = self.pushed_sizes();
            (samples.map(|samples| samples.saturating_add(more)), bytes.saturating_add(more_bytes))
        });
        // A printer that is off has a page that says so, and counts as failed all the same.
        #[cfg(feature = "klipper")]
        let down = self.state.down.take();
        #[cfg(feature = "klipper")]
        let seen = down.as_ref().map_or(seen, Err);
        self.take_down(start.elapsed(), seen);
        fetched
    }

    /// `deadline`, or the source's own if that comes first.
    fn own_deadline(&self, start: Instant, deadline: Instant) -> Instant {
        let own = self.timeout.and_then(|timeout| start.checked_add(timeout));
        own.map_or(deadline, |own| own.min(deadline))
    }

    /// Whether a scrape with `params` for which there was no memory can be tried again: not where a
    /// FIFO was read, a command run, or parameters may have made the source do something.
    #[must_use]
    pub fn is_repeatable(&self, params: &Params) -> bool {
        let kept = self.state.kept.borrow().is_some();
        // What was consumed may have been so before a reload made it an exporter.
        let consumed = !matches!(self.kind, Kind::Http(_)) && self.state.consumed.get();
        params.is_empty() && (!consumed || kept)
    }

    /// Counts a scrape for which there was no memory, and which is not tried again.
    pub fn gave_up(&self) {
        self.note(Duration::ZERO, Err(&ScrapeError::Memory));
    }

    /// Asks for the page, and takes nothing down.
    pub(crate) async fn ask(
        &self,
        engine: &Engine,
        budget: &Budget,
        (params, deadline): (&Params, Instant),
    ) -> Result<Page, ScrapeError> {
        let work = async {
            match &self.kind {
                // Large, and one allocation beside a whole exchange is nothing.
                Kind::Http(http) => {
                    Box::pin(http.fetch(self, engine, budget, (params, deadline))).await
                }
                #[cfg(feature = "local")]
                Kind::File(file) => Box::pin(file.fetch(self, engine, budget)).await,
                #[cfg(feature = "local")]
                Kind::Exec(exec) => Box::pin(exec.fetch(self, engine, budget, params)).await,
                #[cfg(feature = "klipper")]
                Kind::Klipper(printer, modules) => {
                    let ask = self.printer_ask(*modules, deadline);
                    let answer = Box::pin(printer.ask(engine, budget, &ask)).await?;
                    self.state.down.replace(answer.down);
                    Ok(answer.page)
                }
                #[cfg(feature = "push")]
                Kind::Push(push) => push.fetch(self, budget).await,
            }
        };
        within(self.given_up(deadline), work).await
    }

    /// When a fetch is given up. A printer says itself what it has got by its deadline.
    fn given_up(&self, deadline: Instant) -> Instant {
        match self.kind {
            #[cfg(feature = "klipper")]
            Kind::Klipper(..) => {
                deadline.checked_add(REPLY_MARGIN.div_f32(2.0)).unwrap_or(deadline)
            }
            _ => deadline,
        }
    }

    /// What a printer is asked for.
    #[cfg(feature = "klipper")]
    const fn printer_ask(&self, modules: config::Modules, deadline: Instant) -> klipper::Ask<'_> {
        klipper::Ask {
            modules,
            api_key: None,
            reach: None,
            deadline,
            limit: self.max_bytes,
            families: self.families,
            watch: &self.watch,
        }
    }

    /// Takes down how a fetch went, unless there was no memory for it: it may be tried again.
    fn take_down(&self, took: Duration, seen: Result<Seen, &ScrapeError>) {
        if !seen.is_err_and(ScrapeError::is_memory) {
            self.note(took, seen);
        }
    }

    /// Counts a fetch, and logs it where it ended otherwise than the one before.
    fn note(&self, took: Duration, seen: Result<Seen, &ScrapeError>) {
        let failure = seen.err().map(ScrapeError::reason);
        let (samples, bytes) = seen.unwrap_or((Some(0), 0));
        let scrape = Scrape { at: Instant::now(), took, samples, bytes, failure };
        if let Err(error) = seen {
            self.state.stats.explain(&Chain(error));
        }
        log::debug!("source \"{}\": {bytes} bytes in {took:?}", self.name);
        let before = self.state.stats.record(scrape).map(|before| before.failure);
        match seen {
            Err(error) if before != Some(failure) => {
                log::warn!("source \"{}\": {:#}", self.name, Chain(error));
            }
            Ok(_) if before.flatten().is_some() => log::info!("source \"{}\": up again", self.name),
            _ => {}
        }
    }

    /// Takes down what a page has lost, and logs it if the one before has lost nothing.
    fn lost(&self, losses: &Losses) {
        let Losses { lines, first } = losses;
        let before = self.state.stats.dropped(*lines);
        if let Some(first) = first
            && before == 0
        {
            let name = &self.name;
            log::warn!("source \"{name}\": malformed lines dropped: {lines}, the first: {first}");
        }
    }

    /// What it remembers.
    #[cfg(feature = "local")]
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

/// What a fetch gave: samples, where they were counted, and bytes.
type Seen = (Option<usize>, usize);

/// Gives back what a fetch did not use, and remembers in `expected` what the next one needs: what
/// this one took or, where there was too little, twice as much. A scrape that was granted next to
/// nothing, since a kept page seemed to do, makes nobody ask for less.
fn settle(budget: &Budget, expected: &Cell<usize>, error: Option<&ScrapeError>) {
    let granted = budget.granted();
    budget.settle();
    match error {
        None => expected.set(budget.peak().max(1)),
        Some(ScrapeError::Memory) => {
            let twice = granted.max(1).saturating_mul(2);
            expected.set(twice.max(expected.get()));
        }
        Some(_) => {}
    }
}

/// Waits until `want` is granted.
///
/// # Errors
///
/// [`ScrapeError::Memory`] if it is not by `deadline`.
pub async fn admitted(
    engine: &Engine,
    want: Want,
    deadline: Instant,
) -> Result<Admission, ScrapeError> {
    let late = async {
        Timer::at(deadline).await;
        Err(ScrapeError::Memory)
    };
    smol::future::or(async { Ok(engine.pool.admit(want).await) }, late).await
}

/// Does `work` until `deadline`.
async fn within<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, ScrapeError>>,
) -> Result<T, ScrapeError> {
    let start = Instant::now();
    let late = async {
        Timer::at(deadline).await;
        Err(ScrapeError::Timeout(deadline.saturating_duration_since(start)))
    };
    smol::future::or(work, late).await
}
