//! What fanin tells about itself.
mod history;
pub mod log;
pub mod metrics;
mod process;
