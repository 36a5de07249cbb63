//! `fanin push APP [FILE]`: one page to a push source or to a route that receives, and what became of it.

mod http;
mod raw;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{self, Door};
use crate::limits::DEFAULT_BODY;

/// Where push sources listen in the README's examples and in packages: tried in this order.
const SOCKET: &str = "/var/run/fanin/push.sock";
const ADDRESS: &str = "127.0.0.1:6554";

pub(super) fn run(typed: &cli::Push) -> ExitCode {
    let text = match read(typed.file.as_deref()) {
        Ok(text) => text,
        Err(error) => {
            cli::complain(error);
            return ExitCode::FAILURE;
        }
    };
    let door = typed.to.clone().unwrap_or_else(default_door);
    let done = match &door {
        Door::Tcp(place) => raw::tcp(place, (&typed.app, &text)),
        Door::Unix(path) => raw::unix(path, (&typed.app, &text)),
        Door::Http(url) => http::put(url, typed, text.as_bytes()),
    };
    if let Err(error) = done {
        cli::complain(format_args!("{}: {error}", Place(&door)));
        return error.code();
    }
    if typed.verbose {
        let said = cli::say(format_args!("{}: accepted\n", Place(&door)));
        return if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    ExitCode::SUCCESS
}

fn default_door() -> Door {
    let socket = PathBuf::from(SOCKET);
    if socket.exists() { Door::Unix(socket) } else { Door::Tcp(ADDRESS.into()) }
}

/// As it is typed.
struct Place<'a>(&'a Door);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Door::Tcp(place) => write!(f, "tcp://{place}"),
            Door::Unix(path) => write!(f, "unix://{}", path.display()),
            Door::Http(url) => f.write_str(url),
        }
    }
}

/// The page, which is as long as fanin takes one unless it is told otherwise, and is UTF-8.
fn read(file: Option<&Path>) -> Result<String, String> {
    let (name, bytes) = match file {
        None => ("standard input".into(), all_of(&mut io::stdin().lock())),
        Some(path) => {
            let bytes = File::open(path).and_then(|mut file| all_of(&mut file));
            (path.display().to_string(), bytes)
        }
    };
    let bytes = bytes.map_err(|error| format!("{name}: {error}"))?;
    if bytes.len() > DEFAULT_BODY {
        return Err(format!("{name}: longer than {DEFAULT_BODY} bytes"));
    }
    // What a script writes that fails: it must not take the place of a page.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(format!("{name}: empty: nothing was sent"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
        format!("{name}:{line}: not UTF-8")
    })
}

fn all_of(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(DEFAULT_BODY.saturating_add(1)).unwrap_or(u64::MAX);
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a page was not taken, or may not have been.
#[derive(Debug)]
enum Failure {
    /// A flag's value is of no use.
    Flag(String),
    /// The other end cannot be reached, or the connection broke.
    Io(&'static str, io::Error),
    /// Over HTTP, the same.
    Fetch(crate::source::ScrapeError),
    /// It says that it did not take it, and why.
    Refused(String),
    /// It closed without a word: what became of the page is not known.
    Silent,
    /// What it says is no answer.
    Strange(String),
    /// It answered with this status.
    Status(u16, String),
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Self::Flag(_) => ExitCode::from(super::USED_WRONGLY),
            _ => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(text) => f.write_str(text),
            Self::Io(doing, error) => write!(f, "{doing}: {error}"),
            Self::Fetch(error) => write!(f, "{error:#}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Silent => f.write_str(
                "closed without an answer: is it a push source of fanin that takes JSON? \
                 The page may have been taken or not",
            ),
            Self::Strange(text) => write!(f, "this is no answer of a push source: {text:?}"),
            Self::Status(status, text) if text.is_empty() => write!(f, "answered {status}"),
            Self::Status(status, text) => write!(f, "answered {status}: {text}"),
        }
    }
}
