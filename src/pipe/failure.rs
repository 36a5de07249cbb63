//! Why a pipe's page was not taken.

use std::fmt;
use std::time::Duration;

use super::pace::End;
use crate::limits::PIPE_REFUSAL;
use crate::outlet::Refusal;
use crate::source::ScrapeError;

/// Why an attempt failed. `{}` is for the status page, `{:#}` for the log, as with [`ScrapeError`].
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no page to send.
    Scrape(Refusal),
    /// The other end could not be asked, or gave no answer.
    Fetch(ScrapeError),
    /// It was not done in this time.
    Timeout(Duration),
    /// The other end did not take it.
    Status {
        status: u16,
        /// How its reasons begin.
        says: heapless::String<PIPE_REFUSAL>,
        /// How long it wants to be left alone.
        pause: Option<Duration>,
    },
}

impl Failure {
    /// What tells failures apart: the `reason` label of `fanin_pipe_failures_total`, of a closed set, and
    /// the status.
    pub(super) fn key(&self) -> (&'static str, u16) {
        match self {
            Self::Scrape(_) => ("scrape", 0),
            Self::Fetch(error) => (error.reason(), 0),
            Self::Timeout(_) => ("timeout", 0),
            Self::Status { status, .. } => ("status", *status),
        }
    }

    /// What it means for the next tick.
    pub(super) const fn end(&self) -> End {
        match self {
            Self::Scrape(_) => End::Empty,
            Self::Status { pause, .. } => End::Failed(*pause),
            Self::Fetch(_) | Self::Timeout(_) => End::Failed(None),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scrape(refusal) => write!(f, "nothing to send: {}", refusal.text()),
            Self::Fetch(error) => error.fmt(f),
            Self::Timeout(time) => write!(f, "scraped and sent, but no answer within {time:?}"),
            Self::Status { status, says, .. } => {
                write!(f, "answered {status}")?;
                if (300..400).contains(status) {
                    return f.write_str(": pipes follow no redirects");
                }
                if says.is_empty() { Ok(()) } else { write!(f, ": {says}") }
            }
        }
    }
}

/// `Retry-After` in seconds. A date is not heeded: boards do not always know what day it is.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let digits = value.trim();
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::from(u32::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds() {
        let cases = [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ];
        for (value, want) in cases {
            assert_eq!(retry_after(value), want.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn messages_say_what_the_other_end_said() {
        let status = |status, says: &str| Failure::Status {
            status,
            says: heapless::String::try_from(says).unwrap(),
            pause: None,
        };
        let cases = [
            (status(401, "log in"), "answered 401: log in"),
            (status(500, ""), "answered 500"),
            (status(307, "Moved"), "answered 307: pipes follow no redirects"),
            (
                Failure::Scrape(Refusal::new(503, "source \"a\": gone".into())),
                "nothing to send: source \"a\": gone",
            ),
            (
                Failure::Timeout(Duration::from_millis(1500)),
                "scraped and sent, but no answer within 1.5s",
            ),
        ];
        for (failure, want) in cases {
            assert_eq!(failure.to_string(), want);
        }
    }
}
