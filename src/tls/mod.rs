//! TLS 1.2 and 1.3 at both ends: rustls over the executor's sockets, with ring's cryptography.
//!
//! ```text
//!   accepted ──> server: its certificate, those of clients ──┐
//!                                                            ├──> handshake ──> Socket::Tls
//!   connected ─> client: whom it trusts, its certificate ────┘
//! ```
//!
//! Certificates are files. They are read when a configuration is, and again when they change. Times
//! are the board's own: one that boots in 1970 finds that nothing is valid yet, and says so.
//!
//! Not here: revocation lists, OCSP, early data, keys in hardware.

pub(crate) mod client;
mod fault;
mod handshake;
mod names;
mod pem;
mod provider;
pub(crate) mod selfsigned;
pub(crate) mod server;
mod verify;

use std::time::UNIX_EPOCH;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

pub use self::fault::FileError;
pub(crate) use self::handshake::Gate;
use self::provider::provider;
pub(crate) use self::verify::pattern;

/// A connection over which TLS is spoken, at either end.
pub(crate) type Stream = futures_rustls::TlsStream<crate::http::socket::Socket>;

/// The board's clock, right on 32-bit boards after January 2038 too.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = crate::telemetry::clock::now();
        now.duration_since(UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}
