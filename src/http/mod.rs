//! HTTP/1.1 and 1.0, both ends, over fixed buffers.
//!
//! Everything that knows the protocol is pure and does no I/O; the others move the bytes:
//!
//! ```text
//!            pure                                          knows the sockets
//!   fault    what a peer did wrong, and its status
//!   scan     where a head ends, byte rules                 drive    one served connection
//!   fields   header fields, framing of a body              listen   bind, accept
//!   percent  %XX                                           fetch    the client and its idle connections
//!   target   path and query of a request                   response an upstream's answer
//!   head     request and response heads                    resolve  names to addresses
//!   chunked, body      bodies off the wire                 socket   TCP or Unix, either end
//!   gzip     the content coding, both ways
//!   server   keep-alive, reply heads                       alarm    one timer a connection
//!   client, url        requests, redirects                 incoming a request's body
//!   table    who is connected, who gives way               outgoing a reply's bytes
//! ```
//!
//! In scope: keep-alive, pipelining, HEAD, chunked both ways, `Expect: 100-continue`,
//! absolute-form, redirects. Not here: TLS, HTTP/2, upgrades, trailers, ranges, caching.

pub mod alarm;
pub mod body;
pub mod chunked;
pub mod client;
pub mod drive;
pub mod fault;
pub mod fetch;
pub mod fields;
#[cfg(feature = "gzip")]
pub mod gzip;
pub mod head;
pub mod incoming;
pub mod listen;
pub mod outgoing;
pub mod percent;
pub mod resolve;
pub mod response;
#[cfg(any(feature = "pipe", feature = "push"))]
mod says;
pub mod scan;
pub mod server;
pub mod socket;
pub mod table;
pub mod target;
pub mod url;
