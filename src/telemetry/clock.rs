//! The time of day.
//!
//! The standard library's clock has 32 bits on 32-bit boards with musl, and ends the program when
//! the board's own is later than January 2038, whether it is that late or was only set wrong. This
//! one asks the kernel for 64 bits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// What time it is, by the board's clock; never before 1970.
#[must_use]
pub(crate) fn now() -> SystemTime {
    at(&clock_gettime(ClockId::Realtime))
}

fn at(time: &Timespec) -> SystemTime {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds)).unwrap_or(UNIX_EPOCH)
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
            ("1969", -1, Duration::ZERO),
            ("1970", 0, Duration::from_nanos(7)),
            ("2040", 2_208_988_800, Duration::new(2_208_988_800, 7)),
        ];
        for (name, tv_sec, want) in cases {
            let tv_nsec = if tv_sec < 0 { 0 } else { 7 };
            let got = at(&Timespec { tv_sec, tv_nsec }).duration_since(UNIX_EPOCH);
            assert_eq!(got.ok(), Some(want), "{name}");
        }
    }
}
