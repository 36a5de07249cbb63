//! What a child process writes to standard error, collected while it runs.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::LIMIT;

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

/// Lines as they came, and whether more can come.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<State>, Condvar)>);

impl Log {
    /// Reads `input` on a thread until it ends.
    pub fn collect(input: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let writer = log.clone();
        thread::spawn(move || {
            let mut input = BufReader::new(input);
            let mut line = Vec::new();
            while matches!(input.read_until(b'\n', &mut line), Ok(taken) if taken > 0) {
                writer.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
            writer.0.0.lock().unwrap().ended = true;
            writer.0.1.notify_all();
        });
        log
    }

    fn push(&self, line: String) {
        self.0.0.lock().unwrap().lines.push(line);
        self.0.1.notify_all();
    }

    /// Every line so far, joined; what a failed assertion shows.
    pub fn text(&self) -> String {
        self.0.0.lock().unwrap().lines.join("\n")
    }

    /// The lines so far that contain `needle`.
    pub fn lines_with(&self, needle: &str) -> Vec<String> {
        let state = self.0.0.lock().unwrap();
        state.lines.iter().filter(|line| line.contains(needle)).cloned().collect()
    }

    /// Waits for `count` lines with `needle`; `None` when the process ended or time ran out first.
    pub fn wait_for(&self, needle: &str, count: usize) -> Option<Vec<String>> {
        let until = Instant::now() + LIMIT;
        let mut state = self.0.0.lock().unwrap();
        loop {
            let found: Vec<String> =
                state.lines.iter().filter(|line| line.contains(needle)).cloned().collect();
            if found.len() >= count {
                return Some(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until the process has closed its standard error, which it does by ending.
    pub fn wait_for_end(&self, limit: Duration) -> bool {
        let state = self.0.0.lock().unwrap();
        let (state, _) = self.0.1.wait_timeout_while(state, limit, |state| !state.ended).unwrap();
        state.ended
    }
}
