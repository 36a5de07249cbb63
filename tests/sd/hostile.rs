//! Senders that mean ill, or are many.

use std::fmt::Write as _;

use super::common::push::request;
use super::common::{Connection, Daemon, Exporter};
use super::list::List;
use super::{GOOD, hub, put};

/// Pushes to these paths over one connection.
fn push_all(daemon: &Daemon, paths: impl Iterator<Item = String>) {
    let mut connection = Connection::open(daemon.addr());
    for path in paths {
        let length = GOOD.len();
        let head = format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        connection.send(format!("{head}{GOOD}").as_bytes());
        let reply = connection.reply();
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    }
}

#[test]
fn no_two_targets_have_equal_labels() {
    let node = Exporter::serving(GOOD);
    let daemon = hub("")
        .source("node", &node)
        .source_of("hub2", "{push: {}, labels: {site: home}}")
        .source_of("hub3", "{push: {}, labels: {site: away}}")
        .route("/two", "{receive: hub2, relay: hub2}")
        .route("/three", "{receive: hub3, relay: hub3}")
        .route("/proxy", "{proxy: node}")
        .start();
    for path in ["/metrics/home/pi", "/two/home/pi", "/three/home/pi"] {
        put(&daemon, path, "");
    }
    // Who passes for a target of the configuration, and who says to be elsewhere.
    put(&daemon, "/metrics/job/node/instance/fanin:80", "");
    put(&daemon, "/metrics/job/node/instance/fanin:80/site@base64/=", "");
    put(&daemon, "/metrics/job/node/site@base64/=", "");
    put(&daemon, "/metrics/job/node/site@base64/=/instance@base64/=", "");
    put(&daemon, "/metrics/job/x/site/away", "");

    let list = List::read(&daemon.get("/sd").body);

    let mut all: Vec<Vec<(String, String)>> = Vec::new();
    for target in &list.targets {
        let mut labels = target.labels().to_vec();
        labels.retain(|(name, value)| !name.starts_with("__") && !value.is_empty());
        // As Prometheus does.
        if labels.iter().all(|(name, _)| name != "instance") {
            labels.push(("instance".to_owned(), target.address.clone()));
        }
        labels.sort();
        assert!(!all.contains(&labels), "{labels:?} twice");
        all.push(labels);
    }
    let urls: Vec<String> = list.targets.iter().map(super::list::Target::url).collect();
    assert_eq!(urls[0], "/proxy?module=node", "the configuration's own goes before");
    assert_eq!(urls.iter().filter(|url| url.contains("/node")).count(), 1, "{urls:?}");
    assert!(urls.contains(&"/three/home/pi".to_owned()), "{urls:?}");
    let homes = urls.iter().filter(|url| *url == "/metrics/home/pi" || *url == "/two/home/pi");
    assert_eq!(homes.count(), 1, "{urls:?}");
}

#[test]
fn labels_that_lead_elsewhere_cannot_be_pushed() {
    let daemon = hub("").start();
    for name in ["__address__", "__scheme__", "__param_target", "__metrics_path__", "le"] {
        let path = format!("/metrics/job/a/{name}/b");
        let reply = request(daemon.addr(), "PUT", &path, "", GOOD.as_bytes());
        assert_eq!(reply.status, 400, "{name}: {}", reply.body);
    }
    assert_eq!(daemon.get("/sd").body, "[]\n");
}

/// Four thousand groups: the list is whole, and costs the memory that it is promised.
#[test]
fn thousands_of_groups_are_one_list() {
    const GROUPS: usize = 4000;
    let daemon = hub("apps: 4096").limit("memory: 128MiB").limit("kept: 100MiB").start();
    push_all(&daemon, (0..GROUPS).map(|number| format!("/metrics/site{number}/pi")));
    let idle = daemon.status("VmRSS");

    for _ in 0..5 {
        let reply = daemon.get("/sd");
        assert_eq!(reply.status, 200, "{}", reply.body);
        let list = List::read(&reply.body);
        assert_eq!(list.targets.len(), GROUPS);
        assert_eq!(list.targets[GROUPS - 1].label("job"), Some("site3999"));
    }

    let more = daemon.status("VmHWM").saturating_sub(idle);
    assert!(more < 12 * 1024, "{more} KiB more than {idle}");
}

/// Where there is no room for the list there is none: half of one would have Prometheus drop the rest.
#[test]
fn there_is_no_half_list() {
    let daemon = hub("apps: 4096").limit("memory: 2MiB").limit("kept: 1MiB").start();
    let long = |number: usize| {
        let mut path = format!("/metrics/job/j{number}");
        for label in 0..15 {
            let value = format!("{:x<250}", format!("{number}%22%5C"));
            write!(path, "/l{label}/{value}").unwrap();
        }
        path
    };
    let mut pushed = 0;
    for number in 0..300 {
        let reply = request(daemon.addr(), "PUT", &long(number), "", GOOD.as_bytes());
        if reply.status != 200 {
            break;
        }
        pushed += 1;
        let reply = daemon.get("/sd");
        match reply.status {
            200 => assert_eq!(List::read(&reply.body).targets.len(), pushed),
            status => {
                assert_eq!(status, 503, "{}", reply.body);
                assert!(reply.header("retry-after").is_some());
            }
        }
    }
    assert!(pushed > 20, "{pushed}");
}
