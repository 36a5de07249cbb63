//! Reads one sample line: names, labels, value, timestamp. Knows nothing of other lines.

use std::borrow::Cow;

use super::cursor::{BadQuote, Cursor};
use super::fault::{Excerpt, Fault, Place};
use crate::exposition::number::{self, BadNumber};

/// A fault and its place in the line, behind which nothing of the line can be trusted.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) column: usize,
    pub(super) fault: Fault,
}

impl Stop {
    pub(super) const fn new(column: usize, fault: Fault) -> Self {
        Self { column, fault }
    }
}

/// A decoded name or value and where it begins.
#[derive(Debug)]
pub(super) struct Text<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) column: usize,
}

/// A label as it stands on the line.
#[derive(Debug)]
pub(super) struct Label<'a> {
    pub(super) name: Text<'a>,
    pub(super) value: Text<'a>,
}

/// What could be read of a sample; everything before the first [`Stop`].
#[derive(Debug, Default)]
pub(super) struct Sample<'a> {
    pub(super) name: Option<Text<'a>>,
    pub(super) labels: Vec<Label<'a>>,
    pub(super) value: Option<f64>,
    pub(super) value_column: usize,
    pub(super) timestamp: Option<i64>,
    /// Where a timestamp with a sign stands.
    pub(super) sign: Option<usize>,
}

/// What follows an item in braces.
enum Next {
    Item,
    End,
}

impl<'a> Sample<'a> {
    /// Reads the line at the cursor into `self`, as far as it goes.
    ///
    /// # Errors
    ///
    /// The [`Stop`] at which reading ended.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Stop> {
        let column = cursor.column();
        let bare = cursor.metric_name();
        if bare.is_empty() && cursor.peek() != Some(b'{') {
            return Err(Stop::new(column, Fault::LineStart(Excerpt::first(cursor.rest()))));
        }
        if !bare.is_empty() {
            self.name = Some(Text { bytes: Cow::Borrowed(bare), column });
        }
        let glued = cursor.column();
        cursor.blanks();
        if cursor.peek() == Some(b'{') {
            self.braces(cursor)?;
            cursor.blanks();
        }
        let start = cursor.column();
        self.numbers(cursor).map_err(|stop| match (stop.fault, &self.name) {
            (Fault::Value(BadNumber::Syntax, text), Some(name)) if start == glued => {
                Stop::new(start, Fault::NameGoesOn(Excerpt::new(&name.bytes), text))
            }
            (fault, _) => Stop::new(stop.column, fault),
        })
    }

    /// From the opening brace to behind the closing one.
    fn braces(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Stop> {
        let column = cursor.column();
        let quoted_name = self.name.is_none();
        cursor.bump();
        loop {
            cursor.blanks();
            if cursor.eat(b'}') {
                break;
            }
            if matches!(self.item(cursor, quoted_name)?, Next::End) {
                break;
            }
        }
        match self.name {
            Some(_) => Ok(()),
            None => Err(Stop::new(column, Fault::NameMissing)),
        }
    }

    /// One label, or the metric name, and the comma or brace behind it.
    fn item(&mut self, cursor: &mut Cursor<'a>, quoted_name: bool) -> Result<Next, Stop> {
        let quoted = cursor.peek() == Some(b'"');
        let name = name_in_braces(cursor)?;
        cursor.blanks();
        if cursor.eat(b'=') {
            return self.label(cursor, name);
        }
        let here = cursor.column();
        let found = Excerpt::first(cursor.rest());
        match next(cursor) {
            Some(next) if quoted || quoted_name => {
                self.set_name(name, quoted)?;
                Ok(next)
            }
            None if quoted && quoted_name => {
                Err(Stop::new(here, Fault::NoComma(Place::Name, found)))
            }
            _ => Err(Stop::new(here, Fault::NoEquals(Excerpt::new(&name.bytes), found))),
        }
    }

    /// Takes a name in braces as the metric's.
    fn set_name(&mut self, name: Text<'a>, quoted: bool) -> Result<(), Stop> {
        let fault = match (&self.name, quoted) {
            (Some(_), _) => Fault::SecondName(Excerpt::new(&name.bytes)),
            (None, false) => Fault::BareName(Excerpt::new(&name.bytes)),
            (None, true) => {
                self.name = Some(name);
                return Ok(());
            }
        };
        Err(Stop::new(name.column, fault))
    }

    /// The value of a label and the comma or brace behind it.
    fn label(&mut self, cursor: &mut Cursor<'a>, name: Text<'a>) -> Result<Next, Stop> {
        cursor.blanks();
        let column = cursor.column();
        let shown = Excerpt::new(&name.bytes);
        if cursor.peek() != Some(b'"') {
            return Err(Stop::new(column, Fault::NoQuote(shown, Excerpt::first(cursor.rest()))));
        }
        let place = Place::LabelValue(shown);
        let bytes = quoted(cursor, &place)?;
        self.labels.push(Label { name, value: Text { bytes, column } });
        cursor.blanks();
        let here = cursor.column();
        next(cursor)
            .ok_or_else(|| Stop::new(here, Fault::NoComma(place, Excerpt::first(cursor.rest()))))
    }

    /// Value, timestamp and the end of the line.
    fn numbers(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Stop> {
        self.value_column = cursor.column();
        let word = cursor.word();
        let value = number::float(word)
            .map_err(|why| Stop::new(self.value_column, Fault::Value(why, Excerpt::new(word))))?;
        self.value = Some(value);
        let blanks = cursor.column();
        if cursor.blanks().is_empty() {
            return Ok(());
        }
        let column = cursor.column();
        let word = cursor.word();
        if word.is_empty() {
            return Err(Stop::new(blanks, Fault::TrailingBlank));
        }
        let timestamp = number::timestamp(word)
            .map_err(|why| Stop::new(column, Fault::Timestamp(why, Excerpt::new(word))))?;
        self.timestamp = Some(timestamp);
        self.sign = matches!(word, [b'+' | b'-', ..]).then_some(column);
        end(cursor)
    }
}

/// Nothing may come behind a timestamp.
fn end(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    let column = cursor.column();
    if cursor.blanks().is_empty() {
        return Ok(());
    }
    match cursor.rest() {
        [] => Err(Stop::new(column, Fault::TrailingBlank)),
        rest => Err(Stop::new(cursor.column(), Fault::AfterTimestamp(Excerpt::new(rest)))),
    }
}

/// Moves past a comma or a closing brace.
fn next(cursor: &mut Cursor<'_>) -> Option<Next> {
    if cursor.eat(b',') { Some(Next::Item) } else { cursor.eat(b'}').then_some(Next::End) }
}

/// A label's name, or the quoted one of the metric.
fn name_in_braces<'a>(cursor: &mut Cursor<'a>) -> Result<Text<'a>, Stop> {
    let column = cursor.column();
    let bytes = if cursor.peek() == Some(b'"') {
        checked_name(cursor, &Place::Name)?
    } else {
        Cow::Borrowed(cursor.label_name())
    };
    if bytes.is_empty() {
        return Err(Stop::new(column, Fault::LabelName(Excerpt::first(cursor.rest()))));
    }
    Ok(Text { bytes, column })
}

/// A quoted name: UTF-8 and not empty.
pub(super) fn checked_name<'a>(
    cursor: &mut Cursor<'a>,
    place: &Place,
) -> Result<Cow<'a, [u8]>, Stop> {
    let column = cursor.column();
    let bytes = quoted(cursor, place)?;
    if bytes.is_empty() {
        return Err(Stop::new(column, Fault::EmptyName));
    }
    if str::from_utf8(&bytes).is_err() {
        return Err(Stop::new(column, Fault::NotUtf8(place.clone())));
    }
    Ok(bytes)
}

/// A quoted text, its fault placed.
fn quoted<'a>(cursor: &mut Cursor<'a>, place: &Place) -> Result<Cow<'a, [u8]>, Stop> {
    let start = cursor.column();
    cursor.quoted().map_err(|why| match why {
        BadQuote::Open => Stop::new(start, Fault::OpenQuote(place.clone())),
        BadQuote::Escape => {
            Stop::new(cursor.column(), Fault::Escape(place.clone(), Excerpt::escape(cursor.rest())))
        }
    })
}
