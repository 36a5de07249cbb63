//! fanin gathers Prometheus metrics from everything around it and hands them on.
pub mod http;
pub mod limits;
