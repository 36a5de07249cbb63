//! Sources that disagree. Every sample leaves once, and the page stays valid.

use crate::common::exporter::{OPENMETRICS, TEXT, ok};
use crate::common::{Exporter, Setup, page};

/// A case: its name, two pages with their Content-Type, and the TYPE lines that must leave; a
/// family that dissolved may leave as `untyped` or without a TYPE.
type Case = (&'static str, (&'static str, &'static str), (&'static str, &'static str), Types);
type Types = &'static [(&'static str, &'static str)];

const HISTOGRAM: &str = "# HELP x A histogram.\n# TYPE x histogram\n\
    x_bucket{le=\"1\"} 1\nx_bucket{le=\"+Inf\"} 2\nx_sum 3\nx_count 2\n";
const COUNTER_NAMED_COUNT: &str = "# HELP x_count A counter.\n# TYPE x_count counter\nx_count 5\n";
const SUMMARY: &str = "# TYPE x summary\nx{quantile=\"0.5\"} 1\nx_sum 2\nx_count 3\n";

const CASES: [Case; 14] = [
    (
        "histogram x, then counter x_count",
        (TEXT, HISTOGRAM),
        (TEXT, COUNTER_NAMED_COUNT),
        &[("x", "histogram"), ("x_count", "counter")],
    ),
    (
        "counter x_count, then histogram x",
        (TEXT, COUNTER_NAMED_COUNT),
        (TEXT, HISTOGRAM),
        &[("x", "histogram"), ("x_count", "counter")],
    ),
    (
        "summary x, then gauge x_sum",
        (TEXT, SUMMARY),
        (TEXT, "# TYPE x_sum gauge\nx_sum{a=\"b\"} 1\n"),
        &[("x", "summary"), ("x_sum", "gauge")],
    ),
    (
        "histogram x, then an undeclared x_bucket",
        (TEXT, HISTOGRAM),
        (TEXT, "x_bucket{le=\"2\"} 1\n"),
        &[("x", "histogram")],
    ),
    (
        "an undeclared x_count, then histogram x",
        (TEXT, "x_count 1\n"),
        (TEXT, HISTOGRAM),
        &[("x", "histogram")],
    ),
    (
        "counter against gauge",
        (TEXT, "# TYPE x counter\nx 1\n"),
        (TEXT, "# TYPE x gauge\nx 2\n"),
        &[],
    ),
    (
        "gauge against histogram",
        (TEXT, "# HELP x One.\n# TYPE x gauge\nx 1\n"),
        (TEXT, HISTOGRAM),
        &[],
    ),
    ("histogram against gauge", (TEXT, HISTOGRAM), (TEXT, "# TYPE x gauge\nx 1\n"), &[]),
    ("histogram against summary", (TEXT, HISTOGRAM), (TEXT, SUMMARY), &[]),
    (
        "typed against undeclared",
        (TEXT, "x{a=\"b\"} 1\n"),
        (TEXT, "# TYPE x gauge\nx 2\n"),
        &[("x", "gauge")],
    ),
    (
        "a histogram's parts split over the sources",
        (TEXT, "# TYPE x histogram\nx_bucket{le=\"1\"} 1\nx_bucket{le=\"+Inf\"} 2\n"),
        (TEXT, "# TYPE x histogram\nx_sum 3\nx_count 2\n"),
        &[("x", "histogram")],
    ),
    (
        "a histogram declared in one source, its parts in the other",
        (TEXT, "# TYPE x histogram\n"),
        (TEXT, "x_bucket{le=\"1\"} 1\nx_bucket{le=\"+Inf\"} 2\nx_sum 3\nx_count 2\n"),
        &[("x", "histogram")],
    ),
    (
        "quoted against bare",
        (TEXT, "# TYPE \"x\" gauge\n{\"x\",a=\"b\"} 1\n"),
        (TEXT, "# TYPE x gauge\nx 2\n"),
        &[("x", "gauge")],
    ),
    (
        "OpenMetrics counter against text counter",
        (OPENMETRICS, "# TYPE x counter\nx_total 1\nx_created 1.5\n# EOF\n"),
        (TEXT, "# TYPE x_total counter\nx_total 2\n"),
        &[("x_total", "counter")],
    ),
];

fn labelled(text: &str, source: &str) -> Vec<(String, String, String)> {
    page::samples(text)
        .into_iter()
        .map(|mut sample| {
            sample.labels.push(("exporter_name".to_owned(), source.to_owned()));
            sample.labels.sort();
            (sample.name, format!("{:?}", sample.labels), sample.rest)
        })
        .collect()
}

fn of(text: &str) -> Vec<(String, String, String)> {
    let mut all: Vec<_> = page::samples(text)
        .into_iter()
        .map(|mut sample| {
            sample.labels.sort();
            (sample.name, format!("{:?}", sample.labels), sample.rest)
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_conflict_keeps_every_sample_on_a_valid_page() {
    for (name, (first_type, first), (second_type, second), want) in CASES {
        let a = Exporter::answering(ok(first_type, first));
        let b = Exporter::answering(ok(second_type, second));
        let daemon = Setup::merging(&[&a, &b]).start();

        let reply = daemon.get("/merged");

        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        page::assert_well_formed(name, &reply.body);
        let mut samples = labelled(first, "a");
        samples.append(&mut labelled(second, "b"));
        samples.sort();
        assert_eq!(of(&reply.body), samples, "{name}: {}", reply.body);
        let mut types = page::types(&reply.body);
        types.retain(|_, kind| kind != "untyped");
        let types: Vec<_> = types.iter().map(|(of, kind)| (of.as_str(), kind.as_str())).collect();
        assert_eq!(types, want, "{name}: {}", reply.body);
    }
}

#[test]
fn a_dissolved_family_is_counted_and_keeps_its_help() {
    let a = Exporter::serving("# HELP x Mine.\n# TYPE x counter\nx 1\n");
    let b = Exporter::serving("# HELP x Yours.\n# TYPE x gauge\nx 2\n");
    let daemon = Setup::merging(&[&a, &b]).start();

    let body = daemon.get("/merged").body;

    assert!(body.contains("# HELP x Mine.\n"), "{body}");
    assert!(!body.contains("Yours"), "{body}");
    let counted = page::samples(&daemon.get("/metrics").body);
    let counted = counted.iter().filter(|sample| sample.name == "fanin_merge_conflicts_total");
    assert!(counted.map(page::Sample::value).sum::<f64>() >= 1.0);
}

#[test]
fn of_two_helps_the_first_stays() {
    let a = Exporter::serving("# TYPE x gauge\nx 1\n");
    let b = Exporter::serving("# HELP x Second.\n# TYPE x gauge\nx 2\n");
    let c = Exporter::serving("# HELP x Third.\n# TYPE x gauge\nx 3\n");
    let body = Setup::merging(&[&a, &b, &c]).start().get("/merged").body;
    page::assert_well_formed("helps", &body);
    assert!(body.starts_with("# HELP x Second.\n# TYPE x gauge\nx{"), "{body}");
    assert!(!body.contains("Third"), "{body}");
}

/// Equal series: same name, labels in any order, timestamp. The first stays, whatever its value.
#[test]
fn duplicates_are_dropped_where_labels_cannot_tell() {
    let a = Exporter::serving("# TYPE x gauge\nx{a=\"1\",b=\"2\"} 1\nx{a=\"1\"} 5 1000\n");
    let b = Exporter::serving("x{b=\"2\",a=\"1\"} 9\nx{a=\"1\"} 6 2000\nx{a=\"1\"} 7 1000\ny 1\n");
    let daemon = Setup::new()
        .source("a", &a)
        .source("b", &b)
        .route("/merged", "{merge: {sources: [a, b], label: none}}")
        .start();

    let body = daemon.get("/merged").body;

    page::assert_well_formed("duplicates", &body);
    let rests: Vec<_> = page::samples(&body).into_iter().map(|sample| sample.rest).collect();
    assert_eq!(rests, ["1", "5 1000", "6 2000", "1"], "{body}");
}

/// Names that only differ in what escaping removes are duplicates once they are escaped.
#[test]
fn names_that_escape_to_the_same_are_duplicates() {
    let a = Exporter::serving("{\"my.name\"} 1\n{\"my-name\"} 2\nmy_name 3\n");
    let daemon = Setup::merging(&[&a]).start();
    let body = daemon.get("/merged").body;
    page::assert_well_formed("escaped", &body);
    assert_eq!(page::value(&body, "my_name", &[]), Some(1.0), "{body}");
}
