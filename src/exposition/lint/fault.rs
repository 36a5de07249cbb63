//! What can be wrong with a page, in words.

use std::fmt;

use crate::exposition::number::BadNumber;

/// Why a page is not valid exposition text.
///
/// Lines are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The last line does not end.
    NoNewline,
    /// A line ends in `\r\n`.
    CarriageReturn,
    /// A line begins with none of a metric name, `{` and `#`.
    LineStart(Excerpt),
    /// HELP or TYPE is not followed by a metric name.
    NoMetricName(Keyword, Excerpt),
    /// The metric name after HELP or TYPE is not followed by a blank.
    NameEnd(Keyword, Excerpt),
    /// TYPE names something that is no type.
    UnknownType(Excerpt),
    /// A family has a second HELP or TYPE; the first is on this line.
    Second(Keyword, Excerpt, usize),
    /// A family's HELP or TYPE comes after its samples; they begin on this line.
    AfterSamples(Keyword, Excerpt, usize),
    /// A family goes on after lines of others; it was left on this line.
    Split(Excerpt, usize),
    /// A backslash before something that it does not escape.
    Escape(Place, Excerpt),
    /// No closing quote on the line.
    OpenQuote(Place),
    /// Braces hold something that is no label.
    LabelName(Excerpt),
    /// A label name is not followed by `=`.
    NoEquals(Excerpt, Excerpt),
    /// A label's value does not begin with a quote.
    NoQuote(Excerpt, Excerpt),
    /// A label's value, or a name in braces, is not followed by `,` or `}`.
    NoComma(Place, Excerpt),
    /// A quoted name with nothing in it.
    EmptyName,
    /// A metric name inside the braces has no quotes.
    BareName(Excerpt),
    /// A sample has a second metric name.
    SecondName(Excerpt),
    /// A sample has labels but no metric name.
    NameMissing,
    /// The label that Prometheus keeps the metric name in.
    ReservedLabel,
    /// A label is there twice.
    DuplicateLabel(Excerpt),
    /// A name or a label's value is not UTF-8.
    NotUtf8(Place),
    /// A metric name goes on with something that is no part of a name, nor a value.
    NameGoesOn(Excerpt, Excerpt),
    /// The sample's value is no number.
    Value(BadNumber, Excerpt),
    /// The `le` of a histogram, or the `quantile` of a summary, is no number.
    Bound(&'static str, BadNumber, Excerpt),
    /// The timestamp is no whole number.
    Timestamp(BadNumber, Excerpt),
    /// A blank at the end of a sample.
    TrailingBlank,
    /// Something after the timestamp.
    AfterTimestamp(Excerpt),
}

impl Fault {
    /// Whether Prometheus' own text parser lets this pass.
    ///
    /// The format's description requires that all lines of a metric stand together, HELP and TYPE
    /// first. The parser checks that of TYPE only; we check it of all.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Split(..) | Self::AfterSamples(Keyword::Help, ..))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNewline => f.write_str("the last line does not end: a line feed is missing"),
            Self::CarriageReturn => f.write_str("a carriage return: lines end in \\n alone"),
            Self::LineStart(found) => {
                write!(f, "a line begins with a metric name, \"{{\" or \"#\", not with {found}")
            }
            Self::NoMetricName(keyword, found) => {
                write!(f, "{keyword} is followed by a metric name, not by {found}")
            }
            Self::NameEnd(keyword, found) => {
                write!(f, "the metric name after {keyword} ends with a blank, not with {found}")
            }
            Self::UnknownType(word) => {
                write!(f, "{word} is no metric type: counter, gauge, histogram, summary or untyped")
            }
            Self::Second(keyword, name, line) => {
                write!(f, "second {keyword} for {name}: the first is on line {line}")
            }
            Self::AfterSamples(keyword, name, line) => {
                write!(f, "{keyword} for {name} after its samples, which begin on line {line}")
            }
            Self::Split(name, line) => write!(
                f,
                "{name} goes on here, but was left on line {line}: a metric's lines stand together"
            ),
            _ => self.fmt_sample(f),
        }
    }
}

impl Fault {
    /// The faults of names, labels and numbers.
    fn fmt_sample(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape(place @ Place::Help, found) => {
                write!(f, "{found} is no escape in {place}: \\\\ and \\n are")
            }
            Self::Escape(place, found) => {
                write!(f, "{found} is no escape in {place}: \\\\, \\\" and \\n are")
            }
            Self::OpenQuote(place) => write!(
                f,
                "{place} is not closed on its line: a quote is missing, or a line feed not written \\n"
            ),
            Self::LabelName(found) => write!(f, "{found} is no label name"),
            Self::NoEquals(label, found) => {
                write!(f, "label {label} is followed by \"=\", not by {found}")
            }
            Self::NoQuote(label, found) => {
                write!(f, "the value of label {label} begins with a quote, not with {found}")
            }
            Self::NoComma(place, found) => {
                write!(f, "{place} is followed by \",\" or \"}}\", not by {found}")
            }
            Self::EmptyName => f.write_str("a quoted name is empty"),
            Self::BareName(name) => write!(f, "metric name {name} stands in braces without quotes"),
            Self::SecondName(name) => {
                write!(f, "{name} has no value, and the metric already has a name")
            }
            Self::NameMissing => f.write_str("the sample has no metric name"),
            Self::ReservedLabel => f.write_str(
                "label \"__name__\" is reserved: the metric name stands before the labels",
            ),
            Self::DuplicateLabel(label) => write!(f, "label {label} is there twice"),
            Self::NotUtf8(place) => write!(f, "{place} is not UTF-8"),
            Self::TrailingBlank => f.write_str("a blank at the end of the sample"),
            Self::AfterTimestamp(found) => {
                write!(f, "nothing comes after the timestamp, but here is {found}")
            }
            _ => self.fmt_number(f),
        }
    }

    /// The faults of numbers.
    fn fmt_number(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameGoesOn(name, found) => write!(
                f,
                "metric name {name} goes on with {found}: letters, digits, \"_\" and \":\" make a name"
            ),
            Self::Value(BadNumber::Missing, _) => f.write_str("the sample has no value"),
            Self::Value(why, text) => write!(f, "value {text} {}", float_rule(*why)),
            Self::Bound(label, why, text) => {
                write!(f, "value {text} of label {label:?} {}", float_rule(*why))
            }
            Self::Timestamp(BadNumber::Range, text) => {
                write!(f, "timestamp {text} does not fit 64 bits")
            }
            Self::Timestamp(_, text) => {
                write!(f, "timestamp {text} is no whole number of milliseconds")
            }
            _ => Ok(()),
        }
    }
}

/// Which rule of floats a text breaks.
const fn float_rule(why: BadNumber) -> &'static str {
    match why {
        BadNumber::Missing | BadNumber::Syntax => "is no decimal number, NaN, +Inf or -Inf",
        BadNumber::Unsupported => "has a \"p\" or \"_\", which are no part of a number",
        BadNumber::Range => "is more than a float of 64 bits holds, about 1.8e308",
    }
}

/// The two comments that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// Describes a metric.
    Help,
    /// Says what kind of metric it is.
    Type,
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Help => "HELP",
            Self::Type => "TYPE",
        })
    }
}

/// What a text stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The text of a HELP line.
    Help,
    /// A metric's quoted name.
    MetricName,
    /// A name in braces: a label's, or the metric's.
    Name,
    /// The value of this label.
    LabelValue(Excerpt),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help => f.write_str("HELP"),
            Self::MetricName => f.write_str("the metric name"),
            Self::Name => f.write_str("the quoted name"),
            Self::LabelValue(label) => write!(f, "the value of label {label}"),
        }
    }
}

/// Characters of a page that one message shows.
const EXCERPT: usize = 60;

/// Bytes that hold at least one character more than [`EXCERPT`].
const EXCERPT_BYTES: usize = (EXCERPT + 1) * 4;

/// A few characters of a page, made printable: `"x"`, or `the end of the line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// All of `text`, or its first 60 characters and `…`.
    pub(super) fn new(text: &[u8]) -> Self {
        let text = text.get(..EXCERPT_BYTES).unwrap_or(text);
        let text = String::from_utf8_lossy(text);
        let mut shown: String = text.chars().take(EXCERPT).collect();
        if text.chars().nth(EXCERPT).is_some() {
            shown.push('…');
        }
        Self(format!("{shown:?}"))
    }

    /// The first character of `text`, which goes on to the end of its line.
    pub(super) fn first(text: &[u8]) -> Self {
        if text.is_empty() {
            return Self("the end of the line".to_owned());
        }
        let head = String::from_utf8_lossy(text.get(..text.len().min(4)).unwrap_or_default());
        Self(format!("{:?}", head.chars().take(1).collect::<String>()))
    }

    /// The family `key`, and `name` if that is one of its derived names.
    pub(super) fn family(key: &[u8], name: &[u8]) -> Self {
        let mut shown = Self::new(key);
        if key != name {
            shown.0.push_str(&format!(", to which {} belongs", Self::new(name)));
        }
        shown
    }

    /// A backslash and the character after it, as they stand.
    pub(super) fn escape(text: &[u8]) -> Self {
        let head = String::from_utf8_lossy(text.get(..text.len().min(5)).unwrap_or_default());
        Self(match head.chars().nth(1) {
            None => "\\ at the end of the line".to_owned(),
            Some(after) if after.is_control() => format!("\\ before {after:?}"),
            Some(after) => format!("\\{after}"),
        })
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
