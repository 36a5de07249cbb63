//! Other people's clients push, unchanged: two kinds of `nc`, Cap'n Proto's library for Python, and the
//! official Prometheus client for Python, beside Debian's Pushgateway.
#![cfg(feature = "push")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::peers::{Peer, find, free_port};
use common::{Daemon, Setup, command, daemon, page};

/// A document as exporter-proxy's users keep it in a file: one application, a list of lines, times of
/// the samples, several blanks.
const LIST: &str = r##"{
    "list_app": [
        "# HELP list_requests_total Requests.",
        "# TYPE list_requests_total counter",
        "list_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000",
        "list_requests_total{method=\"post\",code=\"400\"}    3 1395066363000"
    ]
}"##;

/// The same as one text without a last line end, and white space behind it.
const TEXT: &str = "{\"text_app\":\"# HELP text_requests_total Requests.\\n# TYPE text_requests_total \
    counter\\ntext_requests_total{method=\\\"post\\\",code=\\\"400\\\"}    3 1395066363000\"\n\n}";

fn pushed() -> Daemon {
    let listen = ["\"tcp://127.0.0.1:0\"", "\"unix://push.sock\""];
    Setup::new().pushed("apps", &listen, "", "").route("/metrics", "{merge: apps}").start()
}

fn value(daemon: &Daemon, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    page::value(&daemon.get("/metrics").body, name, labels)
}

/// The clients of `tests/peers/clients.py`, with the libraries that they need.
fn clients(what: &str) -> Option<Command> {
    let mut command = Command::new(find(what, &["python3-clients"])?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/clients.py"));
    Some(command)
}

/// A running `nc`, killed when dropped.
struct Netcat(Child);

impl Netcat {
    /// Starts `program` with these words, and gives it `input` and no more.
    fn sending(program: &Path, words: &[&str], input: &[u8]) -> Self {
        let mut command = Command::new(program);
        let pipes = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Self(child)
    }
}

impl Drop for Netcat {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `nc` does when its input has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    /// It closes its half, or all of it, and ends.
    Ends(&'static str),
    /// It waits for the other end.
    Waits,
}

#[test]
fn nc_sends_json_and_messages() {
    let Some(mut python) = clients("messages by pycapnp through nc") else { return };
    let encoded = python.arg("encode").output().unwrap();
    assert!(encoded.status.success(), "{}", String::from_utf8_lossy(&encoded.stderr));
    let (post, bad) = (("method", "post"), ("code", "400"));
    let inputs: [(&str, &[u8], &str, &str); 3] = [
        ("a list", LIST.as_bytes(), "list_requests_total", "list_app"),
        ("a text", TEXT.as_bytes(), "text_requests_total", "text_app"),
        ("messages", &encoded.stdout, "py_requests_total_app1", "py_app1"),
    ];
    let flavours = [
        ("nc.openbsd", &[Then::Ends("-N"), Then::Ends("-q0"), Then::Waits][..]),
        ("nc.traditional", &[Then::Ends("-q0"), Then::Waits]),
    ];
    for (flavour, ways) in flavours {
        let Some(program) = find("pages through nc", &[flavour]) else { continue };
        for way in ways {
            for unix in [false, true] {
                if unix && flavour == "nc.traditional" {
                    continue; // it knows no Unix sockets
                }
                for (name, input, metric, app) in &inputs {
                    let case = format!("{flavour} {way:?} {name}, over Unix: {unix}");
                    nc_sends(
                        &program,
                        (*way, unix),
                        input,
                        |daemon| {
                            let labels = [post, bad, ("app", app)];
                            value(daemon, metric, &labels) == Some(3.0)
                        },
                        &case,
                    );
                }
            }
        }
    }
}

/// Sends `input` to a fresh daemon, waits until it is `there`, and sees how `nc` ends.
fn nc_sends(
    program: &Path,
    (way, unix): (Then, bool),
    input: &[u8],
    there: impl Fn(&Daemon) -> bool,
    case: &str,
) {
    let daemon = pushed();
    let (host, port) = daemon.listeners[1].strip_prefix("tcp://").unwrap().split_once(':').unwrap();
    let socket = daemon.listeners[2].strip_prefix("unix://").unwrap();
    let mut words = match way {
        Then::Ends(flag) => vec![flag],
        Then::Waits => vec![],
    };
    words.extend(if unix { ["-U", socket] } else { [host, port] });
    let mut nc = Netcat::sending(program, &words, input);
    daemon.until(case, || there(&daemon));
    common::peers::assert_syntax(case, &daemon.get("/metrics").body);
    if way != Then::Waits {
        assert!(nc.0.wait().unwrap().success(), "{case}");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut nc.0.stdout.take().unwrap(), &mut said).unwrap();
        assert_eq!(said, "", "{case}: nobody asked");
    }
}

#[test]
fn pycapnp_writes_to_a_socket() {
    for unix in [false, true] {
        let Some(mut python) = clients("messages by pycapnp") else { return };
        let daemon = pushed();
        let place = daemon.listeners[1 + usize::from(unix)].clone();
        python.arg("capnp");
        match place.strip_prefix("unix://") {
            Some(path) => python.args(["unix", path]),
            None => {
                let (host, port) = place.trim_start_matches("tcp://").split_once(':').unwrap();
                python.args(["tcp", host, port])
            }
        };
        let done = command::run(&mut python, "");
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{place}");
        for app in ["0", "1"] {
            let (metric, app) = (format!("py_requests_total_app{app}"), format!("py_app{app}"));
            let labels = [("code", "200"), ("app", app.as_str())];
            daemon.until(&metric, || value(&daemon, &metric, &labels) == Some(1027.0));
        }
        assert!(daemon.get("/metrics").body.contains(" Requests, \"quoted\" ä.\n"));
        common::peers::assert_syntax(&place, &daemon.get("/metrics").body);
    }
}

/// Samples of a page, in an order of their own: names, labels, values.
fn sorted(address: &str) -> Vec<String> {
    let body = daemon::get_at(address, "/metrics", &[]).unwrap().body;
    let told = |sample: page::Sample| {
        let mut labels = sample.labels.clone();
        for (_, value) in labels.iter_mut().filter(|(name, _)| name == "le") {
            // The Pushgateway writes 1.0 as 1.
            *value = value.parse::<f64>().unwrap().to_string();
        }
        labels.sort_unstable();
        // When that was differs.
        let timed = sample.name.ends_with("_created") || sample.name.ends_with("time_seconds");
        let value = if timed { 0.0 } else { sample.value() };
        format!("{} {labels:?} {value}", sample.name)
    };
    // Of those two, the Pushgateway tells of itself too.
    let of_jobs = |sample: &page::Sample| sample.labels.iter().any(|(name, _)| name == "job");
    let mut all: Vec<String> = page::samples(&body).into_iter().filter(of_jobs).map(told).collect();
    all.sort_unstable();
    all
}

fn pushgateway() -> Option<(PathBuf, String)> {
    let program = find("the Pushgateway", &["prometheus-pushgateway"])?;
    Some((program, format!("127.0.0.1:{}", free_port())))
}

#[test]
fn the_official_client_pushes_as_to_the_pushgateway() {
    let what = "push_to_gateway of the official client";
    let Some((program, address)) = pushgateway() else { return };
    let mut gateway = Command::new(program);
    // Debian's would remember what earlier tests pushed.
    gateway.arg(format!("--web.listen-address={address}")).arg("--persistence.file=");
    let _gateway = Peer::accepting(&mut gateway, &address).unwrap();
    let daemon = Setup::new()
        .source_of("hub", "{push: {}}")
        .route("/metrics", "{receive: hub, merge: {sources: hub, label: none}}")
        .start();
    // Name, whose gauge then has which value, and how many samples there are.
    let steps = [("push", Some(1.0)), ("add", Some(3.0)), ("again", None), ("delete", None)];
    for (step, gauge) in steps {
        for to in [address.as_str(), daemon.addr()] {
            let Some(mut python) = clients(what) else { return };
            let done = command::run(python.args(["gateway", step, to]), "");
            assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{step} to {to}");
        }
        assert_eq!(sorted(daemon.addr()), sorted(&address), "{step}");
        let labels = [("job", "batch"), ("instance", "a/b"), ("zone", "")];
        assert_eq!(value(&daemon, "job_last_success_unixtime", &labels), gauge, "{step}");
        let other = [("job", "other job"), ("instance", "")];
        assert_eq!(value(&daemon, "job_last_success_unixtime", &other), Some(2.0), "{step}");
        common::peers::assert_syntax(step, &daemon.get("/metrics").body);
    }
}
