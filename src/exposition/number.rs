//! The numbers of the text format: what Go's `strconv.ParseFloat` takes, less hexadecimal
//! exponents and `_`, which Prometheus refuses.
//!
//! A number that is out of range is refused as well: Prometheus fails the whole scrape on `1e400`.

/// Whether `text`, whole, is a sample value.
#[must_use]
pub fn is_float(text: &[u8]) -> bool {
    plain_float(text) == Some(text.len()) || any_float(text)
}

/// Length of the plain decimal number that `text` begins with: digits, perhaps a sign, a fraction
/// and a short exponent. Nearly every sample has one, and none of them can be out of range.
#[inline]
#[must_use]
pub fn plain_float(text: &[u8]) -> Option<usize> {
    /// So many digits and so small an exponent stay far below the largest double.
    const DIGITS: usize = 200;
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let whole = digits(text, sign);
    let mut end = whole;
    let mut count = whole.saturating_sub(sign);
    if text.get(end) == Some(&b'.') {
        let from = end.saturating_add(1);
        end = digits(text, from);
        count = count.saturating_add(end.saturating_sub(from));
    }
    if count == 0 || count > DIGITS {
        return None;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let at = end.saturating_add(1);
        let from = at.saturating_add(usize::from(matches!(text.get(at), Some(b'-' | b'+'))));
        end = digits(text, from);
        if !(1..=2).contains(&end.saturating_sub(from)) {
            return None;
        }
    }
    Some(end)
}

/// The first index at or after `at` that holds no digit.
#[inline]
fn digits(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at = at.saturating_add(1);
    }
    at
}

/// Every other spelling: infinities, not-a-number, long mantissas and exponents.
#[cold]
fn any_float(text: &[u8]) -> bool {
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let is = |word: &str| unsigned.eq_ignore_ascii_case(word.as_bytes());
    if is("inf") || is("infinity") {
        return true;
    }
    if is("nan") {
        return unsigned.len() == text.len();
    }
    str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

/// Whether `text` is a timestamp of the text format: milliseconds, digits only, within an `i64`.
/// (The older library parser also takes a sign; Prometheus' scrape parser does not.)
#[must_use]
pub fn is_millis(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
        && str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok())
}

/// Milliseconds of an OpenMetrics timestamp, which is in seconds and may have a fraction.
/// `None` if it is no number, negative, or beyond an `i64`.
#[must_use]
#[expect(clippy::as_conversions, reason = "the range is checked in the line before")]
pub fn millis_of_seconds(text: &[u8]) -> Option<i64> {
    const LIMIT: f64 = 9.2e18;
    let seconds = str::from_utf8(text).ok().filter(|_| is_float(text))?.parse::<f64>().ok()?;
    let millis = (seconds * 1000.0).round();
    (0.0..LIMIT).contains(&millis).then_some(millis as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_what_prometheus_takes() {
        let long = "1".repeat(250);
        let beyond = "1".repeat(400);
        let good = [
            "0",
            "-1",
            "+1",
            "1.",
            ".5",
            "1.5e9",
            "1E-9",
            "1e+300",
            "NaN",
            "nan",
            "Inf",
            "+Inf",
            "-inf",
            "infinity",
            "1e-400",
            "00012",
            &long,
            "4.9406564584124654e-324",
        ];
        for text in good {
            assert!(is_float(text.as_bytes()), "{text}");
        }
        let bad = [
            "", "-", ".", "e5", "1e", "1e+", "1_000", "0x1p-2", "0x10", "+nan", "-NaN", "1e400",
            "infin", "1.2.3", "1 ", "one", "--1", "1f", &beyond, "\u{ff11}",
        ];
        for text in bad {
            assert!(!is_float(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn timestamps_are_digits_within_64_bits() {
        for (text, want) in [
            ("0", true),
            ("1700000000000", true),
            ("9223372036854775807", true),
            ("9223372036854775808", false),
            ("-5", false),
            ("+5", false),
            ("1.5", false),
            ("", false),
        ] {
            assert_eq!(is_millis(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn openmetrics_seconds_become_milliseconds() {
        for (text, want) in [
            ("1520879607.789", Some(1_520_879_607_789)),
            ("0", Some(0)),
            ("1.5e3", Some(1_500_000)),
            ("-1", None),
            ("NaN", None),
            ("1e300", None),
            ("soon", None),
        ] {
            assert_eq!(millis_of_seconds(text.as_bytes()), want, "{text}");
        }
    }
}
