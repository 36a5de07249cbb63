//! What fanin tells about itself.
pub mod log;
