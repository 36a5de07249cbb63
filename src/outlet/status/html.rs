//! The page for people: no script, nothing loaded, light and dark, as wide as a phone or a desk.

use std::fmt::{self, Write as _};

use smol::future::yield_now;

use super::super::view;
use super::super::view::units::{Age, Grouped, Html, Size, Took};
use super::sparkline::Sparkline;
use super::{Does, MODULE, Page, Seen, State, View, place};
use crate::limits::{BLOCK, DEFAULT_BODY, HISTORY};
use crate::memory::{Budget, PageError, Text, TextWriter};
use crate::telemetry::metrics::{Attempt, Scrape};

/// What can be asked of every server, and what that answers.
const PROGRAM_PAGES: [(&str, &str); 2] =
    [("/-/healthy", "200 while fanin runs"), ("/-/ready", "200 while it takes requests")];

/// Writes the page.
///
/// # Errors
///
/// [`PageError`] where there is no room for it.
pub(super) async fn write(view: &View<'_>, budget: &Budget) -> Result<Text, PageError> {
    let mut out = TextWriter::new(budget.clone(), DEFAULT_BODY);
    let written = document(view, &mut out).await;
    out.finish(written)
}

async fn document(view: &View<'_>, out: &mut TextWriter) -> fmt::Result {
    head(view, out)?;
    out.write_str("<main>\n<h2>Sources</h2>\n")?;
    if view.sources.is_empty() {
        out.write_str("<p>No route of this server has one. Its pages tell of fanin itself.</p>\n")?;
    } else {
        writeln!(
            out,
            "<table class=sources><thead><tr><th>State<th>Source<th>Last {HISTORY} scrapes<th>Took\
             <th>Samples<th>Size<th>Scraped<th>Try it</thead><tbody>",
        )?;
        for seen in &view.sources {
            source(view, seen, out)?;
            yield_now().await;
        }
        out.write_str("</tbody></table>\n")?;
    }
    #[cfg(feature = "pipe")]
    pipes(view, out).await?;
    routes(view, out)?;
    view::end(out)
}

fn head(view: &View<'_>, out: &mut TextWriter) -> fmt::Result {
    let (down, new, up) = (view.count(State::Down), view.count(State::New), view.count(State::Up));
    let version = env!("CARGO_PKG_VERSION");
    match down {
        0 => view::begin(&"fanin", out)?,
        down => {
            let all = view.sources.len();
            view::begin(&format_args!("{down} of {all} failing · fanin"), out)?;
        }
    }
    out.write_str("<ul>")?;
    for (state, count, words) in
        [(State::Down, down, "failing"), (State::New, new, "not asked yet"), (State::Up, up, "up")]
    {
        let class = if count == 0 { "none" } else { state.word() };
        write!(out, "<li class={class}><b>{count}</b> {words}")?;
    }
    let bytes = |blocks: usize| Size(blocks.saturating_mul(BLOCK));
    write!(out, "</ul>\n<dl><div><dt>Version<dd>{version}</div>")?;
    write!(out, "<div><dt>Running for<dd>{}</div>", Age(view.uptime))?;
    let (used, total) = (bytes(view.blocks.used), bytes(view.blocks.total));
    write!(out, "<div><dt>Memory in use<dd>{used} of {total}")?;
    if view.blocks.kept > 0 {
        write!(out, ", {} of it cached", bytes(view.blocks.kept))?;
    }
    if view.blocks.waiting > 0 {
        write!(out, "; {} scrapes wait for more", view.blocks.waiting)?;
    }
    writeln!(out, "</div><div><dt>Server<dd>{}</div></dl></header>", Html(view.server()))
}

/// One row. Cells without a text are drawn as a dash.
fn source(view: &View<'_>, seen: &Seen<'_>, out: &mut TextWriter) -> fmt::Result {
    let Seen { source, state, last } = seen;
    let history = source.stats().history();
    write!(out, "<tr class={0}><td>{0}", state.word())?;
    if let Some(reason) = last.and_then(|scrape| scrape.failure) {
        write!(out, "<small>{reason}</small>")?;
    }
    let (name, kind) = (source.name(), source.kind());
    writeln!(out, "<th scope=row>{name} <small>{kind} · {}</small>", Html(place(source)))?;
    failure(seen, &history, out)?;
    write!(out, "<td>{}<td>", Sparkline(&history))?;
    let Some(Scrape { at, took, samples, bytes, .. }) = last else {
        out.write_str("<td><td><td>not yet")?;
        return links(view, seen, out);
    };
    write!(out, "{}<td>", Took(Attempt::new(*took, false).micros()))?;
    if let Some(samples) = samples.filter(|_| *state == State::Up) {
        write!(out, "{}", Grouped(samples))?;
    }
    out.write_str("<td>")?;
    if *state == State::Up {
        write!(out, "{}", Size(*bytes))?;
    }
    write!(out, "<td>{} ago", Age(at.elapsed()))?;
    links(view, seen, out)
}

/// Why it fails, as scrapers are told, or did so of late.
fn failure(seen: &Seen<'_>, history: &[Attempt], out: &mut TextWriter) -> fmt::Result {
    let stats = seen.source.stats();
    let failures = history.iter().filter(|attempt| attempt.failed()).count();
    let Some(text) = stats.last_failure().filter(|_| failures > 0) else { return Ok(()) };
    if seen.state == State::Up {
        let count = history.len();
        return writeln!(out, "<p>{failures} of {count} failed, the last: {}</p>", Html(text));
    }
    write!(out, "<p>{} <small>", Html(text))?;
    match stats.last_success() {
        Some(at) => writeln!(out, "last good {} ago</small></p>", Age(at.elapsed())),
        None => writeln!(out, "never good so far</small></p>"),
    }
}

fn links(view: &View<'_>, seen: &Seen<'_>, out: &mut TextWriter) -> fmt::Result {
    out.write_str("<td>")?;
    for link in view.links(seen.source) {
        writeln!(out, "<a href=\"{0}\">{0}</a>", Html(link))?;
    }
    Ok(())
}

/// Where pages go on their own.
#[cfg(feature = "pipe")]
async fn pipes(view: &View<'_>, out: &mut TextWriter) -> fmt::Result {
    if view.pipes.is_empty() {
        return Ok(());
    }
    out.write_str("<h2>Pipes</h2>\n<table class=sources><thead><tr><th>State<th>Pipe<th>Took")?;
    out.write_str("<th>Samples<th>Size<th>Taken</thead><tbody>\n")?;
    for pipe in &view.pipes {
        let (state, last) = (State::of_pipe(pipe), pipe.last());
        write!(out, "<tr class={0}><td>{0}", state.word())?;
        if let Some((reason, _)) = last.and_then(|last| last.failure) {
            write!(out, "<small>{reason}</small>")?;
        }
        write!(out, "<th scope=row>{}", Html(pipe.name()))?;
        if let Some(text) = pipe.last_failure().filter(|_| state == State::Down) {
            write!(out, "<p>{}</p>", Html(text))?;
        }
        out.write_str("<td>")?;
        if let Some(last) = last {
            write!(out, "{}", Took(Attempt::new(last.took, false).micros()))?;
        }
        match pipe.last_success() {
            Some(taken) => writeln!(
                out,
                "<td>{}<td>{}<td>{} ago",
                Grouped(taken.samples),
                Size(taken.bytes),
                Age(taken.at.elapsed())
            )?,
            None => out.write_str("<td><td><td>not yet\n")?,
        }
        yield_now().await;
    }
    out.write_str("</tbody></table>\n")
}

fn routes(view: &View<'_>, out: &mut TextWriter) -> fmt::Result {
    out.write_str("<h2>Routes</h2>\n<table class=routes>\n")?;
    for Page { path, does } in view.routes() {
        let link = super::Link { path, query: None };
        write!(out, "<tr><th scope=row><a href=\"{0}\">{0}</a><td>", Html(link))?;
        match does {
            Does::Own => out.write_str("fanin's own metrics")?,
            Does::Merge { sources, own, strict } => {
                let many = if sources == 1 { "" } else { "s" };
                write!(out, "{sources} source{many} as one page")?;
                out.write_str(if own { ", with fanin's own metrics" } else { "" })?;
                out.write_str(if strict { "; fails when one of them does" } else { "" })?;
            }
            Does::Proxy { sources, own, default } => {
                let of = sources.saturating_add(usize::from(own));
                write!(out, "one of {of} as it is, by <code>?{MODULE}=NAME</code>")?;
                if let Some(name) = default {
                    write!(out, ", else {}", Html(name))?;
                }
            }
            #[cfg(feature = "klipper")]
            Does::Probe { sources } => {
                let target = super::TARGET;
                write!(out, "a printer by <code>?{target}=</code>, {sources} of them configured")?;
            }
            #[cfg(feature = "push")]
            Does::Receive => out.write_str("takes pages that are brought, below this path")?,
            #[cfg(feature = "push")]
            Does::Relay => out.write_str("pages that were brought, one by one, below this path")?,
            #[cfg(feature = "push")]
            Does::Apps { sources } => {
                let many = if sources == 1 { "" } else { "s" };
                write!(out, "who brings pages to {sources} source{many}")?;
            }
            #[cfg(feature = "push")]
            Does::Sd => out.write_str("what Prometheus finds here, for its http_sd_configs")?,
        }
        out.write_str("\n")?;
    }
    for (path, answers) in PROGRAM_PAGES {
        writeln!(out, "<tr><th scope=row><a href=\"{path}\">{path}</a><td>{answers}")?;
    }
    out.write_str("</table>\n")
}
