//! Real Prometheus with the configurations of the README, ours and its own: what worked behind
//! exporter_exporter and reverse_exporter works behind the program.
//!
//! The README's own text is run; only addresses and paths are made those of this test.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and what was seen is reported"
)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::exporter::{TEXT, ok};
use common::peers::{Peer, Prometheus, assert_syntax, find, free_port};
use common::{Daemon, Exporter, Folder, Setup, made_ours, page};

const README: &str = include_str!("../README.md");

/// Scrapes of the cached script's page that must have come; two jobs ask for it.
const SCRAPES: f64 = 22.0;

/// Jobs beside those of the README, of the daemons that `PROXY` and `MERGE` stand for.
const JOBS: &str = r#"
  - job_name: default
    metrics_path: /proxy
    static_configs: [{targets: [PROXY]}]
  - job_name: backup
    metrics_path: /proxy
    params: {module: [backup]}
    static_configs: [{targets: [PROXY]}]
  - job_name: cron
    metrics_path: /proxy
    params: {module: [cron]}
    static_configs: [{targets: [PROXY]}]
  - job_name: proxy_itself
    static_configs: [{targets: [PROXY]}]
  - job_name: board_again
    static_configs: [{targets: [MERGE]}]
  - job_name: blackbox
    metrics_path: /blackbox
    params: {module: [http_2xx], target: ["a:b&c"]}
    static_configs: [{targets: [MERGE]}]
"#;

/// What each job's samples must be: a selector and the value of its one series.
const SERIES: [(&str, f64); 18] = [
    ("count(node_load1{job='node',exporter_name=''})", 1.0),
    ("count(node_load1{job='default',exporter_name=''})", 1.0),
    ("probe_success{job='ping',asked='/probe?module=icmp_example&target=192.168.1.1'}", 1.0),
    ("probe_success{job='blackbox',asked='/probe?module=http_2xx&target=a%3Ab%26c'}", 1.0),
    ("count(probe_success)", 2.0),
    ("count(probe_success{exporter_name=~'.+'}) or vector(0)", 0.0),
    ("backup_age_seconds{job='backup',lang='C',exporter_name=''}", 7.0),
    ("cron_jobs{job='cron',exporter_name=''}", 3.0),
    ("cron_jobs{job='board',exporter_name='cron'}", 3.0),
    ("backup_age_seconds{job='board',exporter_name='backup'}", 7.0),
    ("slow_runs{job='board',exporter_name='slow'}", 1.0),
    ("slow_runs{job='board_again',exporter_name='slow'}", 1.0),
    ("count(node_load1{job='board',exporter_name='node',rack='7'})", 1.0),
    ("count({job='board',exporter_name='node',rack!='7'}) or vector(0)", 0.0),
    ("pushed{job='board',exporter_name='pushgateway',exported_job='nightly'}", 5.0),
    ("min(min_over_time(fanin_source_up[1h]))", 1.0),
    ("count(fanin_source_up{job='proxy_itself'})", 4.0),
    ("count(fanin_source_up{job='board',exporter_name='self'})", 6.0),
];

/// What Prometheus sends as Accept: its second and its third version.
const ACCEPTS: [&str; 2] = [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
     application/openmetrics-text;version=0.0.1;q=0.5,\
     text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
];

/// A block of the README that begins with this line, below the heading of an old tool.
fn recipe(tool: &str, first: &str) -> String {
    let (_, rest) =
        README.split_once(&format!("\n### {tool}\n")).unwrap_or_else(|| panic!("no {tool}"));
    let (_, block) =
        rest.split_once(&format!("```yaml\n{first}\n")).unwrap_or_else(|| panic!("no {first}"));
    block.split("```").next().unwrap().to_owned()
}

/// Writes a program of one line to `folder`.
fn script(folder: &Folder, name: &str, line: &str) -> String {
    let path = folder.write(name, &format!("#!/bin/sh\n{line}\n"));
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

/// Starts the program with a configuration.
fn serving(yaml: &str) -> Daemon {
    let folder = Folder::new();
    let file = folder.write("fanin.yaml", yaml);
    let mut command = Setup::new().command();
    command.args(["serve", "--config", &file]);
    Daemon::spawn(command, folder, 1)
}

/// Everything that runs.
struct World {
    /// As exporter_exporter was.
    proxy: Daemon,
    /// As reverse_exporter was.
    merge: Daemon,
    prometheus: Prometheus,
    files: Folder,
    _node: Peer,
    _exporters: [Exporter; 2],
}

impl World {
    /// Starts everything; `None` where something is not installed.
    fn start() -> Option<Self> {
        let node = find("recipes", &["prometheus-node-exporter", "node_exporter"])?;
        let prometheus = find("recipes", &["prometheus"])?;
        let listening = "\"Listening on\" address=127.0.0.1:";
        let node =
            Peer::start(Command::new(node).arg("--web.listen-address=127.0.0.1:0"), listening);
        let node_url = format!("http://127.0.0.1:{}/metrics", node.port(listening));
        let blackbox = Exporter::talking(|conversation| {
            while let Some(head) = conversation.request() {
                let asked = head.split(' ').nth(1).unwrap();
                conversation.send(&ok(TEXT, &format!("probe_success{{asked=\"{asked}\"}} 1\n")));
            }
        });
        let gateway = Exporter::serving("# TYPE pushed gauge\npushed{job=\"nightly\"} 5\n");
        let files = Folder::new();
        let cron = files.write("cron.prom", "# TYPE cron_jobs gauge\ncron_jobs 3\n");
        let backup = script(&files, "backup", "echo \"backup_age_seconds{lang=\\\"$LANG\\\"} 7\"");
        let runs = files.file("runs");
        // It takes longer than a scrape may.
        let line =
            format!("echo run >> {0}; sleep 2; echo slow_runs $(wc -l < {0})", runs.display());
        let slow = script(&files, "slow", &line);
        let probe = format!("http://{}/probe", blackbox.addr);
        let proxy = serving(&made_ours(
            &recipe("exporter_exporter", "# fanin.yaml"),
            &[
                ("tcp://:9999", "tcp://127.0.0.1:0"),
                ("http://localhost:9100/metrics", &node_url),
                ("http://localhost:9115/probe", &probe),
                ("/usr/local/bin/backup-age", &backup),
                ("/var/lib/metrics/cron.prom", &cron),
            ],
        ));
        let merge = serving(&made_ours(
            &recipe("reverse_exporter", "# fanin.yaml"),
            &[
                ("tcp://0.0.0.0:9998", "tcp://127.0.0.1:0"),
                ("http://127.0.0.1:9100/metrics", &node_url),
                ("http://127.0.0.1:9091/metrics", &gateway.url()),
                ("http://127.0.0.1:9115/probe", &probe),
                ("/usr/local/bin/backup-age", &backup),
                ("/var/lib/metrics/cron.prom", &cron),
                ("/usr/local/bin/slow.sh", &slow),
                // No second run while this test lasts.
                ("every: 30s", "every: 10m"),
            ],
        ));
        // The first scrape of each is no slower than the others.
        for (daemon, path) in [(&proxy, "/proxy"), (&merge, "/metrics")] {
            assert_eq!(daemon.get(path).status, 200, "{path}");
        }
        let config = scraping(proxy.addr(), merge.addr());
        let prometheus = Prometheus::start(prometheus, free_port(), &config);
        let exporters = [blackbox, gateway];
        Some(Self { proxy, merge, prometheus, files, _node: node, _exporters: exporters })
    }

    fn value(&self, expression: &str) -> f64 {
        self.prometheus.query(expression).unwrap_or_else(|| panic!("no value: {expression}"))
    }
}

/// The configuration of Prometheus: the README's jobs and [`JOBS`].
fn scraping(proxy: &str, merge: &str) -> String {
    let head = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n";
    let old = recipe("exporter_exporter", "# prometheus.yml").replace("127.0.0.1:9999", proxy);
    let jobs = made_ours(
        &recipe("reverse_exporter", "# prometheus.yml"),
        &[("scrape_configs:\n", ""), ("127.0.0.1:9998", merge)],
    );
    let more = made_ours(JOBS, &[("PROXY", proxy), ("MERGE", merge)]);
    format!("{head}{old}{jobs}{more}")
}

#[test]
fn the_recipes_work_under_prometheus() {
    let Some(world) = World::start() else { return };
    let labels = [("exporter_name", "self"), ("route", "/metrics"), ("code", "200")];
    let served = || {
        let own = world.merge.get("/metrics").body;
        page::value(&own, "fanin_http_requests_total", &labels).unwrap_or(0.0)
    };
    let by_prometheus = || {
        let expression = "sum(count_over_time(up{job=~'board.*'}[1h]))";
        world.prometheus.query(expression).unwrap_or(0.0)
    };
    world.merge.until("scrapes", || {
        common::beat(200);
        by_prometheus() >= SCRAPES
    });

    let failed = "count(min_over_time(up[1h]) == 0) or vector(0)";
    assert_eq!(world.value(failed), 0.0, "a scrape failed: {:?}", world.prometheus.complaints());
    assert_eq!(world.value("count(up)"), 9.0, "jobs");
    assert!(world.value("min(min_over_time(scrape_samples_scraped[1h]))") > 0.0, "an empty scrape");
    for (expression, want) in SERIES {
        assert_eq!(world.value(expression), want, "{expression}");
    }
    assert!(served() >= SCRAPES, "{}", served());
    let runs = fs::read_to_string(world.files.file("runs")).unwrap();
    assert_eq!(runs.lines().count(), 1, "the slow script ran once");
    let own = world.merge.get("/metrics").body;
    let scrapes = page::value(&own, "fanin_source_scrapes_total", &[("source", "slow")]);
    assert_eq!(scrapes, Some(1.0), "{own}");
    assert_nothing_rejected(&world.prometheus);
}

/// Asserts that Prometheus took every sample, and has no complaint.
fn assert_nothing_rejected(prometheus: &Prometheus) {
    let own = common::daemon::get_at(&prometheus.addr, "/metrics", &[]).unwrap().body;
    for counter in ["duplicate_timestamp", "out_of_order", "out_of_bounds"] {
        let name = format!("prometheus_target_scrapes_sample_{counter}_total");
        assert_eq!(page::value(&own, &name, &[]), Some(0.0), "{name}");
    }
    assert_eq!(prometheus.complaints(), Vec::<String>::new());
}

/// Prometheus 3 refuses a page of a Content-Type that it does not know.
#[test]
fn every_page_of_the_recipes_is_called_what_it_is() {
    let Some(world) = World::start() else { return };
    let known = [
        "text/plain; version=0.0.4; charset=utf-8",
        "text/plain; version=1.0.0; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "application/openmetrics-text; version=0.0.1; charset=utf-8",
    ];
    let pages = [
        (&world.proxy, "/proxy"),
        (&world.proxy, "/proxy?module=node"),
        (&world.proxy, "/proxy?module=blackbox&module=icmp_example&target=192.168.1.1"),
        (&world.proxy, "/proxy?module=backup"),
        (&world.proxy, "/proxy?module=cron"),
        (&world.proxy, "/metrics"),
        (&world.merge, "/metrics"),
        (&world.merge, "/blackbox?module=http_2xx&target=x"),
    ];
    for accept in ACCEPTS {
        for (daemon, path) in pages {
            let reply = daemon.get_with(path, &[("Accept", accept)]);
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            let content_type = reply.header("content-type").unwrap_or_default();
            let base = content_type.split("; escaping=").next().unwrap_or_default();
            assert!(known.contains(&base), "{path}: {content_type:?}");
            if base.starts_with("text/plain") {
                assert_syntax(path, &reply.body);
            }
        }
    }
}
