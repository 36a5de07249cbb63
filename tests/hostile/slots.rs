//! More peers than there is room for: connection slots and file descriptors.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::common::exporter::{TEXT, ok};
use super::common::wire::Seen;
use super::common::{Connection, Exporter, Gate, Setup, beat};
use super::{GOOD, assert_ordinary_scrape};

#[test]
fn the_longest_idle_connection_makes_room_for_a_newcomer() {
    let good = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source("good", &good)
        .route("/side", "{merge: [good]}")
        .limit("connections: 4")
        .start();
    let mut kept: Vec<Connection> = Vec::new();
    for _ in 0..4 {
        let mut client = daemon.connect();
        client.ask("/-/healthy");
        assert_eq!(client.reply().status, 200);
        kept.push(client);
    }
    // The first has been used since, so the second has been idle for longest.
    kept[0].ask("/-/healthy");
    assert_eq!(kept[0].reply().status, 200);

    assert_ordinary_scrape("no free slot", &daemon);

    assert!(kept[1].ended(), "the longest idle");
    for number in [0, 2, 3] {
        kept[number].ask("/-/healthy");
        assert_eq!(kept[number].reply().status, 200, "client {number}");
    }
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    let good = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source("good", &good)
        .route("/side", "{merge: [good]}")
        .limit("connections: 4")
        .limit("header_timeout: 300ms")
        .start();
    let mut crowd: Vec<Connection> = Vec::new();
    for number in 0..60 {
        let mut client = daemon.connect();
        if number % 2 == 0 {
            // May have been closed already for another newcomer.
            let _ = client.try_send(b"GET /si");
        }
        crowd.push(client);
        if number % 10 == 9 {
            assert_ordinary_scrape("a silent crowd", &daemon);
        }
    }
    assert_ordinary_scrape("a silent crowd", &daemon);
}

#[test]
fn when_all_slots_are_busy_a_newcomer_waits() {
    let gate = Gate::new();
    let theirs = gate.clone();
    let first = AtomicBool::new(true);
    let slow = Exporter::talking(move |conversation| {
        while conversation.request().is_some() {
            if !first.swap(false, Ordering::SeqCst) {
                theirs.wait();
            }
            conversation.send(&ok(TEXT, GOOD));
        }
    });
    let daemon = Setup::merging(&[&slow]).limit("connections: 2").start();
    // Once its size is known, two scrapes of it are under way at once.
    assert_eq!(daemon.get("/merged").status, 200);
    let mut busy: Vec<Connection> = (0..2).map(|_| daemon.connect()).collect();
    for (number, client) in busy.iter_mut().enumerate() {
        client.ask(&format!("/merged?number={number}"));
    }
    slow.wait_for_requests(3);
    let mut late = daemon.connect();
    late.ask("/-/healthy");
    assert_eq!(late.look(Duration::from_millis(300)), Seen::Nothing, "no slot for it");
    gate.open();
    for client in &mut busy {
        assert_eq!(client.reply().status, 200);
    }
    assert_eq!(late.reply().status, 200, "once a slot is free");
}

#[test]
fn running_out_of_file_descriptors_pauses_and_recovers() {
    let good = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source("good", &good)
        .route("/side", "{merge: [good]}")
        .limit("connections: 64")
        .descriptors(24)
        .start();
    assert_ordinary_scrape("before", &daemon);
    let mut kept = daemon.connect();
    kept.ask("/-/healthy");
    assert_eq!(kept.reply().status, 200);
    // All are taken by the kernel; not all can be accepted.
    let crowd: Vec<Connection> = (0..40).map(|_| daemon.connect()).collect();
    assert!(daemon.log.wait_for("accept", 1).is_some(), "says so:\n{}", daemon.log.text());

    let (ticks, lines) = (daemon.ticks(), daemon.log.lines_with("").len());
    for _ in 0..20 {
        kept.ask("/side");
        // Its own connection to the exporter is kept since the first scrape.
        assert_eq!(kept.reply().status, 200, "an open connection is still served");
        beat(100);
    }
    let spent = daemon.ticks() - ticks;
    assert!(spent < 60, "{spent} of 200 ticks: it spins");
    let said = daemon.log.lines_with("").len() - lines;
    assert!(said < 5, "{said} lines in two seconds:\n{}", daemon.log.text());

    drop(crowd);
    assert_ordinary_scrape("after", &daemon);
}
