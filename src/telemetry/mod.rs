//! What fanin tells about itself.
pub(crate) mod clock;
pub(crate) mod cut;
mod history;
pub mod log;
pub mod metrics;
#[cfg(feature = "pipe")]
pub mod pipe;
mod process;
#[cfg(feature = "push")]
pub mod push;
pub(crate) mod throttle;
