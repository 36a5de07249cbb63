//! Exporters that are slow, endless, too large or lead nowhere.

use std::time::{Duration, Instant};

use super::common::exporter::{CHUNKED_HEAD, TEXT, chunked, close_delimited, ok, reply};
use super::common::{Conversation, Daemon, Exporter, Setup, beat, page};
use super::{GOOD, assert_ordinary_scrape};

/// `/both` merges a good and the bad exporter, whose bodies may have 64 KiB and take a second.
fn start(good: &Exporter, bad: &Exporter) -> Daemon {
    Setup::new()
        .source("good", good)
        .source_with("bad", bad, "timeout: 1s")
        .route("/side", "{merge: [good]}")
        .route("/both", "{merge: [good, bad]}")
        .limit("body: 64KiB")
        .start()
}

/// Scrapes `/both`, with an ordinary scrape while the bad exporter is at it.
fn assert_left_out(name: &str, bad: &Exporter, reason: &str) {
    let good = Exporter::serving(GOOD);
    let daemon = start(&good, bad);
    let before = Instant::now();
    let mut client = daemon.connect();
    client.ask("/both");
    assert_ordinary_scrape(name, &daemon);
    let reply = client.reply();
    assert!(before.elapsed() < Duration::from_secs(8), "{name}: {:?}", before.elapsed());
    assert_eq!(reply.status, 200, "{name}: {}", reply.body);
    page::assert_well_formed(name, &reply.body);
    assert_eq!(page::count(&reply.body), 1, "{name}: {}", reply.body);
    assert_eq!(daemon.own("fanin_source_up", &[("source", "bad")]), Some(0.0), "{name}");
    let failures =
        daemon.own("fanin_source_failures_total", &[("source", "bad"), ("reason", reason)]);
    let all = daemon.get("/metrics").body;
    assert_eq!(failures, Some(1.0), "{name}: {reason}\n{all}");
}

/// Sends `start`, then `more` again and again, as fast as it is taken.
fn endless(start: &[u8], more: &[u8]) -> Exporter {
    let (start, more) = (start.to_vec(), more.to_vec());
    Exporter::talking(move |conversation| {
        conversation.request();
        conversation.send(&start);
        while conversation.send(&more) {}
    })
}

/// Sends `start`, then one byte of `more` every 20 ms.
fn trickling(start: &[u8], more: &[u8]) -> Exporter {
    let (start, more) = (start.to_vec(), more.to_vec());
    let talk = move |conversation: &mut Conversation| {
        conversation.request();
        conversation.send(&start);
        for byte in more.iter().cycle() {
            if !conversation.send(&[*byte]) {
                return;
            }
            beat(20);
        }
    };
    Exporter::talking(talk)
}

#[test]
fn a_body_over_its_limit_is_refused() {
    let text = "y{a=\"b\"} 1\n".repeat(10_000);
    let said = reply("200 OK", &[("Content-Type", TEXT)], &text);
    assert_left_out("said beforehand", &Exporter::answering(said), "too_large");
    assert_left_out("chunked", &Exporter::closing(chunked(&text, 4096)), "too_large");
    let closing = Exporter::closing(close_delimited("HTTP/1.1", &text));
    assert_left_out("close-delimited", &closing, "too_large");
}

#[test]
fn a_body_without_end_is_refused() {
    let head = close_delimited("HTTP/1.1", "");
    assert_left_out("close-delimited", &endless(&head, b"y 1\n"), "too_large");
    assert_left_out("chunks", &endless(CHUNKED_HEAD, b"4\r\ny 1\n\r\n"), "too_large");
    let chunk = [CHUNKED_HEAD, b"fffffffff\r\n"].concat();
    assert_left_out("one chunk", &endless(&chunk, b"y 1\n"), "too_large");
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n";
    assert_left_out("a length", &endless(length, b"y 1\n"), "too_large");
}

#[test]
fn framing_without_end_is_refused() {
    assert_left_out("a chunk size", &endless(CHUNKED_HEAD, &[b'0'; 4096]), "protocol");
    let extension = [CHUNKED_HEAD, b"4;"].concat();
    assert_left_out("a chunk extension", &endless(&extension, &[b'x'; 4096]), "protocol");
    let trailer = [CHUNKED_HEAD, b"4\r\ny 1\n\r\n0\r\n"].concat();
    assert_left_out("a trailer", &endless(&trailer, b"X-Trailer: y\r\n"), "protocol");
}

#[test]
fn a_head_without_end_is_refused() {
    let start = b"HTTP/1.1 200 OK\r\n";
    assert_left_out("fields", &endless(start, b"X-Another: one\r\n"), "protocol");
    assert_left_out("a field", &endless(b"HTTP/1.1 200 OK\r\nX: ", &[b'y'; 4096]), "protocol");
    assert_left_out("a status line", &endless(b"HTTP/1.1 200 ", &[b'y'; 4096]), "protocol");
    let fields =
        format!("HTTP/1.1 200 OK\r\n{}Content-Length: 4\r\n\r\ny 1\n", "X: y\r\n".repeat(64));
    assert_left_out("65 fields", &Exporter::closing(fields), "protocol");
}

#[test]
fn a_line_longer_than_a_block_is_refused() {
    for (name, text) in [
        ("a label", format!("y{{a=\"{}\"}} 1\n", "b".repeat(17_000))),
        ("help", format!("# HELP y {}\ny 1\n", "b".repeat(17_000))),
        ("no line end at all", "b".repeat(40_000)),
    ] {
        assert_left_out(name, &Exporter::serving(&text), "line_too_long");
    }
    let longest = format!("y{{a=\"{}\"}} 1\n", "b".repeat(15_000));
    let exporter = Exporter::serving(&longest);
    let daemon = Setup::merging(&[&exporter]).start();
    assert_eq!(daemon.get("/merged").status, 200, "15 000 bytes fit");
}

#[test]
fn a_trickle_ends_at_the_deadline() {
    assert_left_out("a head", &trickling(b"HTTP/1.1 200 OK\r\nX: ", b"y"), "timeout");
    assert_left_out("a body", &trickling(&close_delimited("HTTP/1.1", ""), b"y 1\n"), "timeout");
    assert_left_out("chunks", &trickling(CHUNKED_HEAD, b"1\r\n\n\r\n"), "timeout");
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: <";
    assert_left_out("an interim head", &trickling(interim, b"y"), "timeout");
    let silent = Exporter::talking(|conversation| {
        conversation.request();
        conversation.until_closed();
    });
    assert_left_out("silence", &silent, "timeout");
}

#[test]
fn interim_responses_are_skipped_up_to_eight() {
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".as_slice();
    let eight = Exporter::answering([interim.repeat(8), ok(TEXT, GOOD)].concat());
    let daemon = Setup::merging(&[&eight]).start();
    assert_eq!(daemon.get("/merged").status, 200, "eight");
    let nine = Exporter::closing([interim.repeat(9), ok(TEXT, GOOD)].concat());
    assert_left_out("nine", &nine, "protocol");
    assert_left_out("without end", &endless(interim, interim), "protocol");
    let switching =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n";
    assert_left_out("101", &Exporter::closing(switching), "protocol");
}

#[test]
fn a_redirect_loop_ends() {
    let circle = Exporter::answering(reply("302 Found", &[("Location", "/metrics")], ""));
    assert_left_out("a circle", &circle, "redirect");
    assert_eq!(circle.requests(), 6, "the first and five more");
    let nowhere = Exporter::answering(reply("302 Found", &[], ""));
    assert_left_out("no Location", &nowhere, "status");
    let nonsense = Exporter::answering(reply("302 Found", &[("Location", "http://[::1/")], ""));
    assert_left_out("a Location that is no URL", &nonsense, "redirect");
}

/// Bytes after the body discard the connection; the next scrape does not take them for its answer.
#[test]
fn bytes_after_a_body_are_not_the_next_answer() {
    let poison = [ok(TEXT, GOOD), ok(TEXT, "poison 1\n")].concat();
    let bad = Exporter::answering(poison);
    let daemon = Setup::merging(&[&bad]).start();
    for round in 1..=3 {
        let body = daemon.get("/merged").body;
        assert!(body.contains("up{") && !body.contains("poison"), "round {round}: {body}");
    }
    assert_eq!(bad.connections(), 3);
}

/// An upstream's bytes reach no client but as a page that was judged.
#[test]
fn an_upstreams_words_are_not_passed_on() {
    let evil = reply("500 <script>alert(1)</script>", &[("Set-Cookie", "a=b")], "<b>secret</b>");
    let exporter = Exporter::answering(evil);
    let daemon = Setup::merging(&[&exporter]).start();
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 503);
    assert!(!reply.body.contains("script") && !reply.body.contains("secret"), "{}", reply.body);
    assert_eq!(reply.header("set-cookie"), None);
    let landing = daemon.get("/").body;
    assert!(!landing.contains("<script>"), "{landing}");
}

/// 70 000 runs of one sample each: more than a page may have.
#[test]
fn a_page_in_too_many_pieces_is_refused() {
    let text = "a 1\nb 1\n".repeat(35_000);
    let exporter = Exporter::serving(&text);
    let daemon = Setup::merging(&[&exporter]).start();
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 503, "{} bytes of body", reply.body.len());
    let failures = [("source", "a"), ("reason", "too_fragmented")];
    assert_eq!(daemon.own("fanin_source_failures_total", &failures), Some(1.0));
}
