//! How fast pages are lexed and merged: `cargo bench`.
//!
//! Each line is the best of many rounds over one page, in bytes of input per second. With
//! `--once CASE PAGE` a case runs exactly once over a page, so that
//! `valgrind --tool=callgrind` can count its instructions.
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
    Emitter, Format, Indexer, Labels, Merge, Names, OnConflict, Page, Part, Watch,
};
use fanin::limits::BLOCK;
use fanin::memory::{Budget, PageWriter, Pool, Text};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [flag, case, page] = args.as_slice()
        && flag == "--once"
    {
        let page = page_named(page);
        let bytes = run_once(case, &page);
        println!("{case}: {bytes} bytes of input");
        return;
    }
    println!(
        "{:<22} {:>9} {:>9} {:>12} {:>14}",
        "page", "bytes", "lines", "lex MB/s", "merge MB/s"
    );
    for name in ["node_exporter", "prometheus", "pushgateway", "exporter_exporter", "generated"] {
        let page = page_named(name);
        let lines = page.iter().filter(|&&b| b == b'\n').count();
        let lex = best(page.len(), || run_once("lex", &page));
        let merge = best(page.len(), || run_once("merge", &page));
        println!("{name:<22} {:>9} {lines:>9} {lex:>12.0} {merge:>14.0}", page.len());
    }
    let (a, b) = (page_named("node_exporter"), page_named("prometheus"));
    let both = best(a.len() + b.len(), || {
        let pool = Pool::new(64 << 20, 0);
        let budget = pool.reserve();
        let pages = [index(&a, &budget), index(&b, &budget)];
        emit(&pages, &budget);
        a.len() + b.len()
    });
    println!("node_exporter + prometheus, merged {both:>42.0}");
}

/// Megabytes per second of the best of many rounds.
fn best(bytes: usize, mut work: impl FnMut() -> usize) -> f64 {
    let mut best = Duration::MAX;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1500) {
        let start = Instant::now();
        for _ in 0..(1 << 20) / bytes + 1 {
            black_box(work());
        }
        best = best.min(start.elapsed() / ((1 << 20) / bytes + 1) as u32);
    }
    bytes as f64 / best.as_secs_f64() / 1e6
}

fn run_once(case: &str, page: &[u8]) -> usize {
    thread_local!(static TEXT: std::cell::RefCell<Option<(usize, Pool, Budget, Rc<Text>)>> = Default::default());
    let (pool, budget, text) = TEXT.with_borrow_mut(|text| {
        if text.as_ref().is_none_or(|(len, ..)| *len != page.len()) {
            let pool = Pool::new(64 << 20, 0);
            let budget = pool.reserve();
            let loaded = load(page, &budget);
            *text = Some((page.len(), pool, budget, Rc::new(loaded)));
        }
        let (_, pool, budget, text) = text.as_ref().unwrap();
        (pool.clone(), budget.clone(), Rc::clone(text))
    });
    match case {
        "load" => {}
        "lex" => {
            let watch = Watch::new(["exporter_name"]);
            let mut indexer = Indexer::new(Format::Text, &watch, 8192, &budget).unwrap();
            while indexer.advance(text.blocks()).unwrap() {}
            black_box(indexer.finish(Text::default()).unwrap().samples());
        }
        "merge" => {
            let budget = pool.reserve();
            let pages = [index(page, &budget)];
            emit(&pages, &budget);
        }
        other => panic!("no case {other}: lex, merge or load"),
    }
    page.len()
}

fn load(page: &[u8], budget: &Budget) -> Text {
    let mut writer = PageWriter::new(budget.clone(), page.len());
    writer.write(page).unwrap();
    writer.finish().unwrap()
}

fn index(page: &[u8], budget: &Budget) -> Rc<Page> {
    let text = load(page, budget);
    let watch = Watch::new(["exporter_name"]);
    let mut indexer = Indexer::new(Format::Text, &watch, 8192, budget).unwrap();
    while indexer.advance(text.blocks()).unwrap() {}
    Rc::new(indexer.finish(text).unwrap())
}

fn emit(pages: &[Rc<Page>], budget: &Budget) -> usize {
    let mut merge = Merge::new(OnConflict::Rename, Names::Underscores, budget).unwrap();
    for (number, page) in pages.iter().enumerate() {
        let name = ["node", "prometheus"][number];
        let labels = Rc::new(Labels::new([("exporter_name", name)]));
        merge.add(Part { page: Rc::clone(page), labels }).unwrap();
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
