//! Files that are read again when they change.

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Instant;

use crate::limits::WATCH_PAUSE;

/// Some files, and what they were like when they were last read.
#[derive(Debug)]
pub(crate) struct Watched {
    files: Vec<PathBuf>,
    seen: RefCell<Vec<Option<Stamp>>>,
    looked: Cell<Instant>,
}

/// What tells one content of a file from another.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    written: (i64, i64),
    size: u64,
    place: (u64, u64),
}

impl Stamp {
    /// That of a file as it is now; `None` if there is none.
    fn of(file: &PathBuf) -> Option<Self> {
        let meta = fs::metadata(file).ok()?;
        Some(Self {
            written: (meta.mtime(), meta.mtime_nsec()),
            size: meta.size(),
            place: (meta.dev(), meta.ino()),
        })
    }
}

impl Watched {
    /// These files as they are now. To be called before they are read: what is written meanwhile
    /// counts as a change.
    pub(crate) fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files: Vec<_> = files.into_iter().collect();
        let seen = RefCell::new(files.iter().map(Stamp::of).collect());
        Self { files, seen, looked: Cell::new(Instant::now()) }
    }

    /// Whether one of them has changed since this said so last. Looks at most once a second.
    pub(crate) fn have_changed(&self) -> bool {
        if self.looked.get().elapsed() < WATCH_PAUSE {
            return false;
        }
        self.looked.set(Instant::now());
        let now: Vec<_> = self.files.iter().map(Stamp::of).collect();
        let changed = *self.seen.borrow() != now;
        self.seen.replace(now);
        changed
    }
}
