//! How runs end that do not end by themselves.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::common::process::{children, runs};
use super::{assert_none_left, fifo, running, scripted, written_down};

/// Waits until none of these runs any more.
fn assert_dead(name: &str, daemon: &super::Daemon, pids: &[u32]) {
    daemon.until(&format!("{name}: the end of {pids:?}"), || !pids.iter().any(|pid| runs(*pid)));
}

/// Commands that would take for ever, with the number of processes that they write down.
const ENDLESS: [(&str, &str, usize); 9] = [
    ("says nothing", "echo $$ >> pids; exec sleep 30", 1),
    ("closes its output and lives on", "echo $$ >> pids; echo x 1; exec >&-; sleep 30", 1),
    ("leaves its output to another", "sleep 30 & echo $! >> pids; echo x 1", 1),
    (
        "leaves its output to one that ignores TERM",
        "(trap '' TERM; exec sleep 30) & echo $! >> pids; echo x 1",
        1,
    ),
    ("ignores TERM", "trap '' TERM; echo $$ >> pids; sleep 30 & echo $! >> pids; wait", 2),
    ("is stopped", "echo $$ >> pids; kill -STOP $$; sleep 30", 1),
    (
        "a byte a moment",
        "echo $$ >> pids; n=0; while [ $n -lt 300 ]; do printf x; sleep 0.1; n=$((n+1)); done",
        1,
    ),
    ("keeps standard error open", "echo $$ >> pids; echo x 1; exec >&-; exec sleep 30", 1),
    (
        "many in a row",
        "for n in 1 2 3 4 5 6 7 8; do sleep 30 | sleep 30 & echo $! >> pids; done; wait",
        8,
    ),
];

#[test]
fn at_the_deadline_the_whole_group_is_killed_and_nobody_waits_for_it() {
    for (name, script, count) in ENDLESS {
        let daemon = scripted(script, "", ", timeout: 400ms").start();
        let start = Instant::now();
        let told = daemon.failed(name, "timeout");
        assert!(start.elapsed() < Duration::from_secs(3), "{name}: {:?}", start.elapsed());
        assert_eq!(told, "source \"cron\": no whole page within 400ms\n", "{name}");
        let pids = written_down(&daemon, count);
        assert_dead(name, &daemon, &pids);
        assert_none_left(name, &daemon);
        assert_eq!(daemon.status("Threads"), 2, "{name}");
    }
}

#[test]
fn when_the_last_who_waits_has_gone_the_whole_group_is_killed() {
    for (name, script, count) in ENDLESS {
        let daemon = running(script);
        let (mut one, mut two) = (daemon.connect(), daemon.connect());
        one.ask("/merged");
        two.ask("/merged");
        let pids = written_down(&daemon, count);
        assert_eq!(daemon.get("/-/healthy").status, 200, "{name}");
        drop(one);
        assert_eq!(daemon.get("/-/healthy").status, 200, "{name}");
        assert!(!children(daemon.pid()).is_empty(), "{name}: one still waits");
        drop(two);
        assert_dead(name, &daemon, &pids);
        assert_none_left(name, &daemon);
    }
}

/// What is well-behaved has time to clean up.
#[test]
fn term_comes_first() {
    let script = "trap 'echo done > cleaned; exit 0' TERM; echo $$ >> pids; sleep 30 & wait";
    let daemon = scripted(script, "", ", timeout: 400ms").start();
    daemon.failed("cleans up", "timeout");
    assert_none_left("cleans up", &daemon);
    assert!(daemon.folder().file("cleaned").exists());
}

/// A page that is whole counts, whatever goes on in the background without holding its output.
#[test]
fn what_goes_on_in_the_background_is_let_go() {
    let script = "sleep 30 > /dev/null 2>&1 & echo $! >> pids; echo x 1";
    let daemon = running(script);
    assert_eq!(daemon.get("/merged").status, 200);
    assert_none_left("background", &daemon);
    let left = written_down(&daemon, 1)[0];
    assert!(runs(left));
    kill_process(Pid::from_raw(left.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}

/// Its group is dead by the time that we are.
#[test]
fn sigterm_ends_what_runs() {
    let script = "trap '' TERM; echo $$ >> pids; sleep 30 & echo $! >> pids; wait; wait";
    let mut daemon = running(script);
    let mut scraper = daemon.connect();
    scraper.ask("/merged");
    let pids = written_down(&daemon, 2);

    daemon.signal(Signal::TERM);

    assert!(daemon.exit().success());
    assert!(daemon.log_contains("ending (commands that run: 1)"), "{}", daemon.log.text());
    assert_dead("SIGTERM", &daemon, &pids);
}

/// What is being answered has its time first.
#[test]
fn a_run_that_ends_in_time_is_answered_while_fanin_ends() {
    let setup = scripted("echo $$ >> pids; read -r go < gate; echo x 1", "", "");
    fifo(setup.folder(), "gate");
    let mut daemon = setup.start();
    let mut scraper = daemon.connect();
    scraper.ask("/merged");
    written_down(&daemon, 1);
    daemon.signal(Signal::TERM);
    assert!(daemon.log_contains("ending (open connections"));
    super::open_gate(&daemon);
    assert_eq!(scraper.reply().status, 200);
    assert!(daemon.exit().success());
}

/// A command that `every` runs ends with the configuration that has it, unless that has not changed.
#[test]
fn a_reload_ends_what_it_no_longer_has() {
    let script = "echo $$ >> pids; exec sleep 30";
    let setup = |every: &str| scripted(script, "", &format!(", every: {every}"));
    let daemon = setup("1h").start();
    written_down(&daemon, 1);
    let reloads = std::cell::Cell::new(0);
    let reload = |new: &super::Setup| {
        daemon.rewrite(new);
        daemon.reload();
        reloads.set(reloads.get() + 1);
        assert!(daemon.log.wait_for("configuration reloaded", reloads.get()).is_some());
    };
    reload(&setup("1h"));
    assert_eq!(children(daemon.pid()).len(), 1, "unchanged");
    reload(&setup("2h"));
    let pids = written_down(&daemon, 2);
    assert_dead("changed", &daemon, &pids[..1]);
    assert!(runs(pids[1]), "the new one runs");
    reload(&super::Setup::new().route("/merged", "{merge: self}"));
    assert_none_left("removed", &daemon);
}
