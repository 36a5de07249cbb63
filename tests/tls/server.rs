//! A server's certificate, and what it speaks.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::common::{Connection, Exporter, Setup, page};
use super::{assert_page, curl, peers, serving};

#[test]
fn curl_reads_the_page_by_both_versions_and_no_older_one() {
    let Some((authority, program)) = peers("versions of TLS") else { return };
    let daemon = serving(&authority, "").start();
    let ca = authority.file("ca.pem");
    for version in ["1.2", "1.3"] {
        let done = curl(&program, &daemon, &["--cacert", &ca, "--tlsv1.2", "--tls-max", version]);
        assert_page(version, &done);
    }
    let old = ["s_client", "-connect", daemon.addr(), "-tls1_1", "-cipher", "ALL@SECLEVEL=0"];
    let done = authority.run(&old);
    assert_ne!(done.code, Some(0), "{}", done.out);
    assert!(done.err.contains("alert handshake failure"), "{}", done.err);
    let done = curl(&program, &daemon, &[]);
    assert_eq!(done.code, Some(60), "an authority that curl does not know: {}", done.err);
    assert!(daemon.log_contains("TLS handshake: the other side refuses: UnknownCA"));
    let done = curl(&program, &daemon, &["--cacert", &ca]);
    assert_eq!(
        page::value(&done.out.replace("\n200", ""), "fanin_tls_handshake_failures_total", &[]),
        Some(2.0)
    );
}

#[test]
fn a_key_may_be_of_any_usual_form() {
    let Some((authority, program)) = peers("forms of keys") else { return };
    let ca = authority.file("ca.pem");
    let traditional = ["ec", "-in", "server.key", "-out", "sec1.key"];
    assert_eq!(authority.run(&traditional).code, Some(0));
    let rsa =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext"];
    let names = ["subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    let files = ["-keyout", "rsa.key", "-out", "rsa.pem"];
    assert_eq!(authority.run(&[&rsa[..], &names[..], &files[..]].concat()).code, Some(0));
    let pkcs1 = ["rsa", "-in", "rsa.key", "-traditional", "-out", "pkcs1.key"];
    assert_eq!(authority.run(&pkcs1).code, Some(0));
    for (cert, key, begins) in [
        ("server.pem", "server.key", "-----BEGIN PRIVATE KEY"),
        ("server.pem", "sec1.key", "-----BEGIN EC PRIVATE KEY"),
        ("rsa.pem", "pkcs1.key", "-----BEGIN RSA PRIVATE KEY"),
    ] {
        let (cert, key) = (authority.file(cert), authority.file(key));
        assert!(std::fs::read_to_string(&key).unwrap().starts_with(begins), "{key}");
        let daemon = Setup::new().server_key(&format!("tls: {{cert: {cert}, key: {key}}}")).start();
        let trusted = if cert.ends_with("rsa.pem") { &cert } else { &ca };
        assert_page(&key, &curl(&program, &daemon, &["--cacert", trusted]));
    }
}

#[test]
fn tls_is_spoken_on_unix_sockets_too() {
    let Some((authority, program)) = peers("TLS on a Unix socket") else { return };
    let setup = serving(&authority, "");
    let socket = setup.folder().file("fanin.sock").display().to_string();
    let daemon = setup.listen(&format!("unix://{socket}")).start();
    let ca = authority.file("ca.pem");
    assert_page("unix", &curl(&program, &daemon, &["--unix-socket", &socket, "--cacert", &ca]));
}

/// A merge leaves in many pieces, and packed.
#[test]
fn large_pages_arrive_whole() {
    let Some((authority, program)) = peers("large pages over TLS") else { return };
    let text = super::common::big_page(3 << 20);
    let exporter = Exporter::serving(&text);
    let setup = serving(&authority, "").source("a", &exporter).limit("memory: 64MiB");
    let setup = setup.route("/metrics", "{merge: {sources: [a], label: none}}");
    let daemon = setup.route("/proxy", "{proxy: a}").start();
    let ca = authority.file("ca.pem");
    for arguments in
        [&["--cacert", &ca][..], &["--cacert", &ca, "--compressed"], &["--cacert", &ca, "-0"]]
    {
        let done = curl(&program, &daemon, arguments);
        let got = done.out.strip_suffix("\n200").unwrap_or_else(|| panic!("{}", done.err));
        assert_eq!(page::count(got), page::count(&text), "{arguments:?}");
    }
}

#[test]
fn a_peer_that_may_not_come_is_left_without_a_word() {
    let Some((authority, _)) = peers("allow and TLS") else { return };
    let daemon = serving(&authority, "").server_key("allow: [10.0.0.0/8]").start();
    let mut stream = TcpStream::connect(daemon.addr()).unwrap();
    stream.set_read_timeout(Some(super::common::LIMIT)).unwrap();
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes);
    assert_eq!(bytes, b"");
}

#[test]
fn what_is_no_tls_is_refused() {
    let Some((authority, _)) = peers("plain HTTP at a TLS port") else { return };
    let daemon = serving(&authority, "").start();
    let mut connection = daemon.connect();
    connection.send(b"GET / HTTP/1.1\r\nHost: fanin\r\n\r\n");
    let answer = connection.drain();
    assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
    assert!(daemon.log_contains("127.0.0.1: TLS handshake: what came is no TLS"));
}

/// A thousand that connect and say nothing, and as many that say half a hello.
#[test]
fn silent_handshakes_hold_up_nobody() {
    let Some((authority, program)) = peers("silent handshakes") else { return };
    let daemon = serving(&authority, "").descriptors(4096).start();
    let ca = authority.file("ca.pem");
    let _most = rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: Some(4096), maximum: Some(4096) },
    );
    for said in [&b""[..], &[22, 3, 1, 0, 200, 1, 0, 0]] {
        let mut silent = Vec::new();
        for _ in 0..1000 {
            let mut connection = Connection::open(daemon.addr());
            let _gave_way = connection.try_send(said);
            silent.push(connection);
        }
        let start = Instant::now();
        assert_page("scrape", &curl(&program, &daemon, &["--cacert", &ca]));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(1), "{} bytes said: {took:?}", said.len());
    }
}

/// A connection that waits for a handshake does not keep the program from ending.
#[test]
fn it_ends_while_somebody_says_nothing() {
    let Some((authority, _)) = peers("an end with silent peers") else { return };
    let mut daemon = serving(&authority, "").start();
    let mut silent = daemon.connect();
    daemon.until("the connection is there", || daemon.sockets() > 1 && daemon.holds(&silent));
    let start = Instant::now();
    daemon.signal(rustix::process::Signal::TERM);
    assert!(silent.ended());
    assert!(daemon.exit().success());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}
