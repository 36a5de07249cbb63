//! `fanin merge NAME=FILE_OR_URL…`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use crate::cli::{self, NamedPage, Place};
use crate::config::{self, Limits};
use crate::exposition::{Emitter, Format, Indexer, Labels, Merge, Names, Page, Part, Watch};
use crate::limits::{BLOCK, DEFAULT_SCRAPE_TIMEOUT};
use crate::memory::{Budget, PageWriter};
use crate::runtime;
use crate::source::{Engine, Params, Source, State};
use crate::telemetry::log::Chain;

/// Why there is no merged page.
type Failure = Box<dyn std::error::Error>;

pub(super) fn run(typed: cli::Merge) -> ExitCode {
    // One page is made and nothing else happens: it may take what memory there is.
    let limits = Limits { memory: 1 << 30, body: 1 << 28, ..Limits::default() };
    let engine = runtime::engine(&limits);
    let executor = Rc::clone(&engine.executor);
    match smol::block_on(executor.run(merge(&engine, &typed, &limits))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(error);
            ExitCode::FAILURE
        }
    }
}

async fn merge(engine: &Rc<Engine>, typed: &cli::Merge, limits: &Limits) -> Result<(), Failure> {
    let label = typed.label.0.as_deref();
    let budget = &engine.reserve;
    let mut merge = Merge::new(typed.on_conflict, Names::Underscores, budget)?;
    for named in &typed.pages {
        let page = page(engine, named, (label, limits)).await;
        let page = page.map_err(|error| format!("{}: {}", named.name, Chain(&*error)))?;
        let labels = Rc::new(Labels::new(label.map(|label| (label, &*named.name))));
        merge.add(Part::new(page, labels))?;
    }
    while merge.advance()? {}
    let merged = merge.finish();
    let conflicts = merged.conflicts();
    let mut emitter = Emitter::new(Rc::new(merged));
    let mut out = io::stdout().lock();
    let mut buffer = vec![0; BLOCK];
    loop {
        let n = emitter.fill(&mut buffer);
        if n == 0 {
            break;
        }
        match out.write_all(buffer.get(..n).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    if conflicts.types > 0 {
        cli::complain(format_args!(
            "families that lost their type, because pages differ: {}",
            conflicts.types
        ));
    }
    if conflicts.duplicates > 0 {
        cli::complain(format_args!(
            "samples left out, because an equal series was there: {}",
            conflicts.duplicates
        ));
    }
    Ok(())
}

/// Reads one of the pages.
async fn page(
    engine: &Rc<Engine>,
    named: &NamedPage,
    (label, limits): (Option<&str>, &Limits),
) -> Result<Rc<Page>, Failure> {
    let budget = &engine.reserve;
    let watch = Watch::new(label);
    match &named.place {
        Place::StandardInput => read(io::stdin().lock(), &watch, budget, limits),
        Place::File(path) => {
            let named = |error: Failure| format!("{}: {error}", path.display());
            let file = File::open(path).map_err(|error| named(error.into()))?;
            read(file, &watch, budget, limits).map_err(|error| named(error).into())
        }
        Place::Url(url) => {
            let found = config::Found { name: named.name.to_string(), url: url.to_string() };
            let mut plan = config::Source::found(&found, limits.body);
            plan.label_names = label.into_iter().map(Into::into).collect();
            let source = Source::new(&plan, limits.families, Rc::new(State::default()))?;
            let now = Instant::now();
            let deadline = now.checked_add(DEFAULT_SCRAPE_TIMEOUT).unwrap_or(now);
            Ok(Rc::new(source.ask(engine, budget, (&Params::default(), deadline)).await?))
        }
    }
}

/// Reads a page that is no exporter's: OpenMetrics if its last line says so.
fn read(
    mut from: impl Read,
    watch: &Watch,
    budget: &Budget,
    limits: &Limits,
) -> Result<Rc<Page>, Failure> {
    let mut writer = PageWriter::new(budget.clone(), limits.body);
    loop {
        match from.read(writer.spare()?)? {
            0 => break,
            n => writer.advance(n)?,
        }
    }
    let text = writer.finish()?;
    let last = text.blocks().last().map(|block| block.filled()).unwrap_or_default();
    let last_line = last.trim_ascii_end().rsplit(|&b| b == b'\n').next();
    let openmetrics = last_line == Some(b"# EOF");
    let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
    let mut indexer = Indexer::new(format, watch, limits.families, budget)?;
    while indexer.advance(text.blocks())? {}
    Ok(Rc::new(indexer.finish(text)?))
}
