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
use std::time::{Duration, Instant};

use smol::future::yield_now;

use super::body::Body;
use super::http::announced;
use super::inflating::Inflating;
use super::intake::{Checking, receive};
use super::{Engine, Kind, Params, ScrapeError, Seen, Source, admitted, settle, within};
use crate::config::OnMalformed;
use crate::exposition::{Checker, Format, Names, OPENMETRICS, media_type};
use crate::http::alarm::Alarm;
use crate::http::fields::is_gzip;
use crate::http::response::Response;
use crate::limits::{FIRST_BLOCKS, INFLATER_BLOCKS};
use crate::memory::{Block, Budget, PageError, PageWriter, Text, Want, blocks_for};

/// What Prometheus asks for where it takes native histograms, and what cannot be checked here.
const PROTOBUF: &str = "application/vnd.google.protobuf";

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
        // Prometheus 3 refuses a page whose Content-Type it does not know.
        if told.status == 200 && !known {
            told.content_type = heapless::String::try_from(Names::Underscores.content_type()).ok();
        }
        told
    }
}

/// Whether Prometheus reads a page of this Content-Type by what it says.
fn is_exposition(content_type: &str) -> bool {
    let media = media_type(content_type);
    ["text/plain", OPENMETRICS, PROTOBUF].iter().any(|known| media.eq_ignore_ascii_case(known))
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
    params: Params,
}

impl Source {
    /// Whether its answers can be handed on as they come; a page that is kept, or no exporter's, is
    /// fetched as for a merge.
    #[must_use]
    pub fn passes(&self, params: &Params) -> bool {
        matches!(self.kind, Kind::Http(_)) && self.keeps_for(params).is_none()
    }

    /// What is asked of the exporter for a scraper with this Accept, that takes gzip or not. Equal
    /// terms have equal answers.
    #[must_use]
    pub fn terms(&self, params: Params, accept: &str, gzip: bool) -> Terms {
        if !self.verify {
            return Terms { params, accept: accept.into(), gzip };
        }
        let keeps_lines = self.on_malformed == OnMalformed::Refuse;
        // What cannot be read is not asked for.
        let gzip = gzip && keeps_lines && cfg!(feature = "gzip");
        Terms { params, accept: without_protobuf(accept).into(), gzip }
    }

    /// Whether a page that is handed on is checked first.
    #[must_use]
    pub const fn verifies(&self) -> bool {
        self.verify
    }

    /// Fetches the exporter's answer whole; a page is checked. Memory is asked for when the answer
    /// has begun, and the most there may be is never reserved: an exporter that hangs holds up nobody.
    ///
    /// # Errors
    ///
    /// As [`Source::scrape`]. A status other than 200 is none, though it is counted as one.
    pub async fn pass(
        &self,
        engine: &Engine,
        (terms, deadline): (&Terms, Instant),
    ) -> Result<Passed, ScrapeError> {
        let start = Instant::now();
        let deadline = self.own_deadline(start, deadline);
        let passed = self.whole(engine, (terms, deadline)).await;
        match &passed {
            Ok((passed, samples)) => {
                let (status, seen) = (passed.told.status, (Some(*samples), passed.text.len()));
                self.note_answer(start.elapsed(), (status, &terms.params), seen);
            }
            Err(error) => self.take_down(start.elapsed(), Err(error)),
        }
        passed.map(|(passed, _)| passed)
    }

    /// Takes down an answer that was read to its end. A status other than 200 is a failure, unless it
    /// answers somebody's parameters: then it says nothing of the source.
    fn note_answer(&self, took: Duration, (status, params): (u16, &Params), seen: Seen) {
        if status == 200 {
            self.note(took, Ok(seen));
        } else if params.is_empty() {
            self.note(took, Err(&ScrapeError::Status(status)));
        } else {
            log::debug!("source \"{}\": answered {status} to parameters", self.name);
        }
    }

    /// The answer, and how many samples it has. Each step is large, and an allocation for it beside
    /// all that it does is nothing.
    async fn whole(
        &self,
        engine: &Engine,
        (terms, deadline): (&Terms, Instant),
    ) -> Result<(Passed, usize), ScrapeError> {
        let mut response =
            within(deadline, Box::pin(self.answer(engine, (terms, deadline)))).await?;
        let budget = admitted(engine, self.wants_to_pass(&response)?, deadline).await?.budget;
        let mut told = Told::new(&mut response);
        if told.status != 200 {
            let text = within(deadline, Box::pin(self.unread(response, &budget))).await?;
            return Ok((Passed { told, text }, 0));
        }
        let format = Format::of(told.content_type.as_deref().unwrap_or_default());
        // It stays compressed for a scraper that takes it so.
        let stays = terms.gzip && told.coding.as_deref().is_some_and(is_gzip);
        let checked = if stays {
            within(deadline, Box::pin(self.compressed(response, format, &budget))).await
        } else {
            told.coding = None;
            within(deadline, Box::pin(self.plain(response, format, &budget))).await
        };
        settle(&budget, &self.state.expected_passed, checked.as_ref().err());
        let (text, samples) = checked?;
        Ok((Passed { told, text }, samples))
    }

    /// The blocks for an answer: as its head says, else what the last one took.
    fn wants_to_pass(&self, response: &Response) -> Result<Want, ScrapeError> {
        let last = self.state.expected_passed.get();
        Ok(match response.content_length.and_then(|length| usize::try_from(length).ok()) {
            Some(length) => {
                announced(length, self)?;
                // What is inflated goes through a few more, and may take more in the end.
                let blocks = blocks_for(length).saturating_add(INFLATER_BLOCKS).saturating_add(2);
                Want { blocks: blocks.max(last), guessed: false }
            }
            None => Want { blocks: if last > 0 { last } else { FIRST_BLOCKS }, guessed: false },
        })
    }

    /// Asks the exporter.
    async fn answer(
        &self,
        engine: &Engine,
        (terms, deadline): (&Terms, Instant),
    ) -> Result<Response, ScrapeError> {
        match &self.kind {
            Kind::Http(http) => http.ask(engine, terms, deadline).await,
            #[cfg(any(feature = "local", feature = "klipper", feature = "push"))]
            _ => Err(ScrapeError::Status(501)),
        }
    }

    /// A page as text, inflated if need be.
    async fn plain(
        &self,
        response: Response,
        format: Format,
        budget: &Budget,
    ) -> Result<(Text, usize), ScrapeError> {
        let body = Body::new(response, budget)?;
        let judge = Checking::new(format);
        let (text, checking) = receive(body, (self, format), judge, budget).await?;
        Ok((text, checking.checker.finish()?))
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
        match within(deadline, Box::pin(self.answer(engine, (terms, deadline)))).await {
            Ok(mut response) => Ok(Stream {
                told: Told::new(&mut response),
                response,
                source: Rc::clone(self),
                alarm: Alarm::new(),
                start,
                deadline,
                bytes: 0,
                params: terms.params.clone(),
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
        if ended {
            // The last line may have no end; the checker knows.
            self.checker.block(self.block.filled())?;
        }
        Ok(())
    }

    /// Checks the lines that are whole, and makes room.
    fn check(&mut self) -> Result<(), ScrapeError> {
        let filled = self.block.filled();
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
            Err(error) => self.source.note(took, Err(error)),
        }
        read
    }
}

/// Takes down how the answer ended. One that was not read to its end, such as that to a HEAD, says
/// nothing of its source, or has said it already.
impl Drop for Stream {
    fn drop(&mut self) {
        if !self.response.is_done() {
            return;
        }
        let asked = (self.told.status, &self.params);
        self.source.note_answer(self.start.elapsed(), asked, (None, self.bytes));
    }
}

/// `accept` without what cannot be checked here.
fn without_protobuf(accept: &str) -> String {
    let readable = |range: &&str| !media_type(range).eq_ignore_ascii_case(PROTOBUF);
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
