//! What has been read: the fields that the table's rows ask for, and nothing else.
//!
//! Texts lie in blocks of the scrape's budget, and so do the records that point at them; all of it
//! goes when the page is written. Where a reply has more than fits, the rest is passed over.

use super::table::{self, Key, Object};
use crate::config::Module;
use crate::limits::{BLOCK, KLIPPER_FACTS, KLIPPER_FIELDS, KLIPPER_OBJECTS, KLIPPER_TEXT};
use crate::memory::{Block, Budget, Full, Place, Table};

/// What kind of value a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    /// `true`, a list's length, or that there is something.
    Count,
}

/// All that was read for one page.
pub(super) struct Facts {
    budget: Budget,
    texts: Vec<Block>,
    elements: Table<Element>,
    facts: Table<Fact>,
    /// Of each object of the table.
    chains: Vec<Chain>,
}

/// The elements that an object has, first and last, and how many.
#[derive(Clone, Copy, Default)]
struct Chain {
    first: Option<u32>,
    last: Option<u32>,
    count: usize,
}

/// One of an object's kind: `temperature_sensor chamber`.
struct Element {
    key: Place,
    next: Option<u32>,
    facts: Chain,
}

/// A field's value.
struct Fact {
    metric: u8,
    kind: Kind,
    sub: Place,
    value: Place,
    next: Option<u32>,
}

/// An element as it is looked at.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    facts: &'a Facts,
    element: &'a Element,
    object: &'static Object,
}

/// A value as it is looked at.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) metric: usize,
    /// What the field's pattern stands for.
    pub(super) sub: &'a str,
    kind: Kind,
    text: &'a str,
}

impl Facts {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            texts: Vec::new(),
            elements: Table::default(),
            facts: Table::default(),
            chains: vec![Chain::default(); table::count()],
        }
    }

    /// Takes down one of an object's kind; `None` where there are too many.
    pub(super) fn element(&mut self, object: usize, key: &str) -> Result<Option<u32>, Full> {
        let key = self.keep(key)?;
        let Some(chain) = self.chains.get_mut(object) else { return Ok(None) };
        if chain.count >= KLIPPER_OBJECTS {
            return Ok(None);
        }
        let number = u32::try_from(self.elements.len()).map_err(|_| Full)?;
        let element = Element { key, next: None, facts: Chain::default() };
        self.elements.push(element, &self.budget)?;
        if let Some(last) = chain.last.and_then(|last| self.elements.get_mut(index(last))) {
            last.next = Some(number);
        }
        chain.add(number);
        Ok(Some(number))
    }

    /// Takes down a field of `element`.
    pub(super) fn fact(
        &mut self,
        element: u32,
        (metric, sub): (usize, &str),
        (kind, value): (Kind, &str),
    ) -> Result<(), Full> {
        let (sub, value) = (self.keep(sub)?, self.keep(value)?);
        let Ok(metric) = u8::try_from(metric) else { return Ok(()) };
        let Some(chain) = self.elements.get_mut(index(element)).map(|element| &mut element.facts)
        else {
            return Ok(());
        };
        if chain.count >= KLIPPER_FIELDS || self.facts.len() >= KLIPPER_FACTS {
            return Ok(());
        }
        let number = u32::try_from(self.facts.len()).map_err(|_| Full)?;
        self.facts.push(Fact { metric, kind, sub, value, next: None }, &self.budget)?;
        if let Some(last) = chain.last.and_then(|last| self.facts.get_mut(index(last))) {
            last.next = Some(number);
        }
        chain.add(number);
        Ok(())
    }

    /// Passes over what was read of some objects.
    pub(super) fn forget(&mut self, of: impl Fn(&Object) -> bool) {
        for ((_, object), chain) in table::objects().zip(&mut self.chains) {
            if of(object) {
                *chain = Chain::default();
            }
        }
    }

    /// The elements of an object.
    pub(super) fn elements(
        &self,
        (number, object): (usize, &'static Object),
    ) -> impl Iterator<Item = Seen<'_>> {
        let first = self.chains.get(number).and_then(|chain| chain.first);
        let mut next = first;
        std::iter::from_fn(move || {
            let element = self.elements.get(index(next?))?;
            next = element.next;
            Some(Seen { facts: self, element, object })
        })
    }

    /// The one element of the object whose first path is this, for modules that have it.
    pub(super) fn one(&self, path: &str, has: &str) -> Option<Seen<'_>> {
        let fits = |object: &Object| {
            object.paths.first() == Some(&path)
                && object.metrics.iter().any(|metric| metric.field == has)
        };
        let found = table::objects().filter(|(_, object)| fits(object));
        found.flat_map(|object| self.elements(object)).next()
    }

    /// The first element of the object of a module that begins its paths with this.
    pub(super) fn of(&self, module: Module, path: &'static str) -> Option<Seen<'_>> {
        self.all(module, path).next()
    }

    /// All of that kind of which something was read.
    pub(super) fn all(&self, module: Module, path: &'static str) -> impl Iterator<Item = Seen<'_>> {
        let fits =
            move |object: &Object| object.module == module && object.paths.first() == Some(&path);
        let found = table::objects().filter(move |(_, object)| fits(object));
        found.flat_map(|object| self.elements(object)).filter(|element| !element.is_empty())
    }

    /// Keeps a text in one piece.
    fn keep(&mut self, text: &str) -> Result<Place, Full> {
        if text.is_empty() {
            return Ok(Place::default());
        }
        let text = shortened(text, KLIPPER_TEXT);
        if self
            .texts
            .last()
            .is_none_or(|last| last.filled().len().saturating_add(text.len()) > BLOCK)
        {
            self.texts.push(self.budget.block()?);
        }
        let number = self.texts.len().saturating_sub(1);
        let block = self.texts.last_mut().ok_or(Full)?;
        let start = block.filled().len();
        block.append(text.as_bytes());
        Place::new(number, start, start.saturating_add(text.len()))
    }

    fn text(&self, place: Place) -> &str {
        std::str::from_utf8(place.of(&self.texts)).unwrap_or_default()
    }
}

impl Chain {
    fn add(&mut self, number: u32) {
        self.first.get_or_insert(number);
        self.last = Some(number);
        self.count = self.count.saturating_add(1);
    }
}

impl<'a> Seen<'a> {
    /// Its values, in the reply's order.
    pub(super) fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut next = self.element.facts.first;
        std::iter::from_fn(move || {
            let fact = self.facts.facts.get(index(next?))?;
            next = fact.next;
            Some(Value {
                metric: fact.metric.into(),
                sub: self.facts.text(fact.sub),
                kind: fact.kind,
                text: self.facts.text(fact.value),
            })
        })
    }

    /// Those of one metric.
    pub(super) fn of(self, metric: usize) -> impl Iterator<Item = Value<'a>> {
        self.values().filter(move |value| value.metric == metric)
    }

    /// Those of one field.
    pub(super) fn fields(self, field: &str) -> impl Iterator<Item = Value<'a>> {
        let metric = self.object.metrics.iter().position(|metric| metric.field == field);
        self.of(metric.unwrap_or(usize::MAX))
    }

    /// The first value of a field.
    pub(super) fn field(self, field: &str) -> Option<Value<'a>> {
        self.fields(field).next()
    }

    /// The text of a field, unless it is empty.
    pub(super) fn word(self, field: &str) -> Option<&'a str> {
        self.field(field).and_then(Value::word)
    }

    /// The number of a field.
    pub(super) fn number(self, field: &str) -> Option<f64> {
        self.field(field)?.number()?.parse().ok()
    }

    /// What tells it from the others.
    pub(super) fn key(self) -> &'a str {
        match self.object.key {
            Key::Clean(field) | Key::Field(field) => {
                self.field(field).map(|value| value.text).unwrap_or_default()
            }
            _ => self.facts.text(self.element.key),
        }
    }

    /// Whether nothing was read of it.
    pub(super) const fn is_empty(self) -> bool {
        self.element.facts.first.is_none()
    }
}

impl<'a> Value<'a> {
    /// As a number, as it was written.
    pub(super) fn number(self) -> Option<&'a str> {
        let digits = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
        let written = self.kind != Kind::Text || self.text.bytes().all(digits);
        let finite = || self.text.parse::<f64>().is_ok_and(f64::is_finite);
        (written && finite()).then_some(self.text)
    }

    /// As a text, unless it is none or empty.
    pub(super) fn word(self) -> Option<&'a str> {
        (self.kind == Kind::Text && !self.text.is_empty()).then_some(self.text)
    }
}

/// The front of a text, of so many bytes at most.
pub(super) fn shortened(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
