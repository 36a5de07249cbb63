//! Runs the program's commands that end by themselves.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::LIMIT;
use super::setup::PROGRAM;

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Done {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `fanin` with these arguments and nothing on standard input.
pub fn fanin(arguments: &[&str]) -> Done {
    fanin_reading("", arguments)
}

/// Runs `fanin` with `input` on standard input.
pub fn fanin_reading(input: &str, arguments: &[&str]) -> Done {
    run(Command::new(PROGRAM.as_str()).args(arguments), input)
}

/// Runs a command to its end, which must come within [`LIMIT`].
pub fn run(command: &mut Command, input: &str) -> Done {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Whoever stops reading early has made up his mind; a broken pipe is no fault.
    thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (ended, end) = mpsc::channel();
    let err = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        text
    });
    let out = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.read_to_end(&mut text);
        let _ = ended.send(());
        text
    });
    if end.recv_timeout(LIMIT).is_err() {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{command:?} does not end");
    }
    let code = child.wait().unwrap().code();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code, out: text(out.join().unwrap()), err: text(err.join().unwrap()) }
}
