//! What a pipe makes of a hub that does not take its pages.

use super::common::exporter::reply;
use super::common::{Exporter, Hub, Setup, big_page};
use super::{GOOD, counting, numbers};

#[test]
fn each_change_is_logged_once() {
    let hub = Hub::answering(|number| match number {
        1..=3 => reply("401 Who", &[], "log in first\nand more"),
        4 | 5 => reply("503 Busy", &[], ""),
        8 => reply("401 Who", &[], "log in first"),
        _ => reply("200 OK", &[], "thanks"),
    });
    let node = Exporter::serving(GOOD);
    let to = hub.url("/m/a/b");
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{to}\", every: 100ms"))
        .start();
    hub.wait_for(10);
    let name = format!("pipe \"{to}\": ");
    let told = |what: &str| daemon.log.lines_with(&format!("{name}{what}")).len();
    daemon.until("the second recovery", || told("pages are taken again") == 2);
    assert_eq!(told("answered 401: log in first"), 2, "{}", daemon.log.text());
    assert_eq!(told("answered 503"), 1, "{}", daemon.log.text());
    assert_eq!(hub.exporter.connections(), 1, "a refusal costs no connection");
}

#[test]
fn a_hub_that_asks_for_a_pause_gets_it() {
    let hub = Hub::answering(|_| reply("429 Slow down", &[("Retry-After", "600")], ""));
    let node = Exporter::serving(GOOD);
    let to = hub.url("/m/a/b");
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{to}\", every: 1s"))
        .start();
    hub.wait_for(1);
    let pipe = [("pipe", &*to)];
    daemon.until("the failure", || daemon.own("fanin_pipe_up", &pipe) == Some(0.0));
    let skipped = daemon.own("fanin_pipe_skipped_total", &pipe).unwrap();
    assert!((599.0..=601.0).contains(&skipped), "{skipped}");
    let failures = [("pipe", &*to), ("reason", "status")];
    assert_eq!(daemon.own("fanin_pipe_failures_total", &failures), Some(1.0));
}

#[test]
fn a_source_that_fails_sends_nothing_and_is_tried_at_each_tick() {
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let theirs = broken.clone();
    let node = Exporter::talking(move |conversation| {
        while conversation.request().is_some() {
            let number = theirs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let status = if number < 3 { "500 No" } else { "200 OK" };
            conversation.send(&reply(status, &[("Content-Type", "text/plain")], GOOD));
        }
    });
    let hub = Hub::taking();
    let to = hub.url("/m/a/b");
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{to}\", every: 100ms"))
        .start();
    hub.wait_for(1);
    let failures = [("pipe", &*to), ("reason", "scrape")];
    assert_eq!(daemon.own("fanin_pipe_failures_total", &failures), Some(3.0));
    assert_eq!(daemon.own("fanin_pipe_skipped_total", &[("pipe", &*to)]), Some(0.0));
    assert!(daemon.log_contains("nothing to send: source \"node\""), "{}", daemon.log.text());
}

#[test]
fn who_refuses_a_long_page_early_is_heard() {
    let node = Exporter::serving(&big_page(4_000_000));
    let hub = Exporter::talking(|conversation| {
        conversation.request();
        conversation.send(&reply("413 Too long", &[("Connection", "close")], "at most 8 KiB"));
    });
    let to = format!("http://{}/m/a/b", hub.addr);
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{to}\", every: 2s"))
        .start();
    assert!(daemon.log_contains("answered 413: at most 8 KiB"), "{}", daemon.log.text());
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Hub::taking();
    let location = elsewhere.url("/m/a/b");
    let hub = Hub::answering(move |_| reply("307 Moved", &[("Location", &location)], ""));
    let node = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{}\", every: 100ms", hub.url("/m/a/b")))
        .start();
    hub.wait_for(3);
    assert!(daemon.log_contains("answered 307: pipes follow no redirects"));
    assert_eq!(elsewhere.exporter.connections(), 0);
}

#[test]
fn a_hub_that_is_gone_and_comes_back_is_found_again() {
    let node = counting();
    let hub = Hub::answering(|number| match number {
        1 | 2 => reply("200 OK", &[], ""),
        _ => Vec::new(),
    });
    let to = hub.url("/m/a/b");
    let address = hub.exporter.addr.clone();
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{to}\", every: 100ms"))
        .start();
    hub.wait_for(2);
    drop(hub);
    let failed = || {
        let sum = |reason| daemon.own("fanin_pipe_failures_total", &[("reason", reason)]);
        sum("connect").unwrap_or(0.0) + sum("closed").unwrap_or(0.0)
    };
    daemon.until("some failures", || failed() >= 3.0);
    let listener = std::net::TcpListener::bind(&address).unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    let mut first = [0; 4];
    std::io::Read::read_exact(&mut socket, &mut first).unwrap();
    assert_eq!(&first, b"PUT ");
}

#[test]
fn a_lost_answer_is_a_failure_and_its_page_is_gone() {
    let hub = Hub::answering(|number| match number {
        2 => Vec::new(),
        _ => reply("200 OK", &[], ""),
    });
    let node = counting();
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{}\", every: 100ms", hub.url("/m/a/b")))
        .start();
    assert_eq!(numbers(&hub.wait_for(4)[..4]), [1, 2, 3, 4], "{}", daemon.log.text());
    let failures = [("reason", "closed")];
    assert_eq!(daemon.own("fanin_pipe_failures_total", &failures), Some(1.0));
}
