//! What a server decides: whether a connection stays, what an answer's head says. Does no I/O.

use std::fmt::{self, Write as _};

use crate::http::fields::{Framing, Version};
use crate::http::head::RequestHead;

/// Asks a client that waits for it to send its body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Whether the client wants the connection to stay.
///
/// # Source
///
/// RFC 9112, section 9.3.
#[must_use]
pub fn keeps_alive(request: &RequestHead<'_>) -> bool {
    let listed = |member| request.fields().lists("Connection", member);
    match request.version() {
        Version::Http11 => !listed("close"),
        Version::Http10 => listed("keep-alive") && !listed("close"),
    }
}

/// Whether the client waits for `100 Continue` before it sends its body.
#[must_use]
pub fn expects_continue(request: &RequestHead<'_>) -> bool {
    request.version() == Version::Http11
        && request.framing() != Framing::None
        && request.fields().lists("Expect", "100-continue")
}

/// How the end of an answer's body is told to a client of this version.
#[must_use]
pub const fn reply_framing(version: Version, status: u16, length: Option<u64>) -> Framing {
    match (length, version) {
        _ if !has_body(status) => Framing::None,
        (Some(length), _) => Framing::Length(length),
        (None, Version::Http11) => Framing::Chunked,
        (None, Version::Http10) => Framing::Close,
    }
}

/// Whether an answer of this status has a body at all.
#[must_use]
pub const fn has_body(status: u16) -> bool {
    status >= 200 && status != 204 && status != 304
}

/// The head of an answer.
#[derive(Debug, Clone, Copy)]
pub struct HeadLines<'a> {
    /// 100 to 599.
    pub status: u16,
    /// Content-Type; empty for none.
    pub content_type: &'a str,
    /// More fields, each line ended by CRLF.
    pub fields: &'a str,
    /// The same, for every reply of a server.
    pub shared: &'a str,
    /// Content-Length or Transfer-Encoding.
    pub framing: Framing,
    /// The Connection field; `None` says what the version implies.
    pub connection: Option<&'a str>,
}

impl HeadLines<'_> {
    /// Writes the head to the front of `out`; `None` if it does not fit, `out` being undefined then.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut cursor = Cursor { out, len: 0 };
        self.lines(&mut cursor).ok()?;
        Some(cursor.len)
    }

    fn lines(&self, out: &mut Cursor<'_>) -> fmt::Result {
        write!(out, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status))?;
        if !self.content_type.is_empty() {
            write!(out, "Content-Type: {}\r\n", self.content_type)?;
        }
        out.write_str(self.fields)?;
        out.write_str(self.shared)?;
        match self.framing {
            Framing::Length(length) => write!(out, "Content-Length: {length}\r\n")?,
            Framing::Chunked => out.write_str("Transfer-Encoding: chunked\r\n")?,
            Framing::None | Framing::Close => {}
        }
        if let Some(connection) = self.connection {
            write!(out, "Connection: {connection}\r\n")?;
        }
        out.write_str("\r\n")
    }
}

/// Text written to a slice, whole or not at all.
pub(crate) struct Cursor<'a> {
    pub(crate) out: &'a mut [u8],
    pub(crate) len: usize,
}

impl fmt::Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        self.out.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The phrase of a status, for people; `Unknown` for those never sent from here.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> RequestHead<'_> {
        RequestHead::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn connections_stay_when_both_sides_can() {
        let cases = [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: te, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
        ];
        for (text, want) in cases {
            assert_eq!(keeps_alive(&head(text)), want, "{text}");
        }
    }

    #[test]
    fn only_a_body_can_be_waited_for() {
        let cases = [
            (
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
                true,
            ),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", false),
            ("PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", false),
        ];
        for (text, want) in cases {
            assert_eq!(expects_continue(&head(text)), want, "{text}");
        }
    }

    #[test]
    fn an_answer_is_framed_for_its_client() {
        let cases = [
            (Version::Http11, 200, Some(5), Framing::Length(5)),
            (Version::Http10, 200, Some(0), Framing::Length(0)),
            (Version::Http11, 200, None, Framing::Chunked),
            (Version::Http10, 200, None, Framing::Close),
            (Version::Http11, 204, Some(5), Framing::None),
            (Version::Http11, 304, None, Framing::None),
        ];
        for (version, status, length, want) in cases {
            assert_eq!(reply_framing(version, status, length), want, "{version:?} {status}");
        }
    }

    #[test]
    fn a_head_is_written_whole_or_not() {
        let lines = HeadLines {
            status: 503,
            content_type: "text/plain",
            fields: "Retry-After: 5\r\n",
            shared: "",
            framing: Framing::Length(3),
            connection: Some("close"),
        };
        let want = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
                    Retry-After: 5\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
        let mut out = [0; 256];
        let len = lines.write(&mut out).unwrap();
        assert_eq!(str::from_utf8(&out[..len]), Ok(want));
        for short in 0..len {
            assert_eq!(lines.write(&mut out[..short]), None, "{short}");
        }
    }
}
