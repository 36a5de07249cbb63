//! What is typed for commands that serve nothing: `init`, `install`, `lint`, `merge`.

use std::path::PathBuf;
use std::str::FromStr;

use argh::FromArgs;

use crate::command::install::Manager;
use crate::config::{self, BadValue, DEFAULT_LABEL, OnConflict};
use crate::http::url::Target;

/// Prints a configuration to start from, with all exporters found on this machine.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "init", help_triggers("--help", "-h", "help"))]
pub struct Init {}

/// Makes fanin a service of this machine: writes its files, and says what to type next.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "install", help_triggers("--help", "-h", "help"))]
pub struct Install {
    /// say what would be written or removed, and do nothing
    #[argh(switch)]
    pub dry_run: bool,

    /// remove the service again; the configuration stays
    #[argh(switch)]
    pub uninstall: bool,

    /// systemd, procd (OpenWrt) or openrc; without it, the one that is here
    #[argh(option, arg_name = "NAME")]
    pub manager: Option<Manager>,

    /// the service's configuration; without it, /etc/fanin/fanin.yaml, with procd /etc/fanin.yaml
    #[argh(option, arg_name = "FILE")]
    pub config: Option<PathBuf>,

    /// where the machine's files are, such as a mounted card; without it, /
    #[argh(option, arg_name = "FOLDER")]
    pub root: Option<PathBuf>,
}

/// Says what is wrong with a page of metrics, as Prometheus would.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "lint", help_triggers("--help", "-h", "help"))]
pub struct Lint {
    /// the page; standard input without it, or for -
    #[argh(positional, arg_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Writes several pages to standard output as one.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(subcommand, name = "merge", help_triggers("--help", "-h", "help"))]
pub struct Merge {
    /// a name and where its page is: node=http://127.0.0.1:9100/metrics, cron=cron.prom, x=- (standard
    /// input)
    #[argh(positional, arg_name = "NAME=FILE_OR_URL")]
    pub pages: Vec<NamedPage>,

    /// the label that tells each sample's source (default exporter_name), or none
    #[argh(option, arg_name = "NAME", default = "Label(Some(DEFAULT_LABEL.into()))")]
    pub label: Label,

    /// when a sample has such a label: rename (default), override or keep
    #[argh(option, arg_name = "HOW", default = "OnConflict::default()")]
    pub on_conflict: OnConflict,
}

impl Merge {
    /// What argh does not see.
    pub(super) fn fault(&self) -> Option<String> {
        if self.pages.is_empty() {
            return Some("NAME=FILE_OR_URL is missing".to_owned());
        }
        self.repeated().map(|name| format!("\"{name}\" names two pages"))
    }

    /// A name that two pages have.
    fn repeated(&self) -> Option<&str> {
        let names = || self.pages.iter().map(|page| &*page.name);
        names()
            .enumerate()
            .find(|(at, name)| names().take(*at).any(|other| other == *name))
            .map(|(_, name)| name)
    }
}

/// A label's name, or `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(pub Option<Box<str>>);

impl FromStr for Label {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text == "none" {
            return Ok(Self(None));
        }
        config::label_name(text).map(|()| Self(Some(text.into())))
    }
}

/// `NAME=FILE_OR_URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPage {
    /// The value of the merge's label.
    pub name: Box<str>,
    /// Where the page is.
    pub place: Place,
}

/// Where a page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `-`.
    StandardInput,
    /// A file.
    File(PathBuf),
    /// `http://…` or `unix://…`.
    Url(Box<str>),
}

impl FromStr for NamedPage {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let named = text.split_once('=').filter(|(_, place)| !place.is_empty());
        let (name, place) = named.ok_or_else(|| BadValue::new("is not NAME=FILE_OR_URL"))?;
        config::source_name(name)
            .map_err(|rule| BadValue::new(format!("has a name that {rule}")))?;
        let place = match place {
            "-" => Place::StandardInput,
            url if ["http://", "https://", "unix://"].iter().any(|s| url.starts_with(s)) => {
                let judged = Target::parse(url).map_err(|error| error.rule());
                judged.map_err(|rule| BadValue::new(rule.to_string()))?;
                Place::Url(url.into())
            }
            file => Place::File(file.into()),
        };
        Ok(Self { name: name.into(), place })
    }
}
