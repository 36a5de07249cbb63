//! What the black-box tests share: a scripted upstream, the real program, a strict reader of what
//! it answers, and the tools of others that judge it.
//!
//! Nothing here sleeps to let something happen: readiness is a log line, an answer or a count.
//! Every wait ends after [`LIMIT`].
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and each test file uses another part of this"
)]

pub mod command;
pub mod daemon;
pub mod exporter;
pub mod folder;
pub mod gate;
pub mod hub;
pub mod log;
pub mod moonraker;
#[cfg(all(feature = "pipe", feature = "push", feature = "tls"))]
pub mod netns;
pub mod page;
pub mod peers;
pub mod process;
pub mod push;
pub mod reply;
pub mod setup;
#[cfg(feature = "tls")]
pub mod tls;
pub mod wire;

use std::sync::mpsc;
use std::time::Duration;

pub use command::{Done, fanin, fanin_reading};
pub use daemon::Daemon;
pub use exporter::{Conversation, Exporter};
pub use folder::Folder;
pub use gate::Gate;
pub use hub::Hub;
pub use moonraker::Moonraker;
pub use reply::Reply;
pub use setup::Setup;
pub use wire::Connection;

/// The longest that any single wait may take; a test that needs it has failed.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Whether the tests of this file speak TLS with the program, whatever they are about. Its tests
/// are those of `hostile.rs`.
pub const OVER_TLS: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"hostile_tls");

/// The rhythm of a slow peer: the time between two of its bytes, or two looks at a counter. Not a
/// means to wait for something in the hope that it has happened.
pub fn pace(time: Duration) {
    let (_kept, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// `pace` in milliseconds.
pub fn beat(milliseconds: u64) {
    pace(Duration::from_millis(milliseconds));
}

/// A page of about `bytes` bytes: gauges `big_NUMBER` of 64 series each, all of them distinct.
pub fn big_page(bytes: usize) -> String {
    use std::fmt::Write as _;
    let mut page = String::with_capacity(bytes + 8192);
    let mut family = 0_u32;
    while page.len() < bytes {
        writeln!(page, "# HELP big_{family} Filler number {family}.\n# TYPE big_{family} gauge")
            .unwrap();
        for series in 0..64_u32 {
            writeln!(
                page,
                "big_{family}{{device=\"disk{series}\",zone=\"eu-{}\"}} {}.{series}",
                series % 7,
                family * 31 + series
            )
            .unwrap();
        }
        family += 1;
    }
    page
}

/// `text` with each of these in place of what the README says, which must be there.
pub fn made_ours(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (theirs, ours)| {
        assert!(text.contains(theirs), "{theirs} is not in this recipe:\n{text}");
        text.replace(theirs, ours)
    })
}
