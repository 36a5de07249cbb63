//! Both ends in one place: a site that cannot be reached sends, a hub receives, a reader reads.

use rustix::process::Signal;

use super::GOOD;
use super::common::daemon::get_at;
use super::common::exporter::TEXT;
use super::common::push::request;
use super::common::tls::Authority;
use super::common::{Connection, Daemon, Exporter, Folder, Setup, fanin, page};

/// A hub with two servers, as prompipe's receiver has two ports: one that takes pages from who has
/// the token, one that hands them on. `keys` are of the first.
fn two_ports(keys: &str) -> Daemon {
    let folder = Folder::new();
    folder.write("token", "s3cret\n");
    let yaml = format!(
        "servers:\n\
         \x20 - listen: tcp://127.0.0.1:0\n\
         \x20   auth: {{bearer_token_file: token}}\n\
         \x20   routes: {{/metrics: {{receive: hub}}}}\n\
         {keys}\
         \x20 - listen: tcp://127.0.0.1:0\n\
         \x20   routes:\n\
         \x20     /metrics: {{relay: hub}}\n\
         \x20     /sd: {{sd: all}}\n\
         \x20     /all: {{merge: {{sources: hub, label: none}}}}\n\
         \x20     /own: {{merge: self}}\n\
         sources: {{hub: {{push: {{}}}}}}\n"
    );
    let file = folder.write("fanin.yaml", &yaml);
    let mut command = Setup::new().command();
    command.args(["serve", "--config", &file]);
    Daemon::spawn(command, folder, 2)
}

/// The port that takes pages, and the one that they are read at.
fn ports(hub: &Daemon) -> (&str, &str) {
    let port = |number: usize| hub.listeners[number].strip_prefix("tcp://").unwrap();
    (port(0), port(1))
}

#[test]
fn a_site_sends_and_the_hub_hands_on() {
    let (node, hub) = (Exporter::serving(GOOD), two_ports(""));
    let (writing, reading) = ports(&hub);
    let to = |group: &str| format!("http://{writing}/metrics/{group}");
    let setup = Setup::new().source_with("node", &node, "labels: {rack: \"7\"}");
    setup.folder().write("token", "s3cret\n");
    let common = "every: 200ms, token_file: token";
    let site = setup
        .pipe(&format!("from: node, to: \"{}\", {common}", to("plain/pi")))
        .pipe(&format!(
            "from: [node, self], to: \"{}\", {common}, labels: {{site: home}}",
            to("job/many/instance/pi/zone/a")
        ))
        .pipe(&format!(
            "from: node, to: \"{}\", {common}, protocol: pushgateway, compress: auto",
            to("job/group")
        ))
        .start();
    for group in ["plain/pi", "job/many/instance/pi/zone/a", "job/group"] {
        let name = to(group);
        let pipe = [("pipe", &*name)];
        site.until("a page taken", || site.own("fanin_pipe_up", &pipe) == Some(1.0));
    }

    let relayed = get_at(reading, "/metrics/plain/pi", &[]).unwrap();
    assert_eq!(relayed.body, "# TYPE up gauge\nup{rack=\"7\"} 1\n");
    assert!(relayed.header("age").unwrap().parse::<u64>().unwrap() <= 1);
    let many = || get_at(reading, "/metrics/job/many/zone/a/instance/pi", &[]).unwrap().body;
    let labels = [("exporter_name", "node"), ("rack", "7"), ("site", "home")];
    assert_eq!(page::value(&many(), "up", &labels), Some(1.0), "{}", many());
    let labels = [("exporter_name", "self"), ("site", "home"), ("pipe", &*to("plain/pi"))];
    site.until("a page that tells of the one before", || {
        page::value(&many(), "fanin_pipe_attempts_total", &labels) >= Some(1.0)
    });

    let all = get_at(reading, "/all", &[]).unwrap().body;
    let cases: [&[(&str, &str)]; 3] = [
        &[("job", "plain"), ("instance", "pi"), ("rack", "7")],
        &[("job", "many"), ("zone", "a"), ("site", "home"), ("exporter_name", "node")],
        &[("job", "group"), ("instance", ""), ("rack", "7")],
    ];
    for labels in cases {
        assert_eq!(page::value(&all, "up", labels), Some(1.0), "{labels:?}\n{all}");
    }
    let list = get_at(reading, "/sd", &[]).unwrap().body;
    assert_eq!(list.matches("\"targets\"").count(), 3, "{list}");
    assert_eq!(get_at(writing, "/sd", &[("Authorization", "Bearer s3cret")]).unwrap().status, 404);
    assert_eq!(get_at(writing, "/", &[("Authorization", "Bearer s3cret")]).unwrap().status, 404);
    assert_eq!(request(reading, "PUT", "/metrics/plain/pi", "", b"x 1\n").status, 405);
}

/// What Go's client makes of the sender's PUT, the page in chunks and in one piece, and of a scrape.
#[test]
fn prompipe_is_answered_as_by_its_receiver() {
    let hub = two_ports("");
    let (writing, reading) = ports(&hub);
    let head = |token: &str, framing: &str| {
        format!(
            "PUT /metrics/fooproject/192.168.1.100 HTTP/1.1\r\nHost: {writing}\r\n\
             User-Agent: Go-http-client/1.1\r\n{framing}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {TEXT}\r\nAccept-Encoding: gzip\r\n\r\n"
        )
    };
    let chunked = |token: &str, text: &str| {
        let head = head(token, "Transfer-Encoding: chunked");
        format!("{head}{:x}\r\n{text}\r\n0\r\n\r\n", text.len())
    };
    let long = super::big_page(6000);
    let scrape = format!(
        "GET /metrics/fooproject/192.168.1.100 HTTP/1.1\r\nHost: {reading}\r\n\
         User-Agent: Prometheus/2.42.0\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\
         Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
    );
    let mut sender = Connection::open(writing);
    let mut reader = Connection::open(reading);
    let mut read = || {
        reader.send(scrape.as_bytes());
        reader.reply()
    };
    assert_eq!(read().status, 404, "nobody has brought it");
    let in_one = format!("{}{GOOD}", head("s3cret", &format!("Content-Length: {}", GOOD.len())));
    for (name, wire, page) in [
        ("a short page", chunked("s3cret", GOOD), GOOD),
        ("a long page", chunked("s3cret", &long), &*long),
        ("a page in one piece, as its library sends it", in_one, GOOD),
    ] {
        sender.send(wire.as_bytes());
        let reply = sender.reply();
        assert_eq!((reply.status, &*reply.body), (200, ""), "{name}");
        let reply = read();
        assert_eq!((reply.status, &*reply.body), (200, page), "{name}");
        assert_eq!(reply.header("content-type"), Some(TEXT), "{name}");
        assert_eq!(reply.header("content-encoding"), None, "{name}");
    }
    sender.send(chunked("wrong", "x 1\n").as_bytes());
    assert_eq!(sender.reply().status, 401, "403 there: its sender logs either");
    assert_eq!(read().body, GOOD);
    // Its receiver keeps what is no page, and hands that to Prometheus.
    let mut sender = Connection::open(writing);
    sender.send(chunked("s3cret", "<html>").as_bytes());
    assert_eq!(sender.reply().status, 400);
    assert_eq!(read().body, GOOD);
    for path in ["/metrics/a", "/metrics/a/b/c", "/metrics"] {
        let status = get_at(reading, path, &[]).unwrap().status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
}

#[test]
fn a_pipe_into_a_hub_of_ones_own_authority() {
    let Some(authority) = Authority::new("a pipe over TLS") else { return };
    authority.issue("hub", "hub");
    let hub = two_ports(&format!("    tls: {}\n", authority.keys("hub", "")));
    let (writing, reading) = ports(&hub);
    let port = writing.rsplit(':').next().unwrap();
    let node = Exporter::serving(GOOD);
    let to = |job: &str| format!("https://localhost:{port}/metrics/{job}/pi");
    let setup = Setup::new().source("node", &node);
    setup.folder().write("token", "s3cret\n");
    let site = setup
        .pipe(&format!(
            "from: node, to: \"{}\", every: 200ms, token_file: token, tls: {{ca: {}}}",
            to("known"),
            authority.file("ca.pem")
        ))
        .pipe(&format!("from: node, to: \"{}\", every: 200ms, token_file: token", to("unknown")))
        .start();

    let (known, unknown) = (to("known"), to("unknown"));
    site.until("a page taken", || site.own("fanin_pipe_up", &[("pipe", &*known)]) == Some(1.0));
    let failures = [("pipe", &*unknown), ("reason", "tls")];
    site.until("a failure", || site.own("fanin_pipe_failures_total", &failures) >= Some(1.0));

    assert_eq!(get_at(reading, "/metrics/known/pi", &[]).unwrap().body, GOOD);
    assert_eq!(get_at(reading, "/metrics/unknown/pi", &[]).unwrap().status, 404);
    assert!(site.log_contains("is of no authority that is trusted here"), "{}", site.log.text());
}

#[test]
fn receive_is_a_hub_without_a_file() {
    let folder = Folder::new();
    let token = folder.write("token", "one\n");
    let start = |more: &[&str], listeners: usize| {
        let mut command = Setup::new().command();
        command.args(["receive", "--listen", "127.0.0.1:0", "--token-file", &token]).args(more);
        Daemon::spawn(command, Folder::new(), listeners)
    };
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let put = |at: &str, token: &str| {
        request(at, "PUT", "/metrics/home/pi", &bearer(token), GOOD.as_bytes()).status
    };
    let hub = start(&["--read", "127.0.0.1:0"], 2);
    let (writing, reading) = ports(&hub);
    assert_eq!((put(writing, "two"), put(writing, "one")), (401, 200));
    assert_eq!(get_at(reading, "/metrics/home/pi", &[]).unwrap().body, GOOD);
    assert!(get_at(reading, "/sd", &[]).unwrap().body.contains("\"job\":\"home\""));
    assert_eq!(get_at(reading, "/", &[]).unwrap().status, 200);
    let own = [("Authorization", "Bearer one")];
    assert_eq!(get_at(writing, "/metrics/home/pi", &own).unwrap().status, 405);

    folder.write("token", "two\n");
    hub.signal(Signal::HUP);

    assert!(hub.log_contains("configuration reloaded"), "{}", hub.log.text());
    assert_eq!((put(writing, "one"), put(writing, "two")), (401, 200));
    assert_eq!(get_at(reading, "/metrics/home/pi", &[]).unwrap().body, GOOD, "nothing is lost");

    let hub = start(&[], 1);
    assert_eq!(get_at(hub.addr(), "/metrics/home/pi", &[]).unwrap().status, 401);
    assert_eq!(put(hub.addr(), "two"), 200);
    let own = [("Authorization", "Bearer two")];
    assert_eq!(get_at(hub.addr(), "/metrics/home/pi", &own).unwrap().body, GOOD);
    assert_eq!(get_at(hub.addr(), "/sd", &own).unwrap().status, 200);
}

#[test]
fn what_is_missing_for_a_hub_is_told() {
    let folder = Folder::new();
    let (token, empty) = (folder.write("token", "one\n"), folder.write("empty", "\n"));
    let cases: [(&[&str], &str); 4] = [
        (&["--listen", "127.0.0.1:0"], "--token-file"),
        (&["--token-file", &token], "--listen is missing"),
        (&["--listen", "127.0.0.1:0", "--token-file", "/nowhere/token"], "--token-file: /nowhere"),
        (&["--listen", "127.0.0.1:0", "--token-file", &empty], "holds no token"),
    ];
    for (words, needle) in cases {
        let done = fanin(&[&["receive"], words].concat());
        assert_eq!(done.code, Some(2), "{words:?}: {done:?}");
        assert!(done.err.contains(needle), "{words:?}: {done:?}");
    }
}
