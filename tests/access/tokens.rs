//! Bearer tokens, which every build has, and what all logins have in common.

use std::time::{Duration, Instant};

use super::common::{Connection, Setup};
use super::{asking, failures, on_socket, reload, with};

#[test]
fn each_of_several_tokens_opens_and_nothing_else_does() {
    let setup = Setup::new();
    setup.folder().write("token", "from-a-file\n");
    let daemon =
        setup.server_key("auth: {bearer_token: [one, two], bearer_token_file: token}").start();
    for login in ["Bearer one", "bearer two", "BEARER  from-a-file "] {
        assert_eq!(with(&daemon, login, "/metrics").status, 200, "{login}");
    }
    for login in ["Bearer three", "Bearer on", "Bearer onee", "Bearer ", "Basic one", "one", ""] {
        let reply = with(&daemon, login, "/metrics");
        assert_eq!(reply.status, 401, "{login}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"fanin\""), "{login}");
        assert_eq!(reply.body, "a login is needed here\n", "{login}");
    }
    let twice = [("Authorization", "Bearer one"), ("Authorization", "Bearer one")];
    assert_eq!(daemon.get_with("/metrics", &twice).status, 401);
    assert_eq!(failures(&with(&daemon, "Bearer one", "/metrics").body), 8.0);
    assert!(daemon.log_contains(": 127.0.0.1: login refused: wrong token"));
    assert!(!daemon.log.text().contains("three"), "{}", daemon.log.text());
}

#[test]
fn all_but_health_needs_a_login() {
    let daemon = asking("{bearer_token: t}").start();
    for (path, want) in [
        ("/", 401),
        ("/metrics", 401),
        ("/nowhere", 401),
        ("/-/reload", 401),
        ("/-/healthy", 200),
        ("/-/ready", 200),
    ] {
        assert_eq!(daemon.get(path).status, want, "{path}");
        assert_eq!(on_socket(&daemon, path, &[]).status, want, "{path}, on a Unix socket");
    }
    assert_eq!(with(&daemon, "Bearer t", "/nowhere").status, 404);
    // Who brought no login did not fail to log in.
    assert_eq!(failures(&with(&daemon, "Bearer t", "/metrics").body), 0.0);
}

#[test]
fn a_reload_needs_the_login_and_no_origin() {
    let daemon = asking("{bearer_token: t}").start();
    let addresses = daemon.listeners.clone();
    for address in &addresses {
        assert_eq!(reload(address, "").status, 401, "{address}");
        let login = "Authorization: Bearer t\r\n";
        assert_eq!(reload(address, &format!("{login}Origin: http://evil\r\n")).status, 403);
        assert_eq!(reload(address, login).status, 200, "{address}");
    }
}

#[test]
fn a_reload_changes_the_tokens_for_kept_connections_too() {
    let daemon = Setup::new().server_key("auth: {bearer_token: old}").start();
    let mut kept = daemon.connect();
    let mut ask = |token: &str| {
        let head =
            format!("GET /metrics HTTP/1.1\r\nHost: f\r\nAuthorization: Bearer {token}\r\n\r\n");
        kept.send(head.as_bytes());
        kept.reply().status
    };
    assert_eq!(ask("old"), 200);
    daemon.rewrite(&Setup::new().server_key("auth: {bearer_token: new}"));
    assert_eq!(reload(daemon.addr(), "Authorization: Bearer old\r\n").status, 200);
    assert_eq!((ask("old"), ask("new")), (401, 200));
}

/// A guess takes a second, and more than four at once are not looked at.
#[test]
fn guesses_are_slowed_down() {
    let daemon = asking("{bearer_token: t}").start();
    let guess = |token: &str| {
        let mut connection = Connection::open(daemon.addr());
        let head =
            format!("GET /metrics HTTP/1.1\r\nHost: f\r\nAuthorization: Bearer {token}\r\n\r\n");
        connection.send(head.as_bytes());
        connection
    };
    let start = Instant::now();
    let mut guesses: Vec<_> = (0..4).map(|number| guess(&format!("g{number}"))).collect();
    daemon.until("the guesses are there", || daemon.log.text().matches("wrong token").count() == 4);
    let reply = guess("t").reply();
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    assert_eq!(on_socket(&daemon, "/metrics", &[("Authorization", "Bearer t")]).status, 200);
    for guess in &mut guesses {
        assert_eq!(guess.reply().status, 401);
    }
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(guess("t").reply().status, 200);
}

#[test]
fn a_file_that_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    for (mode, warned) in [(0o644, true), (0o640, false)] {
        let setup = Setup::new();
        setup.folder().write("token", "t\n");
        let path = setup.folder().file("token");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let daemon = setup.server_key("auth: {bearer_token_file: token}").start();
        assert_eq!(with(&daemon, "Bearer t", "/metrics").status, 200);
        let said = daemon.log.text().contains("everybody on this machine may read it");
        assert_eq!(said, warned, "{mode:o}: {}", daemon.log.text());
    }
}
