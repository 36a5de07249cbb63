//! What is typed for commands that help to set up logins.

use argh::FromArgs;

use crate::config::BadValue;
use crate::limits::{DEFAULT_PASSWORD_COST, PASSWORD_COST};

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
