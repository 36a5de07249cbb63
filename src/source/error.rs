//! Why a source gave no page.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::exposition::IndexError;
use crate::http::fetch::{Brief, FetchError};
#[cfg(feature = "gzip")]
use crate::http::gzip::GzipFault;
#[cfg(feature = "klipper")]
use crate::json::Malformed;
use crate::limits::{FILE_READS, FILES};
use crate::memory::{Full, PageError};

/// Why a source gave no page this time.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScrapeError {
    /// The exporter could not be asked, or its answer not read.
    Fetch(FetchError),
    /// No whole page in this time.
    Timeout(Duration),
    /// The exporter answered with this status instead of 200.
    Status(u16),
    /// Its page is in a content coding that is not understood.
    Encoding(Box<str>),
    /// Its page cannot be inflated.
    #[cfg(feature = "gzip")]
    Gzip(GzipFault),
    /// Its page is too long, or a line of it.
    Page(PageError),
    /// Its page cannot be merged.
    Index(IndexError),
    /// There was no memory for the page; the next scrape asks for more.
    Memory,
    /// There is no room left for pages that stay, and this one is fetched to stay.
    NotKept,
    /// A reply is no JSON.
    #[cfg(feature = "klipper")]
    Json(Malformed),
    /// A reply has not what was asked for.
    #[cfg(feature = "klipper")]
    Unasked,
    /// A file cannot be read.
    File(FileFault),
    /// A file was not written for this long, which is longer than it may be.
    Stale(Duration, Duration),
    /// A command cannot be run, or did not end well.
    Exec(ExecFault),
    /// Any of these, in one of a source's files.
    In(FileName, Box<Self>),
}

/// Why a file cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileFault {
    /// No file fits the pattern.
    NoMatch,
    /// More than [`FILES`] do.
    TooMany,
    /// It is a folder, a device or a socket.
    Kind,
    /// It changed each time it was read.
    Changing,
    /// The system says this.
    Io(io::Error),
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMatch => f.write_str("no file has such a name"),
            Self::TooMany => write!(f, "more than {FILES} files or folders have such a name"),
            Self::Kind => f.write_str("neither a file nor a FIFO"),
            Self::Changing => write!(f, "changed while it was read, {FILE_READS} times in a row"),
            Self::Io(fault) => Brief(fault).fmt(f),
        }
    }
}

/// Why a command gave no page.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecFault {
    /// It cannot be started; what may help.
    Start(FileName, io::Error, Option<&'static str>),
    /// Its output or its end cannot be read.
    Read(io::Error),
    /// It ended with this status instead of 0.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
    /// The program is ending, and starts nothing any more.
    Ending,
}

impl fmt::Display for ExecFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(name, fault, hint) => {
                f.write_str("cannot start \"")?;
                name.fmt(f)?;
                write!(f, "\": {}", Brief(fault))?;
                hint.map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Self::Read(fault) => write!(f, "its output: {}", Brief(fault)),
            Self::Exited(status) => write!(f, "exited with {status}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::Ending => f.write_str("not started: fanin is ending"),
        }
    }
}

/// A file as messages and metrics name it.
///
/// `{}` is what scrapers may see: its path below the folder that the configuration names. `{:#}` is
/// the whole path, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    pub(super) folder: PathBuf,
    pub(super) below: PathBuf,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.folder.join(&self.below);
        let path = if f.alternate() { &whole } else { &self.below };
        // Names can hold anything, and two of them must not look the same.
        for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    c if c == '\\' || c.is_control() => write!(f, "{}", c.escape_default())?,
                    c => fmt::Write::write_char(f, c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl ScrapeError {
    /// The `reason` label of `fanin_source_failures_total`: a closed set, so the series stay few.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Fetch(error) => match error {
                FetchError::Resolve(_) => "resolve",
                FetchError::Connect(..) | FetchError::OutOfReach(_) => "connect",
                FetchError::Redirect(_) => "redirect",
                #[cfg(feature = "tls")]
                FetchError::Tls(..) => "tls",
                FetchError::Malformed(_) | FetchError::Request => "protocol",
                // What else there is means that the connection ended before the page did.
                _ => "closed",
            },
            Self::Timeout(_) => "timeout",
            Self::Status(_) => "status",
            Self::Encoding(_) => "encoding",
            #[cfg(feature = "gzip")]
            Self::Gzip(_) => "encoding",
            Self::Page(PageError::TooLarge(_)) => "too_large",
            Self::Page(PageError::LineTooLong) => "line_too_long",
            Self::Index(IndexError::Malformed { .. }) => "malformed",
            Self::Index(IndexError::TooManyFamilies(_) | IndexError::TooManyRuns) => {
                "too_fragmented"
            }
            Self::Page(PageError::Full) | Self::Index(IndexError::Full) | Self::Memory => "memory",
            Self::NotKept => "memory",
            #[cfg(feature = "klipper")]
            Self::Json(_) | Self::Unasked => "malformed",
            Self::File(_) => "file",
            Self::Stale(..) => "stale",
            Self::Exec(_) => "exec",
            Self::In(_, error) => error.reason(),
        }
    }
}

impl ScrapeError {
    /// The same in this file. Where there was no memory, no file is to blame.
    #[must_use]
    #[cfg(feature = "local")]
    pub(super) fn in_file(self, name: FileName) -> Self {
        match self {
            Self::Memory => Self::Memory,
            error => Self::In(name, Box::new(error)),
        }
    }

    /// Whether there was no memory for it, so that it can be repeated once there is.
    #[must_use]
    pub const fn is_memory(&self) -> bool {
        matches!(self, Self::Memory)
    }
}

impl fmt::Display for ScrapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => error.fmt(f),
            Self::Timeout(time) => {
                // To the millisecond: what is left of a deadline is never a round number.
                let millis = u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
                write!(f, "no whole page within {:?}", Duration::from_millis(millis))
            }
            Self::Status(status) => write!(f, "answered {status} instead of 200"),
            Self::Encoding(coding) => write!(f, "content coding {coding:?} is not understood"),
            #[cfg(feature = "gzip")]
            Self::Gzip(fault) => fault.fmt(f),
            Self::Page(error) => error.fmt(f),
            Self::Index(error) => error.fmt(f),
            Self::Memory => Full.fmt(f),
            Self::NotKept => f.write_str("limits.kept has no room left for its page"),
            #[cfg(feature = "klipper")]
            Self::Json(fault) => write!(f, "malformed JSON: {fault}"),
            #[cfg(feature = "klipper")]
            Self::Unasked => f.write_str("the answer is not one of Moonraker's"),
            Self::File(fault) => fault.fmt(f),
            Self::Stale(age, most) => {
                let (age, most) = (age.as_secs(), most.as_secs_f64());
                write!(f, "written {age}s ago, and may be {most}s old")
            }
            Self::Exec(fault) => fault.fmt(f),
            Self::In(name, error) => {
                name.fmt(f)?;
                write!(f, ": {error}")
            }
        }
    }
}

impl Error for ScrapeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Fetch(error) => error.source(),
            Self::In(_, error) => error.source(),
            _ => None,
        }
    }
}

impl From<FetchError> for ScrapeError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

#[cfg(feature = "klipper")]
impl From<Malformed> for ScrapeError {
    fn from(fault: Malformed) -> Self {
        Self::Json(fault)
    }
}

impl From<FileFault> for ScrapeError {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}

impl From<ExecFault> for ScrapeError {
    fn from(fault: ExecFault) -> Self {
        Self::Exec(fault)
    }
}

impl From<io::Error> for ScrapeError {
    fn from(fault: io::Error) -> Self {
        Self::File(FileFault::Io(fault))
    }
}

impl From<Full> for ScrapeError {
    fn from(_: Full) -> Self {
        Self::Memory
    }
}

impl From<PageError> for ScrapeError {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Full => Self::Memory,
            error => Self::Page(error),
        }
    }
}

impl From<IndexError> for ScrapeError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Full => Self::Memory,
            error => Self::Index(error),
        }
    }
}
