//! What is counted of pipes.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::clock::unix_seconds;
use super::cut::cut;
use super::metrics::{Families, add};
use crate::limits::FAILURE_TEXT;

/// Reasons for which a pipe can fail; more would be a mistake in the program.
const REASONS: usize = 12;

/// What became of a pipe's attempts. Lives as long as the pipe is configured.
#[derive(Debug, Default)]
pub struct PipeStats {
    name: Box<str>,
    last: Cell<Option<Attempt>>,
    last_success: Cell<Option<Attempt>>,
    attempts: Cell<u64>,
    skipped: Cell<u64>,
    samples: Cell<u64>,
    bytes: Cell<u64>,
    failures: RefCell<heapless::LinearMap<&'static str, u64, REASONS>>,
    failure_text: RefCell<Option<Box<str>>>,
}

/// One attempt to send a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// Samples that were sent and taken.
    pub samples: usize,
    /// Bytes on the wire that they were.
    pub bytes: usize,
    /// Why it failed: one word, as `reason` of `fanin_pipe_failures_total`, and the status that was
    /// answered, if it was that.
    pub failure: Option<(&'static str, u16)>,
}

impl PipeStats {
    /// Nothing yet, of the pipe with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Takes down how an attempt ended, and how many ticks behind it are passed over. Returns the
    /// one before.
    pub fn record(&self, attempt: Attempt, skipped: u32) -> Option<Attempt> {
        add(&self.attempts, 1);
        add(&self.skipped, u64::from(skipped));
        match attempt.failure {
            None => {
                add(&self.samples, u64::try_from(attempt.samples).unwrap_or(u64::MAX));
                add(&self.bytes, u64::try_from(attempt.bytes).unwrap_or(u64::MAX));
                self.last_success.set(Some(attempt));
            }
            Some((reason, _)) => {
                let mut failures = self.failures.borrow_mut();
                let count = failures.get(reason).copied().unwrap_or(0).wrapping_add(1);
                // A map too small for the reasons there are loses the count, nothing else.
                let _ = failures.insert(reason, count);
            }
        }
        self.last.replace(Some(attempt))
    }

    /// Takes down why an attempt failed; at most [`FAILURE_TEXT`] bytes of it.
    pub fn explain(&self, error: &dyn Display) {
        self.failure_text.replace(Some(cut::<FAILURE_TEXT>(error).as_str().into()));
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last attempt, if there was one.
    #[must_use]
    pub const fn last(&self) -> Option<Attempt> {
        self.last.get()
    }

    /// The last attempt whose page was taken.
    #[must_use]
    pub const fn last_success(&self) -> Option<Attempt> {
        self.last_success.get()
    }

    /// Why the last attempt that failed did.
    #[must_use]
    pub fn last_failure(&self) -> Option<Box<str>> {
        self.failure_text.borrow().clone()
    }
}

/// Writes what there is to tell of pipes.
pub(super) fn render(pipes: &[Rc<PipeStats>], page: &mut Families<'_>) -> fmt::Result {
    if pipes.iter().all(|pipe| pipe.last().is_none()) {
        return Ok(());
    }
    let tried = || pipes.iter().filter_map(|pipe| pipe.last().map(|last| (pipe, last)));
    let name = "fanin_pipe_up";
    page.family(name, "gauge", "Whether the last page of the pipe was taken.")?;
    for (pipe, last) in tried() {
        page.sample(name, &[("pipe", &pipe.name)], u8::from(last.failure.is_none()))?;
    }
    let name = "fanin_pipe_duration_seconds";
    page.family(name, "gauge", "Time that the last attempt of the pipe took, scrape included.")?;
    for (pipe, last) in tried() {
        page.sample(name, &[("pipe", &pipe.name)], last.took.as_secs_f64())?;
    }
    type Read = fn(&PipeStats) -> u64;
    let counters: [(&str, &str, Read); 4] = [
        ("fanin_pipe_attempts_total", "Attempts to send a page.", |pipe| pipe.attempts.get()),
        ("fanin_pipe_skipped_total", "Ticks at which no page was sent.", |pipe| pipe.skipped.get()),
        ("fanin_pipe_sent_samples_total", "Samples sent and taken.", |pipe| pipe.samples.get()),
        ("fanin_pipe_sent_bytes_total", "Bytes of pages sent and taken.", |pipe| pipe.bytes.get()),
    ];
    for (name, help, read) in counters {
        page.family(name, "counter", help)?;
        for (pipe, _) in tried() {
            page.sample(name, &[("pipe", &pipe.name)], read(pipe))?;
        }
    }
    let name = "fanin_pipe_failures_total";
    page.family(name, "counter", "Attempts that failed, by reason.")?;
    for (pipe, _) in tried() {
        for (reason, count) in pipe.failures.borrow().iter() {
            page.sample(name, &[("pipe", &pipe.name), ("reason", reason)], count)?;
        }
    }
    let taken = || tried().filter_map(|(pipe, _)| pipe.last_success().map(|last| (pipe, last.at)));
    let name = "fanin_pipe_last_success_timestamp_seconds";
    page.family(name, "gauge", "When a page of the pipe was last taken.")?;
    for (pipe, at) in taken() {
        page.sample(name, &[("pipe", &pipe.name)], format_args!("{:.3}", unix_seconds(at)))?;
    }
    let name = "fanin_pipe_age_seconds";
    page.family(name, "gauge", "Time since a page of the pipe was last taken.")?;
    for (pipe, at) in taken() {
        let age = at.elapsed().as_secs_f64();
        page.sample(name, &[("pipe", &pipe.name)], format_args!("{age:.3}"))?;
    }
    Ok(())
}
