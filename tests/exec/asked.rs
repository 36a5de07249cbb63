//! What a request may add to a command, and commands that run on their own.

use std::fs;

use crate::common::{Daemon, Setup, page};

/// Prints its arguments and how often it ran.
const SCRIPT: &str = "echo run >> runs\n\
    for arg in \"$@\"; do echo \"arg{value=\\\"$arg\\\"} 1\"; done\n\
    echo \"runs $(wc -l < runs)\"\n";

fn setup(keys: &str, beside: &str) -> Setup {
    let command = format!("{{exec: {{command: [sh, ./script, --prom], cwd: .{keys}}}{beside}}}");
    let setup = Setup::new()
        .source_of("script", &command)
        .route("/proxy", "{proxy: {sources: script, default: script}}")
        .route("/forwarded", "{merge: {sources: script, forward_params: true, label: none}}")
        .route("/merged", "{merge: {sources: script, label: none}}");
    setup.folder().write("script", SCRIPT);
    setup
}

fn arguments(body: &str) -> Vec<String> {
    let args = page::samples(body).into_iter().filter(|sample| sample.name == "arg");
    args.map(|sample| sample.label("value").unwrap().to_owned()).collect()
}

fn runs(daemon: &Daemon) -> usize {
    fs::read_to_string(daemon.folder().file("runs")).unwrap_or_default().lines().count()
}

/// `args` of the request stand behind those of the configuration, in their order, and nothing else
/// of the request reaches the command.
#[test]
fn a_request_adds_arguments_where_they_are_allowed() {
    let daemon = setup(", allow_args: true", "").start();
    let cases = [
        ("/proxy", vec!["--prom"]),
        ("/proxy?args=a&x=y&args=b%20c;d&args=", vec!["--prom", "a", "b c;d", ""]),
        ("/proxy?module=script&args=%24(reboot)", vec!["--prom", "$(reboot)"]),
        ("/forwarded?args=z&x=y", vec!["--prom", "z"]),
        ("/merged?args=z", vec!["--prom"]),
    ];
    for (path, want) in cases {
        let reply = daemon.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert_eq!(arguments(&reply.body), want, "{path}");
    }
}

#[test]
fn a_request_adds_none_where_they_are_not() {
    let daemon = setup("", "").start();
    let reply = daemon.get("/proxy?args=a");
    let told = "source \"script\" takes no args: allow_args is false\n";
    assert_eq!((reply.status, reply.body.as_str()), (400, told));
    assert_eq!(runs(&daemon), 0);
    // In a merge they may be another's.
    assert_eq!(arguments(&daemon.get("/forwarded?args=a").body), ["--prom"]);
    assert_eq!(arguments(&daemon.get("/proxy?x=y").body), ["--prom"]);
}

/// An argument that no command can have is that source's failure.
#[test]
fn a_byte_that_no_argument_can_have_is_refused() {
    let daemon = setup(", allow_args: true", "").start();
    let reply = daemon.get("/proxy?args=a%00b");
    assert_eq!(reply.status, 502, "{}", reply.body);
    assert_eq!(runs(&daemon), 0);
    assert_eq!(daemon.get("/proxy").status, 200);
}

/// Scraped twenty times within its interval, it has run once.
#[test]
fn a_command_that_runs_on_its_own_runs_once_for_all() {
    let daemon = setup(", allow_args: true", ", every: 1h").start();
    for _ in 0..10 {
        for path in ["/proxy", "/merged"] {
            let reply = daemon.get(path);
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            assert_eq!(page::value(&reply.body, "runs", &[]), Some(1.0), "{path}");
        }
    }
    assert_eq!(daemon.own("fanin_source_scrapes_total", &[("source", "script")]), Some(1.0));
    // Arguments make it another question.
    assert_eq!(page::value(&daemon.get("/proxy?args=a").body, "runs", &[]), Some(2.0));
    assert_eq!(page::value(&daemon.get("/proxy").body, "runs", &[]), Some(1.0));
}

/// A malformed line costs only itself where the source says so.
#[test]
fn malformed_lines_of_a_command_are_dropped() {
    let source = "{exec: {command: [sh, -c, \"echo good 1; echo bad; echo fine 2\"]}, \
                  on_malformed: drop_line}";
    let daemon = Setup::new()
        .source_of("script", source)
        .route("/proxy", "{proxy: {sources: script, default: script}}")
        .start();
    assert_eq!(daemon.get("/proxy").body, "good 1\nfine 2\n");
}
