//! Pages carried without a configuration.

use rustix::process::Signal;

use super::GOOD;
use super::common::{Daemon, Exporter, Folder, Hub, Setup, fanin};

#[test]
fn send_is_a_pipe_and_reads_its_token_again() {
    let (node, hub, folder) = (Exporter::serving(GOOD), Hub::taking(), Folder::new());
    let token = folder.write("token", "one\n");
    let mut command = Setup::new().command();
    command.args(["send", "--from", &node.url(), "--to", &hub.url("/metrics/home/pi")]);
    command.args(["--token-file", &token, "--every", "200ms"]);
    let daemon = Daemon::spawn(command, folder, 0);
    let first = hub.wait_for(1).remove(0);
    assert!(first.head.starts_with("PUT /metrics/home/pi HTTP/1.1\r\n"), "{}", first.head);
    assert_eq!(first.field("authorization").as_deref(), Some("Bearer one"));
    assert_eq!(first.page(), GOOD);
    daemon.folder().write("token", "two\n");

    daemon.signal(Signal::HUP);

    assert!(daemon.log_contains("configuration reloaded"), "{}", daemon.log.text());
    let count = hub.wait_for(0).len();
    let last = hub.wait_for(count + 2).pop().unwrap();
    assert_eq!(last.field("authorization").as_deref(), Some("Bearer two"));
}

#[test]
fn what_is_missing_or_wrong_is_told() {
    let (from, to) = ("http://127.0.0.1:1/metrics", "http://127.0.0.1:1/m/a/b");
    let cases: [(&[&str], &str); 5] = [
        (&["--to", to], "--from"),
        (&["--from", from, "--to", "http://127.0.0.1:1"], "has no path"),
        (&["--from", "ftp://x", "--to", to], "begins with neither"),
        (&["--from", from, "--to", to, "--every", "1ms"], "is shorter than 100ms"),
        (&["--from", from, "--to", to, "--token-file", "/nowhere/token"], "--token-file: /nowhere"),
    ];
    for (words, needle) in cases {
        let done = fanin(&[&["send"], words].concat());
        assert_eq!(done.code, Some(2), "{words:?}: {done:?}");
        assert!(done.err.contains(needle), "{words:?}: {done:?}");
    }
}

#[test]
fn each_token_is_another_one() {
    let tokens = [fanin(&["token"]), fanin(&["token"])].map(|done| {
        assert_eq!(done.code, Some(0), "{done:?}");
        done.out
    });
    for token in &tokens {
        assert!(token.len() == 65 && token.trim_end().bytes().all(|b| b.is_ascii_hexdigit()));
    }
    assert_ne!(tokens[0], tokens[1]);
}
