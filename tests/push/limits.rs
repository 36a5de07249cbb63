//! How much may be pushed, and what becomes of those who want more.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;

use super::common::{big_page, page};
use super::{door, one, push, refused, value, with};

/// A document of one application whose page is `text`.
fn document(app: &str, text: &str) -> Vec<u8> {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{\"{app}\": \"{text}\"}}").into_bytes()
}

#[test]
fn there_are_no_more_applications_than_there_may_be() {
    let daemon = with("apps: 3").start();
    // One that never sent a good page gives way.
    push(&daemon, b"{\"bad\": \"no page\"}");
    push(
        &daemon,
        b"{\"a\": \"x 1\", \"b\": \"x 2\", \"c\": \"x 3\", \"d\": \"x 4\", \"a\": \"x 5\"}",
    );
    assert_eq!(refused(&daemon, "too_many"), 1.0);
    assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(5.0));
    assert_eq!(value(&daemon, "x", &[("app", "c")]), Some(3.0));
    assert_eq!(value(&daemon, "x", &[("app", "d")]), None);
}

#[test]
fn ten_thousand_names_are_refused_and_nothing_is_lost() {
    let daemon = one().start();
    push(&daemon, b"{\"a\": \"x 1\"}");
    let mut flood = String::from("{");
    for n in 0..10_000 {
        write!(flood, "\"app{n}\": \"x {n}\",").unwrap();
    }
    flood.push_str("\"a\": \"x 2\"}");
    push(&daemon, flood.as_bytes());
    assert_eq!(refused(&daemon, "too_many"), 10_000.0 - 255.0);
    assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(2.0));
    assert_eq!(daemon.own("fanin_push_groups", &[]), Some(256.0));
    assert!(daemon.log.lines_with("refused").len() < 3, "{}", daemon.log.text());
}

#[test]
fn a_page_is_no_longer_than_it_may_be() {
    let daemon = one().limit("body: 64KiB").start();
    push(&daemon, &document("a", "x 1\n"));
    push(&daemon, &document("a", &big_page(65 * 1024)));
    assert_eq!(refused(&daemon, "too_large"), 1.0);
    assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(1.0));
    let text = big_page(50 * 1024);
    push(&daemon, &document("a", &text));
    let merged = daemon.get("/merged").body;
    assert_eq!(page::count(&merged), page::count(&text) + 2, "two times of the push");
}

/// Scrapes have what pushed pages may not take, and an endless push is none.
#[test]
fn pages_take_no_more_than_may_be_kept() {
    let daemon =
        one().limit("memory: 2MiB").limit("kept: 256KiB").limit("body_timeout: 4s").start();
    let text = big_page(60 * 1024);
    for app in ["a", "b", "c", "d", "e"] {
        push(&daemon, &document(app, &text));
    }
    assert_eq!(refused(&daemon, "kept"), 2.0);
    assert!(daemon.own("fanin_blocks_kept", &[]).unwrap() <= 16.0);
    let mut endless = TcpStream::connect(door(&daemon)).unwrap();
    endless.write_all(b"{\"z\": \"").unwrap();
    while endless.write_all(b"x 1\\nx 2\\n").is_ok() && refused(&daemon, "kept") < 3.0 {
        let _ = endless.write_all(&b"yyyyyyyy 1\\n".repeat(2000));
    }
    assert!(page::count(&daemon.get("/merged").body) > 3000);
}

#[test]
fn small_pages_share_no_more_blocks_than_they_have_bytes_for() {
    let daemon = one().limit("memory: 4MiB").limit("kept: 2MiB").start();
    let mut all = String::from("{");
    for n in 0..100 {
        write!(all, "\"app{n}\": \"x 1\",").unwrap();
    }
    all.push_str("\"last\": \"x 1\"}");
    push(&daemon, all.as_bytes());
    assert_eq!(daemon.own("fanin_blocks_kept", &[]), Some(101.0));
}

#[test]
fn deep_and_huge_documents_are_refused() {
    let daemon = one().limit("body: 64KiB").start();
    let deep = [b"{\"a\": ".as_slice(), &b"[".repeat(100_000)].concat();
    push(&daemon, &deep);
    assert_eq!(refused(&daemon, "json"), 1.0);
    let name = [b"{\"".as_slice(), &b"n".repeat(100_000), b"\": \"x 1\"}"].concat();
    push(&daemon, &name);
    assert_eq!(refused(&daemon, "name"), 1.0);
    assert_eq!(daemon.own("fanin_push_accepted_total", &[]), Some(0.0));
}

#[test]
fn a_connection_that_says_nothing_gives_way() {
    let daemon = one().limit("idle_timeout: 30s").start();
    let idle: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(door(&daemon)).unwrap()).collect();
    push(&daemon, b"{\"a\": \"x 1\"}");
    assert_eq!(value(&daemon, "x", &[]), Some(1.0));
    assert!(daemon.own("fanin_push_connections", &[]).unwrap() <= 32.0);
    drop(idle);
}

/// More at once than there are connections: those that wait are served in their turn.
#[test]
fn a_crowd_is_served_in_turn() {
    let daemon = one().start();
    let push = |number: usize| {
        let page = format!("{{\"app{number}\": \"x {number}\"}}[]");
        let mut stream = TcpStream::connect(door(&daemon)).unwrap();
        stream.write_all(page.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    thread::scope(|scope| {
        let pushes: Vec<_> = (0..200).map(|number| scope.spawn(move || push(number))).collect();
        for pushed in pushes {
            assert_eq!(pushed.join().unwrap().unwrap(), "accepted 1\n");
        }
    });
    assert_eq!(daemon.own("fanin_push_accepted_total", &[]), Some(200.0));
}

#[test]
fn a_push_that_does_not_come_to_an_end_is_cut() {
    let daemon = one().limit("body_timeout: 200ms").limit("idle_timeout: 20s").start();
    let mut slow = TcpStream::connect(door(&daemon)).unwrap();
    slow.write_all(b"{\"a\": \"x 1").unwrap();
    daemon.until("the cut", || refused(&daemon, "timeout") >= 1.0);
}
