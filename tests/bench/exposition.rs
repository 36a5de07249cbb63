//! How fast pages are lexed and merged: `cargo bench`.
//!
//! Each number is the best of many rounds, in bytes of input per second. With `--once CASE PAGE...` a
//! case (`load`, `check`, `lex`, `merge`) runs exactly once over the pages, so that `valgrind --tool=callgrind`
//! can count its instructions; those of `load` are to be taken off.
#![allow(
    missing_docs,
    clippy::all,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::print_stdout
)]
#![allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::indexing_slicing)]

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fanin::exposition::{
    Checker, Emitter, Format, Indexer, Labels, Merge, Names, OnConflict, Page, Part, Watch,
};
use fanin::limits::BLOCK;
use fanin::memory::{Budget, PageWriter, Pool, Text};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [flag, case, names @ ..] = args.as_slice()
        && flag == "--once"
    {
        let pages: Vec<_> = names.iter().map(|name| page_named(name)).collect();
        let pages: Vec<&[u8]> = pages.iter().map(Vec::as_slice).collect();
        run_once(case, &pages);
        println!("{case}: {} bytes of input", pages.concat().len());
        return;
    }
    println!(
        "{:<28} {:>9} {:>7} {:>12} {:>10} {:>12}",
        "page", "bytes", "lines", "check MB/s", "lex MB/s", "merge MB/s"
    );
    let names = ["node_exporter", "prometheus", "pushgateway", "exporter_exporter", "generated"];
    let pages = names.map(page_named);
    for (name, page) in names.iter().zip(&pages) {
        measure(name, &[page]);
    }
    measure("node_exporter + prometheus", &[&pages[0], &pages[1]]);
    measure("node_exporter, three times", &[pages[0].as_slice(); 3]);
}

fn measure(name: &str, pages: &[&[u8]]) {
    let bytes: usize = pages.iter().map(|page| page.len()).sum();
    let lines = pages.iter().flat_map(|page| page.iter()).filter(|&&b| b == b'\n').count();
    let [check, lex, merge] = ["check", "lex", "merge"].map(|case| best(case, pages, bytes));
    println!("{name:<28} {bytes:>9} {lines:>7} {check:>12.0} {lex:>10.0} {merge:>12.0}");
}

/// Megabytes per second of the best of many rounds.
fn best(case: &str, pages: &[&[u8]], bytes: usize) -> f64 {
    let mut best = Duration::MAX;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1500) {
        best = best.min(run_once(case, pages));
    }
    bytes as f64 / best.as_secs_f64() / 1e6
}

/// Loads the pages into blocks, as a socket would, and times what is done with them then: `check`
/// only checks them, `lex` checks and indexes them, `merge` also writes them as one page with a label on each sample.
fn run_once(case: &str, pages: &[&[u8]]) -> Duration {
    let pool = Pool::new(64 << 20, 0);
    let budget = pool.reserve();
    let texts: Vec<Text> = pages.iter().map(|page| load(page, &budget)).collect();
    let start = Instant::now();
    if case == "load" {
        return start.elapsed();
    }
    if case == "check" {
        for text in &texts {
            black_box(check(text));
        }
        return start.elapsed();
    }
    let pages: Vec<_> = texts.into_iter().map(|text| index(text, &budget)).collect();
    if case == "merge" {
        emit(&pages, &budget);
    }
    start.elapsed()
}

fn load(page: &[u8], budget: &Budget) -> Text {
    let mut writer = PageWriter::new(budget.clone(), page.len());
    writer.write(page).unwrap();
    writer.finish().unwrap()
}

fn check(text: &Text) -> usize {
    let mut checker = Checker::new(Format::Text);
    for block in text.blocks() {
        checker.block(block.filled()).unwrap();
    }
    checker.finish().unwrap()
}

fn index(text: Text, budget: &Budget) -> Rc<Page> {
    let watch = Watch::new(["exporter_name"]);
    let mut indexer = Indexer::new(Format::Text, &watch, 8192, budget).unwrap();
    while indexer.advance(text.blocks()).unwrap() {}
    Rc::new(indexer.finish(text).unwrap())
}

fn emit(pages: &[Rc<Page>], budget: &Budget) -> usize {
    let mut merge = Merge::new(OnConflict::Rename, Names::Underscores, budget).unwrap();
    for (number, page) in pages.iter().enumerate() {
        let name = ["one", "two", "three"][number];
        let labels = Rc::new(Labels::new([("exporter_name", name)]));
        merge.add(Part::new(Rc::clone(page), labels)).unwrap();
    }
    while merge.advance().unwrap() {}
    let mut emitter = Emitter::new(Rc::new(merge.finish()));
    let mut out = vec![0; BLOCK];
    let mut total = 0;
    loop {
        match emitter.fill(&mut out) {
            0 => return total,
            n => total += black_box(n),
        }
    }
}

fn page_named(name: &str) -> Vec<u8> {
    if name == "generated" {
        return generated(5 << 20);
    }
    let path = format!("{}/tests/pages/{name}.prom", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// A page of about `bytes` bytes with all five types, as a busy application has it.
fn generated(bytes: usize) -> Vec<u8> {
    use std::fmt::Write;
    let mut page = String::new();
    let mut n = 0_u32;
    let bounds =
        ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
    while page.len() < bytes {
        let name = format!("app_subsystem{n}_operation");
        for (kind, suffix) in [("counter", "_total"), ("gauge", "_in_flight"), ("untyped", "_raw")]
        {
            _ = writeln!(page, "# HELP {name}{suffix} Operations of subsystem {n}.");
            _ = writeln!(page, "# TYPE {name}{suffix} {kind}");
            for i in 0..40 {
                let value = f64::from(n * 7919 + i * 104_729) / 8.0;
                _ = writeln!(
                    page,
                    "{name}{suffix}{{instance=\"10.0.{i}.{n}:9100\",method=\"GET\",path=\"/api/v1/items/{i}\"}} {value}"
                );
            }
        }
        _ = writeln!(
            page,
            "# HELP {name}_seconds Time that operations took.\n# TYPE {name}_seconds histogram"
        );
        for i in 0..10 {
            for (b, le) in bounds.iter().enumerate() {
                _ = writeln!(
                    page,
                    "{name}_seconds_bucket{{handler=\"/api/v{i}\",code=\"200\",le=\"{le}\"}} {}",
                    b * 17 + i
                );
            }
            _ = writeln!(
                page,
                "{name}_seconds_sum{{handler=\"/api/v{i}\",code=\"200\"}} {}",
                f64::from(n) * 1.7e-3
            );
            _ = writeln!(
                page,
                "{name}_seconds_count{{handler=\"/api/v{i}\",code=\"200\"}} {}",
                204 + i
            );
        }
        _ = writeln!(
            page,
            "# HELP {name}_size_bytes Sizes of replies.\n# TYPE {name}_size_bytes summary"
        );
        for i in 0..10 {
            for q in ["0.5", "0.9", "0.99"] {
                _ = writeln!(
                    page,
                    "{name}_size_bytes{{handler=\"/api/v{i}\",quantile=\"{q}\"}} 1.234567e+0{}",
                    i % 9
                );
            }
            _ = writeln!(
                page,
                "{name}_size_bytes_sum{{handler=\"/api/v{i}\"}} 8.812e+06\n{name}_size_bytes_count{{handler=\"/api/v{i}\"}} 21{i}"
            );
        }
        n += 1;
    }
    page.into_bytes()
}
