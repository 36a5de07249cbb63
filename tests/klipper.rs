//! Klipper printers: what Moonraker's replies become.

#![cfg(feature = "klipper")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::{Path, PathBuf};

use fanin::config::Modules;
use fanin::limits::BLOCK;
use fanin::memory::Pool;
use fanin::source::klipper::{Doc, Sheet};

/// Which reply a file is, by the beginning of its name.
const DOCS: [(&str, Doc); 18] = [
    ("printer_query_endstops_status", Doc::EndStops),
    ("server_history_list_all", Doc::Results),
    ("printer_info", Doc::PrinterInfo),
    ("machine_update_status", Doc::Updates),
    ("server_sensors_list", Doc::Sensors),
    ("server_announcements_list", Doc::Announcements),
    ("server_files_metadata", Doc::Metadata),
    ("printer_objects_query", Doc::Objects),
    ("machine_proc_stats", Doc::ProcStats),
    ("machine_system_info", Doc::SystemInfo),
    ("machine_device_power_devices", Doc::Devices),
    ("server_info", Doc::ServerInfo),
    ("server_job_queue_status", Doc::JobQueue),
    ("server_files_directory", Doc::Directory),
    ("server_history_totals", Doc::Totals),
    ("server_history_list", Doc::Jobs),
    ("server_spoolman_status", Doc::SpoolStatus),
    ("server_spoolman_proxy", Doc::Spools),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The page made of one reply.
fn page(doc: Doc, reply: &[u8]) -> String {
    let pool = Pool::new(256 * BLOCK, 0);
    let mut sheet = Sheet::new(Modules::all(), &pool.lent());
    let told = match sheet.read(doc, reply) {
        Ok(true) => String::new(),
        Ok(false) => "# not what was asked for\n".to_owned(),
        Err(error) => format!("# {error:?}\n"),
    };
    let text = sheet.page(1 << 20).unwrap();
    let lines = text.blocks().iter().map(|block| String::from_utf8_lossy(block.filled()));
    told + &lines.collect::<String>()
}

#[test]
fn every_reply_gives_the_page_it_is_to_give() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut files: Vec<_> =
        fs::read_dir(folder("moonraker")).unwrap().map(|it| it.unwrap()).collect();
    files.retain(|file| file.file_name() != "README.md");
    files.sort_by_key(fs::DirEntry::file_name);
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().into_string().unwrap();
        let doc = DOCS.iter().find(|(front, _)| name.starts_with(front)).map(|(_, doc)| *doc);
        let got = page(doc.unwrap_or(Doc::Objects), &fs::read(file.path()).unwrap());
        let golden = folder("golden/klipper").join(&name).with_extension("prom");
        if bless {
            fs::write(&golden, &got).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != got {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "other pages than in tests/golden/klipper: {wrong:?}");
}
