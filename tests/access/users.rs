//! Users with passwords.

use std::process::Command;
use std::time::Instant;

use super::common::command::run;
use super::common::{Setup, fanin_reading, peers};
use super::{asking, failures, with};

/// Of `secret`, at cost 10.
const HASH: &str = "$2y$10$hfrjbbVvO3.5ak/wdh2FFeEvU6h7bbSUjhFBjVfSYHULMNXIil.9G";

/// `me:secret`, `me:wrong` and `you:secret`, as `Authorization` has them.
const RIGHT: &str = "Basic bWU6c2VjcmV0";
const WRONG: &str = "Basic bWU6d3Jvbmc=";
const UNKNOWN: &str = "Basic eW91OnNlY3JldA==";

fn hash(password: &str, cost: &str) -> String {
    let done = fanin_reading(&format!("{password}\n"), &["hash-password", "--cost", cost]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{password}");
    done.out.trim_end().to_owned()
}

#[test]
fn a_password_that_was_hashed_here_opens() {
    let setup = Setup::new();
    setup.folder().write("hash", &format!("{}\n", hash("other", "4")));
    let auth = format!("{{basic: {{me: \"{}\"}}, basic_file: {{you: hash}}}}", hash("secret", "4"));
    let daemon = setup.server_key(&format!("auth: {auth}")).start();
    let other = "Basic eW91Om90aGVy";
    for (login, want) in
        [(RIGHT, 200), (WRONG, 401), (UNKNOWN, 401), (other, 200), ("Basic !", 401), (RIGHT, 200)]
    {
        let reply = with(&daemon, login, "/metrics");
        assert_eq!(reply.status, want, "{login}");
        if want == 401 {
            let asked = reply.header("www-authenticate");
            assert_eq!(asked, Some("Basic realm=\"fanin\", charset=\"UTF-8\""), "{login}");
        }
    }
    assert_eq!(failures(&with(&daemon, RIGHT, "/metrics").body), 3.0);
    let log = daemon.log.text();
    assert!(log.contains(": 127.0.0.1: login refused: wrong user or password"), "{log}");
    assert!(!log.contains("me:") && !log.contains("bWU6") && !log.contains("$2y$"), "{log}");
}

#[test]
fn tokens_and_users_open_the_same_server() {
    let daemon = asking(&format!("{{bearer_token: t, basic: {{me: \"{HASH}\"}}}}")).start();
    assert_eq!(with(&daemon, "Bearer t", "/").status, 200);
    assert_eq!(with(&daemon, RIGHT, "/").status, 200);
    let reply = daemon.get("/");
    let asked = reply.headers.iter().filter(|(name, _)| name == "www-authenticate").count();
    assert_eq!((reply.status, asked), (401, 2));
}

/// The second time costs no bcrypt: at cost 12, thirty of them would take many seconds.
#[test]
fn a_password_is_paid_for_once() {
    let daemon = asking(&format!("{{basic: {{me: \"{}\"}}}}", hash("secret", "12"))).start();
    assert_eq!(with(&daemon, RIGHT, "/-/reload").status, 405);
    let before = daemon.ticks();
    let start = Instant::now();
    for _ in 0..30 {
        assert_eq!(with(&daemon, RIGHT, "/metrics").status, 200);
    }
    let (ticks, took) = (daemon.ticks() - before, start.elapsed());
    assert!(ticks < 100, "{ticks} ticks in {took:?}");
}

/// Others are served while a password is checked.
#[test]
fn a_check_holds_up_nobody() {
    let daemon = asking(&format!("{{basic: {{me: \"{}\"}}}}", hash("secret", "13"))).start();
    let mut slow = daemon.connect();
    let head = format!("GET / HTTP/1.1\r\nHost: f\r\nAuthorization: {RIGHT}\r\n\r\n");
    slow.send(head.as_bytes());
    daemon.until("the helper thread", || daemon.status("Threads") > 2);
    // Another one of this peer does not wait.
    let busy = with(&daemon, WRONG, "/");
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("1")));
    for _ in 0..10 {
        assert_eq!(daemon.get("/-/healthy").status, 200);
    }
    assert_eq!(slow.reply().status, 200);
}

#[test]
fn hash_password_says_what_is_wrong() {
    for (input, arguments, code, want) in [
        ("", &[][..], 1, "fanin hash-password: the password is empty\n"),
        ("\n", &[], 1, "fanin hash-password: the password is empty\n"),
        ("x", &["--cost", "3"], 2, "fanin: --cost: \"3\" is not between 4 and 15"),
        ("x", &["--cost", "16"], 2, "fanin: --cost: \"16\" is not between 4 and 15"),
    ] {
        let done = fanin_reading(input, &[&["hash-password"], arguments].concat());
        assert_eq!((done.code, done.out.as_str()), (Some(code), ""), "{input:?} {arguments:?}");
        assert!(done.err.starts_with(want), "{input:?} {arguments:?}: {}", done.err);
    }
    let done = fanin_reading(&"x".repeat(73), &["hash-password", "--cost", "4"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("more than 72 bytes"), "{}", done.err);
}

#[test]
fn curl_logs_in() {
    let Some(curl) = peers::find("curl logs in", &["curl"]) else { return };
    let daemon = asking(&format!("{{basic: {{me: \"{HASH}\"}}}}")).start();
    let url = format!("http://{}/metrics", daemon.addr());
    for (login, want) in [("me:secret", "200"), ("me:wrong", "401")] {
        let mut command = Command::new(&curl);
        command.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        let done = run(command.args(["--user", login, &url]), "");
        assert_eq!(done.out, want, "{login}: {}", done.err);
    }
}
