//! `fanin install`, in a folder that stands for a machine's files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use common::command::{self, Done};
use common::{Folder, fanin, peers};

/// A machine of which only this file is known.
fn machine(sign: &str) -> Folder {
    let folder = Folder::new();
    let sign = folder.path().join(sign);
    fs::create_dir_all(sign.parent().unwrap()).unwrap();
    fs::write(sign, "").unwrap();
    folder
}

fn install(machine: &Folder, more: &[&str]) -> Done {
    let root = machine.path().display().to_string();
    fanin(&[&["install", "--root", &root], more].concat())
}

fn read(machine: &Folder, file: &str) -> String {
    let path = machine.path().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn mode(machine: &Folder, file: &str) -> u32 {
    fs::metadata(machine.path().join(file)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn each_manager_gets_its_service_the_program_and_a_configuration() {
    let systemd =
        ("etc/systemd/system/fanin.service", "usr/local/bin/fanin", "etc/fanin/fanin.yaml");
    let procd = ("etc/init.d/fanin", "usr/bin/fanin", "etc/fanin.yaml");
    let openrc = ("etc/init.d/fanin", "usr/local/bin/fanin", "etc/fanin/fanin.yaml");
    let cases = [
        ("run/systemd/system", systemd, "systemctl enable --now fanin"),
        ("lib/systemd/systemd", systemd, "systemctl enable --now fanin"),
        ("sbin/procd", procd, "/etc/init.d/fanin enable"),
        ("sbin/openrc-run", openrc, "rc-update add fanin default"),
    ];
    for (sign, (service, program, config), next) in cases {
        let machine = machine(sign);
        let done = install(&machine, &[]);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{sign}");
        for file in [service, program, config] {
            let wrote = format!("wrote {}", machine.path().join(file).display());
            assert!(done.out.contains(&wrote), "{sign}: {wrote}: {}", done.out);
        }
        assert!(done.out.contains(next), "{sign}: {}", done.out);
        let text = read(&machine, service);
        assert!(text.contains(&format!("/{program}")), "{text}");
        assert!(text.contains(&format!("serve --config /{config}")), "{text}");
        assert_eq!(mode(&machine, program), 0o755, "{sign}");
        assert_eq!(mode(&machine, service), if service.contains("init.d") { 0o755 } else { 0o644 });
        let checked = fanin(&["check", machine.path().join(config).to_str().unwrap()]);
        assert_eq!(checked.code, Some(0), "{sign}: {}", checked.err);
    }
}

#[test]
fn a_dry_run_shows_everything_and_writes_nothing() {
    let machine = machine("sbin/procd");
    let done = install(&machine, &["--dry-run"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    for part in ["would write", "    #!/bin/sh /etc/rc.common", "    servers:", "logread -e fanin"]
    {
        assert!(done.out.contains(part), "{part}: {}", done.out);
    }
    assert!(!machine.path().join("etc").exists());
}

#[test]
fn a_second_time_brings_the_program_and_the_service_up_to_date_and_keeps_the_configuration() {
    let machine = machine("sbin/openrc-run");
    assert_eq!(install(&machine, &[]).code, Some(0));
    fs::write(machine.path().join("etc/fanin/fanin.yaml"), "servers: nonsense\n").unwrap();
    let done = install(&machine, &[]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(read(&machine, "etc/fanin/fanin.yaml"), "servers: nonsense\n");
    assert!(
        done.out.contains("not right yet") && done.out.contains("a list of servers"),
        "{}",
        done.out
    );
}

#[test]
fn what_somebody_else_has_put_there_is_not_touched() {
    for (sign, theirs) in [
        ("run/systemd/system", "etc/systemd/system/fanin.service"),
        ("run/systemd/system", "usr/lib/systemd/system/fanin.service"),
        ("sbin/procd", "etc/init.d/fanin"),
    ] {
        let machine = machine(sign);
        let file = machine.path().join(theirs);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "[Unit]\n").unwrap();
        let done = install(&machine, &[]);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{theirs}");
        assert!(done.err.contains("was not written by `fanin install`"), "{theirs}: {}", done.err);
        assert_eq!(read(&machine, theirs), "[Unit]\n");
        let removed = install(&machine, &["--uninstall"]);
        assert_eq!(removed.code, Some(1), "{theirs}: {}", removed.out);
        assert!(file.exists(), "{theirs}");
    }
}

#[test]
fn uninstalling_leaves_configuration_and_program() {
    let machine = machine("run/systemd/system");
    assert_eq!(install(&machine, &[]).code, Some(0));
    let link = machine.path().join("etc/systemd/system/multi-user.target.wants/fanin.service");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink("/etc/systemd/system/fanin.service", &link).unwrap();

    let dry = install(&machine, &["--uninstall", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert!(dry.out.contains("would remove") && fs::symlink_metadata(&link).is_ok());

    let done = install(&machine, &["--uninstall"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("systemctl daemon-reload"), "{}", done.out);
    let there = |file: &str| machine.path().join(file).exists();
    assert!(!there("etc/systemd/system/fanin.service") && fs::symlink_metadata(&link).is_err());
    assert!(there("etc/fanin/fanin.yaml") && there("usr/local/bin/fanin"));

    let again = install(&machine, &["--uninstall"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("fanin.service: No such file"), "{}", again.err);
}

#[test]
fn a_service_that_cannot_be_stopped_later_is_to_be_stopped_first() {
    let machine = machine("sbin/openrc-run");
    assert_eq!(install(&machine, &[]).code, Some(0));
    let running = machine.path().join("run/openrc/started/fanin");
    fs::create_dir_all(running.parent().unwrap()).unwrap();
    fs::write(&running, "").unwrap();
    let done = install(&machine, &["--uninstall"]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("rc-service fanin stop"), "{}", done.err);
}

#[test]
fn what_goes_wrong_is_said() {
    let nobody = Folder::new();
    let done = install(&nobody, &[]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("neither systemd nor procd"), "{}", done.err);
    assert_eq!(install(&nobody, &["--manager", "procd"]).code, Some(0), "it was said which");

    let done = install(&nobody, &["--manager", "upstart"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("\"upstart\" is none of systemd, procd, openrc"), "{}", done.err);

    let full = machine("run/systemd/system");
    fs::write(full.path().join("etc"), "a file where a folder belongs").unwrap();
    let done = install(&full, &[]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("/etc/systemd/system/fanin.service: Not a directory"),
        "{}",
        done.err
    );
}

#[test]
fn systemd_takes_the_unit() {
    let Some(analyze) = peers::find("the unit", &["systemd-analyze"]) else { return };
    let machine = machine("run/systemd/system");
    assert_eq!(install(&machine, &[]).code, Some(0));
    let unit = machine.path().join("etc/systemd/system/fanin.service");
    // The program is not on this machine.
    let here = Path::new(env!("CARGO_BIN_EXE_fanin"));
    let text = read(&machine, "etc/systemd/system/fanin.service");
    fs::write(&unit, text.replace("/usr/local/bin/fanin", here.to_str().unwrap())).unwrap();
    let done = command::run(Command::new(analyze).args(["verify", "--man=no"]).arg(&unit), "");
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{}", done.out);
}

#[test]
fn shells_take_the_scripts() {
    for sign in ["sbin/procd", "sbin/openrc-run"] {
        let machine = machine(sign);
        assert_eq!(install(&machine, &[]).code, Some(0));
        let script = machine.path().join("etc/init.d/fanin");
        let done = command::run(Command::new("sh").arg("-n").arg(&script), "");
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{sign}");
    }
}
