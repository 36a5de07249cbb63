//! When a pipe sends: ticks on a grid, and how failures thin them out. Does no I/O and reads no clock.
//!
//! Ticks come every `every`. One that an attempt has run into is late rather than lost until half of
//! it is over. The first failure changes nothing; further ones in a row skip every other tick, so that
//! a hub that comes back has the next page within two of them. `Retry-After` alone silences a pipe for
//! longer.

use std::time::{Duration, Instant};

use crate::http::alarm::later;
use crate::limits::RETRY_AFTER;

/// The next tick, and whether the last attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    every: Duration,
    next: Instant,
    failing: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The page was taken.
    Sent,
    /// There was no page to send, which is nothing to spare the other end for.
    Empty,
    /// The page was not taken; how long the other end wants to be left alone, where it says so.
    Failed(Option<Duration>),
}

impl Pace {
    /// The first tick comes within `every`: after `chance`, of which only the rest counts.
    pub(super) fn new(now: Instant, every: Duration, chance: u64) -> Self {
        let phase = chance.checked_rem(micros(every)).unwrap_or(0);
        Self { every, next: later(now, Duration::from_micros(phase)), failing: false }
    }

    /// The tick that is to come, or has come and was not used yet.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// The time between two ticks.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }

    /// The attempt of this tick has ended. Tells how many ticks behind it are passed over.
    pub(super) fn ended(&mut self, now: Instant, end: End) -> u32 {
        let since = now.saturating_duration_since(self.next);
        let mut over =
            whole(since.saturating_sub(self.every.checked_div(2).unwrap_or_default()), self.every);
        if let End::Failed(pause) = end {
            if self.failing && over == 0 {
                over = 1;
            }
            if let Some(pause) = pause {
                let silent = since.saturating_add(pause.min(RETRY_AFTER));
                // The tick at its very end is the first that is heeded.
                let ticks = whole(silent.saturating_sub(Duration::from_micros(1)), self.every);
                over = over.max(ticks);
            }
        }
        self.failing = matches!(end, End::Failed(_));
        let ticks = self.every.saturating_mul(over.saturating_add(1));
        self.next = later(self.next, ticks);
        over
    }
}

/// How often `every` goes into `time`.
fn whole(time: Duration, every: Duration) -> u32 {
    let times = micros(time).checked_div(micros(every)).unwrap_or(0);
    u32::try_from(times).unwrap_or(u32::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(4);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A name, steps, and the ticks that are used.
    type Case<'a> = (&'a str, &'a [(f64, End)], &'a [u64]);

    /// Each step is how long the attempt took and how it ended; told are the ticks that were used.
    fn used(steps: &[(f64, End)]) -> Vec<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(start, EVERY, 0);
        let mut now = start;
        let mut used = Vec::new();
        for (took, end) in steps {
            used.push((pace.next() - start).as_secs() / EVERY.as_secs());
            now = now.max(pace.next()) + seconds(*took);
            pace.ended(now, *end);
        }
        used
    }

    #[test]
    fn ticks_are_used_or_passed_over() {
        use End::{Empty, Failed, Sent};
        const FAILED: End = Failed(None);
        let cases: [Case<'_>; 9] = [
            ("all is well", &[(0.1, Sent), (3.9, Sent), (0.1, Sent)], &[0, 1, 2]),
            ("no page is nobody's fault", &[(0.1, Empty), (3.0, Empty), (3.0, Empty)], &[0, 1, 2]),
            ("one failure", &[(0.1, FAILED), (0.1, Sent), (0.1, Sent)], &[0, 1, 2]),
            (
                "failures skip every other tick, and none once it is well again",
                &[(0.1, FAILED), (4.0, FAILED), (4.01, FAILED), (0.1, Sent), (0.1, Sent)],
                &[0, 1, 3, 5, 6],
            ),
            ("late, but not lost", &[(5.9, Sent), (0.1, Sent), (0.1, Sent)], &[0, 1, 2]),
            ("lost", &[(6.1, Sent), (0.1, Sent), (0.1, Sent)], &[0, 2, 3]),
            ("a long attempt has skipped enough", &[(8.0, FAILED), (8.0, FAILED)], &[0, 2]),
            (
                "asked to wait",
                &[(1.0, Failed(Some(seconds(7.0)))), (0.1, Sent), (0.1, Sent)],
                &[0, 2, 3],
            ),
            (
                "asked to wait a little longer",
                &[(1.0, Failed(Some(seconds(7.1)))), (0.1, Sent), (0.1, Sent)],
                &[0, 3, 4],
            ),
        ];
        for (name, steps, want) in cases {
            assert_eq!(used(steps), want, "{name}");
        }
    }

    #[test]
    fn nobody_silences_a_pipe_for_good() {
        let forever = End::Failed(Some(Duration::MAX));
        assert_eq!(used(&[(0.0, forever), (0.0, End::Sent)]), [0, 900]);
        let soon = End::Failed(Some(Duration::ZERO));
        assert_eq!(used(&[(1.0, soon), (0.0, End::Sent)]), [0, 1]);
    }

    #[test]
    fn the_first_tick_comes_by_chance_and_the_others_behind_it() {
        let start = Instant::now();
        for (chance, want) in [(0, 0.0), (1_500_000, 1.5), (4_000_000, 0.0), (u64::MAX, 1.551_615)]
        {
            let mut pace = Pace::new(start, EVERY, chance);
            assert_eq!(pace.next(), start + seconds(want), "{chance}");
            pace.ended(start + seconds(want), End::Sent);
            assert_eq!(pace.next(), start + seconds(want) + EVERY, "{chance}");
        }
    }

    /// Whatever happens, a failing pipe tries again within two ticks of the end of an attempt.
    #[test]
    fn at_most_one_tick_in_a_row_is_skipped() {
        let start = Instant::now();
        for took in 0..=80_u32 {
            let mut pace = Pace::new(start, EVERY, 0);
            for _ in 0..5 {
                let now = pace.next() + EVERY * took / 40;
                pace.ended(now, End::Failed(None));
                assert!(pace.next() <= now + EVERY * 2, "{took}");
                assert!(pace.next() + EVERY / 2 > now, "{took}");
            }
        }
    }
}
