//! `fanin init`.

use std::process::ExitCode;
use std::rc::Rc;

use crate::cli;
use crate::config::{self, Found, Limits};
use crate::runtime;
use crate::source::discover::discover;

/// The exporters that answer on this machine.
pub(super) fn found() -> Vec<Found> {
    let engine = runtime::engine(&Limits::default());
    let executor = Rc::clone(&engine.executor);
    smol::block_on(executor.run(discover(&engine)))
}

pub(super) fn run() -> ExitCode {
    match cli::say(config::example(&found())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(format_args!("standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}
