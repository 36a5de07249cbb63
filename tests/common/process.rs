//! Other processes, as the system lists them.

use std::fs;
use std::path::Path;

/// State and parent of a process; `None` where there is none of this number.
fn look(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process runs. One that only waits for its parent to notice its end does not.
pub fn runs(pid: u32) -> bool {
    look(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// The children of a process, those that have ended and were not waited for included.
pub fn children(of: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| look(*pid).is_some_and(|(_, parent)| parent == of)).collect()
}

/// The numbers that scripts have left in a file, one a line; only whole lines count.
pub fn pids(file: &Path) -> Vec<u32> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}
