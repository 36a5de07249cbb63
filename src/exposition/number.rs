//! The numbers of the text format: what Go's `ParseFloat` and `ParseInt` take, less hexadecimal
//! exponents and `_`, which Prometheus refuses.
//!
//! A number that is out of range is refused as well: Prometheus fails the whole scrape on `1e400`.

/// Why a text is not a number.
#[cfg_attr(not(feature = "tools"), expect(unreachable_pub, reason = "lint tells it"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadNumber {
    /// There is nothing where the number should be.
    Missing,
    /// It is not spelled like a number.
    Syntax,
    /// It has a `p` or a `_`, which Go knows and the format does not.
    Unsupported,
    /// It is too large for its type.
    Range,
}

/// Whether `text`, whole, is a sample value.
#[must_use]
pub(super) fn is_float(text: &[u8]) -> bool {
    plain_float(text) == Some(text.len()) || text == b"+Inf" || float(text).is_ok()
}

/// Length of the plain decimal number that `text` begins with: digits, perhaps a sign, a fraction
/// and a short exponent. Nearly every sample has one, and none of them can be out of range.
#[inline]
#[must_use]
pub(super) fn plain_float(text: &[u8]) -> Option<usize> {
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

/// Whether `text` is a timestamp as Prometheus' scrape parser takes it: [`timestamp`] without sign.
#[must_use]
pub(super) fn is_millis(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit) && timestamp(text).is_ok()
}

/// A float: decimal, or `inf`, `infinity` (both with or without sign) and `nan` (without) in any
/// case.
///
/// # Errors
///
/// [`BadNumber`]. What is too small is zero; what is too large is [`BadNumber::Range`].
///
/// # Source
///
/// `parseFloat` in `expfmt/text_parse.go` of prometheus/common: Go's `strconv.ParseFloat` for 64
/// bits, after refusing `p`, `P` and `_`. Without `p`, hexadecimal has no valid form.
pub(super) fn float(text: &[u8]) -> Result<f64, BadNumber> {
    if text.is_empty() {
        return Err(BadNumber::Missing);
    }
    if text.iter().any(|byte| matches!(byte, b'p' | b'P' | b'_')) {
        return Err(BadNumber::Unsupported);
    }
    // Where Go and Rust differ: Go's NaN has no sign.
    if let [b'+' | b'-', b'n' | b'N', ..] = text {
        return Err(BadNumber::Syntax);
    }
    let value: f64 =
        str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(BadNumber::Syntax)?;
    // And where Rust rounds to infinity, Go refuses.
    if value.is_infinite() && text.iter().any(u8::is_ascii_digit) {
        return Err(BadNumber::Range);
    }
    Ok(value)
}

/// A timestamp: a whole number of milliseconds, with or without sign, as Prometheus' library parser
/// takes it.
///
/// # Errors
///
/// [`BadNumber`], never [`BadNumber::Unsupported`].
pub(super) fn timestamp(text: &[u8]) -> Result<i64, BadNumber> {
    if text.is_empty() {
        return Err(BadNumber::Missing);
    }
    let digits = match text {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadNumber::Syntax);
    }
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(BadNumber::Range)
}

/// Milliseconds of an OpenMetrics timestamp, which is in seconds and may have a fraction.
/// `None` if it is no number, negative, or beyond an `i64`.
#[must_use]
#[expect(clippy::as_conversions, reason = "the range is checked in the line before")]
pub(super) fn millis_of_seconds(text: &[u8]) -> Option<i64> {
    const LIMIT: f64 = 9.2e18;
    let millis = (float(text).ok()? * 1000.0).round();
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
    fn floats_are_what_go_takes_less_p_and_underscore() {
        let cases: [(&str, Result<f64, BadNumber>); 34] = [
            ("0", Ok(0.0)),
            ("-0", Ok(-0.0)),
            ("+5", Ok(5.0)),
            (".5", Ok(0.5)),
            ("5.", Ok(5.0)),
            ("1E+5", Ok(1e5)),
            ("1.e1", Ok(10.0)),
            ("007", Ok(7.0)),
            ("1e-999", Ok(0.0)),
            ("0e99999999999999999999", Ok(0.0)),
            ("4.9e-324", Ok(5e-324)),
            ("1.7976931348623157e308", Ok(f64::MAX)),
            ("1.7976931348623159e308", Err(BadNumber::Range)),
            ("-1e400", Err(BadNumber::Range)),
            ("1e99999999999999999999", Err(BadNumber::Range)),
            ("inf", Ok(f64::INFINITY)),
            ("+Inf", Ok(f64::INFINITY)),
            ("-iNFinity", Ok(f64::NEG_INFINITY)),
            ("infinit", Err(BadNumber::Syntax)),
            ("+nan", Err(BadNumber::Syntax)),
            ("-NaN", Err(BadNumber::Syntax)),
            ("nanx", Err(BadNumber::Syntax)),
            ("", Err(BadNumber::Missing)),
            (".", Err(BadNumber::Syntax)),
            ("+", Err(BadNumber::Syntax)),
            ("e5", Err(BadNumber::Syntax)),
            ("1e", Err(BadNumber::Syntax)),
            ("1,5", Err(BadNumber::Syntax)),
            ("--1", Err(BadNumber::Syntax)),
            ("true", Err(BadNumber::Syntax)),
            ("0x10", Err(BadNumber::Syntax)),
            ("0x1p4", Err(BadNumber::Unsupported)),
            ("1_000", Err(BadNumber::Unsupported)),
            ("١", Err(BadNumber::Syntax)),
        ];
        for (text, want) in cases {
            assert_eq!(float(text.as_bytes()), want, "{text:?}");
        }
        assert!(float(b"nAn").is_ok_and(f64::is_nan));
    }

    #[test]
    fn timestamps_are_whole_and_fit_64_bits() {
        let cases: [(&str, Result<i64, BadNumber>); 11] = [
            ("0", Ok(0)),
            ("+5", Ok(5)),
            ("-5", Ok(-5)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(BadNumber::Range)),
            ("", Err(BadNumber::Missing)),
            ("-", Err(BadNumber::Syntax)),
            ("1.5", Err(BadNumber::Syntax)),
            ("1e3", Err(BadNumber::Syntax)),
            ("1_0", Err(BadNumber::Syntax)),
        ];
        for (text, want) in cases {
            assert_eq!(timestamp(text.as_bytes()), want, "{text:?}");
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
