//! fanin gathers Prometheus metrics from everything around it and hands them on.
//!
//! ```text
//!   exporters, files,   ──> source ──> exposition ──> outlet ──> scrapers
//!   commands                  │            │            ├──────> pipe ──> hubs
//!                             └── memory ──┴── http ────┘      telemetry counts, config decides
//! ```
//!
//! `exposition`, `http`'s heads and bodies, and `memory` do no I/O; `runtime` drives everything on
//! one thread, and `command` is what can be typed.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod access;
mod base64;
pub mod cli;
pub mod command;
pub mod config;
pub mod exposition;
pub mod http;
#[cfg(any(feature = "klipper", feature = "push"))]
pub mod json;
pub mod limits;
pub mod memory;
pub mod outlet;
#[cfg(feature = "pipe")]
pub mod pipe;
pub mod runtime;
pub mod source;
pub mod systemd;
pub mod telemetry;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(any(feature = "local", feature = "pipe", feature = "tls"))]
mod turns;
#[cfg(feature = "tls")]
mod watched;
