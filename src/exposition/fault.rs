//! What can be wrong with a line, and where.

use std::fmt;

use crate::limits::LABELS;

/// What is wrong with a line, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The offending byte's index in the block.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A line begins with `<`: somebody's web page.
    Markup,
    /// A line begins with neither a name, `{` nor `#`.
    Start,
    /// `# HELP` or `# TYPE` without a proper name.
    MetaName,
    /// `# TYPE` with a word that is no type.
    Type,
    /// Something else than a label's name.
    LabelName,
    /// A name in quotes that is empty or has an unknown escape.
    QuotedName,
    /// The label `__name__`, which is the metric's name itself.
    ReservedLabel,
    /// No `=` after a label's name.
    Equals,
    /// No `"` where a label's value begins.
    OpeningQuote,
    /// The line ends within quotes.
    ClosingQuote,
    /// Neither `,` nor `}` after a label.
    Comma,
    /// A label stands twice.
    RepeatedLabel,
    /// More labels than [`LABELS`].
    TooManyLabels,
    /// A sample with a second name, or with none.
    Name,
    /// The value is no number, or out of range.
    Value,
    /// The timestamp is not one.
    Timestamp,
    /// Something after the end of the sample.
    Trailing,
    /// An exemplar that cannot be read.
    Exemplar,
    /// A byte 0, which ends the page for Prometheus.
    Nul,
    /// Not UTF-8.
    Utf8,
    /// A line after `# EOF`.
    AfterEof,
    /// The page does not end with `# EOF`.
    NoEof,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Markup => "this is HTML or XML, not metrics: is the path right (often /metrics)",
            Self::Start => "the line begins with neither a metric name, \"{\" nor \"#\"",
            Self::MetaName => "HELP or TYPE without a metric name",
            Self::Type => "not a metric type",
            Self::LabelName => "not a label name",
            Self::QuotedName => "a name in quotes is empty or has an unknown escape",
            Self::ReservedLabel => "\"__name__\" is no label but the metric's name",
            Self::Equals => "no \"=\" after the label name",
            Self::OpeningQuote => "the label value does not begin with a quote",
            Self::ClosingQuote => "the line ends within quotes",
            Self::Comma => "neither \",\" nor \"}\" after a label",
            Self::RepeatedLabel => "the label stands twice",
            Self::TooManyLabels => return write!(f, "more than {LABELS} labels"),
            Self::Name => "a sample has exactly one name",
            Self::Value => "the value is not a number that fits a double",
            Self::Timestamp => "the timestamp is not a whole number of milliseconds",
            Self::Trailing => "something after the end of the sample",
            Self::Exemplar => "not an exemplar",
            Self::Nul => "a byte 0",
            Self::Utf8 => "not UTF-8",
            Self::AfterEof => "a line after \"# EOF\"",
            Self::NoEof => "the page does not end with \"# EOF\"",
        })
    }
}

/// What lexing a piece of a line gives.
pub(super) type Lexed<T> = Result<T, Malformed>;

pub(super) const fn fail<T>(at: usize, fault: Fault) -> Lexed<T> {
    Err(Malformed { at, fault })
}
