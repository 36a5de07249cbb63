//! `fanin init`.

use std::process::ExitCode;
use std::rc::Rc;

use crate::cli;
use crate::config::{self, Limits};
use crate::runtime;
use crate::source::discover::discover;

pub(super) fn run() -> ExitCode {
    let engine = runtime::engine(&Limits::default());
    let executor = Rc::clone(&engine.executor);
    let found = smol::block_on(executor.run(discover(&engine)));
    match cli::say(config::example(&found)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(format_args!("standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}
