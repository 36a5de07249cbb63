//! Writes a page family by family: what it says of a family comes with its first sample, and no
//! series comes twice.

use std::fmt::{self, Write as _};
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use foldhash::{HashSet, HashSetExt as _};

use crate::memory::{Budget, PageError, Text, TextWriter};

/// What stands in front of the names in the table.
const PREFIX: &str = "klipper_";

/// How many of one name are told apart by numbers.
const SAME: u8 = 9;

/// A page under way.
pub(super) struct Writer {
    out: TextWriter,
    state: fmt::Result,
    family: Family,
    /// Labels of the sample under way, without braces.
    labels: String,
    /// Labels of the family's samples.
    seen: Seen,
}

/// The family under way.
#[derive(Clone, Copy, Default)]
struct Family {
    prefix: &'static str,
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    begun: bool,
}

/// Texts that were there, by their hashes.
pub(super) struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { hashes: HashSet::new(), hasher: RandomState::default() }
    }

    /// Whether `text` is new.
    fn insert(&mut self, text: &str) -> bool {
        self.hashes.insert(self.hasher.hash_one(text))
    }

    /// Makes `text` one that is new, if that is possible: `chamber_1`, `chamber_1_2`.
    pub(super) fn number(&mut self, text: &mut String) -> bool {
        if self.insert(text) {
            return true;
        }
        let len = text.len();
        (2..=SAME).any(|number| {
            text.truncate(len);
            let _ = write!(text, "_{number}");
            self.insert(text)
        })
    }
}

impl Writer {
    pub(super) fn new(budget: &Budget, limit: usize) -> Self {
        Self {
            out: TextWriter::new(budget.clone(), limit),
            state: Ok(()),
            family: Family::default(),
            labels: String::new(),
            seen: Seen::new(),
        }
    }

    /// Begins a family.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) {
        self.begin(Family { prefix: PREFIX, name, kind: "gauge", help, begun: false });
    }

    /// The same for what only grows.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) {
        self.begin(Family { prefix: PREFIX, name, kind: "counter", help, begun: false });
    }

    /// A gauge whose name is whole.
    pub(super) fn own_gauge(&mut self, name: &'static str, help: &'static str) {
        self.begin(Family { prefix: "", name, kind: "gauge", help, begun: false });
    }

    fn begin(&mut self, family: Family) {
        self.family = family;
        self.labels.clear();
        self.seen.hashes.clear();
    }

    /// Gives the sample that comes next a label; one without a name is none.
    pub(super) fn label(&mut self, name: &str, value: &str) -> &mut Self {
        if name.is_empty() {
            return self;
        }
        if !self.labels.is_empty() {
            self.labels.push(',');
        }
        self.labels.push_str(name);
        self.labels.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '\\' => self.labels.push_str("\\\\"),
                '"' => self.labels.push_str("\\\""),
                '\n' => self.labels.push_str("\\n"),
                letter if letter.is_control() => self.labels.push(' '),
                letter => self.labels.push(letter),
            }
        }
        self.labels.push('"');
        self
    }

    /// Writes a sample with the labels given, unless there was one with the same.
    pub(super) fn sample(&mut self, value: impl fmt::Display) {
        if self.state.is_ok() && self.seen.insert(&self.labels) {
            self.state = self.line(&value);
        }
        self.labels.clear();
    }

    fn line(&mut self, value: &dyn fmt::Display) -> fmt::Result {
        let Family { prefix, name, kind, help, begun } = self.family;
        let out = &mut self.out;
        if !begun {
            write!(out, "# HELP {prefix}{name} {help}\n# TYPE {prefix}{name} {kind}\n")?;
            self.family.begun = true;
        }
        write!(out, "{prefix}{name}")?;
        if !self.labels.is_empty() {
            write!(out, "{{{}}}", self.labels)?;
        }
        writeln!(out, " {value}")
    }

    /// Ends the page.
    pub(super) fn finish(self) -> Result<Text, PageError> {
        self.out.finish(self.state)
    }
}

/// As prometheus-klipper-exporter cleans names: `-` becomes `_`, and what a label's name may not have is
/// gone. Where nothing would be left, the name stays as it is.
pub(super) fn cleaned(text: &str, out: &mut String) {
    let letters = text.chars().filter_map(|letter| match letter {
        '-' => Some('_'),
        letter => Some(letter).filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_'),
    });
    out.extend(letters);
    if out.is_empty() {
        out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_as_they_were() {
        let cases = [
            ("Extrusion-FL", "Extrusion_FL"),
            ("chamber 1", "chamber1"),
            ("Kühlkörper", "Khlkrper"),
            ("klipper@2", "klipper2"),
            ("温度", "温度"),
            ("", ""),
        ];
        for (text, want) in cases {
            let mut out = String::new();
            cleaned(text, &mut out);
            assert_eq!(out, want, "{text}");
        }
    }

    #[test]
    fn names_that_collide_are_numbered() {
        let mut seen = Seen::new();
        let numbered: Vec<String> = (0..=SAME)
            .map_while(|_| {
                let mut text = "a".to_owned();
                seen.number(&mut text).then_some(text)
            })
            .collect();
        assert_eq!(numbered.len(), usize::from(SAME));
        assert_eq!(
            numbered.get(..3),
            Some(&["a".to_owned(), "a_2".to_owned(), "a_3".to_owned()][..])
        );
    }
}
