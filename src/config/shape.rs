//! The shapes that values may have, and the visitors that read them.
//!
//! A visitor's error gets its path, line and column from the parser, in words. So that both can be
//! told apart again, an error made here is `SEP key SEP rule`, where `key` is the one that the rule
//! is about, empty where it is the value at the path itself.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::error::{Fault, Quoted};
use super::locate::Place;
use super::near::{DidYouMean, Words, nearest};

/// Begins and ends the key in our own errors; no one types it.
const SEP: char = '\u{1f}';

/// Reads a whole file: the main one, or one that is a single source.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Fault> {
    yaml_serde::from_str(text).map_err(|error| fault(&error))
}

/// The parser's error, with the path and the rule taken apart and put together our way.
fn fault(error: &yaml_serde::Error) -> Fault {
    let place = Place::of(error);
    let words = error.to_string();
    let words = place.map_or(words.clone(), |Place { line, column }| {
        words.replacen(&format!(" at line {line} column {column}"), "", 1)
    });
    let mut parts = words.splitn(3, SEP);
    let message = match (parts.next(), parts.next(), parts.next()) {
        (Some(path), Some(key), Some(rule)) => ours(path.trim_end_matches(": "), key, rule),
        _ => theirs(&words),
    };
    // A misspelt key may have a secret behind it, and a map may have one where it is not expected.
    let path = format!(".{message}");
    let hidden = [".auth", ".headers", ".env"].iter().any(|part| path.contains(part));
    let fault = Fault::told(place, message);
    if hidden { fault.hidden() } else { fault }
}

/// A rule of this module.
fn ours(path: &str, key: &str, rule: &str) -> String {
    match (path, key) {
        ("", "") => rule.to_owned(),
        (path, "") => format!("{path}: {rule}"),
        ("", key) => format!("{}: {} {rule}", key.escape_debug(), Quoted(key)),
        (path, key) => format!("{path}.{}: {} {rule}", key.escape_debug(), Quoted(key)),
    }
}

/// `path: invalid type: map, expected a list` becomes `path: a list belongs here, not a map`.
fn theirs(words: &str) -> String {
    let Some((path, rest)) = words.split_once("invalid type: ") else {
        return words.to_owned();
    };
    let Some((seen, expected)) = rest.rsplit_once(", expected ") else {
        return words.to_owned();
    };
    let seen = match seen {
        "map" => "keys and values",
        "sequence" => "a list",
        "unit value" => "nothing",
        // Never the value itself: it may be a secret.
        _ => "a single value",
    };
    format!("{path}{expected} belongs here, not {seen}")
}

/// An error about `key` of the map being read.
fn key_error<E: Error>(key: &str, rule: impl fmt::Display) -> E {
    E::custom(format_args!("{SEP}{}{SEP}{rule}", key.replace(SEP, "\u{fffd}")))
}

/// One value, as it is written in the file: `1.10`, `yes` and `0660` are these words.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

/// The value may be a secret, so it is not shown.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(…)")
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }
}

/// A map with known keys; [`keys!`](super::file) writes the implementations.
pub(super) trait Keys: Default {
    /// Names the map in messages: `a server`.
    const WHAT: &'static str;
    /// The keys it may have.
    const BUILT: &'static [&'static str];
    /// Keys that it would have with further cargo features.
    const LEFT_OUT: &'static [LeftOut];
    /// Keys that are known and refused.
    const LATER: &'static [&'static str];

    /// Reads the value of `key`, one of [`Keys::BUILT`].
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// A key that this program was built without.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeftOut {
    pub(super) key: &'static str,
    /// The cargo feature that brings it.
    pub(super) feature: &'static str,
}

/// Reads a [`Keys`] map.
pub(super) struct KeysVisitor<T>(pub(super) PhantomData<T>);

impl<'de, T: Keys> Visitor<'de> for KeysVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", T::WHAT, Words(T::BUILT))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut value = T::default();
        let mut seen = Vec::new();
        while let Some(key) = map.next_key_seed(KnownKey::of::<T>(&seen))? {
            seen.push(key);
            value.take(key, &mut map)?;
        }
        Ok(value)
    }
}

/// Reads a key and refuses it unless it is known, built and new.
struct KnownKey<'a> {
    built: &'static [&'static str],
    left_out: &'static [LeftOut],
    later: &'static [&'static str],
    seen: &'a [&'static str],
}

impl<'de> DeserializeSeed<'de> for KnownKey<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KnownKey<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<&'static str, E> {
        let Some(known) = self.built.iter().find(|known| **known == key) else {
            return Err(self.refuse(key));
        };
        if self.seen.contains(known) {
            return Err(key_error(key, "is here twice"));
        }
        Ok(known)
    }
}

impl<'a> KnownKey<'a> {
    /// A key of `T`, `seen` being those before it.
    const fn of<T: Keys>(seen: &'a [&'static str]) -> Self {
        Self { built: T::BUILT, left_out: T::LEFT_OUT, later: T::LATER, seen }
    }

    fn refuse<E: Error>(&self, key: &str) -> E {
        if self.later.contains(&key) {
            return key_error(key, "is not built yet");
        }
        if let Some(LeftOut { feature, .. }) = self.left_out.iter().find(|left| left.key == key) {
            let rule = format_args!("needs a fanin that is built with the feature {feature}");
            return key_error(key, rule);
        }
        let known = self.built.iter().chain(self.later).copied();
        let hint = DidYouMean(nearest(key, known));
        key_error(key, format_args!("is unknown here; allowed: {}{hint}", Words(self.built)))
    }
}

/// A map from names to values of one kind, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from names to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let mut named = Vec::new();
        while let Some(name) = map.next_key_seed(NewKey { seen: &named })? {
            named.push((name, map.next_value()?));
        }
        Ok(Named(named))
    }
}

/// Reads a key and refuses it if it was there before.
struct NewKey<'a, T> {
    seen: &'a [(String, T)],
}

impl<'de, T> DeserializeSeed<'de> for NewKey<'_, T> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T> Visitor<'_> for NewKey<'_, T> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        if self.seen.iter().any(|(seen, _)| seen == name) {
            return Err(key_error(name, "is here twice"));
        }
        Ok(name.to_owned())
    }
}

/// A value that may have several shapes. Each method is one of them; the default refuses it.
pub(super) trait Shapes: Sized {
    /// Names what belongs here: `a source's name or a list of them`.
    const EXPECTED: &'static str;

    /// From a single value.
    fn text<E: Error>(text: Text) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Str(&text.0), &Self::EXPECTED))
    }

    /// From a list.
    fn list<'de, A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &Self::EXPECTED))
    }

    /// From a map.
    fn map<'de, A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Map, &Self::EXPECTED))
    }
}

/// Reads a [`Shapes`] value.
pub(super) struct ShapesVisitor<T>(pub(super) PhantomData<T>);

impl<'de, T: Shapes> Visitor<'de> for ShapesVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::text(Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        T::text(Text(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        T::text(Text(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        T::text(Text(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}

/// One value, or a list of such values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<'de, T: Shapes + Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(ShapesVisitor(PhantomData)))
    }
}

struct OneOrManyVisitor<T>(ShapesVisitor<T>);

impl<'de, T: Shapes + Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list of such,", T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
        self.0.visit_str(text).map(OneOrMany::One)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<OneOrMany<T>, E> {
        self.0.visit_bool(value).map(OneOrMany::One)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<OneOrMany<T>, E> {
        self.0.visit_i64(value).map(OneOrMany::One)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<OneOrMany<T>, E> {
        self.0.visit_u64(value).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = list.next_element()? {
            many.push(one);
        }
        Ok(OneOrMany::Many(many))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
        self.0.visit_map(map).map(OneOrMany::One)
    }
}

impl Shapes for Text {
    const EXPECTED: &'static str = "a single value";

    fn text<E: Error>(text: Self) -> Result<Self, E> {
        Ok(text)
    }
}
