//! What a line of exposition text is: a sample with its parts, or a note.
//!
//! Positions within the block that was lexed, never copies. The [`Lexer`](super::lexer::Lexer)
//! makes these; what a name means is the [`Indexer`](super::Indexer)'s affair.

#[cfg(any(feature = "local", feature = "push"))]
use crate::memory::{Block, Text};

/// Which of the two formats a page is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4, with the quoted names of 1.0.0.
    Text,
    /// OpenMetrics text 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a Content-Type names: what is not OpenMetrics is read as text.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        match media_type(content_type).eq_ignore_ascii_case(OPENMETRICS) {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }
}

impl Format {
    /// The format of a page of which nothing else is known: OpenMetrics if its last line says so.
    #[must_use]
    #[cfg(any(feature = "local", feature = "push"))]
    pub fn told_by_end(text: &Text) -> Self {
        let last = text.blocks().last().map(Block::filled).unwrap_or_default();
        let openmetrics = last == b"# EOF\n" || last.ends_with(b"\n# EOF\n");
        if openmetrics { Self::OpenMetrics } else { Self::Text }
    }
}

/// The media type of OpenMetrics text.
pub const OPENMETRICS: &str = "application/openmetrics-text";

/// What a Content-Type, or a range of Accept, says before its parameters.
#[must_use]
pub fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// What a family is; the five types of the text format, and those of OpenMetrics that become one
/// of them under another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// `_bucket`, `_sum`, `_count`.
    Histogram,
    /// Quantiles, `_sum`, `_count`.
    Summary,
    /// Anything else; OpenMetrics says `unknown`.
    Untyped,
    /// OpenMetrics: a gauge with `_info` at the end of its name.
    Info,
    /// OpenMetrics: a gauge per state.
    StateSet,
    /// OpenMetrics: buckets that may fall.
    GaugeHistogram,
}

impl Kind {
    /// The type that `word` means in `format`.
    pub(super) fn parse(word: &[u8], format: Format) -> Option<Self> {
        let om = format == Format::OpenMetrics;
        Some(match word {
            b"counter" => Self::Counter,
            b"gauge" => Self::Gauge,
            b"histogram" => Self::Histogram,
            b"summary" => Self::Summary,
            b"untyped" if !om => Self::Untyped,
            b"unknown" if om => Self::Untyped,
            b"info" if om => Self::Info,
            b"stateset" if om => Self::StateSet,
            b"gaugehistogram" if om => Self::GaugeHistogram,
            _ => return None,
        })
    }

    /// The word after `# TYPE name` in text 0.0.4.
    #[must_use]
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Info | Self::StateSet => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped | Self::GaugeHistogram => "untyped",
        }
    }
}

/// A piece of the block that was lexed: from its first byte to the one after its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The bytes of `block` that this span means.
    #[must_use]
    #[inline]
    pub(super) fn of(self, block: &[u8]) -> &[u8] {
        block.get(self.start..self.end).unwrap_or_default()
    }
}

/// A line that is no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing, or a comment.
    Comment,
    /// `# HELP name text`.
    Help {
        /// The metric's name, without quotes.
        name: Span,
        /// Whether the name needs quotes.
        quoted: bool,
        /// The text, still escaped.
        text: Span,
    },
    /// `# TYPE name kind`.
    Type {
        /// The metric's name, without quotes.
        name: Span,
        /// Whether the name needs quotes.
        quoted: bool,
        /// What it is declared to be.
        kind: Kind,
    },
    /// `# EOF`, the end of an OpenMetrics page.
    Eof,
}

/// A sample's parts and peculiarities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sample {
    /// The metric's name, without quotes.
    pub name: Span,
    /// Whether the name needs quotes: it stood in them, and has a character no bare name has.
    pub quoted: bool,
    /// Whether a label's name needs quotes.
    pub quoted_label: bool,
    /// What stands between the braces; empty without braces.
    pub labels: Span,
    /// The value.
    pub value: Span,
    /// The timestamp as written; empty without one.
    pub timestamp: Span,
    /// It cannot be copied as it stands, only written anew: odd blanks, escapes or quotes, `\r\n`,
    /// or what OpenMetrics has and the text format has not.
    pub irregular: bool,
    /// It has one of the labels that [`Watch`](super::Watch) looks for.
    pub watched: bool,
    /// It has a label `le` that is no number.
    pub odd_le: bool,
    /// It has a label `quantile` that is no number.
    pub odd_quantile: bool,
}

impl Sample {
    /// Whether it has any peculiarity.
    #[inline]
    pub(super) const fn is_odd(&self) -> bool {
        self.quoted
            || self.quoted_label
            || self.irregular
            || self.watched
            || self.odd_le
            || self.odd_quantile
    }
}

/// The line that begins at a given byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A sample.
    Sample(Sample),
    /// Anything else.
    Note(Note),
}
