//! exporter_exporter and the program side by side: the same modules over the same exporters, asked
//! the same.
//!
//! The table of what both answer is `golden/side-by-side.md`. What the program answers is compared
//! always, what exporter_exporter answers where it is the version that the table is of. Each
//! difference has its reason there, and nothing else has one. With `BLESS` in the environment the
//! table is written instead of compared.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and what was seen is reported"
)]

mod common;

#[path = "side_by_side/modules.rs"]
mod modules;
#[path = "side_by_side/requests.rs"]
mod requests;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use common::peers::{Peer, find, free_port};
use common::{Connection, Daemon, Folder, Reply, command};
use requests::{REQUESTS, Request, Theirs};

/// What both answer.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/side-by-side.md");

/// exporter_exporter with one configuration.
enum Other {
    /// It runs.
    Running { addr: String, _peer: Peer },
    /// It does not know a key of it.
    Refuses,
}

impl Other {
    fn start(program: &Path, folder: &Folder, name: &str, config: &str) -> Self {
        let file = folder.write(name, config);
        let addr = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command.args(["-config.file", &file, "-web.listen-address", &addr]);
        match Peer::accepting(&mut command, &addr) {
            Ok(peer) => Self::Running { addr, _peer: peer },
            Err(text) => {
                let unknown = text.to_ascii_lowercase().contains("unknown");
                assert!(unknown, "{name}: it ends for another reason: {text}");
                Self::Refuses
            }
        }
    }

    fn cell(&self, request: &Request, folder: &Folder) -> String {
        match self {
            Self::Refuses => "refuses such a configuration".to_owned(),
            Self::Running { addr, .. } => {
                let answer = ask(addr, "/proxy", request);
                match (&answer, request.races) {
                    (Ok(Reply { status: 500 | 504, .. }), true) => "500 or 504".to_owned(),
                    _ => cell(request, &answer, folder),
                }
            }
        }
    }
}

/// exporter_exporter with each of its configurations.
struct Others {
    version: String,
    plain: Other,
    files: Other,
    default: Other,
}

impl Others {
    /// `None` where it is not installed.
    fn start(folder: &Folder, upstream: &str) -> Option<Self> {
        let program =
            find("side by side", &["prometheus-exporter-exporter", "exporter_exporter", "expexp"])?;
        let said = command::run(Command::new(&program).arg("-version"), "");
        let said = format!("{}{}", said.out, said.err);
        let mut numbers = said.split(|letter: char| letter != '.' && !letter.is_ascii_digit());
        let version = numbers.find(|word| word.contains('.')).unwrap_or_else(|| panic!("{said}"));
        let plain = modules::theirs(upstream, folder);
        let start = |name: &str, config: &str| Other::start(&program, folder, name, config);
        Some(Self {
            version: version.to_owned(),
            plain: start("plain.yaml", &plain),
            files: start("files.yaml", &modules::their_files(folder)),
            default: start("default.yaml", &format!("defaultModule: good\n{plain}")),
        })
    }

    fn cell(&self, request: &Request, folder: &Folder) -> String {
        let other = match request.theirs {
            Theirs::Plain => &self.plain,
            Theirs::Files => &self.files,
            Theirs::Default => &self.default,
        };
        other.cell(request, folder)
    }
}

/// Asks `path` on a connection of its own.
fn ask(addr: &str, path: &str, request: &Request) -> Result<Reply, String> {
    let mut connection = Connection::open(addr);
    let coding = if request.gzip { "Accept-Encoding: gzip\r\n" } else { "" };
    let head = format!(
        "{} {path}{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{coding}\r\n",
        request.method, request.query
    );
    connection.send(head.as_bytes());
    if request.method == "HEAD" {
        return Ok(connection.reply_to_head());
    }
    connection.try_reply()
}

/// Asks the program.
fn ask_ours(daemon: &Daemon, request: &Request) -> Reply {
    let path = if request.theirs == Theirs::Default { "/default" } else { "/proxy" };
    ask(daemon.addr(), path, request).unwrap_or_else(|fault| panic!("{}: {fault}", request.asks))
}

/// The status and the first words of an answer, without what is of this run alone.
fn cell(request: &Request, answer: &Result<Reply, String>, folder: &Folder) -> String {
    let Ok(reply) = answer else { return "the connection breaks off".to_owned() };
    let mut cell = reply.status.to_string();
    let coded = reply.header("content-encoding");
    let line = match coded {
        Some(_) if reply.bytes == modules::packed() => "the exporter's own bytes",
        Some(_) => "packed anew",
        None => reply.body.lines().find(|line| !line.is_empty()).unwrap_or_default(),
    };
    let folder = format!("{}/", folder.path().display());
    let line = line.replace(&folder, "").replace('|', "\\|");
    // How late it was is of this run.
    let line = line.split(" within ").next().unwrap_or_default();
    let words: String = line.chars().take(72).collect();
    if !words.is_empty() {
        let more = if words.len() < line.len() { "…" } else { "" };
        cell.push_str(&format!(" `{words}{more}`"));
    }
    if let Some(value) = request.shows.and_then(|field| reply.header(field)) {
        cell.push_str(&format!(", `{}: {value}`", request.shows.unwrap_or_default()));
    }
    cell
}

/// The cells of a table's row.
fn cells(row: &str) -> Vec<&str> {
    row.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect()
}

#[test]
fn both_are_asked_the_same() {
    let upstream = modules::upstream();
    let daemon = modules::ours(&upstream.addr).start();
    let folder = daemon.folder();
    let others = Others::start(folder, &upstream.addr);
    let version = others.as_ref().map_or("", |others| others.version.as_str());
    let mut table = format!(
        "| request | exporter_exporter {version} | fanin | why they differ |\n|---|---|---|---|\n"
    );
    for request in REQUESTS {
        let reply = ask_ours(&daemon, request);
        assert_eq!(reply.status, request.status, "{}: {}", request.asks, reply.body);
        let ours = cell(request, &Ok(reply), folder);
        let theirs = others.as_ref().map_or(String::new(), |all| all.cell(request, folder));
        table.push_str(&format!("| {} | {theirs} | {ours} | {} |\n", request.asks, request.why));
    }
    eprintln!("{table}");
    if others.is_some() && env::var_os("BLESS").is_some() {
        fs::write(GOLDEN, &table).unwrap();
    }
    assert_as_before(&table, others.is_some());
}

/// Compares a table with the golden one: the column of exporter_exporter only if `others` ran, and
/// is the version that the golden one has.
fn assert_as_before(table: &str, others: bool) {
    let golden = fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(table.lines().count(), golden.lines().count(), "the golden table has other rows");
    let known = others && table.lines().next() == golden.lines().next();
    if others && !known {
        eprintln!("SKIPPED what exporter_exporter answers: the golden table is of another version");
    }
    for (row, golden) in table.lines().zip(golden.lines()).skip(2) {
        let (row, golden) = (cells(row), cells(golden));
        assert_eq!([row[0], row[2], row[3]], [golden[0], golden[2], golden[3]]);
        assert!(!known || row[1] == golden[1], "{}: {} now, {}", row[0], row[1], golden[1]);
    }
}

/// A reason where the answers differ: in their status, or in what a scraper reads.
#[test]
fn every_difference_has_its_reason() {
    let golden = fs::read_to_string(GOLDEN).unwrap();
    for row in golden.lines().skip(2) {
        let row = cells(row);
        let (theirs, ours) = (row[1], row[2]);
        let status = |cell: &str| cell.split(' ').next().map(str::to_owned);
        let same = theirs == ours || (status(theirs) == status(ours) && !ours.starts_with("200"));
        assert_eq!(row[3].is_empty(), same, "{row:?}");
    }
}
