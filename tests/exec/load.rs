//! Many commands at once, and too few descriptors for them.

use std::thread;

use super::assert_none_left;
use super::common::{Setup, page, process};

/// `count` scripts in one merge, each with a sample of its own.
fn many(count: usize, script: &str) -> Setup {
    let mut setup = Setup::new().route("/merged", "{merge: {sources: all, label: none}}");
    for n in 0..count {
        let script = script.replace('N', &n.to_string());
        let source = format!("{{exec: {{command: [sh, -c, '{script}']}}}}");
        setup = setup.source_of(&format!("s{n}"), &source);
    }
    setup
}

/// Every page is right, and of the commands nothing is left: no zombie, no descriptor, no thread.
#[test]
fn a_hundred_scripts_over_many_connections() {
    let daemon = many(100, r#"echo "x{n=\"N\"} N"; echo said N >&2"#).limit("connections: 80");
    // Not so many merges wait for each other that the scripts run a thousand times.
    let daemon = daemon.limit("memory: 64MiB").limit("body: 8MiB").start();
    // With the three by which the end of children is noticed, from the first on.
    let before = daemon.descriptors() + 3;
    let timeout = [("X-Prometheus-Scrape-Timeout-Seconds", "60")];
    let reply = daemon.get_with("/merged", &timeout);
    assert_eq!((reply.status, page::count(&reply.body)), (200, 100), "{}", reply.body);
    assert_none_left("the first scrape", &daemon);
    for round in 0..2 {
        thread::scope(|scope| {
            for n in 0..64 {
                let daemon = &daemon;
                scope.spawn(move || {
                    // Another query, another merge: all meet at the sources.
                    let reply = daemon.get_with(&format!("/merged?n={n}"), &timeout);
                    assert_eq!(reply.status, 200, "{round}: {}", reply.body);
                    let samples = page::samples(&reply.body);
                    assert_eq!(samples.len(), 100, "{round}: {}", reply.body);
                    for sample in samples {
                        assert_eq!(sample.label("n"), Some(sample.rest.trim()), "{round}");
                    }
                });
            }
            for _ in 0..20 {
                assert_eq!(daemon.status("Threads"), 2, "{round}");
                let children = process::children(daemon.pid()).len();
                assert!(children <= 64, "{round}: {children} at once");
            }
        });
    }
    assert_none_left("all scrapes", &daemon);
    daemon.until("the descriptors of before", || daemon.descriptors() <= before);
    assert_eq!(daemon.status("Threads"), 2);
}

/// Those that get none fail, and nothing else does.
#[test]
fn out_of_descriptors_is_a_failure_of_single_sources() {
    // Each time another of those that a start needs is the one too many.
    for most in [22, 23, 24, 25, 26] {
        out_of_descriptors(most);
    }
}

fn out_of_descriptors(most: u32) {
    let daemon = many(12, r#"sleep 0.3; echo "x{n=\"N\"} 1""#).descriptors(most).start();
    assert_eq!(daemon.get("/-/healthy").status, 200);
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answered = page::count(&reply.body);
    assert!((1..12).contains(&answered), "{answered} of 12");
    let own = daemon.get("/metrics").body;
    let up: f64 = page::samples(&own)
        .iter()
        .filter(|sample| sample.name == "fanin_source_up")
        .map(|sample| sample.rest.trim().parse::<f64>().unwrap())
        .sum();
    assert_eq!(up, f64::from(u32::try_from(answered).unwrap()), "{own}");
    assert!(daemon.log_contains("cannot start \""), "{}", daemon.log.text());
    assert_eq!(daemon.get("/-/healthy").status, 200);
    assert_none_left("out of descriptors", &daemon);
    // One by one they find room.
    let reply = daemon.get("/merged");
    assert!(page::count(&reply.body) >= 1, "{}", reply.body);
    assert_none_left("once more", &daemon);
    assert_eq!(daemon.status("Threads"), 2);
}
