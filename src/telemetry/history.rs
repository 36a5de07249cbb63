//! The last scrapes of a source in little memory: four bytes each, and never more than so many.

use std::time::Duration;

use crate::limits::HISTORY;

/// How long one scrape took, to the microsecond, and whether it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt(u32);

impl Attempt {
    /// The bit that tells a failure; those below it count microseconds.
    const FAILED: u32 = 1 << 31;

    /// A scrape that took this long. More than 35 minutes count as 35.
    #[must_use]
    pub fn new(took: Duration, failed: bool) -> Self {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).min(!Self::FAILED);
        Self(if failed { micros | Self::FAILED } else { micros })
    }

    /// How long it took, in microseconds.
    #[must_use]
    pub const fn micros(self) -> u32 {
        self.0 & !Self::FAILED
    }

    /// Whether there was no page.
    #[must_use]
    pub const fn failed(self) -> bool {
        self.0 & Self::FAILED != 0
    }
}

/// The last [`HISTORY`] scrapes of a source.
#[derive(Debug, Default)]
pub(super) struct History(heapless::HistoryBuf<Attempt, HISTORY>);

impl History {
    /// Adds one; the oldest makes room.
    pub(super) fn push(&mut self, attempt: Attempt) {
        self.0.write(attempt);
    }

    /// All that are remembered, the oldest first.
    pub(super) fn all(&self) -> heapless::Vec<Attempt, HISTORY> {
        self.0.oldest_ordered().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_keeps_microseconds_and_the_outcome() {
        let cases = [
            (Duration::ZERO, false, 0),
            (Duration::from_nanos(1999), true, 1),
            (Duration::from_secs(120), true, 120_000_000),
            (Duration::from_secs(4000), false, u32::MAX >> 1),
            (Duration::MAX, true, u32::MAX >> 1),
        ];
        for (took, failed, micros) in cases {
            let attempt = Attempt::new(took, failed);
            assert_eq!((attempt.micros(), attempt.failed()), (micros, failed), "{took:?}");
        }
    }

    #[test]
    fn the_history_keeps_the_last_ones_in_order() {
        let mut history = History::default();
        assert_eq!(history.all(), []);
        for number in 0..HISTORY + 3 {
            history.push(Attempt::new(Duration::from_micros(number as u64), number % 2 == 0));
        }
        let micros: Vec<_> = history.all().into_iter().map(Attempt::micros).collect();
        assert_eq!(micros, (3..(HISTORY + 3) as u32).collect::<Vec<_>>());
    }
}
