//! Memory: the pool is the limit, whatever comes. `limits.memory` and 4 MiB is all that the program
//! may ever have resident, and nobody starves.
//!
//! The numbers hold for the binary under test, debug or release, and are printed with
//! `--nocapture`. `FANIN_MEMORY_CLIENTS` sets how many ask at once, `FANIN_IDLE_KIB` what may be
//! taken before the first scrape, the program's own file aside.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and what was measured is reported"
)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, iter};

use common::daemon::get_at;
use common::exporter::{TEXT, ok};
use common::wire::Seen;
use common::{Connection, Daemon, Exporter, Gate, Reply, Setup, beat, big_page, page};

const MIB: usize = 1024 * 1024;

/// A scrape's whole time; the longest that a scraper may ask for.
const DEADLINE: &str = "120";

/// What resident memory may be, in KiB: `limits.memory` and 4 MiB.
const RESIDENT: usize = 36 * 1024;

/// The daemon, with room for the clients and one who looks after its health.
fn start() -> (Daemon, [Exporter; 2], String) {
    // Two different pages of the same families.
    let one = big_page(5 * MIB / 2);
    let two = one.replace("device=\"disk", "device=\"nvme");
    let exporters = [Exporter::serving(&one), Exporter::serving(&two)];
    let daemon = Setup::merging(&[&exporters[0], &exporters[1]])
        .limit("memory: 32MiB")
        .limit("connections: 96")
        .start();
    // One at first, so that the sizes are known, and to compare with.
    let first = ask_patiently(daemon.addr(), "/merged", DEADLINE);
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(page::count(&first.body), page::count(&one) + page::count(&two));
    (daemon, exporters, first.body)
}

/// Asks for `/-/healthy` until told to stop; the longest that an answer took.
fn watch_health(address: &str, stop: &AtomicBool) -> Duration {
    let mut client = Connection::open(address);
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let before = Instant::now();
        client.ask("/-/healthy");
        assert_eq!(client.reply().status, 200);
        longest = longest.max(before.elapsed());
        beat(20);
    }
    longest
}

fn clients() -> usize {
    env::var("FANIN_MEMORY_CLIENTS").map_or(64, |value| value.parse().expect("a number"))
}

/// All clients at once, each with the path that `path` gives it. How many got a whole page.
fn storm(name: &str, path: impl Fn(usize) -> String + Sync) {
    let (daemon, exporters, want) = start();
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    // Compared at once, so that the test does not hold all pages itself.
    let ask = |number: usize| {
        let mut reply = ask_patiently(daemon.addr(), &path(number), DEADLINE);
        if reply.status == 200 {
            assert!(reply.body == want, "{name}: another page than the first");
            reply.body = String::new();
        }
        reply
    };
    let (replies, longest) = thread::scope(|scope| {
        let health = scope.spawn(|| watch_health(daemon.addr(), &stop));
        let asking: Vec<_> = (0..clients())
            .map(|number| {
                let ask = &ask;
                scope.spawn(move || ask(number))
            })
            .collect();
        let replies: Vec<_> = asking.into_iter().map(|client| client.join()).collect();
        stop.store(true, Ordering::Relaxed);
        (replies, health.join())
    });
    let longest = longest.expect("/-/healthy throughout");
    let replies: Vec<_> = replies.into_iter().map(|reply| reply.expect("an answer")).collect();
    let whole = replies.iter().filter(|reply| reply.status == 200).count();
    eprintln!(
        "{name}: {whole} of {} whole pages of {} KiB in {:?}; {} fetches; VmHWM {} KiB, VmRSS {} KiB; \
         /-/healthy within {longest:?}",
        replies.len(),
        want.len() / 1024,
        began.elapsed(),
        exporters[0].requests() + exporters[1].requests(),
        daemon.status("VmHWM"),
        daemon.status("VmRSS"),
    );
    for reply in &replies {
        match reply.status {
            200 => {}
            503 => assert!(reply.body.len() > 10 && reply.body.ends_with('\n'), "{}", reply.body),
            other => panic!("{name}: {other}: {}", reply.body),
        }
    }
    assert!(whole > 0, "{name}: nobody got a page");
    assert!(longest < Duration::from_secs(5), "{name}: /-/healthy took {longest:?}");
    assert!(daemon.status("VmHWM") < RESIDENT, "{name}: {} KiB", daemon.status("VmHWM"));
    assert_eq!(daemon.status("Threads"), 2, "{name}");
}

/// A GET whose answer may take as long as its deadline.
fn ask_patiently(address: &str, path: &str, seconds: &str) -> Reply {
    let mut client = Connection::open(address);
    let head = format!("GET {path} HTTP/1.1\r\nHost: fanin\r\nConnection: close\r\n");
    client.send(format!("{head}X-Prometheus-Scrape-Timeout-Seconds: {seconds}\r\n\r\n").as_bytes());
    assert_ne!(client.look(Duration::from_secs(130)), Seen::Nothing, "{path}: never answered");
    client.reply()
}

#[test]
fn everybody_at_once_on_the_same_url() {
    storm("same URL", |_| "/merged".to_owned());
}

#[test]
fn everybody_at_once_with_nothing_to_share() {
    storm("distinct URLs", |number| format!("/merged?client={number}"));
}

/// Readers that take nothing hold blocks; when scrapes wait for memory, the slowest is cut first.
#[test]
fn slow_readers_do_not_hold_the_pool() {
    let (daemon, _exporters, want) = start();
    let stalled: Vec<Connection> = (0..24)
        .map(|number| {
            let mut client = daemon.connect().with_small_window();
            client.ask(&format!("/merged?stalled={number}"));
            client
        })
        .collect();
    for round in 0..3 {
        let reply = ask_patiently(daemon.addr(), &format!("/merged?round={round}"), "60");
        assert_eq!(reply.status, 200, "round {round}: {}", reply.body);
        assert!(reply.body == want, "round {round}");
        assert_eq!(daemon.get("/-/healthy").status, 200);
    }
    assert!(daemon.status("VmHWM") < RESIDENT, "{} KiB", daemon.status("VmHWM"));
    drop(stalled);
}

/// Nothing stays behind: neither memory nor connections.
#[test]
fn many_scrapes_do_not_grow() {
    let pages = [
        include_str!("pages/node_exporter.prom"),
        include_str!("pages/prometheus.prom"),
        include_str!("pages/pushgateway.prom"),
    ];
    let samples: usize = pages.iter().map(|text| page::count(text)).sum();
    let exporters = pages.map(Exporter::serving);
    let daemon = Setup::merging(&exporters.each_ref()).start();
    // What it has taken. The program's own file is there too, as much of it as the kernel likes to
    // have at hand: `cross/size` holds that.
    let taken = daemon.status("RssAnon");
    let most = env::var("FANIN_IDLE_KIB").map_or(512, |value| value.parse().expect("a number"));
    assert!(cfg!(debug_assertions) || taken <= most, "{taken} KiB before the first scrape");
    let idle = daemon.status("VmRSS");
    let usual = if cfg!(debug_assertions) { 500 } else { 10_000 };
    let scrapes = env::var("FANIN_SCRAPES").map_or(usual, |value| value.parse().expect("a number"));
    let mut client = daemon.connect();
    let mut scrape = |count: usize| {
        for _ in iter::repeat_n((), count) {
            client.ask("/merged");
            let body = client.reply().body;
            let got = body.lines().filter(|line| !line.starts_with('#')).count();
            assert_eq!(got, samples);
        }
        daemon.status("VmRSS")
    };
    let before = scrape(200);
    let after = scrape(scrapes);
    eprintln!("{scrapes} scrapes: VmRSS {idle} KiB idle, {before} KiB, then {after} KiB");
    assert!(after <= before.saturating_add(128), "from {before} KiB to {after} KiB");
    for exporter in &exporters {
        assert_eq!(exporter.connections(), 1);
    }
}

/// A body larger than all memory is refused, and the memory is there for the next.
#[test]
fn a_body_larger_than_the_pool_is_refused() {
    let large = Exporter::serving(&big_page(6 * MIB));
    let small = Exporter::serving("up 1\n");
    let daemon = Setup::new()
        .source("large", &large)
        .source("small", &small)
        .route("/large", "{merge: [large]}")
        .route("/small", "{merge: [small]}")
        .limit("memory: 4MiB")
        .limit("body: 2MiB")
        .start();
    for _ in 0..5 {
        assert_eq!(get_at(daemon.addr(), "/large", &[]).unwrap().status, 503);
        assert_eq!(daemon.get("/small").status, 200);
    }
    let failures = [("source", "large"), ("reason", "too_large")];
    assert_eq!(daemon.own("fanin_source_failures_total", &failures), Some(5.0));
}

/// What finding duplicates takes is asked for before a scrape starts, like the pages: else a merge
/// finds it missing half-way, time and again, while others take all there is.
#[test]
fn a_merge_asks_for_what_its_tables_took() {
    const SAMPLES: usize = 40_000;
    let text: String = (0..SAMPLES).map(|number| format!("m{{n=\"{number}\"}} 1\n")).collect();
    let (gate, asked) = (Gate::new(), AtomicUsize::new(0));
    let (opened, answer) = (gate.clone(), ok(TEXT, &text));
    let large = Exporter::talking(move |conversation| {
        while conversation.request().is_some() {
            if asked.fetch_add(1, Ordering::Relaxed) > 0 {
                opened.wait();
            }
            conversation.send(&answer);
        }
    });
    // A name that both have: without one there are no duplicates to be found.
    let small = Exporter::serving("m 1\n");
    let daemon = Setup::new()
        .source("large", &large)
        .source("small", &small)
        .route("/bare", "{merge: {sources: [large, small], label: none}}")
        .start();
    assert_eq!(page::count(&daemon.get("/bare").body), SAMPLES + 1);
    let mut second = daemon.connect();
    second.ask("/bare");
    large.wait_for_requests(2);

    let promised = daemon.own("fanin_blocks", &[("state", "promised")]).unwrap();

    // The page itself, and 16 bytes for each series.
    let least = u32::try_from((text.len() + SAMPLES * 16) / (16 * 1024)).unwrap();
    assert!(promised > f64::from(least), "{promised} blocks, not {least}");
    gate.open();
    assert_eq!(page::count(&second.reply().body), SAMPLES + 1);
}

/// A line that is longer than what is left of a reply's buffer leaves in pieces: no reader has a
/// buffer of its own beside that one.
#[test]
fn readers_of_long_lines_take_no_more_than_others() {
    const CLIENTS: usize = 90;
    let value = "x".repeat(4900);
    let text: String = (0..1500).map(|number| format!("m{{a=\"{value}{number}\"}} 1\n")).collect();
    let long = Exporter::serving(&text);
    let daemon = Setup::merging(&[&long])
        .limit("memory: 16MiB")
        .limit("body: 8MiB")
        .limit("connections: 96")
        .start();
    let mut stalled: Vec<Connection> = (0..CLIENTS)
        .map(|_| {
            let mut client = daemon.connect().with_small_window();
            client.ask("/merged");
            client
        })
        .collect();
    for client in &mut stalled {
        assert_eq!(client.look(Duration::from_secs(20)), Seen::Bytes);
    }
    beat(500);

    // The program's own code is in memory too, and not what this is about.
    let resident = daemon.status("RssAnon");
    assert!(resident < 18 * 1024, "{resident} KiB");
    drop(stalled);
}

/// A source for whose page there is no memory is asked again only while there is time: one that is
/// slow must not cost what the others have answered already.
#[test]
fn want_of_memory_and_a_slow_source_cost_no_good_answer() {
    let (small, big) = (Exporter::serving("up 1\n"), Exporter::serving(&big_page(200_000)));
    let gate = Gate::new();
    let theirs = gate.clone();
    let slow = Exporter::talking(move |conversation| {
        while conversation.request().is_some() {
            theirs.wait();
        }
    });
    let daemon = Setup::merging(&[&small, &big, &slow])
        .limit("memory: 512KiB")
        .limit("body: 256KiB")
        .limit("scrape_timeout: 1s")
        .start();
    for round in 0..3 {
        let reply = daemon.get("/merged");
        assert_eq!(reply.status, 200, "round {round}: {}", reply.body);
        assert!(reply.body.contains("up{exporter_name=\"a\"} 1\n"), "round {round}");
    }
    assert_eq!(daemon.own("fanin_source_up", &[("source", "a")]), Some(1.0));
    assert!(!daemon.log.text().contains("0ns"), "{}", daemon.log.text());
    gate.open();
}
