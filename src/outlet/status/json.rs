//! The page for programs.

use std::fmt;
use std::time::Instant;

use serde::Serialize;
use smol::future::yield_now;

use super::super::view::json::{Json, seconds};
use super::{Does, Page, Seen, State, View, place};
use crate::limits::{BLOCK, HISTORY};
use crate::memory::{Budget, PageError, Text};
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
    let mut json = Json::new(budget)?;
    let written = document(&mut json, view).await;
    json.finish(written)
}

async fn document(json: &mut Json, view: &View<'_>) -> fmt::Result {
    let bytes = |blocks: usize| blocks.saturating_mul(BLOCK);
    json.open(&Head {
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
    json.raw(",\"routes\":[\n")?;
    for (number, Page { path, does }) in view.routes().enumerate() {
        json.separate(number)?;
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
            #[cfg(feature = "push")]
            Does::Apps { sources } => ("apps", sources, false, false, None),
            #[cfg(feature = "push")]
            Does::Sd => ("sd", 0, false, false, None),
        };
        json.whole(&ToldRoute { path, outlet, sources, own_metrics, strict, default })?;
    }
    json.raw("],\"sources\":[\n")?;
    for (number, seen) in view.sources.iter().enumerate() {
        json.separate(number)?;
        source(json, view, seen)?;
        yield_now().await;
    }
    #[cfg(feature = "pipe")]
    pipes(json, view).await?;
    json.raw("]}\n")
}

/// Ends the list of sources, and begins that of pipes.
#[cfg(feature = "pipe")]
async fn pipes(json: &mut Json, view: &View<'_>) -> fmt::Result {
    json.raw("],\"pipes\":[\n")?;
    for (number, pipe) in view.pipes.iter().enumerate() {
        json.separate(number)?;
        let (last, taken) = (pipe.last(), pipe.last_success());
        let failure = last.and_then(|last| last.failure);
        let error = failure.and_then(|_| pipe.last_failure());
        json.whole(&ToldPipe {
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

fn source(json: &mut Json, view: &View<'_>, seen: &Seen<'_>) -> fmt::Result {
    let Seen { source, state, last } = seen;
    let stats = source.stats();
    let error = (*state == State::Down).then(|| stats.last_failure()).flatten();
    let page = last.filter(|scrape| scrape.failure.is_none());
    let age = |at: Instant| seconds(at.elapsed());
    json.open(&ToldSource {
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
    json.raw(",\n\"history\":")?;
    let told = |attempt: Attempt| ToldAttempt {
        duration_seconds: f64::from(attempt.micros()) / 1e6,
        up: !attempt.failed(),
    };
    let history: heapless::Vec<_, HISTORY> = stats.history().into_iter().map(told).collect();
    json.whole(&*history)?;
    json.raw(",\"links\":[")?;
    for (number, link) in view.links(source).enumerate() {
        json.separate(number)?;
        json.whole(&*link.to_string())?;
    }
    json.raw("]}")
}
