//! What pages share that tell of fanin itself, for people and for programs: the status page and the
//! list of those who pushed.
//!
//! Their text takes blocks of the reserve, then what no scrape was promised.

pub(super) mod json;
pub(super) mod units;

use std::fmt::{self, Write as _};

use super::{Body, Refusal};
use crate::http::fields::Fields;
use crate::http::outgoing::Reply;
use crate::memory::{PageError, Text, TextWriter};
use crate::source::Engine;

/// The Content-Type of a page for people.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// The Content-Type of a document for programs.
pub(super) const JSON: &str = "application/json";

/// Nothing is loaded, nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Seconds after which a page is read anew.
const REFRESH: u32 = 30;

/// A state is told by a word and a sign, and colour only adds to that. Rows are short, since there
/// may be many: all that can be said once is said here.
const STYLE: &str = include_str!("style.css");

/// The request's Accept fields.
pub(super) fn accepted<'a>(fields: &'a Fields<'_>) -> Vec<&'a str> {
    fields.all("Accept").filter_map(|value| str::from_utf8(value).ok()).collect()
}

/// A page in the form that was preferred.
pub(super) fn reply(
    engine: &Engine,
    (content_type, text): (&'static str, Result<Text, PageError>),
) -> Result<Reply<Body>, Refusal> {
    let text = text.map_err(|_| Refusal::memory(engine))?;
    let mut reply = Reply::new(200, content_type, Body::page(text));
    // Both are short and of printable characters.
    let _ = reply.set("Content-Security-Policy", POLICY);
    let _ = reply.set("Vary", "Accept");
    Ok(reply)
}

/// Begins a page for people, up to its heading.
pub(super) fn begin(title: &dyn fmt::Display, out: &mut TextWriter) -> fmt::Result {
    out.write_str("<!doctype html>\n<html lang=en><meta charset=utf-8>")?;
    write!(out, "<meta name=viewport content=\"width=device-width,initial-scale=1\">")?;
    writeln!(out, "<meta http-equiv=refresh content={REFRESH}><title>{title}</title>")?;
    write!(out, "<style>{STYLE}</style>\n<header><h1>fanin</h1>\n")
}

/// Ends it.
pub(super) fn end(out: &mut TextWriter) -> fmt::Result {
    writeln!(
        out,
        "</main>\n<footer>Read anew every {REFRESH} seconds. \
         The same as JSON: <code>curl -H 'Accept: application/json'</code></footer>",
    )
}
