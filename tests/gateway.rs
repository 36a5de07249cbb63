//! The Pushgateway's HTTP interface: the same requests to Debian's and to fanin, and the same status
//! codes; and prompipe's two.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

mod common;

use std::process::Command;

use common::peers::{Peer, find, free_port};
use common::push::request as send;
use common::{Daemon, Setup, daemon, page};

fn hub(keys: &str) -> Setup {
    Setup::new()
        .source_of("hub", &format!("{{push: {{{keys}}}}}"))
        .route("/metrics", "{receive: hub, relay: hub, merge: {sources: hub, label: none}}")
}

fn put(daemon: &Daemon, path: &str, body: &str) -> u16 {
    send(daemon.addr(), "PUT", path, "", body.as_bytes()).status
}

fn value(daemon: &Daemon, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let reply = daemon.get("/metrics");
    assert_eq!(reply.status, 200, "{}", reply.body);
    page::value(&reply.body, name, labels)
}

/// `x 1`, packed.
const GZIP: [u8; 24] =
    [31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 80, 48, 228, 2, 0, 35, 255, 10, 145, 4, 0, 0, 0];

/// One request: what it is about, method, path below `/metrics`, field and body.
type Asked = (&'static str, &'static str, &'static str, &'static str, &'static [u8]);

/// Without an empty job in base64, of which the Pushgateway 1.5 never answers.
const REQUESTS: [Asked; 30] = [
    ("a page", "PUT", "/job/a", "", b"x 1\n"),
    ("an empty one", "PUT", "/job/a", "", b""),
    ("a page to add", "POST", "/job/a", "", b"y 1\n"),
    ("nothing to add", "POST", "/job/a", "", b""),
    ("labels", "PUT", "/job/a/instance/i/zone/z", "", b"x 1\n"),
    ("deleting nothing", "DELETE", "/job/nobody", "", b""),
    ("deleting", "DELETE", "/job/a", "", b""),
    ("a line that is none", "PUT", "/job/bad", "", b"x y z\n"),
    ("a web page", "PUT", "/job/bad", "", b"<html>\n"),
    ("a timestamp", "PUT", "/job/a", "", b"x 1 1234\n"),
    ("a counter", "PUT", "/job/t1", "", b"# TYPE t counter\nt 1\n"),
    ("a gauge of its name", "PUT", "/job/t2", "", b"# TYPE t gauge\nt 1\n"),
    ("the same in its own group", "POST", "/job/t1", "", b"# TYPE t gauge\nt 1\n"),
    ("a help", "PUT", "/job/h1", "", b"# HELP h one\nh 1\n"),
    ("another help", "PUT", "/job/h2", "", b"# HELP h two\nh 1\n"),
    ("a label without a value", "PUT", "/job/a/instance", "", b"x 1\n"),
    ("no job", "PUT", "/job", "", b"x 1\n"),
    ("base64", "PUT", "/job@base64/L3Zhci90bXA", "", b"x 1\n"),
    ("base64 with padding", "PUT", "/job@base64/L3Zhci90bXA=", "", b"x 1\n"),
    ("no base64", "PUT", "/job@base64/%21%21", "", b"x 1\n"),
    ("an empty value", "PUT", "/job/a/foo@base64/=", "", b"x 1\n"),
    ("no label name", "PUT", "/job/a/b-c/d", "", b"x 1\n"),
    ("a reserved label", "PUT", "/job/a/__x/d", "", b"x 1\n"),
    ("an encoded line feed", "PUT", "/job/a%0Ab", "", b"x 1\n"),
    ("gzip", "PUT", "/job/gz", "Content-Encoding: gzip\r\n", &GZIP),
    ("no gzip", "PUT", "/job/gz", "Content-Encoding: gzip\r\n", b"x 1\n"),
    ("an unknown coding", "PUT", "/job/gz", "Content-Encoding: br\r\n", b"x 1\n"),
    ("no snappy", "PUT", "/job/gz", "Content-Encoding: snappy\r\n", b"x 1\n"),
    ("its own labels", "PUT", "/job/o", "", b"x{job=\"other\",instance=\"i\"} 1\n"),
    ("another method", "PATCH", "/job/a", "", b"x 1\n"),
];

/// What fanin answers otherwise, and why.
const DIFFERENT: [(&str, u16, u16); 2] = [
    // There, one segment is no path at all.
    ("no job", 404, 400),
    // Debian's is too old to know it, and reads what came.
    ("no snappy", 200, 400),
];

#[test]
fn the_status_codes_are_those_of_the_pushgateway() {
    let Some(program) = find("the Pushgateway", &["prometheus-pushgateway"]) else { return };
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(program);
    // What Debian's remembers of earlier runs is not asked for.
    command.arg(format!("--web.listen-address={address}")).arg("--persistence.file=");
    let _peer = Peer::accepting(&mut command, &address).unwrap();
    let daemon = hub("").start();
    let mut wrong = String::new();
    for (name, method, path, field, body) in REQUESTS {
        let path = format!("/metrics{path}");
        let theirs = send(&address, method, &path, field, body).status;
        let ours = send(daemon.addr(), method, &path, field, body);
        let want = DIFFERENT.iter().find(|(known, ..)| *known == name);
        let fits = want.map_or(ours.status == theirs, |(_, there, here)| {
            (theirs, ours.status) == (*there, *here)
        });
        if !fits {
            wrong.push_str(&format!("{name}: {theirs} there, {}: {}", ours.status, ours.body));
        }
    }
    assert_eq!(wrong, "");
    let job = |address: &str| {
        let body = daemon::get_at(address, "/metrics", &[]).unwrap().body;
        let mut lines =
            body.lines().filter(|line| line.contains("job=\"o\"") && line.starts_with('x'));
        let mut labels: Vec<_> = lines.next().unwrap().split(['{', '}', ',']).collect();
        labels.sort_unstable();
        labels.join(",")
    };
    assert_eq!(job(&address), job(daemon.addr()));
}

#[test]
fn a_page_that_is_added_replaces_families_of_its_names() {
    let daemon = hub("").start();
    let first = "# HELP h A.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n\
        # TYPE x gauge\nx 1\n# TYPE y gauge\ny{a=\"1\"} 1\ny{a=\"2\"} 2\nh_other 1\n";
    assert_eq!(put(&daemon, "/metrics/job/a", first), 200);
    let second = "# TYPE h gauge\nh 5\ny{a=\"3\"} 3\n";
    assert_eq!(send(daemon.addr(), "POST", "/metrics/job/a", "", second.as_bytes()).status, 200);
    let kept = daemon.get("/metrics/job/a").body;
    assert_eq!(kept, format!("# TYPE x gauge\nx 1\nh_other 1\n{second}"));
    assert_eq!(send(daemon.addr(), "POST", "/metrics/job/a", "", b"").status, 200);
    assert_eq!(daemon.get("/metrics/job/a").body, kept, "nothing was added");
    common::peers::assert_syntax("added", &daemon.get("/metrics").body);
}

#[test]
fn a_relay_has_a_page_as_it_came() {
    let daemon = hub("").start();
    let text = "# a comment\n# TYPE x gauge\nx{job=\"mine\"}  1  1234\n";
    assert_eq!(put(&daemon, "/metrics/home/pi%2F1", text), 200);
    let reply = daemon.get("/metrics/home/pi%2F1");
    assert_eq!((reply.status, reply.body.as_str()), (200, text));
    assert_eq!(reply.header("age"), Some("0"));
    let same = daemon.get("/metrics/job/home/instance@base64/cGkvMQ");
    assert_eq!(same.body, text);
    assert_eq!(daemon.get("/metrics/home/other").status, 404);
    assert_eq!(value(&daemon, "x", &[("job", "home"), ("instance", "pi/1")]), Some(1.0));
    assert_eq!(put(&daemon, "/metrics/home/pi%2F1", "no page"), 400);
    assert_eq!(daemon.get("/metrics/home/pi%2F1").body, text, "the former page stays");
    assert_eq!(send(daemon.addr(), "DELETE", "/metrics/home/pi%2F1", "", b"").status, 202);
    assert_eq!(daemon.get("/metrics/home/pi%2F1").status, 404);
}

#[test]
fn a_sender_may_say_how_long_its_page_is_good_for() {
    let daemon = hub("ttl: 1h, max_ttl: 2h").start();
    let address = daemon.addr();
    for (field, status) in [("300ms", 200), ("soon", 400), ("0s", 400), ("9h", 200)] {
        let path = format!("/metrics/job/{field}");
        let fields = format!("Fanin-TTL: {field}\r\n");
        assert_eq!(send(address, "PUT", &path, &fields, b"x 1").status, status, "{field}");
    }
    daemon.until("the end of a page", || daemon.get("/metrics/job/300ms").status == 404);
    assert_eq!(daemon.get("/metrics/job/9h").status, 200);
}

#[test]
fn bodies_are_as_long_as_they_may_be() {
    let daemon = hub("").limit("body: 64KiB").start();
    let text = common::big_page(65 * 1024);
    assert_eq!(put(&daemon, "/metrics/job/a", &text), 413);
    assert_eq!(put(&daemon, "/metrics/job/a", &common::big_page(50 * 1024)), 200);
    let protobuf = "Content-Type: application/vnd.google.protobuf\r\n";
    assert_eq!(send(daemon.addr(), "PUT", "/metrics/job/a", protobuf, b"x").status, 415);
}

#[test]
fn a_server_that_only_receives_tells_nothing_of_itself() {
    let setup = Setup::new().source_of("hub", "{push: {}}");
    let daemon = setup.route("/metrics", "{receive: hub}").start();
    assert_eq!(put(&daemon, "/metrics/job/a", "x 1\n"), 200);
    assert_eq!(daemon.get("/metrics/job/a").status, 405);
    assert_eq!(daemon.get("/metrics").status, 405);
    assert_eq!(daemon.get("/").status, 404);
}
