//! Klipper printers, asked through Moonraker.
//!
//! ```text
//!   replies ──walk──> facts ──rows, special──> page
//!     (JSON, as it streams in)   (what the table asks for)
//! ```
//!
//! Which field becomes which metric is said in `table.rs` and below it. No reply is held whole.

mod derived;
mod doc;
mod end_stops;
mod facts;
mod pattern;
mod printer;
mod query;
mod rows;
mod special;
mod table;
mod verdict;
mod walk;
mod write;

pub use self::doc::Doc;
use self::facts::{Facts, Seen};
pub use self::printer::{Answer, Ask, Printer};
use self::verdict::Verdict;
pub use self::walk::WalkError;
use self::walk::Walker;
use self::write::Writer;
use crate::config::{Module, Modules};
use crate::memory::{Budget, PageError, Text};

/// What the replies of one printer say, and the page made of it.
pub struct Sheet {
    facts: Facts,
    modules: Modules,
    budget: Budget,
    settings: Settings,
}

/// What is remembered of Klipper's configuration, where it says so.
#[derive(Clone, Copy, Default)]
struct Settings {
    /// Diameter of the filament in mm.
    diameter: Option<f64>,
    /// What the input shaper damps in x and y, in Hz.
    shaped: [Option<f64>; 2],
}

impl Sheet {
    /// An empty one for these modules; `budget` pays for it.
    #[must_use]
    pub fn new(modules: Modules, budget: &Budget) -> Self {
        Self {
            facts: Facts::new(budget),
            modules,
            budget: budget.clone(),
            settings: Settings::default(),
        }
    }

    /// Reads a whole reply. Whether it had what it was asked for.
    ///
    /// # Errors
    ///
    /// [`WalkError`]; what was read before it counts.
    pub fn read(&mut self, doc: Doc, reply: &[u8]) -> Result<bool, WalkError> {
        let mut walker = Walker::new(doc, self.modules);
        walker.read(reply, &mut self.facts)?;
        walker.finish()
    }

    /// The page, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`PageError`] where it is longer, or there is no memory for it.
    pub fn page(&self, limit: usize) -> Result<Text, PageError> {
        self.finish(Writer::new(&self.budget, limit), self.modules)
    }

    /// The page of `modules`, with how the probe went at its front.
    fn page_with(
        &self,
        verdict: &Verdict<'_>,
        modules: Modules,
        limit: usize,
    ) -> Result<Text, PageError> {
        let mut out = Writer::new(&self.budget, limit);
        verdict.write(&mut out);
        self.finish(out, modules)
    }

    fn finish(&self, mut out: Writer, modules: Modules) -> Result<Text, PageError> {
        rows::write(&self.facts, modules, &mut out);
        special::write(&self.facts, modules, &mut out);
        derived::write(&self.facts, modules, &self.settings, &mut out);
        out.finish()
    }

    /// Whether Klipper has said that it is ready.
    fn is_ready(&self) -> bool {
        self.core("webhooks").is_some_and(|klipper| klipper.word("state") == Some("ready"))
    }

    /// Keeps of what Klipper has said only how it is.
    fn forget_klipper(&mut self) {
        self.facts.forget(|object| {
            object.doc == Doc::Objects && !matches!(object.module, Module::States | Module::Core)
        });
    }

    /// What fanin itself wants to know of an object of Klipper's.
    fn core(&self, path: &'static str) -> Option<Seen<'_>> {
        self.facts.of(Module::Core, path)
    }
}
