//! A page that was lexed: its text, the distinct names with what is declared of them, and *runs*:
//! stretches of consecutive lines that are samples of one name.
//!
//! Everything is in tables that count against the page's budget. The [`Indexer`](super::Indexer)
//! makes pages; a merge looks at names and runs, and at no line.

use foldhash::fast::RandomState;

use super::label::Names;
use super::line::{Format, Kind};
#[cfg(feature = "push")]
use crate::memory::pack;
use crate::memory::{Block, Budget, Kept, Place, Table, Text};

/// A metric name of a page.
#[derive(Debug, Default)]
pub(super) struct Name {
    /// The name as it is written in quotes or without.
    pub(super) written: Spot,
    /// Without characters that need quotes; the same as `written` for most names.
    pub(super) bare: Spot,
    pub(super) hash: u32,
    pub(super) next: u16,
    /// For an OpenMetrics family that has another name in the text format: that name's number.
    pub(super) alias: u16,
    /// What TYPE says.
    pub(super) kind: Option<Kind>,
    /// TYPE says two different things.
    pub(super) contradicted: bool,
    pub(super) sampled: bool,
    pub(super) odd_le: bool,
    pub(super) odd_quantile: bool,
    pub(super) help: Option<Place>,
}

/// Where a name's bytes are: in the page, or among the names that had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) made: bool,
}

/// Consecutive lines that are samples of one name, all within one block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) place: Place,
    pub(super) name: u16,
    /// Its lines can be copied with the labels put in; else each is written anew.
    pub(super) plain: bool,
    /// It is one line.
    pub(super) single: bool,
}

/// A page, lexed: its text and the index to it.
pub struct Page {
    pub(super) text: Text,
    pub(super) index: Index,
    pub(super) format: Format,
    /// What pays for it.
    pub(super) budget: Budget,
    pub(super) kept: Option<Kept>,
}

/// Names and runs.
#[derive(Default)]
pub(super) struct Index {
    pub(super) names: Table<Name>,
    /// What the names' hashes come from.
    pub(super) hasher: RandomState,
    pub(super) runs: Table<Run>,
    pub(super) made: Vec<Block>,
    pub(super) samples: usize,
    pub(super) watched: bool,
    pub(super) quoted: bool,
    /// Some sample has a timestamp.
    pub(super) stamped: bool,
}

impl Index {
    /// A name's bytes; `blocks` are the page's.
    pub(super) fn spot<'a>(&'a self, blocks: &'a [Block], spot: Spot) -> &'a [u8] {
        spot.place.of(if spot.made { &self.made } else { blocks })
    }
}

impl Page {
    /// Samples on the page.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.index.samples
    }

    /// Whether a sample says when it was taken.
    #[must_use]
    pub const fn has_timestamps(&self) -> bool {
        self.index.stamped
    }

    /// Names on the page.
    pub(super) fn names(&self) -> usize {
        self.index.names.len()
    }

    /// The text the page was read from.
    #[must_use]
    pub const fn text(&self) -> &Text {
        &self.text
    }

    /// The format it was written in.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Its Content-Type.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self.format {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Text if self.index.quoted => Names::Quoted.content_type(),
            Format::Text => Names::Underscores.content_type(),
        }
    }

    /// Whether a sample has a label that was watched for.
    #[must_use]
    pub const fn has_watched_labels(&self) -> bool {
        self.index.watched
    }

    /// Whether a metric's or a label's name needs quotes.
    #[must_use]
    pub const fn has_quoted_names(&self) -> bool {
        self.index.quoted
    }

    /// Makes the page one that stays between scrapes: counted as kept, its last block trimmed.
    /// Whether `limits.kept` allows it, in the room of `going` if that page is dropped at once.
    pub fn keep(&mut self, going: Option<&Self>) -> bool {
        self.kept = self.budget.keep(going.and_then(|going| going.kept.as_ref())).ok();
        if self.kept.is_some() {
            self.text.trim();
        }
        self.kept.is_some()
    }

    /// Has its text and its tables share the blocks that none of them fills; for many small pages
    /// that stay.
    #[cfg(feature = "push")]
    pub fn pack(&mut self) {
        let Self { text, index, .. } = self;
        let parts = [text.trim_to_part(), index.names.trim(), index.runs.trim()];
        pack(parts.into_iter().flatten());
        self.budget.settle();
    }

    /// A page whose text nobody has read: without names and samples.
    #[must_use]
    #[cfg(feature = "push")]
    pub fn unread(text: Text, format: Format, budget: &Budget) -> Self {
        Self { text, index: Index::default(), format, budget: budget.clone(), kept: None }
    }

    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Name number `name`'s bytes, `bare` if it may have no quotes.
    pub(super) fn name(&self, name: &Name, bare: bool) -> &[u8] {
        self.index.spot(self.text.blocks(), if bare { name.bare } else { name.written })
    }
}
