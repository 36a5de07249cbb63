//! What is typed for commands that help to set up logins and TLS.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use argh::FromArgs;

use crate::config::BadValue;
use crate::limits::{DEFAULT_PASSWORD_COST, PASSWORD_COST, SERVER_NAME};

/// Prints the hash of a password, as `basic` in a server's `auth` wants it.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "hash-password",
    help_triggers("--help", "-h", "help"),
    note = "At a terminal the password is asked for twice, and not shown. Else it is the first line of \
            standard input."
)]
pub struct HashPassword {
    /// how much work a guess is, from 4 to 15 (default 10); one more is twice as much, for fanin too
    #[argh(option, arg_name = "NUMBER", default = "DEFAULT_PASSWORD_COST", from_str_fn(cost))]
    pub cost: u32,
}

fn cost(text: &str) -> Result<u32, String> {
    let cost = text.parse().ok().filter(|cost| PASSWORD_COST.contains(cost));
    let (least, most) = PASSWORD_COST.into_inner();
    cost.ok_or_else(|| BadValue::new(format!("is not between {least} and {most}")).to_string())
}

/// Writes a certificate that signs itself and its key, good enough to begin with TLS.
#[derive(FromArgs, Debug, PartialEq)]
#[argh(
    subcommand,
    name = "cert",
    help_triggers("--help", "-h", "help"),
    note = "Names and addresses are those by which clients reach this machine: fanin cert localhost \
            192.168.1.7 pi.lan"
)]
pub struct Cert {
    /// names and IP addresses of this machine
    #[argh(positional, arg_name = "HOST")]
    pub hosts: Vec<Host>,

    /// where the certificate goes (default cert.pem); nothing is overwritten
    #[argh(option, arg_name = "FILE", default = "\"cert.pem\".into()")]
    pub cert: PathBuf,

    /// where the key goes (default key.pem)
    #[argh(option, arg_name = "FILE", default = "\"key.pem\".into()")]
    pub key: PathBuf,

    /// how long it is valid (default 825)
    #[argh(option, arg_name = "NUMBER", default = "825", from_str_fn(days))]
    pub days: u16,
}

impl Cert {
    /// What argh does not see.
    pub(super) fn fault(&self) -> Option<String> {
        match self.hosts.len() {
            0 => Some("HOST is missing".to_owned()),
            1..=HOSTS => None,
            many => Some(format!("{many} hosts, of {HOSTS} at most")),
        }
    }
}

/// Names that a certificate may have.
const HOSTS: usize = 64;

/// A DNS name, perhaps with `*.` in front, or an IP address.
#[derive(Debug, PartialEq, Eq)]
pub struct Host(pub String);

impl FromStr for Host {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let name = text.strip_prefix("*.").unwrap_or(text);
        let good = text.len() <= SERVER_NAME && name.split('.').all(label);
        if good || text.parse::<IpAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err(BadValue::new("is neither a DNS name nor an IP address"))
    }
}

fn days(text: &str) -> Result<u16, String> {
    let days = text.parse().ok().filter(|days| (1..=3650).contains(days));
    days.ok_or_else(|| "is not between 1 and 3650".to_owned())
}
