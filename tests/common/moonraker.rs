//! A stand-in for Moonraker, which answers with the files in `tests/moonraker`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::exporter::{Conversation, Exporter, reply};

/// What is answered at a path: status and body.
type Answers = HashMap<String, (u16, String)>;

/// What is said over one connection.
type Script = Box<dyn Fn(&mut Conversation) + Send + Sync>;

/// A Moonraker that lives as long as this value.
pub struct Moonraker {
    pub exporter: Exporter,
    answers: Arc<Mutex<Answers>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

/// What a path answers at first, by the file's name.
const FILES: [(&str, &str); 17] = [
    ("/printer/objects/list", "printer_objects_list.idle"),
    ("/printer/objects/query", "printer_objects_query_all.idle"),
    ("/server/info", "server_info.idle"),
    ("/machine/proc_stats", "machine_proc_stats.idle"),
    ("/machine/system_info", "machine_system_info.idle"),
    ("/machine/device_power/devices", "machine_device_power_devices.idle"),
    ("/server/job_queue/status", "server_job_queue_status.idle"),
    ("/server/files/directory", "server_files_directory.idle"),
    ("/server/history/totals", "server_history_totals.printing"),
    ("/server/history/list", "server_history_list.printing"),
    ("/server/spoolman/status", "server_spoolman_status.idle"),
    ("/server/spoolman/proxy", "server_spoolman_proxy_spools.idle"),
    ("/server/files/metadata", "server_files_metadata.printing"),
    ("/server/sensors/list", "server_sensors_list.two"),
    ("/server/announcements/list", "server_announcements_list.some"),
    ("/machine/update/status", "machine_update_status.mixed"),
    ("/printer/info", "printer_info.idle"),
];

/// A file's text.
pub fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moonraker");
    fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()
}

/// Connections that are kept end at their next request.
impl Drop for Moonraker {
    fn drop(&mut self) {
        self.answers.lock().unwrap().clear();
    }
}

impl Moonraker {
    /// An idle printer.
    pub fn new() -> Self {
        Self::at(|script| Exporter::talking(script))
    }

    /// The same over TLS, with the certificate in `tests/common/tls`.
    #[cfg(feature = "tls")]
    pub fn over_tls() -> Self {
        Self::at(|script| Exporter::talking_tls(script))
    }

    fn at(start: fn(Script) -> Exporter) -> Self {
        let answers = FILES.map(|(path, name)| (path.to_owned(), (200, file(name))));
        let answers = Arc::new(Mutex::new(HashMap::from(answers)));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (given, seen) = (Arc::clone(&answers), Arc::clone(&bodies));
        let exporter = start(Box::new(move |conversation| {
            while let Some(head) = conversation.request() {
                if given.lock().unwrap().is_empty() {
                    return;
                }
                let body = conversation.body(&head);
                if !body.is_empty() {
                    seen.lock().unwrap().push(body);
                }
                let path = head.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
                let missing =
                    || (404, "{\"error\":{\"code\":404,\"message\":\"Not Found\"}}".to_owned());
                let (status, body) =
                    given.lock().unwrap().get(&path).cloned().unwrap_or_else(missing);
                let bytes =
                    reply(&status.to_string(), &[("Content-Type", "application/json")], &body);
                if !conversation.send(&bytes) {
                    return;
                }
            }
        }));
        Self { exporter, answers, bodies }
    }

    /// Answers so at a path from now on.
    pub fn answer(&self, path: &str, status: u16, body: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    /// `HOST:PORT`.
    pub fn addr(&self) -> &str {
        &self.exporter.addr
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let heads = self.exporter.heads();
        heads.iter().filter(|head| head.split([' ', '?']).nth(1) == Some(path)).count()
    }

    /// The bodies that came with requests.
    pub fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}
