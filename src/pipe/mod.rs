//! Pages that go away on a timer: each pipe scrapes its sources, and sends what they gave.
//!
//! ```text
//!   Pace ──tick──> MergeOutlet ──Merged──> Body ──chunks──> the other end
//!     ^                                                        │
//!     └──────────────── how it ended, Retry-After ─────────────┘
//! ```
//!
//! A pipe is what the configuration says of it, with a state that outlives reloads. It holds a
//! page for one attempt only, and forgets it whatever became of it: the next tick sends a fresh one.
//! Each has a task of its own, so that a slow one delays nobody. Not here: when it is time (`pace.rs`)
//! and what can go wrong (`failure.rs`).

mod failure;
mod pace;

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::{Task, Timer};

use self::failure::{Failure, retry_after};
use self::pace::{End, Pace};
use crate::config::{self, Protocol, Secret};
use crate::exposition::{Emitter, Names};
use crate::http::alarm::later;
use crate::http::client::{Method, Outgoing, Redirects};
use crate::http::url::Target;
use crate::outlet::{Body, MergeOutlet, Server};
use crate::source::{Engine, Source};
use crate::telemetry::pipe::{Attempt, PipeStats};
#[cfg(feature = "tls")]
use crate::tls::client::Connector;
use crate::turns::Turns;

/// What of an attempt's time the scrape may take. What is late is left out: the rest must be sent.
const SCRAPE_SHARE: f32 = 0.75;

/// The pipes of a configuration.
#[derive(Default)]
pub struct Pipes(Vec<Rc<Pipe>>);

/// A configured pipe.
struct Pipe {
    name: Box<str>,
    merge: Rc<MergeOutlet>,
    target: Target,
    protocol: Protocol,
    timeout: Duration,
    ttl: Box<str>,
    authorization: Option<Secret>,
    #[cfg(feature = "tls")]
    tls: Option<Rc<Connector>>,
    /// For `self`: a server that tells of the sources of pipes.
    teller: Rc<Server>,
    state: Rc<State>,
    /// Its configuration is over: the attempt under way is the last.
    stopped: Cell<bool>,
    sending: Cell<bool>,
    task: RefCell<Option<Task<()>>>,
}

/// What a pipe remembers from configuration to configuration.
struct State {
    pace: Cell<Pace>,
    stats: Rc<PipeStats>,
    /// One attempt at a time, that of an older configuration included.
    turns: Rc<Turns>,
}

/// What an attempt has sent.
struct Sent {
    samples: usize,
    bytes: usize,
}

impl Pipes {
    /// The pipes that `plan` describes; what is remembered of those of the same name in `before`
    /// lives on.
    ///
    /// # Errors
    ///
    /// The name of a pipe and what is wrong with its URL; the configuration is checked before, so
    /// there is none from there.
    pub fn new(
        plan: &config::Plan,
        sources: &[Rc<Source>],
        teller: &Rc<Server>,
        before: &Self,
    ) -> Result<Self, (Box<str>, String)> {
        let pipe = |described: &config::Pipe| {
            let known = before.0.iter().find(|known| known.name == described.name);
            let state =
                known.map_or_else(|| State::new(described), |known| known.hand_over(described));
            let target = Target::parse(&described.to)
                .map_err(|error| (described.name.clone(), error.to_string()))?;
            let merge = MergeOutlet::new(&described.merge, &plan.own_labels, sources).modest();
            Ok(Rc::new(Pipe {
                name: described.name.clone(),
                merge: Rc::new(merge),
                target,
                protocol: described.protocol,
                timeout: described.timeout,
                ttl: format!("{}s", described.ttl()).into(),
                authorization: described.authorization.clone(),
                #[cfg(feature = "tls")]
                tls: connector(described).map_err(|error| (described.name.clone(), error))?,
                teller: Rc::clone(teller),
                state,
                stopped: Cell::new(false),
                sending: Cell::new(false),
                task: RefCell::default(),
            }))
        };
        plan.pipes.iter().map(pipe).collect::<Result<_, _>>().map(Self)
    }

    /// Sends, from now on, until stopped.
    pub fn start(&self, engine: &Rc<Engine>) {
        let stats = self.0.iter().map(|pipe| Rc::clone(&pipe.state.stats)).collect();
        engine.metrics.set_pipes(stats);
        for pipe in &self.0 {
            pipe.start(engine);
        }
    }

    /// Ends that. What is being sent still is.
    pub fn stop(&self) {
        for pipe in &self.0 {
            pipe.stop();
        }
    }
}

impl State {
    fn new(plan: &config::Pipe) -> Rc<Self> {
        Rc::new(Self {
            pace: Cell::new(by_chance(plan.every)),
            stats: Rc::new(PipeStats::new(&plan.name)),
            turns: Rc::default(),
        })
    }
}

/// Not in step with other boards that were switched on together.
fn by_chance(every: Duration) -> Pace {
    Pace::new(Instant::now(), every, RandomState::new().hash_one(()))
}

impl Pipe {
    fn hand_over(&self, plan: &config::Pipe) -> Rc<State> {
        if self.state.pace.get().every() != plan.every {
            self.state.pace.set(by_chance(plan.every));
        }
        Rc::clone(&self.state)
    }

    fn start(self: &Rc<Self>, engine: &Rc<Engine>) {
        let (pipe, for_work) = (Rc::clone(self), Rc::clone(engine));
        let task = engine.executor.spawn(async move {
            while !pipe.stopped.get() {
                let _turn = pipe.state.turns.take(1).await;
                Timer::at(pipe.state.pace.get().next()).await;
                pipe.sending.set(true);
                pipe.attempt(&for_work).await;
                pipe.sending.set(false);
            }
        });
        self.task.replace(Some(task));
    }

    fn stop(&self) {
        self.stopped.set(true);
        let task = self.task.take();
        if self.sending.get()
            && let Some(task) = task
        {
            task.detach();
        }
    }

    /// Sends one page, or finds out why not, and takes down how that went.
    async fn attempt(&self, engine: &Rc<Engine>) {
        let start = Instant::now();
        let deadline = later(start, self.timeout);
        let late = async {
            Timer::at(deadline).await;
            Err(Failure::Timeout(self.timeout))
        };
        let carried = smol::future::or(Box::pin(self.carry(engine, start)), late).await;
        let now = Instant::now();
        let mut pace = self.state.pace.get();
        let skipped = pace.ended(
            now,
            match &carried {
                Ok(_) => End::Sent,
                Err(failure) => failure.end(),
            },
        );
        self.state.pace.set(pace);
        self.take_down(now, now.saturating_duration_since(start), carried, skipped);
    }

    /// Counts an attempt, and logs it where it ended otherwise than the one before.
    fn take_down(&self, at: Instant, took: Duration, carried: Result<Sent, Failure>, skipped: u32) {
        let failure = carried.as_ref().err().map(Failure::key);
        let (samples, bytes) = carried.as_ref().map_or((0, 0), |sent| (sent.samples, sent.bytes));
        let stats = &self.state.stats;
        let before = stats.record(Attempt { at, took, samples, bytes, failure }, skipped);
        let before = before.map(|before| before.failure);
        let name = &self.name;
        match &carried {
            Err(error) => {
                stats.explain(error);
                if before != Some(failure) {
                    log::warn!("pipe {name:?}: {error:#}");
                }
            }
            Ok(sent) if before.is_none() => {
                log::info!("pipe {name:?}: the first page was taken (samples: {})", sent.samples);
            }
            Ok(_) if before.flatten().is_some() => {
                log::info!("pipe {name:?}: pages are taken again");
            }
            Ok(_) => {}
        }
    }

    /// Scrapes, and sends what that gave.
    async fn carry(&self, engine: &Rc<Engine>, start: Instant) -> Result<Sent, Failure> {
        let by = later(start, self.timeout.mul_f32(SCRAPE_SHARE));
        let page = self.merge.page(engine, &self.teller, ("", Names::Underscores), by).await;
        let merged = page.map_err(Failure::Scrape)?;
        let samples = merged.samples();
        let body = Body::merged(Emitter::new(merged));
        let (mut body, packed) =
            if self.merge.compresses() { body.packed(engine) } else { (body, false) };
        let mut fields = heapless::Vec::<_, 4>::new();
        let set = [
            Some(("Content-Type", Names::Underscores.content_type())),
            packed.then_some(("Content-Encoding", "gzip")),
            Some(("Transfer-Encoding", "chunked")),
            Some(("Fanin-TTL", &*self.ttl)),
        ];
        fields.extend(set.into_iter().flatten());
        let request = Outgoing {
            method: match self.protocol {
                Protocol::Put | Protocol::Pushgateway => Method::Put,
                Protocol::Import => Method::Post,
            },
            fields: &fields,
            authorization: self.authorization.as_ref().map(Secret::expose),
            accept: "*/*",
            redirects: Redirects::Never,
            #[cfg(feature = "tls")]
            tls: self.tls.as_ref(),
            ..Outgoing::get(&self.target)
        };
        let sent = engine.client.send(&request, &mut body).await;
        drop(body);
        let (mut response, bytes) = sent.map_err(|error| Failure::Fetch(error.into()))?;
        let says = response.says().await;
        if !(200..300).contains(&response.status) {
            let pause = response.retry_after.as_deref().and_then(retry_after);
            return Err(Failure::Status { status: response.status, says, pause });
        }
        Ok(Sent { samples, bytes })
    }
}

/// Whether what this pipe needs can be used: the files of its certificates, for one.
///
/// # Errors
///
/// What is wrong.
pub fn check(plan: &config::Pipe) -> Result<(), String> {
    Target::parse(&plan.to).map_err(|error| error.to_string())?;
    #[cfg(feature = "tls")]
    connector(plan)?;
    Ok(())
}

/// What speaks TLS with the other end, where the configuration has something to say about it.
#[cfg(feature = "tls")]
fn connector(plan: &config::Pipe) -> Result<Option<Rc<Connector>>, String> {
    Connector::wanted(&plan.tls).map_err(|error| error.to_string())
}
