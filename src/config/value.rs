//! Single values: durations, sizes, counts, names.

use std::fmt;
use std::time::Duration;

use crate::limits;

/// Which rule a value breaks; printed behind the value: `"4x" is no duration such as …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue(pub(super) String);

impl BadValue {
    /// From a rule.
    pub(crate) fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadValue {}

/// `500ms`, `4s`, `10m`, `1h`, `7d`: a whole number and one unit. At most
/// [`limits::MAX_DURATION`].
pub(crate) fn duration(text: &str) -> Result<Duration, BadValue> {
    let wrong = || BadValue::new("is no duration such as 500ms, 4s, 10m or 1h");
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .and_then(|number| number.checked_mul(milliseconds))
        .map(Duration::from_millis)
        .filter(|duration| *duration <= limits::MAX_DURATION)
        .ok_or_else(|| BadValue::new("is longer than a year"))
}

/// `500`, `16KiB`, `8MiB`, `1GiB`: a whole number of bytes.
pub(super) fn size(text: &str) -> Result<usize, BadValue> {
    let wrong = || BadValue::new("is no size such as 16KiB or 8MiB");
    let (number, unit) = split_unit(text).ok_or_else(wrong)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "K" | "KB" | "kB" | "M" | "MB" | "G" | "GB" | "k" | "kb" | "mb" | "gb" | "kib" | "mib"
        | "gib" => return Err(BadValue::new("has another unit than B, KiB, MiB or GiB")),
        _ => return Err(wrong()),
    };
    number
        .and_then(|number| number.checked_mul(bytes))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| BadValue::new("is more than this machine can address"))
}

/// Digits, then what follows them. The number is `None` where it is too large; there is no result
/// where the first character is no digit.
fn split_unit(text: &str) -> Option<(Option<u64>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())?;
    Some((digits.parse().ok(), unit))
}

/// A whole number from `least` to `most`.
pub(super) fn count(text: &str, least: usize, most: usize) -> Result<usize, BadValue> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(BadValue::new("is no whole number"));
    }
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(BadValue::new(format!("is not between {least} and {most}"))),
    }
}

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Result<bool, BadValue> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(BadValue::new("is neither true nor false")),
    }
}

/// Permissions in octal, such as `0660`.
pub(super) fn mode(text: &str) -> Result<u32, BadValue> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| digits && *mode <= 0o777)
        .ok_or_else(|| BadValue::new("is no octal mode from 0 to 0777 such as 0660"))
}

/// A label that fanin may put on samples: `[a-zA-Z_][a-zA-Z0-9_]*`, none of Prometheus' own.
///
/// # Errors
///
/// The rule that `name` breaks: its letters, its length ([`limits::LABEL_NAME`]), or one of `le`,
/// `quantile` and `__…`, which tell samples of one series from another.
pub fn label_name(name: &str) -> Result<(), BadValue> {
    let first = name.bytes().next();
    let letters = first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !letters {
        return Err(BadValue::new("is no label name ([a-zA-Z_][a-zA-Z0-9_]*)"));
    }
    if name.len() > limits::LABEL_NAME {
        return Err(BadValue::new(format!("has more than {} bytes", limits::LABEL_NAME)));
    }
    if matches!(name, "le" | "quantile") {
        return Err(BadValue::new("belongs to histograms and summaries"));
    }
    if name.starts_with("__") {
        return Err(BadValue::new("begins with __, which is Prometheus' own"));
    }
    Ok(())
}

/// What a label may say: 1 to [`limits::LABEL_VALUE`] bytes without control characters.
pub(super) fn label_value(value: &str) -> Result<(), BadValue> {
    if value.is_empty() {
        return Err(BadValue::new("is empty, which to Prometheus is no label at all"));
    }
    if value.len() > limits::LABEL_VALUE {
        let (seen, most) = (value.len(), limits::LABEL_VALUE);
        return Err(BadValue::new(format!("has {seen} bytes, of {most} at most")));
    }
    if value.chars().any(char::is_control) {
        return Err(BadValue::new("holds a control character"));
    }
    Ok(())
}

/// A source's name: letters, digits and `_ - .`, beginning with a letter or a digit, neither `all`
/// nor `self`, at most [`limits::SOURCE_NAME`] bytes.
///
/// # Errors
///
/// The rule that `name` breaks.
pub fn source_name(name: &str) -> Result<(), BadValue> {
    let letters = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if !letters {
        let rule = "is no source name (letters, digits, _ - . after a letter or digit)";
        return Err(BadValue::new(rule));
    }
    if name.len() > limits::SOURCE_NAME {
        return Err(BadValue::new(format!("has more than {} bytes", limits::SOURCE_NAME)));
    }
    if matches!(name, "all" | "self") {
        return Err(BadValue::new("is reserved: it names no single configured source"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ms = Duration::from_millis;
        let cases = [
            ("500ms", Some(ms(500))),
            ("0s", Some(ms(0))),
            ("4s", Some(ms(4_000))),
            ("10m", Some(ms(600_000))),
            ("1h", Some(ms(3_600_000))),
            ("7d", Some(ms(604_800_000))),
            ("366d", Some(limits::MAX_DURATION)),
            ("367d", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
            ("5", None),
            ("s", None),
            ("", None),
            ("1.5s", None),
            ("-1s", None),
            ("+1s", None),
            ("1 s", None),
            ("1h30m", None),
            ("1S", None),
        ];
        for (text, want) in cases {
            assert_eq!(duration(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("0", Ok(0)),
            ("500B", Ok(500)),
            ("16KiB", Ok(16 << 10)),
            ("8MiB", Ok(8 << 20)),
            ("1GiB", Ok(1 << 30)),
            ("8MB", Err("has another unit than B, KiB, MiB or GiB")),
            ("8x", Err("is no size such as 16KiB or 8MiB")),
            ("", Err("is no size such as 16KiB or 8MiB")),
            ("-1", Err("is no size such as 16KiB or 8MiB")),
            ("99999999999999999999", Err("is more than this machine can address")),
            ("18446744073709551615GiB", Err("is more than this machine can address")),
        ];
        for (text, want) in cases {
            assert_eq!(size(text), want.map_err(BadValue::new), "{text}");
        }
    }

    #[test]
    fn counts_switches_and_modes() {
        for (text, want) in
            [("1", Some(1)), ("9", Some(9)), ("0", None), ("10", None), ("+1", None)]
        {
            assert_eq!(count(text, 1, 9).ok(), want, "{text}");
        }
        for (text, want) in [("true", Some(true)), ("false", Some(false)), ("yes", None)] {
            assert_eq!(switch(text).ok(), want, "{text}");
        }
        let modes = [
            ("0660", Some(0o660)),
            ("600", Some(0o600)),
            ("0o660", None),
            ("0888", None),
            ("7777", None),
        ];
        for (text, want) in modes {
            assert_eq!(mode(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn names() {
        let long = "a".repeat(129);
        let labels = [
            ("rack", true),
            ("_x1", true),
            ("1x", false),
            ("", false),
            ("é", false),
            ("a-b", false),
            ("a:b", false),
            ("le", false),
            ("quantile", false),
            ("__name__", false),
            ("_name__", true),
            (long.as_str(), false),
        ];
        for (name, want) in labels {
            assert_eq!(label_name(name).is_ok(), want, "{name}");
        }
        let sources = [
            ("node", true),
            ("9to5.a_b-c", true),
            ("all", false),
            ("self", false),
            ("-a", false),
            ("a b", false),
            ("a=b", false),
            ("", false),
        ];
        for (name, want) in sources {
            assert_eq!(source_name(name).is_ok(), want, "{name}");
        }
        let values = [("7", true), ("", false), ("a\nb", false), ("ä \"", true)];
        for (value, want) in values {
            assert_eq!(label_value(value).is_ok(), want, "{value}");
        }
        assert!(label_value(&"x".repeat(257)).is_err());
    }
}
