//! What is typed to ask one printer.

use std::path::PathBuf;
use std::str::FromStr;

use argh::FromArgs;

use crate::config::{self, BadValue, Modules};
use crate::http::url::Target;

/// Asks a Klipper printer, and prints its metrics.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "probe", help_triggers("--help", "-h", "help"))]
pub struct Probe {
    /// the printer: HOST, HOST:PORT, http://HOST, unix:///SOCKET
    #[argh(positional, arg_name = "TARGET")]
    pub target: Printer,

    /// what it is asked for, such as server_info,printer_objects, or all
    #[argh(option, arg_name = "NAMES", default = "Listed(Modules::default())")]
    pub modules: Listed,

    /// a file with Moonraker's API key
    #[argh(option, arg_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
}

/// Where a printer is.
#[derive(Debug, Clone, PartialEq)]
pub struct Printer(pub Target);

impl FromStr for Printer {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        config::printer(text).map(Self)
    }
}

/// Modules with commas between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listed(pub Modules);

impl FromStr for Listed {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let mut modules = Modules::NONE;
        text.split(',').try_for_each(|name| modules.add(name))?;
        Ok(Self(modules))
    }
}
