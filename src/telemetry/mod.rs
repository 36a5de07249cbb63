//! What fanin tells about itself.
pub mod log;
pub mod metrics;
mod process;
