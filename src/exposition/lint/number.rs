//! Numbers as Prometheus' text parser reads them: Go's `ParseFloat` and `ParseInt`, restricted.

/// Why a text is not a number.
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

/// A timestamp: a whole number of milliseconds, with or without sign.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
