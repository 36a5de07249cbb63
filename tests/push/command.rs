//! `fanin push`, and the question that it asks.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::common::push::push_to;
use super::common::{Done, Setup, fanin, fanin_reading};
use super::{door, one, push, refused, value, with};

fn push_command(input: &str, arguments: &[&str]) -> Done {
    fanin_reading(input, &[&["push"], arguments].concat())
}

#[test]
fn a_question_is_answered_and_nothing_else() {
    let daemon = one().start();
    let cases = [
        ("[]", "accepted 0\n"),
        ("{\"a\": \"x 1\"}[]", "accepted 1\n"),
        ("{\"a\": \"x 1\", \"b\": [\"y 1\"]} {\"c\": \"\"}\n[ ]", "accepted 3\n"),
        ("{\"a\": \"x 1\"}[][]{\"a\": \"x 2\"}[]", "accepted 1\naccepted 0\naccepted 1\n"),
        (
            "{\"a\": 7}[]",
            "accepted 0, refused 1: app=\"a\": not an object of applications with a text, or a list of lines, each\n",
        ),
        ("{\"\": \"x 1\", \"b\": \"y 2\"}[]", "accepted 1, refused 1: the name is empty\n"),
        ("{\"a\": \"x 1\"}", ""),
        ("{\"a\": \"no page\"}", ""),
        ("[1]", ""),
        ("[[]]", ""),
        ("{\"a\": \"x 1\"", ""),
    ];
    for (sent, want) in cases {
        assert_eq!(push_to(&daemon.listeners[1], sent.as_bytes()), want, "{sent}");
        for cut in 0..sent.len() {
            let mut connection = TcpStream::connect(door(&daemon)).unwrap();
            connection.set_nodelay(true).unwrap();
            let sent = sent.as_bytes();
            // What is refused may be closed before all of it is sent.
            let _ = connection
                .write_all(&sent[..cut])
                .and_then(|()| connection.write_all(&sent[cut..]));
            let _ = connection.shutdown(std::net::Shutdown::Write);
            let mut answer = String::new();
            let _ = connection.read_to_string(&mut answer);
            assert_eq!(answer, want, "{cut}");
        }
    }
    let fault = push_to(&daemon.listeners[1], b"{\"a\": \"x 1\\nno page\"}[]");
    assert!(fault.starts_with("accepted 0, refused 1: app=\"a\": line 2:"), "{fault}");
    assert_eq!(fault.lines().count(), 1);
}

/// One that asks and never listens: it is cut, and holds up nobody.
#[test]
fn who_asks_and_does_not_listen_is_cut() {
    let daemon = one().limit("write_timeout: 200ms").start();
    let mut deaf = TcpStream::connect(door(&daemon)).unwrap();
    let questions = b"[]".repeat(64 * 1024);
    while deaf.write_all(&questions).is_ok() {}
    push(&daemon, b"{\"a\": \"x 1\"}");
    assert_eq!(value(&daemon, "x", &[]), Some(1.0));
}

#[test]
fn a_page_comes_from_standard_input_or_a_file() {
    let setup = Setup::new();
    let file = setup.folder().write("page.prom", "# HELP x A \"quoted\" \\\\ thing.\nx 3\n");
    let daemon = setup
        .pushed("apps", &["\"tcp://127.0.0.1:0\"", "\"unix://push.sock\""], "", "")
        .route("/merged", "{merge: apps}")
        .start();
    for (round, to) in daemon.listeners[1..].iter().enumerate() {
        let input = format!("x {round}");
        let done = push_command(&input, &["--to", to, "nightly"]);
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(0), "", ""), "{to}");
        assert_eq!(value(&daemon, "x", &[("app", "nightly")]), Some(round as f64));
        let done = push_command(&input, &["--verbose", "--to", to, "nightly", "-"]);
        assert_eq!(done.out, format!("{to}: accepted\n"), "{done:?}");
        assert_eq!(done.code, Some(0), "{done:?}");
        let done = push_command("", &["nightly", &file, "--to", to]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{to}");
        assert_eq!(value(&daemon, "x", &[("app", "nightly")]), Some(3.0));
    }
    assert!(daemon.get("/merged").body.contains("# HELP x A \"quoted\" \\\\ thing.\n"));
}

#[test]
fn over_http_the_application_is_the_job() {
    let daemon = Setup::new()
        .source_of("hub", "{push: {}}")
        .server_key("auth: {bearer_token: s3cret}")
        .route("/metrics", "{receive: hub, relay: hub}");
    let token = daemon.folder().write("token", "s3cret\n");
    let daemon = daemon.start();
    let base = format!("http://{}/metrics", daemon.addr());
    let login = ("Authorization", "Bearer s3cret");
    for (name, path) in [
        ("nightly", "/metrics/job/nightly"),
        ("a/b c", "/metrics/job@base64/YS9iIGM"),
        ("..", "/metrics/job@base64/Li4"),
        ("Ü?>", "/metrics/job@base64/w5w_Pg"),
    ] {
        let words = ["--to", &base, "--token-file", &token, "--ttl", "2d", name];
        let done = push_command("x 1\n", &words);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{name}");
        let reply = daemon.get_with(path, &[login]);
        assert_eq!((reply.status, reply.body.as_str()), (200, "x 1\n"), "{name}");
    }
    let cases: [(&[&str], &str, &str); 2] = [
        (&["a"], "x 1", "answered 401: a login is needed here"),
        (&["a", "--token-file", &token], "no page", "answered 400: line 1:"),
    ];
    for (words, page, want) in cases {
        let done = push_command(page, &[&["--to", &base], words].concat());
        assert_eq!(done.code, Some(1), "{words:?}: {done:?}");
        assert!(done.err.starts_with(&format!("{base}: {want}")), "{words:?}: {done:?}");
    }
}

/// Takes one connection, answers it with `answer` when it has read all or, if told so, at once.
fn stranger(answer: &'static str, reads: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        if reads {
            let _ = peer.read_to_end(&mut Vec::new());
        }
        let _ = peer.write_all(answer.as_bytes());
    });
    address
}

#[test]
fn what_became_of_it_is_told() {
    let daemon = one().limit("body: 64KiB").start();
    let to = &daemon.listeners[1];
    let free = format!("tcp://127.0.0.1:{}", super::common::peers::free_port());
    let silent = stranger("", true);
    let web = stranger("HTTP/1.1 400 Bad Request\r\n\r\n", true);
    let mut long = String::new();
    while long.len() < 70_000 {
        writeln!(long, "x{{l=\"{}\"}} 1", long.len()).unwrap();
    }
    let cases = [
        (to, "x 1\nno page\n", ": refused: app=\"a\": line 2:4: "),
        (to, &long, ": refused: app=\"a\": the page is longer than 65536 bytes"),
        (&free, "x 1", ": cannot connect: Connection refused"),
        (&silent, "x 1", ": closed without an answer"),
        (&web, "x 1", ": this is no answer of a push source: \"HTTP/1.1 400 Bad Request\""),
    ];
    for (to, page, want) in cases {
        let done = push_command(page, &["--to", to, "a"]);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{done:?}");
        assert!(done.err.starts_with(&format!("{to}{want}")), "{want}: {done:?}");
        assert_eq!(done.err.lines().count(), 1, "{done:?}");
    }
    let done = push_command("x 1", &["--to", "unix:///nowhere/push.sock", "a"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("cannot connect: No such file"), "{done:?}");
    assert_eq!(refused(&daemon, "malformed"), 1.0);
}

#[test]
fn a_source_that_takes_no_json_is_told_of() {
    let daemon = with("format: capnp").start();
    let done = push_command("x 1", &["--to", &daemon.listeners[1], "a"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("closed without an answer") || done.err.contains("not all was sent"));
}

#[test]
fn what_is_typed_wrong_is_told() {
    let folder = super::common::Folder::new();
    let latin = folder.file("latin");
    std::fs::write(&latin, b"x 1\ny{l=\"\xe4\"} 1\n").unwrap();
    let latin = latin.display().to_string();
    let blank = folder.write("blank", " \n\n");
    let cases: [(&[&str], i32, &str); 13] = [
        (&[], 2, "APP is missing"),
        (&[""], 2, "is no name of an application: the name is empty"),
        (&["a\nb"], 2, "is no name of an application"),
        (&["a", "--to", "localhost:1"], 2, "begins with none of tcp://"),
        (&["a", "--to", "tcp://localhost"], 2, "is no tcp://HOST:PORT"),
        (&["a", "--to", "unix://x"], 2, "is no unix:///PATH"),
        (&["a", "--to", "http://h/m?x=1"], 2, "has a query"),
        (&["a", "--ttl", "1d"], 2, "--ttl needs --to http://"),
        (&["a", "--to", "http://127.0.0.1:1/m", "--ttl", "9000d"], 2, "longer than a year"),
        (&["a", "/nowhere/page"], 1, "/nowhere/page: No such file"),
        (&["a", &latin], 1, ":2: not UTF-8"),
        (&["a", &blank], 1, "blank: empty: nothing was sent"),
        (&["a"], 1, "standard input: empty: nothing was sent"),
    ];
    for (words, code, needle) in cases {
        let done = fanin(&[&["push"], words].concat());
        assert_eq!(done.code, Some(code), "{words:?}: {done:?}");
        assert!(done.err.contains(needle), "{words:?}: {done:?}");
    }
}
