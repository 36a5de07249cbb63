//! Slow, endless, cut-off and malformed peers, one test per limit, from either end. While they
//! attack, an ordinary scrape is still answered.

#[path = "hostile/clients.rs"]
mod clients;
mod common;
#[path = "hostile/exporters.rs"]
mod exporters;
#[path = "hostile/slots.rs"]
mod slots;
#[path = "hostile/smuggling.rs"]
mod smuggling;

use common::{Daemon, page};

/// What the well-behaved exporter says.
const GOOD: &str = "# TYPE up gauge\nup 1\n";

/// Scrapes `/side`, a merge of one well-behaved exporter, as Prometheus would.
fn assert_ordinary_scrape(during: &str, daemon: &Daemon) {
    let reply = daemon.get("/side");
    assert_eq!(reply.status, 200, "{during}: {}", reply.body);
    assert_eq!(page::count(&reply.body), 1, "{during}: {}", reply.body);
}
