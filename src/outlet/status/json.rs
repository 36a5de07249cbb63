//! The page for programs. Its field names are part of the interface, and the README tells them.
//!
//! A document of any length is written in pieces. Each is made in one block and copied from there,
//! and each ends its line, so that the page's blocks hold whole lines.

use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use serde::Serialize;
use smol::future::yield_now;

use super::{Does, Page, Seen, State, View, place};
use crate::limits::{BLOCK, DEFAULT_BODY, HISTORY};
use crate::memory::{Block, Budget, PageError, Text, TextWriter};
use crate::telemetry::metrics::Attempt;

#[derive(Serialize)]
struct Head<'a> {
    version: &'a str,
    uptime_seconds: u64,
    server: &'a str,
    memory: Memory,
}

#[derive(Serialize)]
struct Memory {
    total_bytes: usize,
    used_bytes: usize,
    promised_bytes: usize,
    kept_bytes: usize,
    scrapes_waiting: usize,
}

#[derive(Serialize)]
struct ToldRoute<'a> {
    path: &'a str,
    outlet: &'static str,
    sources: usize,
    own_metrics: bool,
    strict: bool,
    default: Option<&'a str>,
}

/// A source, less what follows: `history` and `links`.
#[derive(Serialize)]
struct ToldSource<'a> {
    name: &'a str,
    kind: &'a str,
    place: &'a str,
    state: &'a str,
    reason: Option<&'a str>,
    error: Option<&'a str>,
    age_seconds: Option<f64>,
    duration_seconds: Option<f64>,
    samples: Option<usize>,
    bytes: Option<usize>,
    last_success_age_seconds: Option<f64>,
}

#[cfg(feature = "pipe")]
#[derive(Serialize)]
struct ToldPipe<'a> {
    name: &'a str,
    state: &'a str,
    reason: Option<&'a str>,
    error: Option<&'a str>,
    duration_seconds: Option<f64>,
    samples: Option<usize>,
    bytes: Option<usize>,
    last_success_age_seconds: Option<f64>,
}

#[derive(Serialize)]
struct ToldAttempt {
    duration_seconds: f64,
    up: bool,
}

/// Writes the document.
///
/// # Errors
///
/// [`PageError`] where there is no room for it.
pub(super) async fn write(view: &View<'_>, budget: &Budget) -> Result<Text, PageError> {
    let out = TextWriter::new(budget.clone(), DEFAULT_BODY);
    let mut json = Json { out, piece: budget.block()? };
    let written = json.document(view).await;
    json.out.finish(written)
}

struct Json {
    out: TextWriter,
    /// Where pieces are made.
    piece: Block,
}

impl Json {
    async fn document(&mut self, view: &View<'_>) -> fmt::Result {
        let bytes = |blocks: usize| blocks.saturating_mul(BLOCK);
        self.open(&Head {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: view.uptime.as_secs(),
            server: &view.server(),
            memory: Memory {
                total_bytes: bytes(view.blocks.total),
                used_bytes: bytes(view.blocks.used),
                promised_bytes: bytes(view.blocks.promised),
                kept_bytes: bytes(view.blocks.kept),
                scrapes_waiting: view.blocks.waiting,
            },
        })?;
        self.out.write_str(",\"routes\":[\n")?;
        for (number, Page { path, does }) in view.routes().enumerate() {
            self.separate(number)?;
            let (outlet, sources, own_metrics, strict, default) = match does {
                Does::Own => ("self", 0, true, false, None),
                Does::Merge { sources, own, strict } => ("merge", sources, own, strict, None),
                Does::Proxy { sources, own, default } => ("proxy", sources, own, false, default),
                #[cfg(feature = "klipper")]
                Does::Probe { sources } => ("probe", sources, false, false, None),
                #[cfg(feature = "push")]
                Does::Receive => ("receive", 1, false, false, None),
                #[cfg(feature = "push")]
                Does::Relay => ("relay", 1, false, false, None),
            };
            self.whole(&ToldRoute { path, outlet, sources, own_metrics, strict, default })?;
        }
        self.out.write_str("],\"sources\":[\n")?;
        for (number, seen) in view.sources.iter().enumerate() {
            self.separate(number)?;
            self.source(view, seen)?;
            yield_now().await;
        }
        #[cfg(feature = "pipe")]
        self.pipes(view).await?;
        self.out.write_str("]}\n")
    }

    /// Ends the list of sources, and begins that of pipes.
    #[cfg(feature = "pipe")]
    async fn pipes(&mut self, view: &View<'_>) -> fmt::Result {
        self.out.write_str("],\"pipes\":[\n")?;
        for (number, pipe) in view.pipes.iter().enumerate() {
            self.separate(number)?;
            let (last, taken) = (pipe.last(), pipe.last_success());
            let failure = last.and_then(|last| last.failure);
            let error = failure.and_then(|_| pipe.last_failure());
            self.whole(&ToldPipe {
                name: pipe.name(),
                state: State::of_pipe(pipe).word(),
                reason: failure.map(|(reason, _)| reason),
                error: error.as_deref(),
                duration_seconds: last.map(|last| seconds(last.took)),
                samples: taken.map(|taken| taken.samples),
                bytes: taken.map(|taken| taken.bytes),
                last_success_age_seconds: taken.map(|taken| seconds(taken.at.elapsed())),
            })?;
            yield_now().await;
        }
        Ok(())
    }

    fn source(&mut self, view: &View<'_>, seen: &Seen<'_>) -> fmt::Result {
        let Seen { source, state, last } = seen;
        let stats = source.stats();
        let error = (*state == State::Down).then(|| stats.last_failure()).flatten();
        let page = last.filter(|scrape| scrape.failure.is_none());
        let age = |at: Instant| seconds(at.elapsed());
        self.open(&ToldSource {
            name: source.name(),
            kind: source.kind(),
            place: &place(source),
            state: state.word(),
            reason: last.and_then(|scrape| scrape.failure),
            error: error.as_deref(),
            age_seconds: last.map(|scrape| age(scrape.at)),
            duration_seconds: last.map(|scrape| seconds(scrape.took)),
            samples: page.and_then(|scrape| scrape.samples),
            bytes: page.map(|scrape| scrape.bytes),
            last_success_age_seconds: stats.last_success().map(age),
        })?;
        self.out.write_str(",\n\"history\":")?;
        let told = |attempt: Attempt| ToldAttempt {
            duration_seconds: f64::from(attempt.micros()) / 1e6,
            up: !attempt.failed(),
        };
        let history: heapless::Vec<_, HISTORY> = stats.history().into_iter().map(told).collect();
        self.whole(&*history)?;
        self.out.write_str(",\"links\":[")?;
        for (number, link) in view.links(source).enumerate() {
            self.separate(number)?;
            self.whole(&*link.to_string())?;
        }
        self.out.write_str("]}")
    }

    /// A comma between the members of a list.
    fn separate(&mut self, number: usize) -> fmt::Result {
        self.out.write_str(if number > 0 { "," } else { "" })
    }

    /// Writes a value, and ends the line.
    fn whole(&mut self, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        let text = piece(&mut self.piece, value)?;
        self.out.write_str(text)?;
        self.out.write_str("\n")
    }

    /// Writes an object to which further fields are added.
    fn open(&mut self, value: &impl Serialize) -> fmt::Result {
        let text = piece(&mut self.piece, value)?;
        self.out.write_str(text.strip_suffix('}').ok_or(fmt::Error)?)
    }
}

/// Makes a value's text in `block`, which stays empty.
fn piece<'b>(
    block: &'b mut Block,
    value: &(impl Serialize + ?Sized),
) -> Result<&'b str, fmt::Error> {
    let room = block.spare();
    let used = serde_json_core::to_slice(value, room).map_err(|_| fmt::Error)?;
    room.get(..used).and_then(|text| str::from_utf8(text).ok()).ok_or(fmt::Error)
}

/// Seconds, to the microsecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
