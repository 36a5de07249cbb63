//! The list for programs.

use std::fmt;

use serde::Serialize;
use smol::future::yield_now;

use super::super::view::json::{Json, seconds};
use super::{Listed, Row, utc, why};
use crate::memory::{Budget, PageError, Text};

/// An application or group, less its labels, which follow.
#[derive(Serialize)]
struct Told<'a> {
    source: &'a str,
    from: Option<&'a str>,
    pushed: Option<&'a str>,
    age_seconds: Option<f64>,
    samples: Option<usize>,
    bytes: Option<usize>,
    seconds_left: Option<f64>,
    refused_age_seconds: Option<f64>,
    error: Option<&'a str>,
}

/// Writes the document.
///
/// # Errors
///
/// [`PageError`] where there is no room for it.
pub(super) async fn write(listed: &Listed<'_>, budget: &Budget) -> Result<Text, PageError> {
    let mut json = Json::new(budget)?;
    let written = document(&mut json, listed).await;
    json.finish(written)
}

async fn document(json: &mut Json, listed: &Listed<'_>) -> fmt::Result {
    json.raw("{\"apps\":[\n")?;
    for (number, row) in listed.rows().enumerate() {
        json.separate(number)?;
        write_row(json, &row)?;
        yield_now().await;
    }
    json.raw("]}\n")
}

fn write_row(json: &mut Json, row: &Row<'_>) -> fmt::Result {
    let (kept, refused) = (row.kept(), row.refused());
    let from = row.from().map(|peer| peer.to_string());
    let pushed = kept.map(|kept| utc(kept.at).to_string());
    json.open(&Told {
        source: row.source,
        from: from.as_deref(),
        pushed: pushed.as_deref(),
        age_seconds: kept.map(|kept| seconds(row.age(kept.at))),
        samples: kept.map(|kept| kept.page.samples()),
        bytes: kept.map(|kept| kept.page.text().len()),
        seconds_left: row.left().map(seconds),
        refused_age_seconds: refused.map(|refused| seconds(row.age(refused.at))),
        error: refused.map(why).as_deref(),
    })?;
    json.raw(",\"labels\":{\n")?;
    for (number, (name, value)) in row.entry.group.labels().enumerate() {
        json.separate(number)?;
        json.part(name)?;
        json.raw(":")?;
        json.whole(value)?;
    }
    json.raw("}}\n")
}
