//! Pipes into programs of others.

use std::process::Command;

use super::common::daemon::get_at;
use super::common::peers::{Peer, find, free_port};
use super::common::{Exporter, Setup, page};

#[test]
fn a_pushgateway_takes_pages_and_says_what_is_wrong() {
    let names = ["prometheus-pushgateway", "pushgateway"];
    let Some(program) = find("pages into a Pushgateway", &names) else { return };
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(program);
    command.arg(format!("--web.listen-address={address}"));
    let _gateway = Peer::accepting(&mut command, &address).unwrap();
    let node = Exporter::serving(&super::big_page(6000));
    let dated = Exporter::serving("# TYPE up gauge\nup 1 1700000000000\n");
    let to = |group: &str| format!("http://{address}/metrics/job/{group}");
    let (good, bad) = (to("pi/instance/kitchen"), to("dated"));
    let daemon = Setup::new()
        .source("node", &node)
        .source("dated", &dated)
        .pipe(&format!("from: node, to: \"{good}\", every: 200ms, protocol: pushgateway"))
        .pipe(&format!("from: dated, to: \"{bad}\", every: 200ms, protocol: pushgateway"))
        .start();

    daemon.until("a page taken", || daemon.own("fanin_pipe_up", &[("pipe", &*good)]) == Some(1.0));
    daemon.until("a page refused", || daemon.own("fanin_pipe_up", &[("pipe", &*bad)]) == Some(0.0));

    let scraped = get_at(&address, "/metrics", &[]).unwrap().body;
    let labels = [("job", "pi"), ("instance", "kitchen"), ("device", "disk3")];
    assert!(page::value(&scraped, "big_0", &labels).is_some(), "{scraped}");
    assert!(daemon.log_contains("answered 400: "), "{}", daemon.log.text());
    assert!(daemon.log_contains("timestamp"), "it says why: {}", daemon.log.text());
}
