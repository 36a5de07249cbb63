//! The URLs that fanin fetches: `http://HOST:PORT/PATH?QUERY`, the same with `https`, and `unix:///SOCKET:/PATH?QUERY`.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::Path;
use std::rc::Rc;

use crate::limits::UNIX_PATH;

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
        /// Whether TLS is spoken there.
        tls: bool,
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
            Place::Host { host, port, .. } => Endpoint::Host(host, *port),
            Place::Unix(path) => Endpoint::Unix(path),
        }
    }

    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(&*self.0, Place::Host { tls: true, .. })
    }

    /// The place as others may see it: of a socket the name, without our folder in front of it.
    #[must_use]
    pub fn without_folder(&self) -> impl fmt::Display + '_ {
        WithoutFolder(self)
    }

    /// The value of the Host field: without the port if that is the usual one, `localhost` for Unix sockets.
    #[must_use]
    pub fn host_field(&self) -> impl fmt::Display + '_ {
        HostField(self)
    }
}

/// `host:port`, or the path of the socket.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Place::Host { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Host { host, port, .. } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

struct WithoutFolder<'a>(&'a Authority);

impl fmt::Display for WithoutFolder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.0 {
            Place::Host { .. } => self.0.fmt(f),
            Place::Unix(path) => {
                path.file_name().map_or(Ok(()), |name| write!(f, "{}", name.display()))
            }
        }
    }
}

struct HostField<'a>(&'a Authority);

impl fmt::Display for HostField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.0 {
            Place::Host { host, port, tls } if *port == default_port(*tls) => {
                if host.contains(':') { write!(f, "[{host}]") } else { f.write_str(host) }
            }
            Place::Host { .. } => write!(f, "{}", self.0),
            Place::Unix(_) => f.write_str("localhost"),
        }
    }
}

/// The port of a URL that names none.
const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: Authority,
    /// From the first slash, query included.
    request: Box<str>,
}

impl Target {
    /// Whether `url` is one that TLS is spoken for.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn is_https(url: &str) -> bool {
        Self::parse(url).is_ok_and(|target| target.authority().is_tls())
    }

    /// Takes a URL apart. A missing path is `/`.
    ///
    /// # Errors
    ///
    /// [`UrlError`], which says the rule and, unless it may hold a password, the URL.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        Self::read(url).map_err(|rule| UrlError::new(url, rule))
    }

    fn read(url: &str) -> Result<Self, UrlRule> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let scheme = scheme.to_ascii_lowercase();
        let web = matches!(scheme.as_str(), "http" | "https");
        let (place, request) = rest
            .split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
            .unwrap_or_default();
        match scheme.as_str() {
            // Before all else: this one decides whether a message may show the URL.
            _ if web && place.contains('@') => Err(UrlRule::Password),
            _ if url.len() > LONGEST => Err(UrlRule::Length),
            "https" if cfg!(not(feature = "tls")) => Err(UrlRule::Tls),
            _ if !url.bytes().all(|byte| byte.is_ascii_graphic()) => Err(UrlRule::Bytes),
            _ if url.contains('#') => Err(UrlRule::Fragment),
            "http" | "https" => {
                let authority = read_host(place, scheme == "https")?;
                Ok(Self { authority, request: with_slash(request) })
            }
            "unix" => read_unix(rest),
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
            Endpoint::Host(..) => {
                let s = if self.authority.is_tls() { "s" } else { "" };
                write!(f, "http{s}://{}{}", self.authority, self.request)
            }
            Endpoint::Unix(_) => write!(f, "unix://{}:{}", self.authority, self.request),
        }
    }
}

/// `HOST[:PORT]`.
fn read_host(text: &str, tls: bool) -> Result<Authority, UrlRule> {
    let end = match text.rfind(']') {
        Some(bracket) => bracket.saturating_add(1),
        None => text.find(':').unwrap_or(text.len()),
    };
    let (name, port) = text.split_at_checked(end).unwrap_or_default();
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let host = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        _ if name.is_empty() => return Err(UrlRule::NoHost),
        Some(v6) if v6.parse::<Ipv6Addr>().is_ok() => v6,
        None if name.bytes().all(letter) => name,
        _ => return Err(UrlRule::Host),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default_port(tls),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port > 0).ok_or(UrlRule::Port)?
        }
        _ => return Err(UrlRule::Port),
    };
    Ok(Authority(Rc::new(Place::Host { host: host.to_ascii_lowercase().into(), port, tls })))
}

/// `SOCKET:/PATH?QUERY`.
fn read_unix(rest: &str) -> Result<Target, UrlRule> {
    let (path, request) = rest.split_once(':').ok_or(UrlRule::UnixPath)?;
    if path.len() > UNIX_PATH {
        return Err(UrlRule::UnixLength);
    }
    if !path.starts_with('/') || path.ends_with('/') || !request.starts_with('/') {
        return Err(UrlRule::UnixPath);
    }
    let place = Place::Unix(Path::new(path).into());
    Ok(Target { authority: Authority(Rc::new(place)), request: request.into() })
}

/// Path and query, with the slash that may be left out.
fn with_slash(request: &str) -> Box<str> {
    if request.starts_with('/') { request.into() } else { ["/", request].concat().into() }
}

/// A URL that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlError {
    /// Not where it may hold a password.
    url: Option<Box<str>>,
    rule: UrlRule,
}

impl UrlError {
    pub(crate) fn new(url: &str, rule: UrlRule) -> Self {
        let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let authority = behind_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        let shown = !authority.contains('@');
        Self { url: shown.then(|| url.chars().take(SHOWN).collect()), rule }
    }

    /// The same without the URL's query, which may hold a token: for a URL that is not of the
    /// configuration, and whose fault others are told.
    #[must_use]
    pub(crate) fn without_query(self) -> Self {
        let shown = |url: Box<str>| match url.split_once('?') {
            Some((path, _)) => [path, "?…"].concat().into(),
            None => url,
        };
        Self { url: self.url.map(shown), rule: self.rule }
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
    /// `https://`, and this program was built without TLS.
    Tls,
    /// At most [`LONGEST`] bytes.
    Length,
    /// Visible ASCII, all else percent-encoded.
    Bytes,
    /// No user name, no password.
    Password,
    /// A host.
    NoHost,
    /// The host is a name or an IP address.
    Host,
    /// A port from 1 to 65535.
    Port,
    /// A path begins with a slash.
    Path,
    /// A Unix socket, a colon, a path.
    UnixPath,
    /// A socket path of at most [`UNIX_PATH`] bytes.
    UnixLength,
    /// No fragment.
    Fragment,
}

/// What is wrong, to be read behind the URL.
impl fmt::Display for UrlRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "begins with neither http:// nor https:// nor unix://",
            Self::Tls => "needs a fanin that is built with the feature tls",
            Self::Length => return write!(f, "has more than {LONGEST} bytes"),
            Self::Bytes => "holds a blank or a character that a URL has as %XX only",
            Self::Password => "holds a user name or a password",
            Self::NoHost => "has no host",
            Self::Host => "has a host that is neither a name nor an IP address",
            Self::Port => "has no port from 1 to 65535 behind its host",
            Self::Path => "has a path that does not begin with a slash",
            Self::UnixPath => "is not of the form unix:///run/x.sock:/metrics",
            Self::UnixLength => {
                return write!(f, "has a socket path of more than {UNIX_PATH} bytes");
            }
            Self::Fragment => "holds a #, which never reaches a server",
        })
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.url, self.rule) {
            (_, UrlRule::Password) => {
                write!(f, "the URL {}; these belong into the key `basic`", self.rule)
            }
            (Some(url), rule) => write!(f, "{url:?} {rule}"),
            (None, rule) => write!(f, "the URL {rule}"),
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
            ("http://a:443/", "a:443", "a:443", "/"),
            #[cfg(feature = "tls")]
            ("https://A/", "a:443", "a", "/"),
            #[cfg(feature = "tls")]
            ("https://[::1]:80", "[::1]:80", "[::1]:80", "/"),
            ("http://node_1.lan", "node_1.lan:80", "node_1.lan", "/"),
            ("http://[::1]:9100/a?b=http://c:/@", "[::1]:9100", "[::1]:9100", "/a?b=http://c:/@"),
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
        let long_socket = format!("unix:///{}:/m", "x".repeat(UNIX_PATH));
        let cases = [
            ("htp://10.0.0.7", UrlRule::Scheme),
            ("10.0.0.7:9100", UrlRule::Scheme),
            #[cfg(not(feature = "tls"))]
            ("https://a/", UrlRule::Tls),
            ("http://a/b c", UrlRule::Bytes),
            ("http://a/é", UrlRule::Bytes),
            ("http://me:secret@a/", UrlRule::Password),
            ("http://me:sec ret@a/", UrlRule::Password),
            ("ftp://me:secret@a/", UrlRule::Scheme),
            ("https://me:secret@a/", UrlRule::Password),
            ("", UrlRule::Scheme),
            ("http://a b/", UrlRule::Bytes),
            ("http://::1/", UrlRule::NoHost),
            ("http://[::1]80/", UrlRule::Port),
            ("http://a:+80/", UrlRule::Port),
            ("unix://:/m", UrlRule::UnixPath),
            ("unix:///a:b:/m", UrlRule::UnixPath),
            (long_socket.as_str(), UrlRule::UnixLength),
            ("http://", UrlRule::NoHost),
            ("http://:80/", UrlRule::NoHost),
            ("http://[::1/", UrlRule::Host),
            ("http://[1.2]/", UrlRule::Host),
            ("http://a:b/", UrlRule::Port),
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
        assert_eq!(text, "\"htp://10.0.0.7\" begins with neither http:// nor https:// nor unix://");
        let text = Target::parse("http://me:secret@a/").unwrap_err().to_string();
        assert!(!text.contains("secret") && text.contains("`basic`"), "{text}");
        let text = Target::parse("ftp://me:secret@a/").unwrap_err().to_string();
        assert_eq!(text, "the URL begins with neither http:// nor https:// nor unix://");
    }

    #[test]
    fn others_see_a_place_without_our_folder() {
        let cases = [
            ("http://node:9100/metrics?token=x", "node:9100"),
            ("http://[::1]/?a", "[::1]:80"),
            ("unix:///run/docker/m.sock:/metrics?token=x", "m.sock"),
        ];
        for (url, want) in cases {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.authority().without_folder().to_string(), want, "{url}");
        }
        let fault = Target::parse("ftp://a/b?token=x").unwrap_err().without_query();
        let want = "\"ftp://a/b?…\" begins with neither http:// nor https:// nor unix://";
        assert_eq!(fault.to_string(), want);
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
