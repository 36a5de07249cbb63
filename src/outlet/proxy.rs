//! The `proxy` outlet: one of many sources at a time, chosen by `?module=`, its page as it is.
//!
//! An exporter's answer is checked whole before its first byte leaves, or, with `verify: false`,
//! handed on as it comes. Files, scripts and kept pages were read before, as for a merge.

use std::rc::Rc;
use std::time::Instant;

use super::negotiate::{self, accepts_gzip};
use super::{Body, Refusal, Server, admitted, packed};
use crate::config::{self, did_you_mean};
use crate::exposition::{Format, Names};
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

    /// The sources it has.
    pub fn sources(&self) -> impl Iterator<Item = &Rc<Source>> {
        self.members.iter().filter_map(|member| match member {
            Member::Own => None,
            Member::Source(source) => Some(source),
        })
    }

    /// Whether fanin's own metrics are among what it has.
    #[must_use]
    pub fn has_own(&self) -> bool {
        self.members.iter().any(|member| matches!(member, Member::Own))
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
        if !source.passes(&params) {
            let reply = self.scraped(engine, source, (&params, deadline)).await?;
            return Ok(if self.compress { packed(reply, engine, fields) } else { reply });
        }
        let accept = fields.text("Accept").unwrap_or_default().into();
        let gzip = accepts_gzip(fields.text("Accept-Encoding").unwrap_or_default());
        let terms = Terms { params, accept, gzip };
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
    ) -> Result<Reply<Body>, Refusal> {
        let scrape = |again: bool| async move {
            let (blocks, guessed) = source.expects(params);
            let mut admission = admitted(engine, Want { blocks, guessed }, deadline).await?;
            let budget = admission.budget.split(admission.budget.granted());
            let page = source.scrape(engine, budget, (params, deadline)).await;
            admission.sizes_known();
            if page.as_ref().is_err_and(|error| error.is_memory()) {
                if again && source.is_repeatable(params) {
                    return Ok(None);
                }
                source.gave_up();
            }
            page.map(Some).map_err(|error| refusal(engine, source, &error))
        };
        let page = match scrape(true).await? {
            Some(page) => page,
            None => scrape(false).await?.ok_or_else(|| Refusal::memory(engine))?,
        };
        let content_type = match page.format() {
            Format::OpenMetrics => OPENMETRICS,
            Format::Text if page.has_quoted_names() => negotiate::content_type(Names::Quoted),
            Format::Text => negotiate::content_type(Names::Underscores),
        };
        Ok(Reply::new(200, content_type, Body::indexed(page)))
    }
}

/// The Content-Type of a file or a script's output that is OpenMetrics.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Fetches an answer whole. Where memory was short it is asked once more, unless it was given
/// parameters: they may have made it do something.
async fn whole(
    engine: &Rc<Engine>,
    source: &Source,
    (terms, deadline): (&Terms, Instant),
) -> Result<Passed, Refusal> {
    let mut again = terms.params.is_empty();
    loop {
        match source.pass(engine, (terms, deadline)).await {
            Err(ScrapeError::Memory) if std::mem::take(&mut again) => {}
            Err(error) => {
                if error.is_memory() {
                    source.gave_up();
                }
                return Err(refusal(engine, source, &error));
            }
            Ok(passed) => return Ok(passed),
        }
    }
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
        // They came in as text of one line, and are short enough for all three to fit.
        let _ = value.map(|value| reply.set(name, value));
    }
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
