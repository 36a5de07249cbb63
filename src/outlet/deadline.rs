//! How long a scrape may take.

use std::fmt;
use std::time::Duration;

use crate::limits::REPLY_MARGIN;

/// `X-Prometheus-Scrape-Timeout-Seconds` says something that is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadTimeout;

impl fmt::Display for BadTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds above zero")
    }
}

impl std::error::Error for BadTimeout {}

/// Time left for a scrape, from the header with which Prometheus states its own timeout.
///
/// `value` is that of `X-Prometheus-Scrape-Timeout-Seconds`: decimal **seconds**, such as `10` or
/// `2.5`. Returned is that time less [`REPLY_MARGIN`], or less a quarter where that is less: a
/// short time needs a margin too, but not all of it. At most `cap`.
///
/// # Errors
///
/// [`BadTimeout`] if `value` is not a finite number above zero.
///
/// # Source
///
/// The header is Prometheus' own (`scrape/scrape.go`); the margin and its 0.5 s are what
/// blackbox_exporter takes off by default.
pub(super) fn scrape_budget(value: &str, cap: Duration) -> Result<Duration, BadTimeout> {
    let seconds: f64 = value.trim().parse().map_err(|_| BadTimeout)?;
    if !seconds.is_finite() || seconds <= 0.0 {
        return Err(BadTimeout);
    }
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let margin = REPLY_MARGIN.min(whole.checked_div(4).unwrap_or_default());
    Ok(whole.saturating_sub(margin).min(cap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_half_a_second_or_a_quarter() {
        let cap = Duration::from_secs(120);
        let cases = [
            ("10", Ok(9500)),
            ("2.5", Ok(2000)),
            (" 1e1 ", Ok(9500)),
            ("1", Ok(750)),
            ("0.4", Ok(300)),
            ("0.2", Ok(150)),
            ("1e30", Ok(120_000)),
            ("9999", Ok(120_000)),
            ("0", Err(BadTimeout)),
            ("-1", Err(BadTimeout)),
            ("NaN", Err(BadTimeout)),
            ("inf", Err(BadTimeout)),
            ("soon", Err(BadTimeout)),
            ("", Err(BadTimeout)),
        ];
        for (value, want) in cases {
            assert_eq!(scrape_budget(value, cap), want.map(Duration::from_millis), "{value}");
        }
    }
}
