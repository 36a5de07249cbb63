//! The program under test, running.

use std::process::{Child, Command, ExitStatus};
use std::time::Instant;
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process};

use super::folder::Folder;
use super::log::Log;
use super::page;
use super::reply::Reply;
use super::setup::Setup;
use super::wire::Connection;
use super::{LIMIT, beat};

/// A running `fanin serve`. Dropping it kills the process and removes its folder.
pub struct Daemon {
    child: Child,
    folder: Folder,
    /// What it writes to standard error.
    pub log: Log,
    /// Where it listens, as it says: `tcp://127.0.0.1:PORT` or `unix:///PATH`, in the file's order.
    pub listeners: Vec<String>,
}

impl Daemon {
    /// Starts `command` and waits until it listens at `listeners` addresses.
    pub fn spawn(mut command: Command, folder: Folder, listeners: usize) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Log::collect(child.stderr.take().unwrap());
        let Some(lines) = log.wait_for("listening on ", listeners) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it does not listen at {listeners} addresses:\n{}", log.text());
        };
        let address = |line: &String| {
            line.split_once("listening on ").unwrap().1.trim_end_matches(['"', '}']).to_owned()
        };
        let listeners = lines.iter().map(address).collect();
        Self { child, folder, log, listeners }
    }

    /// The folder with its configuration.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The first TCP address, as `HOST:PORT`.
    pub fn addr(&self) -> &str {
        self.listeners.iter().find_map(|at| at.strip_prefix("tcp://")).expect("a TCP listener")
    }

    /// A new connection to it.
    pub fn connect(&self) -> Connection {
        Connection::open(self.addr())
    }

    /// GETs `path` on a connection of its own.
    pub fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    /// GETs `path` with further header fields.
    pub fn get_with(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        get_at(self.addr(), path, fields).unwrap_or_else(|fault| {
            panic!("GET {path}: {fault}\n{}", self.log.text());
        })
    }

    /// Sends raw bytes on a connection of their own and reads one reply.
    pub fn request(&self, bytes: &[u8]) -> Reply {
        let mut connection = self.connect();
        connection.send(bytes);
        connection.reply()
    }

    /// The value of one of its own metrics, asked for at `/metrics`; `labels` need not be all.
    pub fn own(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let reply = self.get("/metrics");
        assert_eq!(reply.status, 200, "{}", reply.body);
        page::value(&reply.body, name, labels)
    }

    /// Asserts that the source `cron`, alone at `/merged`, failed for this reason, and returns what
    /// the scraper was told.
    pub fn failed(&self, name: &str, reason: &str) -> String {
        let reply = self.get("/merged");
        assert_eq!(reply.status, 503, "{name}: {}", reply.body);
        assert_eq!(reply.body.lines().count(), 1, "{name}: {}", reply.body);
        let folder = self.folder().path().to_str().unwrap();
        assert!(!reply.body.contains(folder), "{name}: no path of ours: {}", reply.body);
        let labels = [("source", "cron"), ("reason", reason)];
        let failures = self.own("fanin_source_failures_total", &labels);
        assert_eq!(failures, Some(1.0), "{name}: {reason}:\n{}", self.get("/metrics").body);
        reply.body
    }

    /// Asks until `done` says so, at most for [`LIMIT`].
    pub fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let until = Instant::now() + LIMIT;
        while !done() {
            assert!(Instant::now() < until, "waited for {what}:\n{}", self.log.text());
            beat(10);
        }
    }

    /// Replaces its configuration; the file is read at the next reload.
    pub fn rewrite(&self, setup: &Setup) {
        self.folder.write("fanin.yaml", &setup.yaml());
    }

    /// Tells it to read its configuration again, by SIGHUP. It does so when it gets to it.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn exit(&mut self) -> ExitStatus {
        assert!(self.log.wait_for_end(LIMIT), "it does not end:\n{}", self.log.text());
        self.child.wait().unwrap()
    }

    /// Whether a line with `needle` is logged: what is written reaches us a moment later.
    pub fn log_contains(&self, needle: &str) -> bool {
        self.log.wait_for(needle, 1).is_some()
    }

    /// A number from `/proc/PID/status`, such as `VmRSS` and `VmHWM` (in KiB) or `Threads`. Threads
    /// of an emulator do not count; `FANIN_EMULATOR_THREADS` says how many it has.
    pub fn status(&self, key: &str) -> usize {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find(|line| line.split(':').next() == Some(key));
        let number = line.and_then(|line| line.split_whitespace().nth(1)).expect(key);
        let others = env::var("FANIN_EMULATOR_THREADS").ok().filter(|_| key == "Threads");
        let others: usize = others.map_or(0, |number| number.parse().unwrap());
        number.parse::<usize>().unwrap() - others
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// File descriptors that are open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// File descriptors that are sockets.
    pub fn sockets(&self) -> usize {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let is_socket = |entry: &fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        entries.flatten().filter(is_socket).count()
    }

    /// Whether it still has its end of a TCP connection open. What it has written and closed may
    /// be on its way for long after, but belongs to no process.
    pub fn holds(&self, connection: &Connection) -> bool {
        let port = |field: &str| u16::from_str_radix(field.rsplit(':').next().unwrap(), 16).ok();
        let own: u16 = self.addr().rsplit(':').next().unwrap().parse().unwrap();
        fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.len() > 9
                && port(fields[1]) == Some(own)
                && port(fields[2]) == Some(connection.port())
                && fields[9] != "0"
        })
    }

    /// Processor time used so far, in clock ticks (hundredths of a second).
    pub fn ticks(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, rest) = text.rsplit_once(')').unwrap();
        rest.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// GETs `path` at an address on a connection of its own.
///
/// # Errors
///
/// What was wrong with the reply, or why there was none.
pub fn get_at(address: &str, path: &str, fields: &[(&str, &str)]) -> Result<Reply, String> {
    let mut connection = Connection::try_open(address).map_err(|fault| fault.to_string())?;
    let mut head = format!("GET {path} HTTP/1.1\r\nHost: fanin\r\nConnection: close\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    connection.try_send(head.as_bytes()).map_err(|fault| fault.to_string())?;
    let reply = connection.try_reply()?;
    if connection.ended() { Ok(reply) } else { Err("bytes after the last reply".to_owned()) }
}
