//! Classes of bytes, told from a table: what may stand in a name, and what ends a scan.

pub(super) const NAME_START: u8 = 1;
pub(super) const NAME: u8 = 2;
pub(super) const LABEL_START: u8 = 4;
pub(super) const LABEL: u8 = 8;
pub(super) const BLANK: u8 = 16;
/// Ends a run of ordinary bytes within quotes.
pub(super) const QUOTE_STOP: u8 = 32;
/// Ends a value or a timestamp.
pub(super) const TOKEN_STOP: u8 = 64;

#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a u8 counts to 255")]
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        class[byte] = match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => NAME_START | NAME | LABEL_START | LABEL,
            b'0'..=b'9' => NAME | LABEL,
            b':' => NAME_START | NAME,
            b' ' | b'\t' => BLANK | TOKEN_STOP,
            b'"' | b'\\' => QUOTE_STOP,
            b'\n' => QUOTE_STOP | TOKEN_STOP,
            b'\r' => TOKEN_STOP,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// Whether `byte` is of one of the classes `class`.
#[inline]
#[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "the table has 256 entries")]
pub(super) const fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// Whether `name` needs no quotes as a metric's name.
#[must_use]
pub(super) fn is_metric_name(name: &[u8]) -> bool {
    name.first().is_some_and(|&b| is(b, NAME_START)) && name.iter().all(|&b| is(b, NAME))
}

/// Whether `name` needs no quotes as a label's name.
#[must_use]
pub(super) fn is_label_name(name: &[u8]) -> bool {
    name.first().is_some_and(|&b| is(b, LABEL_START)) && name.iter().all(|&b| is(b, LABEL))
}

/// The first byte at or after `at` that is no blank.
#[inline]
pub(super) fn skip_blanks(block: &[u8], mut at: usize) -> usize {
    while block.get(at).is_some_and(|&b| is(b, BLANK)) {
        at = at.saturating_add(1);
    }
    at
}
