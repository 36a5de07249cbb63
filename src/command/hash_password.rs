//! `fanin hash-password`: a password in, its bcrypt hash out.

use std::io::{self, BufRead, IsTerminal as _, Read, Write as _};
use std::process::ExitCode;

use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::{HashPassword, complain, say};
use crate::limits::PASSWORD;

pub(super) fn run(typed: &HashPassword) -> ExitCode {
    match hash(typed.cost).and_then(|hash| say(format_args!("{hash}\n"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("fanin hash-password: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn hash(cost: u32) -> io::Result<String> {
    let password = password()?;
    if password.is_empty() {
        return Err(io::Error::other("the password is empty"));
    }
    // More would not count, and whoever typed it believes that it does.
    if password.len() > PASSWORD {
        let rule =
            format!("the password has more than {PASSWORD} bytes, of which bcrypt sees no more");
        return Err(io::Error::other(rule));
    }
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| io::Error::other("no randomness"))?;
    let parts = bcrypt::hash_with_salt(&password, cost, salt);
    let parts = parts.map_err(|error| io::Error::other(error.to_string()))?;
    // Known to more programs than the others of its kind.
    Ok(parts.format_for_version(bcrypt::Version::TwoY))
}

/// Asks for it, twice, or reads a line.
fn password() -> io::Result<String> {
    let input = io::stdin();
    if !input.is_terminal() {
        return line(&mut input.lock());
    }
    let quiet = Quiet::new()?;
    let password = prompted("Password: ")?;
    let again = prompted("Once more: ")?;
    drop(quiet);
    if password == again { Ok(password) } else { Err(io::Error::other("the two differ")) }
}

fn prompted(prompt: &str) -> io::Result<String> {
    let mut out = io::stderr().lock();
    write!(out, "{prompt}").and_then(|()| out.flush())?;
    let read = line(&mut io::stdin().lock());
    // The terminal did not show the line end either.
    writeln!(out)?;
    read
}

/// The first line, without its end; far more than a password is not read.
fn line(input: &mut dyn BufRead) -> io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(PASSWORD.saturating_mul(4)).unwrap_or(u64::MAX);
    input.take(most).read_line(&mut text)?;
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(text)
}

/// The terminal does not show what is typed, until dropped.
struct Quiet(Termios);

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _as_it_was = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
