//! Values that no log, message or debug output may show.

use std::fmt;
use std::hint::black_box;

use crate::base64::base64;

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

    /// Whether this is `text`. How long that takes depends on the lengths alone, so that nobody can
    /// find out a token byte by byte.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let differs = u8::from(self.0.len() != text.len());
        let pairs = self.0.bytes().zip(text.bytes());
        pairs.fold(differs, |differs, (one, other)| black_box(differs | (one ^ other))) == 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorization_values() {
        // The example of RFC 7617, section 2.
        let basic = Secret::basic("Aladdin", "open sesame");
        assert_eq!(basic.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(Secret::bearer("abc").expose(), "Bearer abc");
    }

    #[test]
    fn the_same_text_is_the_same_secret() {
        let cases = [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "ab", false)];
        for (one, other, want) in cases {
            assert_eq!(Secret::new(one).is(other), want, "{one} {other}");
            assert_eq!(Secret::new(other).is(one), want, "{other} {one}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
