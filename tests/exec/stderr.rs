//! What commands say beside their output.

use std::process::Stdio;

use super::common::{Connection, Setup, beat, page};
use super::{assert_none_left, running, scripted};

#[test]
fn standard_error_goes_to_the_log() {
    let script = "echo first >&2; printf '\\033[1m\\377\\r\\n\\n' >&2; echo x 1; printf last >&2";
    let daemon = running(script);
    assert_eq!(daemon.get("/merged").body, "# TYPE x untyped\nx{exporter_name=\"cron\"} 1\n");
    for line in ["first", "\\u{1b}[1m\u{fffd}", "last"] {
        let line = format!("warn  source \"cron\": stderr: {line}");
        assert!(daemon.log_contains(&line), "{line}:\n{}", daemon.log.text());
    }
    assert_eq!(daemon.log.lines_with("stderr").len(), 3, "{}", daemon.log.text());
}

/// A megabyte of it neither stalls the page nor fills the log.
#[test]
fn much_of_it_is_read_and_little_is_logged() {
    let cases = [
        ("lines", "yes complaint | head -c 1000000 >&2; echo x 1", 21),
        ("one line", "head -c 1000000 /dev/zero | tr '\\0' x >&2; echo x 1", 1),
        ("nothing else", "yes complaint | head -c 1000000 >&2", 21),
    ];
    for (name, script, lines) in cases {
        let daemon = running(script);
        let reply = daemon.get("/merged");
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        if lines > 1 {
            assert!(daemon.log_contains("stderr: 99980 more lines left out"), "{name}");
        }
        assert_eq!(daemon.log.lines_with("stderr:").len(), lines, "{name}");
        assert!(daemon.log.text().lines().all(|line| line.len() < 1200), "{name}");
        assert_none_left(name, &daemon);
        if lines > 1 {
            daemon.get("/merged");
            assert_eq!(daemon.log.lines_with("stderr:").len(), lines, "{name}: not so soon");
        }
    }
}

/// The last words of one that is killed are logged too.
#[test]
fn what_it_said_before_its_time_was_over_is_logged() {
    let script = "printf 'waiting for the disk' >&2; exec sleep 30";
    let daemon = scripted(script, "", ", timeout: 400ms").start();
    assert_eq!(daemon.get("/merged").status, 503);
    assert!(daemon.log_contains("source \"cron\": stderr: waiting for the disk"));
    assert_none_left("timeout", &daemon);
}

/// Where nobody reads the log, it is commands that lose their lines, and no page.
#[test]
fn a_log_that_nobody_reads_stalls_no_run() {
    let mut setup = Setup::new().route("/merged", "{merge: {sources: all, label: none}}");
    let script =
        r#"yes $(head -c 1000 /dev/zero | tr "\0" x) | head -n 100 >&2; echo "x{n=\"N\"} 1""#;
    for n in 0..6 {
        let script = script.replace('N', &n.to_string());
        let source = format!("{{exec: {{command: [sh, -c, '{script}']}}}}");
        setup = setup.source_of(&format!("s{n}"), &source);
    }
    let socket = format!("unix://{}", setup.folder().file("x.sock").display());
    let setup = setup.listen(&socket);
    let file = setup.folder().write("fanin.yaml", &setup.yaml());
    let mut command = setup.command();
    command.args(["serve", "--config", &file]).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut left = 1000;
    let mut connection = loop {
        match Connection::try_open(&socket) {
            Ok(connection) => break connection,
            Err(fault) => assert!(left > 0, "{fault}"),
        }
        left -= 1;
        beat(10);
    };
    for _ in 0..3 {
        connection.ask("/merged");
        let reply = connection.try_reply();
        let (status, count) =
            reply.map(|reply| (reply.status, page::count(&reply.body))).unwrap_or_default();
        if (status, count) != (200, 6) {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{status}, {count} samples");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
