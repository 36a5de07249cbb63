//! `fanin token`: random bytes of the system's, as a token.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::process::ExitCode;

use crate::cli::{complain, say};

/// Waits until the kernel has randomness, which a board that has just booted may not.
const RANDOM: &str = "/dev/random";

/// Bytes that nobody guesses.
const BYTES: usize = 32;

pub(super) fn run() -> ExitCode {
    match token().and_then(|token| say(format_args!("{token}\n"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("fanin token: {RANDOM}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn token() -> io::Result<String> {
    let mut bytes = [0_u8; BYTES];
    File::open(RANDOM)?.read_exact(&mut bytes)?;
    let mut token = String::new();
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(token, "{byte:02x}");
    }
    Ok(token)
}
