//! The shapes that values may have: maps with known keys, maps from names, lists, single values.
//!
//! A value is read from its [`Node`]; what does not fit is a [`Fault`] that knows its path.

use std::fmt;

use super::at::At;
use super::error::Fault;
use super::near::{DidYouMean, Words, nearest};
use super::node::Node;

/// A value that can be read from the file.
pub(super) trait Shape: Sized {
    /// Names what belongs here: `a map from names to values`.
    fn expected() -> String;

    /// Reads the value at `at`. One that does not fit is refused as not what `expected` says.
    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault>;

    /// Reads the value at `at`.
    fn read(node: Node, at: &At<'_>) -> Result<Self, Fault> {
        Self::read_as(node, at, &Self::expected)
    }
}

/// Names what belongs at a place.
pub(super) type Expected<'a> = &'a dyn Fn() -> String;

/// Reads a whole file: the main one, or one that is a single source.
pub(super) fn read<T: Shape>(text: &str) -> Result<T, Fault> {
    T::read(Node::parse(text)?, &At::Root)
}

/// `node` is not what is `expected` at `at`.
pub(super) fn misfit(node: &Node, at: &At<'_>, expected: Expected<'_>) -> Fault {
    about(at, Fault::rule(at, format_args!("{} belongs here, not {}", expected(), node.what())))
}

/// The fault, and whether the line it is on may be shown: a misspelt key may have a secret behind
/// it, and a map may have one where none is expected.
fn about(at: &At<'_>, fault: Fault) -> Fault {
    if at.is_below(&["auth", "headers", "env"]) { fault.hidden() } else { fault }
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

impl Shape for Text {
    fn expected() -> String {
        "a single value".to_owned()
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        match node {
            Node::Single(text) | Node::Nothing(text) => Ok(Self(text)),
            node => Err(misfit(&node, at, expected)),
        }
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
    fn take(&mut self, key: &str, node: Node, at: &At<'_>) -> Result<(), Fault>;
}

/// A key that this program was built without.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeftOut {
    pub(super) key: &'static str,
    /// The cargo feature that brings it.
    pub(super) feature: &'static str,
}

impl<T: Keys> Shape for T {
    fn expected() -> String {
        format!("{} ({})", T::WHAT, Words(T::BUILT))
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        let known = KnownKeys { built: T::BUILT, left_out: T::LEFT_OUT, later: T::LATER };
        let mut value = T::default();
        for (key, node) in map(node, at, expected)? {
            let at = at.key(&key);
            known.judge(&key, &at)?;
            value.take(&key, node, &at)?;
        }
        Ok(value)
    }
}

/// The keys and values of a map; nothing at all is an empty one.
fn map(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Vec<(String, Node)>, Fault> {
    match node {
        Node::Map(map) => Ok(map),
        Node::Nothing(text) if text.is_empty() => Ok(Vec::new()),
        node => Err(misfit(&node, at, expected)),
    }
}

/// The keys of one map.
struct KnownKeys {
    built: &'static [&'static str],
    left_out: &'static [LeftOut],
    later: &'static [&'static str],
}

impl KnownKeys {
    /// Refuses a key that is not known and built.
    fn judge(&self, key: &str, at: &At<'_>) -> Result<(), Fault> {
        if self.built.contains(&key) {
            return Ok(());
        }
        let fault = if self.later.contains(&key) {
            Fault::key(at, key, "is not built yet")
        } else if let Some(LeftOut { feature, .. }) = self.left_out.iter().find(|it| it.key == key)
        {
            let rule = format_args!("needs a fanin that is built with the feature {feature}");
            Fault::key(at, key, rule)
        } else {
            let known = self.built.iter().chain(self.later).copied();
            let hint = DidYouMean(nearest(key, known));
            let allowed = Words(self.built);
            Fault::key(at, key, format_args!("is unknown here; allowed: {allowed}{hint}"))
        };
        Err(about(at, fault))
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

impl<T: Shape> Shape for Named<T> {
    fn expected() -> String {
        "a map from names to values".to_owned()
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        let one = |(name, node): (String, Node)| {
            let value = T::read(node, &at.key(&name))?;
            Ok((name, value))
        };
        map(node, at, expected)?.into_iter().map(one).collect::<Result<_, _>>().map(Self)
    }
}

/// One value, or a list of such values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T: Shape> Shape for OneOrMany<T> {
    fn expected() -> String {
        format!("{}, or a list of such,", T::expected())
    }

    fn read_as(node: Node, at: &At<'_>, expected: Expected<'_>) -> Result<Self, Fault> {
        match node {
            Node::List(nodes) => elements(nodes, at).map(Self::Many),
            Node::Nothing(_) => Err(misfit(&node, at, expected)),
            node => T::read_as(node, at, expected).map(Self::One),
        }
    }
}

/// The elements of a list.
pub(super) fn elements<T: Shape>(nodes: Vec<Node>, at: &At<'_>) -> Result<Vec<T>, Fault> {
    let one = |(number, node)| T::read(node, &at.index(number));
    nodes.into_iter().enumerate().map(one).collect()
}
