//! What a client decides: the request it writes, how the answer ends, where a redirect leads.
//! Does no I/O.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
#[cfg(feature = "tls")]
use std::rc::Rc;
use std::time::Duration;

use crate::http::fault::Fault;
use crate::http::fields::{Framing, Version};
use crate::http::head::ReplyHead;
use crate::http::server::Cursor;
use crate::http::url::{Authority, Target, UrlError, UrlRule};
#[cfg(feature = "tls")]
use crate::tls::client::Connector;

/// The methods that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The page.
    Get,
    /// Its head only.
    Head,
    /// What the body asks for.
    Post,
    /// The body takes the place of what is there.
    Put,
}

/// Which redirects are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Redirects {
    /// None: the redirect itself is the answer.
    Never,
    /// Those to the same host and port.
    #[default]
    Same,
    /// All, but elsewhere without Authorization and own fields.
    Any,
}

/// A request to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// One of these.
    pub method: Method,
    /// Where to.
    pub target: &'a Target,
    /// Put behind the query of `target`, as it is; empty for nothing.
    pub query: &'a str,
    /// Fields of the configuration's, in their order.
    pub fields: &'a [(&'a str, &'a str)],
    /// The whole value of Authorization.
    pub authorization: Option<&'a str>,
    /// The value of Accept.
    pub accept: &'a str,
    /// The value of Accept-Encoding.
    pub accept_encoding: &'a str,
    /// Time left, told as `X-Prometheus-Scrape-Timeout-Seconds`.
    pub timeout: Option<Duration>,
    /// Which redirects are followed.
    pub redirects: Redirects,
    /// The body of a question, JSON always; a body that is sent in chunks has its own fields.
    pub body: &'a [u8],
    /// Which addresses may be connected to.
    pub reach: Reach<'a>,
    /// What TLS is spoken with, where it is; `None` trusts whom the system trusts.
    #[cfg(feature = "tls")]
    pub tls: Option<&'a Rc<Connector>>,
}

/// Which addresses may be connected to: any, or those that a rule allows.
#[derive(Clone, Copy, Default)]
pub struct Reach<'a>(pub Option<&'a dyn Fn(IpAddr) -> bool>);

impl Reach<'_> {
    /// Whether this address may be connected to.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        self.0.is_none_or(|rule| rule(address.to_canonical()))
    }
}

impl fmt::Debug for Reach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Reach(some)" } else { "Reach(any)" })
    }
}

impl<'a> Outgoing<'a> {
    /// A plain GET of this URL.
    #[must_use]
    pub const fn get(target: &'a Target) -> Self {
        Self {
            method: Method::Get,
            target,
            query: "",
            fields: &[],
            authorization: None,
            accept: "text/plain;version=0.0.4;q=1,*/*;q=0.1",
            accept_encoding: "identity",
            timeout: None,
            redirects: Redirects::Same,
            body: &[],
            reach: Reach(None),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// A question that changes nothing, so that it may be asked twice, with this JSON as its body.
    #[must_use]
    pub const fn post(target: &'a Target, body: &'a [u8]) -> Self {
        Self { method: Method::Post, body, redirects: Redirects::Never, ..Self::get(target) }
    }

    /// Writes the request to the front of `out`; `None` if it does not fit or a field holds bytes
    /// that no field may.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let bad = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
        let clean = |text: &str| !text.bytes().any(bad);
        let own = self.fields.iter().all(|(name, value)| clean(name) && clean(value));
        let others = [self.accept, self.accept_encoding, self.authorization.unwrap_or("")];
        let query = self.query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !own || !query || !others.into_iter().all(clean) {
            return None;
        }
        let mut cursor = Cursor { out, len: 0 };
        self.lines(&mut cursor).ok()?;
        Some(cursor.len)
    }

    fn lines(&self, out: &mut Cursor<'_>) -> fmt::Result {
        let method = match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
        };
        write!(out, "{method} {}", self.target.request())?;
        match (self.query, self.target.query()) {
            ("", _) => {}
            (query, None) => write!(out, "?{query}")?,
            (query, Some("")) => out.write_str(query)?,
            (query, Some(_)) => write!(out, "&{query}")?,
        }
        write!(out, " HTTP/1.1\r\nHost: {}\r\n", self.target.authority().host_field())?;
        write!(out, "User-Agent: fanin/{}\r\n", env!("CARGO_PKG_VERSION"))?;
        write!(out, "Accept: {}\r\nAccept-Encoding: {}\r\n", self.accept, self.accept_encoding)?;
        if let Some(left) = self.timeout {
            let (whole, rest) = (left.as_secs(), left.subsec_millis());
            write!(out, "X-Prometheus-Scrape-Timeout-Seconds: {whole}.{rest:03}\r\n")?;
        }
        if let Some(value) = self.authorization {
            write!(out, "Authorization: {value}\r\n")?;
        }
        for (name, value) in self.fields {
            write!(out, "{name}: {value}\r\n")?;
        }
        if !self.body.is_empty() {
            write!(
                out,
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                self.body.len()
            )?;
        }
        out.write_str("\r\n")
    }

    /// The request after a redirect to `target`. Once a redirect has left the place that was asked
    /// first (`home` is false), secrets stay behind.
    #[must_use]
    pub(crate) fn redirected<'b>(&self, target: &'b Target, home: bool) -> Outgoing<'b>
    where
        'a: 'b,
    {
        Outgoing {
            target,
            query: "",
            fields: if home { self.fields } else { &[] },
            authorization: self.authorization.filter(|_| home),
            #[cfg(feature = "tls")]
            tls: self.tls.map(|tls| if home { tls } else { tls.elsewhere() }),
            ..*self
        }
    }
}

/// How the end of an answer's body is known.
///
/// # Source
///
/// RFC 9112, section 6.3.
#[must_use]
pub fn reply_framing(method: Method, head: &ReplyHead<'_>) -> Framing {
    match head.stated() {
        _ if method == Method::Head || matches!(head.status(), 100..200 | 204 | 304) => {
            Framing::None
        }
        Some(framing) => framing,
        None => Framing::Close,
    }
}

/// Whether the server lets the connection stay behind this answer.
#[must_use]
pub fn keeps_alive(head: &ReplyHead<'_>, framing: Framing) -> bool {
    let listed = |member| head.fields().lists("Connection", member);
    let wanted = match head.version() {
        Version::Http11 => !listed("close"),
        Version::Http10 => listed("keep-alive") && !listed("close"),
    };
    wanted && framing != Framing::Close
}

/// Whether this is an interim response, to be passed over; `interim` counts those before it.
///
/// # Errors
///
/// [`Fault::Interim`] for 101, which nobody asked for, and for one more than
/// [`INTERIM_RESPONSES`](crate::limits::INTERIM_RESPONSES).
pub fn is_interim(head: &ReplyHead<'_>, interim: usize) -> Result<bool, Fault> {
    match head.status() {
        101 => Err(Fault::Interim),
        100..200 if interim >= crate::limits::INTERIM_RESPONSES => Err(Fault::Interim),
        status => Ok(status < 200),
    }
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectError {
    /// More than [`REDIRECTS`](crate::limits::REDIRECTS) in a row.
    TooMany,
    /// It leads to another place, and that is not allowed.
    OtherPlace(Authority),
    /// It leads from TLS to a place without.
    Downgrade(Authority),
    /// It leads nowhere.
    Url(UrlError),
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "more than {} redirects", crate::limits::REDIRECTS),
            Self::OtherPlace(place) => write!(f, "redirect to {place}, which is another place"),
            Self::Downgrade(place) => write!(f, "redirect to {place}, which is without TLS"),
            Self::Url(fault) => write!(f, "redirect: {fault}"),
        }
    }
}

impl std::error::Error for RedirectError {}

/// Where an answer to `asked` redirects; `None` if it is to be taken as it is.
///
/// # Errors
///
/// Those of [`RedirectError`] but `TooMany`.
///
/// # Source
///
/// RFC 9110, section 15.4; references are resolved as in RFC 3986, section 5.2, but dot segments
/// stay: servers that mean them understand them.
pub fn redirect(
    asked: &Outgoing<'_>,
    head: &ReplyHead<'_>,
) -> Result<Option<Target>, RedirectError> {
    if !matches!(head.status(), 301 | 302 | 303 | 307 | 308) || asked.redirects == Redirects::Never
    {
        return Ok(None);
    }
    let Some(location) = head.fields().text("Location").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let target = resolve(asked.target, location)
        .map_err(|fault| RedirectError::Url(fault.without_query()))?;
    if asked.target.authority().is_tls() && !target.authority().is_tls() {
        return Err(RedirectError::Downgrade(target.authority().clone()));
    }
    if asked.redirects == Redirects::Same && target.authority() != asked.target.authority() {
        return Err(RedirectError::OtherPlace(target.authority().clone()));
    }
    Ok(Some(target))
}

/// A Location seen from the URL that was asked for. A socket of this machine is never reached so.
fn resolve(base: &Target, location: &str) -> Result<Target, UrlError> {
    let location = location.split('#').next().unwrap_or_default();
    let scheme_end = location.find(':').unwrap_or(usize::MAX);
    let path_start = location.find(['/', '?']).unwrap_or(usize::MAX);
    if scheme_end < path_start {
        let is_web = location.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        return if is_web {
            Target::parse(location)
        } else {
            Err(UrlError::new(location, UrlRule::Scheme))
        };
    }
    if let Some(place) = location.strip_prefix("//") {
        let scheme = if base.authority().is_tls() { "https://" } else { "http://" };
        return Target::parse(&[scheme, place].concat());
    }
    match location.chars().next() {
        Some('/') => base.with_request(location),
        Some('?') => base.with_request(&[base.path(), location].concat()),
        None => Ok(base.clone()),
        Some(_) => {
            let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            base.with_request(&[folder, "/", location].concat())
        }
    }
}

#[cfg(test)]
mod tests;
