//! Real Prometheus scrapes the program, which merges the pages of node_exporter, Prometheus and the
//! Pushgateway.
//!
//! `FANIN_SOAK_SECONDS` says for how long, 15 if it does not.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and what was seen is reported"
)]

mod common;

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use common::daemon::get_at;
use common::peers::{Peer, Prometheus, assert_syntax, find, free_port};
use common::{Daemon, Setup, beat, page};

/// The three exporters and the program between them and Prometheus.
struct World {
    daemon: Daemon,
    /// Where each part is had directly.
    parts: [String; 3],
    prometheus: Prometheus,
    _running: [Peer; 2],
}

impl World {
    /// Starts everything; `None` where something is not installed.
    fn start() -> Option<Self> {
        let node = find("soak", &["prometheus-node-exporter", "node_exporter"])?;
        let gateway = find("soak", &["prometheus-pushgateway", "pushgateway"])?;
        let prometheus = find("soak", &["prometheus"])?;
        let any_port = "--web.listen-address=127.0.0.1:0";
        let listening = "\"Listening on\" address=127.0.0.1:";
        let node = Peer::start(Command::new(node).arg(any_port), listening);
        let gateway = Peer::start(Command::new(gateway).arg(any_port), listening);
        // Prometheus does not say which port it got.
        let port = free_port();
        let parts = [node.port(listening), port, gateway.port(listening)]
            .map(|port| format!("127.0.0.1:{port}"));
        let url = |part: &str| format!("http://{part}/metrics");
        let daemon = Setup::new()
            .source_at("node", &url(&parts[0]), "", "")
            .source_at("prometheus", &url(&parts[1]), "", "")
            .source_at("pushgateway", &url(&parts[2]), "", "")
            .route("/metrics", "{merge: [self, node, prometheus, pushgateway]}")
            .route("/parts", "{merge: [node, prometheus, pushgateway]}")
            .start();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs:\n  - {{job_name: fanin, static_configs: [{{targets: [\"{}\"]}}]}}\n",
            daemon.addr()
        );
        let prometheus = Prometheus::start(prometheus, port, &config);
        Some(Self { daemon, parts, prometheus, _running: [node, gateway] })
    }
}

#[test]
fn prometheus_scrapes_it_without_a_failure() {
    let Some(world) = World::start() else { return };
    let seconds: u32 =
        env::var("FANIN_SOAK_SECONDS").map_or(15, |value| value.parse().expect("seconds"));
    let wanted = f64::from(seconds.saturating_sub(1).max(1));
    let mut looks = 0_u32;
    while world.prometheus.query("count_over_time(up{job=\"fanin\"}[1h])").unwrap_or(0.0) < wanted {
        beat(500);
        looks = looks.saturating_add(1);
        assert!(looks < seconds.saturating_mul(2).saturating_add(60), "too few scrapes came");
    }

    let query = |expression: &str| {
        world.prometheus.query(expression).unwrap_or_else(|| panic!("no value: {expression}"))
    };
    let scrapes = query("count_over_time(up{job=\"fanin\"}[1h])");
    let samples = query("min_over_time(scrape_samples_scraped{job=\"fanin\"}[1h])");
    eprintln!("{scrapes} scrapes, {samples} samples or more in each");
    assert_eq!(query("min_over_time(up{job=\"fanin\"}[1h])"), 1.0, "a scrape failed");
    assert_eq!(query("min(min_over_time(fanin_source_up[1h]))"), 1.0, "a partial scrape");
    assert!(query("count(fanin_source_up)") >= 3.0);
    assert!(samples > 500.0, "{samples}");
    let stored = query("count({job=\"fanin\",exporter_name=~\".+\"})");
    assert!(stored >= samples, "every sample is a series: {stored} of {samples}");
    let rejected = ["sample_duplicate_timestamp_total", "sample_out_of_order_total"];
    for counter in rejected {
        let name = format!("prometheus_target_scrapes_{counter}");
        let counted =
            world.prometheus.query(&format!("max({name}{{job=\"fanin\"}})")).unwrap_or(0.0);
        assert_eq!(counted, 0.0, "{name}");
    }
}

#[test]
fn the_merged_page_is_the_sum_of_its_parts() {
    let Some(world) = World::start() else { return };
    let parts = || {
        world.parts.each_ref().map(|part| {
            let reply = get_at(part, "/metrics", &[]).unwrap();
            assert_eq!(reply.status, 200, "{part}");
            page::count(&reply.body)
        })
    };
    // Real exporters come by a series now and then; a look at which nothing changed decides.
    for _ in 0..20 {
        let before = parts();
        let reply = world.daemon.get("/parts");
        assert_eq!(reply.status, 200, "{}", reply.body);
        if parts() != before {
            beat(100);
            continue;
        }
        assert_eq!(page::count(&reply.body), before.iter().sum::<usize>());
        page::assert_well_formed("real pages", &reply.body);
        assert_syntax("with self", &world.daemon.get("/metrics").body);
        let names: BTreeSet<_> = page::samples(&reply.body)
            .iter()
            .filter_map(|sample| sample.label("exporter_name").map(str::to_owned))
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        return;
    }
    panic!("the parts never stood still");
}
