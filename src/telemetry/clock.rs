//! The time of day.
//!
//! The standard library's clock has 32 bits on 32-bit boards with musl, and ends the program when
//! the board's own is later than January 2038, whether it is that late or was only set wrong. This
//! one asks the kernel for 64 bits.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// What time it is, by the board's clock; never before 1970.
#[must_use]
pub(crate) fn now() -> SystemTime {
    let now = clock_gettime(ClockId::Realtime);
    at(now.tv_sec, now.tv_nsec)
}

/// A time as the kernel tells it: seconds since 1970, and nanoseconds. One before 1970 is 1970.
///
/// The kernel's numbers have other types on other machines.
#[must_use]
pub(crate) fn at(seconds: impl TryInto<u64>, nanoseconds: impl TryInto<u32>) -> SystemTime {
    let seconds = seconds.try_into().unwrap_or_default();
    let nanoseconds = nanoseconds.try_into().unwrap_or_default();
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds)).unwrap_or(UNIX_EPOCH)
}

/// Seconds since 1970 at `instant`, by today's idea of what time it is: boards boot in 1970.
pub(crate) fn unix_seconds(instant: Instant) -> f64 {
    since_1970(instant).as_secs_f64()
}

/// The same as a duration.
pub(crate) fn since_1970(instant: Instant) -> Duration {
    let now = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(instant.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_time_of_the_standard_library() {
        let before = SystemTime::now();
        let now = now();
        assert!(before <= now && now <= SystemTime::now());
    }

    #[test]
    fn times_before_1970_and_after_2038_are_told() {
        let cases = [
            ("1969", -1_i64, Duration::ZERO),
            ("1970", 0, Duration::from_nanos(7)),
            ("2040", 2_208_988_800, Duration::new(2_208_988_800, 7)),
        ];
        for (name, seconds, want) in cases {
            let got = at(seconds, if seconds < 0 { 0 } else { 7 }).duration_since(UNIX_EPOCH);
            assert_eq!(got.ok(), Some(want), "{name}");
        }
    }
}
