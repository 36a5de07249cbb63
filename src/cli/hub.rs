//! What is typed to receive pages without a configuration: `receive`.

use std::path::PathBuf;

use argh::FromArgs;

use super::level;
use crate::config::{Listen, Receiving};
use crate::telemetry::log::Format;

/// Takes the pages that others send to /metrics/JOB/INSTANCE and hands them on at the same path, with
/// a list for Prometheus at /sd: a hub without a configuration.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "receive", help_triggers("--help", "-h", "help"))]
pub struct Receive {
    /// where pages are brought, by who has the token: HOST:PORT, :PORT (everywhere), PORT (127.0.0.1),
    /// unix:///PATH; may be repeated
    #[argh(option, arg_name = "ADDR")]
    pub listen: Vec<Listen>,

    /// where they are read, without a token; without it, at --listen with the token; may be repeated
    #[argh(option, arg_name = "ADDR")]
    pub read: Vec<Listen>,

    /// a file with the token
    #[argh(option, arg_name = "FILE")]
    pub token_file: PathBuf,

    /// error, warn, info (default), debug or trace
    #[argh(option, arg_name = "LEVEL", default = "log::LevelFilter::Info", from_str_fn(level))]
    pub log_level: log::LevelFilter,

    /// text, json or journald; without it, journald if the journal listens, else text
    #[argh(option, arg_name = "FORMAT")]
    pub log_format: Option<Format>,
}

impl Receive {
    /// What argh cannot tell: a flag that may be repeated and must be there.
    pub(super) fn fault(&self) -> Option<String> {
        self.listen.is_empty().then(|| "--listen is missing".to_owned())
    }

    /// What is to be done.
    #[must_use]
    pub fn receiving(self) -> Receiving {
        Receiving { listen: self.listen, read: self.read, token_file: self.token_file }
    }
}
