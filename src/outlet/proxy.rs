//! The `proxy` outlet: one of many sources at a time, chosen by `?module=`, its page as it is.
//!
//! An exporter's answer is checked whole before its first byte leaves, or, with `verify: false`,
//! handed on as it comes. Files, scripts and kept pages were read before, as for a merge.

use std::rc::Rc;
use std::time::Instant;

#[cfg(feature = "push")]
use super::negotiate;
use super::negotiate::accepts_gzip;
use super::{Body, Refusal, Server, admitted, packed};
use crate::config::{self, did_you_mean};
use crate::http::fields::Fields;
use crate::http::outgoing::Reply;
use crate::limits::LONG_BLOCK;
use crate::memory::{Admission, Want};
use crate::source::flight::{Flight, Flights};
use crate::source::{Engine, Params, Passed, ScrapeError, Source, Terms, Told};
use crate::telemetry::log::Chain;

/// The parameter that names the source, as in exporter_exporter.
pub(super) const MODULE: &str = "module";

/// A proxy as configured.
pub struct ProxyOutlet {
    members: Vec<Member>,
    default: Option<usize>,
    compress: bool,
    /// Answers that are being fetched whole, by the member's number and what is asked of it.
    flights: Flights<(usize, Terms), Outcome>,
}

enum Member {
    Own,
    Source(Rc<Source>),
}

impl Member {
    fn name(&self) -> &str {
        match self {
            Self::Own => "self",
            Self::Source(source) => source.name(),
        }
    }
}

/// A whole answer, or why there is none.
type Outcome = Result<Rc<Passed>, Refusal>;

impl ProxyOutlet {
    /// The outlet that `plan` describes, of these sources.
    #[must_use]
    pub fn new(plan: &config::Proxy, sources: &[Rc<Source>]) -> Self {
        let member = |member: &config::Member| match *member {
            config::Member::Own => Some(Member::Own),
            config::Member::Source(number) => sources.get(number).cloned().map(Member::Source),
        };
        let default = plan.default.and_then(|it| plan.members.iter().position(|one| *one == it));
        let members = plan.members.iter().filter_map(member).collect();
        Self { members, default, compress: plan.compress, flights: Flights::default() }
    }

    /// The name of the one for requests that name none.
    #[must_use]
    pub fn default(&self) -> Option<&str> {
        self.default.and_then(|number| self.members.get(number)).map(Member::name)
    }

    /// Answers a request with this query, by `deadline`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] says what the scraper is answered instead.
    pub async fn answer(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        server: &Server,
        (query, fields): (&str, &Fields<'_>),
        deadline: Instant,
    ) -> Result<Reply<Body>, Refusal> {
        let (module, params) = Params::take_first(query, MODULE);
        let number = self.choose(module.as_deref())?;
        let Some(Member::Source(source)) = self.members.get(number) else {
            return server.own(engine);
        };
        if source.refuses(&params) {
            let text = format!("source \"{}\" takes no args: allow_args is false", source.name());
            return Err(Refusal::new(400, text));
        }
        let params = source.heeded(&params);
        if !source.passes(&params) {
            let reply = self.scraped(engine, source, (&params, deadline), fields).await?;
            return Ok(if self.compress { packed(reply, engine, fields) } else { reply });
        }
        let gzip = accepts_gzip(&fields.joined("Accept-Encoding"));
        let terms = source.terms(params, &fields.joined("Accept"), gzip);
        if !source.verifies() {
            return stream(engine, source, (&terms, deadline)).await;
        }
        let flight = self.flights.share((number, terms.clone()), deadline, || {
            let (source, for_work) = (Rc::clone(source), Rc::clone(engine));
            Flight::start(&engine.executor, deadline, async move {
                whole(&for_work, &source, (&terms, deadline)).await.map(Rc::new)
            })
        });
        let start = Instant::now();
        // One with more time may have begun it.
        let late = || Err(refusal(engine, source, &ScrapeError::Timeout(start.elapsed())));
        let passed = flight.result_by(deadline).await.unwrap_or_else(late)?;
        Ok(reply(&passed.told, Body::passed(Rc::clone(&passed))))
    }

    /// The number of the member that a request means.
    fn choose(&self, module: Option<&str>) -> Result<usize, Refusal> {
        let names = self.members.iter().map(Member::name);
        match module {
            Some(wanted) => names.clone().position(|name| name == wanted).ok_or_else(|| {
                let names: Vec<&str> = names.collect();
                let hint = did_you_mean(wanted, &names);
                Refusal::new(404, format!("module {wanted:?} is not among those here{hint}"))
            }),
            None => self.default.ok_or_else(|| {
                Refusal::new(400, "no module named, as in ?module=NAME, and no default here".into())
            }),
        }
    }

    /// The page of a source that is scraped as for a merge.
    async fn scraped(
        &self,
        engine: &Rc<Engine>,
        source: &Rc<Source>,
        (params, deadline): (&Params, Instant),
        fields: &Fields<'_>,
    ) -> Result<Reply<Body>, Refusal> {
        #[cfg(not(feature = "push"))]
        let _ = fields;
        for again in [true, false] {
            let (blocks, guessed) = source.expects(params);
            let mut admission = admitted(engine, Want { blocks, guessed }, deadline).await?;
            let budget = admission.budget.split(admission.budget.granted());
            match source.scrape(engine, budget, (params, deadline)).await {
                #[cfg(feature = "push")]
                Ok(page) if source.store().is_some() => {
                    let names = negotiate::names(&fields.joined("Accept"));
                    return super::pushed::page(engine, source, (page, names), deadline).await;
                }
                Ok(page) => {
                    return Ok(Reply::new(200, page.content_type(), Body::indexed(page)));
                }
                Err(error) if !error.is_memory() => return Err(refusal(engine, source, &error)),
                Err(_) if again && source.is_repeatable(params) => admission.sizes_known(),
                Err(_) => break,
            }
        }
        source.gave_up();
        Err(Refusal::memory(engine))
    }
}

/// Fetches an answer whole. Where memory was short it is asked once more while there is time, unless
/// it was given parameters: they may have made it do something.
async fn whole(
    engine: &Rc<Engine>,
    source: &Source,
    (terms, deadline): (&Terms, Instant),
) -> Result<Passed, Refusal> {
    for again in [true, false] {
        let passed = source.pass(engine, (terms, deadline)).await;
        let in_time = Instant::now() < deadline;
        match passed {
            Err(error) if !error.is_memory() => return Err(refusal(engine, source, &error)),
            Err(_) if again && terms.params.is_empty() && in_time => {}
            Err(_) => break,
            Ok(passed) => return Ok(passed),
        }
    }
    source.gave_up();
    Err(Refusal::memory(engine))
}

/// Opens a stream, and waits for the memory to move it with.
async fn stream(
    engine: &Rc<Engine>,
    source: &Rc<Source>,
    (terms, deadline): (&Terms, Instant),
) -> Result<Reply<Body>, Refusal> {
    let opened = source.open(engine, (terms, deadline)).await;
    let stream = opened.map_err(|error| refusal(engine, source, &error))?;
    let want = Want { blocks: LONG_BLOCK, guessed: false };
    let Admission { budget, .. } = admitted(engine, want, deadline).await?;
    let told = stream.told.clone();
    Ok(reply(&told, Body::stream(stream, budget)))
}

/// The answer that says of itself what the exporter's did.
fn reply(told: &Told, body: Body) -> Reply<Body> {
    let mut reply = Reply::new(told.status, "", body);
    let fields = [
        ("Content-Type", told.content_type.as_deref()),
        ("Content-Encoding", told.coding.as_deref()),
        ("Retry-After", told.retry_after.as_deref()),
    ];
    for (name, value) in fields {
        // They came in as text of one line, and are short enough for all of them to fit.
        let _ = value.map(|value| reply.set(name, value));
    }
    let _ = reply.set("Vary", "Accept, Accept-Encoding");
    reply
}

/// What the scraper is told where the source gave nothing.
fn refusal(engine: &Engine, source: &Source, error: &ScrapeError) -> Refusal {
    let status = match error {
        ScrapeError::Memory => return Refusal::memory(engine),
        ScrapeError::NotKept => 503,
        ScrapeError::Timeout(_) => 504,
        _ => 502,
    };
    Refusal::new(status, format!("source \"{}\": {}", source.name(), Chain(error)))
}
