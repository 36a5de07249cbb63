//! Checks lines that begin with `#`: HELP, TYPE, and those that mean nothing.

use std::borrow::Cow;

use super::advice::Advice;
use super::cursor::{Cursor, is_blank};
use super::family::{Family, Type};
use super::fault::{Excerpt, Fault, Keyword, Place};
use super::sample::{Stop, checked_name};
use super::{Desk, Linter};

impl Linter {
    /// `cursor` is at the `#`.
    pub(super) fn comment(&mut self, mut cursor: Cursor<'_>, desk: &mut Desk<'_>) {
        let start = cursor.column();
        cursor.bump();
        let glued = cursor.blanks().is_empty();
        let keyword = match cursor.word() {
            b"HELP" => Keyword::Help,
            b"TYPE" => Keyword::Type,
            _ => return,
        };
        // Without anything after it, the keyword is a comment like any other.
        if cursor.blanks().is_empty() {
            return;
        }
        if glued {
            desk.advice(start, Advice::Glued(keyword));
        }
        self.metadata(keyword, cursor, desk);
    }

    /// `cursor` is where the metric name should be.
    fn metadata(&mut self, keyword: Keyword, mut cursor: Cursor<'_>, desk: &mut Desk<'_>) {
        let column = cursor.column();
        if cursor.rest().is_empty() {
            return desk.advice(column, Advice::Unfinished(keyword));
        }
        let name = match name(keyword, &mut cursor) {
            Ok(name) => name,
            Err(stop) => return desk.fault(stop.column, stop.fault),
        };
        if cursor.rest().is_empty() && keyword == Keyword::Help {
            return;
        }
        if cursor.rest().is_empty() {
            return desk.advice(cursor.column(), Advice::Unfinished(keyword));
        }
        let key = self.families.key(&name);
        let shown = Excerpt::family(key, &name);
        let (family, left) = self.families.enter(key, (desk.line, column));
        let unfinished = cursor.rest().iter().copied().all(is_blank);
        let misplaced = if unfinished { None } else { misplaced(keyword, family, &shown) };
        if let Some(fault) = misplaced.or(left.map(|left| Fault::Split(shown, left))) {
            desk.fault(column, fault);
        }
        match keyword {
            Keyword::Help => help(family, cursor, desk),
            Keyword::Type => declare(family, cursor, desk),
        }
    }
}

/// The metric name after a keyword; behind it is a blank or the end of the line.
fn name<'a>(keyword: Keyword, cursor: &mut Cursor<'a>) -> Result<Cow<'a, [u8]>, Stop> {
    let name = if cursor.peek() == Some(b'"') {
        checked_name(cursor, &Place::MetricName)?
    } else {
        Cow::Borrowed(cursor.metric_name())
    };
    let column = cursor.column();
    let found = Excerpt::first(cursor.rest());
    match cursor.rest() {
        b"\r" => Err(Stop::new(column, Fault::CarriageReturn)),
        _ if name.is_empty() => Err(Stop::new(column, Fault::NoMetricName(keyword, found))),
        [] | [b' ' | b'\t', ..] => Ok(name),
        _ => Err(Stop::new(column, Fault::NameEnd(keyword, found))),
    }
}

/// Why this is no place for a family's HELP or TYPE.
fn misplaced(keyword: Keyword, family: &Family, name: &Excerpt) -> Option<Fault> {
    let before = match keyword {
        Keyword::Help => family.help,
        Keyword::Type => family.declared.map(|(line, _)| line),
    };
    match (before, family.samples) {
        (Some(line), _) => Some(Fault::Second(keyword, name.clone(), line)),
        (None, Some(line)) => Some(Fault::AfterSamples(keyword, name.clone(), line)),
        (None, None) => None,
    }
}

/// The text of a HELP line.
fn help(family: &mut Family, mut cursor: Cursor<'_>, desk: &mut Desk<'_>) {
    cursor.blanks();
    let column = cursor.column();
    let text = cursor.rest();
    // No text is no HELP: a later line may give it.
    if text.is_empty() {
        return;
    }
    family.help.get_or_insert(desk.line);
    if str::from_utf8(text).is_err() {
        desk.advice(column, Advice::HelpNotUtf8);
    }
    while cursor.peek().is_some() {
        cursor.take_while(|byte| byte != b'\\');
        let at = cursor.column();
        match cursor.rest() {
            [] => {}
            [b'\\', b'\\' | b'n', ..] => {
                cursor.bump();
                cursor.bump();
            }
            rest => {
                desk.fault(at, Fault::Escape(Place::Help, Excerpt::escape(rest)));
                cursor.bump();
            }
        }
    }
    if text.ends_with(b"\r") {
        desk.advice(cursor.column().saturating_sub(1), Advice::HelpCarriageReturn);
    }
}

/// The type on a TYPE line.
fn declare(family: &mut Family, mut cursor: Cursor<'_>, desk: &mut Desk<'_>) {
    let gap = cursor.blanks().len();
    let column = cursor.column();
    let rest = cursor.rest();
    let word = rest.strip_suffix(b"\r").unwrap_or(rest);
    if rest.is_empty() {
        return desk.advice(column, Advice::Unfinished(Keyword::Type));
    }
    if !word.is_empty() {
        // The parser leaves out backslashes here, whatever they stand before.
        let plain: Vec<u8> = word.iter().copied().filter(|&byte| byte != b'\\').collect();
        match Type::named(&plain) {
            None => desk.fault(column, Fault::UnknownType(Excerpt::new(word))),
            Some(kind) => {
                family.declared.get_or_insert((desk.line, kind));
                if gap != 1 || !is_scrapers(word) {
                    desk.advice(column, Advice::TypeSpelling(Excerpt::new(word)));
                }
            }
        }
    }
    if word.len() < rest.len() {
        let end = column.saturating_add(word.len());
        desk.fault(end, Fault::CarriageReturn);
    }
}

/// Whether Prometheus' scraper knows the type by this very word.
fn is_scrapers(word: &[u8]) -> bool {
    matches!(word, b"counter" | b"gauge" | b"histogram" | b"summary" | b"untyped")
}
