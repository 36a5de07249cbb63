//! The last scrapes of a source as a drawing: two paths of one inline SVG.
//!
//! Each scrape has a column of [`COLUMN`] units, the newest at the right edge. Where it gave a page,
//! the column is filled up to its share of the longest such time. Where it failed, a short line hangs
//! from the top instead, whatever time that took. The drawing is told in words too.

use std::fmt;

use super::super::view::units::Took;
use crate::limits::HISTORY;
use crate::telemetry::metrics::Attempt;

/// Units that a scrape is wide.
const COLUMN: usize = 2;
/// Units that the drawing is high.
const HEIGHT: u32 = 24;
/// Units that the mark of a failure is long.
const MARK: u32 = 7;

/// The scrapes to be drawn, the oldest first.
pub(super) struct Sparkline<'a>(pub(super) &'a [Attempt]);

impl Sparkline<'_> {
    fn failures(&self) -> usize {
        self.0.iter().filter(|attempt| attempt.failed()).count()
    }

    /// The shortest and the longest time of those that gave a page.
    fn range(&self) -> Option<(u32, u32)> {
        let good = || self.0.iter().filter(|attempt| !attempt.failed()).map(|good| good.micros());
        good().min().zip(good().max())
    }

    /// The left edge of the oldest scrape.
    fn start(&self) -> usize {
        HISTORY.saturating_sub(self.0.len()).saturating_mul(COLUMN)
    }

    /// A line along the tops of the columns, closed along the bottom.
    fn draw_times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((_, longest)) = self.range() else { return Ok(()) };
        write!(f, "<path d=\"M{} {HEIGHT}", self.start())?;
        let mut columns = self.0.iter().map(|attempt| top(*attempt, longest)).peekable();
        let mut height = HEIGHT;
        while let Some(top) = columns.next() {
            let mut width = COLUMN;
            while columns.next_if_eq(&top).is_some() {
                width = width.saturating_add(COLUMN);
            }
            if top != height {
                write!(f, "V{top}")?;
            }
            write!(f, "h{width}")?;
            height = top;
        }
        write!(f, "V{HEIGHT}z\"/>")
    }

    fn draw_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures() == 0 {
            return Ok(());
        }
        f.write_str("<path class=f d=\"")?;
        let edges = (self.start()..).step_by(COLUMN);
        for (left, _) in edges.zip(self.0).filter(|(_, attempt)| attempt.failed()) {
            write!(f, "M{} 0v{MARK}", left.saturating_add(COLUMN / 2))?;
        }
        f.write_str("\"/>")
    }
}

/// The upper edge of a column, counted from the top; a failure has none.
fn top(attempt: Attempt, longest: u32) -> u32 {
    if attempt.failed() {
        return HEIGHT;
    }
    let share = u64::from(attempt.micros()).saturating_mul(HEIGHT.saturating_sub(1).into());
    let share = share.checked_div(longest.into()).and_then(|share| u32::try_from(share).ok());
    // What took next to no time is seen all the same.
    HEIGHT.saturating_sub(1).saturating_sub(share.unwrap_or(0))
}

/// The drawing in words.
struct Words<'a>(&'a Sparkline<'a>);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.0.len();
        write!(f, "{count} scrape{}", if count == 1 { "" } else { "s" })?;
        match self.0.failures() {
            0 => f.write_str(", none failed")?,
            failures if failures == count => f.write_str(", all failed")?,
            failures => write!(f, ", {failures} failed")?,
        }
        match self.0.range() {
            None => Ok(()),
            Some((shortest, longest)) if shortest == longest => write!(f, "; {}", Took(longest)),
            Some((shortest, longest)) => write!(f, "; {} to {}", Took(shortest), Took(longest)),
        }
    }
}

/// The SVG; nothing where nothing was scraped.
impl fmt::Display for Sparkline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let width = HISTORY.saturating_mul(COLUMN);
        write!(f, "<svg role=img viewBox=\"0 0 {width} {HEIGHT}\"><title>{}</title>", Words(self))?;
        self.draw_times(f)?;
        self.draw_failures(f)?;
        f.write_str("</svg>")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Scrapes from milliseconds; a minus sign for those that failed.
    fn svg(scrapes: &[i64]) -> String {
        let attempt = |ms: &i64| Attempt::new(Duration::from_millis(ms.unsigned_abs()), *ms < 0);
        let attempts: Vec<_> = scrapes.iter().map(attempt).collect();
        let svg = Sparkline(&attempts).to_string();
        let inner = svg.strip_prefix("<svg role=img viewBox=\"0 0 120 24\"><title>");
        inner.map(|inner| inner.strip_suffix("</svg>").unwrap().to_owned()).unwrap_or(svg)
    }

    #[test]
    fn scrapes_are_columns_and_failures_are_marks() {
        let none_long = i64::MAX;
        let cases: [(&str, &[i64], &str); 8] = [
            ("none", &[], ""),
            ("one", &[5], "1 scrape, none failed; 5.00 ms</title><path d=\"M118 24V0h2V24z\"/>"),
            ("no time", &[0], "1 scrape, none failed; 0 µs</title><path d=\"M118 24V23h2V24z\"/>"),
            (
                "the same",
                &[7, 7, 7],
                "3 scrapes, none failed; 7.00 ms</title><path d=\"M114 24V0h6V24z\"/>",
            ),
            (
                "all failed",
                &[-1, -20_000],
                "2 scrapes, all failed</title><path class=f d=\"M117 0v7M119 0v7\"/>",
            ),
            (
                "a failure takes no part in the scale",
                &[10, -9000, 20],
                "3 scrapes, 1 failed; 10.0 ms to 20.0 ms</title>\
                 <path d=\"M114 24V12h2V24h2V0h2V24z\"/><path class=f d=\"M117 0v7\"/>",
            ),
            (
                "one of long ago is the last to go",
                &[-1, 5],
                "2 scrapes, 1 failed; 5.00 ms</title>\
                 <path d=\"M116 24h2V0h2V24z\"/><path class=f d=\"M117 0v7\"/>",
            ),
            (
                "huge",
                &[1, none_long],
                "2 scrapes, none failed; 1.00 ms to 2147 s</title>\
                 <path d=\"M116 24V23h2V0h2V24z\"/>",
            ),
        ];
        for (name, scrapes, want) in cases {
            assert_eq!(svg(scrapes), want, "{name}");
        }
    }

    #[test]
    fn sixty_scrapes_are_drawn_in_less_than_a_kibibyte() {
        let restless: Vec<i64> = (0..60).map(|number| number * 7919 % 61 + 1).collect();
        let failing: Vec<i64> =
            restless.iter().map(|ms| if ms % 2 == 0 { -ms } else { *ms }).collect();
        for scrapes in [restless, failing] {
            let svg = svg(&scrapes);
            assert!(svg.len() < 1000, "{} bytes: {svg}", svg.len());
        }
    }
}
