//! The outlet `apps`: who brought pages, from where and when, how much, and how long that is good for; as
//! a table for a browser or a terminal, and as JSON.
//!
//! ```text
//!   Store::entries ──> Row ──html, json or text──> TextWriter ──> Text, block by block
//! ```
//!
//! The entries share what the store has; a row owns nothing. What was sent is shown nowhere: only
//! names, which are escaped, and why something was refused.

mod html;
mod json;
mod text;

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::negotiate::{self, Form};
use super::reply::TEXT;
use super::view::units::Age;
use super::view::{self, HTML, JSON};
use super::{Body, Refusal};
use crate::http::fields::Fields;
use crate::http::outgoing::Reply;
use crate::http::socket::Peer;
use crate::limits::FAILURE_TEXT;
use crate::source::push::{Entry, Group, Kept, Refused};
use crate::source::{Engine, Source};
use crate::telemetry::clock::since_1970;
use crate::telemetry::cut::cut;
use crate::telemetry::log::Utc;

/// The list, in the form that the request's fields prefer.
pub(super) async fn page(
    engine: &Engine,
    sources: &[Rc<Source>],
    fields: &Fields<'_>,
) -> Result<Reply<Body>, Refusal> {
    let (listed, budget) = (Listed::now(sources), &engine.reserve);
    let page = match negotiate::form(&view::accepted(fields)) {
        Form::Text => (TEXT, text::write(&listed, budget).await),
        Form::Html => (HTML, html::write(&listed, budget).await),
        Form::Json => (JSON, json::write(&listed, budget).await),
    };
    view::reply(engine, page)
}

/// What all forms tell, at one moment.
struct Listed<'a> {
    /// By source in the route's order, then in the order in which they first came.
    entries: Vec<(&'a str, Entry)>,
    now: Instant,
}

impl<'a> Listed<'a> {
    fn now(sources: &'a [Rc<Source>]) -> Self {
        let of = |source: &'a Rc<Source>| {
            let entries = source.store().map(|store| store.entries()).unwrap_or_default();
            entries.into_iter().map(|entry| (source.name(), entry))
        };
        Self { entries: sources.iter().flat_map(of).collect(), now: Instant::now() }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.entries.iter().map(|(source, entry)| Row { source, entry, now: self.now })
    }
}

/// One application or group.
struct Row<'a> {
    source: &'a str,
    entry: &'a Entry,
    now: Instant,
}

impl Row<'_> {
    /// What it sent last that was accepted.
    const fn kept(&self) -> Option<&Kept> {
        self.entry.kept.as_ref()
    }

    /// What it sent behind that and was refused.
    fn refused(&self) -> Option<&Refused> {
        self.entry.refused.as_ref().filter(|_| self.entry.is_refused())
    }

    /// Who sent last: what is kept, else what was refused.
    fn from(&self) -> Option<Peer> {
        let refused = || self.entry.refused.as_ref().map(|refused| refused.from);
        self.kept().map(|kept| kept.from).or_else(refused)
    }

    fn age(&self, at: Instant) -> Duration {
        self.now.saturating_duration_since(at)
    }

    /// Time until it is forgotten; `None` for never.
    fn left(&self) -> Option<Duration> {
        self.entry.expires.map(|expires| expires.saturating_duration_since(self.now))
    }
}

/// The application's name, or the labels of a group.
struct Name<'a>(&'a Group);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_app() {
            Some(name) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

/// The time of day at which something came.
fn utc(at: Instant) -> Utc {
    Utc(since_1970(at).as_secs())
}

/// Time that is left.
struct Left(Option<Duration>);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(left) => Age(left).fmt(f),
            None => f.write_str("for ever"),
        }
    }
}

/// Why something was refused; what is longer than [`FAILURE_TEXT`] is cut.
fn why(refused: &Refused) -> heapless::String<FAILURE_TEXT> {
    cut(&refused.why)
}
