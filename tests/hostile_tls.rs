//! The tests of `hostile.rs` once more, with every client speaking TLS.
#![cfg(feature = "tls")]

#[path = "hostile.rs"]
mod hostile;
