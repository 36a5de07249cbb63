//! The header fields of a head, read where they lie, and how a body is framed by them.

use std::borrow::Cow;

use crate::http::fault::Fault;

/// The version of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// All bytes until the connection closes; responses only.
    Close,
}

/// The lines of a head after its first, checked by `head.rs`, each ended by CRLF.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields in these lines, which `head.rs` has checked.
    pub(crate) const fn new(lines: &'a [u8]) -> Self {
        Self(lines)
    }

    /// Names and values in the order sent; values without the blanks around them. A value may hold
    /// bytes beyond ASCII.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let end = memchr::memchr(b'\n', rest)?;
            let (line, tail) = rest.split_at_checked(end)?;
            rest = tail.get(1..)?;
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((str::from_utf8(name).ok()?, value.get(1..)?.trim_ascii()))
        })
    }

    /// The values of each field of this name, in the order sent. Letter case does not matter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// The value of the first field of this name, if it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.all(name).next().and_then(|value| str::from_utf8(value).ok())
    }

    /// All values of the fields of this name that are text, as one list.
    #[must_use]
    pub fn joined(&self, name: &str) -> Cow<'a, str> {
        let mut values = self.all(name).filter_map(|value| str::from_utf8(value).ok());
        let Some(first) = values.next() else { return Cow::Borrowed("") };
        values.fold(Cow::Borrowed(first), |list, next| Cow::Owned(format!("{list},{next}")))
    }

    /// Whether a list such as that of `Connection` has this member. Letter case does not matter.
    #[must_use]
    pub fn lists(&self, name: &str, member: &str) -> bool {
        let mut members = self.all(name).flat_map(|value| value.split(|&byte| byte == b','));
        members.any(|one| one.trim_ascii().eq_ignore_ascii_case(member.as_bytes()))
    }

    /// The length or coding that these fields state; `None` where they state neither.
    ///
    /// # Errors
    ///
    /// Whatever two programs could read in two ways: a repeated, signed or listed Content-Length,
    /// one with Transfer-Encoding, a Transfer-Encoding in 1.0 or other than exactly `chunked`.
    ///
    /// # Source
    ///
    /// RFC 9112, sections 6.1 to 6.3; stricter where it lets a recipient choose.
    pub fn framing(&self, version: Version) -> Result<Option<Framing>, Fault> {
        let mut lengths = self.all("Content-Length");
        let mut codings = self.all("Transfer-Encoding");
        match (lengths.next(), codings.next()) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(Fault::LengthWithCoding),
            (Some(_), None) if lengths.next().is_some() => Err(Fault::LengthRepeated),
            (Some(value), None) => Ok(Some(Framing::Length(length(value)?))),
            (None, Some(_)) if version == Version::Http10 => Err(Fault::CodingInOld),
            (None, Some(_)) if codings.next().is_some() => Err(Fault::Coding),
            (None, Some(value)) if value.eq_ignore_ascii_case(b"chunked") => {
                Ok(Some(Framing::Chunked))
            }
            (None, Some(value)) => Err(coding_fault(value)),
        }
    }
}

/// A Content-Length: digits alone, no sign, no list.
fn length(value: &[u8]) -> Result<u64, Fault> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Fault::LengthInvalid);
    }
    str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(Fault::LengthInvalid)
}

/// Why a Transfer-Encoding is not taken: a list of codings with one that is unknown here is honest,
/// all else is malformed or meant to be read in two ways.
fn coding_fault(value: &[u8]) -> Fault {
    let known = [&b"chunked"[..], b"identity"];
    let mut unknown = false;
    for coding in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        if coding.is_empty() || !coding.iter().all(|&byte| is_token(byte)) {
            return Fault::Coding;
        }
        unknown |= !known.iter().any(|name| coding.eq_ignore_ascii_case(name));
    }
    if unknown { Fault::CodingUnknown } else { Fault::Coding }
}

/// Whether a token (RFC 9110, section 5.6.2) may hold this byte.
#[must_use]
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether the content coding `coding` is gzip, by either of its names.
#[must_use]
pub fn is_gzip(coding: &str) -> bool {
    coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_their_case() {
        let fields =
            Fields::new(b"Host: a\r\nACCEPT:\t x \r\naccept:y\r\nEmpty:\r\nB: \xff\r\n\r\n");
        assert_eq!(fields.text("host"), Some("a"));
        let accepted: Vec<_> = fields.all("Accept").collect();
        assert_eq!(accepted, [b"x", b"y"]);
        assert_eq!((&*fields.joined("Accept"), &*fields.joined("c")), ("x,y", ""));
        assert_eq!(fields.text("empty"), Some(""));
        assert_eq!(fields.text("b"), None);
        assert_eq!(fields.text("c"), None);
        assert_eq!(fields.iter().count(), 5);
    }

    #[test]
    fn lists_are_searched_over_all_fields() {
        let fields = Fields::new(b"Connection: te, Close\r\nConnection:upgrade\r\n\r\n");
        assert!(fields.lists("connection", "close") && fields.lists("connection", "Upgrade"));
        assert!(!fields.lists("connection", "clos") && !fields.lists("accept", "close"));
    }

    #[test]
    fn framing_is_one_thing_or_refused() {
        let cases: [(&str, Result<Option<Framing>, Fault>); 22] = [
            ("", Ok(None)),
            ("Content-Length: 0\r\n", Ok(Some(Framing::Length(0)))),
            ("content-length:  42 \r\n", Ok(Some(Framing::Length(42)))),
            ("Content-Length: 007\r\n", Ok(Some(Framing::Length(7)))),
            ("Transfer-Encoding: chunked\r\n", Ok(Some(Framing::Chunked))),
            ("transfer-encoding: Chunked\r\n", Ok(Some(Framing::Chunked))),
            ("Content-Length: 1\r\nContent-Length: 1\r\n", Err(Fault::LengthRepeated)),
            ("Content-Length: 1\r\nContent-Length: 2\r\n", Err(Fault::LengthRepeated)),
            ("Content-Length: 1, 1\r\n", Err(Fault::LengthInvalid)),
            ("Content-Length: +1\r\n", Err(Fault::LengthInvalid)),
            ("Content-Length: -1\r\n", Err(Fault::LengthInvalid)),
            ("Content-Length: 0x1\r\n", Err(Fault::LengthInvalid)),
            ("Content-Length:\r\n", Err(Fault::LengthInvalid)),
            ("Content-Length: 18446744073709551616\r\n", Err(Fault::LengthInvalid)),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", Err(Fault::LengthWithCoding)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Fault::Coding)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(Fault::Coding)),
            ("Transfer-Encoding: identity\r\n", Err(Fault::Coding)),
            ("Transfer-Encoding: \"chunked\"\r\n", Err(Fault::Coding)),
            ("Transfer-Encoding:\r\n", Err(Fault::Coding)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Fault::CodingUnknown)),
            ("Transfer-Encoding: xchunked\r\n", Err(Fault::CodingUnknown)),
        ];
        for (lines, want) in cases {
            let got = Fields::new(lines.as_bytes()).framing(Version::Http11);
            assert_eq!(got, want, "{lines}");
        }
        let old = Fields::new(b"Transfer-Encoding: chunked\r\n").framing(Version::Http10);
        assert_eq!(old, Err(Fault::CodingInOld));
    }
}
