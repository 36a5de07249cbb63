//! Where pages are brought to: addresses, the files of sockets, and what a reload changes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::common::{LIMIT, Setup};
use super::{one, push, value};

#[test]
fn a_unix_socket_has_its_mode_and_is_gone_at_the_end() {
    let setup = Setup::new();
    let socket = setup.folder().file("push.sock");
    drop(UnixListener::bind(&socket).unwrap()); // a dead one, which is replaced
    let address = "{address: \"unix://push.sock\", mode: 0622, owner: \"0\", group: \"0\"}";
    let address = if rustix::process::getuid().is_root() {
        address
    } else {
        "{address: \"unix://push.sock\", mode: 0622}"
    };
    let setup = setup.pushed("apps", &[address], "", "").route("/merged", "{merge: apps}");
    let mut daemon = setup.start();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o622);

    let mut connection = UnixStream::connect(&socket).unwrap();
    connection.write_all(b"{\"a\": [\"x 1\"]}").unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap(), 0);

    assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(1.0));
    daemon.signal(rustix::process::Signal::TERM);
    assert!(daemon.exit().success());
    assert!(!socket.exists());
}

#[test]
fn pages_outlive_a_reload() {
    let daemon = one().start();
    push(&daemon, b"{\"a\": \"x{site=\\\"there\\\"} 1\", \"b\": \"y 1\"}");
    // With a label that the page was not looked through for.
    let listen = ["\"tcp://127.0.0.1:0\""];
    let setup = Setup::new().pushed("apps", &listen, "ttl: 1h", "labels: {site: here}");
    daemon.rewrite(&setup.route("/merged", "{merge: apps}"));
    daemon.reload();
    assert!(daemon.log_contains("configuration reloaded"));
    let renamed = [("app", "a"), ("site", "here"), ("exported_site", "there")];
    assert_eq!(value(&daemon, "x", &renamed), Some(1.0));
    assert_eq!(value(&daemon, "y", &[("app", "b"), ("site", "here")]), Some(1.0));
    push(&daemon, b"{\"b\": \"y 2\"}");
    assert_eq!(value(&daemon, "y", &[("app", "b"), ("site", "here")]), Some(2.0));
    assert_eq!(daemon.log.lines_with("listening on").len(), 2, "no listener was closed");
}

/// An address goes from the source to the server and back, its listener never closed.
#[test]
fn an_address_changes_sides() {
    let setup = |http: &str, push: &str| {
        let push = format!("\"unix://{push}.sock\"");
        let setup = Setup::new().listen(&format!("unix://{http}.sock"));
        setup.pushed("apps", &[push.as_str()], "", "").route("/merged", "{merge: apps}")
    };
    let ask = |path: &Path, bytes: &[u8]| {
        let mut connection = UnixStream::connect(path).unwrap();
        connection.set_read_timeout(Some(LIMIT)).unwrap();
        connection.write_all(bytes).unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    };
    let daemon = setup("one", "two").start();
    for (round, (http, push)) in [("two", "one"), ("one", "two")].into_iter().enumerate() {
        daemon.rewrite(&setup(http, push));
        daemon.reload();
        assert!(daemon.log.wait_for("configuration reloaded", round + 1).is_some());
        let file = |name: &str| daemon.folder().file(&format!("{name}.sock"));
        let page = format!("{{\"a\": \"x {round}\"}}");
        assert_eq!(ask(&file(push), page.as_bytes()), "", "{round}");
        assert_eq!(value(&daemon, "x", &[("app", "a")]), Some(round as f64));
        let answer = ask(&file(http), b"GET /-/healthy HTTP/1.0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{round}: {answer}");
    }
    assert_eq!(daemon.log.lines_with("listening on").len(), 3, "no listener was closed");
}
