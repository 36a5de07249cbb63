//! Text, times and sizes as a person reads them.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// Text that is no markup. Control characters, which a page may not have, are shown as `�`.
pub(in crate::outlet) struct Html<D>(pub(in crate::outlet) D);

impl<D: fmt::Display> fmt::Display for Html<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let markup = |c| match c {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '"' => "&quot;",
            '\'' => "&#39;",
            _ => "",
        };
        write!(Escape(f, markup), "{}", self.0)
    }
}

/// Text for a terminal, which control characters could make do things: they are shown as `�`.
#[cfg(feature = "push")]
pub(in crate::outlet) struct Plain<D>(pub(in crate::outlet) D);

#[cfg(feature = "push")]
impl<D: fmt::Display> fmt::Display for Plain<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(f, |_| ""), "{}", self.0)
    }
}

/// What stands for a character; nothing for itself.
struct Escape<'a, 'f>(&'a mut fmt::Formatter<'f>, fn(char) -> &'static str);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match (self.1)(c) {
                "" if c.is_control() => self.0.write_char(char::REPLACEMENT_CHARACTER)?,
                "" => self.0.write_char(c)?,
                markup => self.0.write_str(markup)?,
            }
        }
        Ok(())
    }
}

/// An age: the two largest units.
pub(in crate::outlet) struct Age(pub(in crate::outlet) Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{rest} s"),
            (0, 0, _) => write!(f, "{minutes} min {rest} s"),
            (0, _, _) => write!(f, "{hours} h {minutes} min"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

/// A short time, in microseconds: three digits and a unit.
#[cfg(feature = "status")]
pub(in crate::outlet) struct Took(pub(in crate::outlet) u32);

#[cfg(feature = "status")]
impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0;
        let places =
            |most: u32| if micros < most / 100 { 2 } else { usize::from(micros < most / 10) };
        let number = f64::from(micros);
        match micros {
            0..1_000 => write!(f, "{micros} µs"),
            1_000..1_000_000 => write!(f, "{:.*} ms", places(1_000_000), number / 1e3),
            _ => write!(f, "{:.*} s", places(1_000_000_000), number / 1e6),
        }
    }
}

/// Bytes, in the unit that leaves at most four digits.
pub(in crate::outlet) struct Size(pub(in crate::outlet) usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In 64 bits: on a small board, ten times the memory there is does not fit a usize.
        let bytes = u64::try_from(self.0).unwrap_or(u64::MAX);
        let in_unit = |shift: u32| {
            let tenths = bytes.saturating_mul(10) >> shift;
            (tenths / 10, tenths % 10)
        };
        let ((kib, kib_tenth), (mib, mib_tenth)) = (in_unit(10), in_unit(20));
        match self.0 {
            0..1024 => write!(f, "{} B", self.0),
            _ if kib < 10 => write!(f, "{kib}.{kib_tenth} KiB"),
            _ if mib < 1 => write!(f, "{kib} KiB"),
            _ => write!(f, "{mib}.{mib_tenth} MiB"),
        }
    }
}

/// A number with a thin space between each three digits.
pub(in crate::outlet) struct Grouped(pub(in crate::outlet) usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = heapless::String::<20>::new();
        write!(digits, "{}", self.0)?;
        let mut left = digits.len();
        for digit in digits.chars() {
            if left < digits.len() && left.is_multiple_of(3) {
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
            left = left.saturating_sub(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_two_units_long() {
        for (seconds, want) in
            [(0, "0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (90_061, "1 d 1 h")]
        {
            assert_eq!(Age(Duration::from_secs(seconds)).to_string(), want);
        }
    }

    #[cfg(feature = "status")]
    #[test]
    fn short_times_have_three_digits() {
        for (micros, want) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (12_345, "12.3 ms"),
            (450_000, "450 ms"),
            (1_250_000, "1.25 s"),
            (10_000_000, "10.0 s"),
            (120_000_000, "120 s"),
            (u32::MAX, "4295 s"),
        ] {
            assert_eq!(Took(micros).to_string(), want);
        }
    }

    #[test]
    fn sizes_and_counts_are_short() {
        for (bytes, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (57_588, "56 KiB"),
            (1 << 20, "1.0 MiB"),
            ((1 << 20) - 1, "1023 KiB"),
            (5_262_609, "5.0 MiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), want);
        }
        for (number, want) in
            [(0, "0"), (999, "999"), (1000, "1\u{202f}000"), (1234567, "1\u{202f}234\u{202f}567")]
        {
            assert_eq!(Grouped(number).to_string(), want);
        }
    }

    #[test]
    fn text_is_no_markup() {
        let cases = [
            ("<a href=\"&\">", "&lt;a href=&quot;&amp;&quot;&gt;"),
            ("it's", "it&#39;s"),
            ("a\u{0}b\u{1b}c\nd\u{85}", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"),
            ("ü🖨", "ü🖨"),
        ];
        for (text, want) in cases {
            assert_eq!(Html(text).to_string(), want);
        }
    }
}
