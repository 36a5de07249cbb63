//! The `exec` source: commands run, one page out, and nothing of them left behind.
//!
//! What a script starts ends by itself after a while, should a test fail.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics, and has threads of its own"
)]

mod common;

#[path = "exec/asked.rs"]
mod asked;
#[path = "exec/ends.rs"]
mod ends;
#[path = "exec/load.rs"]
mod load;
#[path = "exec/stderr.rs"]
mod stderr;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use common::{Daemon, Folder, Setup, page, process};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

/// A route for the source `cron`, alone.
fn setup(source: &str) -> Setup {
    Setup::new().source_of("cron", source).route("/merged", "{merge: [cron]}")
}

/// The source `cron` as a shell script that runs in the test's folder, with keys inside and beside.
fn scripted(script: &str, inside: &str, beside: &str) -> Setup {
    let setup = setup(&format!("{{exec: {{command: [sh, cron.sh], cwd: .{inside}}}{beside}}}"));
    setup.folder().write("cron.sh", script);
    setup
}

/// The program with `cron` as this script.
fn running(script: &str) -> Daemon {
    scripted(script, "", "").start()
}

fn fifo(folder: &Folder, name: &str) {
    mknodat(CWD, folder.file(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Lets a script go on that reads a line from `gate`.
fn open_gate(daemon: &Daemon) {
    let path = daemon.folder().file("gate");
    let mut open = OpenOptions::new();
    open.write(true).custom_flags(OFlags::NONBLOCK.bits().try_into().unwrap());
    daemon.until("a script at the gate", || {
        open.open(&path).is_ok_and(|mut gate| gate.write_all(b"go\n").is_ok())
    });
}

/// Waits until nothing that the daemon started is left, zombies included.
fn assert_none_left(name: &str, daemon: &Daemon) {
    daemon.until(&format!("{name}: no children"), || process::children(daemon.pid()).is_empty());
}

/// The processes that a script has written down, once there are `count`.
fn written_down(daemon: &Daemon, count: usize) -> Vec<u32> {
    let file = daemon.folder().file("pids");
    daemon.until("the script's processes", || process::pids(&file).len() >= count);
    process::pids(&file)
}

#[test]
fn the_output_is_the_page() {
    let print = "printf 'x{v=\"%s\"} 1\\n' ";
    let cases = [
        ("a line", "echo x 1", "", "# TYPE x untyped\nx{exporter_name=\"cron\"} 1\n".to_owned()),
        (
            "no line end",
            "printf 'x 1'",
            "",
            "# TYPE x untyped\nx{exporter_name=\"cron\"} 1\n".to_owned(),
        ),
        ("nothing", "true", "", String::new()),
        (
            "OpenMetrics",
            "printf '# TYPE jobs counter\\njobs_total 4 1.5\\n# EOF\\n'",
            "",
            "# TYPE jobs_total counter\njobs_total{exporter_name=\"cron\"} 4 1500\n".to_owned(),
        ),
        (
            "a variable",
            &format!("{print} \"$V\""),
            ", env: {V: \"a b\"}",
            "# TYPE x untyped\nx{exporter_name=\"cron\",v=\"a b\"} 1\n".to_owned(),
        ),
        (
            "one from a file",
            &format!("{print} \"$V\""),
            ", env_file: {V: secret}",
            "# TYPE x untyped\nx{exporter_name=\"cron\",v=\"hunter2\"} 1\n".to_owned(),
        ),
        (
            "the folder",
            &format!("{print} \"$(basename \"$PWD\")\""),
            "/sub",
            "# TYPE x untyped\nx{exporter_name=\"cron\",v=\"sub\"} 1\n".to_owned(),
        ),
        (
            "an empty environment",
            &format!("{print} \"$HOME$USER$CARGO_PKG_NAME\""),
            ", clear_env: true",
            "# TYPE x untyped\nx{exporter_name=\"cron\",v=\"\"} 1\n".to_owned(),
        ),
        (
            "no input",
            "cat; echo x 1",
            "",
            "# TYPE x untyped\nx{exporter_name=\"cron\"} 1\n".to_owned(),
        ),
    ];
    for (name, script, inside, want) in cases {
        let setup = scripted(script, inside, "");
        fs::create_dir(setup.folder().file("sub")).unwrap();
        setup.folder().write("sub/cron.sh", script);
        setup.folder().write("secret", "hunter2\n");
        let daemon = setup.start();
        let reply = daemon.get("/merged");
        assert_eq!((reply.status, reply.body), (200, want), "{name}");
        assert_none_left(name, &daemon);
    }
}

/// The command may have exited long before its output is read to the end.
#[test]
fn a_long_page_comes_whole() {
    let long = common::big_page(300_000);
    let setup = scripted("cat page", "", "");
    setup.folder().write("page", &long);
    let reply = setup.start().get("/merged");
    page::assert_well_formed("a long page", &reply.body);
    assert_eq!(page::count(&reply.body), page::count(&long));
}

/// A program by its path, relative to the configuration, and its arguments as they are.
#[test]
fn arguments_reach_the_program_unchanged() {
    let setup = setup(
        "{exec: {command: [./echo-args, \"a b\", \"*\", \"$HOME\", \"\", --x=é], env: {V: x}}}",
    );
    write_program(
        setup.folder(),
        "echo-args",
        "#!/bin/sh\necho \"args{n=\\\"$#\\\"} 1\"\n\
        for a; do echo \"arg{v=\\\"$a\\\"} 1\"; done\n",
        0o755,
    );
    let daemon = setup.start();
    let body = daemon.get("/merged").body;
    assert_eq!(page::value(&body, "args", &[("n", "5")]), Some(1.0), "{body}");
    for arg in ["a b", "*", "$HOME", "", "--x=é"] {
        assert_eq!(page::value(&body, "arg", &[("v", arg)]), Some(1.0), "{arg}: {body}");
    }
}

/// Writes a program from a process of its own: were the file open in this one, a test that starts a
/// daemon at that moment would take it along, and a file that is open cannot be executed.
fn write_program(folder: &Folder, name: &str, text: &str, mode: u32) {
    let path = folder.file(name);
    let mut writer = std::process::Command::new("sh")
        .args(["-c", "cat > \"$0\"", path.to_str().unwrap()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_cannot_be_started_is_a_failure_that_says_why() {
    let cases = [
        ("none in PATH", "[no-such, secret]", "", "\"no-such\": no such file (it is not in PATH)"),
        ("no file", "[./none, secret]", "", "\"none\": no such file"),
        (
            "not executable",
            "[./plain, secret]",
            "",
            "\"plain\": permission denied (it is not executable)",
        ),
        ("a folder", "[./sub, secret]", "", "\"sub\": permission denied (it is not executable)"),
        (
            "no #! line",
            "[./text, secret]",
            "",
            "\"text\": Exec format error (os error 8) \
             (neither a program for this machine nor a script with a #! line)",
        ),
        (
            "no interpreter",
            "[./lost, secret]",
            "",
            "\"lost\": no such file (the interpreter in its #! line is missing)",
        ),
        (
            "no folder",
            "[sh, secret]",
            ", cwd: nowhere",
            "\"sh\": no such file (there is no such folder as cwd)",
        ),
    ];
    for (name, command, inside, want) in cases {
        let setup = setup(&format!("{{exec: {{command: {command}{inside}}}}}"));
        let folder = setup.folder();
        fs::create_dir(folder.file("sub")).unwrap();
        write_program(folder, "plain", "#!/bin/sh\n", 0o644);
        write_program(folder, "text", "echo x 1\n", 0o755);
        write_program(folder, "lost", "#!/no/such/shell\n", 0o755);
        let daemon = setup.start();
        let told = daemon.failed(name, "exec");
        assert_eq!(told, format!("source \"cron\": cannot start {want}\n"), "{name}");
        assert!(daemon.log_contains("cannot start \""), "{name}");
        assert!(!daemon.log.text().contains("secret"), "{name}: {}", daemon.log.text());
        assert_none_left(name, &daemon);
    }
}

/// The log has the whole path.
#[test]
fn the_log_says_where_the_program_is() {
    let daemon = setup("{exec: {command: ./none}}").start();
    daemon.failed("no file", "exec");
    let path = daemon.folder().file("none");
    assert!(daemon.log_contains(&format!("cannot start \"{}\"", path.display())));
}

#[test]
fn a_run_that_does_not_end_well_is_a_failure() {
    let cases = [
        ("a status", "echo x 1; exit 3", "exec", "exited with 3"),
        ("a signal", "echo x 1; kill -9 $$", "exec", "killed by signal 9"),
        ("a status, output closed", "exec >&-; exit 255", "exec", "exited with 255"),
        ("malformed", "echo x 1; echo x{", "malformed", "line 2:"),
        (
            "a long line",
            "head -c 20000 /dev/zero | tr '\\0' x",
            "line_too_long",
            "a line is longer",
        ),
        ("too large", "cat page", "too_large", "the page is longer than 65536 bytes"),
        (
            "endless",
            "echo $$ >> pids; while :; do echo x 1; done",
            "too_large",
            "the page is longer",
        ),
    ];
    for (name, script, reason, want) in cases {
        let setup = scripted(script, "", "").limit("body: 64KiB");
        setup.folder().write("page", &common::big_page(70_000));
        let daemon = setup.start();
        let told = daemon.failed(name, reason);
        assert!(told.starts_with(&format!("source \"cron\": {want}")), "{name}: {told}");
        assert_none_left(name, &daemon);
        assert_eq!(daemon.status("Threads"), 2, "{name}");
    }
}

/// Nobody but the command itself decides over its page: a failure leaves the others in.
#[test]
fn a_failing_script_is_left_out_of_a_merge() {
    let setup = Setup::new()
        .source_of("bad", "{exec: {command: [sh, -c, \"exit 1\"]}}")
        .source_of("good", "{exec: {command: [sh, -c, \"echo x 1\"]}}")
        .route("/merged", "{merge: all}");
    let daemon = setup.start();
    let reply = daemon.get("/merged");
    assert_eq!(
        (reply.status, &*reply.body),
        (200, "# TYPE x untyped\nx{exporter_name=\"good\"} 1\n")
    );
    let up = |source| daemon.own("fanin_source_up", &[("source", source)]);
    assert_eq!((up("bad"), up("good")), (Some(0.0), Some(1.0)));
}

/// All who ask while it runs get the one run; who asks later gets another.
#[test]
fn scrapes_that_come_while_it_runs_share_the_run() {
    let script = "echo $$ >> pids; read -r go < gate; echo x $(wc -l < pids)";
    let setup = scripted(script, "", "").route("/other", "{merge: {sources: cron, label: none}}");
    fifo(setup.folder(), "gate");
    let daemon = setup.start();
    // What is not known to be small has the memory for itself the first time.
    let mut scraper = daemon.connect();
    scraper.ask("/merged");
    open_gate(&daemon);
    assert_eq!(scraper.reply().status, 200);
    for run in 2..=3_u8 {
        let mut scrapers: Vec<_> = (0..6).map(|_| daemon.connect()).collect();
        for (n, scraper) in scrapers.iter_mut().enumerate() {
            scraper.ask(if n % 2 == 0 { "/merged" } else { "/other" });
        }
        written_down(&daemon, run.into());
        // All have been read when who came later has an answer.
        for _ in 0..3 {
            assert_eq!(daemon.get("/-/healthy").status, 200);
        }
        open_gate(&daemon);
        for scraper in &mut scrapers {
            let reply = scraper.reply();
            assert_eq!(reply.status, 200, "{}", reply.body);
            let runs = page::value(&reply.body, "x", &[]);
            assert_eq!(runs, Some(run.into()), "{}", reply.body);
        }
    }
    assert_eq!(written_down(&daemon, 3).len(), 3);
    assert_none_left("shared", &daemon);
}

/// Without a `timeout` of the source, the scraper's own time is what a run has; one that takes longer
/// is told of and counted like any other failure.
#[test]
fn a_run_that_misses_the_scrapers_deadline_is_a_failure() {
    for (path, status) in [("/merged", 503), ("/proxy?module=cron", 504)] {
        let setup = scripted("echo $$ >> pids; exec sleep 60", "", "");
        let daemon = setup.route("/proxy", "{proxy: all}").start();
        let reply = daemon.get_with(path, &[("X-Prometheus-Scrape-Timeout-Seconds", "0.4")]);
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        let failed = [("source", "cron"), ("reason", "timeout")];
        assert_eq!(daemon.own("fanin_source_failures_total", &failed), Some(1.0), "{path}");
        assert_eq!(daemon.own("fanin_source_up", &[("source", "cron")]), Some(0.0), "{path}");
        assert!(daemon.log_contains("source \"cron\": no whole page within "), "{path}");
        assert_none_left(path, &daemon);
    }
}

/// It has standard input, output and error, and nothing of ours.
#[test]
fn a_command_inherits_no_descriptor() {
    // What a shell opens to see which there are is closed by the time that it looks.
    let script = "for fd in /proc/$$/fd/*; do \
        if [ -e $fd ]; then echo \"fd{n=\\\"$(basename $fd)\\\"} 1\"; fi; done";
    let setup = setup(&format!("{{exec: {{command: [sh, -c, '{script}']}}}}"));
    let daemon = setup.start();
    let mut idle: Vec<_> = (0..5).map(|_| daemon.connect()).collect();
    for connection in &mut idle {
        connection.ask("/-/healthy");
        assert_eq!(connection.reply().status, 200);
    }
    // What the one who started these tests has left open is not ours either.
    let inherited = fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|entry| {
        let flags =
            fs::read_to_string(format!("/proc/self/fdinfo/{}", entry.file_name().to_str()?));
        let flags =
            flags.ok()?.lines().find_map(|line| line.strip_prefix("flags:").map(str::to_owned))?;
        let close_on_exec = u32::from_str_radix(flags.trim(), 8).ok()? & 0o2_000_000 != 0;
        (!close_on_exec).then(|| entry.file_name().to_str().unwrap().to_owned())
    });
    let inherited: Vec<String> = inherited.collect();
    let body = daemon.get("/merged").body;
    let fds = page::samples(&body).into_iter().map(|s| s.label("n").unwrap().to_owned());
    let ours: Vec<String> = fds.filter(|fd| !inherited.contains(fd)).collect();
    let std = ["0", "1", "2"].iter().filter(|fd| !inherited.iter().any(|i| i == *fd)).count();
    assert_eq!(ours.len(), std, "{body}");
}

/// What was run is not run again for want of memory.
#[test]
fn a_run_that_does_not_fit_into_memory_is_not_repeated() {
    let script = "echo $$ >> pids; cat page";
    let setup = scripted(script, "", "").limit("memory: 256KiB").limit("body: 128KiB");
    setup.folder().write("page", &"x 1\n# comment\n".repeat(9000));
    let daemon = setup.start();
    let reply = daemon.get("/merged");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.starts_with("no memory for this scrape"), "{}", reply.body);
    assert!(reply.header("retry-after").is_some());
    assert_eq!(process::pids(&daemon.folder().file("pids")).len(), 1);
    let labels = [("source", "cron"), ("reason", "memory")];
    assert_eq!(daemon.own("fanin_source_failures_total", &labels), Some(1.0));
    assert_none_left("short of memory", &daemon);
}

/// A reload takes another command, and leaves alone the one that runs.
#[test]
fn a_reload_while_it_runs() {
    let script = "echo $$ >> pids; read -r go < gate; echo x 1";
    let setup = scripted(script, "", "");
    fifo(setup.folder(), "gate");
    let daemon = setup.start();
    let mut scraper = daemon.connect();
    // What is not known to be small has the memory for itself the first time.
    scraper.ask("/merged");
    open_gate(&daemon);
    assert_eq!(scraper.reply().status, 200);
    scraper.ask("/merged");
    written_down(&daemon, 2);
    daemon.rewrite(&self::setup("{exec: {command: [sh, -c, \"echo x 2\"]}}"));
    daemon.reload();
    assert!(daemon.log_contains("configuration reloaded"));
    assert_eq!(page::value(&daemon.get("/merged").body, "x", &[]), Some(2.0));
    open_gate(&daemon);
    assert_eq!(page::value(&scraper.reply().body, "x", &[]), Some(1.0));
    assert_none_left("reloaded", &daemon);
}
