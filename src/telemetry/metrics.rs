//! fanin's own metrics: counted where things happen, rendered as one page.
//!
//! Everything is a `Cell` on the one thread. Label values come from the configuration or from
//! closed sets, so the series stay few.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::clock::unix_seconds;
use super::cut::cut;
pub use super::history::Attempt;
use super::history::History;
use super::process;
use crate::exposition::{Conflicts, Escaped};
use crate::limits::{FAILURE_TEXT, HISTORY};
use crate::memory::Counters;

/// Reasons for which a source can fail; more would be a mistake in the program.
const REASONS: usize = 20;

/// What became of a source's scrapes. Lives as long as the source is configured.
#[derive(Debug, Default)]
pub struct SourceStats {
    last: Cell<Option<Scrape>>,
    last_success: Cell<Option<Instant>>,
    failures: RefCell<heapless::LinearMap<&'static str, u32, REASONS>>,
    /// Lines lost to `on_malformed: drop_line`, in all and on the last page.
    dropped: Cell<u64>,
    dropped_last: Cell<usize>,
    scrapes: Cell<u64>,
    history: RefCell<History>,
    failure_text: RefCell<Option<Box<str>>>,
    /// Of a source that reads files: when each was last written.
    files: RefCell<Vec<FileTime>>,
    /// Of a source that applications bring their pages to.
    #[cfg(feature = "push")]
    pub push: super::push::PushStats,
}

/// When a file was last written.
#[derive(Debug, Clone, PartialEq)]
pub struct FileTime {
    /// Its name, without the folder that the configuration names.
    pub path: Box<str>,
    /// Seconds since 1970.
    pub mtime: f64,
}

/// One scrape of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrape {
    /// When it ended.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// Samples on the page; 0 if it failed, `None` if it was passed on unread.
    pub samples: Option<usize>,
    /// Bytes of the page; 0 if it failed.
    pub bytes: usize,
    /// Why it failed: one word, as `reason` of `fanin_source_failures_total`.
    pub failure: Option<&'static str>,
}

impl SourceStats {
    /// Takes down how a scrape ended. Returns the one before.
    pub fn record(&self, scrape: Scrape) -> Option<Scrape> {
        add(&self.scrapes, 1);
        self.history.borrow_mut().push(Attempt::new(scrape.took, scrape.failure.is_some()));
        match scrape.failure {
            None => self.last_success.set(Some(scrape.at)),
            Some(reason) => {
                let mut failures = self.failures.borrow_mut();
                let count = failures.get(reason).copied().unwrap_or(0).wrapping_add(1);
                // A map too small for the reasons there are loses the count, nothing else.
                let _ = failures.insert(reason, count);
            }
        }
        self.last.replace(Some(scrape))
    }

    /// Counts the malformed lines that the last page lost. Returns how many the one before did.
    pub fn dropped(&self, lines: usize) -> usize {
        add(&self.dropped, u64::try_from(lines).unwrap_or(u64::MAX));
        self.dropped_last.replace(lines)
    }

    /// Takes down why a scrape failed, as scrapers are told it; at most
    /// [`FAILURE_TEXT`] bytes of it.
    pub fn explain(&self, error: &dyn Display) {
        self.failure_text.replace(Some(cut::<FAILURE_TEXT>(error).as_str().into()));
    }

    /// Takes down the files that the last scrape found.
    pub fn found(&self, files: Vec<FileTime>) {
        self.files.replace(files);
    }

    /// The last scrape, if there was one.
    #[must_use]
    pub const fn last(&self) -> Option<Scrape> {
        self.last.get()
    }

    /// When a scrape last succeeded.
    #[must_use]
    pub const fn last_success(&self) -> Option<Instant> {
        self.last_success.get()
    }

    /// Why the last scrape that failed did.
    #[must_use]
    pub fn last_failure(&self) -> Option<Box<str>> {
        self.failure_text.borrow().clone()
    }

    /// The last [`HISTORY`] scrapes, the oldest first.
    #[must_use]
    pub fn history(&self) -> heapless::Vec<Attempt, HISTORY> {
        self.history.borrow().all()
    }
}

/// Upper bounds of `fanin_http_request_duration_seconds`, in seconds.
const BOUNDS: [(f64, &str); 10] = [
    (0.001, "0.001"),
    (0.005, "0.005"),
    (0.025, "0.025"),
    (0.1, "0.1"),
    (0.25, "0.25"),
    (0.5, "0.5"),
    (1.0, "1"),
    (2.5, "2.5"),
    (5.0, "5"),
    (10.0, "10"),
];

/// All that is counted for the whole program.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    requests: RefCell<Vec<Requests>>,
    logins_failed: PerServer,
    #[cfg(feature = "tls")]
    handshakes_failed: PerServer,
    buckets: [Cell<u64>; BOUNDS.len()],
    slower: Cell<u64>,
    duration_sum: Cell<f64>,
    conflicts: [Cell<u64>; 3],
    reloaded: Cell<bool>,
    reloaded_at: Cell<Instant>,
    #[cfg(feature = "pipe")]
    pipes: RefCell<Vec<Rc<super::pipe::PipeStats>>>,
}

/// Requests to one route that were answered with one status.
#[derive(Debug)]
struct Requests {
    server: Rc<str>,
    route: Rc<str>,
    code: u16,
    count: u64,
}

/// How often something happened at each server where it did.
#[derive(Debug, Default)]
struct PerServer(RefCell<Vec<(Rc<str>, u64)>>);

impl PerServer {
    fn count(&self, server: &Rc<str>) {
        let mut counts = self.0.borrow_mut();
        match counts.iter_mut().find(|(known, _)| known == server) {
            Some((_, count)) => *count = count.wrapping_add(1),
            None => counts.push((Rc::clone(server), 1)),
        }
    }

    /// The family, if there is something to tell of this server.
    fn render(
        &self,
        server: &str,
        (name, help): (&'static str, &str),
        page: &mut Families<'_>,
    ) -> fmt::Result {
        let counts = self.0.borrow();
        let Some((_, count)) = counts.iter().find(|(known, _)| **known == *server) else {
            return Ok(());
        };
        page.family(name, "counter", help)?;
        page.sample(name, &[("server", server)], count)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            requests: RefCell::default(),
            logins_failed: PerServer::default(),
            #[cfg(feature = "tls")]
            handshakes_failed: PerServer::default(),
            buckets: Default::default(),
            slower: Cell::default(),
            duration_sum: Cell::default(),
            conflicts: Default::default(),
            reloaded: Cell::new(true),
            reloaded_at: Cell::new(now),
            #[cfg(feature = "pipe")]
            pipes: RefCell::default(),
        }
    }
}

pub(super) fn add(cell: &Cell<u64>, n: u64) {
    cell.set(cell.get().wrapping_add(n));
}

impl Metrics {
    /// Counts an answered request: `server` and `route` as configured.
    pub fn request(&self, server: &Rc<str>, route: &Rc<str>, code: u16, took: Duration) {
        let mut requests = self.requests.borrow_mut();
        let known = requests
            .iter_mut()
            .find(|known| known.code == code && known.route == *route && known.server == *server);
        match known {
            Some(known) => known.count = known.count.wrapping_add(1),
            None => {
                let (server, route) = (Rc::clone(server), Rc::clone(route));
                requests.push(Requests { server, route, code, count: 1 });
            }
        }
        let seconds = took.as_secs_f64();
        self.duration_sum.set(self.duration_sum.get() + seconds);
        let bucket = BOUNDS.iter().zip(&self.buckets).find(|((bound, _), _)| seconds <= *bound);
        add(bucket.map_or(&self.slower, |(_, bucket)| bucket), 1);
    }

    /// Counts a refused login at this server.
    pub fn login_failed(&self, server: &Rc<str>) {
        self.logins_failed.count(server);
    }

    /// Counts a TLS handshake at this server that failed.
    #[cfg(feature = "tls")]
    pub fn handshake_failed(&self, server: &Rc<str>) {
        self.handshakes_failed.count(server);
    }

    /// Counts what did not fit together in a merge.
    pub fn conflicts(&self, conflicts: Conflicts) {
        let Conflicts { types, duplicates, labels } = conflicts;
        for (cell, n) in self.conflicts.iter().zip([types, duplicates, labels]) {
            add(cell, u64::try_from(n).unwrap_or(u64::MAX));
        }
    }

    /// Takes down whether the configuration could be read again.
    pub fn reloaded(&self, good: bool) {
        self.reloaded.set(good);
        if good {
            self.reloaded_at.set(Instant::now());
        }
    }

    /// These are the pipes there are now.
    #[cfg(feature = "pipe")]
    pub fn set_pipes(&self, pipes: Vec<Rc<super::pipe::PipeStats>>) {
        self.pipes.replace(pipes);
    }

    /// The pipes there are, in the configuration's order.
    #[cfg(feature = "pipe")]
    #[must_use]
    pub fn pipes(&self) -> Vec<Rc<super::pipe::PipeStats>> {
        self.pipes.borrow().clone()
    }

    /// Time since the program started.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// What the page tells that is not counted in [`Metrics`].
#[derive(Debug)]
pub struct Now<'a> {
    /// Sources that the asking server may tell about, by name.
    pub sources: &'a [(&'a str, &'a SourceStats)],
    /// Only requests to this server are told about.
    pub server: &'a str,
    /// The pool.
    pub blocks: Counters,
    /// Open connections.
    pub connections: usize,
}

impl Metrics {
    /// Writes the page to `out`.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn render(&self, now: &Now<'_>, out: &mut dyn Write) -> fmt::Result {
        let mut page = Families { out };
        page.family("fanin_build_info", "gauge", "The version that runs, as a label.")?;
        page.sample("fanin_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1)?;
        self.render_sources(now.sources, &mut page)?;
        #[cfg(feature = "push")]
        super::push::render(now.sources, &mut page)?;
        #[cfg(feature = "pipe")]
        super::pipe::render(&self.pipes.borrow(), &mut page)?;
        self.render_requests(now, &mut page)?;
        let told = ("fanin_login_failures_total", "Logins at this server that were refused.");
        self.logins_failed.render(now.server, told, &mut page)?;
        #[cfg(feature = "tls")]
        let told = ("fanin_tls_handshake_failures_total", "TLS handshakes that failed.");
        #[cfg(feature = "tls")]
        self.handshakes_failed.render(now.server, told, &mut page)?;
        page.family("fanin_connections", "gauge", "Connections that are open.")?;
        page.sample("fanin_connections", &[], now.connections)?;
        let Counters { used, promised, free, kept, waiting, .. } = now.blocks;
        page.family("fanin_blocks", "gauge", "Blocks of 16 KiB, by what has become of them.")?;
        for (state, blocks) in [("used", used), ("promised", promised), ("free", free)] {
            page.sample("fanin_blocks", &[("state", state)], blocks)?;
        }
        page.family(
            "fanin_blocks_kept",
            "gauge",
            "Used blocks of pages that stay between scrapes.",
        )?;
        page.sample("fanin_blocks_kept", &[], kept)?;
        page.family("fanin_scrapes_waiting", "gauge", "Scrapes that wait for blocks.")?;
        page.sample("fanin_scrapes_waiting", &[], waiting)?;
        let name = "fanin_merge_conflicts_total";
        page.family(name, "counter", "Families, samples and labels that did not fit together.")?;
        for (kind, count) in ["type", "duplicate", "label"].into_iter().zip(&self.conflicts) {
            page.sample(name, &[("kind", kind)], count.get())?;
        }
        let name = "fanin_config_last_reload_successful";
        page.family(name, "gauge", "Whether the configuration could be read when last asked.")?;
        page.sample(name, &[], u8::from(self.reloaded.get()))?;
        let name = "fanin_config_last_reload_success_timestamp_seconds";
        page.family(name, "gauge", "When the configuration in use was read.")?;
        page.sample(name, &[], format_args!("{:.3}", unix_seconds(self.reloaded_at.get())))?;
        self.render_process(&mut page)
    }

    fn render_sources(
        &self,
        sources: &[(&str, &SourceStats)],
        page: &mut Families<'_>,
    ) -> fmt::Result {
        let scraped = || {
            sources.iter().filter_map(|(name, stats)| stats.last().map(|scrape| (*name, scrape)))
        };
        if scraped().next().is_none() {
            return Ok(());
        }
        page.family(
            "fanin_source_up",
            "gauge",
            "Whether the last scrape of the source succeeded.",
        )?;
        for (name, scrape) in scraped() {
            page.sample(
                "fanin_source_up",
                &[("source", name)],
                u8::from(scrape.failure.is_none()),
            )?;
        }
        let name = "fanin_source_scrape_duration_seconds";
        page.family(name, "gauge", "Time that the last scrape of the source took.")?;
        for (source, scrape) in scraped() {
            page.sample(name, &[("source", source)], scrape.took.as_secs_f64())?;
        }
        if scraped().any(|(_, scrape)| scrape.samples.is_some()) {
            page.family("fanin_source_samples", "gauge", "Samples on the source's last page.")?;
        }
        for (source, scrape) in scraped() {
            if let Some(samples) = scrape.samples {
                page.sample("fanin_source_samples", &[("source", source)], samples)?;
            }
        }
        page.family("fanin_source_bytes", "gauge", "Bytes of the source's last page.")?;
        for (source, scrape) in scraped() {
            page.sample("fanin_source_bytes", &[("source", source)], scrape.bytes)?;
        }
        let name = "fanin_source_last_success_timestamp_seconds";
        page.family(name, "gauge", "When a scrape of the source last succeeded.")?;
        for (source, stats) in sources {
            if let Some(at) = stats.last_success.get() {
                let at = unix_seconds(at);
                page.sample(name, &[("source", source)], format_args!("{at:.3}"))?;
            }
        }
        render_counts(sources, page)?;
        render_dropped(sources, page)?;
        render_files(sources, page)
    }

    fn render_requests(&self, now: &Now<'_>, page: &mut Families<'_>) -> fmt::Result {
        let name = "fanin_http_requests_total";
        page.family(name, "counter", "Requests answered, by route and status.")?;
        for known in self.requests.borrow().iter().filter(|known| *known.server == *now.server) {
            let mut code = heapless::String::<5>::new();
            write!(code, "{}", known.code)?;
            let labels = [("server", &*known.server), ("route", &*known.route), ("code", &code)];
            page.sample(name, &labels, known.count)?;
        }
        let name = "fanin_http_request_duration_seconds";
        page.family(
            name,
            "histogram",
            "Time from a request to the end of its reply, on all servers.",
        )?;
        let mut below = 0_u64;
        for ((_, bound), bucket) in BOUNDS.iter().zip(&self.buckets) {
            below = below.wrapping_add(bucket.get());
            page.sample("fanin_http_request_duration_seconds_bucket", &[("le", bound)], below)?;
        }
        let all = below.wrapping_add(self.slower.get());
        page.sample("fanin_http_request_duration_seconds_bucket", &[("le", "+Inf")], all)?;
        page.sample("fanin_http_request_duration_seconds_sum", &[], self.duration_sum.get())?;
        page.sample("fanin_http_request_duration_seconds_count", &[], all)
    }

    fn render_process(&self, page: &mut Families<'_>) -> fmt::Result {
        let process = process::read();
        let mut one = |name: &str, kind: &str, help: &str, value: Option<f64>| {
            let Some(value) = value else { return Ok(()) };
            page.family(name, kind, help)?;
            page.sample(name, &[], value)
        };
        one("process_cpu_seconds_total", "counter", "CPU time spent.", process.cpu_seconds)?;
        one("process_open_fds", "gauge", "Open file descriptors.", process.open_fds)?;
        one("process_max_fds", "gauge", "File descriptors that may be open.", process.max_fds)?;
        one("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes)?;
        one("process_virtual_memory_bytes", "gauge", "Address space.", process.virtual_bytes)?;
        one("process_threads", "gauge", "OS threads.", process.threads)?;
        let name = "process_start_time_seconds";
        page.family(name, "gauge", "When the program was started.")?;
        page.sample(name, &[], format_args!("{:.3}", unix_seconds(self.started)))
    }
}

/// How often sources were scraped, and how often in vain.
fn render_counts(sources: &[(&str, &SourceStats)], page: &mut Families<'_>) -> fmt::Result {
    let name = "fanin_source_scrapes_total";
    page.family(name, "counter", "Scrapes of the source; those that share one count once.")?;
    for (source, stats) in sources {
        if stats.last().is_some() {
            page.sample(name, &[("source", source)], stats.scrapes.get())?;
        }
    }
    let name = "fanin_source_failures_total";
    page.family(name, "counter", "Scrapes of the source that failed, by reason.")?;
    for (source, stats) in sources {
        for (reason, count) in stats.failures.borrow().iter() {
            page.sample(name, &[("source", source), ("reason", reason)], count)?;
        }
    }
    Ok(())
}

/// Lines that sources have lost, where there are any.
fn render_dropped(sources: &[(&str, &SourceStats)], page: &mut Families<'_>) -> fmt::Result {
    if sources.iter().all(|(_, stats)| stats.dropped.get() == 0) {
        return Ok(());
    }
    let name = "fanin_source_dropped_lines_total";
    page.family(name, "counter", "Malformed lines that the source's pages have lost.")?;
    for (source, stats) in sources.iter().filter(|(_, stats)| stats.dropped.get() > 0) {
        page.sample(name, &[("source", source)], stats.dropped.get())?;
    }
    Ok(())
}

/// When the files of sources were written, where there are any.
fn render_files(sources: &[(&str, &SourceStats)], page: &mut Families<'_>) -> fmt::Result {
    if sources.iter().all(|(_, stats)| stats.files.borrow().is_empty()) {
        return Ok(());
    }
    let name = "fanin_file_mtime_seconds";
    page.family(name, "gauge", "When a file of the source was last written.")?;
    for (source, stats) in sources {
        for FileTime { path, mtime } in stats.files.borrow().iter() {
            let labels = [("source", *source), ("path", &**path)];
            page.sample(name, &labels, format_args!("{mtime:.3}"))?;
        }
    }
    Ok(())
}

/// Writes families in the text format.
pub(super) struct Families<'a> {
    out: &'a mut dyn Write,
}

impl Families<'_> {
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}")
    }

    pub(super) fn sample(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl Display,
    ) -> fmt::Result {
        self.out.write_str(name)?;
        let mut separator = '{';
        for (label, text) in labels {
            write!(self.out, "{separator}{label}=\"{}\"", Escaped(text))?;
            separator = ',';
        }
        let end = if labels.is_empty() { "" } else { "}" };
        writeln!(self.out, "{end} {value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(metrics: &Metrics, sources: &[(&str, &SourceStats)]) -> String {
        let blocks = Counters { total: 9, used: 1, promised: 2, free: 6, kept: 0, waiting: 3 };
        let mut page = String::new();
        let now = Now { sources, server: "tcp://[::1]:1", blocks, connections: 4 };
        metrics.render(&now, &mut page).unwrap();
        page
    }

    #[test]
    fn the_page_tells_of_sources_requests_and_memory() {
        let (metrics, node) = (Metrics::default(), SourceStats::default());
        node.found(vec![FileTime { path: "a.prom".into(), mtime: 1.5 }]);
        let (at, took) = (Instant::now(), Duration::from_millis(250));
        let failed = Scrape { at, took, samples: Some(0), bytes: 0, failure: Some("timeout") };
        assert_eq!(node.record(failed), None);
        assert_eq!(
            node.record(Scrape { samples: Some(7), bytes: 99, failure: None, ..failed }),
            Some(failed)
        );
        let (server, route) = (Rc::from("tcp://[::1]:1"), Rc::from("/metrics"));
        metrics.request(&server, &route, 200, Duration::from_millis(20));
        metrics.request(&Rc::from("elsewhere"), &route, 200, Duration::from_secs(20));
        metrics.conflicts(Conflicts { types: 1, duplicates: 2, labels: 0 });
        let page = page(&metrics, &[("no\"de", &node)]);
        for line in [
            "fanin_source_up{source=\"no\\\"de\"} 1",
            "fanin_source_scrape_duration_seconds{source=\"no\\\"de\"} 0.25",
            "fanin_source_samples{source=\"no\\\"de\"} 7",
            "fanin_source_scrapes_total{source=\"no\\\"de\"} 2",
            "fanin_source_failures_total{source=\"no\\\"de\",reason=\"timeout\"} 1",
            "fanin_file_mtime_seconds{source=\"no\\\"de\",path=\"a.prom\"} 1.500",
            "fanin_http_requests_total{server=\"tcp://[::1]:1\",route=\"/metrics\",code=\"200\"} 1",
            "fanin_http_request_duration_seconds_bucket{le=\"0.025\"} 1",
            "fanin_http_request_duration_seconds_bucket{le=\"10\"} 1",
            "fanin_http_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "fanin_blocks{state=\"promised\"} 2",
            "fanin_scrapes_waiting 3",
            "fanin_connections 4",
            "fanin_merge_conflicts_total{kind=\"duplicate\"} 2",
            "fanin_config_last_reload_successful 1",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("elsewhere"), "another server's requests are told about");
    }

    #[test]
    fn a_page_that_was_passed_on_unread_has_no_samples_to_tell() {
        let (metrics, unread) = (Metrics::default(), SourceStats::default());
        let (at, took) = (Instant::now(), Duration::from_millis(250));
        unread.record(Scrape { at, took, samples: None, bytes: 9, failure: None });
        let page = page(&metrics, &[("unread", &unread)]);
        assert!(page.contains("fanin_source_bytes{source=\"unread\"} 9\n"), "{page}");
        assert!(!page.contains("fanin_source_samples"), "{page}");
    }

    #[test]
    fn the_last_scrapes_and_the_last_failure_are_remembered() {
        let node = SourceStats::default();
        assert_eq!(node.history(), []);
        let (at, took) = (Instant::now(), Duration::from_millis(2));
        let failed = Scrape { at, took, samples: Some(0), bytes: 0, failure: Some("timeout") };
        node.record(failed);
        node.explain(&"no whole page within 2ms");
        assert_eq!(node.last_success(), None);
        node.record(Scrape { samples: Some(1), failure: None, ..failed });
        assert_eq!(node.last_success(), Some(at));
        assert_eq!(node.last_failure().as_deref(), Some("no whole page within 2ms"));
        assert_eq!(node.history(), [Attempt::new(took, true), Attempt::new(took, false)]);
    }

    #[test]
    fn a_source_that_was_never_scraped_is_neither_up_nor_down() {
        let page = page(&Metrics::default(), &[("new", &SourceStats::default())]);
        assert!(!page.contains("fanin_source_"), "{page}");
    }
}
