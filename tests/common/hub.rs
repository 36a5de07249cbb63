//! A scripted end of a pipe: it takes pages and answers as a test says.

use std::sync::{Arc, Condvar, Mutex};

use super::LIMIT;
use super::exporter::{Exporter, reply};

/// A page that was brought.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The request's head.
    pub head: String,
    /// The body, without its chunks.
    pub body: Vec<u8>,
}

impl Brought {
    /// The page, which must be text.
    pub fn page(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// The value of a field; `name` is in lower case.
    pub fn field(&self, name: &str) -> Option<String> {
        super::exporter::field(&self.head, name)
    }
}

/// What it answers to the page with this number, from 1.
type Answers = dyn Fn(usize) -> Vec<u8> + Send + Sync;

/// Where pages are brought. What it answers an empty `Vec` to has its connection closed instead.
pub struct Hub {
    /// Counts connections and heads.
    pub exporter: Exporter,
    brought: Arc<(Mutex<Vec<Brought>>, Condvar)>,
}

impl Hub {
    /// Takes everything.
    pub fn taking() -> Self {
        Self::answering(|_| reply("200 OK", &[], ""))
    }

    /// Answers the page with this number so.
    pub fn answering(answers: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let brought: Arc<(Mutex<Vec<Brought>>, Condvar)> = Arc::default();
        let (theirs, answers): (_, Box<Answers>) = (brought.clone(), Box::new(answers));
        let exporter = Exporter::talking(move |conversation| {
            while let Some((head, body)) = conversation.request_with_body() {
                let number = {
                    let mut all = theirs.0.lock().unwrap();
                    all.push(Brought { head, body });
                    all.len()
                };
                theirs.1.notify_all();
                let answer = answers(number);
                if answer.is_empty() || !conversation.send(&answer) {
                    return;
                }
            }
        });
        Self { exporter, brought }
    }

    /// What a pipe's `to` says to reach this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.exporter.addr)
    }

    /// Waits until `count` pages were brought, and returns all that were.
    pub fn wait_for(&self, count: usize) -> Vec<Brought> {
        let all = self.brought.0.lock().unwrap();
        let (all, _) =
            self.brought.1.wait_timeout_while(all, LIMIT, |all| all.len() < count).unwrap();
        assert!(all.len() >= count, "{} of {count} pages came", all.len());
        all.clone()
    }
}
