//! What a request asks for: its path, split before it is decoded, and its query.

use crate::http::fault::Fault;
use crate::http::percent::Decoded;

/// The target of a request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    /// Host and port, where the target was a whole URL.
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> RequestTarget<'a> {
    /// Reads a request target: `/path?query`, the same behind `http://host`, or `*`.
    ///
    /// # Errors
    ///
    /// [`Fault::Target`] for any other form, a fragment, or a segment that is empty, `.`, `..` or
    /// badly escaped; [`Fault::Query`] for a badly escaped query.
    ///
    /// # Source
    ///
    /// RFC 9112, section 3.2: origin-form, absolute-form, asterisk-form. That dot segments are
    /// refused rather than removed is our rule: two programs never read one path in two ways.
    pub fn parse(raw: &'a str) -> Result<Self, Fault> {
        if raw == "*" {
            return Ok(Self { authority: None, path: raw, query: None });
        }
        let (authority, rest) = split_authority(raw)?;
        if rest.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#') {
            return Err(Fault::Target);
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let target = Self { authority, path, query };
        target.check_path()?;
        target.check_query()?;
        Ok(target)
    }

    fn check_path(&self) -> Result<(), Fault> {
        if self.path == "/" {
            return Ok(());
        }
        let good = |raw: &str| {
            !raw.is_empty()
                && Decoded::segment(raw).is_some_and(|piece| piece != "." && piece != "..")
        };
        let tail = self.path.strip_prefix('/').ok_or(Fault::Target)?;
        if tail.split('/').all(good) { Ok(()) } else { Err(Fault::Target) }
    }

    fn check_query(&self) -> Result<(), Fault> {
        let good = |raw: &str| Decoded::form(raw).is_some();
        if self.raw_query().split(['&', '=']).all(good) { Ok(()) } else { Err(Fault::Query) }
    }

    /// Host and port, where the target was a whole URL.
    #[must_use]
    pub const fn authority(&self) -> Option<&'a str> {
        self.authority
    }

    /// The path as sent, from its first slash.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The query as sent, without its question mark; empty if there is none.
    #[must_use]
    pub fn raw_query(&self) -> &'a str {
        self.query.unwrap_or("")
    }

    /// The segments of the path, decoded one by one: a `%2F` in one is part of it. `/` has none.
    pub fn segments(&self) -> impl Iterator<Item = Decoded<'a>> + use<'a> {
        let tail = self.path.strip_prefix('/').unwrap_or("");
        tail.split('/').filter(|raw| !raw.is_empty()).filter_map(Decoded::segment)
    }
}

/// The pairs of a query in their order, repeated keys included; a key alone has an empty value.
/// Badly escaped ones, with which no request gets here, are left out.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Decoded<'_>, Decoded<'_>)> {
    query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((Decoded::form(key)?, Decoded::form(value)?))
    })
}

/// Splits a whole URL into its authority and the rest; other targets are all rest.
fn split_authority(raw: &str) -> Result<(Option<&str>, &str), Fault> {
    let Some((scheme, tail)) = raw.split_once("://").filter(|_| !raw.starts_with('/')) else {
        return Ok((None, raw));
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Fault::Target);
    }
    let end = tail.find(['/', '?', '#']).unwrap_or(tail.len());
    let (authority, rest) = tail.split_at_checked(end).ok_or(Fault::Target)?;
    if authority.is_empty() || !is_authority(authority) {
        return Err(Fault::Target);
    }
    match rest {
        "" => Ok((Some(authority), "/")),
        _ if rest.starts_with('/') => Ok((Some(authority), rest)),
        _ => Err(Fault::Target),
    }
}

/// Whether this can be `host`, `host:port`, `[v6]` or `[v6]:port`; user names are refused.
#[must_use]
pub(crate) fn is_authority(text: &str) -> bool {
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    let (host, port) = match text.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
        Some((v6, rest)) => {
            let v6_byte = |byte: u8| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.';
            if v6.is_empty() || !v6.bytes().all(v6_byte) {
                return false;
            }
            ("", rest)
        }
        None => match text.find(':').and_then(|at| text.split_at_checked(at)) {
            Some((host, port)) => (host, port),
            None => (text, ""),
        },
    };
    let port_is_good = match port.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    port_is_good && host.bytes().all(host_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_split_before_it_is_decoded() {
        let cases: [(&str, &str, &[&str]); 7] = [
            ("the root", "/", &[]),
            ("one", "/metrics", &["metrics"]),
            ("two", "/-/healthy", &["-", "healthy"]),
            ("an escaped slash", "/job/a%2Fb", &["job", "a/b"]),
            ("an escaped letter", "/%6Detrics?x", &["metrics"]),
            ("a whole URL", "http://a:1/x?y", &["x"]),
            ("a host alone", "HTTP://[::1]:1", &[]),
        ];
        for (name, raw, want) in cases {
            let target = RequestTarget::parse(raw).unwrap();
            let got: Vec<_> = target.segments().map(|piece| piece.to_string()).collect();
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_path_that_could_be_read_twice_is_refused() {
        let cases = [
            ("empty", ""),
            ("no slash", "metrics"),
            ("authority form", "example.net:443"),
            ("an empty segment", "/a//b"),
            ("a slash at the end", "/metrics/"),
            ("two slashes", "//a"),
            ("a dot", "/a/./b"),
            ("two dots", "/a/.."),
            ("dots in disguise", "/a/%2e%2E/b"),
            ("a bad escape", "/%zz"),
            ("half an escape", "/%2"),
            ("not UTF-8", "/%ff"),
            ("a fragment", "/a#b"),
            ("letters beyond ASCII", "/é"),
            ("another scheme", "ftp://a/b"),
            ("a user", "http://me@a/b"),
            ("no host", "http:///b"),
            ("query without a path", "http://a?b"),
        ];
        for (name, raw) in cases {
            assert_eq!(RequestTarget::parse(raw), Err(Fault::Target), "{name}");
        }
        assert_eq!(RequestTarget::parse("/a?b=%f"), Err(Fault::Query));
    }

    #[test]
    fn keys_may_repeat_and_values_may_be_empty() {
        let target = RequestTarget::parse("/p?module=a&x&module=b%20c+d&y=&=z&&module").unwrap();
        let pairs: Vec<_> = pairs(target.raw_query()).map(|(k, v)| format!("{k}|{v}")).collect();
        assert_eq!(pairs, ["module|a", "x|", "module|b c d", "y|", "|z", "module|"]);
        assert_eq!(target.raw_query(), "module=a&x&module=b%20c+d&y=&=z&&module");
    }

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for good in ["a", "a.b:80", "127.0.0.1:9100", "[::1]", "[fe80::1]:80", "a:", ""] {
            assert!(is_authority(good), "{good}");
        }
        for bad in ["a b", "a@b", "a/b", "a:b", "a:123456", "[::1", "[]", "[g]", "::1", "a:1:2"] {
            assert!(!is_authority(bad), "{bad}");
        }
    }
}
