//! `fanin receive`.

use std::process::ExitCode;

use super::serve;
use crate::cli;
use crate::runtime::Origin;
use crate::telemetry::log::{self as telemetry, Format};

pub(super) fn run(typed: cli::Receive) -> ExitCode {
    telemetry::start(typed.log_level, typed.log_format.unwrap_or_else(Format::detect));
    serve::serve(Origin { receiving: Some(typed.receiving()), ..Origin::default() })
}
