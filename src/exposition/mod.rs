//! Exposition text: what exporters write and Prometheus reads.

pub mod lint;
