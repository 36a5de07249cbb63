//! Sources that are reached by TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use rustls::{HandshakeKind, ServerConnection, StreamOwned};

use super::common::tls::{Authority, server};
use super::common::{Daemon, Exporter, Setup, page};
use super::{peers, serving};

/// A fanin at `/merged` of which the page of another one, at `url`, is merged.
fn reading(url: &str, inside: &str) -> Daemon {
    let setup = Setup::new().source_at("cron", url, inside, "");
    setup.route("/merged", "{merge: {sources: [cron], label: none}}").start()
}

#[test]
fn a_server_is_believed_that_its_authority_has_certified() {
    let Some((authority, _)) = peers("sources over TLS") else { return };
    let Some(other) = Authority::new("another authority") else { return };
    authority.issue_with("expired", "x", "-1", Some("subjectAltName=DNS:localhost,IP:127.0.0.1"));
    let far = serving(&authority, "").start();
    let expired =
        Setup::new().server_key(&format!("tls: {}", authority.keys("expired", ""))).start();
    let port = |daemon: &Daemon| daemon.addr().rsplit(':').next().unwrap().to_owned();
    let (ca, other) = (authority.file("ca.pem"), other.file("ca.pem"));
    let ip = |daemon: &Daemon| format!("https://127.0.0.1:{}/metrics", port(daemon));
    let named = format!("https://localhost:{}/metrics", port(&far));
    let good = [
        (named, format!("ca: {ca}")),
        (ip(&far), format!("ca: {ca}")),
        (ip(&far), format!("ca: {ca}, server_name: localhost")),
        (ip(&expired), "insecure_skip_verify: true".to_owned()),
    ];
    for (url, tls) in good {
        let daemon = reading(&url, &format!("tls: {{{tls}}}"));
        let reply = daemon.get("/merged");
        assert_eq!(reply.status, 200, "{url} {tls}: {}", reply.body);
        assert!(page::value(&reply.body, "fanin_connections", &[]).is_some(), "{}", reply.body);
        let blind = daemon.log.text().contains("source \"cron\" takes any certificate");
        assert_eq!(blind, tls.starts_with("insecure"), "{url} {tls}");
    }
    let bad = [
        (ip(&far), format!("ca: {other}"), "is of no authority that is trusted here"),
        (ip(&far), "{}".to_owned(), "is of no authority that is trusted here"),
        (ip(&far), format!("ca: {ca}, server_name: elsewhere"), "is for another name"),
        (ip(&expired), format!("ca: {ca}"), "has expired"),
    ];
    for (url, tls, why) in bad {
        let inside = if tls == "{}" { String::new() } else { format!("tls: {{{tls}}}") };
        let said = reading(&url, &inside).failed(&tls, "tls");
        let want = format!("TLS with {}: the certificate {why}", &url[8..url.len() - 8]);
        assert!(said.contains(&want), "{tls}: {said}");
    }
    let plain = Exporter::talking(|conversation| {
        conversation.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
    let url = format!("https://{}/metrics", plain.addr);
    assert!(reading(&url, "").failed("plain", "tls").contains("what came is no TLS"));
}

#[test]
fn a_source_shows_its_certificate() {
    let Some((authority, _)) = peers("clients' certificates of sources") else { return };
    authority.issue("me", "fanin.lan");
    let more = format!(", client_ca: {}", authority.file("ca.pem"));
    let far = serving(&authority, &more).start();
    let url = format!("https://{}/metrics", far.addr());
    let ca = format!(", ca: {}", authority.file("ca.pem"));
    let daemon = reading(&url, &format!("tls: {}", authority.keys("me", &ca)));
    assert_eq!(daemon.get("/merged").status, 200, "{}", daemon.log.text());
    let without = reading(&url, &format!("tls: {{ca: {}}}", authority.file("ca.pem")));
    without.failed("without", "closed");
}

/// An upstream that speaks TLS, answers one request a connection, and tells how each was agreed upon.
fn closing() -> (String, mpsc::Receiver<Option<HandshakeKind>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (kinds, seen) = mpsc::channel();
    let config = server();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let tls = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(tls, stream);
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\
                          Connection: close\r\n\r\nup 1\n";
            let _ = stream.write_all(answer.as_bytes());
            let _ = kinds.send(stream.conn.handshake_kind());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (address, seen)
}

#[test]
fn sessions_are_resumed() {
    let (address, seen) = closing();
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/tls/cert.pem");
    let daemon = reading(&format!("https://{address}/"), &format!("tls: {{ca: {ca}}}"));
    for want in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        assert_eq!(daemon.get("/merged").status, 200, "{}", daemon.log.text());
        assert_eq!(seen.recv_timeout(super::common::LIMIT), Ok(Some(want)));
    }
}

/// Two scrapes over one connection cost one handshake.
#[test]
fn connections_are_kept() {
    let Some((authority, _)) = peers("kept connections over TLS") else { return };
    let far = serving(&authority, "").start();
    let url = format!("https://{}/metrics", far.addr());
    let daemon = reading(&url, &format!("tls: {{ca: {}}}", authority.file("ca.pem")));
    let before = daemon.sockets();
    let connections = |body: &str| page::value(body, "fanin_connections", &[]);
    for _ in 0..3 {
        assert_eq!(connections(&daemon.get("/merged").body), Some(1.0));
    }
    // The listener, the connection that is kept, and nothing of those before.
    daemon.until("one connection is left", || daemon.sockets() == before + 1);
}

#[test]
fn a_redirect_to_tls_is_followed_and_shows_nothing() {
    let Some((authority, _)) = peers("redirects to TLS") else { return };
    let far = serving(&authority, "").server_key("auth: {bearer_token: t}").start();
    let to = format!("https://{}/-/healthy", far.addr());
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let near = Exporter::answering(answer);
    let ca = authority.file("ca.pem");
    let login = "auth: {bearer_token: t}";
    let url = format!("http://{}/", near.addr);
    // It gets there and is not let in: the token stays behind.
    let to_metrics = Exporter::answering(format!(
        "HTTP/1.1 302 Found\r\nLocation: https://{}/metrics\r\nContent-Length: 0\r\n\r\n",
        far.addr()
    ));
    let inside = format!("tls: {{ca: {ca}}}, redirects: any, {login}");
    let there = reading(&format!("http://{}/", to_metrics.addr), &inside);
    assert!(there.failed("token", "status").contains("answered 401"), "{}", there.log.text());
    reading(&url, login).failed("same place only", "redirect");
}
