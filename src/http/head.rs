//! The heads of requests and responses: httparse does the grammar, this refuses what it forgives.
//!
//! Both borrow from the bytes that `scan.rs` found to be a whole head. Nothing is kept beside them:
//! fields are looked for where they lie, because a request is asked for a few of them once.

use std::mem::MaybeUninit;

use crate::http::fault::Fault;
use crate::http::fields::{Fields, Framing, Version};
use crate::http::target::{RequestTarget, is_authority};
use crate::limits::{HEAD, HEADERS};

/// A request without its body.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    method: &'a str,
    target: RequestTarget<'a>,
    version: Version,
    fields: Fields<'a>,
    framing: Framing,
}

impl<'a> RequestHead<'a> {
    /// Reads a whole head, its empty line included, that `scan.rs` has passed.
    ///
    /// # Errors
    ///
    /// Every refusal of a request's head that [`Fault`] names but those of `scan.rs`.
    pub fn parse(head: &'a [u8]) -> Result<Self, Fault> {
        let mut slots = [const { MaybeUninit::uninit() }; HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(head, &mut slots);
        let fields = check_lines(head)?;
        match parsed.map_err(|fault| request_fault(fault, head))? {
            httparse::Status::Complete(len) if len == head.len() => {}
            _ => return Err(Fault::RequestLine),
        }
        let method = request.method.ok_or(Fault::RequestLine)?;
        let target = RequestTarget::parse(request.path.ok_or(Fault::RequestLine)?)?;
        let version = version_of(request.version)?;
        check_host(&fields, version)?;
        let framing = fields.framing(version)?.unwrap_or(Framing::None);
        let request = Self { method, target, version, fields, framing };
        request.check_expectation()?;
        Ok(request)
    }

    fn check_expectation(&self) -> Result<(), Fault> {
        let unknown = |value: &[u8]| !value.eq_ignore_ascii_case(b"100-continue");
        let asked = self.version == Version::Http11 && self.fields.all("Expect").any(unknown);
        if asked { Err(Fault::Expectation) } else { Ok(()) }
    }

    /// The method as sent: letter case matters.
    #[must_use]
    pub const fn method(&self) -> &'a str {
        self.method
    }

    /// Path and query.
    #[must_use]
    pub const fn target(&self) -> &RequestTarget<'a> {
        &self.target
    }

    /// The version the client speaks.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The header fields.
    #[must_use]
    pub const fn fields(&self) -> &Fields<'a> {
        &self.fields
    }

    /// How the end of the body is known.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// The host asked for: that of a whole URL, else the Host field; empty if there is neither.
    #[must_use]
    pub fn host(&self) -> &'a str {
        self.target.authority().or_else(|| self.fields.text("Host")).unwrap_or("")
    }
}

/// A response without its body.
#[derive(Debug, Clone, Copy)]
pub struct ReplyHead<'a> {
    status: u16,
    version: Version,
    fields: Fields<'a>,
    stated: Option<Framing>,
}

impl<'a> ReplyHead<'a> {
    /// Reads a whole head, its empty line included, that `scan.rs` has passed.
    ///
    /// # Errors
    ///
    /// Every refusal of a response's head that [`Fault`] names but those of `scan.rs`.
    pub fn parse(head: &'a [u8]) -> Result<Self, Fault> {
        let mut slots = [const { MaybeUninit::uninit() }; HEADERS];
        let mut reply = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut reply, head, &mut slots);
        let fields = check_lines(head)?;
        match parsed.map_err(|fault| common_fault(fault).unwrap_or(Fault::StatusLine))? {
            httparse::Status::Complete(len) if len == head.len() => {}
            _ => return Err(Fault::StatusLine),
        }
        let version = version_of(reply.version)?;
        let status = reply.code.filter(|code| (100..600).contains(code));
        let stated = fields.framing(version)?;
        Ok(Self { status: status.ok_or(Fault::StatusLine)?, version, fields, stated })
    }

    /// The status: 100 to 599.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The version the server speaks.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The header fields.
    #[must_use]
    pub const fn fields(&self) -> &Fields<'a> {
        &self.fields
    }

    /// The Content-Length or coding that the fields state, whether or not a body follows.
    #[must_use]
    pub const fn stated(&self) -> Option<Framing> {
        self.stated
    }
}

/// Refuses lines that httparse would take apart differently from others, and returns the fields.
fn check_lines(head: &[u8]) -> Result<Fields<'_>, Fault> {
    if head.len() > HEAD {
        return Err(Fault::HeadTooLong);
    }
    let first = memchr::memchr(b'\n', head).and_then(|end| end.checked_add(1));
    let lines = first.and_then(|start| head.get(start..)).ok_or(Fault::Field)?;
    let mut count = 0usize;
    for line in lines.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        count = count.saturating_add(1);
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Fault::FoldedField);
        }
        let colon = memchr::memchr(b':', line).ok_or(Fault::Field)?;
        let name = line.get(..colon).unwrap_or_default();
        if matches!(name.last(), Some(b' ' | b'\t')) {
            return Err(Fault::BlankBeforeColon);
        }
    }
    if count > HEADERS { Err(Fault::TooManyFields) } else { Ok(Fields::new(lines)) }
}

/// One Host in 1.1, at most one in 1.0, and a value that is a host.
fn check_host(fields: &Fields<'_>, version: Version) -> Result<(), Fault> {
    let mut hosts = fields.all("Host");
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => Err(Fault::HostRepeated),
        (None, None) if version == Version::Http11 => Err(Fault::HostMissing),
        (None, None) => Ok(()),
        (Some(host), None) => match str::from_utf8(host) {
            Ok(host) if is_authority(host) => Ok(()),
            _ => Err(Fault::HostInvalid),
        },
    }
}

fn version_of(minor: Option<u8>) -> Result<Version, Fault> {
    match minor {
        Some(0) => Ok(Version::Http10),
        Some(1) => Ok(Version::Http11),
        _ => Err(Fault::Version),
    }
}

/// What httparse refuses alike in requests and responses; `None` is about the first line.
const fn common_fault(fault: httparse::Error) -> Option<Fault> {
    match fault {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Some(Fault::Field),
        httparse::Error::TooManyHeaders => Some(Fault::TooManyFields),
        httparse::Error::Version => Some(Fault::Version),
        _ => None,
    }
}

/// A request that httparse refuses: a version only counts as one if it looks like one.
fn request_fault(fault: httparse::Error, head: &[u8]) -> Fault {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ').skip(2);
    let version = words.next().unwrap_or_default();
    let looks_like_one = words.next().is_none()
        && matches!(version, [b'H', b'T', b'T', b'P', b'/', digit, ..] if digit.is_ascii_digit());
    match common_fault(fault) {
        Some(Fault::Version) if !looks_like_one => Fault::RequestLine,
        Some(fault) => fault,
        None => Fault::RequestLine,
    }
}

#[cfg(test)]
mod tests;
