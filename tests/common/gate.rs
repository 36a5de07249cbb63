//! A gate that a test opens when it wants an exporter to go on.

use std::sync::{Arc, Condvar, Mutex};

use super::LIMIT;

/// Shut at first; clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A shut gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open, at most twice [`LIMIT`]: then it goes on all the same, and the test
    /// that forgot to open it fails by what it sees.
    pub fn wait(&self) {
        let shut = self.0.0.lock().unwrap();
        drop(self.0.1.wait_timeout_while(shut, LIMIT * 2, |open| !*open).unwrap());
    }
}
