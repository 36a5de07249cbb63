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
    BLANK, LABEL, LABEL_START, NAME_START, TOKEN_STOP, is, is_metric_name, skip_blanks,
};
use super::fault::{Fault, Lexed, Malformed, fail};
use super::line::{Format, Kind, Line, Note, Sample, Span};
use super::number::{is_float, is_millis, millis_of_seconds, plain_float};
use super::pairs::Pairs;
use super::scan::{
    closing_quote, label_value, name_again, name_end, quoted_name, repeats, separator, token,
};
use super::watch::{SPECIAL, Watch, fingerprint};
use crate::limits::LABELS;

/// Lexes lines of one page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexer<'w> {
    /// The format of the page.
    pub format: Format,
    /// The labels to look for.
    pub watch: Option<&'w Watch>,
}

/// What the lines before tell of the next one: the name that it probably has, and the labels with
/// which it probably begins. What was read once need only be compared, and most lines repeat a good
/// part of the one before. Good for one block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    /// Whether the line just read has the name of the one before it, plain comments left out.
    pub again: bool,
    /// The name of that line, a sample or a comment that announces one; empty if it is quoted or
    /// the line is out of the ordinary.
    name: Span,
    /// Where the last label of that sample begins, if the line begins with the name and nothing
    /// between is out of the ordinary; else 0.
    last: usize,
    /// The labels before that one.
    seen: Seen,
}

/// The labels of a sample so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Their fingerprints.
    prints: u64,
    /// How many there are.
    count: usize,
}

impl Before {
    /// Behind a line with the name `name`, which is that of the line before if `again`.
    const fn named(name: Span, again: bool) -> Self {
        Self { again, name, last: 0, seen: Seen { prints: 0, count: 0 } }
    }
}

impl Lexer<'_> {
    const TEXT: Self = Self { format: Format::Text, watch: None };
}

// The invariant of scan.rs holds here as well.
#[expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]
impl Lexer<'_> {
    /// What the line of `block` is that begins at `at`, and where the next one begins: a note, or
    /// else the sample that is put into `sample`, since it is too large to be handed about. `block`
    /// holds whole lines: its last byte is a line feed. `before` goes from line to line.
    ///
    /// # Errors
    ///
    /// [`Malformed`] says what no such line can have, and where.
    #[inline(always)]
    pub(super) fn line(
        &self,
        block: &[u8],
        at: usize,
        before: &mut Before,
        sample: &mut Sample,
    ) -> Lexed<(Option<Note>, usize)> {
        let known = before.name;
        let end = at + (known.end - known.start);
        *sample = Sample { name: Span { start: at, end }, ..Sample::default() };
        let value = if before.last > 0 && repeats(block, at, known.start, before.last) {
            let last = at + (before.last - known.start);
            *before = Before { again: true, name: sample.name, last: 0, seen: before.seen };
            sample.labels.start = end + 1;
            self.labels(block, last, sample, before)?
        } else {
            let (end, again) = name_again(block, at, known);
            match block[end] {
                b'{' if end > at => {
                    sample.name.end = end;
                    *before = Before::named(sample.name, again);
                    sample.labels.start = end + 1;
                    self.labels(block, end + 1, sample, before)?
                }
                b' ' if end > at && !matches!(block[end + 1], b'{' | b' ' | b'\t') => {
                    sample.name.end = end;
                    *before = Before::named(sample.name, again);
                    end + 1
                }
                _ => return self.odd_line(block, at, before, sample),
            }
        };
        let next = self.value(block, value, sample)?;
        Ok((None, next))
    }

    /// As [`Lexer::line`], of a line on its own.
    pub(super) fn single(&self, block: &[u8], at: usize) -> Lexed<(Line, usize)> {
        let mut sample = Sample::default();
        let (note, next) = self.line(block, at, &mut Before::default(), &mut sample)?;
        Ok((note.map_or(Line::Sample(sample), Line::Note), next))
    }

    /// A line that does not begin with a name and a brace or a space.
    #[inline(never)]
    fn odd_line(
        &self,
        block: &[u8],
        at: usize,
        before: &mut Before,
        sample: &mut Sample,
    ) -> Lexed<(Option<Note>, usize)> {
        if let Some((note, next)) = self.announcement(block, at, before) {
            return Ok((Some(note), next));
        }
        let start = skip_blanks(block, at);
        if let Some(note) = self.note(block, start) {
            let (note, next) = note?;
            if matches!(note, Note::Help { .. } | Note::Type { .. }) {
                *before = Before::default();
            }
            return Ok((Some(note), next));
        }
        *before = Before::default();
        *sample = Sample { irregular: true, ..Sample::default() };
        let mut end = start;
        if is(block[start], NAME_START) {
            end = name_end(block, start);
            sample.name = Span { start, end };
        }
        let mut value = skip_blanks(block, end);
        if block[value] == b'{' {
            sample.labels.start = value + 1;
            value = self.labels(block, value + 1, sample, &mut Before::default())?;
        } else if end == start {
            let markup = block[start] == b'<';
            return fail(start, if markup { Fault::Markup } else { Fault::Start });
        }
        let next = self.value(block, value, sample)?;
        Ok((None, next))
    }

    /// The labels from `at` on, which those of `before` precede. Returns where the value may begin.
    #[inline(never)]
    fn labels(
        &self,
        block: &[u8],
        mut at: usize,
        sample: &mut Sample,
        before: &mut Before,
    ) -> Lexed<usize> {
        let mut seen = before.seen;
        let mut last = at;
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
            (last, before.seen) = (start, seen);
            self.check_label(block, sample, (name, value), &mut seen)?;
            at = separator(block, value.end + 1)?;
        }
        sample.labels.end = at;
        if sample.name.end == 0 {
            return fail(at, Fault::Name);
        }
        if !sample.is_odd() {
            before.last = last;
        }
        Ok(at + 1)
    }

    /// Checks a label against those `seen` before it, notes what is special about it, and counts it.
    #[inline(always)]
    fn check_label(
        &self,
        block: &[u8],
        sample: &mut Sample,
        (name, value): (Span, Span),
        seen: &mut Seen,
    ) -> Lexed<()> {
        let text = &block[name.start..name.end];
        let print = fingerprint(text);
        if seen.prints & print != 0 {
            let before = &block[sample.labels.start..name.start];
            if Pairs::new(before).any(|pair| pair.name == text) {
                return fail(name.start, Fault::RepeatedLabel);
            }
        }
        seen.prints |= print;
        seen.count += 1;
        if seen.count > LABELS {
            return fail(name.start, Fault::TooManyLabels);
        }
        if SPECIAL & print != 0 || self.watch.is_some_and(|watch| watch.mask & print != 0) {
            self.special_label(block, sample, name, value)?;
        }
        Ok(())
    }

    /// Notes that a label is one of those that mean something, if it is.
    #[inline(never)]
    fn special_label(
        &self,
        block: &[u8],
        sample: &mut Sample,
        name: Span,
        value: Span,
    ) -> Lexed<()> {
        let text = &block[name.start..name.end];
        sample.watched |= self.watch.is_some_and(|watch| watch.has(text));
        match text {
            b"le" => sample.odd_le |= !is_float(value.of(block)),
            b"quantile" => sample.odd_quantile |= !is_float(value.of(block)),
            b"__name__" => return fail(name.start, Fault::ReservedLabel),
            _ => {}
        }
        Ok(())
    }

    /// The value and what follows it; `at` is where it begins, or blanks before it. Returns where
    /// the next line begins.
    #[inline(always)]
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
        exemplar.labels.start = at + 1;
        let labels = self.labels(block, at + 1, &mut exemplar, &mut Before::default())?;
        let value = skip_blanks(block, labels);
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
        let rest = Span { start: arguments, end };
        Some(self.meta(block, rest, is_type).map(|note| (note, next)))
    }

    /// A line `# HELP name text` or `# TYPE name type` as nearly all of them are written, one blank
    /// between two parts, and where the next one begins. `None` leaves the line to [`Lexer::note`].
    #[inline(always)]
    fn announcement(&self, block: &[u8], at: usize, before: &mut Before) -> Option<(Note, usize)> {
        let is_type = match block[at..].first_chunk()? {
            b"# TYPE " => true,
            b"# HELP " => false,
            _ => return None,
        };
        let start = at + b"# TYPE ".len();
        let (end, again) = name_again(block, start, before.name);
        if end == start || block[end] != b' ' {
            return None;
        }
        let name = Span { start, end };
        let text = end + 1;
        let (note, end) = if is_type {
            let end = token(block, text);
            let kind = Kind::parse(&block[text..end], self.format)?;
            (Note::Type { name, quoted: false, kind }, end)
        } else {
            let end = text + memchr::memchr(b'\n', &block[text..])?;
            let text = Span { start: text, end };
            (Note::Help { name, quoted: false, text }, end)
        };
        let regular = block[end] == b'\n' && block[end - 1] != b'\r' && !is(block[text], BLANK);
        if !regular {
            return None;
        }
        *before = Before::named(name, again);
        Some((note, end + 1))
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
                let end = name_end(block, rest.start);
                (Span { start: rest.start, end }, false, end)
            }
        };
        let bare =
            if quoted { is_metric_name(name.of(block)) } else { is(block[name.start], NAME_START) };
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
    let text = block.is_ascii() || str::from_utf8(block).is_ok();
    if text && memchr::memchr(0, block).is_none() {
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
