//! The `merge` outlet: many exporters in, one correct page out.

mod common;
#[path = "merge/conflicts.rs"]
mod conflicts;
#[path = "merge/failures.rs"]
mod failures;
#[path = "merge/fetching.rs"]
mod fetching;
#[path = "merge/pages.rs"]
mod pages;

use common::exporter::{OPENMETRICS, chunked, close_delimited, ok};
use common::{Exporter, Setup, page};

#[test]
fn two_sources_share_one_type_line() {
    let a = Exporter::serving("# TYPE up gauge\nup{node=\"a\"} 1\n");
    let b = Exporter::serving("# TYPE up gauge\nup{node=\"b\"} 0\n");
    let daemon = Setup::merging(&[&a, &b]).start();

    let reply = daemon.get("/merged");

    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(reply.body, include_str!("golden/merge-two.prom"));
}

/// Families in order of first appearance, sources in configured order, labels and escapes and
/// timestamps as they came, all five types.
#[test]
fn a_small_merge_is_word_for_word_as_written_down() {
    let a = Exporter::serving(include_str!("golden/small-a.prom"));
    let b = Exporter::serving(include_str!("golden/small-b.prom"));
    let daemon = Setup::new()
        .source_with("first", &a, "labels: {rack: \"7\"}")
        .source("second", &b)
        .route("/merged", "{merge: [first, second]}")
        .route("/reversed", "{merge: [second, first]}")
        .route("/plain", "{merge: {sources: [first], label: none}}")
        .route("/named", "{merge: {sources: [first, second], label: origin}}")
        .start();
    let cases = [
        ("/merged", include_str!("golden/small-merged.prom")),
        ("/reversed", include_str!("golden/small-reversed.prom")),
        ("/plain", include_str!("golden/small-plain.prom")),
    ];
    for (path, want) in cases {
        let reply = daemon.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert_eq!(reply.body, want, "{path}");
        page::assert_well_formed(path, &reply.body);
    }
    let named = daemon.get("/named").body;
    let want = include_str!("golden/small-merged.prom").replace("exporter_name=", "origin=");
    assert_eq!(named, want, "/named");
}

/// What the syntax level repairs: each of these pages means the same as the tidy one.
#[test]
fn untidy_pages_are_repaired() {
    let tidy =
        "# HELP x Things.\n# TYPE x counter\nx{a=\"1\"} 1\nx{a=\"2\"} 2\n# TYPE y gauge\ny 3\n";
    let crlf = tidy.replace('\n', "\r\n");
    let cases: [(&str, &str); 9] = [
        ("tidy", tidy),
        ("CRLF line ends", &crlf),
        ("no last line end", tidy.trim_end()),
        ("CRLF, no last line end", crlf.trim_end()),
        (
            "a split family",
            "# HELP x Things.\n# TYPE x counter\nx{a=\"1\"} 1\n# TYPE y gauge\ny 3\nx{a=\"2\"} 2\n",
        ),
        (
            "TYPE and HELP after samples",
            "x{a=\"1\"} 1\nx{a=\"2\"} 2\n# TYPE x counter\n# HELP x Things.\ny 3\n# TYPE y gauge\n",
        ),
        (
            "repeated TYPE and HELP",
            "# HELP x Things.\n# TYPE x counter\n# HELP x Things.\n# TYPE x counter\nx{a=\"1\"} 1\n\
             # TYPE x counter\nx{a=\"2\"} 2\n# TYPE y gauge\n# TYPE y gauge\ny 3\n",
        ),
        (
            "blank lines and comments",
            "\n# by hand\n#\n# HELP x Things.\n\n# TYPE x counter\nx{a=\"1\"} 1\n # indented\n\
             x{a=\"2\"} 2\n\n\n# TYPE y gauge\ny 3\n\n",
        ),
        (
            "white space wherever it may be",
            "#  HELP \t x  Things.\n#\tTYPE x\tcounter\n  x { a = \"1\" , }  1\nx\t{a=\"2\"}\t2 \n\
             # TYPE y gauge\ny{}   3\n",
        ),
    ];
    let want = page::samples(tidy);
    for (name, text) in cases {
        let a = Exporter::serving(text);
        let daemon = Setup::merging(&[&a]).start();
        let reply = daemon.get("/merged");
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        page::assert_well_formed(name, &reply.body);
        let got = page::samples(&reply.body);
        let got: Vec<_> = got.into_iter().map(|sample| sample.without("exporter_name")).collect();
        assert_eq!(got, want, "{name}");
        let types = page::types(&reply.body);
        assert_eq!(types.get("x").map(String::as_str), Some("counter"), "{name}");
        assert_eq!(types.get("y").map(String::as_str), Some("gauge"), "{name}");
        assert!(reply.body.contains("# HELP x Things.\n"), "{name}: {}", reply.body);
    }
}

#[test]
fn a_page_is_the_same_however_it_is_framed() {
    let text = include_str!("pages/pushgateway.prom");
    let direct = Exporter::serving(text);
    let want = Setup::merging(&[&direct]).start().get("/merged").body;
    assert_eq!(page::count(&want), page::count(text));
    let cases = [
        ("chunks of one byte", Exporter::answering(chunked(text, 1))),
        ("chunks of 7 bytes", Exporter::answering(chunked(text, 7))),
        ("one chunk", Exporter::answering(chunked(text, text.len()))),
        ("close-delimited", Exporter::closing(close_delimited("HTTP/1.1", text))),
        ("HTTP/1.0", Exporter::closing(close_delimited("HTTP/1.0", text))),
        (
            "a byte at a time",
            Exporter::talking(|conversation| {
                while conversation.request().is_some() {
                    let reply = ok(common::exporter::TEXT, include_str!("pages/pushgateway.prom"));
                    assert!(reply.chunks(1).all(|byte| conversation.send(byte)));
                }
            }),
        ),
    ];
    for (name, exporter) in cases {
        let daemon = Setup::merging(&[&exporter]).start();
        let reply = daemon.get("/merged");
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        assert_eq!(reply.body, want, "{name}");
        assert_eq!(daemon.get("/merged").body, want, "{name}, once more");
    }
}

#[test]
fn an_empty_page_is_a_success_without_samples() {
    for (name, text) in [("empty", ""), ("only comments", "# nothing here\n"), ("a line end", "\n")]
    {
        let a = Exporter::serving(text);
        let b = Exporter::serving("up 1\n");
        let daemon = Setup::merging(&[&a, &b]).start();

        let reply = daemon.get("/merged");

        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(page::value(&reply.body, "up", &[("exporter_name", "b")]), Some(1.0), "{name}");
        assert_eq!(page::count(&reply.body), 1, "{name}: {}", reply.body);
        assert_eq!(daemon.own("fanin_source_up", &[("source", "a")]), Some(1.0), "{name}");
        assert_eq!(daemon.own("fanin_source_samples", &[("source", "a")]), Some(0.0), "{name}");
    }
}

#[test]
fn a_label_that_is_there_already_is_renamed_overridden_or_kept() {
    let a = Exporter::serving("up{exporter_name=\"theirs\",rack=\"1\"} 1\n");
    let daemon = Setup::new()
        .source_with("a", &a, "labels: {rack: \"7\"}")
        .route("/default", "{merge: [a]}")
        .route("/rename", "{merge: {sources: [a], on_conflict: rename}}")
        .route("/override", "{merge: {sources: [a], on_conflict: override}}")
        .route("/keep", "{merge: {sources: [a], on_conflict: keep}}")
        .start();
    let renamed = [
        ("exporter_name", "a"),
        ("exported_exporter_name", "theirs"),
        ("rack", "7"),
        ("exported_rack", "1"),
    ];
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("/default", &renamed),
        ("/rename", &renamed),
        ("/override", &[("exporter_name", "a"), ("rack", "7")]),
        ("/keep", &[("exporter_name", "theirs"), ("rack", "1")]),
    ];
    for (path, want) in cases {
        let body = daemon.get(path).body;
        let samples = page::samples(&body);
        assert_eq!(samples.len(), 1, "{path}: {body}");
        assert_eq!(samples[0].labels.len(), want.len(), "{path}: {body}");
        for (name, value) in want {
            assert_eq!(samples[0].label(name), Some(*value), "{path}: {body}");
        }
    }
}

/// OpenMetrics is told by its Content-Type, and leaves as text 0.0.4.
#[test]
fn openmetrics_is_renamed_first() {
    let a = Exporter::answering(ok(OPENMETRICS, include_str!("golden/openmetrics.txt")));
    let daemon = Setup::merging(&[&a]).start();

    let reply = daemon.get("/merged");

    assert_eq!(reply.status, 200, "{}", reply.body);
    page::assert_well_formed("openmetrics", &reply.body);
    let mut got = page::samples(&reply.body);
    let mut want = page::samples(include_str!("golden/openmetrics-as-text.prom"));
    got.sort();
    want.sort();
    assert_eq!(got, want, "{}", reply.body);
    let types = page::types(&reply.body);
    for (name, kind) in page::types(include_str!("golden/openmetrics-as-text.prom")) {
        assert_eq!(types.get(&name), Some(&kind), "{name}: {}", reply.body);
    }
}

/// A quoted name leaves quoted only to a scraper that says it understands it.
#[test]
fn names_are_quoted_only_for_those_who_ask() {
    let a = Exporter::serving("# TYPE \"my.name\" gauge\n{\"my.name\",\"a.b\"=\"c\"} 1\n");
    let daemon = Setup::merging(&[&a]).start();
    let utf8 = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4";
    let escaped = "text/plain;version=1.0.0;escaping=underscores;q=0.6,*/*;q=0.1";
    for (name, accept) in [("no Accept", None), ("underscores", Some(escaped))] {
        let fields: Vec<_> = accept.map(|value| ("Accept", value)).into_iter().collect();
        let body = daemon.get_with("/merged", &fields).body;
        page::assert_well_formed(name, &body);
        assert_eq!(page::samples(&body)[0].name, "my_name", "{name}: {body}");
        assert_eq!(page::samples(&body)[0].label("a_b"), Some("c"), "{name}: {body}");
        assert!(page::types(&body).contains_key("my_name"), "{name}: {body}");
    }
    let reply = daemon.get_with("/merged", &[("Accept", utf8)]);
    assert!(reply.body.contains("\n{\"my.name\""), "{}", reply.body);
    assert!(reply.body.contains("\"a.b\"=\"c\""), "{}", reply.body);
    assert!(reply.body.contains("# TYPE \"my.name\" gauge\n"), "{}", reply.body);
    assert!(reply.header("content-type").unwrap().contains("escaping=allow-utf-8"));
}
