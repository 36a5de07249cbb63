//! What the kernel says of this process: `/proc/self`, read into a small buffer.

use std::fs::File;
use std::io::Read;

/// `None` where `/proc` does not tell.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Process {
    /// User and system time.
    pub(super) cpu_seconds: Option<f64>,
    /// Entries of `/proc/self/fd`, less the one that looking takes.
    pub(super) open_fds: Option<f64>,
    /// The soft limit.
    pub(super) max_fds: Option<f64>,
    /// VmRSS.
    pub(super) resident_bytes: Option<f64>,
    /// VmSize.
    pub(super) virtual_bytes: Option<f64>,
    /// OS threads.
    pub(super) threads: Option<f64>,
}

/// Reads all of it now.
#[must_use]
pub(super) fn read() -> Process {
    let mut buffer = [0; 4000];
    let mut process = Process::default();
    if let Some(status) = contents("/proc/self/status", &mut buffer) {
        let kib = |name| field(status, name).map(|kib| kib * 1024.0);
        process.resident_bytes = kib("VmRSS:");
        process.virtual_bytes = kib("VmSize:");
        process.threads = field(status, "Threads:");
    }
    process.cpu_seconds = contents("/proc/self/stat", &mut buffer).and_then(cpu_seconds);
    process.max_fds = contents("/proc/self/limits", &mut buffer)
        .and_then(|limits| field(limits, "Max open files"));
    process.open_fds = std::fs::read_dir("/proc/self/fd")
        .ok()
        .and_then(|entries| u32::try_from(entries.count().saturating_sub(1)).ok())
        .map(f64::from);
    process
}

fn contents<'b>(path: &str, buffer: &'b mut [u8]) -> Option<&'b str> {
    let mut file = File::open(path).ok()?;
    let mut len = 0_usize;
    while let Some(room) = buffer.get_mut(len..).filter(|room| !room.is_empty()) {
        match file.read(room).ok()? {
            0 => break,
            n => len = len.saturating_add(n),
        }
    }
    str::from_utf8(buffer.get(..len)?).ok()
}

/// The first number after `name` at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// User and system time of `/proc/self/stat`, which counts in hundredths of a second everywhere.
fn cpu_seconds(stat: &str) -> Option<f64> {
    const TICKS: f64 = 100.0;
    // The second field, the program's name, may hold anything but ends at the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_a_name_with_parentheses() {
        let stat = "1 (a) b (c) S 0 1 1 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 2 0 9 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("1 (a) S 0"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let process = read();
        assert!(process.resident_bytes > Some(100_000.0), "{process:?}");
        assert!(process.open_fds >= Some(3.0), "{process:?}");
        assert!(process.max_fds > Some(3.0) && process.threads >= Some(1.0), "{process:?}");
        assert!(process.cpu_seconds.is_some(), "{process:?}");
    }
}
