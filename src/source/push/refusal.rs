//! Why a push is refused.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::capnp;
use super::group::BadGroup;
use crate::json;
use crate::memory::PageError;
use crate::source::ScrapeError;

/// Why a push is refused. What was there before stays.
#[derive(Debug)]
#[non_exhaustive]
pub enum PushError {
    /// What names the application or group does not.
    Group(BadGroup),
    /// The page is none.
    Page(ScrapeError),
    /// There is no room left for it: in `limits.kept`, or in all of `limits.memory`.
    Room(Room),
    /// There are as many applications and groups as there may be.
    TooMany(usize),
    /// What came is no JSON.
    Json(json::Malformed),
    /// It is JSON of another shape.
    Shape,
    /// What came is no Cap'n Proto message.
    Capnp(capnp::Fault),
    /// Its samples say when they were taken.
    Timestamps,
    /// It declares this family as something else than another group does.
    Inconsistent(String),
    /// It is in a content coding, or of a type, that is not understood.
    Coding,
    /// It did not come within this time.
    Timeout(Duration),
    /// The connection ended before it was whole.
    Closed,
}

/// What has no room left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// `limits.kept`.
    Kept,
    /// `limits.memory`.
    Memory,
}

impl PushError {
    /// The status with which a push over HTTP is answered.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Page(ScrapeError::Page(PageError::TooLarge(_))) => 413,
            Self::Room(Room::Memory) => 503,
            Self::Room(Room::Kept) | Self::TooMany(_) => 507,
            Self::Timeout(_) => 408,
            _ => 400,
        }
    }

    /// The `reason` label of `fanin_push_refused_total`: a closed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Group(_) => "name",
            Self::Page(error) => error.reason(),
            Self::Room(Room::Kept) => "kept",
            Self::Room(Room::Memory) => "memory",
            Self::TooMany(_) => "too_many",
            Self::Json(_) | Self::Shape => "json",
            Self::Capnp(_) => "capnp",
            Self::Timestamps => "timestamps",
            Self::Inconsistent(_) => "inconsistent",
            Self::Coding => "encoding",
            Self::Timeout(_) => "timeout",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(fault) => fault.fmt(f),
            Self::Page(error) => error.fmt(f),
            Self::Room(Room::Kept) => f.write_str("limits.kept has no room left for its page"),
            Self::Room(Room::Memory) => f.write_str("limits.memory has no room left for its page"),
            Self::TooMany(most) => write!(f, "there are {most} applications and groups already"),
            Self::Json(fault) => write!(f, "no JSON: {fault}"),
            Self::Shape => {
                f.write_str("not an object of applications with a text, or a list of lines, each")
            }
            Self::Capnp(fault) => write!(f, "no Cap'n Proto message: {fault}"),
            Self::Timestamps => f.write_str("pushed samples must not have timestamps"),
            Self::Inconsistent(name) => write!(f, "another group has {name} with another type"),
            Self::Coding => f.write_str("the body is packed in a way that is not understood"),
            Self::Timeout(limit) => write!(f, "not whole within {limit:?}"),
            Self::Closed => f.write_str("the connection ended before it was whole"),
        }
    }
}

impl Error for PushError {}

impl From<BadGroup> for PushError {
    fn from(fault: BadGroup) -> Self {
        Self::Group(fault)
    }
}

impl From<ScrapeError> for PushError {
    fn from(error: ScrapeError) -> Self {
        Self::Page(error)
    }
}
