//! The page at `/`, as a browser and a program get it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use yaml_serde::Value;

use common::exporter::reply;
use common::{Daemon, Exporter, Setup, page};

const GOOD: &str = "# TYPE up gauge\nup{a=\"b\"} 1\nup 2\n";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// The page for people.
fn html(daemon: &Daemon) -> String {
    let reply = daemon.get("/");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("content-type"), Some(HTML));
    page::assert_tidy(&reply.body);
    reply.body
}

/// The page for programs.
fn json(daemon: &Daemon) -> Value {
    page::json(&daemon.get_with("/", &[("Accept", JSON)]))
}

/// The sources' names and states, in the order of the page.
fn names(status: &Value) -> Vec<(&str, &str)> {
    let sources = status.get("sources").and_then(Value::as_sequence).unwrap();
    sources.iter().map(|one| (text(one, "name").unwrap(), text(one, "state").unwrap())).collect()
}

fn source<'v>(status: &'v Value, name: &str) -> &'v Value {
    let sources = status.get("sources").and_then(Value::as_sequence).unwrap();
    let named = |one: &&Value| one.get("name").and_then(Value::as_str) == Some(name);
    sources.iter().find(named).unwrap_or_else(|| panic!("{name} is not in {status:?}"))
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).unwrap_or_else(|| panic!("no {key} in {value:?}")).as_str()
}

fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key).unwrap_or_else(|| panic!("no {key} in {value:?}")).as_f64()
}

/// A server with sources that are up, down and new, asked so that all three states are there.
fn mixed() -> (Daemon, Vec<Exporter>) {
    let good = Exporter::serving(GOOD);
    let bad = Exporter::answering(reply("500 No", &[], "no"));
    let daemon = Setup::new()
        .source("a-good", &good)
        .source("b-good", &good)
        .source("z-bad", &bad)
        .source("y-bad", &bad)
        .source("later", &good)
        .source("elsewhere", &good)
        .source_of("cron", "{file: {path: \"textfiles/*.prom\"}}")
        .route("/all", "{merge: [self, b-good, a-good, z-bad, y-bad]}")
        .route("/some", "{merge: {sources: [a-good, later, cron], strict: true}}")
        .route("/one", "{proxy: {sources: [self, a-good, later], default: later}}")
        .start();
    assert_eq!(daemon.get("/all").status, 200);
    assert_eq!(daemon.get("/all").status, 200);
    (daemon, vec![good, bad])
}

#[test]
fn json_tells_each_source_and_its_history() {
    let (daemon, _exporters) = mixed();
    let status = json(&daemon);
    let want = [
        ("y-bad", "down"),
        ("z-bad", "down"),
        ("cron", "new"),
        ("later", "new"),
        ("a-good", "up"),
        ("b-good", "up"),
    ];
    assert_eq!(names(&status), want, "failing, not asked, then by name; none of other servers");

    assert_eq!(text(&status, "version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(text(&status, "server"), Some("tcp://127.0.0.1:0"));
    assert!(number(&status, "uptime_seconds") < Some(60.0));
    let memory = status.get("memory").unwrap();
    assert!(number(memory, "total_bytes") > number(memory, "used_bytes"), "{memory:?}");
    for key in ["promised_bytes", "kept_bytes", "scrapes_waiting"] {
        assert!(number(memory, key) >= Some(0.0), "{key}");
    }

    let up = source(&status, "a-good");
    assert_eq!(
        (text(up, "kind"), text(up, "reason"), text(up, "error")),
        (Some("http"), None, None)
    );
    assert!(text(up, "place").unwrap().starts_with("127.0.0.1:"), "{up:?}");
    assert_eq!((number(up, "samples"), number(up, "bytes")), (Some(2.0), Some(33.0)));
    for key in ["age_seconds", "duration_seconds", "last_success_age_seconds"] {
        assert!((0.0..60.0).contains(&number(up, key).unwrap()), "{key}: {up:?}");
    }
    let links: Vec<_> = up.get("links").and_then(Value::as_sequence).unwrap().iter().collect();
    assert_eq!(links, ["/all", "/one?module=a-good", "/some"]);
    let history = up.get("history").and_then(Value::as_sequence).unwrap();
    assert_eq!(history.len(), 2);
    assert!(history.iter().all(|one| one.get("up").and_then(Value::as_bool) == Some(true)));
    assert!(history.iter().all(|one| number(one, "duration_seconds") > Some(0.0)), "{history:?}");

    let down = source(&status, "z-bad");
    assert_eq!(text(down, "reason"), Some("status"));
    assert_eq!(text(down, "error"), Some("answered 500 instead of 200"));
    for key in ["samples", "bytes", "last_success_age_seconds"] {
        assert_eq!(number(down, key), None, "{key}");
    }
    let new = source(&status, "cron");
    assert_eq!((text(new, "kind"), text(new, "place")), (Some("file"), Some("*.prom")));
    assert_eq!((number(new, "age_seconds"), number(new, "duration_seconds")), (None, None));
    assert_eq!(new.get("history").and_then(Value::as_sequence).map(Vec::len), Some(0));
}

#[test]
fn json_tells_the_routes() {
    let (daemon, _exporters) = mixed();
    let status = json(&daemon);
    let routes = status.get("routes").and_then(Value::as_sequence).unwrap();
    let told: Vec<_> = routes
        .iter()
        .map(|route| {
            let flag = |key: &str| route.get(key).and_then(Value::as_bool).unwrap();
            let (path, outlet) = (text(route, "path").unwrap(), text(route, "outlet").unwrap());
            (path, outlet, number(route, "sources"), flag("own_metrics"), flag("strict"))
        })
        .collect();
    let want = [
        ("/all", "merge", Some(4.0), true, false),
        ("/one", "proxy", Some(2.0), true, false),
        ("/some", "merge", Some(3.0), false, true),
        ("/metrics", "self", Some(0.0), true, false),
    ];
    assert_eq!(told, want);
}

#[test]
fn html_tells_the_same() {
    let (daemon, _exporters) = mixed();
    let page = html(&daemon);
    for piece in [
        "<title>2 of 6 failing · fanin</title>",
        "<meta http-equiv=refresh content=30>",
        "<b>2</b> failing",
        "<b>2</b> not asked yet",
        "<b>2</b> up",
        "<tr class=down><td>down<small>status</small><th scope=row>z-bad <small>http · 127.0.0.1:",
        "<p>answered 500 instead of 200 <small>never good so far</small></p>",
        "<tr class=new><td>new<th scope=row>cron <small>file · *.prom</small>",
        "<td><td><td><td><td>not yet<td><a href=\"/some\">/some</a>",
        "<title>2 scrapes, all failed</title>",
        "<title>2 scrapes, none failed; ",
        "<a href=\"/all\">/all</a><td>4 sources as one page, with fanin's own metrics",
        "<a href=\"/some\">/some</a><td>3 sources as one page; fails when one of them does",
        "<a href=\"/one?module=later\">/one?module=later</a>",
        "<a href=\"/one\">/one</a><td>one of 3 as it is, by <code>?module=NAME</code>, else later",
        "<a href=\"/metrics\">/metrics</a><td>fanin's own metrics",
        "<a href=\"/-/ready\">/-/ready</a>",
    ] {
        assert!(page.contains(piece), "{piece} is not in\n{page}");
    }
    assert!(!page.contains("elsewhere"), "{page}");
    let at = |name: &str| page.find(&format!("scope=row>{name} ")).unwrap();
    let order = ["y-bad", "z-bad", "cron", "later", "a-good", "b-good"].map(at);
    assert!(order.is_sorted(), "{order:?}");
}

/// A source that is up again keeps the mark of its failure, and says what it was.
#[test]
fn a_failure_of_late_is_told_of_a_source_that_is_up() {
    let exporter = Exporter::talking(|conversation| {
        for answer in [reply("500 No", &[], ""), reply("200 OK", &[], GOOD)] {
            conversation.request();
            conversation.send(&answer);
        }
    });
    let daemon = Setup::merging(&[&exporter]).start();
    assert_eq!(daemon.get("/merged").status, 503);
    assert_eq!(daemon.get("/merged").status, 200);
    let page = html(&daemon);
    assert!(page.contains("1 of 2 failed, the last: answered 500 instead of 200"), "{page}");
    let status = json(&daemon);
    let up = source(&status, "a");
    assert_eq!((text(up, "state"), text(up, "error")), (Some("up"), None));
    let total = [("source", "a")];
    assert_eq!(daemon.own("fanin_source_scrapes_total", &total), Some(2.0));
}

/// Nobody has counted the samples of a page that was passed on unread.
#[test]
fn a_page_that_was_passed_on_unread_has_no_samples() {
    let exporter = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source_with("raw", &exporter, "verify: false")
        .route("/one", "{proxy: [raw]}")
        .start();
    assert_eq!(daemon.get("/one?module=raw").body, GOOD);
    // The page is counted once its last byte has left.
    daemon.until("the scrape is counted", || {
        text(source(&json(&daemon), "raw"), "state") != Some("new")
    });
    let status = json(&daemon);
    let raw = source(&status, "raw");
    assert_eq!((text(raw, "state"), number(raw, "samples")), (Some("up"), None));
    assert_eq!(number(raw, "bytes"), Some(33.0));
    assert!(html(&daemon).contains("<td><td>33 B<td>"), "{}", html(&daemon));
    assert_eq!(daemon.own("fanin_source_samples", &[("source", "raw")]), None);
    assert_eq!(daemon.own("fanin_source_scrapes_total", &[("source", "raw")]), Some(1.0));
}

#[test]
fn the_form_is_the_one_that_is_preferred() {
    let daemon = Setup::new().start();
    let cases = [
        ("none", None, HTML),
        ("anything", Some("*/*"), HTML),
        ("a browser", Some("text/html,application/xml;q=0.9,*/*;q=0.8"), HTML),
        ("JSON", Some("application/json"), JSON),
        ("rather JSON", Some("text/html;q=0.8, application/json;q=0.9"), JSON),
        ("rather HTML", Some("text/html, application/json;q=0.9"), HTML),
        ("neither", Some("image/png"), HTML),
    ];
    for (name, accept, want) in cases {
        let fields: Vec<_> = accept.into_iter().map(|accept| ("Accept", accept)).collect();
        let reply = daemon.get_with("/", &fields);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(want)), "{name}");
        assert_eq!(reply.header("vary"), Some("Accept"), "{name}");
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        assert_eq!(reply.header("content-security-policy"), Some(policy), "{name}");
    }
    let two = [("Accept", "text/html;q=0.1"), ("Accept", "application/json;q=0.2")];
    assert_eq!(daemon.get_with("/", &two).header("content-type"), Some(JSON));
}

#[test]
fn a_server_without_sources_says_so() {
    let daemon = Setup::new().start();
    assert!(html(&daemon).contains("No route of this server has one."));
    assert_eq!(names(&json(&daemon)), []);
}

#[test]
fn status_false_turns_it_off() {
    let daemon = Setup::new().server_key("status: false").start();
    for accept in [HTML, JSON] {
        assert_eq!(daemon.get_with("/", &[("Accept", accept)]).status, 404, "{accept}");
    }
}

/// Whoever names a file or a route, or answers as an exporter, puts no markup on the page.
#[test]
fn hostile_texts_stay_texts() {
    let coding = [("Content-Encoding", "<script>\"'&\\u0022\u{7f}x")];
    let evil = Exporter::answering(reply("200 OK", &coding, GOOD));
    let honest = [("Content-Encoding", "<script>\"'&\\u0022x")];
    let odd = Exporter::answering(reply("200 OK", &honest, GOOD));
    let setup = Setup::new()
        .source("evil", &evil)
        .source("odd", &odd)
        .source_of("files", "{file: {path: \"<script>\\\"'&*.prom\"}}")
        .route("\"/a<b>&'\\\"\\\\c\"", "{merge: [evil, odd, files]}");
    setup.folder().write("<script>\"'&1.prom", "<script>alert(1)</script>\n");
    let daemon = setup.start();
    let reply = daemon.get("/a%3Cb%3E&'%22%5Cc");
    assert_eq!(reply.status, 503, "{}", reply.body);

    let page = html(&daemon);
    assert!(!page.contains("<script") && !page.contains("<b>&"), "{page}");
    assert!(page.contains("file · &lt;script&gt;&quot;&#39;&amp;*.prom"), "{page}");
    assert!(page.contains("<p>&lt;script&gt;&quot;&#39;&amp;1.prom: line 1:1: "), "{page}");
    assert!(page.contains("href=\"/a&lt;b&gt;&amp;&#39;&quot;%5Cc\""), "{page}");

    let status = json(&daemon);
    let files = source(&status, "files");
    assert_eq!(text(files, "place"), Some("<script>\"'&*.prom"));
    assert!(text(files, "error").unwrap().starts_with("<script>\"'&1.prom: line 1:1: "));
    let told = text(source(&status, "odd"), "error").unwrap();
    assert!(told.contains("is not understood"), "{told}");
    assert_eq!(text(source(&status, "evil"), "state"), Some("down"));
}

/// What a scraper is told of a failure, and what the page has, is one text.
#[test]
fn errors_are_those_that_scrapers_are_told() {
    let daemon = Setup::new()
        .source_of("gone", "{file: {path: \"deep/folder/*.prom\"}}")
        .route("/m", "{merge: [gone]}")
        .start();
    let told = daemon.get("/m").body;
    let status = json(&daemon);
    let error = text(source(&status, "gone"), "error").unwrap();
    assert_eq!(told, format!("source \"gone\": {error}\n"));
    let folder = daemon.folder().path().to_str().unwrap();
    for page in [html(&daemon), format!("{status:?}")] {
        assert!(!page.contains(folder) && !page.contains("deep"), "{page}");
    }
}

#[test]
fn no_secret_is_on_it() {
    let exporter = Exporter::answering(reply("500 No", &[], "s3cret-body"));
    let url = format!("{}?token=s3cret-query", exporter.url());
    // As a proxy does that wants all to come by https.
    let elsewhere = [("Location", "https://printer.example/metrics?token=s3cret-query")];
    let moved = Exporter::answering(reply("301 Moved", &elsewhere, ""));
    let token = "auth: {bearer_token: s3cret-bearer}, headers: {X-Key: s3cret-header}";
    let basic = "auth: {basic: {user: s3cret-user, password: s3cret-password}}";
    let setup = Setup::new()
        .source_at("bearer", &url, token, "")
        .source_at("basic", &url, basic, "")
        .source_at("moved", &moved.url(), "", "")
        .source_at("dead", "http://127.0.0.1:1/s3cret-path?token=s3cret-query", "", "")
        .source_at("socket", "unix:///s3cret-folder/exporter.sock:/metrics?t=s3cret-query", "", "")
        .source_of("script", "{exec: {command: [/bin/false, s3cret-arg], env: {KEY: s3cret-env}}}")
        .route("/m", "{merge: [bearer, basic, moved, dead, socket, script]}")
        .route("/unasked", "{merge: [bearer]}");
    let listen = format!("unix://{}/s3cret-listener.d", setup.folder().path().display());
    std::fs::create_dir(setup.folder().file("s3cret-listener.d")).unwrap();
    let daemon = setup.listen(&format!("{listen}/http.sock")).start();
    let before = daemon.get("/").body;
    assert_eq!(daemon.get("/m").status, 503);
    let status = json(&daemon);
    assert_eq!(text(source(&status, "bearer"), "error"), Some("answered 500 instead of 200"));
    assert_eq!(text(source(&status, "socket"), "place"), Some("exporter.sock"));
    let script = source(&status, "script");
    assert_eq!((text(script, "kind"), text(script, "place")), (Some("exec"), Some("false")));
    let moved = text(source(&status, "moved"), "error").unwrap();
    assert_eq!(moved, "redirect to printer.example:443, which is another place");
    let json = daemon.get_with("/", &[("Accept", JSON)]).body;
    let socket = text(source(&status, "socket"), "error");
    assert_eq!(socket, Some("connect exporter.sock: no such file"));
    assert!(daemon.log_contains("connect /s3cret-folder/exporter.sock: "), "the log says where");
    for page in [before, html(&daemon), json] {
        assert!(!page.contains("s3cret"), "{page}");
        // The beginning of the same in Base64, as basic auth sends it.
        assert!(!page.contains("czNjcmV0"), "{page}");
        assert!(!page.contains(daemon.folder().path().to_str().unwrap()), "{page}");
    }
}

/// As many sources as there may be, each with a full history.
#[test]
fn two_hundred_and_fifty_six_sources_fit() {
    let mut setup = Setup::new();
    let mut all = Vec::new();
    for number in 0..256 {
        let name = format!("printer-{number:03}.farm.example");
        // A third of them has no such file.
        let file = if number % 3 == 0 { "gone.prom" } else { "up.prom" };
        setup = setup.source_of(&name, &format!("{{file: {{path: \"{file}\"}}}}"));
        all.push(name);
    }
    setup.folder().write("up.prom", GOOD);
    let route = format!("{{merge: [{}]}}", all.join(", "));
    let daemon = setup.route("/metrics", &route).route("/farm", &route).start();
    let new = html(&daemon);
    for _ in 0..60 {
        assert_eq!(daemon.get("/metrics").status, 200);
    }

    let full = html(&daemon);
    assert!(full.contains("<title>86 of 256 failing · fanin</title>"));
    let status = json(&daemon);
    assert_eq!(names(&status).len(), 256);
    let history = source(&status, &all[1]).get("history").and_then(Value::as_sequence).unwrap();
    assert_eq!(history.len(), 60);
    let json = daemon.get_with("/", &[("Accept", JSON)]).body;
    println!("HTML: {} bytes new, {} bytes full; JSON: {}", new.len(), full.len(), json.len());
    assert!(full.len() < 300_000, "{} bytes", full.len());
    assert!(json.len() < 1_000_000, "{} bytes", json.len());
    assert!(daemon.get("/-/healthy").status == 200);
}

/// Where the reserve and all else is too small for it, there is no half a page.
#[test]
fn no_memory_is_a_503() {
    let mut setup = Setup::new().limit("memory: 256KiB").limit("body: 32KiB");
    let mut all = Vec::new();
    for number in 0..256 {
        let name = format!("a-printer-of-many-{number:03}.with-a-long-name.farm.example");
        setup = setup.source_of(&name, "{file: {path: \"gone.prom\"}}");
        all.push(name);
    }
    // A link to each of these beside each source is more than all the memory there is.
    for route in 0..32 {
        let path = format!("/a-route-with-a-long-path/number-{route}");
        setup = setup.route(&path, &format!("{{merge: [{}]}}", all.join(", ")));
    }
    let daemon = setup.start();
    for accept in [HTML, JSON] {
        let reply = daemon.get_with("/", &[("Accept", accept)]);
        assert_eq!(reply.status, 503, "{accept}: {} bytes", reply.body.len());
        assert_eq!(reply.header("retry-after"), Some("1"), "{accept}");
        assert!(reply.body.contains("of limits.memory are taken"), "{accept}: {}", reply.body);
    }
    assert_eq!(daemon.get("/metrics").status, 200, "all blocks are back");
}
