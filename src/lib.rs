//! fanin gathers Prometheus metrics from everything around it and hands them on.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod exposition;
pub mod limits;
pub mod memory;
