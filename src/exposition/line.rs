//! One line of exposition text, told apart and checked: the lexer of the syntax level.
//!
//! Text 0.0.4 and OpenMetrics 1.0 differ only in what may follow a value and in two comments, so
//! one lexer serves both. It borrows a block of whole lines, reads each byte of a sample once, and
//! answers with positions; it copies and keeps nothing.
//!
//! ```text
//! sample    = [blanks] name [ [blanks] "{" labels "}" ] blanks value [blanks timestamp] [blanks] LF
//!           | [blanks] "{" quoted ["," labels] "}" …            the name in quotes, any UTF-8
//! labels    = [ pair *( "," pair ) [","] ]     pair = label "=" quoted
//! quoted    = DQUOTE *( any but DQUOTE, backslash, LF | backslash any ) DQUOTE
//! name      = [a-zA-Z_:][a-zA-Z0-9_:]*         label = [a-zA-Z_][a-zA-Z0-9_]*
//! ```
//!
//! Not here: what a name means (index.rs) and the rules of good style (lint.rs).

use std::fmt;

use super::number::{is_float, is_millis, millis_of_seconds, plain_float};
use crate::limits::LABELS;

/// Which of the two formats a page is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4, with the quoted names of 1.0.0.
    Text,
    /// OpenMetrics text 1.0.
    OpenMetrics,
}

/// What a family is; the five types of the text format, and those of OpenMetrics that become one
/// of them under another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// `_bucket`, `_sum`, `_count`.
    Histogram,
    /// Quantiles, `_sum`, `_count`.
    Summary,
    /// Anything else; OpenMetrics says `unknown`.
    Untyped,
    /// OpenMetrics: a gauge with `_info` at the end of its name.
    Info,
    /// OpenMetrics: a gauge per state.
    StateSet,
    /// OpenMetrics: buckets that may fall.
    GaugeHistogram,
}

impl Kind {
    fn parse(word: &[u8], format: Format) -> Option<Self> {
        let om = format == Format::OpenMetrics;
        Some(match word {
            b"counter" => Self::Counter,
            b"gauge" => Self::Gauge,
            b"histogram" => Self::Histogram,
            b"summary" => Self::Summary,
            b"untyped" if !om => Self::Untyped,
            b"unknown" if om => Self::Untyped,
            b"info" if om => Self::Info,
            b"stateset" if om => Self::StateSet,
            b"gaugehistogram" if om => Self::GaugeHistogram,
            _ => return None,
        })
    }

    /// The word after `# TYPE name` in text 0.0.4.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Info | Self::StateSet => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped | Self::GaugeHistogram => "untyped",
        }
    }
}

/// A piece of the block that was lexed: from its first byte to the one after its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The bytes of `block` that this span means.
    #[must_use]
    #[inline]
    pub fn of(self, block: &[u8]) -> &[u8] {
        block.get(self.start..self.end).unwrap_or_default()
    }
}

/// A line that is no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Nothing, or a comment.
    Comment,
    /// `# HELP name text`.
    Help {
        /// The metric's name, without quotes.
        name: Span,
        /// Whether the name needs quotes.
        quoted: bool,
        /// The text, still escaped.
        text: Span,
    },
    /// `# TYPE name kind`.
    Type {
        /// The metric's name, without quotes.
        name: Span,
        /// Whether the name needs quotes.
        quoted: bool,
        /// What it is declared to be.
        kind: Kind,
    },
    /// `# EOF`, the end of an OpenMetrics page.
    Eof,
}

/// A sample's parts and peculiarities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// The metric's name, without quotes.
    pub name: Span,
    /// Whether the name needs quotes: it stood in them, and has a character no bare name has.
    pub quoted: bool,
    /// Whether a label's name needs quotes.
    pub quoted_label: bool,
    /// What stands between the braces; empty without braces.
    pub labels: Span,
    /// The value.
    pub value: Span,
    /// The timestamp as written; empty without one.
    pub timestamp: Span,
    /// It cannot be copied as it stands, only written anew: odd blanks, escapes or quotes, `\r\n`,
    /// or what OpenMetrics has and the text format has not.
    pub irregular: bool,
    /// It has one of the labels that [`Watch`] looks for.
    pub watched: bool,
    /// It has a label `le` that is no number.
    pub odd_le: bool,
    /// It has a label `quantile` that is no number.
    pub odd_quantile: bool,
}

/// What is wrong with a line, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// The offending byte's index in the block.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A line begins with neither a name, `{` nor `#`.
    Start,
    /// `# HELP` or `# TYPE` without a proper name.
    MetaName,
    /// `# TYPE` with a word that is no type.
    Type,
    /// Something else than a label's name.
    LabelName,
    /// A name in quotes that is empty or has an unknown escape.
    QuotedName,
    /// The label `__name__`, which is the metric's name itself.
    ReservedLabel,
    /// No `=` after a label's name.
    Equals,
    /// No `"` where a label's value begins.
    OpeningQuote,
    /// The line ends within quotes.
    ClosingQuote,
    /// Neither `,` nor `}` after a label.
    Comma,
    /// A label stands twice.
    RepeatedLabel,
    /// More labels than [`LABELS`].
    TooManyLabels,
    /// A sample with a second name, or with none.
    Name,
    /// The value is no number, or out of range.
    Value,
    /// The timestamp is not one.
    Timestamp,
    /// Something after the end of the sample.
    Trailing,
    /// An exemplar that cannot be read.
    Exemplar,
    /// A byte 0, which ends the page for Prometheus.
    Nul,
    /// Not UTF-8.
    Utf8,
    /// A line after `# EOF`.
    AfterEof,
    /// The page does not end with `# EOF`.
    NoEof,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the line begins with neither a metric name, \"{\" nor \"#\"",
            Self::MetaName => "HELP or TYPE without a metric name",
            Self::Type => "not a metric type",
            Self::LabelName => "not a label name",
            Self::QuotedName => "a name in quotes is empty or has an unknown escape",
            Self::ReservedLabel => "\"__name__\" is no label but the metric's name",
            Self::Equals => "no \"=\" after the label name",
            Self::OpeningQuote => "the label value does not begin with a quote",
            Self::ClosingQuote => "the line ends within quotes",
            Self::Comma => "neither \",\" nor \"}\" after a label",
            Self::RepeatedLabel => "the label stands twice",
            Self::TooManyLabels => return write!(f, "more than {LABELS} labels"),
            Self::Name => "a sample has exactly one name",
            Self::Value => "the value is not a number that fits a double",
            Self::Timestamp => "the timestamp is not a whole number of milliseconds",
            Self::Trailing => "something after the end of the sample",
            Self::Exemplar => "not an exemplar",
            Self::Nul => "a byte 0",
            Self::Utf8 => "not UTF-8",
            Self::AfterEof => "a line after \"# EOF\"",
            Self::NoEof => "the page does not end with \"# EOF\"",
        })
    }
}

/// The label names whose presence matters: those that a merge puts on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    names: Vec<Box<str>>,
    /// One bit per [`fingerprint`], so that most labels are ruled out without a comparison.
    mask: u64,
}

impl Watch {
    /// Watches for `names`.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        let mask = names.iter().fold(0, |mask, name| mask | fingerprint(name.as_bytes()));
        Self { names, mask }
    }

    fn has(&self, name: &[u8]) -> bool {
        self.names.iter().any(|watched| watched.as_bytes() == name)
    }
}

/// One of 64 bits, by a name's length and ends.
#[inline]
fn fingerprint(name: &[u8]) -> u64 {
    let first = name.first().copied().map_or(0, u32::from);
    let last = name.last().copied().map_or(0, u32::from);
    let len = u32::try_from(name.len()).unwrap_or(0);
    let mixed = first.wrapping_mul(5) ^ last.wrapping_mul(11) ^ len.wrapping_mul(23);
    1_u64.wrapping_shl(mixed)
}

const NAME_START: u8 = 1;
const NAME: u8 = 2;
const LABEL_START: u8 = 4;
const LABEL: u8 = 8;
const BLANK: u8 = 16;
/// Ends a run of ordinary bytes within quotes.
const QUOTE_STOP: u8 = 32;
/// Ends a value or a timestamp.
const TOKEN_STOP: u8 = 64;

#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a u8 counts to 255")]
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        class[byte] = match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => NAME_START | NAME | LABEL_START | LABEL,
            b'0'..=b'9' => NAME | LABEL,
            b':' => NAME_START | NAME,
            b' ' | b'\t' => BLANK | TOKEN_STOP,
            b'"' | b'\\' => QUOTE_STOP,
            b'\n' => QUOTE_STOP | TOKEN_STOP,
            b'\r' => TOKEN_STOP,
            _ => 0,
        };
        byte += 1;
    }
    class
};

#[inline]
#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "the table has 256 entries")]
const fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// Whether `name` needs no quotes as a metric's name.
#[must_use]
pub fn is_metric_name(name: &[u8]) -> bool {
    name.first().is_some_and(|&b| is(b, NAME_START)) && name.iter().all(|&b| is(b, NAME))
}

/// Whether `name` needs no quotes as a label's name.
#[must_use]
pub fn is_label_name(name: &[u8]) -> bool {
    name.first().is_some_and(|&b| is(b, LABEL_START)) && name.iter().all(|&b| is(b, LABEL))
}

/// Checks what concerns a whole block at once: UTF-8, and no byte 0. Comments may be anything, so
/// the line that offends is looked for only when a block fails.
///
/// # Errors
///
/// [`Fault::Nul`] or [`Fault::Utf8`] at the first offending byte outside a plain comment.
pub fn check_bytes(block: &[u8]) -> Result<(), Malformed> {
    if memchr::memchr(0, block).is_none() && str::from_utf8(block).is_ok() {
        return Ok(());
    }
    let mut at = 0_usize;
    for line in block.split_inclusive(|&b| b == b'\n') {
        if !matches!(Lexer::TEXT.note(line, skip_blanks(line, 0)), Some(Ok((Note::Comment, _)))) {
            if let Some(nul) = memchr::memchr(0, line) {
                return Err(Malformed { at: at.saturating_add(nul), fault: Fault::Nul });
            }
            if let Err(broken) = str::from_utf8(line) {
                let at = at.saturating_add(broken.valid_up_to());
                return Err(Malformed { at, fault: Fault::Utf8 });
            }
        }
        at = at.saturating_add(line.len());
    }
    Ok(())
}

/// The first byte at or after `at` that is no blank.
#[inline]
fn skip_blanks(block: &[u8], mut at: usize) -> usize {
    while block.get(at).is_some_and(|&b| is(b, BLANK)) {
        at = at.saturating_add(1);
    }
    at
}

/// The line that begins at a given byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A sample.
    Sample(Sample),
    /// Anything else.
    Note(Note),
}

/// Lexes lines of one page.
#[derive(Debug, Clone, Copy)]
pub struct Lexer<'w> {
    /// The format of the page.
    pub format: Format,
    /// The labels to look for.
    pub watch: Option<&'w Watch>,
}

impl Lexer<'_> {
    const TEXT: Self = Self { format: Format::Text, watch: None };
}

type Lexed<T> = Result<T, Malformed>;

const fn fail<T>(at: usize, fault: Fault) -> Lexed<T> {
    Err(Malformed { at, fault })
}

// Invariant of all below: `block` ends with a line feed, every scan stops at one, and positions
// only grow, by one byte at a time, within a block of 16 KiB. So no index is out of range and no
// sum overflows.
#[expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]
impl Lexer<'_> {
    /// The line of `block` that begins at `at`, and where the next one begins. `block` holds whole
    /// lines: its last byte is a line feed. `expected` is a guess at the sample's name (usually the
    /// one before), which saves looking at each of its bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] says what no such line can have, and where.
    #[inline]
    pub fn line(&self, block: &[u8], at: usize, expected: &[u8]) -> Lexed<(Line, usize)> {
        let mut end = expected_name(block, at, expected);
        if end == at && is(block[at], NAME_START) {
            while is(block[end], NAME) {
                end += 1;
            }
        }
        let mut sample = Sample { name: Span { start: at, end }, ..Sample::default() };
        let value = match block[end] {
            b'{' if end > at => self.labels(block, end + 1, &mut sample)?,
            b' ' if end > at && !matches!(block[end + 1], b'{' | b' ' | b'\t') => end + 1,
            _ => return self.odd_line(block, at),
        };
        let next = self.value(block, value, &mut sample)?;
        Ok((Line::Sample(sample), next))
    }

    /// A line that does not begin with a name and a brace or a space.
    fn odd_line(&self, block: &[u8], at: usize) -> Lexed<(Line, usize)> {
        let start = skip_blanks(block, at);
        if let Some(note) = self.note(block, start) {
            return note.map(|(note, end)| (Line::Note(note), end));
        }
        let mut sample = Sample { irregular: true, ..Sample::default() };
        let mut end = start;
        if is(block[start], NAME_START) {
            while is(block[end], NAME) {
                end += 1;
            }
            sample.name = Span { start, end };
        }
        let mut value = skip_blanks(block, end);
        if block[value] == b'{' {
            value = self.labels(block, value + 1, &mut sample)?;
        } else if end == start {
            return fail(start, Fault::Start);
        }
        let next = self.value(block, value, &mut sample)?;
        Ok((Line::Sample(sample), next))
    }

    /// The labels; `at` is the byte after the opening brace. Returns where the value may begin.
    #[inline]
    fn labels(&self, block: &[u8], mut at: usize, sample: &mut Sample) -> Lexed<usize> {
        sample.labels.start = at;
        let mut seen = 0_u64;
        let mut count = 0_usize;
        loop {
            let start = at;
            let name = match block[at] {
                b if is(b, LABEL_START) => {
                    while is(block[at], LABEL) {
                        at += 1;
                    }
                    Span { start, end: at }
                }
                b'}' => break,
                b' ' | b'\t' => {
                    at += 1;
                    continue;
                }
                _ => {
                    let (label, next) = quoted_name(block, at, sample)?;
                    at = next;
                    if label == Span::default() {
                        at = separator(block, at)?;
                        continue;
                    }
                    label
                }
            };
            let value = label_value(block, at, &mut sample.irregular)?;
            count += 1;
            seen = self.check_label(block, sample, (name, value), (seen, count))?;
            at = separator(block, value.end + 1)?;
        }
        sample.labels.end = at;
        if sample.name.end == 0 {
            return fail(at, Fault::Name);
        }
        Ok(at + 1)
    }

    /// Checks a label against those before it (`seen`: their fingerprints; `count`: how many, this
    /// one included) and notes what is special about it. Returns the fingerprints with its own.
    #[inline]
    fn check_label(
        &self,
        block: &[u8],
        sample: &mut Sample,
        (name, value): (Span, Span),
        (seen, count): (u64, usize),
    ) -> Lexed<u64> {
        let text = &block[name.start..name.end];
        let print = fingerprint(text);
        if seen & print != 0 {
            let before = &block[sample.labels.start..name.start];
            if Pairs::new(before).any(|pair| pair.name == text) {
                return fail(name.start, Fault::RepeatedLabel);
            }
        }
        if count > LABELS {
            return fail(name.start, Fault::TooManyLabels);
        }
        if let Some(watch) = self.watch
            && watch.mask & print != 0
        {
            sample.watched |= watch.has(text);
        }
        match text {
            b"le" => sample.odd_le |= !is_float(value.of(block)),
            b"quantile" => sample.odd_quantile |= !is_float(value.of(block)),
            b"__name__" => return fail(name.start, Fault::ReservedLabel),
            _ => {}
        }
        Ok(seen | print)
    }

    /// The value and what follows it; `at` is where it begins, or blanks before it. Returns where
    /// the next line begins.
    #[inline]
    fn value(&self, block: &[u8], at: usize, sample: &mut Sample) -> Lexed<usize> {
        let start = if is(block[at], BLANK) { skip_blanks(block, at) } else { at };
        let end = match plain_float(&block[start..]) {
            Some(len) if is(block[start + len], TOKEN_STOP) => start + len,
            _ => {
                let end = token(block, start);
                if !is_float(&block[start..end]) {
                    return fail(start, Fault::Value);
                }
                end
            }
        };
        sample.value = Span { start, end };
        if block[end] == b'\n' {
            return Ok(end + 1);
        }
        self.tail(block, end, sample)
    }

    /// What follows a value: a timestamp, in OpenMetrics an exemplar, and the line's end.
    fn tail(&self, block: &[u8], end: usize, sample: &mut Sample) -> Lexed<usize> {
        let openmetrics = self.format == Format::OpenMetrics;
        let mut at = skip_blanks(block, end);
        let digits = token(block, at);
        if digits > at && !(openmetrics && block[at] == b'#') {
            sample.timestamp = Span { start: at, end: digits };
            let text = &block[at..digits];
            let good =
                if openmetrics { millis_of_seconds(text).is_some() } else { is_millis(text) };
            if !good {
                return fail(at, Fault::Timestamp);
            }
            sample.irregular |= openmetrics || at - end > 1;
            at = digits;
        } else {
            // Blanks at the end, which Prometheus' library takes for a timestamp.
            sample.irregular |= at > end;
        }
        if is(block[at], BLANK) {
            sample.irregular = true;
            at = skip_blanks(block, at);
        }
        if openmetrics && block[at] == b'#' {
            sample.irregular = true;
            at = self.exemplar(block, at + 1)?;
        }
        if block[at] == b'\r' {
            sample.irregular = true;
            at += 1;
        }
        if block[at] != b'\n' {
            return fail(at, Fault::Trailing);
        }
        Ok(at + 1)
    }

    /// `# {labels} value [timestamp]`; `at` is the byte after `#`. Returns where the line ends.
    fn exemplar(&self, block: &[u8], at: usize) -> Lexed<usize> {
        let at = skip_blanks(block, at);
        if block[at] != b'{' {
            return fail(at, Fault::Exemplar);
        }
        let mut exemplar = Sample { name: Span { start: at, end: at + 1 }, ..Sample::default() };
        let value = skip_blanks(block, self.labels(block, at + 1, &mut exemplar)?);
        let mut end = token(block, value);
        if !is_float(&block[value..end]) {
            return fail(value, Fault::Exemplar);
        }
        let time = skip_blanks(block, end);
        let time_end = token(block, time);
        if time_end > time {
            if !is_float(&block[time..time_end]) {
                return fail(time, Fault::Exemplar);
            }
            end = time_end;
        }
        Ok(skip_blanks(block, end))
    }

    /// A line of blanks or one that begins with `#`, and where the next begins; `None` if the line
    /// must be a sample. `at` is its first byte that is no blank.
    fn note(&self, block: &[u8], at: usize) -> Option<Lexed<(Note, usize)>> {
        let line_end = at + memchr::memchr(b'\n', &block[at..])?;
        let next = line_end + 1;
        let end =
            if line_end > at && block[line_end - 1] == b'\r' { line_end - 1 } else { line_end };
        if at == end {
            return Some(Ok((Note::Comment, next)));
        }
        if block[at] != b'#' {
            return None;
        }
        let text = skip_blanks(block, at + 1);
        let word = &block[text..token(block, text)];
        let arguments = skip_blanks(block, text + word.len());
        if self.format == Format::OpenMetrics && word == b"EOF" && arguments >= end {
            return Some(Ok((Note::Eof, next)));
        }
        if text == at + 1 || arguments >= end || !matches!(word, b"HELP" | b"TYPE") {
            return Some(Ok((Note::Comment, next)));
        }
        let is_type = word == b"TYPE";
        Some(self.meta(block, Span { start: arguments, end }, is_type).map(|note| (note, next)))
    }

    /// What follows `# HELP ` or `# TYPE `: a name, quoted or not, and a text or a type.
    fn meta(&self, block: &[u8], rest: Span, is_type: bool) -> Lexed<Note> {
        let (name, quoted, end) = match rest.of(block) {
            [b'"', ..] => {
                let mut odd = false;
                let end = closing_quote(block, rest.start, &mut odd)?;
                if odd {
                    return fail(rest.start, Fault::QuotedName);
                }
                (Span { start: rest.start + 1, end }, true, end + 1)
            }
            _ => {
                let mut end = rest.start;
                while is(block[end], NAME) {
                    end += 1;
                }
                (Span { start: rest.start, end }, false, end)
            }
        };
        let bare = is_metric_name(name.of(block));
        let ended = end >= rest.end || is(block[end], BLANK);
        if !ended || name.start == name.end || !(bare || quoted) {
            return fail(rest.start, Fault::MetaName);
        }
        let text = Span { start: skip_blanks(block, end).min(rest.end), end: rest.end };
        let quoted = !bare;
        if !is_type {
            return Ok(Note::Help { name, quoted, text });
        }
        match Kind::parse(text.of(block).trim_ascii_end(), self.format) {
            Some(kind) => Ok(Note::Type { name, quoted, kind }),
            None => fail(text.start, Fault::Type),
        }
    }
}

/// The end of `expected` if the line that begins at `at` begins with that name, else `at`.
#[inline]
fn expected_name(block: &[u8], at: usize, expected: &[u8]) -> usize {
    let end = at.saturating_add(expected.len());
    let same = block.get(at..end) == Some(expected) && matches!(block.get(end), Some(b'{' | b' '));
    if same { end } else { at }
}

/// The end of the token that begins at `at`: the next blank or line end.
#[inline]
#[expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]
fn token(block: &[u8], mut at: usize) -> usize {
    while !is(block[at], TOKEN_STOP) {
        at += 1;
    }
    at
}

/// The closing quote of the string that opens at `at`. `odd` is set by an escape that the format
/// does not have: Prometheus reads such a backslash as itself, and so do we.
#[inline]
#[expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]
fn closing_quote(block: &[u8], at: usize, odd: &mut bool) -> Lexed<usize> {
    let mut end = at + 1;
    loop {
        while !is(block[end], QUOTE_STOP) {
            end += 1;
        }
        match block[end] {
            b'"' => return Ok(end),
            b'\n' => return fail(at, Fault::ClosingQuote),
            _ => match block[end + 1] {
                b'\\' | b'"' | b'n' => end += 2,
                _ => {
                    *odd = true;
                    end += 1;
                }
            },
        }
    }
}

/// The text between the quotes of a label's value; `at` is the byte after the label's name.
#[inline]
#[expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]
fn label_value(block: &[u8], mut at: usize, odd: &mut bool) -> Lexed<Span> {
    if block[at] != b'=' {
        at = skip_blanks(block, at);
        if block[at] != b'=' {
            return fail(at, Fault::Equals);
        }
    }
    at += 1;
    if block[at] != b'"' {
        at = skip_blanks(block, at);
        if block[at] != b'"' {
            return fail(at, Fault::OpeningQuote);
        }
    }
    Ok(Span { start: at + 1, end: closing_quote(block, at, odd)? })
}

/// Where the next label begins: after a comma, or at the closing brace.
#[inline]
#[expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]
fn separator(block: &[u8], at: usize) -> Lexed<usize> {
    match block[at] {
        b',' => return Ok(at + 1),
        b'}' => return Ok(at),
        _ => {}
    }
    let next = skip_blanks(block, at);
    match block[next] {
        b',' => Ok(next + 1),
        b'}' => Ok(next),
        _ => fail(next, Fault::Comma),
    }
}

/// A string in quotes where a label's name could stand, and what follows it. With `=` behind it it
/// is one, and is returned; else it is the metric's name, goes into `sample`, and the span is empty.
#[cold]
#[expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]
fn quoted_name(block: &[u8], at: usize, sample: &mut Sample) -> Lexed<(Span, usize)> {
    if block[at] != b'"' {
        return fail(at, Fault::LabelName);
    }
    let mut odd = false;
    let name = Span { start: at + 1, end: closing_quote(block, at, &mut odd)? };
    if odd || name.start == name.end {
        return fail(at, Fault::QuotedName);
    }
    let next = skip_blanks(block, name.end + 1);
    sample.irregular = true;
    if block[next] == b'=' {
        sample.quoted_label |= !is_label_name(name.of(block));
        return Ok((name, next));
    }
    if sample.name.end != 0 {
        return fail(at, Fault::Name);
    }
    sample.name = name;
    sample.quoted = !is_metric_name(name.of(block));
    Ok((Span::default(), next))
}

/// A label of a sample that was lexed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Its name, without quotes.
    pub name: &'a [u8],
    /// Its value, without quotes, still escaped.
    pub value: &'a [u8],
}

/// The labels of a sample that was lexed before: what [`Sample::labels`] means.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// The labels in `text`, which a lexer has found good.
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The next string in quotes: what is before it, what is in it; the rest stays.
    fn quoted(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let open = memchr::memchr(b'"', self.rest)?;
        let (before, quoted) = self.rest.split_at_checked(open)?;
        let quoted = quoted.get(1..)?;
        let mut escaped = false;
        let close = quoted.iter().position(|&b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        })?;
        let (inside, rest) = quoted.split_at_checked(close)?;
        self.rest = rest.get(1..)?;
        Some((before, inside))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        loop {
            let (before, inside) = self.quoted()?;
            let is_name = |b: &u8| !matches!(b, b' ' | b'\t' | b',' | b'=');
            if let Some(start) = before.iter().position(is_name) {
                let end = before.iter().rposition(is_name)?.saturating_add(1);
                return Some(Pair { name: before.get(start..end)?, value: inside });
            }
            if self.rest.trim_ascii_start().first() == Some(&b'=') {
                let (_, value) = self.quoted()?;
                return Some(Pair { name: inside, value });
            }
        }
    }
}
