//! `fanin serve` as an operator and a scraper meet it: its own pages, HTTP as it should be, reload,
//! the end.

mod common;
#[path = "serve/protocol.rs"]
mod protocol;
#[path = "serve/reload.rs"]
mod reload;

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use common::daemon::get_at;
use common::exporter::TEXT;
use common::{Daemon, Exporter, Folder, Gate, LIMIT, Setup, fanin, page};

const GOOD: &str = "# TYPE up gauge\nup 1\n";

#[test]
fn healthy_and_ready_answer() {
    let daemon = Setup::new().start();
    for path in ["/-/healthy", "/-/ready"] {
        let reply = daemon.get(path);
        assert_eq!(reply.status, 200, "{path}");
        assert!(!reply.body.is_empty(), "{path}");
    }
}

#[test]
fn the_landing_page_links_the_routes() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    let reply = daemon.get("/");
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").unwrap().starts_with("text/html"), "{:?}", reply.headers);
    assert!(reply.body.contains("href=\"/merged\""), "{}", reply.body);
    assert!(reply.body.contains(env!("CARGO_PKG_VERSION")), "{}", reply.body);
    assert_eq!(a.requests(), 0, "looking at the page scrapes nothing");
}

#[test]
fn own_metrics_are_a_page_like_any_other() {
    let a = Exporter::serving("# TYPE x gauge\nx 1\ny 2\n");
    let daemon = Setup::merging(&[&a]).start();
    assert_eq!(daemon.get("/merged").status, 200);
    assert_eq!(daemon.get("/nothing").status, 404);

    let reply = daemon.get("/metrics");

    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some(TEXT));
    page::assert_well_formed("own metrics", &reply.body);
    let own = |name, labels: &[(&str, &str)]| page::value(&reply.body, name, labels);
    let source = [("source", "a")];
    assert_eq!(own("fanin_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0));
    assert_eq!(own("fanin_source_up", &source), Some(1.0));
    assert_eq!(own("fanin_source_samples", &source), Some(2.0));
    assert_eq!(own("fanin_source_bytes", &source), Some(23.0));
    assert!(own("fanin_source_scrape_duration_seconds", &source).unwrap() < 20.0);
    assert!(own("fanin_source_last_success_timestamp_seconds", &source).unwrap() > 1e9);
    let ok = [("route", "/merged"), ("code", "200")];
    assert_eq!(own("fanin_http_requests_total", &ok), Some(1.0));
    assert!(own("fanin_connections", &[]).unwrap() >= 1.0);
    assert_eq!(own("fanin_config_last_reload_successful", &[]), Some(1.0));
    assert!(own("process_resident_memory_bytes", &[]).unwrap() > 100_000.0);
    assert!(own("process_start_time_seconds", &[]).unwrap() > 1e9);
    let types = page::types(&reply.body);
    assert_eq!(types.get("fanin_http_request_duration_seconds").unwrap(), "histogram");
    assert!(types.contains_key("fanin_blocks"), "{types:?}");
    for (name, _) in types {
        let help = format!("# HELP {name} ");
        assert!(reply.body.contains(&help), "{name} has no help");
    }
}

/// Unknown paths share one series, so that a scanner cannot fill the memory with labels.
#[test]
fn unknown_paths_make_no_new_series() {
    let daemon = Setup::new().start();
    assert_eq!(daemon.get("/one").status, 404);
    let before = page::count(&daemon.get("/metrics").body);
    for number in 0..50 {
        assert_eq!(daemon.get(&format!("/path-{number}")).status, 404);
    }
    let body = daemon.get("/metrics").body;
    assert!(page::count(&body) <= before + 1, "{body}");
}

#[test]
fn a_configured_route_takes_the_place_of_own_metrics() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source("a", &a)
        .route("/metrics", "{merge: [a]}")
        .route("/own", "{merge: {sources: [self], label: none}}")
        .start();
    let body = daemon.get("/metrics").body;
    assert_eq!(page::count(&body), 1, "{body}");
    assert!(daemon.get("/own").body.contains("fanin_build_info{"));
}

#[test]
fn two_threads_at_rest_and_under_load() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    assert_eq!(daemon.status("Threads"), 2);
    let mut clients: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    clients.iter_mut().for_each(|client| client.ask("/merged"));
    for client in &mut clients {
        assert_eq!(client.reply().status, 200);
    }
    assert_eq!(daemon.status("Threads"), 2);
}

#[test]
fn it_rests_when_nobody_asks() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    let mut kept = daemon.connect();
    kept.ask("/merged");
    assert_eq!(kept.reply().status, 200);
    let before = daemon.ticks();
    common::beat(1000);
    assert!(daemon.ticks() - before <= 5, "{} ticks in a second", daemon.ticks() - before);
}

#[test]
fn sigterm_finishes_what_is_being_answered() {
    let gate = Gate::new();
    let slow = Exporter::behind(&gate, GOOD);
    let mut daemon = Setup::merging(&[&slow]).start();
    let mut idle = daemon.connect();
    idle.ask("/-/healthy");
    assert_eq!(idle.reply().status, 200);
    let mut busy = daemon.connect();
    busy.ask("/merged");
    slow.wait_for_requests(1);

    daemon.signal(Signal::TERM);

    assert!(idle.ended(), "an idle connection is closed at once");
    gate.open();
    let reply = busy.reply();
    assert_eq!(reply.status, 200);
    assert_eq!(page::count(&reply.body), 1);
    assert!(reply.closes(), "{:?}", reply.headers);
    assert!(busy.ended());
    assert_eq!(daemon.exit().code(), Some(0), "{}", daemon.log.text());
}

/// What is not done within 5 s is not waited for.
#[test]
fn sigterm_waits_no_longer_than_five_seconds() {
    let gate = Gate::new();
    let theirs = gate.clone();
    let stuck = Exporter::talking(move |conversation| {
        conversation.request();
        theirs.wait();
    });
    let mut daemon = Setup::merging(&[&stuck]).start();
    let mut busy = daemon.connect();
    busy.send(
        b"GET /merged HTTP/1.1\r\nHost: fanin\r\nX-Prometheus-Scrape-Timeout-Seconds: 100\r\n\r\n",
    );
    stuck.wait_for_requests(1);
    let before = std::time::Instant::now();
    daemon.signal(Signal::TERM);
    let status = daemon.exit();
    assert!(before.elapsed().as_secs() < 10, "{:?}", before.elapsed());
    assert!(status.code().is_some(), "{status:?}");
    gate.open();
}

#[test]
fn sigint_ends_it_too() {
    let mut daemon = Setup::new().start();
    daemon.signal(Signal::INT);
    assert_eq!(daemon.exit().code(), Some(0), "{}", daemon.log.text());
}

#[test]
fn a_dead_socket_file_is_replaced_and_a_live_one_is_an_error() {
    let setup = Setup::new();
    let path = setup.folder().file("http.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "dead, but there");
    let listen = format!("unix://{}", path.display());
    let mut daemon = setup.listen(&listen).start();
    assert_eq!(get_at(&listen, "/-/healthy", &[]).unwrap().status, 200);
    let meta = std::fs::metadata(&path).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o777, 0o660);

    let other = Folder::new();
    let file = other.write("fanin.yaml", &format!("servers:\n  - listen: [\"{listen}\"]\n"));
    let done = fanin(&["serve", "--config", &file]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("http.sock"), "{done:?}");

    assert_eq!(get_at(&listen, "/-/healthy", &[]).unwrap().status, 200, "still served");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit().code(), Some(0));
    assert!(!path.exists(), "it takes its socket file with it");
}

#[test]
fn a_port_in_use_is_said_and_exits_1() {
    let daemon = Setup::new().start();
    let listen = format!("tcp://{}", daemon.addr());
    let folder = Folder::new();
    let file = folder.write("fanin.yaml", &format!("servers:\n  - listen: [\"{listen}\"]\n"));
    let done = fanin(&["serve", "--config", &file]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains(daemon.addr()), "{done:?}");
}

/// `fanin serve` with no file finds what runs here; whatever that is, it serves itself too.
#[test]
fn without_a_file_it_serves_what_it_finds() {
    let mut command = Command::new(common::setup::PROGRAM.as_str());
    command.args(["serve", "--listen", "tcp://127.0.0.1:0"]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let daemon = Daemon::spawn(command, Folder::new(), 1);
    let reply = daemon.get("/metrics");
    assert_eq!(reply.status, 200, "{}", reply.body);
    page::assert_well_formed("found", &reply.body);
    assert!(reply.body.contains("fanin_build_info{"), "{}", reply.body);
}

#[test]
fn log_lines_are_one_event_each() {
    let plain = Setup::new().start();
    let line = plain.log.lines_with("listening on").remove(0);
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(time.len(), "2026-11-21T09:44:39Z".len(), "{line}");
    assert!(time.ends_with('Z'), "{line}");
    assert!(rest.starts_with("info  listening on tcp://127.0.0.1:"), "{line}");

    let json = Setup::new().argument("--log-format").argument("json").start();
    let line = json.log.lines_with("listening on").remove(0);
    assert!(line.starts_with("{\"time\":\""), "{line}");
    assert!(line.contains("\"level\":\"info\",\"message\":\"listening on tcp://"), "{line}");
    assert!(line.ends_with("\"}"), "{line}");
    assert_eq!(json.get("/-/healthy").status, 200);
    assert!(!json.log.wait_for_end(LIMIT / 1000));
}
