//! Every capacity and time limit of the program, with its unit and the reason for its size.
//!
//! Those an operator may change (`limits:` in the configuration) are named `DEFAULT_…`.

use std::time::Duration;

/// Bytes in a block: a scrape of a small exporter fits into one, and a line must.
pub const BLOCK: usize = 16 * 1024;

/// Bytes of bodies, indexes and replies held at once; `limits.memory`.
pub const DEFAULT_MEMORY: usize = 16 * 1024 * 1024;

/// Bytes of one source's page; `limits.body`. At most half of `limits.memory`.
pub const DEFAULT_BODY: usize = 8 * 1024 * 1024;

/// Metric families of one page; `limits.families`. node_exporter has about 300.
pub const DEFAULT_FAMILIES: usize = 8192;

/// Connections served at once; `limits.connections`.
pub const DEFAULT_CONNECTIONS: usize = 64;

/// From the first byte of a request head to its last; `limits.header_timeout`.
pub const DEFAULT_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// A kept-alive connection without a request; `limits.idle_timeout`. Longer than Prometheus' usual
/// scrape interval of 60 s, so that its connection lives from scrape to scrape.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// A reply of which the peer takes nothing, and the head start that [`MIN_TAKE_RATE`] gives;
/// `limits.write_timeout`.
pub const DEFAULT_WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Blocks that only fanin's own metrics, health, status page and errors may take, so that they
/// answer when scrapes have all the rest.
pub const RESERVED_BLOCKS: usize = 8;

/// Idle blocks kept for the next scrape; the rest go back to the system.
pub const IDLE_BLOCKS: usize = 8;

/// Runs of consecutive samples with one name in a page: 65 536, so that a run's number fits 16 bits.
pub const RUNS: usize = 1 << 16;

/// Labels of one sample, our own included. Prometheus' default is no limit; the largest seen in
/// the wild (`kube_pod_labels`) have about 60.
pub const LABELS: usize = 128;

/// Bytes of a request or reply head, line and fields together.
pub const HEAD: usize = 8 * 1024;

/// Header fields of a head.
pub const HEADERS: usize = 64;

/// Bytes per second at which a reply must be taken once `write_timeout` has gone by.
pub const MIN_TAKE_RATE: usize = 64 * 1024;

/// Interim (1xx) responses skipped before an upstream's answer.
pub const INTERIM_RESPONSES: usize = 8;

/// Redirects followed before a fetch fails.
pub const REDIRECTS: usize = 5;

/// Time for a scrape where the scraper states none: Prometheus' own default.
pub const DEFAULT_SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time a scraper may ask for.
pub const MAX_SCRAPE_TIMEOUT: Duration = Duration::from_secs(120);

/// What is left of the scraper's time for the reply to travel; blackbox_exporter uses the same.
pub const REPLY_MARGIN: Duration = Duration::from_millis(500);

/// SIGTERM to the end of the process, for what is being answered.
pub const DRAIN: Duration = Duration::from_secs(5);

/// Time a resolved name is used before it is looked up again.
pub const LOOKUP_KEPT: Duration = Duration::from_secs(60);

/// Time a failed look-up is believed.
pub const LOOKUP_FAILURE_KEPT: Duration = Duration::from_secs(5);

/// Where `fanin serve` listens when nothing says otherwise. 9100 to 9999 is full, and 9998 and
/// 9999 belong to the tools that fanin replaces.
pub const DEFAULT_PORT: u16 = 10555;

/// From the first read of a request's body to its last.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a request's body that are read and dropped to keep the connection, and of whatever a
/// refused client still sends, so that it sees the answer rather than a reset.
pub const DISCARD: usize = 64 * 1024;

/// How long a refused client may go on sending.
pub const LINGER: Duration = Duration::from_secs(1);

/// Bytes of a connection's buffer behind the longest head: a chunked body needs some to pass
/// through.
pub const BEHIND_HEAD: usize = 512;

/// Bytes of the header fields that an answer adds to those every answer has.
pub const REPLY_FIELDS: usize = 320;

/// A reply's buffer with less room than this is sent before more is asked for.
pub const REPLY_ROOM: usize = 1024;

/// Idle connections kept for one place.
pub const FETCHES_KEPT: usize = 2;

/// Time an idle connection to an upstream is kept: longer than most scrape intervals.
pub const FETCH_IDLE: Duration = Duration::from_secs(90);

/// Head buffers that fetches keep for the next ones.
pub const FETCH_BUFFERS: usize = 4;

/// Time for one address while others are left to try.
pub const CONNECT_SHARE: Duration = Duration::from_secs(2);

/// Names whose addresses are kept.
pub const LOOKUPS: usize = 64;

/// Addresses of a name that are tried.
pub const ADDRESSES: usize = 8;

/// Pause after a failed `accept`, unless a connection ends before.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Idle connections kept to all places together.
pub const FETCHES_IDLE: usize = 64;
