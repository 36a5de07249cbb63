//! A document for programs. Its field names are part of the interface, and the README tells them.
//!
//! A document of any length is written in pieces. Each is made in one block and copied from there,
//! and each ends its line, so that the page's blocks hold whole lines.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use crate::limits::DEFAULT_BODY;
use crate::memory::{Block, Budget, PageError, Text, TextWriter};

/// A document in the making.
pub(in crate::outlet) struct Json {
    out: TextWriter,
    /// Where pieces are made.
    piece: Block,
}

impl Json {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// [`PageError`] where there is no room for it.
    pub(in crate::outlet) fn new(budget: &Budget) -> Result<Self, PageError> {
        let out = TextWriter::new(budget.clone(), DEFAULT_BODY);
        Ok(Self { out, piece: budget.block()? })
    }

    /// All of it; `written` is how writing it ended.
    ///
    /// # Errors
    ///
    /// [`PageError`] where there was no room for it.
    pub(in crate::outlet) fn finish(self, written: fmt::Result) -> Result<Text, PageError> {
        self.out.finish(written)
    }

    /// Writes what is JSON already.
    pub(in crate::outlet) fn raw(&mut self, text: &str) -> fmt::Result {
        self.out.write_str(text)
    }

    /// A comma between the members of a list.
    pub(in crate::outlet) fn separate(&mut self, number: usize) -> fmt::Result {
        self.out.write_str(if number > 0 { "," } else { "" })
    }

    /// Writes a value.
    pub(in crate::outlet) fn part(&mut self, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        let text = piece(&mut self.piece, value)?;
        self.out.write_str(text)
    }

    /// Writes a value, and ends the line.
    pub(in crate::outlet) fn whole(&mut self, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        self.part(value)?;
        self.out.write_str("\n")
    }

    /// Writes an object to which further fields are added.
    pub(in crate::outlet) fn open(&mut self, value: &impl Serialize) -> fmt::Result {
        let text = piece(&mut self.piece, value)?;
        self.out.write_str(text.strip_suffix('}').ok_or(fmt::Error)?)
    }
}

/// Makes a value's text in `block`, which stays empty.
fn piece<'b>(
    block: &'b mut Block,
    value: &(impl Serialize + ?Sized),
) -> Result<&'b str, fmt::Error> {
    let room = block.spare();
    let used = serde_json_core::to_slice(value, room).map_err(|_| fmt::Error)?;
    room.get(..used).and_then(|text| str::from_utf8(text).ok()).ok_or(fmt::Error)
}

/// Seconds, to the microsecond.
pub(in crate::outlet) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
