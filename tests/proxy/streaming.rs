//! `verify: false`: answers that pass as they come, held up by whoever is slower.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::exporter::{TEXT, ok};
use crate::common::wire::Seen;
use crate::common::{Exporter, Gate, Setup, beat};

/// One module, `m`, that is not read.
fn streaming(exporter: &Exporter) -> Setup {
    Setup::new()
        .source_with("m", exporter, "verify: false")
        .route("/proxy", "{proxy: {sources: m, default: m}}")
}

/// Sends `bytes` bytes, in pieces of 64 KiB, and counts what was taken.
fn sending(bytes: usize, taken: &Arc<AtomicUsize>) -> Exporter {
    let taken = taken.clone();
    Exporter::talking(move |conversation| {
        let piece = vec![b'x'; 64 * 1024];
        while conversation.request().is_some() {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
            let mut left = bytes;
            if !conversation.send(head.as_bytes()) {
                return;
            }
            while left > 0 {
                let now = left.min(piece.len());
                if !conversation.send(&piece[..now]) {
                    return;
                }
                left -= now;
                taken.fetch_add(now, Ordering::Relaxed);
            }
        }
    })
}

#[test]
fn anything_passes() {
    for body in ["not metrics at all\n", "\u{1}\u{7f}ä", ""] {
        let exporter = Exporter::serving(body);
        let daemon = streaming(&exporter).start();
        let reply = daemon.get("/proxy");
        assert_eq!((reply.status, reply.body.as_str()), (200, body));
        assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
        assert_eq!(daemon.own("fanin_source_up", &[("source", "m")]), Some(1.0));
        let bytes = u32::try_from(body.len()).unwrap();
        let told = daemon.own("fanin_source_bytes", &[("source", "m")]);
        assert_eq!(told, Some(f64::from(bytes)));
        assert_eq!(daemon.own("fanin_source_samples", &[("source", "m")]), None, "not counted");
    }
}

/// A merge of the same source checks all the same.
#[test]
fn a_merge_checks_whatever_a_proxy_does() {
    let exporter = Exporter::serving("not metrics at all\n");
    let daemon = streaming(&exporter).route("/merged", "{merge: m}").start();
    assert_eq!(daemon.get("/proxy").status, 200);
    assert_eq!(daemon.get("/merged").status, 503);
}

/// The first bytes leave before the last ones have come.
#[test]
fn bytes_leave_as_they_come() {
    let gate = Gate::new();
    let held = gate.clone();
    let exporter = Exporter::talking(move |conversation| {
        conversation.request();
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n");
        held.wait();
        conversation.send(b"5\r\nup 2\n\r\n0\r\n\r\n");
    });
    let daemon = streaming(&exporter).start();
    let mut connection = daemon.connect();
    connection.ask("/proxy");
    assert_eq!(connection.look(Duration::from_secs(20)), Seen::Bytes);
    gate.open();
    assert_eq!(connection.reply().body, "up 1\nup 2\n");
}

/// A gibibyte in constant memory.
#[test]
fn a_long_answer_takes_no_more_memory_than_a_short_one() {
    const GIB: usize = 1 << 30;
    let taken = Arc::new(AtomicUsize::new(0));
    let exporter = sending(GIB, &taken);
    let daemon = streaming(&exporter).limit("memory: 1MiB").limit("body: 64KiB").start();
    let fields = "X-Prometheus-Scrape-Timeout-Seconds: 120\r\n";
    let mut connection = daemon.connect();
    connection.send(format!("GET /proxy HTTP/1.1\r\nHost: x\r\n{fields}\r\n").as_bytes());
    let before = daemon.status("VmHWM");
    let mut left = GIB;
    while left > 0 {
        let n = connection.skip(1 << 20).unwrap();
        assert!(n > 0, "{left} bytes are missing");
        left = left.saturating_sub(n);
    }
    let grown = daemon.status("VmHWM").saturating_sub(before);
    assert!(grown < 1024, "grew by {grown} KiB");
}

/// A client that reads nothing holds up the exporter, and nobody else; then it is cut off.
#[test]
fn a_client_that_does_not_read_holds_up_only_its_exporter() {
    let taken = Arc::new(AtomicUsize::new(0));
    let exporter = sending(1 << 28, &taken);
    let daemon = streaming(&exporter).limit("memory: 1MiB").limit("write_timeout: 1s").start();
    let mut connection = daemon.connect().with_small_window();
    connection.ask("/proxy");
    let mut before = 0;
    daemon.until("the exporter to be held up", || {
        let now = taken.load(Ordering::Relaxed);
        let still = now > 0 && now == before;
        before = now;
        still
    });
    assert!(taken.load(Ordering::Relaxed) < 1 << 26, "the sockets' buffers, and no more");
    assert_eq!(daemon.get("/-/healthy").status, 200);
    daemon.until("it to be cut off", || !daemon.holds(&connection));
}

/// A client must not take half an answer for a whole one.
#[test]
fn an_answer_that_breaks_off_cuts_the_connection() {
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nup 1\n";
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n";
    let bad = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\nzz\r\n";
    for (name, answer, reason) in
        [("sized", sized, "closed"), ("chunks", chunks, "closed"), ("bad chunks", bad, "protocol")]
    {
        let exporter = Exporter::closing(answer);
        let daemon = streaming(&exporter).start();
        let mut connection = daemon.connect();
        connection.ask("/proxy");
        let reply = connection.try_reply();
        assert!(reply.is_err(), "{name}: {reply:?}");
        let failed = [("source", "m"), ("reason", reason)];
        daemon.until("the failure", || {
            daemon.own("fanin_source_failures_total", &failed) == Some(1.0)
        });
    }
}

/// The deadline counts for a stream as for anything else.
#[test]
fn a_stream_ends_at_the_deadline() {
    let exporter = Exporter::talking(|conversation| {
        conversation.request();
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nup 1\n");
        conversation.until_closed();
    });
    let daemon = streaming(&exporter).start();
    let mut connection = daemon.connect();
    let timeout = "X-Prometheus-Scrape-Timeout-Seconds: 0.4\r\n";
    connection.send(format!("GET /proxy HTTP/1.1\r\nHost: x\r\n{timeout}\r\n").as_bytes());
    assert!(connection.try_reply().is_err());
    let failed = [("source", "m"), ("reason", "timeout")];
    daemon.until("the failure", || daemon.own("fanin_source_failures_total", &failed) == Some(1.0));
}

/// Also where there is always something more to send, and the client takes it slowly.
#[test]
fn a_stream_without_end_ends_at_the_deadline() {
    let exporter = Exporter::talking(|conversation| {
        conversation.request();
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\n");
        let piece = vec![b'x'; 64 * 1024];
        while conversation.send(&piece) {}
    });
    let daemon = streaming(&exporter).start();
    let mut connection = daemon.connect();
    let timeout = "X-Prometheus-Scrape-Timeout-Seconds: 0.4\r\n";
    connection.send(format!("GET /proxy HTTP/1.1\r\nHost: x\r\n{timeout}\r\n").as_bytes());
    let start = Instant::now();
    while connection.skip(4096).is_ok_and(|taken| taken > 0) {
        assert!(start.elapsed() < Duration::from_secs(8), "it goes on");
        beat(1);
    }
    let failed = [("source", "m"), ("reason", "timeout")];
    daemon.until("the failure", || daemon.own("fanin_source_failures_total", &failed) == Some(1.0));
}

/// The exporter's connection is kept behind a whole answer, and given up when the client goes.
#[test]
fn connections_are_kept_behind_whole_answers_only() {
    let exporter = Exporter::answering(ok(TEXT, "up 1\n"));
    let daemon = streaming(&exporter).start();
    for _ in 0..3 {
        assert_eq!(daemon.get("/proxy").body, "up 1\n");
    }
    assert_eq!((exporter.connections(), exporter.requests()), (1, 3));
    let taken = Arc::new(AtomicUsize::new(0));
    let long = sending(1 << 28, &taken);
    let daemon = streaming(&long).start();
    let mut connection = daemon.connect();
    connection.ask("/proxy");
    assert_eq!(connection.look(Duration::from_secs(20)), Seen::Bytes);
    let sockets = daemon.sockets();
    drop(connection);
    daemon.until("both to be closed", || daemon.sockets() == sockets - 2);
    assert_eq!(daemon.own("fanin_source_failures_total", &[]), None, "nobody failed");
}
