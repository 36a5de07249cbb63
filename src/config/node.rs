//! The file as a tree of words, lists and maps: what the YAML parser is used for.
//!
//! The tree owns its text and lives until the plan is made. It is read in two walks, since the parser
//! tells what kind of value comes next only by turning it into one: the first finds the kinds and the
//! keys, the second the words as they are written, so that `1.10`, `yes` and `0660` stay these words.
//! Places are not kept: `locate.rs` finds the few that faults need.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{Fault, Quoted};
use super::locate::Place;
use crate::limits;

/// Begins and ends the key in the one error that is made here; no one types it.
const SEP: char = '\u{1f}';

/// A value of the file.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// One word or text, as it is written.
    Single(String),
    /// Nothing at all, `~` or `null`.
    Nothing(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the file's order, each key once.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads a whole file.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut left = limits::CONFIG_VALUES;
        let sketch = Sketch { left: &mut left };
        let parser = yaml_serde::Deserializer::from_str(text);
        let mut node = sketch.deserialize(parser).map_err(|error| fault(&error))?;
        if matches!(node, Node::Nothing(_)) {
            return Ok(node);
        }
        let parser = yaml_serde::Deserializer::from_str(text);
        Words(&mut node).deserialize(parser).map_err(|error| fault(&error))?;
        Ok(node)
    }

    /// What it is, for messages. Never the value itself: it may be a secret.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Single(_) => "a single value",
            Self::Nothing(_) => "nothing",
            Self::List(_) => "a list",
            Self::Map(_) => "keys and values",
        }
    }
}

/// The parser's error, its place and the key of ours taken out of the words.
fn fault(error: &yaml_serde::Error) -> Fault {
    let place = Place::of(error);
    let words = error.to_string();
    let words = place.map_or(words.clone(), |Place { line, column }| {
        words.replacen(&format!(" at line {line} column {column}"), "", 1)
    });
    let mut parts = words.splitn(3, SEP);
    let message = match (parts.next(), parts.next(), parts.next()) {
        (Some(path), Some(key), Some(rule)) => twice(path.trim_end_matches(": "), key, rule),
        _ => misfit(&words),
    };
    Fault::told(place, message)
}

/// `path: invalid type: map, expected a name` becomes `path: a name belongs here`.
fn misfit(words: &str) -> String {
    let parts = words.split_once("invalid type: ");
    let parts = parts.and_then(|(path, rest)| Some((path, rest.rsplit_once(", expected ")?.1)));
    parts.map_or(words.to_owned(), |(path, expected)| format!("{path}{expected} belongs here"))
}

/// The path to a key, and the rule that it breaks.
fn twice(path: &str, key: &str, rule: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{}: {} {rule}", key.escape_debug(), Quoted(key))
}

/// The first walk: kinds and keys.
struct Sketch<'a> {
    /// How many values the tree may still grow by: a few lines of aliases can stand for many.
    left: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Sketch<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let Some(left) = self.left.checked_sub(1) else {
            let most = limits::CONFIG_VALUES;
            return Err(Error::custom(format_args!("more than {most} values, aliases followed")));
        };
        *self.left = left;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sketch<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag such as !x")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Single(String::new()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Single(String::new()))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Single(String::new()))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Single(String::new()))
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Single(String::new()))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Single(String::new()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Single(String::new()))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing(String::new()))
    }

    /// An empty file.
    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(Sketch { left: &mut *self.left })? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut nodes: Vec<(String, Node)> = Vec::new();
        while let Some(key) = map.next_key_seed(NewKey { seen: &nodes })? {
            nodes.push((key, map.next_value_seed(Sketch { left: &mut *self.left })?));
        }
        Ok(Node::Map(nodes))
    }
}

/// Reads a key and refuses it if it was there before.
struct NewKey<'a> {
    seen: &'a [(String, Node)],
}

impl<'de> DeserializeSeed<'de> for NewKey<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NewKey<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key of a single word")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        if self.seen.iter().any(|(seen, _)| seen == key) {
            let key = key.replace(SEP, "\u{fffd}");
            return Err(E::custom(format_args!("{SEP}{key}{SEP}is here twice")));
        }
        Ok(key.to_owned())
    }
}

/// The second walk, along the tree of the first: the words.
struct Words<'a>(&'a mut Node);

impl<'de> DeserializeSeed<'de> for Words<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Node::Single(_) | Node::Nothing(_) => deserializer.deserialize_str(self),
            Node::List(_) => deserializer.deserialize_seq(self),
            Node::Map(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Words<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same value again")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if let Node::Single(word) | Node::Nothing(word) = self.0 {
            text.clone_into(word);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Node::List(nodes) = self.0 else { return Ok(()) };
        for node in nodes {
            list.next_element_seed(Words(node))?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Node::Map(nodes) = self.0 else { return Ok(()) };
        for (_, node) in nodes {
            map.next_key::<IgnoredAny>()?;
            map.next_value_seed(Words(node))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(text: &str) -> Node {
        Node::Single(text.to_owned())
    }

    fn map<const N: usize>(pairs: [(&str, Node); N]) -> Node {
        Node::Map(pairs.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
    }

    #[test]
    fn words_stay_as_they_are_written() {
        let nothing = |text: &str| Node::Nothing(text.to_owned());
        let deep = map([("c", Node::List(vec![single("1"), map([("d", nothing("~"))])]))]);
        let cases = [
            ("", nothing("")),
            ("# nothing but a comment\n", nothing("")),
            ("1.10", single("1.10")),
            ("[0660, 0x1F, 1e3, .inf, yes, true]", {
                let words = ["0660", "0x1F", "1e3", ".inf", "yes", "true"];
                Node::List(words.map(single).to_vec())
            }),
            ("[99999999999999999999999999999999999999999]", {
                Node::List(vec![single("99999999999999999999999999999999999999999")])
            }),
            ("a: 'x: y'\nb: |\n  two\n  lines\n", {
                map([("a", single("x: y")), ("b", single("two\nlines\n"))])
            }),
            ("{true: ~, 7: , n: null}", {
                map([("true", nothing("~")), ("7", nothing("")), ("n", nothing("null"))])
            }),
            ("a: &x {c: [1, {d: ~}]}\nb: *x\n", map([("a", deep.clone()), ("b", deep)])),
        ];
        for (text, want) in cases {
            match Node::parse(text) {
                Ok(node) => assert!(node == want, "{text}"),
                Err(fault) => panic!("{text}: {fault:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_tree_of_words_is_refused_with_its_place() {
        let bomb: String = (1..9).fold("a0: &a0 x\n".to_owned(), |text, n| {
            let before = format!("*a{}", n - 1);
            format!("{text}a{n}: &a{n} [{}]\n", vec![before; 10].join(", "))
        });
        let many = format!("[{}]", vec!["1"; limits::CONFIG_VALUES].join(","));
        let cases = [
            ("a: {b: 1, c: 2, b: 3}", "f:1:17: a.b: \"b\" is here twice"),
            ("b: 1\nb: 2", "f:2:1: b: \"b\" is here twice"),
            ("a: {[1]: 2}", "f:1:5: a: a key of a single word belongs here"),
            ("a: !secret b", "f:1:4: a: a value without a tag such as !x belongs here"),
            (&bomb, "f: repetition limit exceeded"),
            (&many, "f:1:1: more than 65536 values, aliases followed"),
        ];
        for (text, want) in cases {
            let error = Node::parse(text)
                .err()
                .map(|fault| fault.in_file(std::path::Path::new("f"), text).to_string());
            assert_eq!(error.as_deref(), Some(want));
        }
    }
}
