//! Files with certificates: what is wrong with them, and when they change.

use std::fs;

use super::common::tls::Authority;
use super::common::{Setup, fanin};
use super::{curl, peers, serving};

#[test]
fn a_new_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let Some((authority, program)) = peers("certificates that change") else { return };
    let Some(other) = Authority::new("another authority") else { return };
    other.issue("server", "localhost");
    let (old, new) = (authority.file("ca.pem"), other.file("ca.pem"));
    let daemon = serving(&authority, "").start();
    let trusts = |ca: &str| curl(&program, &daemon, &["--cacert", ca]).code == Some(0);
    assert!(trusts(&old) && !trusts(&new));

    fs::write(authority.file("server.pem"), "no certificate").unwrap();
    daemon.until("the bad file is seen", || {
        trusts(&old) && daemon.log.text().contains("the certificate in use stays: ")
    });
    fs::copy(other.file("server.key"), authority.file("server.key")).unwrap();
    fs::copy(other.file("server.pem"), authority.file("server.pem")).unwrap();
    daemon.until("the new certificate is used", || trusts(&new));
    assert!(!trusts(&old));
    assert!(daemon.log_contains("server.pem: the certificate was read again"));
}

#[test]
fn bad_files_are_refused_by_check_and_at_the_start() {
    let Some((authority, _)) = peers("bad certificates") else { return };
    authority.issue("other", "localhost");
    authority.issue_with("old", "localhost", "30", None);
    let file = |name: &str| authority.file(name);
    fs::write(file("empty"), "").unwrap();
    let encrypt =
        ["ec", "-in", "server.key", "-aes128", "-passout", "pass:x", "-out", "secret.key"];
    assert_eq!(authority.run(&encrypt).code, Some(0));
    let other_kind = ["genpkey", "-algorithm", "ed25519", "-out", "ed.key"];
    assert_eq!(authority.run(&other_kind).code, Some(0));
    let cases = [
        ("server.pem", "ed.key", "", "the key is neither RSA (2048 bits and more) nor ECDSA on P-"),
        ("none.pem", "server.key", "", "none.pem: no such file"),
        ("empty", "server.key", "", "empty: holds no certificate (BEGIN CERTIFICATE)"),
        ("server.pem", "none.key", "", "none.key: no such file"),
        ("server.pem", "empty", "", "empty: holds no private key (PKCS#8, PKCS#1 or SEC1)"),
        ("server.pem", "secret.key", "", "secret.key: the key is encrypted; keep it"),
        ("server.pem", "other.key", "", "server.pem: the key is not that of the certificate"),
        ("old.pem", "old.key", "", "old.pem: the certificate is of X.509 version 1, and only"),
        ("server.pem", "server.key", "empty", "empty: holds no certificate (BEGIN CERTIFICATE)"),
    ];
    for (cert, key, client_ca, want) in cases {
        let more = match client_ca {
            "" => String::new(),
            name => format!(", client_ca: {}", file(name)),
        };
        let keys = format!("tls: {{cert: {}, key: {}{more}}}", file(cert), file(key));
        let setup = Setup::new().server_key(&keys);
        let path = setup.folder().write("fanin.yaml", &setup.yaml());
        for command in [&["check", &path][..], &["serve", "--config", &path]] {
            let done = fanin(command);
            assert_eq!(done.code, Some(2), "{command:?} {want}: {}", done.err);
            let told = done.err.contains("servers[0].tls: ") && done.err.contains(want);
            assert!(told, "{command:?} {want}: {}", done.err);
        }
    }
}
