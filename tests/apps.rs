//! Who pushed: the list as a browser, a terminal and a program get it.
#![cfg(feature = "push")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;

use yaml_serde::Value;

use common::push::{push_to, request};
use common::{Daemon, Reply, Setup, page};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const JSON: &str = "application/json";

/// A source with a TCP and a Unix address, and one that is filled over HTTP.
fn two(inside: &str) -> Setup {
    let listen = ["\"tcp://127.0.0.1:0\"", "\"unix://push.sock\""];
    Setup::new()
        .pushed("apps", &listen, inside, "")
        .source_of("hub", "{push: {ttl: never}}")
        .route("/apps", "{apps: all, receive: hub}")
        .route("/hub", "{apps: hub}")
}

/// One application from each side, and one that was refused.
fn filled() -> Daemon {
    let daemon = two("ttl: 2h").start();
    push_to(&daemon.listeners[1], b"{\"backup\": [\"x 1\", \"y 2\"]}");
    push_to(&daemon.listeners[2], b"{\"<b>&\\\"\": \"# TYPE x gauge\\nx 1\\n\"}");
    push_to(&daemon.listeners[2], b"{\"<b>&\\\"\": \"<script>\"}");
    push_to(&daemon.listeners[1], b"{\"never\": \"no page\"}");
    let put = request(daemon.addr(), "PUT", "/apps/job/home/zone/a%1Bb%22", "", b"x 1\n");
    assert_eq!(put.status, 200);
    daemon
}

fn get(daemon: &Daemon, accept: &str) -> Reply {
    let reply = daemon.get_with("/apps", &[("Accept", accept)]);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("vary"), Some("Accept"));
    reply
}

fn json(daemon: &Daemon) -> Vec<Value> {
    let document = page::json(&get(daemon, JSON));
    document.get("apps").and_then(Value::as_sequence).unwrap().clone()
}

/// The value of an application's label, or another of its texts.
fn text<'v>(one: &'v Value, key: &str) -> Option<&'v str> {
    let label = one.get("labels").and_then(|labels| labels.get(key));
    label.or_else(|| one.get(key)).and_then(Value::as_str)
}

fn number(one: &Value, key: &str) -> Option<f64> {
    one.get(key).unwrap_or_else(|| panic!("no {key} in {one:?}")).as_f64()
}

#[test]
fn a_terminal_gets_a_table() {
    let daemon = filled();
    for accept in ["*/*", "text/plain"] {
        let reply = get(&daemon, accept);
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        let lines: Vec<Vec<&str>> = reply
            .body
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect())
            .collect();
        let head = ["SOURCE", "APPLICATION", "FROM", "PUSHED", "AGE", "SAMPLES", "SIZE", "LEFT"];
        assert_eq!(lines[0], head, "{}", reply.body);
        let told: Vec<&[&str]> = lines.iter().map(|line| &line[..2.min(line.len())]).collect();
        assert_eq!(told[1], ["apps", "backup"]);
        assert_eq!(lines[1][5..], ["2", "8 B", lines[1][7]]);
        assert!(lines[1][7] == "2 h 0 min" || lines[1][7].starts_with("1 h 59"), "{}", reply.body);
        assert!(lines[1][2].starts_with("127.0.0.1:") && lines[1][3].ends_with('Z'));
        assert_eq!(told[2], ["apps", "<b>&\""]);
        assert_eq!(lines[2][2], "unix");
        assert!(lines[3][0].starts_with("refused ") && lines[3][0].contains(" ago, from unix: "));
        assert_eq!(told[4], ["apps", "never"]);
        assert_eq!(lines[4][3..7], ["never", "-", "-", "-"]);
        assert_eq!(told[6], ["hub", "job=\"home\",zone=\"a\u{fffd}b\\\"\""]);
        assert_eq!(lines[6][7], "for ever");
        assert_eq!(lines.len(), 7, "{}", reply.body);
    }
}

#[test]
fn a_browser_gets_a_page() {
    let daemon = filled();
    let reply = get(&daemon, BROWSER);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    page::assert_tidy(&reply.body);
    for piece in [
        "<title>4 applications · fanin</title>",
        "<b>2</b> refused",
        "<b>2</b> kept",
        "<th scope=row>\nbackup <small>apps</small>",
        "<th scope=row>\n&lt;b&gt;&amp;&quot; <small>apps</small>",
        "job=&quot;home&quot;,\nzone=&quot;a\u{fffd}b\\&quot;&quot; <small>hub</small>",
        "<td>unix<td>",
        "<td>never<td><td><td>",
        "<td>2<td>8 B<td>",
        "<td>for ever",
    ] {
        assert!(reply.body.contains(piece), "{piece} is not in\n{}", reply.body);
    }
    assert!(!reply.body.contains("<b>&"), "{}", reply.body);
}

#[test]
fn a_program_gets_a_document() {
    let daemon = filled();
    let apps = json(&daemon);
    let names: Vec<_> = apps.iter().map(|one| (text(one, "source"), text(one, "app"))).collect();
    let want = [
        (Some("apps"), Some("backup")),
        (Some("apps"), Some("<b>&\"")),
        (Some("apps"), Some("never")),
        (Some("hub"), None),
    ];
    assert_eq!(names, want);
    let backup = &apps[0];
    assert!(text(backup, "from").unwrap().starts_with("127.0.0.1:"));
    assert!(text(backup, "pushed").unwrap().starts_with("20"));
    assert_eq!((number(backup, "samples"), number(backup, "bytes")), (Some(2.0), Some(8.0)));
    assert!((0.0..60.0).contains(&number(backup, "age_seconds").unwrap()));
    assert!((7100.0..=7200.0).contains(&number(backup, "seconds_left").unwrap()));
    assert_eq!((number(backup, "refused_age_seconds"), text(backup, "error")), (None, None));
    let refused = &apps[1];
    assert_eq!((text(refused, "from"), number(refused, "samples")), (Some("unix"), Some(1.0)));
    assert!(text(refused, "error").unwrap().starts_with("line 1:"), "{refused:?}");
    let never = &apps[2];
    assert_eq!((number(never, "samples"), text(never, "pushed")), (None, None));
    assert!(number(never, "refused_age_seconds").is_some());
    let hub = &apps[3];
    assert_eq!((text(hub, "job"), text(hub, "zone")), (Some("home"), Some("a\u{1b}b\"")));
    assert_eq!(number(hub, "seconds_left"), None);
}

#[test]
fn what_is_accepted_again_is_no_longer_refused() {
    let daemon = filled();
    push_to(&daemon.listeners[2], b"{\"<b>&\\\"\": \"x 2\"}");
    assert_eq!(text(&json(&daemon)[1], "error"), None);
    assert_eq!(
        request(daemon.addr(), "DELETE", "/apps/job/home/zone/a%1Bb%22", "", b"").status,
        202
    );
    assert_eq!(json(&daemon).len(), 3);
}

#[test]
fn a_list_has_the_sources_that_it_names() {
    let daemon = filled();
    let reply = daemon.get_with("/hub", &[("Accept", JSON)]);
    let document = page::json(&reply);
    assert_eq!(document.get("apps").and_then(Value::as_sequence).unwrap().len(), 1);
    assert_eq!(request(daemon.addr(), "POST", "/hub", "", b"").status, 405);
}

#[test]
fn nobody_is_a_list_too() {
    let daemon = two("").start();
    assert_eq!(get(&daemon, "*/*").body, "no application has brought a page yet\n");
    assert!(get(&daemon, BROWSER).body.contains("None has brought a page yet."));
    assert_eq!(json(&daemon).len(), 0);
}

/// Four thousand applications with the longest names there may be, each of which is escaped.
#[test]
fn a_long_list_is_whole_in_every_form() {
    let daemon = two("apps: 4096").limit("memory: 256MiB").start();
    let mut all = String::from("{");
    for n in 0..4000 {
        write!(all, "\"{n:04}{}\": \"x {n}\",", "<\\\"'".repeat(84)).unwrap();
    }
    all.push_str("\"last\": \"x 1\"}");
    push_to(&daemon.listeners[1], all.as_bytes());
    assert_eq!(json(&daemon).len(), 4001);
    assert_eq!(get(&daemon, "*/*").body.lines().count(), 4002);
    let page = get(&daemon, BROWSER).body;
    page::assert_tidy(&page);
    assert_eq!(page.matches("<tr class=up>").count(), 4001);
}

/// As long as a group can be: nothing of it makes a line that is longer than a block.
#[test]
fn the_longest_group_is_listed() {
    let daemon = two("").start();
    let mut path = String::from("/apps/job/a");
    for n in 0..10 {
        write!(path, "/l{n}/{}", "%1B".repeat(250)).unwrap();
    }
    assert_eq!(request(daemon.addr(), "PUT", &path, "", b"x 1\n").status, 200);
    assert_eq!(json(&daemon).len(), 1);
    assert_eq!(get(&daemon, "*/*").body.lines().count(), 2);
    page::assert_tidy(&get(&daemon, BROWSER).body);
}
