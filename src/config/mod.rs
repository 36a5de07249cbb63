//! The configuration file: what an operator writes becomes what the program needs.
//!
//! ```text
//!   text ───────> Node ──────────> file::File ────────────> Plan
//!        node.rs       shape.rs                build.rs
//!        YAML          keys and shapes         values, names, limits
//! ```
//!
//! The first step is the YAML parser's; every single value stays the text it was in the file, so that
//! `version: 1.10` is not a number. The second knows which keys there are and what shape their values
//! have, the third reads the values and resolves names. A fault of the parser has its place from
//! there, the others know their path, and the file is walked once more to it (`locate.rs`). Sources
//! in files of their own (`folder.rs`) go the same way and meet the others in the third step.
//!
//! Keys of what is not here are known and refused as `not built yet`, apart from misspelt ones.

mod access;
mod account;
mod address;
mod at;
mod build;
#[cfg(feature = "local")]
mod command;
mod error;
#[cfg(feature = "tools")]
mod example;
mod file;
mod folder;
#[cfg(feature = "klipper")]
mod klipper;
mod locate;
mod near;
mod network;
mod node;
mod outlet;
#[cfg(feature = "local")]
mod pattern;
#[cfg(feature = "pipe")]
mod pipe;
mod plan;
#[cfg(feature = "push")]
mod push;
#[cfg(feature = "push")]
mod receiving;
mod route;
#[cfg(feature = "push")]
mod sd;
mod secret;
mod shape;
mod source;
#[cfg(feature = "klipper")]
mod targets;
#[cfg(feature = "tls")]
mod tls;
mod value;
#[cfg(feature = "tls")]
mod web;

use std::fs;
use std::io::{self, Read};
use std::path::Path;

pub use self::address::{BadAddress, Listen};
pub use self::error::ConfigError;
#[cfg(feature = "tools")]
pub use self::example::example;
#[cfg(feature = "klipper")]
pub use self::klipper::{Module, Modules, Ways, is_key, printer};
pub(crate) use self::near::did_you_mean;
pub use self::network::Network;
#[cfg(feature = "local")]
pub use self::pattern::{NamePattern, PathPattern, Segment};
#[cfg(feature = "pipe")]
pub use self::pipe::{Pipe, Protocol, Sending, pipe_every, place_to_put};
pub use self::plan::{
    Auth, DEFAULT_LABEL, Every, Found, Http, Kind, Limits, ManyServers, Member, Merge, OnConflict,
    OnMalformed, Outlet, Plan, Proxy, Redirects, Route, Server, Source,
};
#[cfg(feature = "local")]
pub use self::plan::{Exec, File};
#[cfg(feature = "klipper")]
pub use self::plan::{Klipper, Probe};
#[cfg(feature = "push")]
pub use self::plan::{Push, PushFormat};
#[cfg(feature = "push")]
pub use self::receiving::Receiving;
pub use self::route::RoutePath;
#[cfg(feature = "push")]
pub use self::sd::{Advertised, Sd};
pub use self::secret::Secret;
#[cfg(feature = "push")]
pub use self::source::bearer_token;
#[cfg(feature = "klipper")]
pub use self::targets::Targets;
#[cfg(feature = "tls")]
pub use self::tls::{ClientTls, ServerTls, TlsVersions};
#[cfg(feature = "push")]
pub(crate) use self::value::duration;
pub use self::value::{BadValue, label_name, source_name};

use crate::limits;

/// Some editors begin a file with it; it says nothing.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads the configuration file at `path` and everything it refers to (secrets, environment).
///
/// Relative paths in the file start at its folder, those in a file of `sources_dir` at the folder
/// that this one is in. Nothing is opened but files: no address is bound, no name looked up.
///
/// # Errors
///
/// [`ConfigError`] for the first fault found. Its `{}` is one line, fit for the log; `{:#}` adds the
/// offending line of the file with a caret.
pub fn load(path: &Path) -> Result<Plan, ConfigError> {
    let text = read(path, fs::File::open(path))?;
    parse(&text, path, &|name| std::env::var(name).ok())
}

/// As [`load`], for text that is at hand. `path` names it in messages and is where relative paths
/// start; `env` looks up `${NAME}`.
///
/// # Errors
///
/// As [`load`].
pub fn parse(
    text: &str,
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, ConfigError> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let file = shape::read(text).map_err(|fault| fault.in_file(path, text))?;
    let context = build::Context::new(path, env);
    let listed = folder::list(&file, path, &context).map_err(|fault| fault.in_file(path, text))?;
    let folders = listed.read(&file, path)?;
    build::plan(&file, &folders, &context).map_err(|fault| folders.in_file(fault, path, text))
}

/// The text of an open file, at most [`limits::CONFIG_FILE`] bytes of it.
fn read(path: &Path, file: io::Result<fs::File>) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable(path.to_owned(), error);
    let limit = u64::try_from(limits::CONFIG_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() > limits::CONFIG_FILE {
        return Err(ConfigError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes)
        .map_err(|error| ConfigError::NotUtf8(path.to_owned(), error.utf8_error().valid_up_to()))
}
