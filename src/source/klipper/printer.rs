//! A printer that is asked: all its replies at once, a few connections at a time.
//!
//! What is remembered from probe to probe is the question to Klipper, for as long as Klipper is the
//! same: it is made anew when Klipper has restarted, was not ready, or cannot be asked, and every
//! [`KLIPPER_LIST_KEPT`]. Towards Klipper itself there are two requests, `objects/list` and
//! `objects/query`: neither disturbs a print. Which other there may be is said in `end_stops.rs`.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use smol::future::{yield_now, zip};

use super::doc::Doc;
use super::end_stops;
use super::facts::Seen;
use super::query::Listing;
use super::table::need;
use super::verdict::{Report, Verdict};
use super::walk::{WalkError, Walker};
use super::{Settings, Sheet};
use crate::config::{Klipper, Module, Modules, Secret, Ways};
use crate::exposition::{Format, Indexer, Page, Watch};
use crate::http::client::{Outgoing, Reach, Redirects};
use crate::http::fetch::FetchError;
use crate::http::response::Response;
use crate::http::url::Target;
use crate::limits::{FIRST_BLOCKS, KLIPPER_LIST_KEPT};
use crate::memory::{Budget, PageError};
use crate::source::{Engine, ScrapeError, within};
use crate::telemetry::log::{self as telemetry, Chain};
use crate::telemetry::throttle::Throttle;
#[cfg(feature = "tls")]
use crate::tls::client::Connector;

/// What Spoolman is asked through Moonraker.
const SPOOLS: &[u8] =
    br#"{"request_method":"GET","path":"/v1/spool","query":null,"body":null,"use_v2_response":true}"#;

/// What Klipper is asked once after it has started.
const SETTINGS: &[u8] = br#"{"objects":{"configfile":["settings"]}}"#;

/// A printer, and what is remembered of it.
pub struct Printer {
    target: Target,
    api_key: Option<Secret>,
    ways: Ways,
    #[cfg(feature = "tls")]
    tls: Option<Rc<Connector>>,
    place: Box<str>,
    question: RefCell<Option<Question>>,
    /// Blocks that its page took last time, with all that it was made of.
    expected: Cell<usize>,
    /// Why it was not there last time, in a word.
    reason: Cell<Option<&'static str>>,
    /// What its configuration says, once it is known.
    settings: Cell<Option<Settings>>,
    /// Bytes that Klipper had sent its micro-controller: fewer than before are those of a new start.
    sent: Cell<f64>,
}

/// The question to Klipper.
struct Question {
    /// Nothing where it has nothing that is wanted.
    body: Option<Rc<str>>,
    modules: Modules,
    since: Instant,
}

/// How a printer is asked.
pub struct Ask<'a> {
    /// What it is asked for.
    pub modules: Modules,
    /// The API key of whoever asks; one that the configuration has for the printer goes before.
    pub api_key: Option<&'a str>,
    /// Which addresses it may be at.
    pub reach: Option<&'a dyn Fn(IpAddr) -> bool>,
    /// By when it must have answered; what is there then is the page.
    pub deadline: Instant,
    /// Bytes that a reply, and the page, may have.
    pub limit: usize,
    /// Families that the page may have.
    pub families: usize,
    /// The labels that a merge puts on it.
    pub watch: &'a Watch,
}

/// What a printer says.
pub struct Answer {
    /// It says in any case whether the printer is there.
    pub page: Page,
    /// Why it is not there, if so.
    pub down: Option<ScrapeError>,
}

/// One probe.
struct Probe<'a> {
    printer: &'a Printer,
    engine: &'a Engine,
    budget: &'a Budget,
    ask: &'a Ask<'a>,
    sheet: RefCell<Sheet>,
    /// What is still to be asked for.
    docs: RefCell<Vec<Doc>>,
    reports: RefCell<Vec<Report>>,
}

impl Printer {
    /// The printer that `plan` describes.
    ///
    /// # Errors
    ///
    /// Text for files that TLS needs and that cannot be used.
    pub fn new(plan: &Klipper) -> Result<Self, String> {
        let printer = Self::at(plan.target.clone(), plan.api_key.clone(), plan.ways);
        Ok(Self {
            #[cfg(feature = "tls")]
            tls: Connector::wanted(&plan.tls).map_err(|error| error.to_string())?,
            ..printer
        })
    }

    /// The printer there, of which nothing is known.
    #[must_use]
    pub fn at(target: Target, api_key: Option<Secret>, ways: Ways) -> Self {
        let place = target.authority().without_folder().to_string().into();
        Self {
            place,
            target,
            api_key,
            ways,
            #[cfg(feature = "tls")]
            tls: None,
            question: RefCell::default(),
            expected: Cell::new(FIRST_BLOCKS),
            reason: Cell::new(None),
            settings: Cell::new(None),
            sent: Cell::new(0.0),
        }
    }

    /// Host and port, or the name of the socket.
    pub(in crate::source) fn place(&self) -> &dyn fmt::Display {
        &self.place
    }

    /// Where it is.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Blocks that a probe is to be granted.
    #[must_use]
    pub const fn expects(&self) -> usize {
        self.expected.get()
    }

    /// Takes down how a probe went that no source takes down: what it took, and whether the printer
    /// is there, which the log is told where that has changed and `throttle` admits it. Those who may
    /// not be asked are no printers.
    pub(crate) fn note(
        &self,
        budget: &Budget,
        answer: &Result<Answer, ScrapeError>,
        throttle: &Throttle,
    ) {
        let Ok(Answer { down, .. }) = answer else {
            self.expected.set(self.expected.get().saturating_mul(2));
            return;
        };
        self.expected.set(budget.peak().max(1));
        if matches!(down, Some(ScrapeError::Fetch(FetchError::OutOfReach(_)))) {
            return;
        }
        let reason = down.as_ref().map(ScrapeError::reason);
        let before = self.reason.replace(reason);
        let now = Instant::now();
        if before != reason && throttle.admits(now, telemetry::has_room) {
            match down {
                Some(error) => {
                    log::warn!("printer {}: {:#}", self.target.authority(), Chain(error));
                }
                None => log::info!("printer {}: up again", self.target.authority()),
            }
        }
        if let Some(more) = throttle.left_out(now, telemetry::has_room) {
            log::warn!("{more} more changes of printers");
        }
    }

    /// Asks for everything that `ask` says; `budget` pays for what is read.
    ///
    /// # Errors
    ///
    /// [`ScrapeError::Memory`] where there is no memory for it. All else is said by the page.
    pub async fn ask(
        &self,
        engine: &Engine,
        budget: &Budget,
        ask: &Ask<'_>,
    ) -> Result<Answer, ScrapeError> {
        let start = Instant::now();
        let docs = Doc::ALL.into_iter().filter(|doc| need(ask.modules, *doc)).rev().collect();
        let probe = Probe {
            printer: self,
            engine,
            budget,
            ask,
            sheet: RefCell::new(Sheet::new(ask.modules.with_core(), budget)),
            docs: RefCell::new(docs),
            reports: RefCell::default(),
        };
        let lane = || Box::pin(probe.lane());
        zip(zip(lane(), lane()), zip(lane(), lane())).await;
        // What is known only now costs at most what it would show.
        let _ = within(ask.deadline, Box::pin(probe.file())).await;
        probe.end_stops().await;
        let Probe { sheet, reports, .. } = probe;
        let (mut sheet, reports) = (sheet.into_inner(), reports.into_inner());
        if self.ways.only_ready && !sheet.is_ready() {
            sheet.forget_klipper();
        }
        sheet.settings = self.settings.get().unwrap_or_default();
        if reports.iter().any(|report| report.error.as_ref().is_some_and(ScrapeError::is_memory)) {
            return Err(ScrapeError::Memory);
        }
        let verdict = Verdict::new(ask.modules, &reports, start.elapsed());
        let text = sheet.page_with(&verdict, ask.modules, ask.limit)?;
        drop(sheet);
        let mut indexer = Indexer::new(Format::Text, ask.watch, ask.families, budget)?;
        while indexer.advance(text.blocks())? {}
        let down = if verdict.up { None } else { reports.into_iter().find_map(|it| it.error) };
        Ok(Answer { page: indexer.finish(text)?, down })
    }
}

impl Probe<'_> {
    /// Asks for one reply after the other, while there are any; several of these go side by side.
    async fn lane(&self) {
        loop {
            let Some(doc) = self.docs.borrow_mut().pop() else { return };
            self.report(doc).await;
        }
    }

    /// Asks for one reply, and takes down how that went.
    async fn report(&self, doc: Doc) {
        let start = Instant::now();
        let end = within(self.ask.deadline, Box::pin(self.doc(doc))).await;
        if end.as_ref().is_err_and(is_unreachable) {
            // So are the others.
            self.docs.borrow_mut().clear();
        }
        let report = Report { doc, took: start.elapsed(), error: end.err() };
        self.reports.borrow_mut().push(report);
    }

    /// Asks for one reply.
    async fn doc(&self, doc: Doc) -> Result<(), ScrapeError> {
        match doc {
            Doc::Objects => {
                let end = self.objects().await;
                if end.is_err() || !self.is_same() {
                    self.printer.question.replace(None);
                }
                end
            }
            Doc::Spools => self.read(doc, Some(SPOOLS)).await,
            _ => self.read(doc, None).await,
        }
    }

    /// Asks Klipper.
    async fn objects(&self) -> Result<(), ScrapeError> {
        let modules = self.ask.modules.with_core();
        let known = self.printer.question.borrow().as_ref().and_then(|question| {
            let does = question.modules.have(modules);
            (does && question.since.elapsed() < KLIPPER_LIST_KEPT).then(|| question.body.clone())
        });
        let body = match known {
            Some(body) => body,
            None => {
                // Those who ask for different things would take turns otherwise.
                let before = self.printer.question.borrow().as_ref().map(|it| it.modules);
                let modules = before.map_or(modules, |before| before.and(modules));
                let body = self.list(modules).await?;
                let question = Question { body: body.clone(), modules, since: Instant::now() };
                self.printer.question.replace(Some(question));
                // Without it there is one metric less.
                if let Err(ScrapeError::Memory) = Box::pin(self.settings()).await {
                    return Err(ScrapeError::Memory);
                }
                body
            }
        };
        match body {
            Some(body) => self.read(Doc::Objects, Some(body.as_bytes())).await,
            None => Ok(()),
        }
    }

    /// Asks for what the slicer says of the file that is printed.
    async fn file(&self) -> Result<(), ScrapeError> {
        if !self.ask.modules.has(Module::Print) {
            return Ok(());
        }
        let mut path = format!("{}?filename=", Doc::Metadata.path());
        {
            let sheet = self.sheet.borrow();
            let stats = sheet.facts.of(Module::Print, "print_stats");
            let prints = |it: &Seen<'_>| matches!(it.word("state"), Some("printing" | "paused"));
            let Some(name) = stats.filter(prints).and_then(|it| it.word("filename")) else {
                return Ok(());
            };
            percent_encode(name, &mut path);
        }
        self.read_at(Doc::Metadata, &path, None).await
    }

    /// Asks for the end stops as they are, where that is allowed and disturbs nothing.
    async fn end_stops(&self) {
        let wanted = self.printer.ways.live_endstops && self.ask.modules.has(Module::QueryEndstops);
        if wanted && end_stops::may_be_asked(&self.sheet.borrow()) {
            self.report(Doc::EndStops).await;
        }
    }

    /// Asks once for what the configuration says: all of it is long.
    async fn settings(&self) -> Result<(), ScrapeError> {
        if self.ask.modules.has(Module::Motion) && self.printer.settings.get().is_none() {
            self.read(Doc::Settings, Some(SETTINGS)).await?;
            let sheet = self.sheet.borrow();
            let number = |path, field| sheet.core(path).and_then(|it| it.number(field));
            self.printer.settings.set(Some(Settings {
                diameter: number("configfile/settings/extruder", "filament_diameter"),
                shaped: ["shaper_freq_x", "shaper_freq_y"]
                    .map(|field| number("configfile/settings/input_shaper", field)),
            }));
        }
        Ok(())
    }

    /// Asks for the list of objects, and makes the question of it.
    async fn list(&self, modules: Modules) -> Result<Option<Rc<str>>, ScrapeError> {
        let mut response = self.request("/printer/objects/list", None).await?;
        let mut listing = Box::new(Listing::new(modules));
        self.pieces(&mut response, |piece| Ok(listing.read(piece)?)).await?;
        Ok(listing.finish()?.map(Into::into))
    }

    /// Whether Klipper is ready and the same as before, by what it has just answered.
    fn is_same(&self) -> bool {
        let sheet = self.sheet.borrow();
        let sent = sheet.core("mcu").and_then(|mcu| mcu.number("last_stats.bytes_write"));
        let before = self.printer.sent.replace(sent.unwrap_or_default());
        if sent.is_some_and(|sent| sent < before) {
            self.printer.settings.set(None);
        }
        sheet.is_ready() && sent.is_none_or(|sent| sent >= before)
    }

    /// Reads a reply onto the sheet.
    async fn read(&self, doc: Doc, body: Option<&[u8]>) -> Result<(), ScrapeError> {
        self.read_at(doc, doc.path(), body).await
    }

    /// The same from another path than usual.
    async fn read_at(&self, doc: Doc, path: &str, body: Option<&[u8]>) -> Result<(), ScrapeError> {
        let mut response = self.request(path, body).await?;
        let mut walker = Box::new(Walker::new(doc, self.sheet.borrow().modules));
        self.pieces(&mut response, |piece| {
            Ok(walker.read(piece, &mut self.sheet.borrow_mut().facts)?)
        })
        .await?;
        if walker.finish()? { Ok(()) } else { Err(ScrapeError::Unasked) }
    }

    /// Sends a request; an answer other than 200 is an error.
    async fn request(&self, path: &str, body: Option<&[u8]>) -> Result<Response, ScrapeError> {
        let printer = self.printer;
        let base = printer.target.path().trim_end_matches('/');
        let target = printer.target.with_request(&[base, path].concat());
        let target = target.map_err(|_| FetchError::Request)?;
        let key = printer.api_key.as_ref().map(Secret::expose).or(self.ask.api_key);
        let fields = [("X-Api-Key", key.unwrap_or_default())];
        let plain = body.map_or(Outgoing::get(&target), |body| Outgoing::post(&target, body));
        let outgoing = Outgoing {
            fields: if key.is_some() { &fields } else { &[] },
            accept: "application/json",
            redirects: Redirects::Never,
            reach: Reach(self.ask.reach),
            #[cfg(feature = "tls")]
            tls: printer.tls.as_ref(),
            ..plain
        };
        let response = self.engine.client.fetch(&outgoing).await?;
        match response.status {
            200 => Ok(response),
            status => Err(ScrapeError::Status(status)),
        }
    }

    /// Hands the body to `read`, piece by piece.
    async fn pieces(
        &self,
        response: &mut Response,
        mut read: impl FnMut(&[u8]) -> Result<(), ScrapeError>,
    ) -> Result<(), ScrapeError> {
        if let Some(coding) = response.content_encoding.as_deref().filter(|it| *it != "identity") {
            return Err(ScrapeError::Encoding(coding.into()));
        }
        let mut block = self.budget.block()?;
        let mut left = self.ask.limit;
        loop {
            block.truncate(0);
            let len = response.read_much(block.spare()).await?;
            if len == 0 {
                return Ok(());
            }
            left = left.checked_sub(len).ok_or(PageError::TooLarge(self.ask.limit))?;
            block.advance(len);
            read(block.filled())?;
            yield_now().await;
        }
    }
}

/// A value in a query.
fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match char::from(byte) {
            letter if letter.is_ascii_alphanumeric() || "-._~/".contains(letter) => {
                out.push(letter)
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// Whether nothing else of the printer can be had either.
fn is_unreachable(error: &ScrapeError) -> bool {
    use FetchError::{Connect, OutOfReach, Resolve};
    matches!(error, ScrapeError::Fetch(Connect(..) | Resolve(_) | OutOfReach(_)))
}

impl From<WalkError> for ScrapeError {
    fn from(fault: WalkError) -> Self {
        match fault {
            WalkError::Malformed(fault) => Self::Json(fault),
            WalkError::Full => Self::Memory,
        }
    }
}
