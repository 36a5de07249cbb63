//! The URLs that fanin fetches: `http://HOST:PORT/PATH?QUERY` and `unix:///SOCKET:/PATH?QUERY`.

use std::fmt;
use std::path::Path;
use std::rc::Rc;

use crate::http::target::is_authority;

/// Longest URL taken: a request line must leave room for fields in a head.
pub const LONGEST: usize = 4096;

/// Characters of a refused URL that a message shows.
const SHOWN: usize = 200;

/// Where to connect. Cheap to clone; equal ones may share connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority(Rc<Place>);

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Name or address, without brackets, in small letters.
    Host {
        host: Box<str>,
        port: u16,
    },
    Unix(Box<Path>),
}

/// Where an authority leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// A name or address (without brackets) and a port.
    Host(&'a str, u16),
    /// The path of a Unix socket.
    Unix(&'a Path),
}

impl Authority {
    /// Where it leads.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint<'_> {
        match &*self.0 {
            Place::Host { host, port } => Endpoint::Host(host, *port),
            Place::Unix(path) => Endpoint::Unix(path),
        }
    }

    /// The value of the Host field: without the port if that is 80, `localhost` for Unix sockets.
    #[must_use]
    pub fn host_field(&self) -> impl fmt::Display + '_ {
        HostField(self)
    }
}

/// `host:port`, or the path of the socket.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Place::Host { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Host { host, port } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

struct HostField<'a>(&'a Authority);

impl fmt::Display for HostField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.0 {
            Place::Host { host, port: 80 } if host.contains(':') => write!(f, "[{host}]"),
            Place::Host { host, port: 80 } => f.write_str(host),
            Place::Host { .. } => write!(f, "{}", self.0),
            Place::Unix(_) => f.write_str("localhost"),
        }
    }
}

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: Authority,
    /// From the first slash, query included.
    request: Box<str>,
}

impl Target {
    /// Takes a URL apart. A missing path is `/`.
    ///
    /// # Errors
    ///
    /// [`UrlError`], which says the rule and, unless it may hold a password, the URL.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        Self::read(url).map_err(|rule| UrlError::new(url, rule))
    }

    fn read(url: &str) -> Result<Self, UrlRule> {
        if url.len() > LONGEST {
            return Err(UrlRule::Length);
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlRule::Bytes);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlRule::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => read_http(rest),
            "unix" => read_unix(rest),
            "https" => Err(UrlRule::Tls),
            _ => Err(UrlRule::Scheme),
        }
    }

    /// The same place with another path and query, as in a redirect.
    ///
    /// # Errors
    ///
    /// As [`Target::parse`].
    pub fn with_request(&self, request: &str) -> Result<Self, UrlError> {
        let rule = match request {
            _ if request.len() > LONGEST => UrlRule::Length,
            _ if !request.bytes().all(|byte| byte.is_ascii_graphic()) => UrlRule::Bytes,
            _ if !request.starts_with('/') => UrlRule::Path,
            _ => return Ok(Self { authority: self.authority.clone(), request: request.into() }),
        };
        Err(UrlError::new(request, rule))
    }

    /// Where to connect.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Path and query, from the first slash.
    #[must_use]
    pub const fn request(&self) -> &str {
        &self.request
    }

    /// The path, from the first slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.request.split_once('?').map_or(&self.request, |(path, _)| path)
    }

    /// The query without its question mark, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.request.split_once('?').map(|(_, query)| query)
    }
}

/// The URL, as it can be parsed again.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.authority.endpoint() {
            Endpoint::Host(..) => write!(f, "http://{}{}", self.authority, self.request),
            Endpoint::Unix(_) => write!(f, "unix://{}:{}", self.authority, self.request),
        }
    }
}

fn read_http(rest: &str) -> Result<Target, UrlRule> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, request) = rest.split_at_checked(end).ok_or(UrlRule::Host)?;
    if place.contains('@') {
        return Err(UrlRule::Password);
    }
    if !is_authority(place) {
        return Err(UrlRule::Host);
    }
    let (host, port) = match place.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
        Some((v6, port)) => (v6, port.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let is_v6 = place.starts_with('[');
    if host.is_empty() || (is_v6 && host.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(UrlRule::Host);
    }
    let port = port.map_or(Ok(80), str::parse).map_err(|_| UrlRule::Port)?;
    let host = host.to_ascii_lowercase().into_boxed_str();
    let request = read_request(request)?;
    match port {
        0 => Err(UrlRule::Port),
        _ => Ok(Target { authority: Authority(Rc::new(Place::Host { host, port })), request }),
    }
}

fn read_unix(rest: &str) -> Result<Target, UrlRule> {
    let (path, request) = rest.split_once(':').ok_or(UrlRule::UnixPath)?;
    if !path.starts_with('/') || path.ends_with('/') || !request.starts_with('/') {
        return Err(UrlRule::UnixPath);
    }
    let place = Place::Unix(Path::new(path).into());
    Ok(Target { authority: Authority(Rc::new(place)), request: read_request(request)? })
}

/// Path and query, with the slash that may be left out.
fn read_request(text: &str) -> Result<Box<str>, UrlRule> {
    match text {
        _ if text.contains('#') => Err(UrlRule::Fragment),
        _ if text.starts_with('/') => Ok(text.into()),
        _ => Ok(["/", text].concat().into_boxed_str()),
    }
}

/// A URL that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlError {
    /// Empty where it may hold a password.
    url: Box<str>,
    rule: UrlRule,
}

impl UrlError {
    pub(crate) fn new(url: &str, rule: UrlRule) -> Self {
        let hidden = rule.hides_the_url();
        Self { url: if hidden { Box::default() } else { url.chars().take(SHOWN).collect() }, rule }
    }

    /// The rule that was broken.
    #[must_use]
    pub const fn rule(&self) -> UrlRule {
        self.rule
    }
}

/// What a URL must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlRule {
    /// It begins with a scheme that is fetched.
    Scheme,
    /// `https://` is known, but not in this build.
    Tls,
    /// At most [`LONGEST`] bytes.
    Length,
    /// Visible ASCII, all else percent-encoded.
    Bytes,
    /// No user name, no password.
    Password,
    /// A host.
    Host,
    /// A port from 1 to 65535.
    Port,
    /// A path begins with a slash.
    Path,
    /// A Unix socket, a colon, a path.
    UnixPath,
    /// No fragment.
    Fragment,
}

impl UrlRule {
    /// Whether a URL that breaks this rule may hold a password.
    const fn hides_the_url(self) -> bool {
        matches!(self, Self::Password)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rule.hides_the_url() {
            write!(f, "{:?} ", self.url)?;
        }
        match self.rule {
            UrlRule::Scheme => f.write_str("begins with neither http:// nor unix://"),
            UrlRule::Tls => f.write_str("begins with https://, which is not built yet"),
            UrlRule::Length => write!(f, "is longer than {LONGEST} bytes"),
            UrlRule::Bytes => f.write_str("holds a byte that a URL must percent-encode"),
            UrlRule::Password => f.write_str(
                "the URL holds a user name or a password; these belong into the key `basic`",
            ),
            UrlRule::Host => f.write_str("has no valid host"),
            UrlRule::Port => f.write_str("has a port that is not between 1 and 65535"),
            UrlRule::Path => f.write_str("has a path that does not begin with a slash"),
            UrlRule::UnixPath => f.write_str(
                "is not a socket, a colon and a path, such as unix:///run/x.sock:/metrics",
            ),
            UrlRule::Fragment => f.write_str("has a fragment (#), which no server gets to see"),
        }
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            ("http://node:9100/metrics", "node:9100", "node:9100", "/metrics"),
            ("HTTP://Node:9100", "node:9100", "node:9100", "/"),
            ("http://127.0.0.1/a?b=http://c:/", "127.0.0.1:80", "127.0.0.1", "/a?b=http://c:/"),
            ("http://[::1]:9100/", "[::1]:9100", "[::1]:9100", "/"),
            ("http://[::1]", "[::1]:80", "[::1]", "/"),
            ("http://a?b", "a:80", "a", "/?b"),
            ("unix:///run/x.sock:/m?t=a:/b", "/run/x.sock", "localhost", "/m?t=a:/b"),
        ];
        for (url, place, host, request) in cases {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.authority().to_string(), place, "{url}");
            assert_eq!(target.authority().host_field().to_string(), host, "{url}");
            assert_eq!(target.request(), request, "{url}");
            assert_eq!(Target::parse(&target.to_string()), Ok(target), "{url}");
        }
    }

    #[test]
    fn a_refusal_names_the_url_and_the_rule() {
        let long = format!("http://a/{}", "x".repeat(LONGEST));
        let cases = [
            ("htp://10.0.0.7", UrlRule::Scheme),
            ("10.0.0.7:9100", UrlRule::Scheme),
            ("https://a/", UrlRule::Tls),
            ("http://a/b c", UrlRule::Bytes),
            ("http://a/é", UrlRule::Bytes),
            ("http://me:secret@a/", UrlRule::Password),
            ("http://", UrlRule::Host),
            ("http://:80/", UrlRule::Host),
            ("http://[::1/", UrlRule::Host),
            ("http://[1.2]/", UrlRule::Host),
            ("http://a:b/", UrlRule::Host),
            ("http://a:0/", UrlRule::Port),
            ("http://a:/", UrlRule::Port),
            ("http://a:65536/", UrlRule::Port),
            ("http://a/#b", UrlRule::Fragment),
            ("unix:///run/x.sock", UrlRule::UnixPath),
            ("unix://run/x.sock:/m", UrlRule::UnixPath),
            ("unix:///run/:/m", UrlRule::UnixPath),
            (long.as_str(), UrlRule::Length),
        ];
        for (url, rule) in cases {
            assert_eq!(Target::parse(url).map_err(|fault| fault.rule()), Err(rule), "{url}");
        }
        let text = Target::parse("htp://10.0.0.7").unwrap_err().to_string();
        assert_eq!(text, "\"htp://10.0.0.7\" begins with neither http:// nor unix://");
        let text = Target::parse("http://me:secret@a/").unwrap_err().to_string();
        assert!(!text.contains("secret") && text.contains("`basic`"), "{text}");
    }

    #[test]
    fn another_path_keeps_the_place() {
        let target = Target::parse("http://a:1/b?c").unwrap();
        let other = target.with_request("/d?e").unwrap();
        assert_eq!((other.to_string().as_str(), other.query()), ("http://a:1/d?e", Some("e")));
        assert_eq!(other.path(), "/d");
        assert_eq!(target.with_request("d").unwrap_err().rule(), UrlRule::Path);
        assert_eq!(target.with_request("/ ").unwrap_err().rule(), UrlRule::Bytes);
    }
}
