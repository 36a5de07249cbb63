//! `fanin cert`: a certificate to start with.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use crate::cli::{Cert, complain, say};
use crate::http::fetch::Brief;
use crate::telemetry::clock;
use crate::tls::selfsigned;

/// A clock before it, in seconds since 1970 (November 2023), was never set.
const PLAUSIBLE: u64 = 1_700_000_000;

/// Clocks of machines differ.
const BEFORE: u64 = 3600;

const DAY: u64 = 24 * 3600;

pub(super) fn run(typed: &Cert) -> ExitCode {
    let hosts = typed.hosts.iter().map(|host| host.0.clone()).collect::<Vec<_>>();
    match write(typed, &hosts) {
        Ok(()) => {
            let (cert, key) = (typed.cert.display(), typed.key.display());
            let days = typed.days;
            let said = say(format_args!(
                "{cert} and {key}: for {}, {days} days.\n\
                 A server has them with `tls: {{cert: {cert}, key: {key}}}`; clients trust {cert} as \
                 their ca.\n",
                hosts.join(", ")
            ));
            if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            complain(format_args!("fanin cert: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn write(typed: &Cert, hosts: &[String]) -> Result<(), String> {
    let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if now < PLAUSIBLE {
        return Err(
            "the clock of this machine is not set: the certificate would have expired".into()
        );
    }
    let until = now.saturating_add(u64::from(typed.days).saturating_mul(DAY));
    let pair = selfsigned::pair(hosts, (now.saturating_sub(BEFORE), until))?;
    fill(&typed.key, 0o600, &pair.key)?;
    fill(&typed.cert, 0o644, &pair.cert).inspect_err(|_| {
        // Alone it is of no use, and would be in the way the next time.
        let _gone = remove_file(&typed.key);
    })
}

/// Writes a file that was not there before.
fn fill(path: &Path, mode: u32, text: &str) -> Result<(), String> {
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{} is there already", path.display()),
        _ => format!("{}: {}", path.display(), Brief(&error)),
    };
    let open = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file: File = open.map_err(told)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(told)
}
