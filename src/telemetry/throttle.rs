//! What others can make fanin log: so many lines in a while, and how many were left out.

use std::cell::Cell;
use std::time::Instant;

use crate::limits::{LOG_LINES, LOG_WINDOW};

/// How much one thing has said lately.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When the first line that counts was said.
    since: Cell<Option<Instant>>,
    lines: Cell<usize>,
    left_out: Cell<usize>,
    /// How many were left out was told in this window.
    told: Cell<bool>,
}

impl Throttle {
    /// Begins a new window where the last is over.
    fn look(&self, now: Instant) {
        let since = self.since.get();
        if since.is_none_or(|since| now.saturating_duration_since(since) >= LOG_WINDOW) {
            self.since.set(Some(now));
            self.lines.set(0);
            self.told.set(false);
        }
    }

    /// Whether a line may be logged that is said `now`, if the log `has_room`.
    pub(crate) fn admits(&self, now: Instant, has_room: impl FnOnce() -> bool) -> bool {
        self.look(now);
        let admitted = self.lines.get() < LOG_LINES && has_room();
        let count = if admitted { &self.lines } else { &self.left_out };
        count.set(count.get().saturating_add(1));
        admitted
    }

    /// How many lines were left out, once in a window.
    pub(crate) fn left_out(&self, now: Instant, has_room: impl FnOnce() -> bool) -> Option<usize> {
        self.look(now);
        if self.left_out.get() == 0 || self.told.get() || !has_room() {
            return None;
        }
        self.told.set(true);
        Some(self.left_out.take())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_lines_in_a_window_and_the_rest_is_counted() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let yes = || true;
        let said =
            |at: Instant, lines: usize| (0..lines).filter(|_| throttle.admits(at, yes)).count();
        assert_eq!(throttle.left_out(start, yes), None, "nothing said");
        assert_eq!(said(start, 5), 5);
        assert_eq!(throttle.left_out(start, yes), None, "none left out");
        assert_eq!(said(start, 100), LOG_LINES - 5);
        assert_eq!(throttle.left_out(start, || false), None, "the log is full");
        assert_eq!(throttle.left_out(start, yes), Some(85));
        assert_eq!(said(start, 10), 0);
        assert_eq!(throttle.left_out(start, yes), None, "told a moment ago");
        let later = start + LOG_WINDOW;
        assert_eq!(said(later, 1), 1);
        assert_eq!(throttle.left_out(later, yes), Some(10), "from the window before");
        let later = later + LOG_WINDOW + Duration::from_secs(1);
        assert!(!throttle.admits(later, || false), "the log is full");
        assert_eq!(throttle.left_out(later, yes), Some(1));
    }
}
