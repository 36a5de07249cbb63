//! Clients' certificates.

use super::common::peers::{Prometheus, find, free_port};
use super::common::tls::Authority;
use super::common::{Exporter, LIMIT, Setup};
use super::{assert_page, curl, peers, serving};

/// What a server that asks for certificates has.
fn asking(authority: &Authority) -> Setup {
    let more =
        format!(", client_ca: {}, client_match: \"^prometheus\\\\.\"", authority.file("ca.pem"));
    serving(authority, &more)
}

#[test]
fn only_a_matching_certificate_of_the_authority_opens() {
    let Some((authority, program)) = peers("clients' certificates") else { return };
    let Some(other) = Authority::new("another authority") else { return };
    let names = |names: &str| format!("subjectAltName={names}");
    authority.issue("good", "prometheus.lan");
    authority.issue_with("dns", "x", "30", Some(&names("DNS:a.lan,DNS:prometheus.lan")));
    authority.issue_with("mail", "x", "30", Some(&names("email:prometheus.me@lan")));
    authority.issue("name", "grafana.prometheus.lan");
    authority.issue_with("expired", "prometheus.lan", "-1", Some(&names("DNS:localhost")));
    authority.issue_with("old", "prometheus.lan", "30", None);
    other.issue("good", "prometheus.lan");
    let daemon = asking(&authority).start();
    let ca = authority.file("ca.pem");
    let get = |from: Option<(&Authority, &str)>, version: &str| {
        let pair = from.map(|(from, name)| {
            (from.file(&format!("{name}.pem")), from.file(&format!("{name}.key")))
        });
        let mut arguments = vec!["--cacert", &ca, "--tls-max", version];
        if let Some((cert, key)) = &pair {
            arguments.extend(["--cert", cert, "--key", key]);
        }
        curl(&program, &daemon, &arguments)
    };
    for version in ["1.2", "1.3"] {
        for name in ["good", "dns", "mail"] {
            assert_page(name, &get(Some((&authority, name)), version));
        }
        for (from, why) in [
            (None, "no client certificate"),
            (Some((&other, "good")), "the certificate is of no authority that is trusted here"),
            (Some((&authority, "expired")), "the certificate has expired"),
            (
                Some((&authority, "name")),
                "client_match fits none of its names (grafana.prometheus.lan, localhost)",
            ),
            (
                Some((&authority, "old")),
                "the certificate is of X.509 version 1, and only version 3",
            ),
        ] {
            let before = daemon.log.text().matches(why).count();
            let done = get(from, version);
            assert!(done.out.ends_with("\n000"), "{version} {why}: {}", done.out);
            assert_ne!(done.code, Some(0), "{version} {why}");
            daemon.until(why, || daemon.log.text().matches(why).count() > before);
        }
    }
    // The log has them with the peer, and no more of them than it should.
    assert!(daemon.log_contains("warn  tcp://127.0.0.1:0: 127.0.0.1: TLS handshake: no client"));
}

#[test]
fn certificate_and_login_are_both_needed() {
    let Some((authority, program)) = peers("certificates and tokens") else { return };
    authority.issue("good", "prometheus.lan");
    let daemon = asking(&authority).server_key("auth: {bearer_token: t}").start();
    let (ca, cert, key) =
        (authority.file("ca.pem"), authority.file("good.pem"), authority.file("good.key"));
    let shown = ["--cacert", &ca, "--cert", &cert, "--key", &key];
    let login = ["--header", "Authorization: Bearer t"];
    assert_page("both", &curl(&program, &daemon, &[&shown[..], &login].concat()));
    let done = curl(&program, &daemon, &shown);
    assert!(done.out.ends_with("\n401"), "{}", done.out);
    let done = curl(&program, &daemon, &[&["--cacert", &ca][..], &login].concat());
    assert!(done.out.ends_with("\n000"), "{}", done.out);
}

/// The recipe of the README.
#[test]
fn prometheus_scrapes_with_a_matching_certificate_alone() {
    let what = "Prometheus and mutual TLS";
    let (Some(authority), Some(program)) = (Authority::new(what), find(what, &["prometheus"]))
    else {
        return;
    };
    authority.issue("server", "localhost");
    authority.issue("good", "prometheus.lan");
    authority.issue("bad", "grafana.lan");
    let exporter = Exporter::serving("# TYPE up_there gauge\nup_there 7\n");
    let daemon =
        asking(&authority).source("a", &exporter).route("/metrics", "{merge: [self, a]}").start();
    let job = |name: &str| {
        format!(
            "  - job_name: {name}\n    scheme: https\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    \
             tls_config: {{ca_file: {}, cert_file: {}, key_file: {}}}\n    \
             static_configs: [{{targets: [\"{}\"]}}]\n",
            authority.file("ca.pem"),
            authority.file(&format!("{name}.pem")),
            authority.file(&format!("{name}.key")),
            daemon.addr()
        )
    };
    let config = format!("scrape_configs:\n{}{}", job("good"), job("bad"));
    let prometheus = Prometheus::start(program, free_port(), &config);
    let until = std::time::Instant::now() + LIMIT;
    let both =
        || (prometheus.query("up{job=\"good\"} == 1"), prometheus.query("up{job=\"bad\"} == 0"));
    while both() != (Some(1.0), Some(0.0)) {
        assert!(std::time::Instant::now() < until, "{:?}:\n{}", both(), daemon.log.text());
        super::common::beat(100);
    }
    assert_eq!(prometheus.query("up_there{job=\"good\"}"), Some(7.0));
    assert!(daemon.log_contains("client_match fits none of its names (grafana.lan, localhost)"));
}
