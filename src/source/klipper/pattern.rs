//! How a segment of a path is matched.

/// The segments of a path or of a field; those that are empty are none. This is asked for each value
/// of a reply.
pub(super) fn segments(path: &str, divider: u8) -> impl Iterator<Item = &[u8]> {
    path.as_bytes().split(move |b| *b == divider).filter(|segment| !segment.is_empty())
}

/// What `pattern` stands for in `text`; all of it where it has no `*` and no `#`. `is_index` says that
/// the segment is a list's number.
///
/// `*` at the end of a pattern is anything but nothing, `#` is digits; a bare `#` is a list's number.
pub(super) fn capture<'a>(pattern: &[u8], text: &'a str, is_index: bool) -> Option<&'a str> {
    let (front, wild) = match pattern {
        [front @ .., wild @ (b'*' | b'#')] => (front, *wild),
        _ => return (pattern == text.as_bytes()).then_some(text),
    };
    if !text.as_bytes().starts_with(front) {
        return None;
    }
    let rest = text.get(front.len()..).filter(|rest| !rest.is_empty())?;
    let fits = match (wild, front) {
        (b'*', _) => true,
        (_, []) => is_index,
        _ => rest.bytes().all(|b| b.is_ascii_digit()),
    };
    fits.then_some(rest)
}

/// Whether a pattern has a part that stands for something.
pub(super) const fn is_wild(pattern: &[u8]) -> bool {
    matches!(pattern, [.., b'*' | b'#'])
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
            assert_eq!(capture(pattern.as_bytes(), text, is_index), want, "{pattern} {text}");
        }
    }
}
