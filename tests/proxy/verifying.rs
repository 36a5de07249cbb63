//! Pages that are checked before their first byte leaves, and what failures become.

use crate::common::daemon::get_at;
use crate::common::exporter::{OPENMETRICS, TEXT, chunked, close_delimited, ok, reply};
use crate::common::{Exporter, Gate, Setup, big_page};

const PAGE: &str = "# TYPE up gauge\nup 1\n";

/// One module, `m`, with further keys.
fn proxying(exporter: &Exporter, keys: &str) -> Setup {
    Setup::new()
        .source_with("m", exporter, keys)
        .route("/proxy", "{proxy: {sources: m, default: m}}")
}

#[test]
fn pages_pass_as_they_are() {
    let odd = "  # a comment\r\nup{ a = \"b\" , }\t1  12\r\n\n# TYPE up gauge\nup 2";
    let family = "# TYPE f counter\nf_total 1 # {a=\"b\"} 2\n# EOF\n";
    let protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let cases: [(&str, Vec<u8>, &str, &str); 9] = [
        ("tidy", ok(TEXT, PAGE), TEXT, PAGE),
        ("empty", ok(TEXT, ""), TEXT, ""),
        ("untidy, and without its last line end", ok("text/plain", odd), "text/plain", odd),
        ("OpenMetrics", ok(OPENMETRICS, family), OPENMETRICS, family),
        ("chunked", chunked(PAGE, 3), "text/plain; version=0.0.4", PAGE),
        ("no Content-Type", reply("200 OK", &[], PAGE), text, PAGE),
        ("an odd one", ok("application/octet-stream", PAGE), text, PAGE),
        ("a web page's", ok("text/html", PAGE), text, PAGE),
        ("protobuf that is text after all", ok(protobuf, PAGE), protobuf, PAGE),
    ];
    for (name, answer, content_type, want) in cases {
        let exporter = Exporter::answering(answer);
        for keys in ["", "verify: false"] {
            let daemon = proxying(&exporter, keys).start();
            let reply = daemon.get("/proxy");
            assert_eq!(reply.status, 200, "{name} {keys}: {}", reply.body);
            let missing_end = keys.is_empty() && !want.is_empty() && !want.ends_with('\n');
            let want = if missing_end { format!("{want}\n") } else { want.to_owned() };
            assert_eq!(reply.body, want, "{name} {keys}");
            assert_eq!(reply.header("content-type"), Some(content_type), "{name} {keys}");
            assert_eq!(daemon.own("fanin_source_up", &[("source", "m")]), Some(1.0), "{name}");
        }
    }
}

#[test]
fn a_body_that_ends_with_its_connection_passes() {
    let exporter = Exporter::closing(close_delimited("HTTP/1.0", PAGE));
    for keys in ["", "verify: false"] {
        let reply = proxying(&exporter, keys).start().get("/proxy");
        assert_eq!((reply.status, reply.body.as_str()), (200, PAGE), "{keys}");
    }
}

/// What an exporter says other than 200 is the scraper's to see; it counts as a failure.
#[test]
fn another_status_passes_with_its_body() {
    let html = "<html>not here</html>";
    let busy = [
        ("Content-Type", "text/html"),
        ("Retry-After", "7"),
        ("Set-Cookie", "x=y"),
        ("Server", "z"),
    ];
    let cases = [
        ("404", reply("404 Not Found", &busy, html), 404, html),
        ("503", reply("503 Busy", &busy, ""), 503, ""),
        ("500 of many bytes", reply("500 Oh", &busy, &html.repeat(5000)), 500, ""),
        ("418", reply("418 Teapot", &[], html), 418, html),
        ("401", reply("401 No", &[("WWW-Authenticate", "Basic")], html), 401, html),
    ];
    for (name, answer, status, body) in cases {
        let exporter = Exporter::answering(answer);
        for keys in ["", "verify: false"] {
            let daemon = proxying(&exporter, keys).start();
            let reply = daemon.get("/proxy");
            assert_eq!(reply.status, status, "{name} {keys}");
            if status != 500 {
                assert_eq!(reply.body, body, "{name} {keys}");
            }
            if matches!(status, 404 | 503) {
                assert_eq!(reply.header("content-type"), Some("text/html"), "{name} {keys}");
                assert_eq!(reply.header("retry-after"), Some("7"), "{name} {keys}");
            }
            for dropped in ["set-cookie", "server", "www-authenticate"] {
                assert_eq!(reply.header(dropped), None, "{name} {keys}");
            }
            let failed = [("source", "m"), ("reason", "status")];
            assert_eq!(daemon.own("fanin_source_failures_total", &failed), Some(1.0), "{name}");
        }
    }
}

#[test]
fn a_bad_page_is_no_page() {
    let big = big_page(300_000);
    let late = format!("{big}broken here\n");
    let cases = [
        ("garbage", "\u{1}\u{2}nonsense\n", "line 1:1: "),
        ("HTML", "<html>\n", "line 1:1: this is HTML or XML"),
        ("the last of many lines", &late, ": "),
        ("a line that ends early", "up{a=\"b\n", "line 1:"),
    ];
    for (name, text, told) in cases {
        let exporter = Exporter::serving(text);
        let daemon = proxying(&exporter, "").start();
        let reply = daemon.get("/proxy");
        assert_eq!(reply.status, 502, "{name}: {}", reply.body);
        assert!(reply.body.starts_with("source \"m\": line "), "{name}: {}", reply.body);
        assert!(reply.body.contains(told), "{name}: {}", reply.body);
        assert_eq!(reply.body.lines().count(), 1, "{name}");
        let failed = [("source", "m"), ("reason", "malformed")];
        assert_eq!(daemon.own("fanin_source_failures_total", &failed), Some(1.0), "{name}");
    }
    let reply = proxying(&Exporter::serving(&big), "").start().get("/proxy");
    assert_eq!(reply.body, big);
}

#[test]
fn a_failure_has_the_status_of_its_kind() {
    let gate = Gate::new();
    let held = gate.clone();
    let silent = Exporter::talking(move |conversation| {
        conversation.request();
        held.wait();
    });
    let cut = Exporter::closing("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nup 1\n");
    let rude = Exporter::closing("SSH-2.0-x\r\n\r\n");
    let refused = Exporter::serving(PAGE);
    let long = Exporter::serving(&big_page(100_000));
    let endless = Exporter::talking(|conversation| {
        conversation.request();
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while conversation.send(b"8\r\nup 1234\n\r\n") {}
    });
    let line = Exporter::serving(&"x".repeat(20_000));
    let daemon = Setup::new()
        .source_with("silent", &silent, "timeout: 300ms")
        .source("cut", &cut)
        .source("rude", &rude)
        .source("refused", &refused)
        .source("long", &long)
        .source("endless", &endless)
        .source("line", &line)
        .limit("body: 64KiB")
        .limit("memory: 1MiB")
        .route("/proxy", "{proxy: all}")
        .start();
    drop(refused);
    let cases = [
        ("silent", 504, "no whole page within 300ms", "timeout"),
        ("cut", 502, "the connection closed before the answer was whole", "closed"),
        ("rude", 502, "malformed answer: ", "protocol"),
        ("refused", 502, "connect 127.0.0.1:", "connect"),
        ("long", 502, "the page is longer than 65536 bytes", "too_large"),
        ("endless", 502, "the page is longer than 65536 bytes", "too_large"),
        ("line", 502, "a line is longer than 16384 bytes", "line_too_long"),
    ];
    for (name, status, text, reason) in cases {
        let reply = daemon.get(&format!("/proxy?module={name}"));
        assert_eq!(reply.status, status, "{name}: {}", reply.body);
        assert!(reply.body.starts_with(&format!("source \"{name}\": {text}")), "{}", reply.body);
        let failed = [("source", name), ("reason", reason)];
        assert_eq!(daemon.own("fanin_source_failures_total", &failed), Some(1.0), "{name}");
    }
    gate.open();
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    let exporter = Exporter::serving(PAGE);
    for keys in ["", "verify: false"] {
        let daemon = proxying(&exporter, keys).start();
        let mut connection = daemon.connect();
        connection.send(b"HEAD /proxy HTTP/1.1\r\nHost: x\r\n\r\n");
        let reply = connection.reply_to_head();
        assert_eq!((reply.status, reply.header("content-length")), (200, Some("21")), "{keys}");
        connection.send(b"GET /proxy HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(connection.reply().body, PAGE, "{keys}: the connection stays");
    }
}

/// Two Prometheus servers that ask at once cost the exporter one scrape; another question is another.
#[test]
fn equal_requests_share_one_answer() {
    let gate = Gate::new();
    let held = gate.clone();
    let exporter = Exporter::talking(move |conversation| {
        while let Some(head) = conversation.request() {
            if head.contains("x=") {
                held.wait();
            }
            conversation.send(&ok(TEXT, PAGE));
        }
    });
    let daemon = proxying(&exporter, "").start();
    // Of those whose size nobody knows there is one at a time.
    assert_eq!(daemon.get("/proxy").status, 200);
    let mut connections: Vec<_> = (0..3).map(|_| daemon.connect()).collect();
    connections[0].ask("/proxy?x=1");
    connections[1].ask("/proxy?x=1");
    connections[2].ask("/proxy?x=2");
    exporter.wait_for_requests(3);
    daemon.until("all three", || daemon.own("fanin_connections", &[]) >= Some(4.0));
    gate.open();
    for connection in &mut connections {
        assert_eq!(connection.reply().body, PAGE);
    }
    assert_eq!(exporter.requests(), 3);
}

/// Sources that lose malformed lines lose them before a proxy hands the page on, too.
#[test]
fn malformed_lines_are_dropped_where_the_source_says_so() {
    let page = "# TYPE up gauge\nup 1\nbroken here\nup{a=\"b} 2\nup{a=\"c\"} 3\n<html>\nlast 4";
    let exporter = Exporter::serving(page);
    let setup = Setup::new()
        .source_with("m", &exporter, "on_malformed: drop_line")
        .source_of("f", "{file: {path: f.prom}, on_malformed: drop_line}")
        .route("/proxy", "{proxy: all}")
        .route("/merged", "{merge: {sources: [m, f], label: none}}");
    setup.folder().write("f.prom", "good 1\nbad\n");
    let daemon = setup.start();
    let want = "# TYPE up gauge\nup 1\nup{a=\"c\"} 3\nlast 4\n";
    for _ in 0..2 {
        let reply = daemon.get_with("/proxy?module=m", &[("Accept-Encoding", "gzip")]);
        assert_eq!((reply.status, reply.body.as_str()), (200, want));
    }
    let untyped = want.replace("last", "# TYPE last untyped\nlast");
    let merged = daemon.get("/merged").body;
    assert_eq!(merged, format!("{untyped}# TYPE good untyped\ngood 1\n"));
    assert_eq!(daemon.get("/proxy?module=f").body, "good 1\n");
    let dropped = |name| daemon.own("fanin_source_dropped_lines_total", &[("source", name)]);
    assert_eq!((dropped("m"), dropped("f")), (Some(9.0), Some(2.0)));
    let told = "source \"m\": malformed lines dropped: 3, the first: line 3:8: ";
    assert!(daemon.log_contains(told));
    assert_eq!(daemon.log.text().matches(told).count(), 1, "{}", daemon.log.text());
}

/// A page of which nothing is left was none.
#[test]
fn a_page_that_loses_all_its_lines_is_refused() {
    let web = Exporter::serving("<html>\n\n# not here\n<p>\n</html>\n");
    let empty = Exporter::serving("");
    let daemon = Setup::new()
        .source_with("web", &web, "on_malformed: drop_line")
        .source_with("empty", &empty, "on_malformed: drop_line")
        .source_of("f", "{file: {path: f.html}, on_malformed: drop_line}")
        .route("/proxy", "{proxy: all}")
        .route("/merged", "{merge: {sources: web}}");
    daemon.folder().write("f.html", "<html>\n");
    let daemon = daemon.start();
    for (path, status) in [
        ("/proxy?module=web", 502),
        ("/proxy?module=f", 502),
        ("/proxy?module=empty", 200),
        ("/merged", 503),
    ] {
        assert_eq!(daemon.get(path).status, status, "{path}");
    }
}

/// The deadline is the scraper's, and a connection that was cut costs nobody else.
#[test]
fn a_slow_exporter_is_given_up_at_the_scrapers_deadline() {
    let gate = Gate::new();
    let exporter = Exporter::behind(&gate, PAGE);
    let daemon = proxying(&exporter, "").start();
    let fields = [("X-Prometheus-Scrape-Timeout-Seconds", "0.4")];
    let reply = get_at(daemon.addr(), "/proxy", &fields).unwrap();
    assert_eq!(reply.status, 504, "{}", reply.body);
    // What the scraper allows, less the margin for the reply and what it took to get this far.
    let within = reply.body.strip_prefix("source \"m\": no whole page within ");
    let milliseconds = within.and_then(|rest| rest.split_once("ms")).map(|(number, _)| number);
    let milliseconds: u32 = milliseconds.and_then(|number| number.parse().ok()).unwrap_or_default();
    assert!((100..=300).contains(&milliseconds), "{}", reply.body);
    let reply = daemon.get_with("/proxy", &[("X-Prometheus-Scrape-Timeout-Seconds", "soon")]);
    assert_eq!(reply.status, 400, "{}", reply.body);
    gate.open();
    let reply = daemon.get("/proxy");
    assert_eq!(reply.body, PAGE);
}

/// Nothing is known of any of them, and the first hangs: the others are answered all the same.
#[test]
fn an_exporter_that_hangs_holds_up_no_other() {
    let gate = Gate::new();
    let (hanging, good) = (Exporter::behind(&gate, PAGE), Exporter::serving(PAGE));
    let daemon = Setup::new()
        .source("hanging", &hanging)
        .source("good", &good)
        .source_with("background", &hanging, "every: 1h")
        .source_with("raw", &good, "verify: false")
        .route("/proxy", "{proxy: all}")
        .route("/merged", "{merge: good}")
        .start();
    let mut held = daemon.connect();
    held.ask("/proxy?module=hanging");
    hanging.wait_for_requests(2);
    for path in ["/proxy?module=good", "/proxy?module=raw", "/merged"] {
        assert_eq!(daemon.get(path).body.lines().count(), 2, "{path}");
    }
    gate.open();
    assert_eq!(held.reply().body, PAGE);
}

/// One who has little time does not wait as long as one who has much, and came first.
#[test]
fn a_hurried_scraper_that_shares_an_answer_is_told_in_time() {
    let gate = Gate::new();
    let exporter = Exporter::behind(&gate, PAGE);
    let daemon = proxying(&exporter, "").start();
    let mut patient = daemon.connect();
    patient.ask("/proxy");
    exporter.wait_for_requests(1);
    let fields = [("X-Prometheus-Scrape-Timeout-Seconds", "0.4")];
    let reply = get_at(daemon.addr(), "/proxy", &fields).unwrap();
    assert_eq!(reply.status, 504, "{}", reply.body);
    assert!(reply.body.starts_with("source \"m\": no whole page within 3"), "{}", reply.body);
    gate.open();
    assert_eq!(patient.reply().body, PAGE);
    assert_eq!(exporter.requests(), 1);
}

/// Nor does one that hangs in the middle of its answer.
#[test]
fn an_exporter_that_hangs_in_its_answer_holds_up_no_other() {
    let gate = Gate::new();
    let held = gate.clone();
    let hanging = Exporter::talking(move |conversation| {
        conversation.request();
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n");
        held.wait();
        conversation.send(b"0\r\n\r\n");
    });
    let good = Exporter::answering(chunked(PAGE, 7));
    let daemon = Setup::new()
        .source("hanging", &hanging)
        .source("good", &good)
        .route("/proxy", "{proxy: all}")
        .route("/merged", "{merge: good}")
        .start();
    let mut waiting = daemon.connect();
    waiting.ask("/proxy?module=hanging");
    hanging.wait_for_requests(1);
    for path in ["/proxy?module=good", "/merged"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
    gate.open();
    assert_eq!(waiting.reply().body, "up 1\n");
}

/// Letter case and parameters of a Content-Type decide nothing.
#[test]
fn openmetrics_is_told_by_its_media_type() {
    let page = "# TYPE a counter\na_total 1\n# EOF\n";
    for (content_type, status) in [
        ("Application/OpenMetrics-Text; version=1.0.0", 200),
        ("application/openmetrics-text", 200),
        ("application/openmetrics-textual", 200),
    ] {
        for (text, want) in [(page, status), ("a_total 1\n", 502)] {
            let exporter = Exporter::answering(ok(content_type, text));
            let daemon = proxying(&exporter, "").start();
            let want = if content_type.ends_with("ual") { 200 } else { want };
            let reply = daemon.get("/proxy");
            assert_eq!(reply.status, want, "{content_type}: {text}: {}", reply.body);
        }
    }
}

/// Several fields of one name are one list.
#[test]
fn what_a_scraper_takes_may_be_said_in_several_fields() {
    let exporter = Exporter::serving(PAGE);
    let daemon = proxying(&exporter, "").start();
    let fields = [
        ("Accept", "text/plain;q=0.5"),
        ("Accept-Encoding", "br"),
        ("Accept", "*/*;q=0.1"),
        ("Accept-Encoding", "gzip"),
    ];
    let reply = daemon.get_with("/proxy", &fields);
    assert_eq!(reply.header("vary"), Some("Accept, Accept-Encoding"));
    assert_eq!(exporter.header("accept").as_deref(), Some("text/plain;q=0.5,*/*;q=0.1"));
    assert_eq!(exporter.header("accept-encoding").as_deref(), Some("gzip"));
}

/// A probe of a target that is down is an answer, not a failure of the prober.
#[test]
fn a_status_that_answers_parameters_is_no_failure_of_the_source() {
    let exporter = Exporter::talking(|conversation| {
        while let Some(head) = conversation.request() {
            let bad = head.contains("target=bad");
            let bytes = if bad { reply("400 Bad", &[], "no\n") } else { ok(TEXT, PAGE) };
            conversation.send(&bytes);
        }
    });
    for keys in ["", "verify: false"] {
        let daemon = proxying(&exporter, keys).start();
        for (target, status) in [("good", 200), ("bad", 400), ("good", 200), ("bad", 400)] {
            assert_eq!(daemon.get(&format!("/proxy?target={target}")).status, status, "{keys}");
        }
        let of = [("source", "m")];
        assert_eq!(daemon.own("fanin_source_up", &of), Some(1.0), "{keys}");
        assert_eq!(daemon.own("fanin_source_failures_total", &of), None, "{keys}");
        assert!(!daemon.log.text().contains("up again"), "{}", daemon.log.text());
    }
}
