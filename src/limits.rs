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

/// Blocks that a merge asks for before it is known what its tables take: names, families, order,
/// and fanin's own page.
pub const MERGE_BLOCKS: usize = 16;

/// Idle blocks kept for the next scrape, and one long block; the rest go back to the system.
pub const IDLE_BLOCKS: usize = 8;

/// Blocks in a long block, through which a page is moved: one chunk of a reply, since four
/// hexadecimal digits can say its length.
pub const LONG_BLOCK: usize = 4;

/// Blocks that a page is granted of which nothing is known, where a guess at the most there may be
/// would hold up others for as long as its source takes: enough for 64 KiB.
pub const FIRST_BLOCKS: usize = 10;

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

/// Time before a reader that takes less than [`MIN_TAKE_RATE`] is cut off when scrapes wait for
/// memory.
pub const SLOW_READER: Duration = Duration::from_secs(2);

/// SIGTERM to the end of the process, for what is being answered.
pub const DRAIN: Duration = Duration::from_secs(5);

/// Time a resolved name is used before it is looked up again.
pub const LOOKUP_KEPT: Duration = Duration::from_secs(60);

/// Time a failed look-up is believed.
pub const LOOKUP_FAILURE_KEPT: Duration = Duration::from_secs(5);

/// Where `fanin serve` listens when nothing says otherwise. 9100 to 9999 is full, and 9998 and
/// 9999 belong to the tools that fanin replaces.
pub const DEFAULT_PORT: u16 = 10555;

/// From the end of a request's head to the last byte of its body; `limits.body_timeout`. A body of
/// [`DEFAULT_BODY`] takes this long at about 280 KiB/s.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The most `limits.memory` may ask for, in bytes: past it a unit was mistyped (`16GiB`), and boards
/// with more than this have no need of a limit.
pub const MAX_MEMORY: usize = 1024 * 1024 * 1024;

/// The least `limits.memory` may ask for, in bytes: the reserve and as many blocks for scrapes.
pub const MIN_MEMORY: usize = 2 * RESERVED_BLOCKS * BLOCK;

/// The most `limits.connections` may ask for: the usual limit of open files is 1024, and a scrape
/// needs some for its sources.
pub const MAX_CONNECTIONS: usize = 900;

/// The most `limits.families` may ask for, so that a family's number fits 16 bits.
pub const MAX_FAMILIES: usize = RUNS - 1;

/// The longest duration a configuration may name: one year, so that no sum of times overflows.
pub const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// Bytes of a configuration file: a thousand sources take about 100 KiB.
pub const CONFIG_FILE: usize = 1024 * 1024;

/// Values of a configuration file, aliases followed: a thousand sources have about 10 000.
pub const CONFIG_VALUES: usize = 64 * 1024;

/// Bytes of a file that holds one secret; the longest tokens in use (JWT) have about 2 KiB.
pub const SECRET: usize = 4 * 1024;

/// Sources of a configuration.
pub const SOURCES: usize = 256;

/// Folders that sources are dropped into.
pub const SOURCE_FOLDERS: usize = 16;

/// Entries of such a folder, whatever they are: as many as there may be sources, and one leftover
/// of a package manager or an editor for each.
pub const FOLDER_ENTRIES: usize = 2 * SOURCES;

/// Servers of a configuration.
pub const SERVERS: usize = 16;

/// Addresses one server listens on.
pub const LISTENERS: usize = 16;

/// Networks that may come to one server.
pub const NETWORKS: usize = 64;

/// Tokens of one server, and users.
pub const LOGINS: usize = 64;

/// bcrypt's cost: 15 takes two seconds of a fast machine and a minute of a slow one.
pub const PASSWORD_COST: std::ops::RangeInclusive<u32> = 4..=15;

/// What `fanin hash-password` takes for it, as other tools do.
pub const DEFAULT_PASSWORD_COST: u32 = 10;

/// Bytes of a password that bcrypt looks at.
pub const PASSWORD: usize = 72;

/// Passwords that wait for their check, or are checked, one after the other.
pub const PASSWORDS_WAITING: usize = 4;

/// Logins with a password that are remembered, so that a scraper costs one check, not one a scrape.
pub const PASSWORDS_KEPT: usize = 64;

/// How long a refused login waits for its answer.
pub const LOGIN_PAUSE: Duration = Duration::from_secs(1);

/// Refused logins of one peer that wait so; its next ones are not looked at.
pub const LOGINS_PAUSED: usize = 4;

/// Bytes of a file with certificates or a key: the list of all public authorities has 220 KiB.
pub const PEM_FILE: usize = 1024 * 1024;

/// How often it is looked whether a file with a certificate has changed: when the next connection
/// comes.
pub const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// A whole TLS handshake, the client's silence before it included.
pub const HANDSHAKE: Duration = Duration::from_secs(5);

/// Handshakes that compute at once: each step of one takes a small board tens of milliseconds.
pub const HANDSHAKES: usize = 2;

/// Handshakes that wait for their turn or for the peer; each takes about 20 KB. Of more than these
/// and [`HANDSHAKES`] the oldest gives way.
pub const HANDSHAKES_WAITING: usize = 16;

/// How long a connection that says nothing is not the first to give way: a client's first bytes come
/// right behind its connection.
pub const HELLO: Duration = Duration::from_millis(100);

/// TLS sessions that can be resumed, of a server and of a source.
pub const SESSIONS: usize = 32;

/// Bytes that TLS holds back for a peer that takes nothing.
pub const TLS_BUFFER: usize = 32 * 1024;

/// Bytes of a server's name in TLS: a DNS name's own limit.
pub const SERVER_NAME: usize = 253;

/// Routes of one server.
pub const ROUTES: usize = 64;

/// Bytes of a route's path.
pub const ROUTE_PATH: usize = 256;

/// Bytes of a source's name: it is a label's value in every sample.
pub const SOURCE_NAME: usize = 64;

/// Labels a configuration puts on one source. Kubernetes puts about ten on a target.
pub const SOURCE_LABELS: usize = 16;

/// Bytes of a configured label's name.
pub const LABEL_NAME: usize = 128;

/// Bytes of a configured label's value.
pub const LABEL_VALUE: usize = 256;

/// Header fields a configuration adds to a source's requests, Authorization not counted.
pub const SOURCE_HEADERS: usize = 16;

/// Bytes of a source's URL.
pub const URL: usize = 2 * 1024;

/// Bytes of a file source's path: Linux' own limit.
pub const FILE_PATH: usize = 4 * 1024;

/// How many times `every` a page is served where `max_age` says nothing: two fetches may fail.
pub const EVERY_KEPT: u32 = 3;

/// Files of one source: each is a page of its own while they are joined, of three blocks at least,
/// and a series of `fanin_file_mtime_seconds`. Textfile folders in use have up to about 30.
pub const FILES: usize = 128;

/// Times a file is read before it counts as one that never stands still.
pub const FILE_READS: usize = 3;

/// Commands that run at once, those that are being killed included; each takes two descriptors, and
/// four more for a moment as it is started. The next ones wait for their turn.
pub const CHILDREN: usize = 64;

/// Of these, commands of one source: what cannot be killed, such as a command that hangs on a dead
/// network drive, holds its place, and must leave some to the others.
pub const CHILDREN_OF_SOURCE: usize = 16;

/// From TERM to KILL for a command that is no longer wanted.
pub const KILL_AFTER: Duration = Duration::from_millis(200);

/// How often it is looked whether a command has exited, should its signal be kept from us: whoever
/// starts fanin may have it blocked.
pub const REAP_AGAIN: Duration = Duration::from_secs(1);

/// Words of a command, the program included.
pub const COMMAND_WORDS: usize = 64;

/// Bytes of one of them.
pub const COMMAND_WORD: usize = 4 * 1024;

/// Environment variables that a configuration gives a command.
pub const COMMAND_ENV: usize = 64;

/// Bytes of a command's standard error that are read at once.
pub const STDERR: usize = 4 * 1024;

/// Bytes of a line of it that are logged.
pub const STDERR_LINE: usize = 1024;

/// Lines that one thing which others can make speak, such as a command's standard error or a server's
/// refused logins, has in the log within [`LOG_WINDOW`]; the others are counted.
pub const LOG_LINES: usize = 20;

/// See [`LOG_LINES`].
pub const LOG_WINDOW: Duration = Duration::from_secs(60);

/// Bytes of standard error that are still read once a command has ended: what a pipe holds.
pub const STDERR_REST: usize = 64 * 1024;

/// Bytes of a Unix socket's path: `sun_path` has 108, the last of them zero.
pub const UNIX_PATH: usize = 107;

/// Bytes of one line of the log, its end included: a pipe takes up to 4 KiB whole, so that lines of
/// two processes do not mix.
pub const LOG_LINE: usize = 2 * 1024;
/// Bytes of a request's body that are read and dropped to keep the connection, and of whatever a
/// refused client still sends, so that it sees the answer rather than a reset.
pub const DISCARD: usize = 64 * 1024;

/// How long a refused client may go on sending, and how long one that may not come at all is waited
/// for before it is told.
pub const LINGER: Duration = Duration::from_secs(1);

/// Bytes of a connection's buffer behind the longest head: a chunked body needs some to pass
/// through.
pub const BEHIND_HEAD: usize = 512;

/// Bytes of the header fields that an answer adds to those every answer has.
pub const REPLY_FIELDS: usize = 320;

/// Bytes of the fields that a web configuration adds to every reply.
pub const WEB_HEADERS: usize = 384;

/// A reply's buffer with less room than this is sent before more is asked for.
pub const REPLY_ROOM: usize = 1024;

/// Pieces of a reply that leave in one write: its head and 128 KiB of a page. Most sockets take no
/// more at once.
pub const REPLY_PIECES: usize = 9;

/// Idle connections kept for one place: two clients that ask at once for a merge of four of its
/// pages need no new ones.
pub const FETCHES_KEPT: usize = 8;

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

/// Idle connections kept to all places together: four to each of 48 printers.
pub const FETCHES_IDLE: usize = 192;

/// Blocks that unpacking one gzip body takes. Measured in bytes: 43,360, of which the format's
/// window is 32 KiB.
pub const INFLATER_BLOCKS: usize = 3;

/// Pages that are packed at once: it keeps a core of a small board busy.
pub const PACKERS: usize = 2;

/// Bytes of a page from which on packing it is worth the trouble: what fits into one packet gains
/// nothing.
pub const PACKED_FROM: usize = 1400;

/// Blocks that packing one body as gzip takes. Measured in bytes: 319,398, for the window, two
/// tables of 64 KiB each to find matches, and 147 KiB of what is not written yet.
pub const DEFLATER_BLOCKS: usize = 20;

/// Scrapes of a source that the status page draws: an hour of one a minute.
pub const HISTORY: usize = 60;

/// Bytes of the text of a source's last failure, which the status page shows; the longest that are
/// usual, with a file's name in them, have about 200.
pub const FAILURE_TEXT: usize = 512;

/// Bytes of a source's place that the status page shows.
pub const STATUS_PLACE: usize = 256;

/// Objects and arrays within each other that a JSON document may have.
pub const JSON_DEPTH: usize = 256;

/// Bytes of a name or number in JSON; of a longer one it is only known that it was there.
pub const JSON_SCRATCH: usize = 256;

/// Objects of one kind of a Klipper printer that are looked at, such as temperature sensors; a large
/// printer has about 30.
pub const KLIPPER_OBJECTS: usize = 1024;

/// Values of one such object that are looked at: the lists of a unit with many gates are the longest.
pub const KLIPPER_FIELDS: usize = 1024;

/// Values of one printer that are looked at, all together; a large printer has about 1,000.
pub const KLIPPER_FACTS: usize = 32 * 1024;

/// Printers that no configuration names and of which something is remembered.
pub const KLIPPER_TARGETS: usize = 64;

/// Bytes of the question that a Klipper printer is asked; one with everything takes about 5,000.
pub const KLIPPER_QUERY: usize = 32 * 1024;

/// Time for which the list of a printer's objects is believed while Klipper stays the same.
pub const KLIPPER_LIST_KEPT: Duration = Duration::from_secs(120);

/// Bytes of a text in a reply that are looked at: the longest path of a G-code file.
pub const KLIPPER_TEXT: usize = 512;

/// The label that says which application a pushed sample is from.
pub const APP: &str = "app";

/// How long a pushed page is good for where nobody says otherwise: as long as prompipe's.
pub const PUSH_TTL: Duration = Duration::from_secs(600);

/// How long Prometheus is told of a group whose page is too old, so that it shows as down.
pub const SD_KEEP: Duration = Duration::from_secs(3600);

/// Bytes of the address that Prometheus is told: the longest name, a colon, a port.
pub const SD_ADDRESS: usize = 259;

/// Applications and groups of one push source; `sources.NAME.push.apps`.
pub const DEFAULT_APPS: usize = 256;

/// The most that `sources.NAME.push.apps` may ask for.
pub const MAX_APPS: usize = 4096;

/// Connections to the addresses of one push source.
pub const PUSH_CONNECTIONS: usize = 32;

/// For how long a new one may say nothing before it gives way to others: its page is most likely on its way.
pub const PUSH_SILENCE: Duration = Duration::from_millis(500);

/// Bytes that are read at once from such a connection.
pub const PUSH_BUFFER: usize = 4 * 1024;

/// How long a pushed page waits for room: until those who read the pages that were replaced have
/// taken them, usually.
pub const PUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Labels that tell a group of pushed pages from others.
pub const GROUP_LABELS: usize = 16;

/// Pipes of a configuration.
pub const PIPES: usize = 64;

/// The shortest time between two attempts of a pipe: less would be a flood, not a rhythm.
pub const PIPE_EVERY: Duration = Duration::from_millis(100);

/// How often `fanin send` sends, as prompipe does.
pub const SEND_EVERY: Duration = Duration::from_secs(4);

/// The longest a pipe heeds a `Retry-After`: a mistake at the other end must not silence it for good.
pub const RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Bytes of an answer that a pipe reads, so that its connection can be kept; and `fanin push`.
pub const PIPE_ANSWER: usize = 16 * 1024;

/// Bytes of a refusal's first line that the log and the status page show.
pub const PIPE_REFUSAL: usize = 200;
