//! Pipes and a configuration that changes.

use super::common::{Exporter, Gate, Hub, Setup};
use super::{GOOD, counting, numbers};

fn setup(node: &Exporter, hub: &Hub, keys: &str) -> Setup {
    let to = hub.url("/m/a/b");
    Setup::new().source("node", node).pipe(&format!("from: node, to: \"{to}\", {keys}"))
}

#[test]
fn a_new_token_is_used_from_the_next_page_on() {
    let (node, hub) = (counting(), Hub::taking());
    let keys = "every: 100ms, token_file: token";
    let first = setup(&node, &hub, keys);
    first.folder().write("token", "one");
    let daemon = first.start();
    hub.wait_for(1);
    daemon.folder().write("token", "two");

    daemon.reload();

    assert!(daemon.log_contains("configuration reloaded"));
    let count = hub.wait_for(0).len();
    let brought = hub.wait_for(count + 2);
    assert_eq!(brought.last().unwrap().field("authorization").as_deref(), Some("Bearer two"));
    let numbers = numbers(&brought);
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "{numbers:?}");
}

#[test]
fn what_is_being_sent_is_sent_whole() {
    let gate = Gate::new();
    let held = gate.clone();
    let hub = Hub::answering(move |number| {
        if number == 1 {
            held.wait();
        }
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let node = counting();
    let daemon = setup(&node, &hub, "every: 10s").start();
    hub.wait_for(1);
    daemon.reload();
    assert!(daemon.log_contains("configuration reloaded"));

    gate.open();

    assert!(daemon.log_contains("the first page was taken"), "{}", daemon.log.text());
    let pipe = [("pipe", &*hub.url("/m/a/b"))];
    daemon.until("the page is counted", || daemon.own("fanin_pipe_up", &pipe) == Some(1.0));
}

#[test]
fn a_pipe_that_is_gone_sends_no_more_and_a_new_one_does() {
    let node = Exporter::serving(GOOD);
    let (old, new) = (Hub::taking(), Hub::taking());
    let daemon = setup(&node, &old, "every: 100ms").start();
    old.wait_for(1);
    daemon.rewrite(&setup(&node, &new, "every: 100ms"));

    daemon.reload();

    new.wait_for(3);
    let count = old.wait_for(0).len();
    new.wait_for(6);
    assert!(old.wait_for(0).len() <= count + 1);
    assert_eq!(daemon.own("fanin_pipe_up", &[("pipe", &*old.url("/m/a/b"))]), None);
}
