//! The list for a terminal: columns, as wide as what is in them.

use std::fmt::{self, Write as _};

use smol::future::yield_now;

use super::super::view::units::{Age, Plain, Size};
use super::{Left, Listed, Name, Row, utc, why};
use crate::limits::DEFAULT_BODY;
use crate::memory::{Budget, PageError, Text, TextWriter};

/// Characters of a column beyond which its texts no longer make it wider.
const WIDEST: usize = 40;

/// Between two columns.
const GAP: &str = "  ";

/// The columns whose width depends on what is in them.
struct Widths {
    source: usize,
    name: usize,
    from: usize,
}

/// Widths of the others.
const PUSHED: usize = 20;
const AGE: usize = 12;
const SAMPLES: usize = 8;
const SIZE: usize = 10;

/// Writes the table.
///
/// # Errors
///
/// [`PageError`] where there is no room for it.
pub(super) async fn write(listed: &Listed<'_>, budget: &Budget) -> Result<Text, PageError> {
    let mut out = TextWriter::new(budget.clone(), DEFAULT_BODY);
    let written = document(listed, &mut out).await;
    out.finish(written)
}

async fn document(listed: &Listed<'_>, out: &mut TextWriter) -> fmt::Result {
    if listed.entries.is_empty() {
        return out.write_str("no application has brought a page yet\n");
    }
    let mut widths = Widths { source: 6, name: 11, from: 4 };
    for row in listed.rows() {
        let wider = |width: &mut usize, text: &dyn fmt::Display| {
            *width = (*width).max(characters(text).min(WIDEST));
        };
        wider(&mut widths.source, &row.source);
        wider(&mut widths.name, &Name(&row.entry.group));
        if let Some(from) = row.from() {
            wider(&mut widths.from, &from);
        }
    }
    columns(
        &[
            (&"SOURCE", widths.source),
            (&"APPLICATION", widths.name),
            (&"FROM", widths.from),
            (&"PUSHED", PUSHED),
            (&"AGE", AGE),
            (&"SAMPLES", SAMPLES),
            (&"SIZE", SIZE),
            (&"LEFT", 0),
        ],
        out,
    )?;
    for row in listed.rows() {
        write_row(&row, &widths, out)?;
        yield_now().await;
    }
    Ok(())
}

fn write_row(row: &Row<'_>, widths: &Widths, out: &mut TextWriter) -> fmt::Result {
    const NONE: &dyn fmt::Display = &"-";
    let name = Plain(Name(&row.entry.group));
    let (from, left) = (row.from(), Left(row.left()));
    let kept = row.kept().map(|kept| {
        let (samples, bytes) = (kept.page.samples(), Size(kept.page.text().len()));
        (utc(kept.at), Age(row.age(kept.at)), samples, bytes)
    });
    let [pushed, age, samples, bytes]: [&dyn fmt::Display; 4] = match &kept {
        Some((pushed, age, samples, bytes)) => [pushed, age, samples, bytes],
        None => [&"never", NONE, NONE, NONE],
    };
    columns(
        &[
            (&row.source, widths.source),
            (&name, widths.name),
            (from.as_ref().map_or(NONE, |from| from), widths.from),
            (pushed, PUSHED),
            (age, AGE),
            (samples, SAMPLES),
            (bytes, SIZE),
            (&left, 0),
        ],
        out,
    )?;
    let Some(refused) = row.refused() else { return Ok(()) };
    let age = Age(row.age(refused.at));
    writeln!(out, "{GAP}refused {age} ago, from {}: {}", refused.from, Plain(why(refused)))
}

/// Writes texts with their widths as one line.
fn columns(columns: &[(&dyn fmt::Display, usize)], out: &mut TextWriter) -> fmt::Result {
    for (number, (text, width)) in columns.iter().enumerate() {
        out.write_str(if number > 0 { GAP } else { "" })?;
        write!(out, "{text}")?;
        for _ in characters(text)..*width {
            out.write_str(" ")?;
        }
    }
    out.write_str("\n")
}

/// How many characters a text has.
fn characters(text: &dyn fmt::Display) -> usize {
    struct Count(usize);
    impl fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.saturating_add(text.chars().count());
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    let _ = write!(count, "{text}");
    count.0
}
