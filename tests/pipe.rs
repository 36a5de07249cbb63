//! Pipes: pages carried away on a timer, as those who receive them see it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod common;

#[path = "pipe/commands.rs"]
mod commands;
#[path = "pipe/failures.rs"]
mod failures;
#[path = "pipe/hub.rs"]
mod hub;
#[path = "pipe/peers.rs"]
mod peers;
#[path = "pipe/reload.rs"]
mod reload;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::exporter::{TEXT, ok};
use common::{Exporter, Gate, Hub, Setup, big_page, page};

const GOOD: &str = "# TYPE up gauge\nup 1\n";

/// An exporter whose only sample counts its scrapes.
fn counting() -> Exporter {
    let scrapes = AtomicUsize::new(0);
    Exporter::talking(move |conversation| {
        while conversation.request().is_some() {
            let number = scrapes.fetch_add(1, Ordering::Relaxed) + 1;
            conversation.send(&ok(TEXT, &format!("# TYPE scrapes gauge\nscrapes {number}\n")));
        }
    })
}

/// The numbers of the scrapes that were brought.
fn numbers(brought: &[common::hub::Brought]) -> Vec<usize> {
    let number = |page: &common::hub::Brought| {
        page.page().trim_end().rsplit(' ').next().unwrap().parse().unwrap()
    };
    brought.iter().map(number).collect()
}

#[test]
fn a_page_is_put_as_prompipe_does() {
    let (node, hub) = (Exporter::serving(GOOD), Hub::taking());
    let setup = Setup::new().source("node", &node);
    setup.folder().write("token", "s3cret\n");
    let to = hub.url("/metrics/home/pi");
    let _daemon =
        setup.pipe(&format!("from: node, to: \"{to}\", every: 200ms, token_file: token")).start();

    let brought = hub.wait_for(3);

    for page in &brought {
        assert!(page.head.starts_with("PUT /metrics/home/pi HTTP/1.1\r\n"), "{}", page.head);
        assert_eq!(page.field("authorization").as_deref(), Some("Bearer s3cret"));
        assert_eq!(page.field("content-type").as_deref(), Some(TEXT));
        assert_eq!(page.field("content-encoding"), None, "its receiver hands on what it gets");
        assert_eq!(
            page.field("fanin-ttl").as_deref(),
            Some("1s"),
            "3 times 200 ms, in whole seconds"
        );
        assert_eq!(page.page(), GOOD, "one source, nothing put on");
    }
    assert_eq!(hub.exporter.connections(), 1, "the connection is kept");
}

#[test]
fn several_sources_are_one_page_with_labels() {
    let (a, b, hub) = (Exporter::serving(GOOD), Exporter::serving(GOOD), Hub::taking());
    let to = hub.url("/metrics/home/pi");
    let _daemon = Setup::new()
        .source_with("a", &a, "labels: {rack: \"7\"}")
        .source("b", &b)
        .pipe(&format!("from: [a, b], to: \"{to}\", every: 200ms, labels: {{site: home}}"))
        .start();

    let want = "# TYPE up gauge\n\
                up{exporter_name=\"a\",rack=\"7\",site=\"home\"} 1\n\
                up{exporter_name=\"b\",site=\"home\"} 1\n";
    assert_eq!(hub.wait_for(1)[0].page(), want);
}

#[test]
fn each_page_is_a_fresh_one() {
    // Refused, lost, and left without an answer.
    let hub = Hub::answering(|number| match number % 4 {
        0 => b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
        1 => Vec::new(),
        _ => b"HTTP/1.1 202 Fine\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    let node = counting();
    let to = hub.url("/m/a/b");
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{to}\", every: 100ms"))
        .start();

    let numbers = numbers(&hub.wait_for(12));

    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "{numbers:?}\n{}", daemon.log.text());
}

#[test]
fn a_slow_hub_delays_nobody() {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = Hub::answering(move |_| {
        held.wait();
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let (node, quick) = (Exporter::serving(GOOD), Hub::taking());
    let pipe =
        |hub: &Hub| format!("from: node, to: \"{}\", every: 1s, timeout: 2s", hub.url("/m/a/b"));
    let daemon = Setup::new()
        .source("node", &node)
        .route("/node", "{merge: node}")
        .pipe(&pipe(&slow))
        .pipe(&pipe(&quick))
        .start();
    slow.wait_for(1);

    let before = quick.wait_for(0).len();
    quick.wait_for(before + 2);
    assert_eq!(daemon.get("/node").status, 200);
    gate.open();
}

#[test]
fn the_last_attempt_is_told_by_metrics_and_the_status_page() {
    let (node, hub) = (Exporter::serving(GOOD), Hub::taking());
    let to = hub.url("/m/a/b?token=x");
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: [node, self], to: \"{to}\", every: 100ms"))
        .start();
    let brought = hub.wait_for(3);
    let name = hub.url("/m/a/b");
    let pipe = [("pipe", &*name)];

    daemon.until("two pages taken", || {
        daemon.own("fanin_pipe_attempts_total", &pipe).is_some_and(|attempts| attempts >= 2.0)
    });
    assert_eq!(daemon.own("fanin_pipe_up", &pipe), Some(1.0));
    assert!(daemon.own("fanin_pipe_sent_bytes_total", &pipe) >= Some(40.0));
    assert!(daemon.own("fanin_pipe_sent_samples_total", &pipe) >= Some(2.0));
    assert!(daemon.own("fanin_pipe_age_seconds", &pipe) < Some(20.0));
    assert!(daemon.own("fanin_pipe_last_success_timestamp_seconds", &pipe) > Some(1e9));
    let last = brought.last().unwrap().page();
    let labels = [("exporter_name", "self"), ("pipe", &*name)];
    assert_eq!(page::value(last, "fanin_pipe_up", &labels), Some(1.0), "{last}");
    let json = daemon.get_with("/", &[("Accept", "application/json")]).body;
    assert!(json.contains(&format!("{{\"name\":\"{name}\",\"state\":\"up\"")), "{json}");
    let html = daemon.get("/").body;
    assert!(html.contains(&format!("<th scope=row>{name}")), "{html}");
    assert!(!html.contains("token=x") && !json.contains("token=x"));
}

#[test]
fn a_file_may_have_pipes_alone() {
    let (node, hub) = (Exporter::serving(GOOD), Hub::taking());
    let folder = common::Folder::new();
    let yaml = format!(
        "sources: {{node: {{http: {{url: \"{}\"}}}}}}\n\
         pipes: [{{from: node, to: \"{}\", every: 100ms}}]\n",
        node.url(),
        hub.url("/m/a/b")
    );
    let file = folder.write("fanin.yaml", &yaml);
    let mut command = Setup::new().command();
    command.args(["serve", "--config", &file]);
    let _daemon = common::Daemon::spawn(command, folder, 0);
    hub.wait_for(1);
}

#[test]
fn pages_are_packed_where_the_other_end_is_known_to_unpack() {
    let page = big_page(8000);
    let node = Exporter::serving(&page);
    let cases = [
        ("protocol: put", false),
        ("protocol: put, compress: auto", true),
        ("protocol: import", true),
        ("protocol: import, compress: never", false),
    ];
    for (keys, packed) in cases {
        let hub = Hub::taking();
        let to = hub.url("/api/v1/import/prometheus");
        let _daemon = Setup::new()
            .source("node", &node)
            .pipe(&format!("from: node, to: \"{to}\", every: 1s, {keys}"))
            .start();
        let brought = hub.wait_for(1).remove(0);
        let coding = brought.field("content-encoding");
        assert_eq!(coding.as_deref(), packed.then_some("gzip"), "{keys}");
        let method = if keys.contains("import") { "POST" } else { "PUT" };
        assert!(
            brought.head.starts_with(&format!("{method} /api/v1/")),
            "{keys}: {}",
            brought.head
        );
        if packed {
            assert!(brought.body.starts_with(&[0x1f, 0x8b]), "{keys}");
            assert!(brought.body.len() * 3 < page.len(), "{keys}: {}", brought.body.len());
        } else {
            assert_eq!(brought.page(), page, "{keys}");
        }
    }
}

#[test]
fn a_long_page_goes_in_chunks() {
    let page = big_page(1_500_000);
    let (node, hub) = (Exporter::serving(&page), Hub::taking());
    let to = hub.url("/m/a/b");
    let daemon = Setup::new()
        .source("node", &node)
        .pipe(&format!("from: node, to: \"{to}\", every: 2s"))
        .start();
    assert!(hub.wait_for(1)[0].page() == page, "{}", daemon.log.text());
}
