//! How a segment of a path is matched.

/// What `pattern` stands for in `text`; all of it where it has no `*` and no `#`. `is_index` says that
/// the segment is a list's number.
///
/// `*` at the end of a pattern is anything but nothing, `#` is digits; a bare `#` is a list's number.
pub(super) fn capture<'a>(pattern: &str, text: &'a str, is_index: bool) -> Option<&'a str> {
    if let Some(front) = pattern.strip_suffix('*') {
        return text.strip_prefix(front).filter(|rest| !rest.is_empty());
    }
    match pattern.strip_suffix('#') {
        Some("") => is_index.then_some(text),
        Some(front) => {
            let digits = |rest: &&str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
            text.strip_prefix(front).filter(digits)
        }
        None => (pattern == text).then_some(text),
    }
}

/// Whether a pattern has a part that stands for something.
pub(super) fn is_wild(pattern: &str) -> bool {
    pattern.ends_with(['*', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_matched() {
        let cases = [
            ("mcu", "mcu", false, Some("mcu")),
            ("mcu", "mcu x", false, None),
            ("mcu *", "mcu rpi-host", false, Some("rpi-host")),
            ("mcu *", "mcu ", false, None),
            ("*", "e_motor ", false, Some("e_motor ")),
            ("tmc*", "tmc2209 stepper_x", false, Some("2209 stepper_x")),
            ("extruder#", "extruder10", false, Some("10")),
            ("extruder#", "extruder", false, None),
            ("extruder#", "extruder_stepper 1", false, None),
            ("#", "3", true, Some("3")),
            ("#", "3", false, None),
            ("0", "0", true, Some("0")),
        ];
        for (pattern, text, is_index, want) in cases {
            assert_eq!(capture(pattern, text, is_index), want, "{pattern} {text}");
        }
    }
}
