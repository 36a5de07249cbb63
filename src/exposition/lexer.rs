//! Lines of exposition text, told apart and checked: the lexer of the syntax level.
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
//! Not here: what a name means (indexer.rs) and the rules of good style (lint.rs).

use super::class::{
    BLANK, LABEL, LABEL_START, NAME, NAME_START, TOKEN_STOP, is, is_metric_name, skip_blanks,
};
use super::fault::{Fault, Lexed, Malformed, fail};
use super::line::{Format, Kind, Line, Note, Sample, Span};
use super::number::{is_float, is_millis, millis_of_seconds, plain_float};
use super::pairs::Pairs;
use super::scan::{closing_quote, expected_name, label_value, quoted_name, separator, token};
use super::watch::{Watch, fingerprint};
use crate::limits::LABELS;

/// Lexes lines of one page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'w> {
    /// The format of the page.
    pub format: Format,
    /// The labels to look for.
    pub watch: Option<&'w Watch>,
}

impl Lexer<'_> {
    const TEXT: Self = Self { format: Format::Text, watch: None };
}

// The invariant of scan.rs holds here as well.
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
    pub(super) fn line(&self, block: &[u8], at: usize, expected: &[u8]) -> Lexed<(Line, usize)> {
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
            let markup = block[start] == b'<';
            return fail(start, if markup { Fault::Markup } else { Fault::Start });
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

/// Checks what concerns a whole block at once: UTF-8, and no byte 0. Comments may be anything, so
/// the line that offends is looked for only when a block fails.
///
/// # Errors
///
/// [`Fault::Nul`] or [`Fault::Utf8`] at the first offending byte outside a plain comment.
pub(super) fn check_bytes(block: &[u8]) -> Result<(), Malformed> {
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
