//! The page at `/`: what this server has and how its sources are, for a person as HTML and for a
//! program as JSON.
//!
//! ```text
//!   Server, SourceStats ──View::now──> View ──html or json──> TextWriter ──> Text, block by block
//! ```
//!
//! A [`View`] borrows everything and owns one small record a source. Nothing secret can be on it: of a source it shows the
//! name, [`Source::kind`], [`Source::place`] and what scrapers are told of its failures.

mod html;
mod json;
mod sparkline;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

#[cfg(feature = "klipper")]
use super::probe::TARGET;
use super::proxy::MODULE;
use super::view::{HTML, JSON};
use super::{Body, Outlet, Refusal, Route, Server, negotiate, view};
use crate::http::fields::Fields;
use crate::http::outgoing::Reply;
use crate::limits::STATUS_PLACE;
use crate::memory::Counters;
use crate::source::{Engine, Source};
use crate::telemetry::cut::cut;
use crate::telemetry::metrics::Scrape;
#[cfg(feature = "pipe")]
use crate::telemetry::pipe::PipeStats;

/// The page, in the form that the request's fields prefer.
pub(super) async fn page(
    server: &Server,
    engine: &Engine,
    fields: &Fields<'_>,
) -> Result<Reply<Body>, Refusal> {
    let seen = View::now(server, engine);
    let page = if negotiate::prefers_json(&view::accepted(fields)) {
        (JSON, json::write(&seen, &engine.reserve).await)
    } else {
        (HTML, html::write(&seen, &engine.reserve).await)
    };
    view::reply(engine, page)
}

/// What both forms tell, at one moment.
struct View<'a> {
    server: &'a Server,
    uptime: Duration,
    blocks: Counters,
    /// Failing ones first, then those not asked yet, then the others; by name among their like.
    sources: Vec<Seen<'a>>,
    /// In the configuration's order.
    #[cfg(feature = "pipe")]
    pipes: Vec<Rc<PipeStats>>,
}

/// One source at that moment.
struct Seen<'a> {
    source: &'a Rc<Source>,
    state: State,
    last: Option<Scrape>,
}

/// How a source is; in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Its last scrape failed.
    Down,
    /// Nobody has scraped it yet.
    New,
    /// Its last scrape gave a page.
    Up,
}

impl State {
    const fn of(last: Option<&Scrape>) -> Self {
        match last {
            None => Self::New,
            Some(Scrape { failure: Some(_), .. }) => Self::Down,
            Some(_) => Self::Up,
        }
    }

    /// The same for a pipe.
    #[cfg(feature = "pipe")]
    fn of_pipe(pipe: &PipeStats) -> Self {
        match pipe.last() {
            None => Self::New,
            Some(last) if last.failure.is_some() => Self::Down,
            Some(_) => Self::Up,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::New => "new",
            Self::Up => "up",
        }
    }
}

impl<'a> View<'a> {
    fn now(server: &'a Server, engine: &Engine) -> Self {
        let seen = |source: &'a Rc<Source>| {
            let last = source.stats().last();
            Seen { source, state: State::of(last.as_ref()), last }
        };
        let mut sources: Vec<_> = server.sources.iter().map(seen).collect();
        sources.sort_by_key(|seen| (seen.state, seen.source.name()));
        let (uptime, blocks) = (engine.metrics.uptime(), engine.pool.counters());
        Self {
            server,
            uptime,
            blocks,
            sources,
            #[cfg(feature = "pipe")]
            pipes: engine.metrics.pipes(),
        }
    }

    fn count(&self, state: State) -> usize {
        self.sources.iter().filter(|seen| seen.state == state).count()
    }

    /// The server's first address; of a Unix socket the name, without its folder.
    fn server(&self) -> String {
        match self.server.name.strip_prefix("unix://").map(|path| path.rsplit('/').next()) {
            Some(name) => format!("unix:{}", name.unwrap_or_default()),
            None => self.server.name.to_string(),
        }
    }

    /// All that can be asked for here, less what is below `/-/`.
    fn routes(&self) -> impl Iterator<Item = Page<'_>> {
        let routes = self.server.routes.iter().map(Route::page);
        let own = (!routes.clone().any(|page| page.path == "/metrics"))
            .then_some(Page { path: "/metrics", does: Does::Own });
        routes.chain(own)
    }

    /// Where a source can be asked for.
    fn links<'v>(&'v self, source: &'v Rc<Source>) -> impl Iterator<Item = Link<'v>> {
        self.server.routes.iter().filter_map(|route| route.link(source))
    }
}

/// A path, and what it answers.
struct Page<'a> {
    path: &'a str,
    does: Does<'a>,
}

enum Does<'a> {
    /// The own metrics that every server has.
    Own,
    /// This many sources as one page.
    Merge { sources: usize, own: bool, strict: bool },
    /// One of this many sources at a time.
    Proxy { sources: usize, own: bool, default: Option<&'a str> },
    /// Printers, of which this many are configured.
    #[cfg(feature = "klipper")]
    Probe { sources: usize },
    /// Pages are brought there.
    #[cfg(feature = "push")]
    Receive,
    /// Pages that were brought leave there one by one.
    #[cfg(feature = "push")]
    Relay,
    /// Who brings pages to this many sources.
    #[cfg(feature = "push")]
    Apps { sources: usize },
    /// The list for Prometheus.
    #[cfg(feature = "push")]
    Sd,
}

/// A path with its query, as it stands in a URL.
#[derive(Clone, Copy)]
struct Link<'a> {
    path: &'a str,
    /// A key and a value, neither of which needs escapes: a source's name has none.
    query: Option<(&'static str, &'a str)>,
}

impl fmt::Display for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A browser takes a backslash for a slash, and two of these for another host.
        for (number, piece) in self.path.split('\\').enumerate() {
            f.write_str(if number > 0 { "%5C" } else { "" })?;
            f.write_str(piece)?;
        }
        self.query.map_or(Ok(()), |(key, value)| write!(f, "?{key}={value}"))
    }
}

impl Route {
    fn page(&self) -> Page<'_> {
        let (sources, own) = (self.sources.len(), self.own);
        let does = match &self.outlet {
            Outlet::Merge(merge) => Does::Merge { sources, own, strict: merge.is_strict() },
            Outlet::Proxy(proxy) => Does::Proxy { sources, own, default: proxy.default() },
            #[cfg(feature = "klipper")]
            Outlet::Probe(_) => Does::Probe { sources },
            #[cfg(feature = "push")]
            Outlet::Receive(_) => Does::Receive,
            #[cfg(feature = "push")]
            Outlet::Relay(_) => Does::Relay,
            #[cfg(feature = "push")]
            Outlet::Apps(_) => Does::Apps { sources },
            #[cfg(feature = "push")]
            Outlet::Sd(_) => Does::Sd,
        };
        Page { path: &self.name, does }
    }

    /// How to ask it for `source`, if it reaches that.
    fn link<'a>(&'a self, source: &'a Rc<Source>) -> Option<Link<'a>> {
        let reaches = self.sources.iter().any(|other| Rc::ptr_eq(other, source));
        let query = match &self.outlet {
            Outlet::Merge(_) => None,
            Outlet::Proxy(_) => Some((MODULE, source.name())),
            #[cfg(feature = "klipper")]
            Outlet::Probe(_) => Some((TARGET, source.name())),
            #[cfg(feature = "push")]
            Outlet::Receive(_) | Outlet::Relay(_) | Outlet::Sd(_) => return None,
            #[cfg(feature = "push")]
            Outlet::Apps(_) => None,
        };
        reaches.then_some(Link { path: &self.name, query })
    }
}

/// Where a source is; what is longer than [`STATUS_PLACE`] is cut.
fn place(source: &Source) -> heapless::String<STATUS_PLACE> {
    cut(source.place())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_nowhere_else() {
        let cases = [
            ("/metrics", None, "/metrics"),
            ("/proxy", Some(("module", "a-1.b_c")), "/proxy?module=a-1.b_c"),
            ("/\\example.com", None, "/%5Cexample.com"),
            ("/a\\\\b", None, "/a%5C%5Cb"),
        ];
        for (path, query, want) in cases {
            assert_eq!(Link { path, query }.to_string(), want);
        }
    }

    #[test]
    fn failing_sources_come_first_and_those_that_are_up_last() {
        let mut states = [State::Up, State::New, State::Down];
        states.sort_unstable();
        assert_eq!(states.map(State::word), ["down", "new", "up"]);
    }
}
