//! What a valid page could do better, in words.

use std::fmt;

use super::fault::{Excerpt, Keyword};

/// Why a valid page may still disappoint. Never changes the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// TYPE without a type, HELP or TYPE without a name.
    Unfinished(Keyword),
    /// A type in another spelling than the scraper's.
    TypeSpelling(Excerpt),
    /// `#TYPE` without a blank is a mere comment to the scraper.
    Glued(Keyword),
    /// Blanks before a sample become part of its name.
    LeadingBlank,
    /// A signed timestamp.
    SignedTimestamp,
    /// HELP is not UTF-8.
    HelpNotUtf8,
    /// HELP ends in a carriage return.
    HelpCarriageReturn,
    /// A histogram's `le` or a summary's `quantile` is there twice.
    DuplicateBound(&'static str),
    /// A histogram counts less than nothing.
    NegativeCount,
    /// The same series is already on this line.
    DuplicateSeries(usize),
    /// A metric has no HELP.
    NoHelp(Excerpt),
    /// A counter's name does not end in `_total`.
    NoTotal(Excerpt),
    /// The name of something else than a counter ends in `_total`.
    StrayTotal(Excerpt),
    /// A name ends as only a histogram's or summary's samples do.
    ReservedSuffix(Excerpt, &'static str),
    /// `le` or `quantile` on a metric that has no use for it.
    ReservedLabel(&'static str, Excerpt),
    /// A histogram's sample without `le`, or a summary's without `quantile`, that needs it.
    NoBound(&'static str),
    /// A metric name with a colon.
    Colon(Excerpt),
    /// A name in camelCase.
    CamelCase(Excerpt),
    /// A metric measured in something else than the base unit.
    Unit(Excerpt, &'static str, &'static str),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHelp(name) => write!(f, "{name} has no HELP"),
            Self::NoTotal(name) => write!(f, "counter {name} does not end in \"_total\""),
            Self::StrayTotal(name) => {
                write!(f, "{name} ends in \"_total\" but is no counter")
            }
            Self::ReservedSuffix(name, suffix) => {
                write!(f, "{name} ends in {suffix:?} as a histogram's or summary's samples do")
            }
            Self::ReservedLabel(label, name) => {
                let owners = if *label == "le" { "histograms" } else { "summaries" };
                write!(f, "label {label:?} is for {owners}, but {name} is none")
            }
            Self::NoBound(label) => {
                write!(f, "neither sum nor count, but without label {label:?}")
            }
            Self::Colon(name) => {
                write!(f, "{name} has a \":\", which is for names of recording rules")
            }
            Self::CamelCase(name) => write!(f, "{name} is not in snake_case"),
            Self::Unit(name, unit, base) => {
                write!(f, "{name} is in {unit}, but the base unit is {base}")
            }
            Self::DuplicateSeries(line) => {
                write!(f, "the same series as on line {line}: Prometheus drops one of them")
            }
            _ => self.fmt_refused(f),
        }
    }
}

impl Advice {
    /// What passes as valid, but not as meant, or not everywhere.
    fn fmt_refused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished(keyword) => {
                write!(f, "{keyword} is unfinished: Prometheus refuses the page")
            }
            Self::TypeSpelling(text) => write!(
                f,
                "type {text} is not exactly counter, gauge, histogram, summary or untyped after one \
                 blank: Prometheus refuses the page"
            ),
            Self::Glued(keyword) => {
                write!(f, "\"#{keyword}\" without a blank is a mere comment to Prometheus")
            }
            Self::LeadingBlank => f.write_str("Prometheus takes the blanks into the metric name"),
            Self::SignedTimestamp => {
                f.write_str("the timestamp has a sign: Prometheus refuses the page")
            }
            Self::HelpNotUtf8 => f.write_str("HELP is not UTF-8: Prometheus refuses the page"),
            Self::HelpCarriageReturn => f.write_str("HELP ends in a carriage return"),
            Self::DuplicateBound(label) => {
                write!(f, "label {label:?} is there twice: Prometheus refuses the page")
            }
            Self::NegativeCount => {
                f.write_str("a histogram counts less than nothing: newer tools refuse the page")
            }
            _ => Ok(()),
        }
    }
}
