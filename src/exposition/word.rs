//! Eight bytes at once: which of them is the first of a kind, told by arithmetic on a word.

/// `byte` in each of the eight places.
#[inline]
pub(super) const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte of `word` that is less than `limit`, which is at most 128. A byte
/// above the first such one may be marked wrongly, so only the first counts.
#[inline]
pub(super) const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(repeat(limit)) & !word & repeat(0x80)
}

/// The highest bit of each byte of `word` that cannot stand in a metric's name.
#[inline]
pub(super) const fn not_name(word: u64) -> u64 {
    let low = word & repeat(0x7f);
    let letter = between(low | repeat(0x20), b'a', b'z');
    let digit_or_colon = between(low, b'0', b':');
    let not_underscore = (low ^ repeat(b'_')).wrapping_add(repeat(0x7f));
    ((!(letter | digit_or_colon) & not_underscore) | word) & repeat(0x80)
}

/// The highest bit of each byte of `low`, all of which are less than 128, from `first` to `last`.
#[inline]
const fn between(low: u64, first: u8, last: u8) -> u64 {
    let from = low.wrapping_add(repeat(0x80_u8.wrapping_sub(first)));
    let beyond = low.wrapping_add(repeat(0x7f_u8.wrapping_sub(last)));
    from ^ beyond
}

/// The place of the first byte that `marks` marks.
#[inline]
#[expect(clippy::as_conversions, reason = "at most 8")]
pub(super) const fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Whether two texts are equal. For texts as short as a line: a call of `memcmp` costs more than
/// this, and musl's goes byte by byte.
#[inline(always)]
pub(super) fn equal(one: &[u8], other: &[u8]) -> bool {
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    match (one.last_chunk(), other.last_chunk()) {
        _ if one.len() != other.len() => false,
        // The last word may begin within the one before it.
        (Some(last), Some(other_last)) => {
            let mut words = one.as_chunks().0.iter().zip(other.as_chunks().0);
            word(last) == word(other_last) && words.all(|(a, b)| word(a) == word(b))
        }
        _ => one.iter().zip(other).all(|(a, b)| a == b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::class::{NAME, is};

    #[test]
    fn the_first_byte_below_a_limit_is_found() {
        for byte in 0..=u8::MAX {
            for limit in 1..=128 {
                for place in 0..8 {
                    let mut bytes = [0xff; 8];
                    bytes[place] = byte;
                    let marks = below(u64::from_le_bytes(bytes), limit);
                    let want = if byte < limit { place } else { 8 };
                    assert_eq!(first(marks), want, "{byte} below {limit} at {place}");
                }
            }
        }
        assert_eq!(first(below(u64::from_le_bytes(*b"abcd ef "), b'!')), 4);
    }

    #[test]
    fn every_byte_that_no_name_has_is_marked_whatever_is_beside_it() {
        for byte in 0..=u8::MAX {
            for beside in [0, b'a', b'z', b'_', b':', 0x7f, 0xff] {
                for place in 0..8 {
                    let mut bytes = [beside; 8];
                    bytes[place] = byte;
                    let want = bytes.map(|b| if is(b, NAME) { 0 } else { 0x80 });
                    assert_eq!(
                        not_name(u64::from_le_bytes(bytes)).to_le_bytes(),
                        want,
                        "{bytes:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn texts_are_equal_when_each_byte_is() {
        let text: [u8; 40] = std::array::from_fn(|n| b'a' + n as u8);
        for len in 0..=text.len() {
            let one = &text[..len];
            assert!(equal(one, one), "{len}");
            for place in 0..len {
                let mut other = one.to_vec();
                other[place] ^= 0x80;
                assert!(!equal(one, &other), "{len}, differing at {place}");
                assert!(!equal(one, &one[..place]), "{len} and {place}");
            }
        }
    }
}
