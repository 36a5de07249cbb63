//! What is typed to bring a page: `push`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use argh::FromArgs;

use crate::base64::base64_url;
use crate::config::{self, BadValue};
use crate::http::url::Target;
use crate::source::push::Group;

/// Brings a page to a fanin, such as what a cron job has to tell.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "push",
    help_triggers("--help", "-h", "help"),
    note = "Nothing is printed where the page was taken; what is wrong goes to standard error."
)]
pub struct Push {
    /// the application's name; over HTTP, the job's
    #[argh(positional, arg_name = "APP")]
    pub app: App,

    /// the page; standard input without it, or for -
    #[argh(positional, arg_name = "FILE")]
    pub file: Option<PathBuf>,

    /// where to: tcp://HOST:PORT or unix:///PATH of a push source, or http://HOST/PATH of a route with
    /// receive; without it, unix:///var/run/fanin/push.sock if that is there, else tcp://127.0.0.1:6554
    #[argh(option, arg_name = "ADDR")]
    pub to: Option<Door>,

    /// how long the page is good for, such as 2d; over HTTP only
    #[argh(option, arg_name = "TIME", from_str_fn(ttl))]
    pub ttl: Option<Ttl>,

    /// a file with the token that the other end asks for; over HTTP only
    #[argh(option, arg_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// say so where the page was taken, too
    #[argh(switch)]
    pub verbose: bool,
}

impl Push {
    /// What argh does not see.
    pub(super) fn fault(&self) -> Option<String> {
        if matches!(self.to, Some(Door::Http(_))) {
            return None;
        }
        let flags = [(self.ttl.is_some(), "--ttl"), (self.token_file.is_some(), "--token-file")];
        let flag = flags.into_iter().find_map(|(there, flag)| there.then_some(flag))?;
        Some(format!("{flag} needs --to http://…: a push source's own address takes pages only"))
    }
}

/// An application's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App(pub Box<str>);

impl FromStr for App {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |fault| format!("is no name of an application: {fault}");
        Group::app(text).map(|_| Self(text.into())).map_err(wrong)
    }
}

/// Where a page is brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// `HOST:PORT` of a push source.
    Tcp(Box<str>),
    /// A socket of one.
    Unix(PathBuf),
    /// The URL of a route that receives, without the group.
    Http(Box<str>),
}

impl FromStr for Door {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        // As in the URL of an exporter, `:/` divides the socket from the path.
        let with_path = |path: &str| path.contains(":/");
        match text.split_once("://") {
            Some(("tcp", place)) => {
                let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
                let good = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
                if good {
                    Ok(Self::Tcp(place.into()))
                } else {
                    Err(BadValue::new("is no tcp://HOST:PORT"))
                }
            }
            Some(("unix", path)) if !with_path(path) => match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(BadValue::new("is no unix:///PATH")),
            },
            Some(("http" | "https" | "unix", _)) => {
                Target::parse(text).map_err(|error| BadValue::new(error.rule().to_string()))?;
                if text.contains('?') {
                    return Err(BadValue::new("has a query, where the job comes"));
                }
                Ok(Self::Http(text.trim_end_matches('/').into()))
            }
            _ => Err(BadValue::new("begins with none of tcp://, unix://, http://, https://")),
        }
    }
}

impl App {
    /// Its place below a route that receives: as the Pushgateway has it, in base64 where a path cannot
    /// have the name as it is.
    #[must_use]
    pub fn path(&self) -> String {
        let Self(name) = self;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.bytes().all(plain) && !matches!(&**name, "." | "..") {
            return format!("/job/{name}");
        }
        format!("/job@base64/{}", base64_url(name.as_bytes()))
    }
}

/// A time to live, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ttl(pub Box<str>);

fn ttl(text: &str) -> Result<Ttl, String> {
    let time: Duration = config::duration(text).map_err(|rule| rule.to_string())?;
    if time.is_zero() { Err("is no time".to_owned()) } else { Ok(Ttl(text.into())) }
}
