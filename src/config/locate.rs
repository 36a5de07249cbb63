//! From a path into the file back to its line and column.
//!
//! The parser tells a place only together with an error. So the file is walked once more, and the
//! node that is looked for answers with one. That costs a second pass, on faulty files only, and
//! keeps the shapes free of places.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::at::Step;

/// Where a node begins: line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// Where the parser says that `error` is.
    pub(super) fn of(error: &yaml_serde::Error) -> Option<Self> {
        error.location().map(|at| Self { line: at.line(), column: at.column() })
    }
}

/// Which part of a node is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The value.
    Value,
    /// The key before it.
    Key,
}

/// Where the node at `steps` begins, or the nearest one above it that is there.
pub(super) fn locate(text: &str, steps: &[Step], part: Part) -> Option<Place> {
    let walk = Walk { steps, part };
    let error = walk.deserialize(yaml_serde::Deserializer::from_str(text)).err()?;
    Place::of(&error)
}

/// The rest of the way.
#[derive(Clone, Copy)]
struct Walk<'a> {
    steps: &'a [Step],
    part: Part,
}

/// The answer: any error carries the place of the node whose visitor returns it.
fn here<E: Error>() -> E {
    E::custom("here")
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node at a path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), steps)) = self.steps.split_first() else {
            return Err(here());
        };
        let refused = (steps.is_empty() && self.part == Part::Key).then_some(wanted.as_str());
        while let Some(key) = map.next_key_seed(KeyWalk { refused })? {
            if key == *wanted {
                return map.next_value_seed(Walk { steps, part: self.part });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(here())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), steps)) = self.steps.split_first() else {
            return Err(here());
        };
        for _ in 0..*wanted {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(Walk { steps, part: self.part })?;
        Err(here())
    }
}

/// Reads a key, and answers at the one that is looked for.
struct KeyWalk<'a> {
    refused: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for KeyWalk<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyWalk<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        if self.refused == Some(key) { Err(here()) } else { Ok(key.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::at::At;
    use super::*;

    const TEXT: &str = "\
# a comment
servers:
  - {listen: [a, bé, c], routes: {/x: 1}}
  - listen:
      address: 7
a:
  true: {deep: ~}
";

    #[test]
    fn every_kind_of_node_is_found() {
        let servers = At::Root.key("servers");
        let (first, second) = (servers.index(0), servers.index(1));
        let (listen, routes) = (first.key("listen"), first.key("routes"));
        let map = second.key("listen");
        let a = At::Root.key("a");
        let word = a.key("true");
        let deep = word.key("deep");
        let cases = [
            ("a list", servers, Part::Value, (3, 3)),
            ("a map in braces", first, Part::Value, (3, 5)),
            ("an element after a non-ASCII one", listen.index(2), Part::Value, (3, 22)),
            ("a key in braces", routes.key("/x"), Part::Key, (3, 35)),
            ("its value", routes.key("/x"), Part::Value, (3, 39)),
            ("a number", map.key("address"), Part::Value, (5, 16)),
            ("a key at the line's start", a, Part::Key, (6, 1)),
            ("a key that is a word of YAML", word, Part::Key, (7, 3)),
            ("null", word.key("deep"), Part::Value, (7, 16)),
            ("missing: the map where it belongs", map.key("mode"), Part::Value, (5, 7)),
            ("not a map: the value there is", deep.key("x"), Part::Key, (7, 16)),
        ];
        for (name, at, part, (line, column)) in cases {
            assert_eq!(locate(TEXT, &at.steps(), part), Some(Place { line, column }), "{name}");
        }
    }
}
