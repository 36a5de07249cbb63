//! Pages that are kept: `cache`, and `every`, which fetches on its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::exporter::{TEXT, ok, reply};
use crate::common::{Exporter, Gate, Setup, big_page, page};

/// Answers with how often it was asked, or with 500 while told to.
fn counting(fails: &Arc<AtomicBool>) -> Exporter {
    let fails = fails.clone();
    let asked = Arc::new(AtomicUsize::new(0));
    Exporter::talking(move |conversation| {
        while conversation.request().is_some() {
            let n = asked.fetch_add(1, Ordering::Relaxed) + 1;
            if fails.load(Ordering::Relaxed) {
                conversation.send(&reply("500 Oh", &[], "oh\n"));
            } else {
                conversation.send(&ok(TEXT, &format!("asked   {n}\n")));
            }
        }
    })
}

fn never() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

#[test]
fn a_cached_page_serves_merges_and_proxies() {
    let exporter = counting(&never());
    let daemon = Setup::new()
        .source_with("m", &exporter, "cache: 1h")
        .route("/proxy", "{proxy: m}")
        .route("/merged", "{merge: m}")
        .start();
    for _ in 0..3 {
        assert_eq!(daemon.get("/proxy?module=m").body, "asked   1\n");
        assert_eq!(page::value(&daemon.get("/merged").body, "asked", &[]), Some(1.0));
    }
    assert_eq!(daemon.get("/proxy?module=m&x=y").body, "asked   2\n", "another question");
    assert_eq!(daemon.get("/proxy?module=m").body, "asked   1\n");
    assert_eq!(daemon.own("fanin_source_scrapes_total", &[("source", "m")]), Some(2.0));
}

/// A fetch that is to be kept, and takes longer than its scraper has time, is a failure like others.
#[test]
fn a_cached_page_that_does_not_come_in_time_is_a_failure() {
    let gate = Gate::new();
    let exporter = Exporter::behind(&gate, "up 1\n");
    let daemon = Setup::new()
        .source_with("m", &exporter, "cache: 1h")
        .route("/proxy", "{proxy: m}")
        .route("/merged", "{merge: m}")
        .start();
    for (path, status, failures) in [("/proxy?module=m", 504, 1.0), ("/merged", 503, 2.0)] {
        let reply = daemon.get_with(path, &[("X-Prometheus-Scrape-Timeout-Seconds", "0.4")]);
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        let failed = [("source", "m"), ("reason", "timeout")];
        assert_eq!(daemon.own("fanin_source_failures_total", &failed), Some(failures), "{path}");
    }
    gate.open();
}

/// Fetched before anybody asks, and again and again; who scrapes costs the exporter nothing.
#[test]
fn every_fetches_on_its_own() {
    let exporter = counting(&never());
    let daemon = Setup::new()
        .source_with("m", &exporter, "every: 200ms, max_age: 1h")
        .route("/proxy", "{proxy: {sources: m, default: m}}")
        .route("/merged", "{merge: m}")
        .start();
    exporter.wait_for_requests(3);
    let fetched = page::value(&daemon.get("/proxy").body, "asked", &[]).unwrap();
    assert!(fetched >= 2.0, "{fetched}");
    assert!(page::value(&daemon.get("/merged").body, "asked", &[]) >= Some(fetched));
}

/// The first to ask waits for the first fetch.
#[test]
fn who_comes_before_the_first_page_waits_for_it() {
    let gate = Gate::new();
    let exporter = Exporter::behind(&gate, "up 1\n");
    let daemon = Setup::new()
        .source_with("m", &exporter, "every: 1h")
        .route("/merged", "{merge: m}")
        .start();
    exporter.wait_for_requests(1);
    let mut connection = daemon.connect();
    connection.ask("/merged");
    let late = daemon.get_with("/merged", &[("X-Prometheus-Scrape-Timeout-Seconds", "0.2")]);
    assert_eq!(late.status, 503, "{}", late.body);
    gate.open();
    assert_eq!(page::value(&connection.reply().body, "up", &[]), Some(1.0));
    assert_eq!(exporter.requests(), 1);
}

/// While fetches fail the page before them is served, but not for longer than `max_age`.
#[test]
fn a_page_outlives_failures_until_it_is_too_old() {
    let fails = never();
    let exporter = counting(&fails);
    let daemon = Setup::new()
        .source_with("m", &exporter, "every: 100ms, max_age: 2s")
        .route("/proxy", "{proxy: {sources: m, default: m}}")
        .start();
    daemon.until("a page", || daemon.get("/proxy").status == 200);
    fails.store(true, Ordering::Relaxed);
    let down = || daemon.own("fanin_source_up", &[("source", "m")]) == Some(0.0);
    daemon.until("a failure", down);
    assert_eq!(daemon.get("/proxy").status, 200, "it is still good");
    daemon.until("its end", || daemon.get("/proxy").status == 502);
    assert_eq!(daemon.get("/proxy").body, "source \"m\": answered 500 instead of 200\n");
    fails.store(false, Ordering::Relaxed);
    daemon.until("a page again", || daemon.get("/proxy").status == 200);
}

/// A reload neither fetches what did not change, nor serves what did.
#[test]
fn a_schedule_lives_on_over_a_reload() {
    let (one, other) = (counting(&never()), counting(&never()));
    let setup = |exporter: &Exporter, route: &str| {
        Setup::new().source_with("m", exporter, "every: 1h").route(route, "{merge: m}")
    };
    let daemon = setup(&one, "/merged").start();
    daemon.until("a page", || daemon.get("/merged").status == 200);
    daemon.rewrite(&setup(&one, "/other"));
    daemon.reload();
    daemon.until("the reload", || daemon.get("/other").status == 200);
    assert_eq!(one.requests(), 1);
    daemon.rewrite(&setup(&other, "/third"));
    daemon.reload();
    other.wait_for_requests(1);
    daemon.until("the other's page", || daemon.get("/third").status == 200);
    assert_eq!((one.requests(), other.requests()), (1, 1));
}

/// A fetch under way lives on over a reload, unless the source has changed: then it is given up.
#[test]
fn a_fetch_under_way_outlives_a_reload() {
    let gate = Gate::new();
    let exporter = Exporter::behind(&gate, "up 1\n");
    let setup = |every: &str, route: &str| {
        Setup::new().source_with("m", &exporter, every).route(route, "{merge: m}")
    };
    let daemon = setup("every: 1h", "/merged").start();
    exporter.wait_for_requests(1);
    daemon.rewrite(&setup("every: 1h", "/other"));
    daemon.reload();
    daemon.until("the reload", || daemon.get("/merged").status == 404);
    let mut connection = daemon.connect();
    connection.ask("/other");
    daemon.rewrite(&setup("every: 2h", "/third"));
    daemon.reload();
    exporter.wait_for_requests(2);
    gate.open();
    daemon.until("a page", || daemon.get("/third").status == 200);
    assert_eq!(page::value(&connection.reply().body, "up", &[]), Some(1.0));
    assert_eq!(exporter.requests(), 2, "one of each configuration");
}

/// A page takes the room of the one that it replaces; each fetch counts once.
#[test]
fn a_page_takes_the_room_of_the_one_before() {
    let exporter = Exporter::serving(&big_page(300_000));
    let daemon = Setup::new()
        .source_with("m", &exporter, "every: 100ms, max_age: 1h")
        .limit("memory: 4MiB")
        .limit("kept: 600KiB")
        .route("/proxy", "{proxy: {sources: m, default: m}}")
        .start();
    exporter.wait_for_requests(5);
    assert_eq!(daemon.get("/proxy").status, 200);
    let of = [("source", "m")];
    assert_eq!(daemon.own("fanin_source_failures_total", &of), None, "{}", daemon.log.text());
    let (scrapes, asked) = (daemon.own("fanin_source_scrapes_total", &of), exporter.requests());
    assert!(scrapes <= Some(f64::from(u32::try_from(asked).unwrap())), "{scrapes:?} {asked}");
}

/// Why `every` has no page is known, so nobody waits for memory to hear it.
#[test]
fn a_failure_that_is_known_costs_no_memory() {
    let gate = Gate::new();
    let (hanging, refused) = (Exporter::behind(&gate, "up 1\n"), Exporter::serving("up 1\n"));
    let daemon = Setup::new()
        .source("hanging", &hanging)
        .source_with("refused", &refused, "every: 1h")
        .route("/hanging", "{merge: hanging}")
        .route("/refused", "{merge: refused}");
    drop(refused);
    let daemon = daemon.start();
    daemon.until("the failure", || daemon.get("/refused").status == 503);
    // Nothing is known of it: the one guess there may be.
    let mut held = daemon.connect();
    held.ask("/hanging");
    hanging.wait_for_requests(1);
    let fields = [("X-Prometheus-Scrape-Timeout-Seconds", "5")];
    let reply = daemon.get_with("/refused", &fields);
    assert!(reply.body.contains("connection refused"), "{}", reply.body);
    gate.open();
}

/// What is fetched to be kept and cannot be is a failure that says so.
#[test]
fn a_page_that_cannot_be_kept_is_a_failure() {
    let exporter = counting(&never());
    let daemon = Setup::new()
        .source_with("m", &exporter, "every: 1h")
        .limit("kept: 0")
        .route("/proxy", "{proxy: {sources: m, default: m}}")
        .start();
    exporter.wait_for_requests(1);
    daemon.until("the failure", || daemon.get("/proxy").status == 503);
    let told = "source \"m\": limits.kept has no room left for its page\n";
    assert_eq!(daemon.get("/proxy").body, told);
}

/// What never answers, and is fetched with an hour's time, takes the memory of nobody who answers.
#[test]
fn a_first_fetch_that_never_ends_holds_up_nobody() {
    let gate = Gate::new();
    let (dead, good) = (Exporter::behind(&gate, "up 1\n"), Exporter::serving("up 1\n"));
    let daemon = Setup::new()
        .source_with("dead", &dead, "every: 1h")
        .source("good", &good)
        .route("/proxy", "{proxy: good}")
        .route("/merged", "{merge: good}")
        .start();
    dead.wait_for_requests(1);
    for path in ["/merged", "/proxy?module=good"] {
        let reply = daemon.get_with(path, &[("X-Prometheus-Scrape-Timeout-Seconds", "2")]);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    }
    gate.open();
}

/// A page of which nothing is known is fetched again where there was too little for it.
#[test]
fn a_first_fetch_of_a_long_page_comes_whole() {
    let text = big_page(400_000);
    let exporter = Exporter::serving(&text);
    let daemon = Setup::new()
        .source_with("m", &exporter, "every: 1h")
        .route("/proxy", "{proxy: {sources: m, default: m}}")
        .limit("memory: 2MiB")
        .limit("kept: 1MiB")
        .start();
    assert_eq!(daemon.get("/proxy").body, text);
}
