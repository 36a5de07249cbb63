//! Clients that are slow, endless or do not read.

use std::time::{Duration, Instant};

use super::common::wire::Seen;
use super::common::{Connection, Daemon, Exporter, Setup, beat, big_page};
use super::{GOOD, assert_ordinary_scrape};

/// Short limits, and `/side` for the ordinary scrape.
fn setup(good: &Exporter) -> Setup {
    Setup::new()
        .source("good", good)
        .route("/side", "{merge: [good]}")
        .limit("header_timeout: 300ms")
        .limit("idle_timeout: 10s")
        .limit("write_timeout: 300ms")
}

/// Sends a byte every 30 ms until the other end has had enough; `false` if it never has.
fn trickle(client: &mut Connection, bytes: &[u8], daemon: &Daemon) -> bool {
    for (number, byte) in bytes.iter().enumerate() {
        if client.try_send(&[*byte]).is_err() {
            return true;
        }
        if number % 8 == 0 {
            assert_ordinary_scrape("a slow head", daemon);
        }
        if client.look(Duration::from_millis(30)) != Seen::Nothing {
            return true;
        }
    }
    false
}

/// The rest of a connection that was given up on: 408 or no word, and then the end.
fn assert_given_up(name: &str, client: &mut Connection) {
    let rest = client.drain();
    let text = String::from_utf8_lossy(&rest);
    assert!(rest.is_empty() || text.starts_with("HTTP/1.1 408 "), "{name}: {text}");
}

#[test]
fn a_head_has_a_time_limit_as_a_whole() {
    let good = Exporter::serving(GOOD);
    let daemon = setup(&good).start();
    let endless = format!("GET /side HTTP/1.1\r\nHost: fanin\r\nX-Slow: {}", "y".repeat(500));
    let mut slow = daemon.connect();
    assert!(trickle(&mut slow, endless.as_bytes(), &daemon), "a byte at a time for 15 s");
    assert_given_up("slow head", &mut slow);

    let mut silent = daemon.connect();
    silent.send(b"GET /side HT");
    assert_given_up("half a head, then nothing", &mut silent);

    // The limit is for each head, not only for the first of a connection.
    let mut second = daemon.connect();
    second.ask("/-/healthy");
    assert_eq!(second.reply().status, 200);
    second.send(b"GET ");
    assert_given_up("half a second head", &mut second);
}

#[test]
fn an_idle_connection_has_a_time_limit() {
    let good = Exporter::serving(GOOD);
    let daemon = Setup::new()
        .source("good", &good)
        .route("/side", "{merge: [good]}")
        .limit("idle_timeout: 300ms")
        .start();
    let mut fresh = daemon.connect();
    let mut kept = daemon.connect();
    kept.ask("/-/healthy");
    assert_eq!(kept.reply().status, 200);
    assert_ordinary_scrape("idle connections", &daemon);
    assert!(fresh.ended(), "never asked for anything");
    assert!(kept.ended(), "asked once");
}

#[test]
fn a_head_has_a_size_limit() {
    let good = Exporter::serving(GOOD);
    let daemon = setup(&good).start();
    let long = "y".repeat(9000);
    let cases = [
        ("one field", format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n")),
        ("one field, never ending", format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {long}")),
        ("the target", format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("the method", long.clone()),
    ];
    for (name, head) in cases {
        let mut client = daemon.connect();
        client.send(head.as_bytes());
        let reply = client.reply();
        // A method or a target of that length may be judged before the head's size is.
        assert!(matches!(reply.status, 431 | 414 | 400), "{name}: {}", reply.status);
        if name.starts_with("one field") {
            assert_eq!(reply.status, 431, "{name}");
        }
        assert!(reply.closes(), "{name}: {:?}", reply.headers);
        assert!(client.ended(), "{name}");
        assert_ordinary_scrape(name, &daemon);
    }
    let fits = format!("GET /-/healthy HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(7800));
    assert_eq!(daemon.request(fits.as_bytes()).status, 200);
}

#[test]
fn a_head_that_never_ends_is_cut() {
    let good = Exporter::serving(GOOD);
    let daemon = setup(&good).start();
    let mut client = daemon.connect();
    client.send(b"GET /side HTTP/1.1\r\nHost: a\r\n");
    let mut sent = 0_usize;
    while client.try_send(b"X-Another: one\r\n").is_ok() {
        sent += 16;
        assert!(sent < 64 << 20, "64 MiB of head were taken");
    }
    assert_ordinary_scrape("an endless head", &daemon);
}

#[test]
fn a_head_has_64_fields_at_most() {
    let good = Exporter::serving(GOOD);
    let daemon = setup(&good).start();
    for (fields, want) in [(64, 200), (65, 431), (1000, 431)] {
        // Host is one of them.
        let head =
            format!("GET /-/healthy HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(fields - 1));
        let mut client = daemon.connect();
        client.send(head.as_bytes());
        let reply = client.reply();
        assert_eq!(reply.status, want, "{fields} fields");
        if want == 431 {
            assert!(reply.closes() && client.ended(), "{fields} fields");
        }
    }
    assert_ordinary_scrape("many fields", &daemon);
}

/// Bodies that have no end, in each way a body can have none.
#[test]
fn a_body_that_never_ends_is_cut() {
    let good = Exporter::serving(GOOD);
    let daemon = setup(&good).start();
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let endless = "Content-Length: 999999999999\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "z".repeat(4096));
    let filler = "z".repeat(4096);
    let cases = [
        ("chunks", chunked.to_owned(), chunk),
        ("one chunk", format!("{chunked}fffffffff\r\n"), filler.clone()),
        ("a chunk size", chunked.to_owned(), "0".repeat(4096)),
        ("a chunk extension", format!("{chunked}1;"), filler.clone()),
        ("a trailer", format!("{chunked}0\r\n"), "X-Trailer: y\r\n".repeat(256)),
        ("a length", endless.to_owned(), filler),
    ];
    for (name, start, more) in cases {
        for method in ["POST /-/reload", "GET /-/healthy", "POST /nothing"] {
            let mut client = daemon.connect();
            client.send(format!("{method} HTTP/1.1\r\nHost: a\r\n{start}").as_bytes());
            let mut sent = 0_usize;
            while client.try_send(more.as_bytes()).is_ok() {
                sent += more.len();
                assert!(sent < 64 << 20, "{name}, {method}: 64 MiB were taken");
            }
            assert_ordinary_scrape(name, &daemon);
        }
    }
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let good = Exporter::serving(GOOD);
    let daemon = setup(&good).limit("body_timeout: 300ms").start();
    for body in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"] {
        let mut client = daemon.connect();
        client.send(format!("POST /-/reload HTTP/1.1\r\nHost: a\r\n{body}").as_bytes());
        let before = Instant::now();
        let reply = client.drain();
        assert!(before.elapsed() < Duration::from_secs(15), "{body:?}: {:?}", before.elapsed());
        let replies = String::from_utf8_lossy(&reply).matches("HTTP/1.1 ").count();
        assert!(replies <= 1, "{body:?}: {}", String::from_utf8_lossy(&reply));
        assert_ordinary_scrape("half a body", &daemon);
    }
}

#[test]
fn a_reader_that_takes_nothing_is_cut() {
    let good = Exporter::serving(GOOD);
    let (one, two) =
        (Exporter::serving(&big_page(3_000_000)), Exporter::serving(&big_page(3_000_000)));
    let daemon = setup(&good)
        .source("one", &one)
        .source("two", &two)
        .route("/big", "{merge: [one, two]}")
        .start();
    let mut stalled = daemon.connect().with_small_window();
    stalled
        .send(b"GET /big HTTP/1.1\r\nHost: a\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n");
    assert_eq!(stalled.look(Duration::from_secs(15)), Seen::Bytes, "the reply begins");

    daemon.until("the stalled reader's end", || {
        assert_ordinary_scrape("a stalled reader", &daemon);
        !daemon.holds(&stalled)
    });

    assert!(stalled.try_reply().is_err(), "a reply that was cut must not look whole");
}

/// A Unix socket's send buffer is small, so that what the kernel took for the client does not hide
/// for long how slow the client is.
#[test]
fn a_reader_that_takes_too_little_is_cut() {
    let good = Exporter::serving(GOOD);
    let big = Exporter::serving(&big_page(3_000_000));
    let setup = setup(&good);
    let listen = format!("unix://{}", setup.folder().file("http.sock").display());
    let daemon = setup.listen(&listen).source("big", &big).route("/big", "{merge: [big]}").start();
    let mut slow = Connection::open(&listen);
    slow.ask("/big");
    assert_eq!(slow.look(Duration::from_secs(15)), Seen::Bytes, "the reply begins");
    let (open, before) = (daemon.sockets(), Instant::now());
    // 20 KB/s: a third of what is asked for.
    while daemon.sockets() >= open && slow.skip(400).is_ok() {
        assert!(before.elapsed() < Duration::from_secs(40), "served at leisure");
        beat(20);
    }
    let taken = slow.drain().len();
    assert!(taken < 3_000_000, "all of it was served");
    assert_ordinary_scrape("after a slow reader", &daemon);
}

#[test]
fn a_client_that_is_gone_before_its_answer_costs_nothing() {
    let good = Exporter::serving(GOOD);
    let daemon = setup(&good).start();
    assert_ordinary_scrape("before", &daemon);
    let sockets = daemon.sockets();
    for _ in 0..200 {
        daemon.connect().ask("/side");
        drop(daemon.connect());
    }
    assert_ordinary_scrape("clients that come and go", &daemon);
    daemon.until("the sockets' end", || daemon.sockets() <= sockets);
}
