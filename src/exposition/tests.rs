//! Merges of small pages, each with the whole page that comes out.

use std::rc::Rc;

use super::*;
use crate::limits::{BLOCK, DEFAULT_FAMILIES};
use crate::memory::{Budget, PageWriter, Pool};

fn budget() -> Budget {
    Pool::new(64 << 20, 0).reserve()
}

fn page(
    text: &str,
    format: Format,
    watch: &Watch,
    budget: &Budget,
) -> Result<Rc<Page>, IndexError> {
    let mut writer = PageWriter::new(budget.clone(), 64 << 20);
    writer.write(text.as_bytes()).unwrap();
    let text = writer.finish().unwrap();
    let mut indexer = Indexer::new(format, watch, DEFAULT_FAMILIES, budget)?;
    while indexer.advance(text.blocks())? {}
    indexer.finish(text).map(Rc::new)
}

/// How a merge of a test is done.
#[derive(Clone, Copy)]
struct How {
    label: bool,
    on_conflict: OnConflict,
    names: Names,
}

const PLAIN: How = How { label: false, on_conflict: OnConflict::Rename, names: Names::Underscores };
const LABELLED: How = How { label: true, ..PLAIN };

fn merged(pages: &[&str], how: How) -> (String, Conflicts) {
    let budget = budget();
    let watch = Watch::new(["exporter_name"]);
    let mut merge = Merge::new(how.on_conflict, how.names, &budget).unwrap();
    for (number, text) in pages.iter().enumerate() {
        let openmetrics = text.ends_with("# EOF\n");
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        let page = page(text, format, &watch, &budget).unwrap_or_else(|e| panic!("{e}: {text}"));
        let name = ["a", "b", "c", "d"][number];
        let labels =
            if how.label { Labels::new([("exporter_name", name)]) } else { Labels::default() };
        merge.add(Part::new(page, Rc::new(labels))).unwrap();
    }
    while merge.advance().unwrap() {}
    let merged = Rc::new(merge.finish());
    let whole = emitted(&merged, BLOCK);
    for size in [1, 7, 64, 1000] {
        assert_eq!(emitted(&merged, size), whole, "with a buffer of {size}");
    }
    (whole, merged.conflicts())
}

fn emitted(merged: &Rc<Merged>, buffer: usize) -> String {
    let mut emitter = Emitter::new(Rc::clone(merged));
    let mut out = vec![0; buffer];
    let mut whole = Vec::new();
    loop {
        match emitter.fill(&mut out) {
            0 => return String::from_utf8(whole).unwrap(),
            n => whole.extend_from_slice(&out[..n]),
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_family_leaves_once() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("nothing", &[""], ""),
        ("comments only", &["# hello\n\n#\n# HELP\n"], ""),
        ("an undeclared sample", &["up 1\n"], "# TYPE up untyped\nup 1\n"),
        ("no last line end", &["up 1"], "# TYPE up untyped\nup 1\n"),
        (
            "two sources, one TYPE",
            &[
                "# HELP up Is it up.\n# TYPE up gauge\nup{x=\"1\"} 1\n",
                "# TYPE up gauge\nup{x=\"2\"} 0\n",
            ],
            "# HELP up Is it up.\n# TYPE up gauge\nup{x=\"1\"} 1\nup{x=\"2\"} 0\n",
        ),
        (
            "the first HELP wins, also when the second page has the samples",
            &["# HELP up one\nx 1\n", "# HELP up two\nup 1\n"],
            "# HELP up one\n# TYPE up untyped\nup 1\n# TYPE x untyped\nx 1\n",
        ),
        (
            "a split family is joined, TYPE after the samples goes first",
            &["a{n=\"1\"} 1\nb 1\na{n=\"2\"} 2\n# TYPE a counter\n# HELP a late\n"],
            "# HELP a late\n# TYPE a counter\na{n=\"1\"} 1\na{n=\"2\"} 2\n# TYPE b untyped\nb 1\n",
        ),
        (
            "repeated HELP and TYPE",
            &["# TYPE a gauge\n# HELP a x\na 1\n# HELP a y\n# TYPE a gauge\na{b=\"c\"} 2\n"],
            "# HELP a x\n# TYPE a gauge\na 1\na{b=\"c\"} 2\n",
        ),
        ("a blank at the end", &["a 1 \na 2\t\n"], "# TYPE a untyped\na 1\na 2\n"),
        (
            "families without samples stay away",
            &["# HELP a x\n# TYPE a gauge\nb 1\n"],
            "# TYPE b untyped\nb 1\n",
        ),
        (
            "carriage returns, blanks and tabs",
            &["# TYPE a gauge\r\n  a{ b = \"c\" , } 1\r\n\ta\t2  3 \r\na {} 4\r\n"],
            "# TYPE a gauge\na{b=\"c\"} 1\na 2 3\na 4\n",
        ),
        (
            "escapes that the format lacks are read as Prometheus reads them",
            &["# HELP a C:\\dir\\n\na{p=\"C:\\dir\\\\x\\\"\"} 1\n"],
            "# HELP a C:\\\\dir\\n\n# TYPE a untyped\na{p=\"C:\\\\dir\\\\x\\\"\"} 1\n",
        ),
        (
            "parts of a histogram over two pages keep the order of the pages",
            &[
                "# TYPE x histogram\nx_bucket{le=\"1\"} 1\nx_bucket{le=\"+Inf\"} 1\n",
                "x_sum 1\nx_count 1\nx_total 5\n",
            ],
            "# TYPE x histogram\nx_bucket{le=\"1\"} 1\nx_bucket{le=\"+Inf\"} 1\nx_sum 1\nx_count 1\n\
             # TYPE x_total untyped\nx_total 5\n",
        ),
        (
            "the declaration may come with the second page",
            &["x_sum 1\nx_count 1\n", "# TYPE x summary\nx{quantile=\"0.5\"} 1\n"],
            "# TYPE x summary\nx_sum 1\nx_count 1\nx{quantile=\"0.5\"} 1\n",
        ),
        (
            "a bucket is no part of a summary",
            &["# TYPE x summary\nx_bucket{le=\"1\"} 1\nx_sum 1\n"],
            "# TYPE x summary\nx_sum 1\n# TYPE x_bucket untyped\nx_bucket{le=\"1\"} 1\n",
        ),
    ];
    for (name, pages, want) in cases {
        let (got, conflicts) = merged(pages, PLAIN);
        assert_eq!(&got, want, "{name}");
        assert_eq!(conflicts, Conflicts::default(), "{name}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn disagreement_dissolves_a_family_and_keeps_every_sample() {
    let histogram = "# HELP x h\n# TYPE x histogram\nx_bucket{le=\"+Inf\"} 1\nx_sum 1\nx_count 1\n";
    let count = "# TYPE x_count counter\nx_count 7\n";
    let own = "# TYPE x_count counter\nx_count{s=\"a\"} 1\nx_count{s=\"b\"} 7\n";
    let cases: &[(&str, &[&str], String, usize)] = &[
        (
            "TYPE against TYPE",
            &["# HELP a g\n# TYPE a gauge\na{s=\"a\"} 1\n", "# TYPE a counter\na{s=\"b\"} 2\n"],
            "# HELP a g\n# TYPE a untyped\na{s=\"a\"} 1\na{s=\"b\"} 2\n".into(),
            1,
        ),
        (
            "histogram against gauge",
            &[histogram, "# TYPE x gauge\nx 3\n"],
            "# HELP x h\n# TYPE x untyped\nx 3\n# TYPE x_bucket untyped\nx_bucket{le=\"+Inf\"} 1\n\
             # TYPE x_sum untyped\nx_sum 1\n# TYPE x_count untyped\nx_count 1\n"
                .into(),
            1,
        ),
        (
            "a page against itself",
            &["# TYPE a gauge\na 1\n# TYPE a counter\n"],
            "# TYPE a untyped\na 1\n".into(),
            1,
        ),
        (
            "a counter with the name of a histogram's part goes first, after it",
            &[
                &histogram.replace("x_count 1", "x_count{s=\"a\"} 1"),
                &count.replace("x_count 7", "x_count{s=\"b\"} 7"),
            ],
            format!("{own}# HELP x h\n# TYPE x histogram\nx_bucket{{le=\"+Inf\"}} 1\nx_sum 1\n"),
            0,
        ),
        (
            "and before it",
            &[count, "# TYPE x histogram\nx_bucket{le=\"+Inf\"} 1\nx_sum 1\n"],
            format!("{count}# TYPE x histogram\nx_bucket{{le=\"+Inf\"}} 1\nx_sum 1\n"),
            0,
        ),
        (
            "bounds that are no numbers",
            &["# TYPE x histogram\nx_bucket{le=\"low\"} 1\nx_count 1\n"],
            "# TYPE x_bucket untyped\nx_bucket{le=\"low\"} 1\n# TYPE x_count untyped\nx_count 1\n"
                .into(),
            1,
        ),
        (
            "a quantile that is no number",
            &["# TYPE x summary\nx{quantile=\"\"} 1\nx_count 1\n"],
            "# TYPE x untyped\nx{quantile=\"\"} 1\n# TYPE x_count untyped\nx_count 1\n".into(),
            1,
        ),
        (
            "a chain of parts",
            &[
                "# TYPE x summary\n# TYPE x_sum summary\n# TYPE x_sum_sum gauge\nx{quantile=\"1\"} 1\nx_sum{quantile=\"1\"} 1\nx_sum_sum 1\n",
            ],
            "# TYPE x_sum_sum gauge\nx_sum_sum 1\n# TYPE x_sum summary\nx_sum{quantile=\"1\"} 1\n\
             # TYPE x summary\nx{quantile=\"1\"} 1\n"
                .into(),
            0,
        ),
    ];
    for (name, pages, want, types) in cases {
        let (got, conflicts) = merged(pages, PLAIN);
        assert_eq!(&got, want, "{name}");
        assert_eq!(conflicts.types, *types, "{name}");
    }
}

#[test]
fn labels_are_put_on_every_sample() {
    let cases: &[(&str, OnConflict, &str, &str)] = &[
        ("no labels", OnConflict::Rename, "a 1\n", "a{exporter_name=\"a\"} 1\n"),
        ("empty braces", OnConflict::Rename, "a{} 1\n", "a{exporter_name=\"a\"} 1\n"),
        ("some", OnConflict::Rename, "a{b=\"}\"} 1 5\n", "a{exporter_name=\"a\",b=\"}\"} 1 5\n"),
        ("a blank at the end", OnConflict::Rename, "a 1 \n", "a{exporter_name=\"a\"} 1\n"),
        ("no blank", OnConflict::Rename, "a{b=\"c\"}1\n", "a{exporter_name=\"a\",b=\"c\"}1\n"),
        (
            "a last comma",
            OnConflict::Rename,
            "a{b=\"c\",} 1\n",
            "a{exporter_name=\"a\",b=\"c\",} 1\n",
        ),
        ("odd", OnConflict::Rename, "a {b=\"c\"} 1\n", "a{exporter_name=\"a\",b=\"c\"} 1\n"),
        (
            "rename",
            OnConflict::Rename,
            "a{exporter_name=\"x\"} 1\n",
            "a{exporter_name=\"a\",exported_exporter_name=\"x\"} 1\n",
        ),
        (
            "rename twice",
            OnConflict::Rename,
            "a{exported_exporter_name=\"y\",exporter_name=\"x\"} 1\n",
            "a{exporter_name=\"a\",exported_exporter_name=\"y\",exported_exported_exporter_name=\"x\"} 1\n",
        ),
        (
            "override",
            OnConflict::Override,
            "a{exporter_name=\"x\"} 1\n",
            "a{exporter_name=\"a\"} 1\n",
        ),
        ("keep", OnConflict::Keep, "a{exporter_name=\"x\"} 1\n", "a{exporter_name=\"x\"} 1\n"),
        (
            "keep finds an empty one to be none",
            OnConflict::Keep,
            "a{exporter_name=\"\",b=\"c\"} 1\n",
            "a{exporter_name=\"a\",b=\"c\"} 1\n",
        ),
    ];
    for (name, on_conflict, page, want) in cases {
        let (got, _) = merged(&[page], How { on_conflict: *on_conflict, ..LABELLED });
        assert_eq!(got, format!("# TYPE a untyped\n{want}"), "{name}");
    }
}

#[test]
fn equal_series_leave_once_where_no_label_tells_sources_apart() {
    let cases: &[(&str, &[&str], &str, usize)] = &[
        ("the first stays", &["a 1\n", "a 2\n"], "a 1\n", 1),
        (
            "labels in another order",
            &["a{b=\"1\",c=\"2\"} 1\n", "a{c=\"2\",b=\"1\"} 2\n"],
            "a{b=\"1\",c=\"2\"} 1\n",
            1,
        ),
        ("an empty label is none", &["a{b=\"\"} 1\n", "a 2\n"], "a{b=\"\"} 1\n", 1),
        ("other timestamps are other samples", &["a 1 1\n", "a 1 2\n"], "a 1 1\na 1 2\n", 0),
        (
            "among others",
            &["a{b=\"1\"} 1\na{b=\"2\"} 1\n", "a{b=\"3\"} 1\na{b=\"2\"} 1\na{b=\"4\"} 1\n"],
            "a{b=\"1\"} 1\na{b=\"2\"} 1\na{b=\"3\"} 1\na{b=\"4\"} 1\n",
            1,
        ),
    ];
    for (name, pages, want, dropped) in cases {
        let (got, conflicts) = merged(pages, PLAIN);
        assert_eq!(got, format!("# TYPE a untyped\n{want}"), "{name}");
        assert_eq!(conflicts.duplicates, *dropped, "{name}");
        let (got, conflicts) = merged(pages, LABELLED);
        assert_eq!(conflicts.duplicates, 0, "{name}, labelled");
        let lines = |text: &str| text.lines().count();
        assert_eq!(lines(&got), lines(want) + 1 + dropped, "{name}, labelled");
    }
}

#[test]
fn a_line_belongs_to_its_own_name_whatever_stood_before() {
    let both = "# TYPE a gauge\na 2\n# TYPE b untyped\nb 1\n";
    let cases = [
        ("comments between", "# TYPE a gauge\n# so\n\na 1\n", "# TYPE a gauge\na 1\n"),
        ("odd, then usual", "# TYPE a gauge\na {} 1\na 2\n", "# TYPE a gauge\na 1\na 2\n"),
        ("an odd line of another", "# TYPE a gauge\nb  1\na 2\n", both),
        ("a quoted one", "# TYPE a gauge\n{\"b\"} 1\na 2\n", both),
        ("a quoted comment", "# TYPE a gauge\n# HELP \"b\" \na 2\nb 1\n", both),
        ("an odd comment", "# TYPE a gauge\n#  HELP b \na 2\nb 1\n", both),
        (
            "a longer name",
            "# TYPE a gauge\na 2\na:b 1\n",
            "# TYPE a gauge\na 2\n# TYPE a:b untyped\na:b 1\n",
        ),
        (
            "a shorter name",
            "# TYPE b:c gauge\nb 1\n# TYPE a gauge\na 2\n",
            "# TYPE b untyped\nb 1\n# TYPE a gauge\na 2\n",
        ),
    ];
    for (name, page, want) in cases {
        assert_eq!(merged(&[page], PLAIN).0, want, "{name}");
    }
}

#[test]
fn names_that_need_quotes() {
    let page = "# HELP \"my.name\" dots\n# TYPE \"my.name\" gauge\n{\"my.name\",\"l.x\"=\"v\"} 1\n{\"up\"} 1\n";
    let quoted = How { names: Names::Quoted, ..LABELLED };
    assert_eq!(
        merged(&[page], quoted).0,
        "# HELP \"my.name\" dots\n# TYPE \"my.name\" gauge\n\
         {\"my.name\",exporter_name=\"a\",\"l.x\"=\"v\"} 1\n# TYPE up untyped\nup{exporter_name=\"a\"} 1\n",
    );
    assert_eq!(
        merged(&[page], LABELLED).0,
        "# HELP my_name dots\n# TYPE my_name gauge\nmy_name{exporter_name=\"a\",l_x=\"v\"} 1\n\
         # TYPE up untyped\nup{exporter_name=\"a\"} 1\n",
    );
    let (got, conflicts) =
        merged(&["{\"a.b\"} 1\n{\"a-b\"} 2\n{\"ü\",\"l.x\"=\"1\",l_x=\"2\"} 3\n"], LABELLED);
    assert_eq!(
        got,
        "# TYPE a_b untyped\na_b{exporter_name=\"a\"} 1\n# TYPE _ untyped\n_{exporter_name=\"a\",l_x=\"2\"} 3\n",
    );
    assert_eq!(conflicts, Conflicts { types: 0, duplicates: 1, labels: 1 });
}

#[test]
fn openmetrics_leaves_as_text() {
    let page = "# HELP foo Foos \\\"seen\\\".\n# TYPE foo counter\n# UNIT foo \nfoo_total{a=\"b\"} 17.0 1520879607.789 # {id=\"x\"} 0.67 5\n\
        foo_created 1.5\n# TYPE build info\n# HELP build About.\nbuild_info{v=\"1\"} 1\n\
        # TYPE s stateset\ns{s=\"on\"} 1\n# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 1\ng_gcount 1\ng_gsum 1\n\
        # TYPE u unknown\nu 1\n# EOF\n";
    let want = "# HELP foo_total Foos \"seen\".\n# TYPE foo_total counter\nfoo_total{a=\"b\"} 17.0 1520879607789\n\
        # TYPE foo_created untyped\nfoo_created 1.5\n# HELP build_info About.\n# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n\
        # TYPE s gauge\ns{s=\"on\"} 1\n# TYPE g_bucket untyped\ng_bucket{le=\"+Inf\"} 1\n\
        # TYPE g_gcount untyped\ng_gcount 1\n# TYPE g_gsum untyped\ng_gsum 1\n# TYPE u untyped\nu 1\n";
    assert_eq!(merged(&[page], PLAIN).0, want);
    let with_text = merged(&[page, "# TYPE foo_total counter\nfoo_total{a=\"c\"} 1\n"], PLAIN);
    assert!(with_text.0.contains("foo_total{a=\"b\"} 17.0 1520879607789\nfoo_total{a=\"c\"} 1\n"));
    assert_eq!(with_text.1, Conflicts::default());
}

#[test]
fn a_malformed_page_is_refused_with_its_place() {
    let cases = [
        ("html", " <html>\n", 1, 2),
        ("no value", "up\n", 1, 3),
        ("no number", "a 1\nup one\n", 2, 4),
        ("overflow", "up 1e999\n", 1, 4),
        ("negative timestamp", "up 1 -5\n", 1, 6),
        ("more after it", "up 1 5 6\n", 1, 8),
        ("a label twice", "up{a=\"1\",b=\"\",a=\"2\"} 1\n", 1, 15),
        ("reserved", "up{__name__=\"x\"} 1\n", 1, 4),
        ("no quote", "up{a=1} 1\n", 1, 6),
        ("open quote", "up{a=\"1} 1\n", 1, 6),
        ("a line feed within quotes", "up{a=\"1\n2\"} 1\n", 1, 6),
        ("no comma", "up{a=\"1\" b=\"2\"} 1\n", 1, 10),
        ("two commas", "up{a=\"1\",,b=\"2\"} 1\n", 1, 10),
        ("a name twice", "up{\"down\"} 1\n", 1, 4),
        ("no name", "{a=\"1\"} 1\n", 1, 7),
        ("an empty name", "{\"\"} 1\n", 1, 2),
        ("a digit first", "9up 1\n", 1, 1),
        ("unknown type", "# TYPE up speed\n", 1, 11),
        ("bad meta name", "# HELP 9 x\n", 1, 8),
        ("a byte 0", "up{a=\"\0\"} 1\n", 1, 7),
    ];
    for (name, text, line, column) in cases {
        let got = page(text, Format::Text, &Watch::default(), &budget()).err();
        let Some(IndexError::Malformed { line: l, column: c, fault }) = got else {
            panic!("{name}: {got:?}")
        };
        assert_eq!((l, c), (line, column), "{name}: {fault}");
    }
    let openmetrics = [
        ("no end", "a 1\n", 2, 1),
        ("after the end", "# EOF\na 1\n", 2, 1),
        ("bad exemplar", "a_total 1 # x\n# EOF\n", 1, 13),
        ("nested exemplar", "a_total 1 # {} 1 # {} 1\n# EOF\n", 1, 18),
        ("text types", "# TYPE a untyped\n# EOF\n", 1, 10),
    ];
    for (name, text, line, column) in openmetrics {
        let got = page(text, Format::OpenMetrics, &Watch::default(), &budget()).err();
        let Some(IndexError::Malformed { line: l, column: c, fault }) = got else {
            panic!("{name}: {got:?}")
        };
        assert_eq!((l, c), (line, column), "{name}: {fault}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_but_in_comments() {
    let budget = budget();
    let index = |bytes: &[u8]| {
        let mut writer = PageWriter::new(budget.clone(), 1 << 20);
        writer.write(bytes).unwrap();
        let text = writer.finish().unwrap();
        let watch = Watch::default();
        let mut indexer = Indexer::new(Format::Text, &watch, 10, &budget).unwrap();
        while indexer.advance(text.blocks())? {}
        indexer.finish(text).map(|page| page.samples())
    };
    assert_eq!(index(b"# caf\xe9\nup 1\n"), Ok(1));
    let fault = Fault::Utf8;
    assert_eq!(
        index(b"up 1\nup{a=\"\xe9\"} 1\n"),
        Err(IndexError::Malformed { line: 2, column: 7, fault })
    );
    assert_eq!(
        index(b"# HELP up \xe9\n"),
        Err(IndexError::Malformed { line: 1, column: 11, fault })
    );
}

#[test]
fn limits_of_an_index_are_errors() {
    let budget = budget();
    let families = |names: usize, limit| {
        let mut writer = PageWriter::new(budget.clone(), 1 << 20);
        for n in 0..names {
            writer
                .write(format!("# TYPE h{n} histogram\nh{n}_sum 1\nh{n}_count 1\n").as_bytes())
                .unwrap();
        }
        let text = writer.finish().unwrap();
        let watch = Watch::default();
        let mut indexer = Indexer::new(Format::Text, &watch, limit, &budget).unwrap();
        while indexer.advance(text.blocks())? {}
        indexer.finish(text).map(|page| page.samples())
    };
    assert_eq!(families(100, 100), Ok(200));
    assert_eq!(families(101, 100), Err(IndexError::TooManyFamilies(100)));
    let runs = "a 1\nb 1\n".repeat(crate::limits::RUNS / 2 + 1);
    let got = page(&runs, Format::Text, &Watch::default(), &budget).err();
    assert_eq!(got, Some(IndexError::TooManyRuns));
    let labels = |n: usize| (0..n).map(|n| format!("l{n}=\"\",")).collect::<String>();
    let sample = |n| format!("a{{{}}} 1\n", labels(n));
    assert!(page(&sample(128), Format::Text, &Watch::default(), &budget).is_ok());
    assert!(page(&sample(129), Format::Text, &Watch::default(), &budget).is_err());
}

#[test]
fn real_pages_lose_nothing_wherever_blocks_end() {
    let node = include_str!("../../tests/pages/node_exporter.prom");
    let prometheus = include_str!("../../tests/pages/prometheus.prom");
    let samples = |text: &str| text.lines().filter(|l| !l.starts_with('#')).count();
    let (got, conflicts) = merged(&[node, prometheus, node], LABELLED);
    assert_eq!(samples(&got), 2 * samples(node) + samples(prometheus));
    assert_eq!(conflicts, Conflicts::default());
    for family in ["go_goroutines", "process_cpu_seconds_total"] {
        assert_eq!(got.matches(&format!("# TYPE {family} ")).count(), 1, "{family}");
    }
    let mut shifted = String::from("# ");
    for cut in 0..200 {
        shifted.insert(2, 'x');
        let padded = format!("{shifted}\n{node}");
        assert_eq!(merged(&[&padded], PLAIN).0.len(), merged(&[node], PLAIN).0.len(), "{cut}");
        if cut == 3 {
            shifted.insert_str(2, &"y".repeat(BLOCK - 300));
        }
    }
}

#[test]
fn any_line_cut_anywhere_is_lexed_or_refused_without_harm() {
    let lines = [
        "# HELP \"my.name\" text \\n",
        "# TYPE name_total counter",
        "  name_total{a=\"x\\\"\\\\\\n\", b = \"y\" ,} 1.5e-3 1700000000000",
        "{\"my.name\",\"l.x\"=\"v\",le=\"0.5\"} +Inf",
        "name_bucket{le=\"+Inf\"} 17 # {trace_id=\"abc\"} 0.67 1520879607.789",
        "# EOF",
    ];
    let watch = Watch::new(["a", "exporter_name"]);
    for whole in lines {
        for cut in 0..=whole.len() {
            let line = format!("{}\n", &whole[..cut]);
            for format in [Format::Text, Format::OpenMetrics] {
                let lexer = lexer::Lexer { format, watch: Some(&watch) };
                match lexer.single(line.as_bytes(), 0) {
                    Ok((_, next)) => assert_eq!(next, line.len(), "{line}"),
                    Err(malformed) => assert!(malformed.at < line.len(), "{line}"),
                }
            }
        }
    }
}

/// What a merge puts on a page's samples.
type Ours<'a> = &'a [(&'a str, &'a str)];
type Labelled<'a> = (&'a str, Ours<'a>);

/// A merge of pages with these labels, and how many samples it left out.
fn labelled(pages: &[Labelled<'_>]) -> (String, usize) {
    let budget = budget();
    let watch = Watch::new(["a", "exported_a", "rack"]);
    let mut merge = Merge::new(OnConflict::Rename, Names::Underscores, &budget).unwrap();
    for (text, labels) in pages {
        let page = page(text, Format::Text, &watch, &budget).unwrap();
        let labels = Rc::new(Labels::new(labels.iter().copied()));
        merge.add(Part::new(page, labels)).unwrap();
    }
    while merge.advance().unwrap() {}
    let merged = Rc::new(merge.finish());
    (emitted(&merged, BLOCK), merged.conflicts().duplicates)
}

#[test]
fn labels_that_are_alike_do_not_tell_sources_apart() {
    let (seven, eight) = ([("rack", "7")], [("rack", "8")]);
    let cases: [(&[Labelled<'_>], usize); 4] = [
        (&[("m 1\n", &seven), ("m 2\n", &seven)], 1),
        (&[("m 1\n", &seven), ("m 2\n", &eight)], 0),
        (&[("m 1\n", &seven), ("m{rack=\"7\"} 2\n", &[])], 1),
        (&[("m 1\n", &seven), ("m 2\n", &[("zone", "7")])], 0),
    ];
    for (pages, want) in cases {
        let (text, duplicates) = labelled(pages);
        assert_eq!(duplicates, want, "{text}");
    }
}

#[test]
fn renamed_labels_never_meet() {
    let ours: Ours<'_> = &[("a", "1"), ("exported_a", "2")];
    let cases: [(&str, Ours<'_>, &str); 3] = [
        (
            "m{a=\"3\",exported_a=\"4\"} 5\n",
            ours,
            "m{a=\"1\",exported_a=\"2\",exported_exported_a=\"3\",\
             exported_exported_exported_a=\"4\"} 5\n",
        ),
        (
            "m{exported_a=\"4\",a=\"\"} 5\n",
            ours,
            "m{a=\"1\",exported_a=\"2\",exported_exported_a=\"4\"} 5\n",
        ),
        (
            "m{a=\"3\",\"exported.a\"=\"4\"} 5\n",
            &[("a", "1")],
            "m{a=\"1\",exported_exported_a=\"3\",exported_a=\"4\"} 5\n",
        ),
    ];
    for (page, ours, want) in cases {
        let (text, _) = labelled(&[(page, ours)]);
        assert_eq!(text, format!("# TYPE m untyped\n{want}"));
    }
}
