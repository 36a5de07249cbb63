//! Labels: escaping, and putting a source's own on a sample.

use std::fmt::{self, Write};

use super::class::{is_label_name, is_metric_name};
use super::line::Sample;
use super::pairs::Pairs;

/// What becomes of a sample's label that has the name of one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// It stays as `exported_…`, as Prometheus does it.
    #[default]
    Rename,
    /// It goes, as reverse_exporter does it.
    Override,
    /// It stays, and ours is left out.
    Keep,
}

/// How names leave that need quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Names {
    /// With `_` for each character that no bare name has: what every Prometheus can read.
    #[default]
    Underscores,
    /// In quotes: for scrapers that say `escaping=allow-utf-8`.
    Quoted,
}

impl Names {
    /// The Content-Type of a page in the text format whose names leave so.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Underscores => "text/plain; version=0.0.4; charset=utf-8",
            Self::Quoted => "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        }
    }
}

/// The labels that a merge puts on the samples of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Names, and values escaped as they are written.
    pairs: Vec<(Box<str>, Box<str>)>,
    /// `a="b",c="d",`, ready to stand behind an opening brace.
    text: Vec<u8>,
    /// How many of the last of them take the place of a sample's own, whatever the merge says.
    forced: usize,
}

impl Labels {
    /// Labels from names, which must be bare label names, and values as they are.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            let value = Escaped(value).to_string();
            for piece in [name.as_bytes(), b"=\"", value.as_bytes(), b"\","] {
                labels.text.extend_from_slice(piece);
            }
            labels.pairs.push((name.into(), value.into_boxed_str()));
        }
        labels
    }

    /// The same, of which the last `forced` take the place of what samples have, always.
    #[must_use]
    #[cfg(feature = "push")]
    pub const fn forcing(mut self, forced: usize) -> Self {
        self.forced = forced;
        self
    }

    /// Whether some of them take the place of what samples have.
    pub(super) const fn is_forcing(&self) -> bool {
        self.forced > 0
    }

    /// Whether the label `name` does.
    fn forces(&self, name: &[u8]) -> bool {
        self.forced > 0
            && self.pairs.iter().rev().take(self.forced).any(|(own, _)| own.as_bytes() == name)
    }

    /// Whether the label `name` is an empty one that only samples without it get.
    fn is_weak(&self, name: &[u8]) -> bool {
        let same = |(own, value): &(Box<str>, Box<str>)| own.as_bytes() == name && value.is_empty();
        self.pairs.iter().any(same) && !self.forces(name)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// `a="b",c="d",`: each with a comma.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether no sample that gets these can be taken for one that gets `others`: a label of the same
    /// name has another value.
    pub(super) fn tell_apart_from(&self, others: &Self) -> bool {
        self.pairs.iter().any(|(name, value)| {
            others.pairs.iter().any(|(other, its)| name == other && value != its)
        })
    }

    fn has(&self, name: &[u8]) -> bool {
        self.pairs.iter().any(|(own, _)| own.as_bytes() == name)
    }
}

/// A label value with `\`, `"` and line feeds escaped.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// `name`, which needs quotes, with `_` for each character that a bare metric name cannot have.
/// Prometheus calls this escaping scheme `underscores`.
#[must_use]
pub(super) fn escape_name(name: &[u8]) -> Vec<u8> {
    underscores(name, true).collect()
}

/// The same a byte at a time; `colon` tells whether `:` may stay.
fn underscores(name: &[u8], colon: bool) -> impl Iterator<Item = u8> + Clone {
    unescaped(str::from_utf8(name).unwrap_or_default()).enumerate().map(move |(at, c)| match c {
        'a'..='z' | 'A'..='Z' => u8::try_from(c).unwrap_or(b'_'),
        '0'..='9' if at > 0 => u8::try_from(c).unwrap_or(b'_'),
        ':' if colon => b':',
        _ => b'_',
    })
}

/// The characters of a quoted text whose escapes are good.
fn unescaped(text: &str) -> impl Iterator<Item = char> + Clone {
    let mut escaped = false;
    text.chars().filter_map(move |c| {
        if c == '\\' && !escaped {
            escaped = true;
            return None;
        }
        let feed = escaped && c == 'n';
        escaped = false;
        Some(if feed { '\n' } else { c })
    })
}

/// A place to write a line: full is full, and nothing is cut but a line that leaves in pieces.
#[derive(Debug)]
pub(super) struct Out<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) len: usize,
    /// For a line in pieces: the bytes of it that have left already.
    pub(super) piece: Option<usize>,
}

/// There was no room for all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

impl<'a> Out<'a> {
    /// For whole lines, at the front of `bytes`.
    pub(super) const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0, piece: None }
    }

    #[inline]
    pub(super) fn put(&mut self, piece: &[u8]) -> Result<(), NoRoom> {
        if self.piece.is_some() {
            return self.put_rest(piece);
        }
        let end = self.len.saturating_add(piece.len());
        self.bytes.get_mut(self.len..end).ok_or(NoRoom)?.copy_from_slice(piece);
        self.len = end;
        Ok(())
    }

    /// Puts what fits of `piece`, without the bytes that have left already.
    #[cold]
    fn put_rest(&mut self, piece: &[u8]) -> Result<(), NoRoom> {
        let left = self.piece.unwrap_or(0);
        let skipped = left.min(piece.len());
        self.piece = Some(left.saturating_sub(skipped));
        let rest = piece.get(skipped..).unwrap_or_default();
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let n = rest.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.len = self.len.saturating_add(n);
        if n == rest.len() { Ok(()) } else { Err(NoRoom) }
    }

    /// Puts escaped text: its good escapes as they are, any other backslash doubled, since that is
    /// how Prometheus reads it.
    pub(super) fn put_escaped(&mut self, text: &[u8], escapes: Escapes) -> Result<(), NoRoom> {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (before, escape) = rest.split_at(at);
            self.put(before)?;
            let (len, instead): (usize, &[u8]) = match (escape.get(1), escapes) {
                (Some(b'\\'), _) => (2, b"\\\\"),
                (Some(b'n'), _) => (2, b"\\n"),
                (Some(b'"'), Escapes::Value) => (2, b"\\\""),
                (Some(b'"'), Escapes::OpenMetricsHelp) => (2, b"\""),
                _ => (1, b"\\\\"),
            };
            self.put(instead)?;
            rest = escape.get(len..).unwrap_or_default();
        }
        self.put(rest)
    }
}

/// Where an escaped text stands, which decides whether `\"` is an escape there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// A label's value.
    Value,
    /// HELP in the text format.
    Help,
    /// HELP in OpenMetrics, to be written in the text format.
    OpenMetricsHelp,
}

/// How samples are written anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style<'a> {
    pub(super) ours: &'a Labels,
    pub(super) on_conflict: OnConflict,
    pub(super) names: Names,
}

impl Style<'_> {
    /// Writes `sample` of `block` with our labels on it, in the plainest form there is. Its name
    /// is `name`; its timestamp, in milliseconds, `timestamp`.
    ///
    /// Returns how many labels were left out because escaping gave them the name of another.
    pub(super) fn write(
        &self,
        (block, sample): (&[u8], &Sample),
        name: &[u8],
        timestamp: &[u8],
        out: &mut Out<'_>,
    ) -> Result<usize, NoRoom> {
        let quoted = self.names == Names::Quoted && !is_metric_name(name);
        let mut separator: &'static [u8] = b"{";
        if quoted {
            out.put(b"{\"")?;
            out.put(name)?;
            out.put(b"\"")?;
            separator = b",";
        } else {
            out.put(name)?;
        }
        let labels = sample.labels.of(block);
        let own = |name: &[u8]| {
            Pairs::new(labels).any(|pair| pair.name == name && !pair.value.is_empty())
        };
        for (name, value) in &self.ours.pairs {
            let name_bytes = name.as_bytes();
            let keeps = self.on_conflict == OnConflict::Keep || value.is_empty();
            let keeps = keeps && !self.ours.forces(name_bytes);
            if keeps && own(name_bytes) {
                continue;
            }
            open(out, &mut separator)?;
            out.put(name.as_bytes())?;
            close(out, value.as_bytes())?;
        }
        let lost = self.write_own(labels, &mut separator, out)?;
        if separator != b"{" {
            out.put(b"}")?;
        }
        out.put(b" ")?;
        out.put(sample.value.of(block))?;
        if !timestamp.is_empty() {
            out.put(b" ")?;
            out.put(timestamp)?;
        }
        out.put(b"\n")?;
        Ok(lost)
    }

    /// Writes the labels the sample came with.
    fn write_own(
        &self,
        labels: &[u8],
        separator: &mut &'static [u8],
        out: &mut Out<'_>,
    ) -> Result<usize, NoRoom> {
        let mut lost = 0_usize;
        for (at, label) in Pairs::new(labels).enumerate() {
            let bare = is_label_name(label.name);
            if !bare && self.names == Names::Underscores {
                if self.taken(labels, at, label.name) {
                    lost = lost.saturating_add(1);
                    continue;
                }
                open(out, separator)?;
                for byte in underscores(label.name, false) {
                    out.put(&[byte])?;
                }
            } else if !self.ours.has(label.name)
                || (self.ours.is_weak(label.name) && !label.value.is_empty())
            {
                open(out, separator)?;
                let quote: &[u8] = if bare { b"" } else { b"\"" };
                out.put(quote)?;
                out.put(label.name)?;
                out.put(quote)?;
            } else if self.on_conflict == OnConflict::Override
                || label.value.is_empty()
                || self.ours.forces(label.name)
            {
                // An empty value means that there is no such label.
                continue;
            } else {
                open(out, separator)?;
                for _ in 0..self.exported_depth(labels, label.name) {
                    out.put(EXPORTED)?;
                }
                out.put(label.name)?;
            }
            close(out, label.value)?;
        }
        Ok(lost)
    }

    /// Whether escaping gives label number `at`, called `name`, the name of another.
    fn taken(&self, labels: &[u8], at: usize, name: &[u8]) -> bool {
        let escaped = underscores(name, false);
        let same = |other: &[u8]| escaped.clone().eq(other.iter().copied());
        self.ours.pairs.iter().any(|(own, _)| same(own.as_bytes()))
            || Pairs::new(labels).any(|pair| same(pair.name))
            || Pairs::new(labels)
                .take(at)
                .any(|pair| escaped.clone().eq(underscores(pair.name, false)))
    }

    /// How often `exported_` stands before `name`, so that no label has the result as its name: once,
    /// nearly always. Not at all where the sample's label is kept.
    fn exported_depth(&self, labels: &[u8], name: &[u8]) -> usize {
        if self.on_conflict == OnConflict::Keep {
            return 0;
        }
        let escapes = self.names == Names::Underscores;
        let free = |depth: &usize| {
            let same = |other: &[u8]| is_exported(other, *depth, name);
            let leaves_as_same = |other: &[u8]| {
                let escaped = escapes && !is_label_name(other);
                same(other) || escaped && same(&underscores(other, false).collect::<Vec<_>>())
            };
            !self.ours.pairs.iter().any(|(own, _)| same(own.as_bytes()))
                && !Pairs::new(labels).any(|pair| leaves_as_same(pair.name))
        };
        // Those that `name` is the exported form of, and that are renamed too, come first.
        let first = Pairs::new(labels)
            .filter(|pair| !pair.value.is_empty() && self.ours.has(pair.name))
            .filter(|pair| {
                let before = name.strip_suffix(pair.name).filter(|before| !before.is_empty());
                before.is_some_and(|before| {
                    before.chunks(EXPORTED.len()).all(|piece| piece == EXPORTED)
                })
            })
            .count();
        (1..).filter(free).nth(first).unwrap_or(1)
    }
}

const EXPORTED: &[u8] = b"exported_";

/// Whether `other` is `name` with `exported_` before it `depth` times.
fn is_exported(other: &[u8], depth: usize, name: &[u8]) -> bool {
    let mut rest = other;
    for _ in 0..depth {
        let Some(stripped) = rest.strip_prefix(EXPORTED) else { return false };
        rest = stripped;
    }
    rest == name
}

fn open(out: &mut Out<'_>, separator: &mut &'static [u8]) -> Result<(), NoRoom> {
    out.put(separator)?;
    *separator = b",";
    Ok(())
}

fn close(out: &mut Out<'_>, value: &[u8]) -> Result<(), NoRoom> {
    out.put(b"=\"")?;
    out.put_escaped(value, Escapes::Value)?;
    out.put(b"\"")
}
