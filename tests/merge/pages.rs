//! The four pages of real exporters, merged with one another and with themselves.

use crate::common::{Exporter, Setup, page};

const PAGES: [(&str, &str); 4] = [
    ("node", include_str!("../pages/node_exporter.prom")),
    ("prometheus", include_str!("../pages/prometheus.prom")),
    ("pushgateway", include_str!("../pages/pushgateway.prom")),
    ("expexp", include_str!("../pages/exporter_exporter.prom")),
];

/// The four pages under two names each, as `alter` makes them, with a route for every pair.
fn setup(alter: impl Fn(&str) -> String) -> (Setup, Vec<Exporter>) {
    let exporters: Vec<_> = PAGES.iter().map(|(_, text)| Exporter::serving(&alter(text))).collect();
    let mut setup = Setup::new();
    for ((name, _), exporter) in PAGES.iter().zip(&exporters) {
        setup = setup.source(name, exporter).source(&format!("{name}2"), exporter);
    }
    for (one, _) in PAGES {
        for (other, _) in PAGES {
            let outlet = format!("{{merge: [{one}, {other}2]}}");
            setup = setup.route(&format!("/{one}-{other}"), &outlet);
        }
    }
    let all = "{merge: [node, prometheus, pushgateway, expexp, node2, expexp2]}";
    (setup.route("/all", all), exporters)
}

/// Samples without the label that the merge adds, in an order that can be compared.
fn sorted(page: &str) -> Vec<page::Sample> {
    let mut all: Vec<_> =
        page::samples(page).into_iter().map(|sample| sample.without("exporter_name")).collect();
    all.sort();
    all
}

#[test]
fn every_pair_keeps_every_sample_and_is_well_formed() {
    let (setup, _exporters) = setup(str::to_owned);
    let daemon = setup.start();
    for (one, first) in PAGES {
        for (other, second) in PAGES {
            let path = format!("/{one}-{other}");
            let reply = daemon.get(&path);
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            page::assert_well_formed(&path, &reply.body);
            assert_eq!(sorted(&reply.body), sorted(&format!("{first}{second}")), "{path}");
        }
    }
}

#[test]
fn six_at_once_keep_every_sample() {
    let (setup, _exporters) = setup(str::to_owned);
    let daemon = setup.start();

    let reply = daemon.get("/all");

    page::assert_well_formed("/all", &reply.body);
    let [node, prometheus, pushgateway, expexp] = PAGES.map(|(_, text)| page::count(text));
    assert_eq!(page::count(&reply.body), 2 * node + prometheus + pushgateway + 2 * expexp);
}

/// CRLF and a missing last line end change nothing; samples before their TYPE and HELP are put
/// behind them.
#[test]
fn repairs_lead_to_the_same_page() {
    let (plain, _kept) = setup(str::to_owned);
    let plain = plain.start();
    let (untidy, _kept_too) = setup(|text| text.replace('\n', "\r\n").trim_end().to_owned());
    let untidy = untidy.start();
    let (shuffled, _kept_as_well) = setup(|text| {
        let (notes, samples): (Vec<_>, Vec<_>) =
            text.lines().partition(|line| line.starts_with('#'));
        format!("{}\n{}\n", samples.join("\n"), notes.join("\n"))
    });
    let shuffled = shuffled.start();
    for path in ["/node-prometheus", "/pushgateway-expexp", "/expexp-expexp", "/all"] {
        let want = plain.get(path).body;
        assert_eq!(untidy.get(path).body, want, "{path}");
        let got = shuffled.get(path).body;
        page::assert_well_formed(path, &got);
        assert_eq!(sorted(&got), sorted(&want), "{path}");
        assert_eq!(page::types(&got), page::types(&want), "{path}");
    }
}

/// One page under two names without a label to tell them apart: the first of each series stays.
#[test]
fn the_same_page_twice_without_a_label_is_that_page() {
    for (name, text) in PAGES {
        let exporter = Exporter::serving(text);
        let daemon = Setup::new()
            .source("one", &exporter)
            .source("two", &exporter)
            .route("/merged", "{merge: {sources: [one, two], label: none}}")
            .start();

        let reply = daemon.get("/merged");

        page::assert_well_formed(name, &reply.body);
        assert_eq!(sorted(&reply.body), sorted(text), "{name}");
    }
}
