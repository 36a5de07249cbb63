//! `fanin lint [FILE]`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;

use crate::cli;
use crate::exposition::lint::{Finding, Linter};

pub(super) fn run(typed: &cli::Lint) -> ExitCode {
    let file = typed.file.as_deref();
    let name = file.map_or_else(|| "-".into(), |file| file.display().to_string());
    let mut out = BufWriter::new(io::stdout().lock());
    let judged = match file {
        Some(file) => {
            File::open(file).and_then(|file| judge(&name, BufReader::new(file), &mut out))
        }
        None => judge(&name, io::stdin().lock(), &mut out),
    };
    match judged.and_then(|faults| out.flush().map(|()| faults)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            cli::complain(format_args!("{name}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes a line for each finding; returns how many of them are faults.
fn judge(name: &str, mut page: impl BufRead, out: &mut impl Write) -> io::Result<usize> {
    let mut linter = Linter::new();
    let mut line = Vec::new();
    let mut faults = 0_usize;
    let mut written = Ok(());
    let mut report = |finding: Finding| {
        faults = faults.saturating_add(usize::from(finding.fault().is_some()));
        if written.is_ok() {
            written = writeln!(out, "{name}:{finding}");
        }
    };
    while page.read_until(b'\n', &mut line)? > 0 {
        linter.line(&line, &mut report);
        line.clear();
    }
    linter.finish(&mut report);
    written.map(|()| faults)
}
