//! fanin gathers Prometheus metrics from everything around it and hands them on.
pub mod cli;
pub mod config;
pub mod limits;
pub mod telemetry;
