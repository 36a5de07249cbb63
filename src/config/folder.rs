//! `sources_dir`: sources that are files of their own, so that a package can drop one in.
//!
//! ```text
//!   list ──names──> read ──texts──> sources
//!   faults of the main file   of the files themselves
//! ```
//!
//! What a file holds is what would stand under `sources.NAME` in the main file, NAME being the
//! file's own name without `.yaml` or `.yml`. It is judged as if it stood there, by the same code;
//! only when a fault is told does it get its own file back ([`Folders::in_file`]), also one that is
//! found late, such as a label that a route puts on too. So the texts live until the plan is made.
//! Relative paths in a file, those of its secrets among them, start at the folder that it is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::at::At;
use super::build::{Context, at_least_one, at_most, each};
use super::error::{ConfigError, Fault, Plain, Quoted};
use super::file::{File, SourceFile};
use super::plan::{Limits, Source};
use super::shape;
use super::source;
use super::value::{self, BadValue};
use crate::limits;

/// The files of all folders by their names; nothing is opened yet.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// In the order of the folders, then of the names.
    files: Vec<Entry>,
    passed_over: Vec<Box<str>>,
}

/// A file that is a source by its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// Not judged yet.
    name: String,
    path: PathBuf,
}

/// The files of all folders, read.
#[derive(Debug, Default)]
pub(super) struct Folders {
    /// In the order of [`Listed`]; no name is there twice, nor in the main file.
    files: Vec<Dropped>,
    /// What is in the folders besides, in the order it was found.
    pub(super) passed_over: Vec<Box<str>>,
}

/// A file that is one source.
#[derive(Debug)]
struct Dropped {
    name: String,
    path: PathBuf,
    text: String,
    file: SourceFile,
}

/// Lists the folders of `file`, which is that at `main`.
///
/// # Errors
///
/// A folder that cannot be read or holds too much, at its place in the main file.
pub(super) fn list(file: &File, main: &Path, context: &Context<'_>) -> Result<Listed, Fault> {
    let at = At::Root.key("sources_dir");
    let folders = each(&at, file.sources_dir.as_ref());
    if file.sources_dir.is_some() {
        at_least_one(&at, folders.len(), "a folder")?;
    }
    at_most(&at, folders.len(), limits::SOURCE_FOLDERS, "folders")?;
    let beside = main.parent().unwrap_or(Path::new(""));
    let mut listed = Listed::default();
    let mut seen: Vec<PathBuf> = Vec::new();
    for (at, text) in folders {
        let text = context.text(&at, text)?;
        let refused = |rule| Fault::value(&at, &text, rule);
        if text.is_empty() {
            return Err(refused(BadValue::new("names no folder")));
        }
        let folder = beside.join(&text);
        if seen.contains(&folder) {
            return Err(refused(BadValue::new("is listed twice")));
        }
        listed.add(&folder).map_err(refused)?;
        seen.push(folder);
    }
    let before = file.sources.as_ref().map_or(0, |named| named.0.len());
    let all = before.saturating_add(listed.files.len());
    at_most(&at, all, limits::SOURCES, "sources with those of this file")?;
    Ok(listed)
}

impl Listed {
    /// Adds what is in `folder`, sorted. Names that begin with a dot are nobody's business.
    fn add(&mut self, folder: &Path) -> Result<(), BadValue> {
        let unreadable = |error: io::Error| BadValue::new(format!("cannot be read: {error}"));
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for (seen, entry) in fs::read_dir(folder).map_err(unreadable)?.enumerate() {
            if seen == limits::FOLDER_ENTRIES {
                return Err(BadValue::new(format!("has more than {seen} entries")));
            }
            let file = entry.map_err(unreadable)?.file_name();
            let text = file.to_string_lossy();
            let name = text.strip_suffix(".yaml").or_else(|| text.strip_suffix(".yml"));
            match name {
                _ if text.starts_with('.') => {}
                Some(name) => files.push(Entry { name: name.to_owned(), path: folder.join(&file) }),
                None => others.push(shown(&folder.join(&*text)).into_boxed_str()),
            }
        }
        files.sort();
        others.sort();
        self.files.append(&mut files);
        self.passed_over.append(&mut others);
        Ok(())
    }

    /// Reads every file. `file` is what the main one, at `main`, says.
    ///
    /// # Errors
    ///
    /// What is wrong with a file or its name, the file named.
    pub(super) fn read(self, file: &File, main: &Path) -> Result<Folders, ConfigError> {
        let named = file.sources.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
        let mut files: Vec<Dropped> = Vec::new();
        for entry in self.files {
            let Entry { name, path } = &entry;
            if let Err(rule) = value::source_name(name) {
                let fault = Fault::told(None, format!("{} {rule}", Quoted(name)));
                return Err(fault.in_file(Path::new(&shown(path)), ""));
            }
            let in_main = named.iter().any(|(known, _)| known == name).then_some(main);
            let known = files.iter().find(|known| known.name == *name);
            if let Some(other) = in_main.or(known.map(|known| &*known.path)) {
                let both = [path.clone(), other.to_owned()];
                return Err(ConfigError::Twice(name.as_str().into(), Box::new(both)));
            }
            files.push(entry.read()?);
        }
        Ok(Folders { files, passed_over: self.passed_over })
    }
}

impl Entry {
    /// Reads the file and the shape of what is in it.
    fn read(self) -> Result<Dropped, ConfigError> {
        let Self { name, path } = self;
        let mut text = super::read(&path, open(&path))?;
        if text.starts_with(super::BYTE_ORDER_MARK) {
            text.remove(0);
        }
        let file = shape::read(&text).map_err(|fault| fault.in_file(&path, &text))?;
        Ok(Dropped { name, path, text, file })
    }
}

impl Folders {
    /// All sources.
    ///
    /// # Errors
    ///
    /// The first fault, as if the source stood in the main file: [`Folders::in_file`] tells it.
    pub(super) fn sources(
        &self,
        limits: &Limits,
        context: &Context<'_>,
    ) -> Result<Vec<Source>, Fault> {
        let root = At::Root.key("sources");
        let one = |Dropped { name, path, file, .. }: &Dropped| {
            source::source(&root.key(name), name, (file, limits), &context.of_file(path))
        };
        self.files.iter().map(one).collect()
    }

    /// The error that the user sees: in the source's own file if it has one, else in the main file
    /// at `main`, which holds `text`.
    pub(super) fn in_file(&self, fault: Fault, main: &Path, text: &str) -> ConfigError {
        let own = |name| self.files.iter().find(|dropped| dropped.name == name);
        match fault.source().and_then(own) {
            Some(Dropped { path, text, .. }) => fault.in_source().in_file(path, text),
            None => fault.in_file(main, text),
        }
    }
}

/// Opens a file and nothing else: a FIFO would be waited for, and nobody may come.
fn open(path: &Path) -> io::Result<fs::File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file"))
    }
}

/// A path on one line, whoever chose the name.
fn shown(path: &Path) -> String {
    Plain(&path.to_string_lossy()).to_string()
}
