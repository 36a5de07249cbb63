//! The commands that end by themselves, and their exit codes: 0 done, 1 it did not work, 2 used
//! wrongly.

mod common;

use common::exporter::{OPENMETRICS, ok, reply};
use common::{Exporter, Folder, fanin, fanin_reading, page};

const GOOD: &str = "# HELP x_total Things.\n# TYPE x_total counter\nx_total 1\n";

#[test]
fn version_is_that_of_the_crate() {
    let done = fanin(&["--version"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out, format!("fanin {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_names_every_command() {
    let done = fanin(&["--help"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for command in ["serve", "init", "check", "lint", "merge"] {
        assert!(done.out.contains(command), "{command}: {}", done.out);
        let done = fanin(&[command, "--help"]);
        assert_eq!(done.code, Some(0), "{command}: {done:?}");
        assert!(!done.out.is_empty(), "{command}");
    }
}

#[test]
fn wrong_use_exits_2_and_says_what_is_wrong() {
    let cases: [(&[&str], &str); 7] = [
        (&["frobnicate"], "frobnicate"),
        (&["serve", "--frobnicate"], "frobnicate"),
        (&["serve", "--config"], "config"),
        (&["serve", "--config", "/nonexistent/fanin.yaml"], "/nonexistent/fanin.yaml"),
        (&["serve", "--listen", "nonsense"], "nonsense"),
        (&["check"], "file"),
        (&["merge", "no-equals-sign"], "no-equals-sign"),
    ];
    for (arguments, needle) in cases {
        let done = fanin(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        assert!(done.err.to_lowercase().contains(needle), "{arguments:?}: {done:?}");
        assert!(done.out.is_empty(), "{arguments:?}: {done:?}");
        assert!(!done.err.contains("panicked"), "{arguments:?}: {done:?}");
    }
}

#[test]
fn what_init_prints_is_what_check_accepts() {
    let made = fanin(&["init"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.out.contains("10555"), "{}", made.out);
    let folder = Folder::new();
    let file = folder.write("fanin.yaml", &made.out);
    let done = fanin(&["check", &file]);
    assert_eq!(done.code, Some(0), "{done:?}\n{}", made.out);
}

/// A file that is whole but for what comes on its second line.
macro_rules! with_server {
    ($rest:literal) => {
        concat!("servers: [{listen: tcp://127.0.0.1:0}]\n", $rest)
    };
}

/// What is wrong, the file, where it is wrong, and what the message must name.
const BAD_FILES: [(&str, &str, &str, &str); 12] = [
    ("an unknown key", "servers:\n  - lisen: [tcp://127.0.0.1:0]\n", ":2:", "lisen"),
    ("no server", "sources: {}\n", ":", "servers"),
    (
        "an unknown source",
        "servers:\n  - listen: [tcp://127.0.0.1:0]\n    routes:\n      /x: {merge: [nobody]}\n",
        ":4:",
        "nobody",
    ),
    ("a bad URL", with_server!("sources:\n  a: {http: {url: \"htp://b/\"}}\n"), ":3:", "htp://b/"),
    (
        "a bad duration",
        with_server!("sources:\n  a: {http: {url: \"http://b/\"}, timeout: soon}\n"),
        ":3:",
        "soon",
    ),
    ("a bad size", with_server!("limits: {memory: 16MB!}\n"), ":2:", "16MB!"),
    (
        "a reserved name",
        with_server!("sources:\n  self: {http: {url: \"http://b/\"}}\n"),
        ":3:",
        "self",
    ),
    (
        "a reserved label",
        with_server!("sources:\n  a: {http: {url: \"http://b/\"}, labels: {le: \"1\"}}\n"),
        ":3:",
        "le",
    ),
    (
        "credentials in a URL",
        with_server!("sources:\n  a: {http: {url: \"http://u:p@b/\"}}\n"),
        ":3:",
        "basic",
    ),
    (
        "a body of more than half the memory",
        with_server!("limits: {memory: 8MiB, body: 6MiB}\n"),
        ":2:",
        "memory",
    ),
    ("a later key", with_server!("pipes: [{spool: 8MiB}]\n"), ":2:", "not built yet"),
    ("no YAML", "servers: [\n", ":", "fanin.yaml"),
];

#[cfg(feature = "tls")]
#[test]
fn check_warns_of_whoever_takes_any_certificate() {
    let folder = Folder::new();
    let blind = "tls: {insecure_skip_verify: true}";
    let text = format!(
        "servers: [{{listen: \"tcp://127.0.0.1:1\", routes: {{/metrics: {{merge: all}}}}}}]\n\
         sources:\n  node: {{http: {{url: \"https://n/\", {blind}}}}}\n\
         \x20 sure: {{http: {{url: \"https://n/\"}}}}\n\
         \x20 voron: {{klipper: {{target: \"https://v\", {blind}}}}}\n\
         pipes: [{{name: hub, from: node, to: \"https://h/metrics/j/i\", every: 4s, {blind}}}]\n"
    );
    let done = fanin(&["check", &folder.write("fanin.yaml", &text)]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let warned: Vec<&str> = done.err.lines().collect();
    let want = ["source \"node\"", "source \"voron\"", "pipe \"hub\""];
    let want =
        want.map(|who| format!("warning: {who} takes any certificate: insecure_skip_verify"));
    assert_eq!(warned, want);
}

#[test]
fn check_warns_of_a_source_that_no_route_has() {
    let folder = Folder::new();
    let text = "servers:\n  - listen: tcp://127.0.0.1:0\n    routes: {/metrics: {merge: [node]}}\n\
                sources:\n  node: {http: {url: \"http://127.0.0.1:1/\"}}\n  \
                spare: {http: {url: \"http://127.0.0.1:2/\"}}\n";
    let done = fanin(&["check", &folder.write("fanin.yaml", text)]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.err, "warning: source \"spare\" is in no route and in no pipe\n");
}

#[test]
fn check_names_the_place_the_path_the_value_and_the_rule() {
    for (name, text, place, needle) in BAD_FILES {
        let folder = Folder::new();
        let file = folder.write("fanin.yaml", text);
        let done = fanin(&["check", &file]);
        assert_eq!(done.code, Some(2), "{name}: {done:?}");
        assert!(done.err.contains(&format!("fanin.yaml{place}")), "{name}: {}", done.err);
        assert!(done.err.contains(needle), "{name}: {}", done.err);
        // `serve` says the same, and starts nothing.
        let served = fanin(&["serve", "--config", &file]);
        assert_eq!(served.code, Some(2), "{name}: {served:?}");
        assert!(served.err.contains(needle), "{name}: {}", served.err);
        assert!(!served.err.contains("listening"), "{name}: {}", served.err);
    }
}

#[test]
fn flags_take_dots_for_dashes_and_an_equals_sign_for_a_blank() {
    let folder = Folder::new();
    let file = folder.write("fanin.yaml", "servers: 7\n");
    for arguments in
        [["serve", "--config", &file].as_slice(), &["serve", &format!("--config={file}")]]
    {
        let done = fanin(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        assert!(done.err.contains("fanin.yaml:1:"), "{arguments:?}: {done:?}");
    }
    for arguments in
        [["serve", "--log.level", "nonsense"].as_slice(), &["serve", "--log-level=nonsense"]]
    {
        let done = fanin(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        assert!(done.err.contains("nonsense"), "{arguments:?}: {done:?}");
    }
}

#[test]
fn lint_accepts_the_pages_of_real_exporters() {
    for (name, text) in [
        ("node_exporter", include_str!("pages/node_exporter.prom")),
        ("prometheus", include_str!("pages/prometheus.prom")),
        ("pushgateway", include_str!("pages/pushgateway.prom")),
        ("exporter_exporter", include_str!("pages/exporter_exporter.prom")),
    ] {
        let folder = Folder::new();
        let file = folder.write("page.prom", text);
        let done = fanin(&["lint", &file]);
        assert_eq!(done.code, Some(0), "{name}: {done:?}");
        let advice = |line: &str| line.contains(": warning: ");
        assert!(done.out.lines().chain(done.err.lines()).all(advice), "{name}: {done:?}");
        assert_eq!(fanin_reading(text, &["lint"]).code, Some(0), "{name} on standard input");
        assert_eq!(fanin_reading(text, &["lint", "-"]).code, Some(0), "{name} as -");
    }
}

#[test]
fn lint_places_every_fault_and_exits_1() {
    let cases = [
        ("no value", "x 1\ny\n", ":2:"),
        ("no number", "x one\n", ":1:"),
        ("no last line end", "x 1", ":1:"),
        ("TYPE after samples", "x 1\n# TYPE x gauge\n", ":2:"),
        ("a second TYPE", "# TYPE x gauge\n# TYPE x gauge\nx 1\n", ":2:"),
        ("a second HELP", "# HELP x One.\n# HELP x Two.\nx 1\n", ":2:"),
        ("an unknown type", "# TYPE x meter\nx 1\n", ":1:"),
        ("an open label", "x{a=\"b} 1\n", ":1:"),
        ("a bad escape", "x{a=\"\\t\"} 1\n", ":1:"),
        ("a name that begins with a digit", "1x 1\n", ":1:"),
        ("HTML", "<html>\n</html>\n", ":1:"),
    ];
    for (name, text, place) in cases {
        let folder = Folder::new();
        let file = folder.write("page.prom", text);
        let done = fanin(&["lint", &file]);
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        let said = format!("{}{}", done.out, done.err);
        assert!(said.contains(&format!("page.prom{place}")), "{name}: {said}");
    }
    let done = fanin_reading("x one\ny two\nz 3\n", &["lint"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let faults = done.out.lines().filter(|line| !line.contains(": warning: "));
    assert_eq!(faults.count(), 2, "every fault: {done:?}");
}

#[test]
fn lint_of_a_file_that_is_not_there_did_not_work() {
    let done = fanin(&["lint", "/nonexistent/page.prom"]);
    assert!(matches!(done.code, Some(1 | 2)), "{done:?}");
    assert!(done.err.contains("/nonexistent/page.prom"), "{done:?}");
}

#[test]
fn merge_writes_one_page_of_files_and_urls() {
    let folder = Folder::new();
    let file = folder.write("a.prom", GOOD);
    let metrics = folder.write("om.txt", "# TYPE x counter\nx_total 2\n# EOF\n");
    let exporter = Exporter::serving("# TYPE x_total counter\nx_total 3\n");
    let other = Exporter::answering(ok(OPENMETRICS, "# TYPE x counter\nx_total 4\n# EOF\n"));

    let done = fanin(&[
        "merge",
        &format!("file={file}"),
        &format!("om={metrics}"),
        &format!("url={}", exporter.url()),
        &format!("omurl={}", other.url()),
    ]);

    assert_eq!(done.code, Some(0), "{done:?}");
    page::assert_well_formed("merge", &done.out);
    assert!(
        done.out.starts_with("# HELP x_total Things.\n# TYPE x_total counter\n"),
        "{}",
        done.out
    );
    for (name, value) in [("file", 1.0), ("om", 2.0), ("url", 3.0), ("omurl", 4.0)] {
        let got = page::value(&done.out, "x_total", &[("exporter_name", name)]);
        assert_eq!(got, Some(value), "{name}: {}", done.out);
    }
    assert_eq!(page::count(&done.out), 4);
}

#[test]
fn merge_of_what_cannot_be_had_exits_1_and_says_why() {
    let folder = Folder::new();
    let good = folder.write("good.prom", GOOD);
    let bad = folder.write("bad.prom", "x 1\nx{ 1\n");
    let exporter = Exporter::answering(reply("503 Service Unavailable", &[], ""));
    let cases = [
        ("malformed", bad, "2"),
        ("missing", "/nonexistent/a.prom".to_owned(), "/nonexistent/a.prom"),
        ("status", exporter.url(), "503"),
    ];
    for (name, what, needle) in cases {
        let done = fanin(&["merge", &format!("good={good}"), &format!("broken={what}")]);
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        assert!(done.err.contains("broken"), "{name}: {done:?}");
        assert!(done.err.contains(needle), "{name}: {done:?}");
    }
}

/// `fanin merge … | head -1`: whoever has read enough is no failure.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::new();
    let file = folder.write("big.prom", &common::big_page(400_000));
    let program = common::setup::PROGRAM.as_str();
    let line = format!("\"{program}\" merge a=\"{file}\" | head -n 1; exit \"${{PIPESTATUS[0]}}\"");
    let done = common::command::run(std::process::Command::new("bash").args(["-c", &line]), "");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.out, "# HELP big_0 Filler number 0.\n");
    assert!(done.err.is_empty(), "{done:?}");
}
