//! A real Moonraker with a stand-in for Klippy behind it, probed by a real Prometheus through a print from
//! its start to its end, with Klipper going away and coming back in between.
#![cfg(feature = "klipper")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::peers::{Peer, Prometheus, find, free_port};
use common::{Folder, Setup};

/// How a print goes, and what Prometheus must see of each step.
const PRINT: [(&str, &str); 9] = [
    ("idle", "klipper_print_state{state='standby'}"),
    ("heating", "klipper_extruder_target > bool 0"),
    ("printing", "klipper_printing"),
    ("paused", "klipper_pause_resume_is_paused"),
    ("printing", "klipper_printing"),
    ("complete", "klipper_print_state{state='complete'}"),
    // Klipper restarts; the host's own metrics stay.
    ("gone", "klipper_klippy_state{state='disconnected'} and on() klipper_system_memory_total"),
    ("startup", "klipper_klippy_state{state='startup'}"),
    ("idle", "klipper_state{state='ready'} and on() klipper_print_state{state='standby'}"),
];

/// Moonraker with its folders, and Klippy's stand-in.
struct Printer {
    address: String,
    folder: Folder,
    klippy: Peer,
    _moonraker: Peer,
}

impl Printer {
    fn start(moonraker: &Path, python: &Path) -> Self {
        let folder = Folder::new();
        for name in ["config", "gcodes", "logs"] {
            fs::create_dir(folder.file(name)).unwrap();
        }
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let socket = folder.file("klippy.sock");
        let phase = folder.write("phase", "idle");
        let mut klippy = Command::new(python);
        klippy.arg(tests.join("peers/klippy.py")).arg(&socket).arg(phase);
        let klippy = Peer::start(klippy.arg(tests.join("moonraker")), "listening");
        let address = format!("127.0.0.1:{}", free_port());
        let config = format!(
            "[server]\nhost: 127.0.0.1\nport: {}\nklippy_uds_address: {}\n\
             [authorization]\ntrusted_clients: 127.0.0.1\n[machine]\nprovider: none\n\
             [history]\n[job_queue]\n[announcements]\ndev_mode: True\n",
            address.rsplit(':').next().unwrap(),
            socket.display(),
        );
        fs::write(folder.file("config/moonraker.conf"), config).unwrap();
        let mut command = Command::new(moonraker);
        command.arg("-n").arg("-d").arg(folder.path());
        let moonraker = Peer::accepting(&mut command, &address).unwrap();
        Self { address, folder, klippy, _moonraker: moonraker }
    }
}

#[test]
fn a_print_is_seen_from_start_to_end() {
    let Some(moonraker) = find("a print through Moonraker", &["moonraker"]) else { return };
    let Some(python) = find("a print through Moonraker", &["python3"]) else { return };
    let Some(program) = find("a print through Moonraker", &["prometheus"]) else { return };
    let printer = Printer::start(&moonraker, &python);
    let daemon = Setup::new().route("/probe", "{probe: {targets: any}}").start();
    let port = free_port();
    let config = format!(
        "scrape_configs:\n  - job_name: klipper\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    \
         metrics_path: /probe\n    params: {{modules: [all], target: [\"{}\"]}}\n    \
         static_configs: [{{targets: [\"{}\"]}}]\n",
        printer.address,
        daemon.addr(),
    );
    let prometheus = Prometheus::start(program, port, &config);
    for (phase, expression) in PRINT {
        printer.folder.write("phase", phase);
        daemon
            .until(&format!("{phase}: {expression}"), || prometheus.query(expression) == Some(1.0));
    }
    // The extruder was seen to print, and a name with letters beyond ASCII to be warm.
    assert!(
        prometheus.query("max_over_time(klipper_live_flow_cubic_millimeters_per_second[5m])")
            > Some(1.0)
    );
    let warm = "max_over_time(klipper_temperature_sensor_temperature{sensor='Khlkrper_1'}[5m])";
    assert!(prometheus.query(warm) > Some(20.0));
    assert_eq!(prometheus.query("min_over_time(up{job='klipper'}[5m])"), Some(1.0));
    assert_eq!(prometheus.query("min_over_time(klipper_up[5m])"), Some(1.0));
    assert_eq!(prometheus.complaints(), Vec::<String>::new());
    // Klipper was asked for nothing that disturbs a print.
    assert!(printer.klippy.log.lines_with("asked for").is_empty(), "{}", printer.klippy.log.text());
}
