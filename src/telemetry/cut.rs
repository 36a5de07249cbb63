//! Texts that may be long, in a fixed number of bytes.

use std::fmt::{self, Write as _};

/// Stands at the end of a text that was cut.
const CUT: &str = "…";

/// `text` in at most `N` bytes; what is longer is cut between characters and ends with `…`.
#[must_use]
pub(crate) fn cut<const N: usize>(text: &dyn fmt::Display) -> heapless::String<N> {
    struct Room<const N: usize>(heapless::String<N>);

    impl<const N: usize> fmt::Write for Room<N> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            text.chars().try_for_each(|c| {
                let used = self.0.len().saturating_add(c.len_utf8()).saturating_add(CUT.len());
                if used > N { Err(fmt::Error) } else { self.0.write_char(c) }
            })
        }
    }

    let mut room = Room(heapless::String::new());
    if write!(room, "{text}").is_err() {
        // Room for it was left.
        let _ = room.0.push_str(CUT);
    }
    room.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cases = [
            ("nothing", "", ""),
            ("short", "timed out", "timed out"),
            ("as long as may be", "0123456789abc", "0123456789abc"),
            ("one more", "0123456789abcd", "0123456789abc…"),
            ("two bytes each", "éééééééé", "éééééé…"),
            ("four bytes each", "🖨🖨🖨🖨🖨", "🖨🖨🖨…"),
        ];
        for (name, text, want) in cases {
            assert_eq!(cut::<16>(&text), want, "{name}");
        }
    }
}
