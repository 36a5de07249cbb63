//! Why a source gave no page.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::exposition::IndexError;
use crate::http::fetch::FetchError;
use crate::memory::{Full, PageError};

/// Why a source gave no page this time.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScrapeError {
    /// The exporter could not be asked, or its answer not read.
    Fetch(FetchError),
    /// No whole page in this time.
    Timeout(Duration),
    /// The exporter answered with this status instead of 200.
    Status(u16),
    /// Its page is in a content coding that was not asked for.
    Encoding(Box<str>),
    /// Its page is too long, or a line of it.
    Page(PageError),
    /// Its page cannot be merged.
    Index(IndexError),
    /// There was no memory for the page; the next scrape asks for more.
    Memory,
}

impl ScrapeError {
    /// The `reason` label of `fanin_source_failures_total`: a closed set, so the series stay few.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Fetch(error) => match error {
                FetchError::Resolve(_) => "resolve",
                FetchError::Connect(..) => "connect",
                FetchError::Redirect(_) => "redirect",
                FetchError::Malformed(_) | FetchError::Request => "protocol",
                // What else there is means that the connection ended before the page did.
                _ => "closed",
            },
            Self::Timeout(_) => "timeout",
            Self::Status(_) => "status",
            Self::Encoding(_) => "encoding",
            Self::Page(PageError::TooLarge(_)) => "too_large",
            Self::Page(PageError::LineTooLong) => "line_too_long",
            Self::Index(IndexError::Malformed { .. }) => "malformed",
            Self::Index(IndexError::TooManyFamilies(_) | IndexError::TooManyRuns) => {
                "too_fragmented"
            }
            Self::Page(PageError::Full) | Self::Index(IndexError::Full) | Self::Memory => "memory",
        }
    }
}

impl ScrapeError {
    /// Whether there was no memory for it, so that it can be repeated once there is.
    #[must_use]
    pub const fn is_memory(&self) -> bool {
        matches!(self, Self::Memory)
    }
}

impl fmt::Display for ScrapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => error.fmt(f),
            Self::Timeout(time) => {
                // To the millisecond: what is left of a deadline is never a round number.
                let millis = u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
                write!(f, "no whole page within {:?}", Duration::from_millis(millis))
            }
            Self::Status(status) => write!(f, "answered {status} instead of 200"),
            Self::Encoding(coding) => write!(f, "content coding {coding:?} was not asked for"),
            Self::Page(error) => error.fmt(f),
            Self::Index(error) => error.fmt(f),
            Self::Memory => Full.fmt(f),
        }
    }
}

impl Error for ScrapeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Fetch(error) => error.source(),
            _ => None,
        }
    }
}

impl From<FetchError> for ScrapeError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<Full> for ScrapeError {
    fn from(_: Full) -> Self {
        Self::Memory
    }
}

impl From<PageError> for ScrapeError {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Full => Self::Memory,
            error => Self::Page(error),
        }
    }
}

impl From<IndexError> for ScrapeError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Full => Self::Memory,
            error => Self::Index(error),
        }
    }
}
