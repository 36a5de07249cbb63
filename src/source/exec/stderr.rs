//! What a command says beside its output: into the log, a line at a time.
//!
//! It is read as long as the command runs, or a command that says much would wait for us for ever.
//! The log gets no more of it than [`Throttle`] allows, and nothing where its reader does not keep
//! up.

use std::io;
use std::process::ChildStderr;
use std::time::Instant;

use smol::Async;
use smol::future::yield_now;
use smol::io::AsyncReadExt as _;

use crate::limits::{STDERR, STDERR_LINE, STDERR_REST};
use crate::telemetry::cut::cut;
use crate::telemetry::log as telemetry;
use crate::telemetry::throttle::Throttle;

/// A command's standard error on its way to the log. Dropping it logs the last line, ended or not.
pub(super) struct Stderr<'a> {
    source: &'a str,
    throttle: &'a Throttle,
    lines: Lines,
}

impl<'a> Stderr<'a> {
    pub(super) fn new(source: &'a str, throttle: &'a Throttle) -> Self {
        Self { source, throttle, lines: Lines::new() }
    }

    /// Reads it until its end. What cannot be read is not worth a failure.
    pub(super) async fn drain(&mut self, errors: &mut Async<ChildStderr>) {
        loop {
            match errors.read(self.lines.spare()).await {
                Ok(0) => return,
                Ok(n) => self.take(n),
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            yield_now().await;
        }
    }

    /// Reads what is there already.
    pub(super) fn rest(mut self, errors: &Async<ChildStderr>) {
        let mut left = STDERR_REST;
        while left > 0 {
            // It does not wait: nothing in an `Async` does.
            let Ok(n @ 1..) = rustix::io::read(errors.get_ref(), self.lines.spare()) else {
                return;
            };
            self.take(n);
            left = left.saturating_sub(n);
        }
    }

    /// Logs the lines that `n` more bytes complete.
    fn take(&mut self, n: usize) {
        let (source, throttle) = (self.source, self.throttle);
        self.lines.advance(n, |line| say(source, throttle, line));
    }
}

impl Drop for Stderr<'_> {
    fn drop(&mut self) {
        let (source, throttle) = (self.source, self.throttle);
        self.lines.finish(|line| say(source, throttle, line));
        if let Some(lines) = throttle.left_out(Instant::now(), telemetry::has_room) {
            log::warn!("source \"{source}\": stderr: {lines} more lines left out");
        }
    }
}

/// Logs a line, if there may be one.
fn say(source: &str, throttle: &Throttle, line: &[u8]) {
    if throttle.admits(Instant::now(), telemetry::has_room) {
        let text = cut::<STDERR_LINE>(&String::from_utf8_lossy(line));
        log::warn!("source \"{source}\": stderr: {text}");
    }
}

/// Lines out of pieces. Of one that does not fit, the beginning is all there is.
struct Lines {
    buffer: Box<[u8]>,
    filled: usize,
    /// The rest of a line that was told already is on its way.
    skipping: bool,
}

impl Lines {
    fn new() -> Self {
        Self { buffer: vec![0; STDERR].into(), filled: 0, skipping: false }
    }

    /// Room for the next piece: never empty.
    fn spare(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Hands the lines to `line` that are complete with `n` more bytes, but for empty ones.
    fn advance(&mut self, n: usize, mut line: impl FnMut(&[u8])) {
        self.filled = self.filled.saturating_add(n).min(self.buffer.len());
        let filled = self.buffer.get(..self.filled).unwrap_or_default();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', filled) {
            if !std::mem::take(&mut self.skipping) {
                tell(filled.get(start..end).unwrap_or_default(), &mut line);
            }
            start = end.saturating_add(1);
        }
        let rest = filled.get(start..).unwrap_or_default();
        if self.skipping || rest.len() == self.buffer.len() {
            if !self.skipping {
                tell(rest, &mut line);
            }
            self.skipping = true;
            self.filled = 0;
        } else {
            let left = rest.len();
            self.buffer.copy_within(start..self.filled, 0);
            self.filled = left;
        }
    }

    /// Hands out the last line where it has no end.
    fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.skipping {
            tell(self.buffer.get(..self.filled).unwrap_or_default(), &mut line);
        }
        self.filled = 0;
    }
}

fn tell(bytes: &[u8], line: &mut impl FnMut(&[u8])) {
    let bytes = bytes.trim_ascii_end();
    if !bytes.is_empty() {
        line(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `text` when it comes in pieces of `piece` bytes.
    fn lines_of(text: &str, piece: usize) -> Vec<String> {
        let mut lines = Lines::new();
        let mut told = Vec::new();
        let mut left = text.as_bytes();
        while !left.is_empty() {
            let spare = lines.spare();
            let n = piece.min(left.len()).min(spare.len());
            spare[..n].copy_from_slice(&left[..n]);
            lines.advance(n, |line| told.push(String::from_utf8_lossy(line).into_owned()));
            left = &left[n..];
        }
        lines.finish(|line| told.push(String::from_utf8_lossy(line).into_owned()));
        told
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let long = "x".repeat(STDERR);
        let (fits, longer) = (&long[1..], format!("{long}{long}y"));
        let cases: [(&str, String, &[&str]); 7] = [
            ("nothing", String::new(), &[]),
            ("lines", "a\nb c\n".into(), &["a", "b c"]),
            ("no end", "a\nb".into(), &["a", "b"]),
            ("empty ones and CRLF", "\n\r\na\r\n \n".into(), &["a"]),
            ("just fits", format!("{fits}\nb\n"), &[fits, "b"]),
            ("too long", format!("a\n{longer}\nb\n"), &["a", &long, "b"]),
            ("too long without an end", longer.clone(), &[&long]),
        ];
        for (name, text, want) in cases {
            for piece in [1, 2, 7, 1000, STDERR, usize::MAX] {
                assert_eq!(lines_of(&text, piece), want, "{name}, {piece} bytes at once");
            }
        }
    }
}
