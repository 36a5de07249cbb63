//! `web_config`: the file that other exporters have.

use super::common::tls::Authority;
use super::common::{Setup, fanin};
use super::{assert_page, curl, peers};

/// Of `secret`, at cost 10.
const HASH: &str = "$2y$10$hfrjbbVvO3.5ak/wdh2FFeEvU6h7bbSUjhFBjVfSYHULMNXIil.9G";

/// A server with this web configuration, of which the names of files are those of `authority`.
fn with(authority: &Authority, text: &str) -> Setup {
    let setup = Setup::new();
    let folder = authority.file("");
    setup.folder().write("web.yml", &text.replace("DIR/", &folder));
    setup.server_key("web_config: web.yml")
}

#[test]
fn certificates_users_and_fields_are_taken_from_it() {
    let Some((authority, program)) = peers("a web configuration") else { return };
    authority.issue("me", "me.lan");
    let text = format!(
        "tls_server_config:\n  cert_file: DIR/server.pem\n  key_file: DIR/server.key\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: DIR/ca.pem\n  \
         min_version: TLS13\n  prefer_server_cipher_suites: true\n\
         http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n    \
         Strict-Transport-Security: max-age=31536000\n\
         basic_auth_users:\n  me: {HASH}\n"
    );
    let daemon = with(&authority, &text).start();
    let (ca, cert, key) =
        (authority.file("ca.pem"), authority.file("me.pem"), authority.file("me.key"));
    let shown = ["--cacert", &ca, "--cert", &cert, "--key", &key];
    let login = ["--user", "me:secret"];
    let done = curl(&program, &daemon, &[&shown[..], &login, &["--include"]].concat());
    assert_page("all of it", &done);
    assert!(done.out.contains("\r\nX-Frame-Options: deny\r\n"), "{}", done.out);
    assert!(
        done.out.contains("\r\nStrict-Transport-Security: max-age=31536000\r\n"),
        "{}",
        done.out
    );
    let done = curl(&program, &daemon, &[&shown[..], &["--include"]].concat());
    assert!(done.out.ends_with("\n401") && done.out.contains("X-Frame-Options"), "{}", done.out);
    let done = curl(&program, &daemon, &[&["--cacert", &ca], &login[..]].concat());
    assert!(done.out.ends_with("\n000"), "no certificate: {}", done.out);
    let old = [&shown[..], &login, &["--tls-max", "1.2"]].concat();
    assert!(curl(&program, &daemon, &old).out.ends_with("\n000"), "TLS 1.2");
}

#[test]
fn a_certificate_may_be_optional() {
    let Some((authority, program)) = peers("optional certificates") else { return };
    let Some(other) = Authority::new("another authority") else { return };
    other.issue("me", "me.lan");
    let text = "tls_server_config: {cert_file: DIR/server.pem, key_file: DIR/server.key, \
                client_auth_type: VerifyClientCertIfGiven, client_ca_file: DIR/ca.pem}\n";
    let daemon = with(&authority, text).start();
    let ca = authority.file("ca.pem");
    assert_page("none", &curl(&program, &daemon, &["--cacert", &ca]));
    let (cert, key) = (other.file("me.pem"), other.file("me.key"));
    let done = curl(&program, &daemon, &["--cacert", &ca, "--cert", &cert, "--key", &key]);
    assert!(done.out.ends_with("\n000"), "of another authority: {}", done.out);
}

#[test]
fn an_empty_one_asks_for_nothing() {
    let setup = Setup::new();
    setup.folder().write("web.yml", "{}\n");
    let daemon = setup.server_key("web_config: web.yml").start();
    assert_eq!(daemon.get("/metrics").status, 200);
}

#[test]
fn what_is_not_taken_is_refused() {
    let pair = "cert_file: c, key_file: k";
    let tls = |more: &str| format!("tls_server_config: {{{pair}, {more}}}\n");
    let cases = [
        (
            tls("min_version: TLS10"),
            "web.yml:1:61: tls_server_config.min_version: \"TLS10\" is neither",
        ),
        (
            tls("cipher_suites: [x]"),
            "tls_server_config.cipher_suites: \"cipher_suites\" is not built yet",
        ),
        (tls("client_ca_file: x"), "tls_server_config: client_ca_file and a client_auth_type that"),
        (
            tls("client_auth_type: RequireAnyClientCert"),
            "takes certificates of anybody, which is not",
        ),
        (tls("min_version: TLS13, max_version: TLS12"), "min_version is above max_version"),
        ("tls_server_config: {cert_file: c}\n".to_owned(), "a key_file is missing"),
        ("rate_limit: {interval: 1s}\n".to_owned(), "rate_limit: \"rate_limit\" is not built yet"),
        ("basic_auth_users: {me: secret}\n".to_owned(), "basic_auth_users.me: is no bcrypt hash"),
        (
            "http_server_config: {headers: {X-Other: x}}\n".to_owned(),
            "\"X-Other\" is none of Content-Security-Policy, Strict-Transport-Security, X-Content",
        ),
        ("colour: green\n".to_owned(), "\"colour\" is unknown here; allowed: tls_server_config,"),
    ];
    for (text, want) in cases {
        let setup = Setup::new().server_key("web_config: web.yml");
        setup.folder().write("web.yml", &text);
        let path = setup.folder().write("fanin.yaml", &setup.yaml());
        let done = fanin(&["check", &path]);
        assert_eq!(done.code, Some(2), "{text}: {}", done.err);
        assert!(done.err.contains(want), "{text}: {}", done.err);
        assert!(
            done.err.contains("servers[0].web_config: \"web.yml\" is refused: "),
            "{}",
            done.err
        );
        assert!(!done.err.contains("secret"), "{}", done.err);
    }
    let setup = Setup::new().server_key("web_config: none.yml");
    let path = setup.folder().write("fanin.yaml", &setup.yaml());
    let done = fanin(&["check", &path]);
    assert!(done.err.contains("none.yml: No such file"), "{}", done.err);
}
