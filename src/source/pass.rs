//! Pages that are handed on as an exporter sent them: whole and checked first, or as they come.
//!
//! ```text
//!   answer ──200──> checked, whole ──> Passed          answer ──> Stream ──> whoever reads it
//!      └────other──> whole ──────────> Passed
//! ```
//!
//! A page that is checked is held in blocks until its last line has been looked at; one that came
//! compressed and leaves so stays compressed, and is inflated through a single block on the way. A
//! stream holds nothing: its bytes go from the socket into the buffer of whoever reads it.

use std::rc::Rc;
use std::time::Instant;

use smol::future::yield_now;

use super::body::{Body, Inflating, is_gzip};
use super::http::{ACCEPT, Http, Wanted, announced, format_of};
use super::intake::{Checking, Intake};
use super::{Engine, Kind, Params, ScrapeError, Source, settle, within};
use crate::config::OnMalformed;
use crate::exposition::{Checker, Format};
use crate::http::alarm::Alarm;
use crate::http::response::Response;
use crate::limits::FIRST_RUN_BLOCKS;
use crate::memory::{Block, Budget, PageError, PageWriter, Text, blocks_for};

/// The Content-Type of a page whose exporter names none that Prometheus knows: Prometheus 3 refuses
/// such a page.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a scraper wants of a page that is handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Parameters for the exporter.
    pub params: Params,
    /// Its Accept; empty if it has none.
    pub accept: Box<str>,
    /// Whether it takes gzip.
    pub gzip: bool,
}

/// What an exporter's answer says of itself, and what is handed on of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// 200 to 599.
    pub status: u16,
    /// Content-Type; of a page always one that Prometheus knows.
    pub content_type: Option<heapless::String<128>>,
    /// Content-Encoding.
    pub coding: Option<heapless::String<32>>,
    /// Retry-After.
    pub retry_after: Option<heapless::String<32>>,
}

impl Told {
    fn new(response: &mut Response) -> Self {
        let mut told = Self {
            status: response.status,
            content_type: response.content_type.take(),
            coding: response.content_encoding.clone(),
            retry_after: response.retry_after.take(),
        };
        let known = told.content_type.as_deref().is_some_and(is_exposition);
        if told.status == 200 && !known {
            told.content_type = heapless::String::try_from(TEXT).ok();
        }
        told
    }
}

/// Whether Prometheus reads a page of this Content-Type by what it says.
fn is_exposition(content_type: &str) -> bool {
    const KNOWN: [&str; 3] =
        ["text/plain", "application/openmetrics-text", "application/vnd.google.protobuf"];
    let media = content_type.split(';').next().unwrap_or_default().trim();
    KNOWN.iter().any(|known| media.eq_ignore_ascii_case(known))
}

/// An answer, whole.
pub struct Passed {
    /// What it says of itself.
    pub told: Told,
    /// Its body; of a page, checked.
    pub text: Text,
}

/// An answer that is read by whoever hands it on.
pub struct Stream {
    /// What it says of itself.
    pub told: Told,
    response: Response,
    source: Rc<Source>,
    alarm: Alarm,
    start: Instant,
    deadline: Instant,
    bytes: usize,
    /// It failed, which was taken down.
    failed: bool,
}

impl Source {
    /// Whether its answers can be handed on as they come; a page that is kept, or no exporter's, is
    /// fetched as for a merge.
    #[must_use]
    pub fn passes(&self, params: &Params) -> bool {
        let keeps = params.is_empty() && self.keeps_for().is_some();
        matches!(self.kind, Kind::Http(_)) && !keeps
    }

    /// Whether a page that is handed on is checked first.
    #[must_use]
    pub const fn verifies(&self) -> bool {
        self.verify
    }

    /// As [`Source::expects`], for [`Source::pass`].
    #[must_use]
    pub fn expects_to_pass(&self) -> (usize, bool) {
        match self.state.expected_passed.get() {
            0 if self.state.has_failed() => (FIRST_RUN_BLOCKS, false),
            0 => (blocks_for(self.max_bytes), true),
            blocks => (blocks, false),
        }
    }

    /// Fetches the exporter's answer whole; a page is checked.
    ///
    /// # Errors
    ///
    /// As [`Source::scrape`]. A status other than 200 is none, though it is counted as one.
    pub async fn pass(
        &self,
        engine: &Engine,
        budget: Budget,
        (terms, deadline): (&Terms, Instant),
    ) -> Result<Passed, ScrapeError> {
        let start = Instant::now();
        let deadline = self.own_deadline(start, deadline);
        let work = async {
            // Large, and one allocation beside a whole exchange is nothing.
            Box::pin(self.whole(engine, &budget, (terms, deadline))).await
        };
        let passed = within(deadline, work).await;
        settle(&budget, &self.state.expected_passed, passed.as_ref().err());
        match &passed {
            Ok((passed, _)) if passed.told.status != 200 => {
                self.note(start.elapsed(), Err(&ScrapeError::Status(passed.told.status)));
            }
            Ok((passed, samples)) => {
                self.note(start.elapsed(), Ok((Some(*samples), passed.text.len())));
            }
            Err(error) => self.take_down(start.elapsed(), Err(error)),
        }
        passed.map(|(passed, _)| passed)
    }

    /// The answer, and how many samples it has.
    async fn whole(
        &self,
        engine: &Engine,
        budget: &Budget,
        (terms, deadline): (&Terms, Instant),
    ) -> Result<(Passed, usize), ScrapeError> {
        let drops = self.on_malformed == OnMalformed::DropLine;
        let accept = without_protobuf(&terms.accept);
        let terms = Terms { accept: accept.into(), gzip: terms.gzip && !drops, ..terms.clone() };
        let mut response = self.answer(engine, (&terms, deadline)).await?;
        let mut told = Told::new(&mut response);
        if let Some(length) = response.content_length.and_then(|n| usize::try_from(n).ok()) {
            announced(length, self)?;
            budget.correct(blocks_for(length).saturating_add(4));
        }
        if told.status != 200 {
            let text = self.unread(response, budget).await?;
            return Ok((Passed { told, text }, 0));
        }
        let format = format_of(told.content_type.as_deref());
        let (text, samples) = match told.coding.as_deref().is_some_and(is_gzip) {
            true if terms.gzip => self.compressed(response, format, budget).await?,
            _ => {
                told.coding = None;
                self.plain(response, format, budget).await?
            }
        };
        Ok((Passed { told, text }, samples))
    }

    /// Asks the exporter.
    async fn answer(
        &self,
        engine: &Engine,
        (terms, deadline): (&Terms, Instant),
    ) -> Result<Response, ScrapeError> {
        let Kind::Http(http) = &self.kind else { return Err(ScrapeError::Status(501)) };
        let accept = if terms.accept.is_empty() { ACCEPT } else { &terms.accept };
        let wanted = Wanted { params: &terms.params, accept, gzip: terms.gzip };
        Http::ask(http, engine, &wanted, deadline).await
    }

    /// A page as text, inflated if need be.
    async fn plain(
        &self,
        response: Response,
        format: Format,
        budget: &Budget,
    ) -> Result<(Text, usize), ScrapeError> {
        let mut body = Body::new(response, budget)?;
        let mut intake = Intake::new(self, format, Checking::new(format), budget);
        loop {
            let n = body.read(intake.spare()?).await?;
            if n == 0 {
                return intake.text(self).await;
            }
            intake.received(n).await?;
        }
    }

    /// A body as it comes, whatever it is.
    async fn unread(&self, mut response: Response, budget: &Budget) -> Result<Text, ScrapeError> {
        let mut writer = PageWriter::of_bytes(budget.clone(), self.max_bytes);
        loop {
            match response.read(writer.spare()?).await? {
                0 => return Ok(writer.finish()?),
                n => writer.advance(n)?,
            }
            yield_now().await;
        }
    }

    /// A page that stays compressed, and is looked at through a window.
    async fn compressed(
        &self,
        mut response: Response,
        format: Format,
        budget: &Budget,
    ) -> Result<(Text, usize), ScrapeError> {
        let mut writer = PageWriter::of_bytes(budget.clone(), self.max_bytes);
        let mut window = Window {
            inflating: Inflating::new(budget)?,
            block: budget.block()?,
            checker: Checker::new(format),
            room: self.max_bytes,
            limit: self.max_bytes,
        };
        loop {
            let spare = writer.spare()?;
            let n = response.read(spare).await?;
            window.look(spare.get(..n).unwrap_or_default(), n == 0).await?;
            if n == 0 {
                return Ok((writer.finish()?, window.checker.finish()?));
            }
            writer.advance(n)?;
            // A window yields when it is full, which it never is where nothing comes of all that.
            yield_now().await;
        }
    }

    /// Opens a stream of the exporter's answer, whatever it is. It ends at `deadline`.
    ///
    /// # Errors
    ///
    /// As [`Source::scrape`].
    pub async fn open(
        self: &Rc<Self>,
        engine: &Engine,
        (terms, deadline): (&Terms, Instant),
    ) -> Result<Stream, ScrapeError> {
        let start = Instant::now();
        let deadline = self.own_deadline(start, deadline);
        let work = async { Box::pin(self.answer(engine, (terms, deadline))).await };
        match within(deadline, work).await {
            Ok(mut response) => Ok(Stream {
                told: Told::new(&mut response),
                response,
                source: Rc::clone(self),
                alarm: Alarm::new(),
                start,
                deadline,
                bytes: 0,
                failed: false,
            }),
            Err(error) => {
                self.take_down(start.elapsed(), Err(&error));
                Err(error)
            }
        }
    }
}

/// Checks a compressed page a block at a time, and forgets what it has checked.
struct Window {
    inflating: Inflating,
    /// Lines that are not checked yet.
    block: Block,
    checker: Checker,
    /// Bytes that the page may still have.
    room: usize,
    limit: usize,
}

impl Window {
    /// Looks at all that `input` inflates to; `ended` tells that it was the last.
    async fn look(&mut self, mut input: &[u8], ended: bool) -> Result<(), ScrapeError> {
        loop {
            if self.block.spare().is_empty() {
                self.check()?;
                yield_now().await;
            }
            let (used, made) = self.inflating.decode(input, ended, self.block.spare())?;
            input = input.get(used..).unwrap_or_default();
            self.room = self.room.checked_sub(made).ok_or(PageError::TooLarge(self.limit))?;
            self.block.advance(made);
            if made == 0 && input.is_empty() {
                break;
            }
        }
        if ended && self.block.filled().last().is_some_and(|byte| *byte != b'\n') {
            if self.block.append(b"\n") == 0 {
                return Err(PageError::LineTooLong.into());
            }
            self.check()?;
        } else if ended {
            self.check()?;
        }
        Ok(())
    }

    /// Checks the lines that are whole, and makes room.
    fn check(&mut self) -> Result<(), ScrapeError> {
        let filled = self.block.filled();
        if filled.is_empty() {
            return Ok(());
        }
        let last = memchr::memrchr(b'\n', filled).ok_or(PageError::LineTooLong)?;
        let whole = last.saturating_add(1);
        self.checker.block(filled.get(..whole).unwrap_or_default())?;
        let len = filled.len();
        self.block.shift(whole..len, 0);
        self.block.truncate(len.saturating_sub(whole));
        Ok(())
    }
}

impl Stream {
    /// Bytes still to come, where the exporter has said so.
    #[must_use]
    pub fn left(&self) -> Option<usize> {
        self.response.left().and_then(|left| usize::try_from(left).ok())
    }

    /// Reads some of the body to the front of `out`; 0 at its end.
    ///
    /// # Errors
    ///
    /// [`ScrapeError`], which is counted already.
    pub async fn read(&mut self, out: &mut [u8]) -> Result<usize, ScrapeError> {
        // Others have their turn, however fast the exporter is.
        yield_now().await;
        let Self { response, alarm, deadline, .. } = self;
        // Bytes that are there already are read without a look at the time.
        let read = match Instant::now() < *deadline {
            true => alarm.limit(*deadline, response.read_much(out)).await,
            false => None,
        };
        let took = self.start.elapsed();
        let read = match read {
            Some(read) => read.map_err(ScrapeError::Fetch),
            None => Err(ScrapeError::Timeout(took)),
        };
        match &read {
            Ok(n) => self.bytes = self.bytes.saturating_add(*n),
            Err(error) => {
                self.failed = true;
                self.source.note(took, Err(error));
            }
        }
        read
    }
}

/// Takes down how the answer ended. One that nobody read to its end says nothing of its source.
impl Drop for Stream {
    fn drop(&mut self) {
        if self.failed || !self.response.is_done() {
            return;
        }
        let failure = ScrapeError::Status(self.told.status);
        let seen = if self.told.status == 200 { Ok((None, self.bytes)) } else { Err(&failure) };
        self.source.note(self.start.elapsed(), seen);
    }
}

/// `accept` without what cannot be checked here.
fn without_protobuf(accept: &str) -> String {
    let readable = |range: &&str| {
        let media = range.split(';').next().unwrap_or_default().trim();
        !media.eq_ignore_ascii_case("application/vnd.google.protobuf")
    };
    accept.split(',').filter(readable).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_does_not_know_is_called_text() {
        for (content_type, want) in [
            ("text/plain", true),
            ("TEXT/Plain ; version=0.0.4", true),
            ("application/openmetrics-text; version=1.0.0", true),
            ("application/vnd.google.protobuf; proto=x", true),
            ("text/html", false),
            ("application/json", false),
            ("", false),
            ("text/plainer", false),
        ] {
            assert_eq!(is_exposition(content_type), want, "{content_type}");
        }
    }

    #[test]
    fn protobuf_is_not_asked_for_where_pages_are_checked() {
        let cases = [
            ("", ""),
            ("text/plain;q=0.5,*/*;q=0.1", "text/plain;q=0.5,*/*;q=0.1"),
            (
                "application/vnd.google.protobuf;proto=io;encoding=delimited;q=0.6, text/plain",
                " text/plain",
            ),
            ("Application/Vnd.Google.Protobuf", ""),
        ];
        for (accept, want) in cases {
            assert_eq!(without_protobuf(accept), want, "{accept}");
        }
    }
}
