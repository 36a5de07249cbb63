//! Which source a request means, and what of it the source is told.

use crate::common::exporter::field;
use crate::common::{Exporter, Setup, page};

const PAGE: &str = "# TYPE up gauge\nup{a=\"b\"}   1\n";

/// The first `module` is fanin's; all else is the exporter's, behind what its URL has already.
#[test]
fn parameters_reach_the_exporter() {
    let exporter = Exporter::serving(PAGE);
    let daemon = Setup::new()
        .source("plain", &exporter)
        .source_at("own", &format!("http://{}/probe?x=1&y", exporter.addr), "", "")
        .source_at("raw", &format!("http://{}/probe?verify=no", exporter.addr), "", "verify: false")
        .route("/proxy", "{proxy: {sources: all, default: plain}}")
        .start();
    let cases = [
        ("", "/metrics"),
        ("?module=plain", "/metrics"),
        ("?target=a%20b&module=plain&z", "/metrics?target=a%20b&z"),
        ("?module=plain&module=http_2xx&module=x", "/metrics?module=http_2xx&module=x"),
        ("?mod%75le=own", "/probe?x=1&y"),
        ("?collect[]=cpu&module=own&collect[]=mem", "/probe?x=1&y&collect[]=cpu&collect[]=mem"),
        ("?target=http://h/&module=raw", "/probe?verify=no&target=http://h/"),
        ("?modules=x", "/metrics?modules=x"),
    ];
    for (query, want) in cases {
        let reply = daemon.get(&format!("/proxy{query}"));
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        assert_eq!(reply.body, PAGE, "{query}: the page as it is");
        assert_eq!(reply.header("content-length"), Some("30"), "{query}");
        let head = exporter.heads().pop().unwrap();
        assert_eq!(head.split(' ').nth(1), Some(want), "{query}");
    }
    assert_eq!(exporter.requests(), cases.len());
}

#[test]
fn a_request_that_means_no_source_is_told_so() {
    let exporter = Exporter::serving(PAGE);
    let daemon = Setup::new()
        .source("node", &exporter)
        .source("other", &exporter)
        .route("/proxy", "{proxy: [node]}")
        .route("/merge", "{merge: [other]}")
        .start();
    let cases = [
        ("", 400, "no module named, as in ?module=NAME, and no default here\n"),
        ("?target=x", 400, "no module named, as in ?module=NAME, and no default here\n"),
        ("?module=", 404, "module \"\" is not among those here\n"),
        ("?module=nod", 404, "module \"nod\" is not among those here; did you mean \"node\"?\n"),
        ("?module=other", 404, "module \"other\" is not among those here\n"),
        ("?module=self", 404, "module \"self\" is not among those here\n"),
        ("?module=a%0Ab%22", 404, "module \"a\\nb\\\"\" is not among those here\n"),
    ];
    for (query, status, text) in cases {
        let reply = daemon.get(&format!("/proxy{query}"));
        assert_eq!((reply.status, reply.body.as_str()), (status, text), "{query}");
    }
    // Words as long as a head may be are looked at as fast as others.
    assert_eq!(daemon.get(&format!("/proxy?module={}", "node".repeat(1900))).status, 404);
    assert_eq!(exporter.requests(), 0);
    let posted = b"POST /proxy?module=node HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let reply = daemon.request(posted);
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn own_metrics_and_files_are_modules_too() {
    let setup = Setup::new()
        .source_of("cron", "{file: {path: cron.prom}}")
        .source_of("modern", "{file: {path: modern.prom}}")
        .source_of("quoted", "{file: {path: quoted.prom}}")
        .source_of("gone", "{file: {path: gone.prom}}")
        .source_of("bad", "{file: {path: bad.prom}}")
        .route("/proxy", "{proxy: {sources: [self, all], default: self}}");
    setup.folder().write("cron.prom", "up   1");
    setup.folder().write("modern.prom", "# TYPE a counter\na_total 1\n# EOF\n");
    setup.folder().write("quoted.prom", "{\"my.name\"} 1\n");
    setup.folder().write("bad.prom", "up 1\nbroken\n");
    let daemon = setup.start();
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let quoted = "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    for (name, content_type, want) in [
        ("cron", text, "up   1\n"),
        ("modern", openmetrics, "# TYPE a counter\na_total 1\n# EOF\n"),
        ("quoted", quoted, "{\"my.name\"} 1\n"),
    ] {
        // Parameters are nothing to a file.
        let reply = daemon.get(&format!("/proxy?module={name}&x=y"));
        assert_eq!((reply.status, reply.body.as_str()), (200, want), "{name}");
        assert_eq!(reply.header("content-type"), Some(content_type), "{name}");
    }
    for (name, text) in [
        ("gone", "source \"gone\": gone.prom: no such file\n"),
        (
            "bad",
            "source \"bad\": bad.prom: line 2:1: the value is not a number that fits a double\n",
        ),
    ] {
        let reply = daemon.get(&format!("/proxy?module={name}"));
        assert_eq!(reply.status, 502, "{name}: {}", reply.body);
        assert!(reply.body.starts_with(text.split(": line").next().unwrap()), "{}", reply.body);
    }
    let own = daemon.get("/proxy");
    assert_eq!(page::value(&own.body, "fanin_source_up", &[("source", "cron")]), Some(1.0));
    assert_eq!(page::value(&own.body, "fanin_source_up", &[("source", "gone")]), Some(0.0));
}

/// What the scraper says it reads passes on, its login does not.
#[test]
fn the_exporter_hears_accept_and_nothing_else_of_the_scraper() {
    let exporter = Exporter::serving(PAGE);
    let daemon = Setup::new()
        .source("node", &exporter)
        .source_with("raw", &exporter, "verify: false")
        .route("/proxy", "{proxy: all}")
        .start();
    let accept = "application/vnd.google.protobuf;proto=x;q=0.6,text/plain;version=0.0.4;q=0.2";
    let fields = [
        ("Accept", accept),
        ("Accept-Encoding", "gzip;q=0.5, br"),
        ("Authorization", "Bearer mine"),
        ("Cookie", "mine"),
        ("X-Prometheus-Scrape-Timeout-Seconds", "3"),
    ];
    for (module, passed_on) in [("node", "text/plain;version=0.0.4;q=0.2"), ("raw", accept)] {
        let reply = daemon.get_with(&format!("/proxy?module={module}"), &fields);
        assert_eq!(reply.status, 200, "{module}: {}", reply.body);
        let head = exporter.heads().pop().unwrap();
        let heard = |name: &str| field(&head, name);
        assert_eq!(heard("accept").as_deref(), Some(passed_on), "{module}");
        assert_eq!(heard("accept-encoding").as_deref(), Some("gzip"), "{module}");
        assert_eq!((heard("authorization"), heard("cookie")), (None, None), "{module}");
        let left: f64 = heard("x-prometheus-scrape-timeout-seconds").unwrap().parse().unwrap();
        assert!(left > 1.0 && left <= 2.5, "{module}: {left}");
    }
    let tab = daemon.get_with("/proxy?module=node", &[("Accept", "text/plain,\t*/*;q=0.1")]);
    assert_eq!(tab.status, 200, "{}", tab.body);
    daemon.get("/proxy?module=node");
    let head = exporter.heads().pop().unwrap();
    assert!(field(&head, "accept").unwrap().starts_with("text/plain;version=1.0.0"), "{head}");
    assert_eq!(field(&head, "accept-encoding").as_deref(), Some("identity"));
}

/// Members of a merge that are told to get the request's parameters get them.
#[test]
fn merges_forward_parameters_to_those_that_want_them() {
    let (a, b) = (Exporter::serving("a 1\n"), Exporter::serving("b 1\n"));
    let setup = Setup::new()
        .source_at("a", &format!("http://{}/probe?own=1", a.addr), "", "cache: 1h")
        .source("b", &b)
        .source_of("c", "{file: {path: c.prom}}")
        .route("/all", "{merge: {sources: [a, b, c], forward_params: true}}")
        .route("/one", "{merge: {sources: [a, b, c], forward_params: [a]}}")
        .route("/none", "{merge: {sources: [a, b, c], forward_params: false}}");
    setup.folder().write("c.prom", "c 1\n");
    let daemon = setup.start();
    let asked = |exporter: &Exporter| {
        exporter.heads().pop().and_then(|head| head.split(' ').nth(1).map(str::to_owned))
    };
    for (path, of_a, of_b) in [
        ("/all?x=1&module=m", "/probe?own=1&x=1&module=m", "/metrics?x=1&module=m"),
        ("/one?x=2", "/probe?own=1&x=2", "/metrics"),
        // Another page than that without parameters, so no kept one will do.
        ("/all", "/probe?own=1", "/metrics"),
        ("/all?x=3", "/probe?own=1&x=3", "/metrics?x=3"),
    ] {
        let reply = daemon.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert_eq!(page::count(&reply.body), 3, "{path}: {}", reply.body);
        assert_eq!(asked(&a).as_deref(), Some(of_a), "{path}");
        assert_eq!(asked(&b).as_deref(), Some(of_b), "{path}");
    }
    let before = a.requests();
    assert_eq!(daemon.get("/none?x=4").status, 200);
    assert_eq!(a.requests(), before, "the kept page of a request without parameters");
}
