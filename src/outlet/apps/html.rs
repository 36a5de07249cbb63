//! The list for a browser.

use std::fmt::{self, Write as _};

use smol::future::yield_now;

use super::super::view;
use super::super::view::units::{Age, Grouped, Html, Size};
use super::{Left, Listed, Row, utc, why};
use crate::exposition::Escaped;
use crate::limits::DEFAULT_BODY;
use crate::memory::{Budget, PageError, Text, TextWriter};

/// Writes the page.
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
    let all = listed.entries.len();
    let refused = listed.rows().filter(|row| row.refused().is_some()).count();
    view::begin(&format_args!("{all} applications · fanin"), out)?;
    write!(out, "<ul>")?;
    for (class, count, words) in
        [("down", refused, "refused"), ("up", all.saturating_sub(refused), "kept")]
    {
        let class = if count == 0 { "none" } else { class };
        write!(out, "<li class={class}><b>{count}</b> {words}")?;
    }
    out.write_str("</ul></header>\n<main>\n<h2>Applications</h2>\n")?;
    if all == 0 {
        out.write_str("<p>None has brought a page yet.</p>\n")?;
    } else {
        out.write_str(
            "<table class=sources><thead><tr><th>State<th>Application<th>From<th>Pushed",
        )?;
        out.write_str("<th>Samples<th>Size<th>Time left</thead><tbody>\n")?;
        for row in listed.rows() {
            write_row(&row, out)?;
            yield_now().await;
        }
        out.write_str("</tbody></table>\n")?;
    }
    view::end(out)
}

/// One row. Cells without a text are drawn as a dash. Labels end their lines, so that none is too
/// long.
fn write_row(row: &Row<'_>, out: &mut TextWriter) -> fmt::Result {
    let (kept, refused) = (row.kept(), row.refused());
    let (class, state) = if refused.is_some() { ("down", "refused") } else { ("up", "kept") };
    writeln!(out, "<tr class={class}><td>{state}<th scope=row>")?;
    match row.entry.group.as_app() {
        Some(name) => write!(out, "{}", Html(name))?,
        None => {
            for (number, (name, value)) in row.entry.group.labels().enumerate() {
                let comma = if number > 0 { ",\n" } else { "" };
                write!(out, "{comma}{name}=&quot;{}&quot;", Html(Escaped(value)))?;
            }
        }
    }
    writeln!(out, " <small>{}</small>", row.source)?;
    if let Some(refused) = refused {
        let age = Age(row.age(refused.at));
        let from = refused.from;
        writeln!(out, "<p>{} <small>{age} ago, from {from}</small></p>", Html(why(refused)))?;
    }
    out.write_str("<td>")?;
    if let Some(from) = row.from() {
        write!(out, "{from}")?;
    }
    match kept {
        None => out.write_str("<td>never<td><td>")?,
        Some(kept) => write!(
            out,
            "<td>{} ago<br><small>{}</small><td>{}<td>{}",
            Age(row.age(kept.at)),
            utc(kept.at),
            Grouped(kept.page.samples()),
            Size(kept.page.text().len())
        )?,
    }
    writeln!(out, "<td>{}", Left(row.left()))
}
