//! What was typed: flags and commands, and the two streams that commands write to.
//!
//! argh reads the words; before it sees them, the habits of other exporters are put into its form:
//! `--web.listen-address=:9100` becomes `--listen :9100`. Its messages, made for several lines, are
//! put into one.

#[cfg(feature = "pipe")]
mod carry;
#[cfg(feature = "push")]
mod hub;
#[cfg(feature = "klipper")]
mod probe;
#[cfg(feature = "push")]
mod push;
#[cfg(feature = "tls")]
mod secure;
#[cfg(feature = "tools")]
mod tools;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use argh::{FromArgs, SubCommands};

#[cfg(feature = "pipe")]
pub use self::carry::{Send, Token};
#[cfg(feature = "push")]
pub use self::hub::Receive;
#[cfg(feature = "klipper")]
pub use self::probe::Probe;
#[cfg(feature = "push")]
pub use self::push::{App, Door, Push, Ttl};
#[cfg(feature = "tls")]
pub use self::secure::{Cert, HashPassword, Host};
#[cfg(feature = "tools")]
pub use self::tools::{Init, Install, Label, Lint, Merge, NamedPage, Place};
use crate::config::{self, Listen};
use crate::telemetry::log::Format;

/// What `fanin --version` prints.
pub const VERSION: &str = concat!("fanin ", env!("CARGO_PKG_VERSION"));

/// What one is called whose name the system did not pass on.
const PROGRAM: &str = "fanin";

/// Flags that users of Prometheus and its exporters type, once their dots are dashes.
const ALIASES: [(&str, &str); 2] =
    [("--web-listen-address", "--listen"), ("--config-file", "--config")];

/// Gathers Prometheus metrics from many exporters and hands them on as one page.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(
    note = "Dots in flags stand for dashes and `=` for a blank: --web.listen-address=:9100 is --listen :9100.",
    example = "{command_name} serve --config fanin.yaml",
    help_triggers("--help", "-h", "help")
)]
struct Typed {
    /// print the version
    #[argh(switch, short = 'V')]
    version: bool,

    #[argh(subcommand)]
    command: Option<Command>,
}

/// What to do.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand)]
pub enum Command {
    /// `fanin serve`.
    Serve(Serve),
    /// `fanin init`.
    #[cfg(feature = "tools")]
    Init(Init),
    /// `fanin install`.
    #[cfg(feature = "tools")]
    Install(Install),
    /// `fanin check`.
    Check(Check),
    /// `fanin send`.
    #[cfg(feature = "pipe")]
    Send(Send),
    /// `fanin receive`.
    #[cfg(feature = "push")]
    Receive(Receive),
    /// `fanin push`.
    #[cfg(feature = "push")]
    Push(Push),
    /// `fanin token`.
    #[cfg(feature = "pipe")]
    Token(Token),
    /// `fanin lint`.
    #[cfg(feature = "tools")]
    Lint(Lint),
    /// `fanin merge`.
    #[cfg(feature = "tools")]
    Merge(Merge),
    /// `fanin probe`.
    #[cfg(feature = "klipper")]
    Probe(Probe),
    /// `fanin cert`.
    #[cfg(feature = "tls")]
    Cert(Cert),
    /// `fanin hash-password`.
    #[cfg(feature = "tls")]
    HashPassword(HashPassword),
}

impl Command {
    /// What is wrong with words that argh has taken.
    fn fault(&self) -> Option<String> {
        match self {
            #[cfg(feature = "tools")]
            Self::Merge(merge) => merge.fault(),
            #[cfg(feature = "push")]
            Self::Receive(receive) => receive.fault(),
            #[cfg(feature = "tls")]
            Self::Cert(cert) => cert.fault(),
            #[cfg(feature = "push")]
            Self::Push(push) => push.fault(),
            _ => None,
        }
    }
}

/// Serves merged pages; without a file, those of all exporters found on this machine.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "serve", help_triggers("--help", "-h", "help"))]
pub struct Serve {
    /// the configuration
    #[argh(option, arg_name = "FILE")]
    pub config: Option<PathBuf>,

    /// where to listen, in place of what the configuration says: HOST:PORT, :PORT (everywhere), PORT
    /// (127.0.0.1), unix:///PATH; may be repeated
    #[argh(option, arg_name = "ADDR")]
    pub listen: Vec<Listen>,

    /// error, warn, info (default), debug or trace
    #[argh(option, arg_name = "LEVEL", default = "log::LevelFilter::Info", from_str_fn(level))]
    pub log_level: log::LevelFilter,

    /// text, json or journald; without it, journald if the journal listens, else text
    #[argh(option, arg_name = "FORMAT")]
    pub log_format: Option<Format>,
}

/// Says what is wrong with a configuration, and starts nothing.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "check", help_triggers("--help", "-h", "help"))]
pub struct Check {
    /// the configuration
    #[argh(positional, arg_name = "FILE")]
    pub file: PathBuf,
}

/// A level of the log, by its name.
fn level(text: &str) -> Result<log::LevelFilter, String> {
    match text {
        "error" => Ok(log::LevelFilter::Error),
        "warn" | "warning" => Ok(log::LevelFilter::Warn),
        "info" => Ok(log::LevelFilter::Info),
        "debug" => Ok(log::LevelFilter::Debug),
        "trace" => Ok(log::LevelFilter::Trace),
        _ => Err("is none of error, warn, info, debug, trace".to_owned()),
    }
}

/// What to print instead of doing something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Early {
    /// Help or the version, as asked for: standard output, exit code 0.
    Answer(String),
    /// What was typed is wrong: standard error, exit code 2.
    Usage(String),
}

impl Early {
    /// Prints it and tells the exit code.
    #[must_use]
    pub fn exit(self) -> ExitCode {
        match self {
            Self::Answer(text) => {
                let said = say(format_args!("{}\n", text.trim_end()));
                if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Self::Usage(text) => {
                complain(text.trim_end());
                ExitCode::from(2)
            }
        }
    }
}

/// Writes to standard output.
///
/// # Errors
///
/// What the system says, but for a closed pipe: whoever closed it wants no more, which is no fault.
pub fn say(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes a line to standard error, as far as there is one.
pub fn complain(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Reads the words behind the program's name.
///
/// # Errors
///
/// [`Early`]: the user asked for help or the version, or typed something wrong.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, Early> {
    let words = rewrite(words).map_err(|word| {
        usage(&[], format_args!("\"{}\" is not UTF-8", word.to_string_lossy().escape_debug()))
    })?;
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if matches!(words.first(), Some(&("lint" | "push"))) {
        // Standard input is what is read without a file; argh would take `-` for a flag.
        words.retain(|word| *word != "-");
    }
    let typed = Typed::from_args(&[PROGRAM], &words).map_err(|early| match early.status {
        Ok(()) => Early::Answer(early.output),
        Err(()) => usage(&words, one_line(&early.output, &words)),
    })?;
    match typed {
        Typed { version: true, .. } => Err(Early::Answer(VERSION.to_owned())),
        Typed { command: Some(command), .. } => match command.fault() {
            Some(fault) => Err(usage(&words, fault)),
            None => Ok(command),
        },
        Typed { command: None, .. } => Err(Early::Usage(help())),
    }
}

/// The help of the whole program.
fn help() -> String {
    Typed::from_args(&[PROGRAM], &["--help"]).err().map(|early| early.output).unwrap_or_default()
}

/// One clear line, and where more is to be learnt.
fn usage(words: &[&str], message: impl fmt::Display) -> Early {
    let command = command_name(words).map(|name| format!(" {name}")).unwrap_or_default();
    Early::Usage(format!("{PROGRAM}: {message} (see `{PROGRAM}{command} --help`)"))
}

/// The command among the words.
fn command_name(words: &[&str]) -> Option<&'static str> {
    let names = Command::COMMANDS.iter().map(|command| command.name);
    names.into_iter().find(|name| words.first() == Some(name))
}

/// argh's message in one line, with our words.
fn one_line(message: &str, words: &[&str]) -> String {
    let message = message.trim_end();
    if let Some(word) = message.strip_prefix("Unrecognized argument: ") {
        return unknown(word, words);
    }
    if let Some(flag) = message.strip_prefix("No value provided for option '") {
        return format!("{} needs a value", flag.trim_end_matches("'."));
    }
    if let Some(names) = message.strip_prefix("Required positional arguments not provided:") {
        return format!("{} is missing", names.split_whitespace().collect::<Vec<_>>().join(", "));
    }
    let flag = message.strip_prefix("Error parsing option '");
    let place = message.strip_prefix("Error parsing positional argument '");
    let parts = flag.or(place).and_then(|rest| {
        let (name, rest) = rest.split_once("' with value '")?;
        // The value may hold the divider too; the rule never does.
        let (value, rule) = rest.rsplit_once("': ")?;
        Some((name, value, rule))
    });
    match parts {
        Some((name, value, "duplicate values provided")) => {
            format!("{name}: \"{}\" is one value too many", value.escape_debug())
        }
        // argh names a place by its field here, which tells the user nothing.
        Some((_, value, rule)) if flag.is_none() => format!("\"{}\" {rule}", value.escape_debug()),
        Some((name, value, rule)) => format!("{name}: \"{}\" {rule}", value.escape_debug()),
        None => message.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// A word that nobody knows.
fn unknown(word: &str, words: &[&str]) -> String {
    let quoted = word.escape_debug();
    match command_name(words) {
        Some(_) if word.starts_with('-') => format!("there is no flag {quoted}"),
        Some(_) => format!("\"{quoted}\" is one word too many"),
        None if word.starts_with('-') => {
            format!("there is no flag {quoted} before a command such as serve")
        }
        None => {
            let names: Vec<&str> = Command::COMMANDS.iter().map(|command| command.name).collect();
            let hint = config::did_you_mean(word, &names);
            format!("there is no command \"{quoted}\"{hint}")
        }
    }
}

/// Puts long flags into argh's form, up to `--`.
///
/// # Errors
///
/// The first word that is not UTF-8.
fn rewrite(words: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, OsString> {
    let mut rewritten = Vec::new();
    let mut flags = true;
    for word in words {
        let word = word.into_string()?;
        flags &= word != "--";
        // Go's flags, which the old tools have, may begin with one dash.
        let single = word.strip_prefix('-').filter(|rest| rest.len() > 1 && !rest.starts_with('-'));
        let word = single.map(|rest| format!("--{rest}")).filter(|_| flags).unwrap_or(word);
        if !flags || !word.starts_with("--") {
            rewritten.push(word);
            continue;
        }
        match word.split_once('=') {
            Some((flag, value)) => rewritten.extend([dashed(flag), value.to_owned()]),
            None => rewritten.push(dashed(&word)),
        }
    }
    Ok(rewritten)
}

/// `--web.listen-address` as `--listen`.
fn dashed(flag: &str) -> String {
    let flag = flag.replace('.', "-");
    let alias = ALIASES.iter().find(|(alias, _)| *alias == flag);
    alias.map_or(flag, |(_, ours)| (*ours).to_owned())
}

#[cfg(test)]
mod tests;
