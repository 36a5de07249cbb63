//! fanin gathers Prometheus metrics from everything around it and hands them on.
//!
//! ```text
//!   exporters ──> source ──> exposition ──> outlet ──> scrapers
//!                   │            │            │
//!                   └── memory ──┴── http ────┘      telemetry counts, config decides
//! ```
//!
//! `exposition`, `http`'s heads and bodies, and `memory` do no I/O; `runtime` drives everything on
//! one thread.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod cli;
pub mod config;
pub mod exposition;
pub mod limits;
pub mod memory;
pub mod telemetry;
