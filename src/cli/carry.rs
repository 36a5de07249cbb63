//! What is typed to carry pages without a configuration: `send`, `token`.

use std::path::PathBuf;
use std::time::Duration;

use argh::FromArgs;

use super::level;
use crate::config::{self, Sending};
use crate::http::url::Target;
use crate::limits::SEND_EVERY;
use crate::telemetry::log::Format;

/// Sends the page of one exporter somewhere, again and again: a pipe without a configuration.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "send", help_triggers("--help", "-h", "help"))]
pub struct Send {
    /// the exporter, such as http://127.0.0.1:9100/metrics
    #[argh(option, arg_name = "URL", from_str_fn(url))]
    pub from: String,

    /// where its page goes, such as http://10.0.0.2/metrics/home/pi
    #[argh(option, arg_name = "URL", from_str_fn(place))]
    pub to: String,

    /// a file with the token that the other end asks for
    #[argh(option, arg_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// how often (default 4s)
    #[argh(option, arg_name = "TIME", default = "SEND_EVERY", from_str_fn(every))]
    pub every: Duration,

    /// error, warn, info (default), debug or trace
    #[argh(option, arg_name = "LEVEL", default = "log::LevelFilter::Info", from_str_fn(level))]
    pub log_level: log::LevelFilter,

    /// text, json or journald; without it, journald if the journal listens, else text
    #[argh(option, arg_name = "FORMAT")]
    pub log_format: Option<Format>,
}

impl Send {
    /// What is to be done.
    #[must_use]
    pub fn sending(self) -> Sending {
        Sending { from: self.from, to: self.to, token_file: self.token_file, every: self.every }
    }
}

/// Prints a new token, for both ends of a pipe.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "token", help_triggers("--help", "-h", "help"))]
pub struct Token {}

fn url(text: &str) -> Result<String, String> {
    Target::parse(text).map(|_| text.to_owned()).map_err(|error| error.rule().to_string())
}

fn place(text: &str) -> Result<String, String> {
    config::place_to_put(text).map_err(|rule| rule.to_string())
}

fn every(text: &str) -> Result<Duration, String> {
    config::pipe_every(text).map_err(|rule| rule.to_string())
}
