//! Prometheus' exposition text: reading it, and making one correct page of many.
//!
//! ```text
//!   blocks ──Indexer──> Page ─┐
//!   blocks ──Indexer──> Page ─┼──Merge──> Merged ──Emitter──> bytes of the reply
//!   blocks ──Indexer──> Page ─┘
//! ```
//!
//! A [`Page`] is text that was lexed once: which names it has, what it says of them, and in which
//! runs of lines their samples stand. Merging looks only at names and runs; a line's bytes are
//! touched again when they are copied into the reply, and nowhere else. No I/O here; everything
//! that grows counts against a [`Budget`](crate::memory::Budget).

mod check;
mod class;
mod emit;
#[cfg(feature = "push")]
mod families;
mod family;
mod fault;
mod indexer;
mod label;
mod lexer;
mod line;
mod lines;
#[cfg(feature = "tools")]
pub mod lint;
mod merge;
mod number;
mod page;
mod pairs;
mod scan;
mod scrub;
mod watch;
mod word;

pub use check::Checker;
pub use emit::Emitter;
#[cfg(feature = "push")]
pub use families::PageFamilies;
pub use fault::Fault;
pub use indexer::{IndexError, Indexer};
pub use label::{Escaped, Labels, Names, OnConflict};
pub use line::{Format, OPENMETRICS, media_type};
pub use merge::{Conflicts, Merge, Merged, Part};
pub use page::Page;
pub use scrub::Scrubber;
pub use watch::Watch;

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod tests;
