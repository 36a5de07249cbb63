//! The commands: what was typed, done.

mod check;
mod init;
mod lint;
mod merge;
mod serve;

use std::process::ExitCode;

use crate::cli::Command;

/// Used wrongly: flags, configuration.
const USED_WRONGLY: u8 = 2;

/// Does what was typed. 0: done; 1: it did not work, and the reason is on standard error; 2: used
/// wrongly.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve(serve) => serve::run(serve),
        Command::Init(_) => init::run(),
        Command::Check(check) => check::run(&check),
        Command::Lint(lint) => lint::run(&lint),
        Command::Merge(merge) => merge::run(merge),
    }
}
