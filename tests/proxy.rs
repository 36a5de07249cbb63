//! The `proxy` outlet: one source at a time, chosen by `?module=`, its page as it is.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on panics"
)]

#[path = "proxy/choosing.rs"]
mod choosing;
#[path = "proxy/coded.rs"]
mod coded;
mod common;
#[path = "proxy/kept.rs"]
mod kept;
#[path = "proxy/streaming.rs"]
mod streaming;
#[path = "proxy/verifying.rs"]
mod verifying;
