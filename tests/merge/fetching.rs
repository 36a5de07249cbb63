//! How sources are fetched: deadlines, redirects, credentials, kept connections, kept pages.

use std::time::{Duration, Instant};

use crate::common::daemon::get_at;
use crate::common::exporter::{TEXT, ok, reply};
use crate::common::{Exporter, Gate, Setup, page};

const GOOD: &str = "# TYPE up gauge\nup 1\n";
const TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";

/// Takes requests, and answers each when the gate is open.
fn gated(gate: &Gate) -> Exporter {
    let gate = gate.clone();
    Exporter::talking(move |conversation| {
        while conversation.request().is_some() {
            gate.wait();
            conversation.send(&ok(TEXT, GOOD));
        }
    })
}

fn redirect(to: &str) -> Vec<u8> {
    reply("302 Found", &[("Location", to)], "over there\n")
}

#[test]
fn the_scrapers_timeout_is_the_deadline() {
    let gate = Gate::new();
    let (slow, quick) = (gated(&gate), Exporter::serving(GOOD));
    let daemon = Setup::merging(&[&slow, &quick]).start();
    let before = Instant::now();

    let reply = daemon.get_with("/merged", &[(TIMEOUT, "1")]);

    let took = before.elapsed();
    assert!(took >= Duration::from_millis(400), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(page::count(&reply.body), 1, "{}", reply.body);
    let failures = [("source", "a"), ("reason", "timeout")];
    assert_eq!(daemon.own("fanin_source_failures_total", &failures), Some(1.0));
    let passed_on: f64 =
        quick.header("x-prometheus-scrape-timeout-seconds").unwrap().parse().unwrap();
    assert!(passed_on > 0.0 && passed_on <= 1.0, "{passed_on}");
    gate.open();
}

#[test]
fn a_sources_timeout_only_shortens_it() {
    let gate = Gate::new();
    let (slow, quick) = (gated(&gate), Exporter::serving(GOOD));
    let daemon = Setup::new()
        .source_with("slow", &slow, "timeout: 300ms")
        .source_with("quick", &quick, "timeout: 100s")
        .route("/merged", "{merge: [slow, quick]}")
        .start();
    let before = Instant::now();

    assert_eq!(page::count(&daemon.get("/merged").body), 1);

    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    gate.open();
}

#[test]
fn a_timeout_that_is_no_number_above_zero_is_a_400() {
    let exporter = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&exporter]).start();
    for value in ["0", "-1", "0.0", "NaN", "inf", "soon", "", "1,2", "1 2", "1s", "1e999"] {
        let reply = daemon.get_with("/merged", &[(TIMEOUT, value)]);
        assert_eq!(reply.status, 400, "{value:?}: {}", reply.body);
    }
    assert_eq!(exporter.requests(), 0, "no scrape was started");
    for value in ["10", "0.5", "1e1", "86400", " 15 "] {
        let reply = daemon.get_with("/merged", &[(TIMEOUT, value)]);
        assert_eq!(reply.status, 200, "{value:?}: {}", reply.body);
    }
}

#[test]
fn redirects_on_the_same_host_and_port_are_followed() {
    let exporter = Exporter::talking(|conversation| {
        while let Some(head) = conversation.request() {
            let path = head.split(' ').nth(1).unwrap();
            let answer = match path {
                "/metrics" => redirect("/two?x=1"),
                "/two?x=1" => redirect("three"),
                "/three" => reply("308 Permanent Redirect", &[("Location", "/four")], ""),
                "/four" => reply("301 Moved Permanently", &[("Location", "/five")], ""),
                "/five" => reply("307 Temporary Redirect", &[("Location", "/six")], ""),
                "/six" => ok(TEXT, GOOD),
                _ => reply("404 Not Found", &[], ""),
            };
            conversation.send(&answer);
        }
    });
    let daemon = Setup::merging(&[&exporter]).start();

    let reply = daemon.get("/merged");

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(exporter.requests(), 6, "five redirects");
}

#[test]
fn redirects_elsewhere_are_refused_unless_any_may_be() {
    let target = Exporter::serving(GOOD);
    let exporter = Exporter::answering(redirect(&target.url()));
    let to_tls = Exporter::answering(redirect("https://127.0.0.1/metrics"));
    let to_file = Exporter::answering(redirect("file:///etc/passwd"));
    let keys = "headers: {X-Site: home}, auth: {bearer_token: sesame}";
    let daemon = Setup::new()
        .source_at("strict", &exporter.url(), keys, "")
        .source_at("any", &exporter.url(), &format!("{keys}, redirects: any"), "")
        .source("file", &to_file)
        .source("tls", &to_tls)
        .route("/strict", "{merge: [strict]}")
        .route("/any", "{merge: [any]}")
        .route("/file", "{merge: [file]}")
        .route("/tls", "{merge: [tls]}")
        .start();
    for (path, source) in [("/strict", "strict"), ("/file", "file"), ("/tls", "tls")] {
        assert_eq!(daemon.get(path).status, 503, "{path}");
        let failures = [("source", source), ("reason", "redirect")];
        assert_eq!(daemon.own("fanin_source_failures_total", &failures), Some(1.0), "{path}");
    }
    assert_eq!(target.requests(), 0);

    let reply = daemon.get("/any");

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(exporter.header("authorization").as_deref(), Some("Bearer sesame"));
    assert_eq!(target.header("authorization"), None, "stays at home");
    assert_eq!(target.header("x-site"), None, "stays at home");
    assert_eq!(target.header("host").as_deref(), Some(target.addr.as_str()));
}

#[test]
fn the_request_says_who_asks_and_what_for() {
    let exporter = Exporter::serving(GOOD);
    let url = format!("http://{}/probe?module=a%20b&x=1", exporter.addr);
    let daemon = Setup::new()
        .source_at("plain", &url, "headers: {X-Site: home, X-Other: \"a b\"}", "")
        .source_at(
            "basic",
            &exporter.url(),
            "auth: {basic: {user: Aladdin, password: \"open sesame\"}}",
            "",
        )
        .source_at("bearer", &exporter.url(), "auth: {bearer_token: abc.def}", "")
        .route("/plain", "{merge: [plain]}")
        .route("/basic", "{merge: [basic]}")
        .route("/bearer", "{merge: [bearer]}")
        .start();

    assert_eq!(daemon.get("/plain").status, 200);

    let head = exporter.heads().pop().unwrap();
    assert!(head.starts_with("GET /probe?module=a%20b&x=1 HTTP/1.1\r\n"), "{head}");
    let agent = format!("fanin/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(exporter.header("user-agent"), Some(agent));
    assert_eq!(exporter.header("host").as_deref(), Some(exporter.addr.as_str()));
    assert!(exporter.header("accept").unwrap().contains("text/plain"), "{head}");
    assert_eq!(exporter.header("x-site").as_deref(), Some("home"));
    assert_eq!(exporter.header("x-other").as_deref(), Some("a b"));
    assert_eq!(exporter.header("authorization"), None);
    assert_eq!(daemon.get("/basic").status, 200);
    let basic = exporter.header("authorization");
    assert_eq!(basic.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(daemon.get("/bearer").status, 200);
    assert_eq!(exporter.header("authorization").as_deref(), Some("Bearer abc.def"));
}

#[test]
fn secrets_are_read_from_files_beside_the_configuration() {
    let exporter = Exporter::serving(GOOD);
    let setup = Setup::new();
    setup.folder().write("token", "from-a-file\n");
    setup.folder().write("password", "open sesame\n");
    let basic = "auth: {basic: {user: Aladdin, password_file: password}}";
    let daemon = setup
        .source_at("bearer", &exporter.url(), "auth: {bearer_token_file: token}", "")
        .source_at("basic", &exporter.url(), basic, "")
        .route("/bearer", "{merge: [bearer]}")
        .route("/basic", "{merge: [basic]}")
        .start();
    assert_eq!(daemon.get("/bearer").status, 200);
    assert_eq!(exporter.header("authorization").as_deref(), Some("Bearer from-a-file"));
    assert_eq!(daemon.get("/basic").status, 200);
    let basic = exporter.header("authorization");
    assert_eq!(basic.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
}

#[test]
fn cache_serves_one_fetch_to_all_who_come_within_it() {
    let exporter = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source_with("a", &exporter, "cache: 5m")
        .route("/one", "{merge: [a]}")
        .route("/two", "{merge: {sources: [a], label: none}}")
        .start();
    let one = daemon.get("/one");
    assert_eq!(one.body, daemon.get("/one").body);
    assert_eq!(daemon.get("/one?x=y").status, 200);
    assert_eq!(page::count(&daemon.get("/two").body), 1);
    assert_eq!(exporter.requests(), 1);
}

#[test]
fn a_cached_page_expires() {
    let exporter = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source_with("a", &exporter, "cache: 100ms")
        .route("/one", "{merge: [a]}")
        .start();
    daemon.until("a second fetch", || {
        assert_eq!(daemon.get("/one").status, 200);
        exporter.requests() > 1
    });
}

#[test]
fn a_failure_is_not_cached() {
    let exporter = Exporter::answering(reply("500 Internal Server Error", &[], ""));
    let daemon =
        Setup::new().source_with("a", &exporter, "cache: 5m").route("/one", "{merge: [a]}").start();
    assert_eq!(daemon.get("/one").status, 503);
    assert_eq!(daemon.get("/one").status, 503);
    assert_eq!(exporter.requests(), 2);
}

/// Equal requests share one page if they come before its fetch ends; others do not.
#[test]
fn equal_requests_share_one_fetch() {
    let gate = Gate::new();
    let exporter = gated(&gate);
    let daemon = Setup::merging(&[&exporter]).start();
    let mut first = daemon.connect();
    let mut second = daemon.connect();
    first.ask("/merged");
    exporter.wait_for_requests(1);
    second.ask("/merged");
    // This one came later and is answered, so the second has been read.
    assert_eq!(daemon.get("/-/healthy").status, 200);
    gate.open();
    assert_eq!(first.reply().body, second.reply().body);
    assert_eq!(exporter.requests(), 1);
    assert_eq!(daemon.get("/merged").status, 200);
    assert_eq!(exporter.requests(), 2, "the next scrape is fresh");
}

#[test]
fn a_connection_is_kept_for_the_next_scrape() {
    let exporter = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&exporter]).start();
    for _ in 0..5 {
        assert_eq!(daemon.get("/merged").status, 200);
    }
    assert_eq!(exporter.requests(), 5);
    assert_eq!(exporter.connections(), 1);
}

/// The upstream takes the second request and closes without an answer, as one does that had just
/// decided to drop the idle connection: the request is sent once more on a new one.
#[test]
fn a_stale_kept_connection_is_retried_once() {
    let exporter = Exporter::talking(|conversation| {
        conversation.request();
        conversation.send(&ok(TEXT, GOOD));
        conversation.request();
    });
    let daemon = Setup::merging(&[&exporter]).start();
    for round in 1..=3 {
        assert_eq!(daemon.get("/merged").status, 200, "round {round}");
    }
    assert_eq!(exporter.connections(), 3);
    assert_eq!(exporter.requests(), 5);
}

#[test]
fn a_closed_kept_connection_is_replaced() {
    let exporter = Exporter::closing(ok(TEXT, GOOD));
    let daemon = Setup::merging(&[&exporter]).start();
    for round in 1..=5 {
        assert_eq!(daemon.get("/merged").status, 200, "round {round}");
    }
    assert_eq!(exporter.connections(), 5);
}

#[test]
fn unix_sockets_work_both_ways() {
    let setup = Setup::new();
    let exporter = Exporter::serving_unix(&setup.folder().file("up.sock"), GOOD);
    let listen = format!("unix://{}", setup.folder().file("http.sock").display());
    let daemon =
        setup.listen(&listen).source("a", &exporter).route("/merged", "{merge: [a]}").start();

    let reply = get_at(&listen, "/merged", &[]).unwrap();

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(page::value(&reply.body, "up", &[("exporter_name", "a")]), Some(1.0));
    assert_eq!(daemon.get("/merged").body, reply.body);
    assert_eq!(exporter.connections(), 1);
    assert!(exporter.heads()[0].starts_with("GET /metrics HTTP/1.1\r\n"), "{:?}", exporter.heads());
}

#[test]
fn localhost_needs_no_look_up() {
    let exporter = Exporter::serving(GOOD);
    let url = exporter.url().replace("127.0.0.1", "localhost");
    let daemon = Setup::new().source_at("a", &url, "", "").route("/merged", "{merge: [a]}").start();
    assert_eq!(daemon.get("/merged").status, 200);
    assert_eq!(daemon.status("Threads"), 2);
}

/// A client that goes away cancels its work: the upstream sees its connection close.
#[test]
fn a_client_that_goes_away_cancels_its_scrape() {
    let (asked, gone) = (Gate::new(), Gate::new());
    let (theirs, theirs_too) = (asked.clone(), gone.clone());
    let exporter = Exporter::talking(move |conversation| {
        conversation.request();
        theirs.open();
        conversation.until_closed();
        theirs_too.open();
    });
    let daemon = Setup::merging(&[&exporter]).start();
    let mut client = daemon.connect();
    client.send(
        b"GET /merged HTTP/1.1\r\nHost: fanin\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n",
    );
    asked.wait();
    let before = Instant::now();
    drop(client);
    gone.wait();
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert_eq!(daemon.get("/-/healthy").status, 200);
}
