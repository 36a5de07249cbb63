//! What a peer did against the rules of HTTP, at either end.
//!
//! A fault of a client is answered with its status and the connection closes; the same fault of an
//! upstream makes the fetch fail. Both ends refuse the same things, so that nothing which two
//! programs could read in two ways passes through.

use std::fmt;

use crate::limits::{HEAD, HEADERS};

/// A message that is refused, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The head is longer than [`HEAD`].
    HeadTooLong,
    /// The head has more fields than [`HEADERS`].
    TooManyFields,
    /// A line feed without its carriage return.
    BareLineFeed,
    /// A carriage return without its line feed.
    BareCarriageReturn,
    /// A byte below space, or DEL.
    ControlByte,
    /// A field that goes on in the next line.
    FoldedField,
    /// A blank between a field's name and its colon.
    BlankBeforeColon,
    /// A line that is no header field.
    Field,
    /// The first line of a request is no request line.
    RequestLine,
    /// The first line of a response is no status line, or its status is none.
    StatusLine,
    /// A version other than 1.0 and 1.1.
    Version,
    /// The path: an empty segment, `.` or `..`, a bad escape, or a form that is not served.
    Target,
    /// The query has a bad escape.
    Query,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// More than one Host.
    HostRepeated,
    /// A Host that is none.
    HostInvalid,
    /// More than one Content-Length.
    LengthRepeated,
    /// A Content-Length that is no number.
    LengthInvalid,
    /// Content-Length with Transfer-Encoding.
    LengthWithCoding,
    /// A Transfer-Encoding that is neither exactly `chunked` nor a coding unknown here.
    Coding,
    /// A Transfer-Encoding that asks for a coding unknown here.
    CodingUnknown,
    /// Transfer-Encoding in HTTP/1.0.
    CodingInOld,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A chunk's size line.
    ChunkSize,
    /// Bytes of a chunk that go on after its size.
    ChunkEnd,
    /// Chunk extensions or trailers longer than [`HEAD`].
    ChunkExtra,
    /// A status that nobody asked for (101), or too many interim ones.
    Interim,
    /// A Content-Encoding that is repeated, no text, or longer than any known one.
    Encoding,
    /// The head did not arrive within its time.
    HeadTimeout,
    /// The peer is none that may come here.
    NotAllowed,
}

impl Fault {
    /// The status with which a client's fault is answered.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::HeadTooLong | Self::TooManyFields => 431,
            Self::CodingUnknown => 501,
            Self::Version => 505,
            Self::Expectation => 417,
            Self::HeadTimeout => 408,
            Self::NotAllowed => 403,
            _ => 400,
        }
    }

    /// The fault in one line, without the numbers that [`fmt::Display`] adds.
    const fn text(self) -> &'static str {
        match self {
            Self::HeadTooLong => "the head is longer than",
            Self::TooManyFields => "the head has more fields than",
            Self::BareLineFeed => "a line feed without a carriage return",
            Self::BareCarriageReturn => "a carriage return without a line feed",
            Self::ControlByte => "a control byte in the head",
            Self::FoldedField => "a header field over two lines",
            Self::BlankBeforeColon => "a blank before the colon of a header field",
            Self::Field => "a line that is no header field",
            Self::RequestLine => "the request line is malformed",
            Self::StatusLine => "the status line is malformed",
            Self::Version => "only HTTP/1.1 and HTTP/1.0 are spoken here",
            Self::Target => "the path has an empty, dot or badly escaped segment",
            Self::Query => "the query has a bad escape",
            Self::HostMissing => "no Host field",
            Self::HostRepeated => "more than one Host field",
            Self::HostInvalid => "the Host field is no host",
            Self::LengthRepeated => "more than one Content-Length field",
            Self::LengthInvalid => "the Content-Length is no number",
            Self::LengthWithCoding => "Content-Length together with Transfer-Encoding",
            Self::Coding => "a Transfer-Encoding other than exactly chunked",
            Self::CodingUnknown => "an unknown Transfer-Encoding",
            Self::CodingInOld => "Transfer-Encoding in HTTP/1.0",
            Self::Expectation => "an expectation other than 100-continue",
            Self::ChunkSize => "a chunk size is malformed",
            Self::ChunkEnd => "a chunk is longer than its size",
            Self::ChunkExtra => "chunk extensions or trailers longer than",
            Self::Interim => "interim responses without an answer",
            Self::Encoding => "a Content-Encoding that is repeated or too long",
            Self::HeadTimeout => "the head did not arrive in time",
            Self::NotAllowed => "this address is not among those allowed here",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadTooLong | Self::ChunkExtra => write!(f, "{} {HEAD} bytes", self.text()),
            Self::TooManyFields => write!(f, "{} {HEADERS}", self.text()),
            _ => f.write_str(self.text()),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_the_status_of_the_design() {
        let cases = [
            (Fault::HeadTooLong, 431, "the head is longer than 8192 bytes"),
            (Fault::TooManyFields, 431, "the head has more fields than 64"),
            (Fault::CodingUnknown, 501, "an unknown Transfer-Encoding"),
            (Fault::Version, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here"),
            (Fault::Expectation, 417, "an expectation other than 100-continue"),
            (Fault::HeadTimeout, 408, "the head did not arrive in time"),
            (Fault::NotAllowed, 403, "this address is not among those allowed here"),
            (Fault::BareLineFeed, 400, "a line feed without a carriage return"),
        ];
        for (fault, status, text) in cases {
            assert_eq!((fault.status(), fault.to_string().as_str()), (status, text));
        }
    }
}
