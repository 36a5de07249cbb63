//! The strict level: whether Prometheus' own text parser takes a page, and what could be better.
//!
//! The rules are those of `expfmt.TextParser` in prometheus/common, which `promtool check metrics`
//! runs; unlike it, this goes on after a fault, at the next line. Two rules are the format's own,
//! which the parser does not enforce: see [`Fault::is_ours`]. What passes the parser and still is
//! not read as meant, or not by Prometheus' scraper, is [`Advice`], which never changes the verdict.
//!
//! Where parsers of different age disagree, promtool 2.42 decides, except for quoted names
//! (`{"my.name"} 1`): those came later and are valid here.

mod advice;
mod comment;
mod cursor;
mod family;
mod fault;
mod sample;
mod series;
mod style;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

pub use advice::Advice;
pub use fault::{Excerpt, Fault, Keyword, Place};

pub use super::number::BadNumber;

use cursor::{Cursor, is_blank};
use family::{Families, Spot};

/// Something to say about a place in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// The column, in bytes from 1.
    pub column: usize,
    /// What is there.
    pub what: What,
}

/// Whether a page is wrong, or only not as good as it could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The page is not valid.
    Fault(Fault),
    /// The page is valid all the same.
    Advice(Advice),
}

impl Finding {
    /// The fault, if it is one.
    #[must_use]
    pub const fn fault(&self) -> Option<&Fault> {
        match &self.what {
            What::Fault(fault) => Some(fault),
            What::Advice(_) => None,
        }
    }
}

/// `LINE:COLUMN: fault` or `LINE:COLUMN: warning: advice`; the file's name goes before it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        match &self.what {
            What::Fault(fault) => fault.fmt(f),
            What::Advice(advice) => write!(f, "warning: {advice}"),
        }
    }
}

/// Takes down findings on the line that is being read.
struct Desk<'a> {
    line: usize,
    report: &'a mut dyn FnMut(Finding),
}

impl Desk<'_> {
    fn fault(&mut self, column: usize, fault: Fault) {
        (self.report)(Finding { line: self.line, column, what: What::Fault(fault) });
    }

    fn advice(&mut self, column: usize, advice: Advice) {
        self.advice_at((self.line, column), advice);
    }

    fn advice_at(&mut self, (line, column): Spot, advice: Advice) {
        (self.report)(Finding { line, column, what: What::Advice(advice) });
    }
}

/// Checks one page, line by line.
///
/// Holds the names of all families and their labels, and a number for each series: memory grows
/// with the page.
#[derive(Debug, Default)]
pub struct Linter {
    line: usize,
    families: Families,
    /// Series by their hash, and the line of each.
    series: HashMap<u64, usize>,
}

impl Linter {
    /// At the start of a page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the next line. `line` ends with its line feed; only a page's last line may lack it.
    ///
    /// Faults are reported from left to right, advice where it turns up.
    pub fn line(&mut self, line: &[u8], report: &mut impl FnMut(Finding)) {
        self.line = self.line.saturating_add(1);
        let mut desk = Desk { line: self.line, report };
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        self.text(text, &mut desk);
        // Blanks alone are no line yet.
        if text.len() == line.len() && !text.iter().copied().all(is_blank) {
            desk.fault(text.len().saturating_add(1), Fault::NoNewline);
        }
    }

    /// Gives the advice that needs the whole page.
    pub fn finish(self, report: &mut impl FnMut(Finding)) {
        style::advise(&self.families, &mut Desk { line: self.line, report });
    }

    fn text(&mut self, text: &[u8], desk: &mut Desk<'_>) {
        let mut cursor = Cursor::new(text);
        cursor.blanks();
        if cursor.peek() == Some(b'#') {
            return self.comment(cursor, desk);
        }
        let stripped = text.strip_suffix(b"\r").unwrap_or(text);
        if !stripped.iter().copied().all(is_blank) {
            self.sample(stripped, desk);
        }
        if stripped.len() < text.len() {
            desk.fault(text.len(), Fault::CarriageReturn);
        }
    }
}

/// Checks a whole page.
pub fn check(page: &[u8], report: &mut impl FnMut(Finding)) {
    let mut linter = Linter::new();
    for line in page.split_inclusive(|&byte| byte == b'\n') {
        linter.line(line, report);
    }
    linter.finish(report);
}
