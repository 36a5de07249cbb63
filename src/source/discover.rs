//! Which exporters answer on this machine: what `fanin serve` merges without a configuration.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Engine, Params, Source, State};
use crate::config;
use crate::limits::{DEFAULT_BODY, DEFAULT_FAMILIES};
use crate::memory::Want;

/// Time for each to answer, all at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ports of loopback on which exporters are usually found, by Prometheus' list of default ports,
/// and what the source is called. All are asked for `/metrics`.
const WELL_KNOWN: [(u16, &str); 36] = [
    (9100, "node"),
    (9090, "prometheus"),
    (9091, "pushgateway"),
    (9093, "alertmanager"),
    (9101, "haproxy"),
    (9102, "statsd"),
    (9103, "collectd"),
    (9104, "mysqld"),
    (9105, "mesos"),
    (9106, "cloudwatch"),
    (9107, "consul"),
    (9108, "graphite"),
    (9113, "nginx"),
    (9115, "blackbox"),
    (9116, "snmp"),
    (9117, "apache"),
    (9119, "bind"),
    (9121, "redis"),
    (9150, "memcached"),
    (9153, "coredns"),
    (9182, "windows"),
    (9187, "postgres"),
    (9201, "mosquitto"),
    (9256, "process"),
    (9273, "telegraf"),
    (9290, "ipmi"),
    (9323, "docker"),
    (9558, "systemd"),
    (9586, "wireguard"),
    (9617, "pihole"),
    (9633, "smartctl"),
    (9639, "speedtest"),
    (9998, "reverse_exporter"),
    (9999, "exporter_exporter"),
    (8080, "cadvisor"),
    (8428, "victoriametrics"),
];

/// The exporters that answer on loopback with a page that can be read, in the order of their names'
/// list.
pub async fn discover(engine: &Rc<Engine>) -> Vec<config::Found> {
    let deadline = Instant::now().checked_add(PATIENCE).unwrap_or_else(Instant::now);
    let ask = |(port, name): (u16, &str)| {
        let found = config::Found {
            name: name.to_owned(),
            url: format!("http://127.0.0.1:{port}/metrics"),
        };
        let engine = Rc::clone(engine);
        async move {
            let answers = answers(&engine, &found, deadline).await;
            answers.then_some(found)
        }
    };
    let tasks = WELL_KNOWN.map(|known| engine.executor.spawn(ask(known)));
    let mut found = Vec::new();
    for task in tasks {
        found.extend(task.await);
    }
    found
}

async fn answers(engine: &Rc<Engine>, found: &config::Found, deadline: Instant) -> bool {
    let plan = config::Source::found(found, DEFAULT_BODY);
    let Ok(source) = Source::new(&plan, DEFAULT_FAMILIES, Rc::new(State::default())) else {
        return false;
    };
    let admission = engine.pool.admit(Want { blocks: 0, guessed: false }).await;
    let page = source.ask(engine, &admission.budget, (&Params::default(), deadline)).await;
    page.is_ok_and(|page| page.samples() > 0)
}
