//! Walks through a reply as it streams in, and takes down the fields that the table asks for.
//!
//! Memory is fixed but for what is taken down: the way to the current value, as far down as the table
//! goes, the objects of the table that it is in, and the front of the text under way.

use std::fmt::Write as _;

use super::doc::Doc;
use super::facts::{Facts, Kind, shortened};

use super::pattern::{capture, is_wild, segments};
use super::table::{self, Key, Object, Take};
use crate::config::Modules;
use crate::json::{Bracket, Malformed, Reader, Token};
use crate::limits::KLIPPER_TEXT;
use crate::memory::Full;

/// Segments of the longest way down that the table has, `result` included.
const WAY: usize = 8;

/// Segments of an object's path at most.
const PATH: usize = 3;

/// Bytes of the names on such a way.
const NAMES: usize = 1024;

/// Objects of the table that a value is in at once: each of them for another module.
const WITHIN: usize = 8;

/// Why a reply cannot be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkError {
    /// It is no JSON, or not whole.
    Malformed(Malformed),
    /// There is no memory for what is in it.
    Full,
}

impl From<Malformed> for WalkError {
    fn from(fault: Malformed) -> Self {
        Self::Malformed(fault)
    }
}

impl From<Full> for WalkError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// Reads one reply.
pub(super) struct Walker {
    reader: Reader,
    place: Place,
    text: Front,
}

/// The front of the text under way, where it is wanted.
#[derive(Default)]
struct Front {
    text: heapless::String<KLIPPER_TEXT>,
    under_way: bool,
    wanted: bool,
    /// Whether there was more of it than there is room for.
    cut: bool,
}

/// Where in the reply the walker is, and what it looks for there.
struct Place {
    doc: Doc,
    /// What there may be of the table.
    sought: Box<[Sought]>,
    way: Way,
    within: heapless::Vec<Within, WITHIN>,
    /// Whether there is anything at all where the table's paths start.
    found: bool,
}

/// A path of the table that leads somewhere in this reply.
struct Sought {
    object: &'static Object,
    number: usize,
    path: &'static str,
    /// Segments of it: most values are no deeper than none of these.
    depth: usize,
}

/// The way to the value under way.
#[derive(Default)]
struct Way {
    /// What is open, outermost first, as far as the table goes.
    frames: heapless::Vec<Frame, WAY>,
    /// What is open below that.
    deeper: usize,
    names: heapless::String<NAMES>,
}

/// An object or list on the way.
struct Frame {
    bracket: Bracket,
    /// Values in it so far.
    values: usize,
    /// Where the name of the current one begins.
    start: usize,
    /// Whether that is longer than any that the table has.
    unknown: bool,
}

/// An object of the table that the value is in.
struct Within {
    object: &'static Object,
    /// Segments of the way to it.
    depth: usize,
    element: u32,
}

/// What there is at the place under way.
#[derive(Clone, Copy)]
enum Found<'a> {
    Null,
    Opened,
    /// A list has ended, of this many values.
    Length(&'a str),
    Scalar(Kind, &'a str),
}

impl Walker {
    pub(super) fn new(doc: Doc, modules: Modules) -> Self {
        let (way, within) = (Way::default(), heapless::Vec::new());
        let sought = sought(doc, modules).collect();
        let place = Place { doc, sought, way, within, found: false };
        Self { reader: Reader::new(), place, text: Front::default() }
    }

    /// Reads on.
    pub(super) fn read(&mut self, mut input: &[u8], facts: &mut Facts) -> Result<(), WalkError> {
        let Self { reader, place, text } = self;
        while let Some(token) = reader.next(&mut input)? {
            match token {
                Token::Name(name) => place.way.name(name),
                Token::Open(bracket) => {
                    place.enter(facts)?;
                    place.record(Found::Opened, facts)?;
                    place.way.open(bracket);
                }
                Token::Close(_) => {
                    let count = place.way.close();
                    place.record(Found::Length(&count), facts)?;
                    place.leave();
                }
                Token::Text { piece, last } => {
                    if !text.under_way {
                        place.enter(facts)?;
                        text.begin(place.wants());
                    }
                    text.add(piece);
                    if last {
                        text.under_way = false;
                        place.scalar(Found::Scalar(Kind::Text, &text.text), facts)?;
                    }
                }
                Token::Number(number) => {
                    place.enter(facts)?;
                    // One of hundreds of digits is as good as none.
                    let number = number.map_or(Found::Null, |it| Found::Scalar(Kind::Number, it));
                    place.scalar(number, facts)?;
                }
                Token::Bool(value) => {
                    place.enter(facts)?;
                    let value = if value { "1" } else { "0" };
                    place.scalar(Found::Scalar(Kind::Count, value), facts)?;
                }
                Token::Null => {
                    place.enter(facts)?;
                    place.scalar(Found::Null, facts)?;
                }
            }
        }
        Ok(())
    }

    /// The reply has ended. Whether it has what it was asked for: some errors look like answers.
    pub(super) fn finish(&self) -> Result<bool, WalkError> {
        self.reader.finish()?;
        Ok(self.place.found)
    }
}

impl Front {
    fn begin(&mut self, wanted: bool) {
        self.text.clear();
        (self.under_way, self.wanted, self.cut) = (true, wanted, false);
    }

    /// Adds as much of `piece` as there is room for.
    fn add(&mut self, piece: &str) {
        if self.wanted && !self.cut {
            let room = KLIPPER_TEXT.saturating_sub(self.text.len());
            let front = shortened(piece, room);
            self.cut = front.len() < piece.len();
            let _ = self.text.push_str(front);
        }
    }
}

impl Place {
    /// A value begins: goes into the objects of the table that it is.
    fn enter(&mut self, facts: &mut Facts) -> Result<(), Full> {
        self.way.count();
        let base = self.doc.base();
        let below = self.way.depth().checked_sub(base.len()).filter(|below| *below <= PATH);
        if below.is_none() || !self.way.begins_with(base) {
            return Ok(());
        }
        self.found = true;
        for Sought { object, number, path, .. } in
            self.sought.iter().filter(|it| Some(it.depth) == below)
        {
            let Some(part) = self.way.object(path, base.len()) else { continue };
            let key = match object.key {
                Key::Part | Key::Plain => part,
                Key::Whole | Key::All => self.way.segment(self.way.depth().saturating_sub(1)),
                Key::One | Key::Clean(_) | Key::Field(_) => "",
            };
            if let Some(element) = facts.element(*number, key)? {
                let within = Within { object, depth: self.way.depth(), element };
                // There is room: the table has no more than that for one place.
                let _ = self.within.push(within);
            }
        }
        Ok(())
    }

    /// A value has ended: leaves the objects that it was.
    fn leave(&mut self) {
        let depth = self.way.depth();
        while self.within.last().is_some_and(|within| within.depth >= depth) {
            self.within.pop();
        }
    }

    /// Whether a text is wanted here.
    fn wants(&self) -> bool {
        self.within.iter().any(|within| {
            let mut metrics = within.object.metrics.iter();
            metrics.any(|metric| self.way.field(metric.field, within.depth).is_some())
        })
    }

    /// A value that is whole.
    fn scalar(&mut self, found: Found<'_>, facts: &mut Facts) -> Result<(), Full> {
        self.record(found, facts)?;
        self.leave();
        Ok(())
    }

    /// Takes down what the table wants of this place.
    fn record(&self, found: Found<'_>, facts: &mut Facts) -> Result<(), Full> {
        for Within { object, depth, element } in &self.within {
            for (number, metric) in object.metrics.iter().enumerate() {
                let value = match (metric.take, found) {
                    (Take::Present, Found::Null) => (Kind::Count, "0"),
                    (Take::Present, Found::Opened | Found::Scalar(..)) => (Kind::Count, "1"),
                    (Take::Length, Found::Length(count)) => (Kind::Count, count),
                    (Take::Present | Take::Length, _) => continue,
                    (_, Found::Scalar(Kind::Text, text)) if object.is_absent(text) => continue,
                    (_, Found::Scalar(kind, text)) => (kind, text),
                    _ => continue,
                };
                if let Some(sub) = self.way.field(metric.field, *depth) {
                    facts.fact(*element, (number, sub), value)?;
                }
            }
        }
        Ok(())
    }
}

impl Way {
    /// Segments of it.
    fn depth(&self) -> usize {
        self.frames.len().saturating_add(self.deeper)
    }

    /// The next value of the innermost object has this name.
    fn name(&mut self, name: Option<&str>) {
        if let Some(frame) = self.frames.last_mut().filter(|_| self.deeper == 0) {
            self.names.truncate(frame.start);
            frame.unknown = name.is_none_or(|name| self.names.push_str(name).is_err());
        }
    }

    /// A value begins.
    fn count(&mut self) {
        let Some(frame) = self.frames.last_mut().filter(|_| self.deeper == 0) else { return };
        if frame.bracket == Bracket::Array {
            self.names.truncate(frame.start);
            frame.unknown = write!(self.names, "{}", frame.values).is_err();
        }
        frame.values = frame.values.saturating_add(1);
    }

    fn open(&mut self, bracket: Bracket) {
        let frame = Frame { bracket, values: 0, start: self.names.len(), unknown: false };
        if self.deeper > 0 || self.frames.push(frame).is_err() {
            self.deeper = self.deeper.saturating_add(1);
        }
    }

    /// How many values the list had that ends; empty for anything else.
    fn close(&mut self) -> heapless::String<20> {
        let mut count = heapless::String::new();
        if self.deeper > 0 {
            self.deeper = self.deeper.saturating_sub(1);
        } else if let Some(frame) = self.frames.pop() {
            self.names.truncate(frame.start);
            if frame.bracket == Bracket::Array {
                // Longer than any number.
                let _ = write!(count, "{}", frame.values);
            }
        }
        count
    }

    /// Segment number `at`.
    fn segment(&self, at: usize) -> &str {
        let start = self.frames.get(at).map_or(self.names.len(), |frame| frame.start);
        let next = self.frames.get(at.saturating_add(1));
        let end = next.map_or(self.names.len(), |frame| frame.start);
        self.names.get(start..end).unwrap_or_default()
    }

    /// What `pattern` stands for in segment number `at`.
    fn capture(&self, at: usize, pattern: &[u8]) -> Option<&str> {
        let frame = self.frames.get(at).filter(|frame| !frame.unknown)?;
        capture(pattern, self.segment(at), frame.bracket == Bracket::Array)
    }

    fn begins_with(&self, base: &[&str]) -> bool {
        base.iter().enumerate().all(|(at, name)| self.capture(at, name.as_bytes()).is_some())
    }

    /// Whether this is the way to an object with this path below the first `base` segments, and what
    /// its last pattern stands for.
    fn object(&self, path: &str, base: usize) -> Option<&str> {
        let mut at = base;
        let mut part = "";
        for pattern in segments(path, b'/') {
            part = self.capture(at, pattern)?;
            at = at.saturating_add(1);
        }
        (at == self.depth()).then_some(part)
    }

    /// Whether this is the way to a field of an object that is `depth` segments down, and what the
    /// field's pattern stands for.
    fn field(&self, field: &str, depth: usize) -> Option<&str> {
        let mut at = depth;
        let mut sub = "";
        for pattern in segments(field, b'.') {
            let part = self.capture(at, pattern)?;
            if is_wild(pattern) {
                sub = part;
            }
            at = at.saturating_add(1);
        }
        (at == self.depth()).then_some(sub)
    }
}

/// The paths of the table that lead somewhere in `doc`, for one of `modules`.
fn sought(doc: Doc, modules: Modules) -> impl Iterator<Item = Sought> {
    let wanted = move |object: &Object| object.doc == doc && modules.has(object.module);
    let objects = table::objects().filter(move |(_, object)| wanted(object));
    objects.flat_map(|(number, object)| {
        let depth = |path| segments(path, b'/').count();
        object.paths.iter().map(move |path| Sought { object, number, path, depth: depth(path) })
    })
}

#[cfg(test)]
mod tests;
