//! Values that no log, message or debug output may show.

use std::fmt;

/// A password, a token, or a header field's value that may be one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself; for the wire only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value of `Authorization` for `user` and `password` (RFC 7617).
    pub(super) fn basic(user: &str, password: &str) -> Self {
        let pair = [user.as_bytes(), b":", password.as_bytes()].concat();
        Self(format!("Basic {}", base64(&pair)).into())
    }

    /// The value of `Authorization` for `token` (RFC 6750).
    pub(super) fn bearer(token: &str) -> Self {
        Self(format!("Bearer {token}").into())
    }
}

/// Masked, whatever the length.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// RFC 4648, section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    bytes.chunks(3).flat_map(quartet).collect()
}

/// One to three bytes as four characters.
fn quartet(three: &[u8]) -> [char; 4] {
    let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let letter = |shift: u32, used: usize| match three.len() {
        len if len < used => '=',
        _ => sextet(bits >> shift & 0x3f),
    };
    [letter(18, 1), letter(12, 1), letter(6, 2), letter(0, 3)]
}

/// The character of six bits.
fn sextet(bits: u32) -> char {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let index = usize::try_from(bits).unwrap_or_default();
    LETTERS.get(index).copied().map_or('=', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{3ff}?~", "z78/fg=="),
        ];
        for (text, want) in cases {
            assert_eq!(base64(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn authorization_values() {
        // The example of RFC 7617, section 2.
        let basic = Secret::basic("Aladdin", "open sesame");
        assert_eq!(basic.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(Secret::bearer("abc").expose(), "Bearer abc");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
