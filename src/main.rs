//! The `fanin` program: what was typed, done.

use std::process::ExitCode;

use fanin::{cli, command};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => command::run(command),
        Err(early) => early.exit(),
    }
}
