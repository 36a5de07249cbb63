//! `fanin cert`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::common::command::{Done, run};
use super::common::setup::PROGRAM;
use super::common::{Folder, Setup, fanin};
use super::{assert_page, curl, peers};

fn cert(folder: &Folder, arguments: &[&str]) -> Done {
    let mut command = Command::new(PROGRAM.as_str());
    run(command.arg("cert").args(arguments).current_dir(folder.path()), "")
}

#[test]
fn a_certificate_of_ours_is_good_enough_to_start_with() {
    let Some((authority, program)) = peers("fanin cert") else { return };
    let folder = Folder::new();
    let long = format!("{}.{}", "a".repeat(60), "b".repeat(60));
    let done = cert(&folder, &["localhost", "127.0.0.1", "fd00::1", "*.lan", &long]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert!(done.out.contains("tls: {cert: cert.pem, key: key.pem}"), "{}", done.out);
    let mode = |name: &str| fs::metadata(folder.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("key.pem"), mode("cert.pem") & 0o444), (0o600, 0o444));

    let (pair, key) = (folder.file("cert.pem"), folder.file("key.pem"));
    let (pair, key) = (pair.display().to_string(), key.display().to_string());
    let text = authority.run(&["x509", "-in", &pair, "-noout", "-text"]).out;
    for part in [
        "Version: 3 (0x2)",
        "Issuer: CN = localhost",
        "Subject: CN = localhost",
        "CA:FALSE",
        "Digital Signature",
        "TLS Web Server Authentication",
        "DNS:localhost, IP Address:127.0.0.1, IP Address:FD00:0:0:0:0:0:0:1, DNS:*.lan, DNS:aaaa",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let verified = authority.run(&["verify", "-CAfile", &pair, "-purpose", "sslserver", &pair]);
    assert_eq!(verified.code, Some(0), "{} {}", verified.out, verified.err);

    let tls = format!("tls: {{cert: \"{pair}\", key: \"{key}\"}}");
    let daemon = Setup::new().server_key(&tls).start();
    assert_page("curl", &curl(&program, &daemon, &["--cacert", &pair]));
    // And a fanin that reads it.
    let url = format!("https://localhost:{}/metrics", daemon.addr().rsplit(':').next().unwrap());
    let reader = Setup::new().source_at("a", &url, &format!("tls: {{ca: \"{pair}\"}}"), "");
    let reader = reader.route("/merged", "{merge: a}").start();
    assert_eq!(reader.get("/merged").status, 200, "{}", reader.log.text());

    // Nothing is overwritten, and nothing left behind.
    let again = cert(&folder, &["localhost"]);
    assert_eq!(
        (again.code, again.err.as_str()),
        (Some(1), "fanin cert: key.pem is there already\n")
    );
    let other = cert(&folder, &["localhost", "--key", "other.pem"]);
    assert_eq!(other.code, Some(1));
    assert!(!folder.file("other.pem").exists());
}

#[test]
fn what_is_typed_wrong_is_told() {
    for (arguments, want) in [
        (&["cert"][..], "fanin: HOST is missing"),
        (&["cert", "a b"], "\"a b\" is neither a DNS name nor an IP address"),
        (&["cert", "a..b"], "\"a..b\" is neither"),
        (&["cert", "a", "--days", "0"], "--days: \"0\" is not between 1 and 3650"),
    ] {
        let done = fanin(arguments);
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(done.err.contains(want), "{arguments:?}: {}", done.err);
    }
}
