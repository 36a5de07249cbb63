//! Paths of routes: raw segments, decoded one by one, so that `%2F` divides nothing.

use std::fmt;

use super::value::BadValue;
use crate::http::percent::decode;
use crate::limits;

/// A path that a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePath {
    text: Box<str>,
    segments: Box<[Box<[u8]>]>,
}

impl RoutePath {
    /// Reads `/metrics`, `/a/b%2Fc`.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks: it begins with `/`; no segment is empty, `.` or `..`, decoded or
    /// not; `%` stands before two hexadecimal digits; the rest is printable ASCII, less `?` and `#`;
    /// `/` itself and what is below `/-` are fanin's own.
    pub fn new(text: &str) -> Result<Self, BadValue> {
        if text.len() > limits::ROUTE_PATH {
            return Err(BadValue::new(format!("has more than {} bytes", limits::ROUTE_PATH)));
        }
        if text == "/" {
            return Err(BadValue::new("is the status page's path"));
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(BadValue::new("does not begin with /"));
        };
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#') {
            return Err(BadValue::new("holds a character that a path has as %XX only"));
        }
        let segments: Box<[Box<[u8]>]> = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        if segments.first().is_some_and(|first| **first == *b"-") {
            return Err(BadValue::new("is below /-, which is fanin's own"));
        }
        Ok(Self { text: text.into(), segments })
    }

    /// As it is written in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a request for `raw` means this path. `raw` is as it came: with its `%XX`, without
    /// the query. A path that [`RoutePath::new`] would refuse matches nothing.
    #[must_use]
    pub fn matches(&self, raw: &[u8]) -> bool {
        let Some(rest) = raw.strip_prefix(b"/") else {
            return false;
        };
        let mut wanted = self.segments.iter();
        let all = rest.split(|b| *b == b'/').all(|got| {
            wanted
                .next()
                .is_some_and(|wanted| decode(got, false).eq(wanted.iter().copied().map(Some)))
        });
        all && wanted.next().is_none()
    }
}

#[cfg(feature = "push")]
impl RoutePath {
    /// What a request for `raw` has below this path, raw too; empty for the path itself, `None` for
    /// another one.
    #[must_use]
    pub fn below<'r>(&self, raw: &'r str) -> Option<&'r str> {
        let mut rest = raw.strip_prefix('/')?;
        for wanted in &self.segments {
            let (segment, tail) = rest.split_once('/').unwrap_or((rest, ""));
            if !decode(segment.as_bytes(), false).eq(wanted.iter().copied().map(Some)) {
                return None;
            }
            rest = tail;
        }
        Some(rest)
    }

    /// The path without escapes; `None` if a segment holds a slash, or is no UTF-8.
    #[must_use]
    pub fn plain(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.segments {
            let segment = str::from_utf8(segment).ok().filter(|text| !text.contains('/'))?;
            path.push('/');
            path.push_str(segment);
        }
        Some(path)
    }

    /// How many segments it has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.segments.len()
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Two paths are one where they match the same requests.
impl RoutePath {
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.segments == other.segments
    }
}

/// One segment, decoded and judged.
fn segment(raw: &str) -> Result<Box<[u8]>, BadValue> {
    let decoded: Option<Box<[u8]>> = decode(raw.as_bytes(), false).collect();
    let Some(decoded) = decoded else {
        return Err(BadValue::new("has a % without two hexadecimal digits behind it"));
    };
    match &*decoded {
        b"" => Err(BadValue::new("has an empty segment")),
        b"." | b".." => Err(BadValue::new("has a segment . or ..")),
        bytes if bytes.iter().any(u8::is_ascii_control) => {
            Err(BadValue::new("holds a control character"))
        }
        _ => Ok(decoded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_judged() {
        let long = format!("/{}", "x".repeat(limits::ROUTE_PATH));
        let cases = [
            ("/metrics", true),
            ("/a/b", true),
            ("/a%2Fb", true),
            ("/%C3%A4", true),
            ("/-x", true),
            ("", false),
            ("/", false),
            ("metrics", false),
            ("/metrics/", false),
            ("//metrics", false),
            ("/a//b", false),
            ("/./a", false),
            ("/a/..", false),
            ("/%2e%2E", false),
            ("/a%", false),
            ("/a%4", false),
            ("/a%zz", false),
            ("/a%00", false),
            ("/a?b", false),
            ("/a#b", false),
            ("/a b", false),
            ("/ä", false),
            ("/-/healthy", false),
            ("/-", false),
            ("/%2d/x", false),
            (long.as_str(), false),
        ];
        for (path, want) in cases {
            assert_eq!(RoutePath::new(path).is_ok(), want, "{path}");
        }
    }

    #[test]
    fn requests_match_decoded_segments() {
        let cases = [
            ("/metrics", "/metrics", true),
            ("/metrics", "/%6detrics", true),
            ("/metrics", "/metrics/", false),
            ("/metrics", "/metrics/x", false),
            ("/metrics", "/Metrics", false),
            ("/metrics", "metrics", false),
            ("/metrics", "/metric%", false),
            ("/metrics", "/metrics%", false),
            ("/a/b", "/a%2Fb", false),
            ("/a%2fb", "/a%2Fb", true),
            ("/a%2fb", "/a/b", false),
            ("/a/b", "/a", false),
            ("/a", "", false),
        ];
        for (path, raw, want) in cases {
            assert_eq!(RoutePath::new(path).unwrap().matches(raw.as_bytes()), want, "{path} {raw}");
        }
    }
}
