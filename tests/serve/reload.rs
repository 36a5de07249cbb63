//! Reload: all or nothing, and nothing that need not close is closed.

use crate::common::{Daemon, Exporter, Gate, Reply, Setup, page};

const GOOD: &str = "# TYPE up gauge\nup 1\n";

fn post_reload(daemon: &Daemon, fields: &str) -> Reply {
    let head = format!(
        "POST /-/reload HTTP/1.1\r\nHost: fanin\r\nContent-Length: 0\r\nConnection: close\r\n{fields}\r\n"
    );
    daemon.request(head.as_bytes())
}

#[test]
fn sighup_takes_up_the_new_file_and_keeps_connections() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    let mut kept = daemon.connect();
    kept.ask("/merged");
    assert_eq!(kept.reply().status, 200);
    daemon.rewrite(&Setup::merging(&[&a]).route("/new", "{merge: [a]}"));

    daemon.reload();

    daemon.until("the new route", || daemon.get("/new").status == 200);
    kept.ask("/new");
    assert_eq!(kept.reply().status, 200, "a kept connection sees the new configuration");
    assert_eq!(daemon.log.lines_with("listening on").len(), 1, "the listener was never closed");
}

#[test]
fn post_has_reloaded_when_it_answers() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    assert_eq!(daemon.get("/merged").status, 200);
    daemon.rewrite(&Setup::merging(&[&a]).route("/new", "{merge: [a]}"));

    let reply = post_reload(&daemon, "");

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(daemon.get("/new").status, 200);
    assert_eq!(a.connections(), 1, "the source's connection lives on");
    assert_eq!(daemon.own("fanin_config_last_reload_successful", &[]), Some(1.0));
}

#[test]
fn a_bad_file_is_refused_whole_and_the_old_one_serves_on() {
    let a = Exporter::serving(GOOD);
    let daemon = Setup::merging(&[&a]).start();
    let bad =
        Setup::merging(&[&a]).route("/new", "{merge: [a]}").route("/bad", "{merge: [nobody]}");
    daemon.rewrite(&bad);

    let reply = post_reload(&daemon, "");

    assert!(matches!(reply.status, 400 | 500), "{}: {}", reply.status, reply.body);
    assert!(reply.body.contains("nobody"), "{}", reply.body);
    let folder = daemon.folder().path().to_str().unwrap();
    assert!(!reply.body.contains(folder), "no path of ours to a client: {}", reply.body);
    assert!(daemon.log_contains("nobody"), "{}", daemon.log.text());
    assert_eq!(daemon.get("/new").status, 404);
    assert_eq!(daemon.get("/merged").status, 200);
    assert_eq!(daemon.own("fanin_config_last_reload_successful", &[]), Some(0.0));

    daemon.rewrite(&Setup::merging(&[&a]).route("/new", "{merge: [a]}"));
    assert_eq!(post_reload(&daemon, "").status, 200);
    assert_eq!(daemon.get("/new").status, 200);
    assert_eq!(daemon.own("fanin_config_last_reload_successful", &[]), Some(1.0));
}

/// A page in the browser of somebody on this machine must not reload anything.
#[test]
fn a_request_with_an_origin_is_refused() {
    let daemon = Setup::new().start();
    for origin in ["http://evil.example", "null", "http://127.0.0.1:10555"] {
        let reply = post_reload(&daemon, &format!("Origin: {origin}\r\n"));
        assert_eq!(reply.status, 403, "{origin}: {}", reply.body);
    }
    assert_eq!(post_reload(&daemon, "").status, 200);
}

/// All new listeners are bound before anything is swapped, so one that cannot be leaves all as is.
#[test]
fn an_address_that_cannot_be_bound_changes_nothing() {
    let (a, taken) = (Exporter::serving(GOOD), Exporter::serving(GOOD));
    let daemon = Setup::merging(&[&a]).start();
    let address = format!("tcp://{}", taken.addr);
    daemon.rewrite(&Setup::merging(&[&a]).route("/new", "{merge: [a]}").listen(&address));

    let reply = post_reload(&daemon, "");

    assert!(matches!(reply.status, 400 | 500), "{}: {}", reply.status, reply.body);
    assert_eq!(daemon.get("/new").status, 404);
    assert_eq!(daemon.get("/merged").status, 200);
}

#[test]
fn listeners_come_and_go() {
    let daemon = Setup::new().start();
    let path = daemon.folder().file("extra.sock");
    let listen = format!("unix://{}", path.display());
    daemon.rewrite(&Setup::new().listen(&listen));
    assert_eq!(post_reload(&daemon, "").status, 200);
    let reply = crate::common::daemon::get_at(&listen, "/-/healthy", &[]).unwrap();
    assert_eq!(reply.status, 200);
    assert!(daemon.log.wait_for("listening on unix://", 1).is_some());

    daemon.rewrite(&Setup::new());
    assert_eq!(post_reload(&daemon, "").status, 200);
    assert!(!path.exists(), "the socket file goes with its listener");
    assert_eq!(daemon.get("/-/healthy").status, 200);
}

/// A request lives with the configuration it began under.
#[test]
fn a_scrape_under_way_ends_as_it_began() {
    let gate = Gate::new();
    let slow = Exporter::behind(&gate, GOOD);
    let daemon = Setup::merging(&[&slow]).start();
    let mut busy = daemon.connect();
    busy.ask("/merged");
    slow.wait_for_requests(1);
    daemon.rewrite(&Setup::new());
    assert_eq!(post_reload(&daemon, "").status, 200);
    assert_eq!(daemon.get("/merged").status, 404);
    gate.open();
    let reply = busy.reply();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(page::count(&reply.body), 1);
}

/// Sources are matched by name and kind: counters live on.
#[test]
fn counters_live_on() {
    let bad = Exporter::closing("");
    let daemon = Setup::merging(&[&bad]).start();
    assert_eq!(daemon.get("/merged").status, 503);
    assert_eq!(post_reload(&daemon, "").status, 200);
    assert_eq!(daemon.get("/merged").status, 503);
    let failures = [("source", "a"), ("reason", "closed")];
    assert_eq!(daemon.own("fanin_source_failures_total", &failures), Some(2.0));
}

#[test]
fn a_changed_memory_limit_waits_for_a_restart_and_says_so() {
    let daemon = Setup::new().limit("memory: 16MiB").start();
    daemon.rewrite(&Setup::new().limit("memory: 32MiB"));
    assert_eq!(post_reload(&daemon, "").status, 200);
    let lines = daemon.log.wait_for("memory", 1);
    assert!(lines.is_some_and(|lines| lines[0].contains("restart")), "{}", daemon.log.text());
}
