//! The `file` source: files and FIFOs in, one page out.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and has threads of its own"
)]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{Daemon, Folder, Setup, page};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// A route for the file source `cron`, alone.
fn setup(source: &str) -> Setup {
    Setup::new().source_of("cron", source).route("/merged", "{merge: [cron]}")
}

/// The program with `cron` reading `path`, which starts at its folder.
fn reading(files: &[(&str, &str)], path: &str) -> Daemon {
    let setup = setup(&format!("{{file: {{path: \"{path}\"}}}}"));
    for (name, text) in files {
        setup.folder().write(name, text);
    }
    setup.start()
}

fn fifo(folder: &Folder, name: &str) {
    mknodat(CWD, folder.file(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Opens a FIFO to write; returns when somebody reads it.
fn writer(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn one_file_is_a_page() {
    let files = [("a.prom", "# TYPE up gauge\nup{a=\"b\"} 1")];
    for path in ["a.prom", "./a.prom", "?.prom"] {
        let daemon = reading(&files, path);

        let reply = daemon.get("/merged");

        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        let want = "# TYPE up gauge\nup{exporter_name=\"cron\",a=\"b\"} 1\n";
        assert_eq!(reply.body, want, "{path}");
        let mtime = fs::metadata(daemon.folder().file("a.prom")).unwrap().modified().unwrap();
        let mtime = mtime.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let labels = [("source", "cron"), ("path", "a.prom")];
        let told = daemon.own("fanin_file_mtime_seconds", &labels).unwrap();
        assert!((told - mtime).abs() < 0.002, "{path}: {told} {mtime}");
    }
}

/// Text and OpenMetrics, families joined in the order of names, hidden files and others left out.
#[test]
fn many_files_are_one_page() {
    let files = [
        ("b.prom", "# HELP x Of b.\n# TYPE x gauge\nx{f=\"b\"} 2\n# TYPE y counter\ny 3\n"),
        ("a.prom", "# HELP x Of a.\n# TYPE x gauge\nx{f=\"a\"} 1"),
        (
            "c.prom",
            "# TYPE jobs counter\n# UNIT jobs seconds\njobs_total 4 1.5\nx{f=\"c\"} 5\n# EOF\n",
        ),
        ("d.prom", ""),
        (".hidden.prom", "broken here\n"),
        ("e.prom.tmp", "broken here\n"),
    ];
    let daemon = reading(&files, "*.prom");

    let reply = daemon.get("/merged");

    assert_eq!(reply.status, 200, "{}", reply.body);
    page::assert_well_formed("many files", &reply.body);
    let want = "# HELP x Of a.\n# TYPE x gauge\n\
        x{exporter_name=\"cron\",f=\"a\"} 1\nx{exporter_name=\"cron\",f=\"b\"} 2\n\
        x{exporter_name=\"cron\",f=\"c\"} 5\n# TYPE y counter\ny{exporter_name=\"cron\"} 3\n\
        # TYPE jobs_total counter\njobs_total{exporter_name=\"cron\"} 4 1500\n";
    assert_eq!(reply.body, want);
    assert_eq!(daemon.own("fanin_source_samples", &[("source", "cron")]), Some(5.0));
    let own = daemon.get("/metrics").body;
    let times = page::samples(&own).into_iter().filter(|s| s.name == "fanin_file_mtime_seconds");
    let paths: Vec<String> = times.map(|s| s.label("path").unwrap().to_owned()).collect();
    assert_eq!(paths, ["a.prom", "b.prom", "c.prom", "d.prom"]);
}

/// Labels of a source and names that need quotes pass through the joining of files.
#[test]
fn labels_are_put_on_the_joined_page() {
    let setup = setup("{file: {path: \"*.prom\"}, labels: {rack: \"7\"}}");
    setup.folder().write("a.prom", "{\"my.name\",rack=\"1\"} 1\n");
    setup.folder().write("b.prom", "x{exporter_name=\"theirs\"} 1\n");
    let body = setup.start().get("/merged").body;
    page::assert_well_formed("labels", &body);
    let samples = page::samples(&body);
    assert_eq!(samples[0].name, "my_name", "{body}");
    assert_eq!(samples[0].label("exported_rack"), Some("1"), "{body}");
    assert_eq!(samples[1].label("exported_exporter_name"), Some("theirs"), "{body}");
    assert_eq!(samples[1].label("rack"), Some("7"), "{body}");
}

#[test]
fn of_equal_series_in_two_files_the_first_stays() {
    let daemon =
        reading(&[("a.prom", "x{a=\"1\"} 1\n"), ("b.prom", "x{a=\"1\"} 2\ny 1\n")], "*.prom");
    let body = daemon.get("/merged").body;
    page::assert_well_formed("equal series", &body);
    assert_eq!(page::value(&body, "x", &[]), Some(1.0), "{body}");
    assert_eq!(page::count(&body), 2, "{body}");
    let duplicates = daemon.own("fanin_merge_conflicts_total", &[("kind", "duplicate")]);
    assert_eq!(duplicates, Some(1.0));
}

/// The log knows the folder, the scraper does not.
#[test]
fn a_malformed_file_is_named_with_its_own_line() {
    let files =
        [("a.prom", "x 1\nx 2\nx 3\n"), ("b.prom", "y 1\ny{a=\"b\" 1\n"), ("c.prom", "z 1\n")];
    let daemon = reading(&files, "*.prom");

    let told = daemon.failed("malformed", "malformed");

    assert!(told.starts_with("source \"cron\": b.prom: line 2:"), "{told}");
    let path = daemon.folder().file("b.prom");
    let logged = format!("{}: line 2:", path.display());
    assert!(daemon.log.wait_for(&logged, 1).is_some(), "{}", daemon.log.text());
    daemon.folder().write("b.prom", "y 1\n");
    assert_eq!(daemon.get("/merged").status, 200);
    assert_eq!(daemon.own("fanin_source_up", &[("source", "cron")]), Some(1.0));
}

#[test]
fn what_cannot_be_read_is_a_failure_that_names_it() {
    let long = format!("x{{a=\"{}\"}} 1\n", "x".repeat(16 * 1024));
    let cases = [
        ("missing", "none.prom", "file", "none.prom: no such file"),
        ("missing folder", "none/none.prom", "file", "none.prom: no such file"),
        ("no match", "*.none", "file", "*.none: no file has such a name"),
        ("no such folder", "none/*.prom", "file", "*.prom: no file has such a name"),
        ("a loop of links", "loop", "file", "loop: "),
        ("a folder", "sub", "file", "sub: neither a file nor a FIFO"),
        ("a folder among others", "s*", "file", "sub: neither a file nor a FIFO"),
        ("a socket", "tock", "file", "tock: neither a file nor a FIFO"),
        ("a device", "/dev/null", "file", "null: neither a file nor a FIFO"),
        ("a long line", "long", "line_too_long", "long: a line is longer than 16384 bytes"),
        ("too large", "large", "too_large", "large: the page is longer than 65536 bytes"),
        ("too large together", "half*", "too_large", "half-b: the page is longer than 65536 bytes"),
        ("no end", "eof", "malformed", "eof: line 2:1: a line after \"# EOF\""),
    ];
    for (name, path, reason, want) in cases {
        let setup = setup(&format!("{{file: {{path: \"{path}\"}}}}")).limit("body: 64KiB");
        let folder = setup.folder();
        fs::create_dir(folder.file("sub")).unwrap();
        symlink("loop", folder.file("loop")).unwrap();
        let _socket = UnixListener::bind(folder.file("tock")).unwrap();
        folder.write("long", &long);
        folder.write("large", &common::big_page(70_000));
        folder.write("half-a", &common::big_page(35_000));
        folder.write("half-b", &common::big_page(35_000).replace("big_", "more_"));
        folder.write("eof", "# EOF\nx 1\n# EOF\n");
        let daemon = setup.start();
        let told = daemon.failed(name, reason);
        assert!(told.starts_with(&format!("source \"cron\": {want}")), "{name}: {told}");
    }
}

#[test]
fn too_many_files_are_a_failure_that_names_the_limit() {
    let daemon = reading(&[], "*.prom");
    for number in 0..129 {
        daemon.folder().write(&format!("{number}.prom"), &format!("x{number} 1\n"));
    }
    let told = daemon.failed("too many", "file");
    assert_eq!(told, "source \"cron\": *.prom: more than 128 files or folders have such a name\n");
    fs::remove_file(daemon.folder().file("0.prom")).unwrap();
    let reply = daemon.get("/merged");
    assert_eq!((reply.status, page::count(&reply.body)), (200, 128));
}

#[test]
fn a_file_that_is_too_old_is_stale() {
    let setup = setup("{file: {path: \"*.prom\"}, max_age: 1h}");
    setup.folder().write("a.prom", "x 1\n");
    setup.folder().write("b.prom", "y 1\n");
    let touch = |ago: i64| {
        let file = OpenOptions::new().append(true).open(setup.folder().file("b.prom")).unwrap();
        let by = Duration::from_secs(ago.unsigned_abs());
        let now = SystemTime::now();
        file.set_modified(if ago < 0 { now + by } else { now - by }).unwrap();
        file
    };
    let file = touch(7200);
    let daemon = setup.start();

    let told = daemon.failed("stale", "stale");

    assert!(told.starts_with("source \"cron\": b.prom: written 720"), "{told}");
    assert!(told.ends_with("s ago, and may be 3600s old\n"), "{told}");
    let mtime = daemon.own("fanin_file_mtime_seconds", &[("path", "b.prom")]);
    assert!(mtime.is_some(), "the time of a stale file is told");
    // A little younger, and of a clock that was set back since.
    for time in [
        SystemTime::now() - Duration::from_secs(3000),
        SystemTime::now() + Duration::from_secs(7200),
    ] {
        file.set_modified(time).unwrap();
        assert_eq!(daemon.get("/merged").status, 200);
    }
}

/// 32-bit boards have 32 bits for this in places. The age of such a file is that of a time to come.
#[test]
fn a_file_of_2040_has_its_time() {
    let setup = setup("{file: {path: a.prom}, max_age: 1h}");
    setup.folder().write("a.prom", "x 1\n");
    let file = OpenOptions::new().append(true).open(setup.folder().file("a.prom")).unwrap();
    let time = Duration::from_secs(2_208_988_800);
    file.set_modified(SystemTime::UNIX_EPOCH + time).unwrap();
    let daemon = setup.start();

    assert_eq!(daemon.get("/merged").status, 200);

    let mtime = daemon.own("fanin_file_mtime_seconds", &[("path", "a.prom")]);
    assert_eq!(mtime, Some(time.as_secs_f64()));
}

#[test]
fn a_cached_page_is_kept_though_the_file_changes() {
    let setup = setup("{file: {path: a.prom}, cache: 1h}");
    setup.folder().write("a.prom", "x 1\n");
    let daemon = setup.start();
    assert_eq!(page::value(&daemon.get("/merged").body, "x", &[]), Some(1.0));
    daemon.folder().write("a.prom", "x 2\n");
    assert_eq!(page::value(&daemon.get("/merged").body, "x", &[]), Some(1.0));
}

/// Every reply is the whole of one version, whatever is renamed meanwhile.
#[test]
fn a_file_that_is_replaced_is_read_whole() {
    let version = |n: usize| -> String { (0..3000).map(|m| format!("m{m} {n}\n")).collect() };
    let daemon = reading(&[("a.prom", &version(0))], "a.prom");
    let (path, new) = (daemon.folder().file("a.prom"), daemon.folder().file("a.new"));
    let done = Arc::new(AtomicBool::new(false));
    let theirs = done.clone();
    let replacing = thread::spawn(move || {
        let mut n = 0;
        while !theirs.load(Ordering::Relaxed) {
            n += 1;
            fs::write(&new, version(n)).unwrap();
            fs::rename(&new, &path).unwrap();
        }
        n
    });
    for _ in 0..50 {
        let reply = daemon.get("/merged");
        assert_eq!(reply.status, 200, "{}", reply.body);
        let samples = page::samples(&reply.body);
        assert_eq!(samples.len(), 3000);
        assert!(samples.iter().all(|sample| sample.rest == samples[0].rest));
    }
    done.store(true, Ordering::Relaxed);
    assert!(replacing.join().unwrap() > 0);
}

/// The scrape waits for a writer, and one that comes and goes without a word is none.
#[test]
fn a_fifo_waits_for_its_writer() {
    let setup = setup("{file: {path: pipe}}");
    fifo(setup.folder(), "pipe");
    let daemon = setup.start();
    let path = daemon.folder().file("pipe");
    let long = common::big_page(200_000);
    for text in ["# TYPE x gauge\nx 1\n", "x 1", &long] {
        let mut scraper = daemon.connect();
        scraper.ask("/merged");
        drop(writer(&path));
        drop(writer(&path));
        let mut writer = writer(&path);
        for piece in text.as_bytes().chunks(50_001) {
            writer.write_all(piece).unwrap();
        }
        drop(writer);
        let reply = scraper.reply();
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(page::count(&reply.body), page::count(text));
    }
    let labels = [("source", "cron"), ("path", "pipe")];
    assert_eq!(daemon.own("fanin_file_mtime_seconds", &labels), None, "of files only");
}

#[test]
fn a_fifo_without_a_writer_costs_the_deadline_and_nothing_else() {
    let setup = setup("{file: {path: pipe}, timeout: 1s}");
    fifo(setup.folder(), "pipe");
    let daemon = setup.start();
    let path = daemon.folder().file("pipe");
    let before = daemon.ticks();
    let mut scraper = daemon.connect();
    scraper.ask("/merged");
    // One that came and went leaves the descriptor at its end, which must not be asked for ever.
    drop(writer(&path));
    assert_eq!(daemon.get("/-/healthy").status, 200, "the thread is free meanwhile");

    let reply = scraper.reply();

    assert_eq!(reply.status, 503, "{}", reply.body);
    assert_eq!(reply.body, "source \"cron\": no whole page within 1s\n");
    let ticks = daemon.ticks() - before;
    assert!(ticks < 30, "{ticks} hundredths of a second of CPU time");
    let labels = [("source", "cron"), ("reason", "timeout")];
    assert_eq!(daemon.own("fanin_source_failures_total", &labels), Some(1.0));
    // A writer that never ends is no page either, and the next one has its own scrape.
    let mut scraper = daemon.connect();
    scraper.ask("/merged");
    let mut endless = writer(&path);
    endless.write_all(b"x 1\n").unwrap();
    assert_eq!(scraper.reply().status, 503);
    drop(endless);
}

/// One reads, and all who ask meanwhile get what it read.
#[test]
fn scrapers_of_a_fifo_share_its_page() {
    let setup = setup("{file: {path: pipe}}").route("/other", "{merge: [cron]}");
    fifo(setup.folder(), "pipe");
    let daemon = setup.start();
    let (mut one, mut two) = (daemon.connect(), daemon.connect());
    one.ask("/merged");
    two.ask("/other");
    let mut writer = writer(&daemon.folder().file("pipe"));
    writer.write_all(b"x 1\n").unwrap();
    // Both have been read when who came later has an answer.
    for _ in 0..3 {
        assert_eq!(daemon.get("/-/healthy").status, 200);
    }
    drop(writer);
    for scraper in [&mut one, &mut two] {
        let reply = scraper.reply();
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(page::value(&reply.body, "x", &[]), Some(1.0));
    }
}

/// A FIFO that gives too much is cut off at the limit, and so is its writer.
#[test]
fn a_fifo_over_the_limit_is_a_failure() {
    let setup = setup("{file: {path: pipe}}").limit("body: 64KiB");
    fifo(setup.folder(), "pipe");
    let daemon = setup.start();
    let mut scraper = daemon.connect();
    scraper.ask("/merged");
    let mut writer = writer(&daemon.folder().file("pipe"));
    while writer.write_all(b"x 1\n# comment\n").is_ok() {}
    let reply = scraper.reply();
    assert_eq!(reply.status, 503);
    assert_eq!(reply.body, "source \"cron\": pipe: the page is longer than 65536 bytes\n");
}

/// A file source is matched by name like any other: its counters outlive a reload.
#[test]
fn a_reload_takes_another_path() {
    let setup = setup("{file: {path: a.prom}, cache: 1h}");
    setup.folder().write("a.prom", "x 1\n");
    setup.folder().write("b.prom", "x 2\n");
    let daemon = setup.start();
    assert_eq!(page::value(&daemon.get("/merged").body, "x", &[]), Some(1.0));
    daemon.rewrite(&self::setup("{file: {path: b.prom}, cache: 1h}"));
    daemon.reload();
    daemon.until("the other file", || {
        page::value(&daemon.get("/merged").body, "x", &[]) == Some(2.0)
    });
}

/// What was read from a FIFO is gone, so a scrape that is short of memory is not repeated: it would
/// wait for the next writer.
#[test]
fn a_fifo_that_does_not_fit_into_memory_is_not_asked_twice() {
    let setup = setup("{file: {path: pipe}}").limit("memory: 256KiB").limit("body: 128KiB");
    fifo(setup.folder(), "pipe");
    let daemon = setup.start();
    let mut scraper = daemon.connect();
    scraper.ask("/merged");
    let mut writer = writer(&daemon.folder().file("pipe"));
    while writer.write_all(b"x 1\n# comment\n").is_ok() {}
    let reply = scraper.reply();
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.starts_with("no memory for this scrape"), "{}", reply.body);
    assert!(reply.header("retry-after").is_some());
    let labels = [("source", "cron"), ("reason", "memory")];
    assert_eq!(daemon.own("fanin_source_failures_total", &labels), Some(1.0));
}
