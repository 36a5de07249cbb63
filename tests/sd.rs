//! Service discovery: what Prometheus is told to scrape, and that it can be scraped so.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

mod common;

#[path = "sd/hostile.rs"]
mod hostile;
#[path = "sd/list.rs"]
mod list;

use common::peers::{Prometheus, find, free_port};
use common::push::request;
use common::{Daemon, Exporter, Setup};
use list::List;

const GOOD: &str = "# TYPE temperature gauge\ntemperature 21\n";

/// Two push sources, a proxy and a merge, and all of them on a list.
fn hub(keys: &str) -> Setup {
    Setup::new()
        .source_of("hub", &format!("{{push: {{{keys}}}, labels: {{site: home}}}}"))
        .route("/metrics", "{receive: hub, relay: hub}")
        .route("/sd", "{sd: all}")
}

fn put(daemon: &Daemon, path: &str, fields: &str) {
    let reply = request(daemon.addr(), "PUT", path, fields, GOOD.as_bytes());
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
}

#[test]
fn groups_are_listed_and_can_be_scraped_as_they_are_listed() {
    let daemon = hub("").start();
    assert_eq!(daemon.get("/sd").body, "[]\n");
    let groups: [(&str, &[(&str, &str)]); 6] = [
        ("/home/pi", &[("job", "home"), ("instance", "pi")]),
        ("/job/cron", &[("job", "cron")]),
        ("/job/cron/zone/a%20b", &[("job", "cron"), ("zone", "a b")]),
        ("/home/a%2Fb", &[("job", "home"), ("instance", "a/b")]),
        ("/h%C3%B6me/%22q%22%5C%3F%23%25", &[("job", "h\u{f6}me"), ("instance", "\"q\"\\?#%")]),
        ("/job/job/instance/%0A", &[("job", "job"), ("instance", "\n")]),
    ];
    for (path, _) in groups {
        put(&daemon, &format!("/metrics{path}"), "");
    }

    let reply = daemon.get_with("/sd", &[("X-Prometheus-Refresh-Interval-Seconds", "60")]);

    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let list = List::read(&reply.body);
    assert_eq!(list.targets.len(), groups.len(), "{}", reply.body);
    for ((path, labels), target) in groups.iter().zip(&list.targets) {
        assert_eq!(target.address, "fanin:80", "the Host of the request, and http's port");
        assert_eq!(target.label("__scheme__"), Some("http"), "{path}");
        assert_eq!(target.label("site"), Some("home"), "{path}: the source's own labels");
        assert_eq!(target.label("__meta_fanin_source"), Some("hub"), "{path}");
        assert_eq!(target.label("__meta_fanin_outlet"), Some("relay"), "{path}");
        for (name, value) in *labels {
            assert_eq!(target.label(name), Some(*value), "{path}");
        }
        let scraped = daemon.get(&target.url());
        assert_eq!((scraped.status, &*scraped.body), (200, GOOD), "{path}: {}", target.url());
    }
}

#[test]
fn a_group_that_fell_silent_is_listed_for_a_while() {
    let daemon = hub("")
        .route("/sd/short", "{sd: {sd_keep: 0s}}")
        .route("/sd/second", "{sd: {sd_keep: 1s}}")
        .start();
    let jobs = |path: &str| List::read(&daemon.get(path).body).labels("job");
    put(&daemon, "/metrics/silent/a", "Fanin-TTL: 1s\r\n");
    put(&daemon, "/metrics/lively/a", "");
    put(&daemon, "/metrics/deleted/a", "");
    assert_eq!(jobs("/sd/short"), ["silent", "lively", "deleted"]);
    let gone = request(daemon.addr(), "DELETE", "/metrics/deleted/a", "", b"");
    assert_eq!(gone.status, 202);

    daemon.until("its page is too old", || daemon.get("/metrics/silent/a").status == 404);

    assert_eq!(jobs("/sd/short"), ["lively"]);
    assert_eq!(jobs("/sd"), ["lively", "silent"], "what was deleted is not listed");
    daemon.reload();
    assert!(daemon.log_contains("configuration reloaded"));
    assert_eq!(jobs("/sd"), ["lively", "silent"], "a reload forgets nothing");
    daemon.until("a second is over", || jobs("/sd/second") == ["lively"]);
    assert_eq!(jobs("/sd"), ["lively", "silent"]);
    put(&daemon, "/metrics/silent/a", "");
    assert_eq!(jobs("/sd"), ["lively", "silent"], "once");
    assert_eq!(jobs("/sd/second"), ["lively", "silent"]);
}

#[test]
fn names_that_fell_silent_are_no_more_than_groups_may_be() {
    let daemon = hub("apps: 4").start();
    let jobs = || List::read(&daemon.get("/sd").body).labels("job");
    for job in ["a", "b", "c", "d"] {
        put(&daemon, &format!("/metrics/{job}/i"), "Fanin-TTL: 1s\r\n");
    }
    daemon.until("all are too old", || {
        ["a", "b", "c", "d"]
            .iter()
            .all(|job| daemon.get(&format!("/metrics/{job}/i")).status == 404)
    });
    assert_eq!(jobs(), ["a", "b", "c", "d"]);
    for job in ["e", "f"] {
        put(&daemon, &format!("/metrics/{job}/i"), "");
    }
    let left = jobs();
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(left[..2], ["e", "f"]);
}

#[test]
fn what_the_configuration_has_is_listed_once() {
    let (node, other) = (Exporter::serving(GOOD), Exporter::serving(GOOD));
    let mut setup = hub("")
        .source_with("node", &node, "labels: {rack: \"7\"}")
        .source("other", &other)
        .route("/proxy", "{proxy: [self, all]}")
        .route("/again", "{proxy: all}")
        .route("/merged", "{merge: [node, other]}")
        .route("/sd/one", "{sd: [/merged, /again]}")
        .route("/sd/merged", "{sd: {only: /merged}}");
    let mut want = vec!["node:node", "other:other", "self:self"];
    if cfg!(feature = "klipper") {
        setup = setup
            .source_of("voron", "{klipper: {target: \"127.0.0.1:1\"}}")
            .route("/probe", "{probe: {}}");
        want.insert(0, "voron:klipper");
    }
    let daemon = setup.start();

    let list = List::read(&daemon.get("/sd").body);
    let got: Vec<String> = list
        .targets
        .iter()
        .map(|it| {
            let name = it.label("__param_module").or(it.label("__param_target")).unwrap();
            format!("{name}:{}", it.label("job").unwrap())
        })
        .collect();
    assert_eq!(got, want, "hub leaves by its relay, the printer by the probe");
    for target in &list.targets {
        let is_printer = target.label("job") == Some("klipper");
        let want = if is_printer { "voron" } else { "fanin:80" };
        assert_eq!(target.label("instance"), Some(want));
        assert_eq!(daemon.get(&target.url()).status, 200, "{}", target.url());
    }
    let node = list.targets.iter().find(|it| it.label("job") == Some("node")).unwrap();
    assert_eq!(node.label("rack"), Some("7"));
    assert_eq!(node.label("__meta_fanin_kind"), Some("http"));

    let list = List::read(&daemon.get("/sd/one").body);
    let merged = list.targets.last().unwrap();
    assert_eq!(merged.url(), "/merged");
    assert_eq!((merged.label("job"), merged.label("instance")), (None, Some("fanin:80/merged")));
    assert!(list.targets.len() > 3, "hub, node and other by their proxy");
    assert_eq!(List::read(&daemon.get("/sd/merged").body).targets.len(), 1);
}

#[test]
fn the_address_is_the_one_asked_at_unless_one_is_advertised() {
    let node = Exporter::serving(GOOD);
    let cases = [
        ("", "hub.lan:9090", Some(("http", "hub.lan:9090"))),
        ("", "hub.lan", Some(("http", "hub.lan:80"))),
        ("", "hub.lan:", Some(("http", "hub.lan:80"))),
        ("", "[::1]", Some(("http", "[::1]:80"))),
        ("", "[::1]:9090", Some(("http", "[::1]:9090"))),
        ("", "", None),
        ("", "a%2Fb", None),
        ("", "a'\"b", None),
        ("", "$(x)", None),
        ("advertise: \"hub:1\"", "a%2Fb", Some(("http", "hub:1"))),
        ("advertise: \"https://hub\"", "a", Some(("https", "hub:443"))),
        ("advertise: \"http://[::1]:9/\"", "a", Some(("http", "[::1]:9"))),
    ];
    for (keys, host, want) in cases {
        let mut setup = Setup::new()
            .source("node", &node)
            .route("/proxy", "{proxy: node}")
            .route("/sd", "{sd: all}");
        if !keys.is_empty() {
            setup = setup.server_key(keys);
        }
        let daemon = setup.start();
        let reply = daemon.request(format!("GET /sd HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        match want {
            None => assert_eq!(reply.status, 400, "{host}: {}", reply.body),
            Some((scheme, address)) => {
                let list = List::read(&reply.body);
                let target = &list.targets[0];
                let got = (target.label("__scheme__").unwrap(), &*target.address);
                assert_eq!(got, (scheme, address), "{keys} {host}");
            }
        }
    }
    let daemon = hub("").start();
    assert_eq!(daemon.request(b"GET /sd HTTP/1.0\r\n\r\n").status, 400);
    let absolute = b"GET http://whole.url:7/sd HTTP/1.1\r\nHost: other\r\n\r\n";
    put(&daemon, "/metrics/a/b", "");
    assert_eq!(List::read(&daemon.request(absolute).body).targets[0].address, "whole.url:7");
    assert_eq!(daemon.request(b"POST /sd HTTP/1.1\r\nHost: a\r\n\r\n").status, 405);
    let mut connection = daemon.connect();
    connection.send(b"HEAD /sd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(connection.reply_to_head().status, 200);
}

#[test]
fn logins_and_networks_count_for_the_list_too() {
    let daemon = hub("").server_key("auth: {bearer_token: s3cret}").start();
    assert_eq!(daemon.get("/sd").status, 401);
    assert_eq!(daemon.get_with("/sd", &[("Authorization", "Bearer s3cret")]).status, 200);
    let daemon = hub("").server_key("allow: 10.9.8.7").start();
    assert_eq!(daemon.get("/sd").status, 403);
}

#[test]
fn the_page_of_the_program_tells_of_the_list() {
    let daemon = hub("").start();
    assert!(daemon.get("/").body.contains("/sd"), "{}", daemon.get("/").body);
    let json = daemon.get_with("/", &[("Accept", "application/json")]).body;
    assert!(json.contains("{\"path\":\"/sd\",\"outlet\":\"sd\""), "{json}");
}

#[cfg(feature = "tls")]
#[test]
fn a_server_that_speaks_tls_says_so() {
    use std::io::{Read as _, Write as _};
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/tls");
    let tls = format!("tls: {{cert: {keys}/cert.pem, key: {keys}/key.pem}}");
    let cases = [("", ("https", "hub:443")), ("advertise: \"http://hub\"", ("http", "hub:80"))];
    for (key, (scheme, address)) in cases {
        let node = Exporter::serving(GOOD);
        let setup = Setup::new().source("node", &node).server_key(&tls).server_key(key);
        let daemon = setup.route("/proxy", "{proxy: node}").route("/sd", "{sd: all}").start();
        let stream = std::net::TcpStream::connect(daemon.addr()).unwrap();
        let mut client = common::tls::client(stream);
        client.write_all(b"GET /sd HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        let list = List::read(reply.split_once("\r\n\r\n").unwrap().1);
        let target = &list.targets[0];
        let got = (target.label("__scheme__").unwrap(), &*target.address);
        assert_eq!(got, (scheme, address), "{key}");
    }
}

/// Prometheus itself makes addresses of what it is told.
#[test]
fn a_real_prometheus_scrapes_all_that_is_listed() {
    let Some(program) = find("groups with any name", &["prometheus"]) else { return };
    let node = Exporter::serving(GOOD);
    let daemon = hub("")
        .source("node", &node)
        .route("/proxy", "{proxy: [self, node]}")
        .route("/all%20of%20it", "{merge: node}")
        .route("/sd/more", "{sd: [/metrics, /proxy, /all%20of%20it]}")
        .start();
    let groups = [
        "/home/pi",
        "/home/a%2Fb",
        "/home/%22%5C%3F%23%25%26%2B%3B%3D%3A%40%24%2C%7E%27",
        "/h%C3%B6me/%F0%9F%98%80",
        "/home/%0A%09%7F",
        "/%2E/%2E%2E",
        "/job/job/instance/x",
        "/job/cron",
        "/job/cron/zone/%20",
        "/job@base64/Li4/zone@base64/",
    ];
    let put = |path: &&str| {
        let path = format!("/metrics{path}");
        request(daemon.addr(), "PUT", &path, "", GOOD.as_bytes()).status == 200
    };
    let taken = groups.iter().filter(|path| put(path)).count();
    assert!(taken >= 8, "{taken}");
    let addr = daemon.addr();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs:\n\
         - job_name: fanin\n\
         \x20 http_sd_configs: [{{url: \"http://{addr}/sd/more\", refresh_interval: 1s}}]\n"
    );
    let prometheus = Prometheus::start(program, free_port(), &config);

    let all = taken as f64 + 3.0;
    daemon.until("all targets are up", || prometheus.query("count(up == 1)") == Some(all));

    assert_eq!(prometheus.query("count(up)"), Some(all), "{}", daemon.get("/sd/more").body);
    assert_eq!(prometheus.query("temperature{job='home',instance='a/b',site='home'}"), Some(21.0));
    let merged = format!("temperature{{job='fanin',instance='{addr}/all of it'}}");
    assert_eq!(prometheus.query(&merged), Some(21.0));
    assert_eq!(prometheus.query(&format!("up{{job='self',instance='{addr}'}}")), Some(1.0));
    assert_eq!(prometheus.complaints(), Vec::<String>::new());
}
