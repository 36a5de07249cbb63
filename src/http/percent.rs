//! Percent-decoding of path segments and query values, without a buffer of its own.

use std::fmt::{self, Write as _};

/// A piece of a path or query: kept as it was sent, compared and shown decoded.
#[derive(Debug, Clone, Copy)]
pub struct Decoded<'a> {
    /// As sent. Its escapes are valid and decode to UTF-8.
    raw: &'a str,
    /// Whether `+` stands for a blank, as in forms.
    form: bool,
}

impl<'a> Decoded<'a> {
    /// A path segment; `None` if an escape is malformed or decodes to something other than UTF-8.
    #[must_use]
    pub fn segment(raw: &'a str) -> Option<Self> {
        Self::checked(raw, false)
    }

    /// A query key or value, where `+` is a blank; `None` as for [`Decoded::segment`].
    ///
    /// # Source
    ///
    /// The form encoding of the URL standard, which Go's `url.ParseQuery` reads.
    #[must_use]
    pub fn form(raw: &'a str) -> Option<Self> {
        Self::checked(raw, true)
    }

    fn checked(raw: &'a str, form: bool) -> Option<Self> {
        let piece = Self { raw, form };
        let mut utf8 = Utf8::default();
        for byte in decode(raw.as_bytes(), form) {
            utf8.push(byte?)?;
        }
        utf8.is_whole().then_some(piece)
    }

    /// As it was sent.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The text itself, where nothing in it is encoded.
    #[must_use]
    pub fn plain(&self) -> Option<&'a str> {
        let encoded = |byte: &u8| *byte == b'%' || (self.form && *byte == b'+');
        (!self.raw.as_bytes().iter().any(encoded)).then_some(self.raw)
    }

    /// The decoded bytes; together they are UTF-8.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        decode(self.raw.as_bytes(), self.form).map_while(|byte| byte)
    }

    /// Decodes into `out` and returns the text there; `None` if it is longer than `out`.
    pub fn copy_to<'b>(&self, out: &'b mut [u8]) -> Option<&'b str> {
        let mut len = 0usize;
        for byte in self.bytes() {
            *out.get_mut(len)? = byte;
            len = len.checked_add(1)?;
        }
        str::from_utf8(out.get(..len)?).ok()
    }
}

impl PartialEq<str> for Decoded<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl PartialEq<&str> for Decoded<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Display for Decoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut character = heapless::Vec::<u8, 4>::new();
        for byte in self.bytes() {
            if character.push(byte).is_err() {
                return Err(fmt::Error);
            }
            if let Ok(text) = str::from_utf8(&character) {
                f.write_str(text)?;
                character.clear();
            }
        }
        if character.is_empty() { Ok(()) } else { f.write_char(char::REPLACEMENT_CHARACTER) }
    }
}

/// Whether bytes that come one at a time are UTF-8.
#[derive(Default)]
struct Utf8(heapless::Vec<u8, 4>);

impl Utf8 {
    /// Takes a byte; `None` if no text goes on like that.
    fn push(&mut self, byte: u8) -> Option<()> {
        if self.0.is_empty() && byte.is_ascii() {
            return Some(());
        }
        self.0.push(byte).ok()?;
        match str::from_utf8(&self.0) {
            Ok(_) => self.0.clear(),
            Err(fault) if fault.error_len().is_some() => return None,
            Err(_) => {}
        }
        Some(())
    }

    /// Whether no character is left half-way.
    fn is_whole(&self) -> bool {
        self.0.is_empty()
    }
}

/// The bytes that `raw` stands for: `%XX` decoded and, in a `form`, `+` as a blank. `None` for a
/// `%` without two digits.
pub(crate) fn decode(raw: &[u8], form: bool) -> impl Iterator<Item = Option<u8>> {
    let mut rest = raw.iter().copied();
    std::iter::from_fn(move || match rest.next()? {
        b'%' => {
            let mut digit = || rest.next().and_then(hex);
            let (high, low) = (digit(), digit());
            Some(high.zip(low).map(|(high, low)| high << 4 | low))
        }
        b'+' if form => Some(Some(b' ')),
        byte => Some(Some(byte)),
    })
}

/// The value of a hexadecimal digit.
#[must_use]
pub(crate) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_decode_or_the_piece_is_refused() {
        let cases = [
            ("nothing", "", Some("")),
            ("plain", "node", Some("node")),
            ("a slash", "a%2Fb", Some("a/b")),
            ("small letters", "a%2fb", Some("a/b")),
            ("a plus is a plus", "a+b", Some("a+b")),
            ("two bytes", "%C3%A9t%C3%A9", Some("été")),
            ("four bytes", "%F0%9F%96%A8", Some("🖨")),
            ("a percent sign", "%25", Some("%")),
            ("cut escape", "%2", None),
            ("no digits", "%zz", None),
            ("not UTF-8", "%FF", None),
            ("half a character", "%C3", None),
            ("a character cut by a letter", "%C3a", None),
        ];
        for (name, raw, want) in cases {
            let piece = Decoded::segment(raw);
            assert_eq!(piece.map(|piece| piece.to_string()).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn a_form_has_blanks_for_plus_signs() {
        let piece = Decoded::form("a+b%2B").unwrap();
        assert_eq!(piece.to_string(), "a b+");
        assert!(piece == "a b+" && piece != "a b");
        assert_eq!(piece.plain(), None);
        assert_eq!(Decoded::form("up").unwrap().plain(), Some("up"));
        assert_eq!(Decoded::segment("a+b").unwrap().plain(), Some("a+b"));
    }

    #[test]
    fn text_that_does_not_fit_is_not_cut() {
        let piece = Decoded::segment("%41BC").unwrap();
        assert_eq!(piece.copy_to(&mut [0; 2]), None);
        assert_eq!(piece.copy_to(&mut [0; 3]), Some("ABC"));
    }
}
