//! The commands: what was typed, done.

#[cfg(feature = "tls")]
mod cert;
mod check;
#[cfg(feature = "tls")]
mod hash_password;
#[cfg(feature = "tools")]
mod init;
#[cfg(feature = "tools")]
pub mod install;
#[cfg(feature = "tools")]
mod lint;
#[cfg(feature = "tools")]
mod merge;
#[cfg(feature = "klipper")]
mod probe;
#[cfg(feature = "push")]
mod push;
#[cfg(feature = "push")]
mod receive;
#[cfg(feature = "pipe")]
mod send;
mod serve;
#[cfg(feature = "pipe")]
mod token;

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
        #[cfg(feature = "tools")]
        Command::Init(_) => init::run(),
        #[cfg(feature = "tools")]
        Command::Install(install) => install::run(&install),
        Command::Check(check) => check::run(&check),
        #[cfg(feature = "pipe")]
        Command::Send(typed) => send::run(typed),
        #[cfg(feature = "push")]
        Command::Push(typed) => push::run(&typed),
        #[cfg(feature = "push")]
        Command::Receive(typed) => receive::run(typed),
        #[cfg(feature = "pipe")]
        Command::Token(_) => token::run(),
        #[cfg(feature = "tools")]
        Command::Lint(lint) => lint::run(&lint),
        #[cfg(feature = "tools")]
        Command::Merge(merge) => merge::run(merge),
        #[cfg(feature = "klipper")]
        Command::Probe(probe) => probe::run(probe),
        #[cfg(feature = "tls")]
        Command::Cert(typed) => cert::run(&typed),
        #[cfg(feature = "tls")]
        Command::HashPassword(typed) => hash_password::run(&typed),
    }
}
