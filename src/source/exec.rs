//! A command whose standard output is the page.
//!
//! It runs once for all who ask meanwhile, and no longer than they wait. Its output goes from the
//! pipe into blocks, and is lexed when all of it is there: only its last line tells whether it is
//! OpenMetrics. It counts when the command has exited with 0 and the output is at its end, which
//! it is once whatever the command started has closed it too.
//!
//! What it has started in the background by then, its output closed, goes on.

mod children;
mod stderr;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command};

use smol::Async;
use smol::future::yield_now;
use smol::io::AsyncReadExt as _;

pub use self::children::Children;
use self::children::{Guard, Running, Start};
use self::stderr::Stderr;
use super::intake::{Losses, index};
use super::{ARGS, Engine, ExecFault, FileName, Params, ScrapeError, Source};
use crate::config;
use crate::exposition::Page;
use crate::memory::{Budget, PageWriter, Text};
use crate::systemd;

/// Where programs are looked for where nobody says it.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command and what it is started with.
pub(super) struct Exec {
    plan: config::Exec,
    place: FileName,
}

impl Exec {
    pub(super) fn new(plan: &config::Exec) -> Self {
        Self { plan: plan.clone(), place: name(&plan.program) }
    }

    /// The program's name.
    pub(super) fn place(&self) -> &dyn fmt::Display {
        &self.place
    }

    /// Whether it may be given further arguments by a request.
    pub(super) const fn takes_args(&self) -> bool {
        self.plan.allow_args
    }

    /// Runs the command, with further arguments where it takes them, and reads its page.
    pub(super) async fn fetch(
        &self,
        source: &Source,
        engine: &Engine,
        budget: &Budget,
        params: &Params,
    ) -> Result<Page, ScrapeError> {
        let state = source.state();
        state.consumed.set(false);
        let turns = engine.children.turn(&state.turns).await;
        let mut writer = PageWriter::new(budget.clone(), source.max_bytes());
        // Not for nothing: without a block there is no run.
        writer.spare()?;
        let program = self.program()?;
        let started = engine.children.start(self.command(&program, params), turns);
        let running = started.map_err(|fault| match fault {
            Start::Ending => ExecFault::Ending,
            Start::Io(fault) => self.cannot_start(&program, fault),
        })?;
        state.consumed.set(true);
        let Running { mut output, mut errors, guard } = running;
        let mut stderr = Stderr::new(source.name(), &state.complaints);
        let drained = async {
            stderr.drain(&mut errors).await;
            std::future::pending().await
        };
        let read = smol::future::or(read(&mut output, &guard, writer), drained).await;
        stderr.rest(&errors);
        drop((output, errors, guard));
        let mut losses = Losses::default();
        let page = index(read?, (source, source.watch()), budget, &mut losses).await?;
        source.lost(&losses);
        Ok(page)
    }

    /// The program's path; one without a slash is looked for each time.
    fn program(&self) -> Result<PathBuf, ExecFault> {
        let program = &self.plan.program;
        if program.components().count() > 1 {
            return Ok(program.clone());
        }
        let own = self.plan.env.iter().find(|(name, _)| **name == *"PATH");
        let path = own.map(|(_, value)| OsString::from(value.expose()));
        let path = path.or_else(|| env::var_os("PATH")).unwrap_or_else(|| DEFAULT_PATH.into());
        find(program, &path).ok_or_else(|| {
            let fault = ErrorKind::NotFound.into();
            ExecFault::Start(name(program), fault, Some("it is not in PATH"))
        })
    }

    fn command(&self, program: &Path, params: &Params) -> Command {
        let plan = &self.plan;
        let mut command = Command::new(program);
        command.arg0(&plan.program);
        command.args(plan.args.iter().map(config::Secret::expose));
        command.args(params.values(ARGS).map(|arg| arg.to_string()));
        if plan.clear_env {
            command.env_clear();
        }
        for name in systemd::VARIABLES {
            command.env_remove(name);
        }
        command.envs(plan.env.iter().map(|(name, value)| (&**name, value.expose())));
        if let Some(cwd) = &plan.cwd {
            command.current_dir(cwd);
        }
        command
    }

    /// The system's word with ours, where that says more.
    fn cannot_start(&self, program: &Path, fault: io::Error) -> ExecFault {
        /// ENOEXEC, the same on all Linux.
        const NO_PROGRAM: i32 = 8;
        let no_folder = self.plan.cwd.as_ref().is_some_and(|cwd| !cwd.is_dir());
        let mode = program.metadata().map(|meta| meta.permissions().mode());
        let hint = match (fault.kind(), mode) {
            (ErrorKind::NotFound | ErrorKind::NotADirectory, _) if no_folder => {
                Some("there is no such folder as cwd")
            }
            (ErrorKind::NotFound, Ok(_)) => Some("the interpreter in its #! line is missing"),
            (ErrorKind::PermissionDenied, Ok(mode)) if mode & 0o111 == 0 || program.is_dir() => {
                Some("it is not executable")
            }
            _ if fault.raw_os_error() == Some(NO_PROGRAM) => {
                Some("neither a program for this machine nor a script with a #! line")
            }
            _ => None,
        };
        ExecFault::Start(name(program), fault, hint)
    }
}

/// A program as messages name it.
fn name(program: &Path) -> FileName {
    let folder = program.parent().unwrap_or(Path::new(""));
    FileName {
        folder: folder.to_owned(),
        below: program.file_name().unwrap_or(program.as_os_str()).into(),
    }
}

/// The first of this name in the folders of `path` that can be executed; else the first that is
/// there, so that the system says why it cannot.
fn find(program: &Path, path: &OsStr) -> Option<PathBuf> {
    let mut other = None;
    // What is relative is so to a folder nobody thought of.
    for folder in env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let candidate = folder.join(program);
        let Ok(meta) = candidate.metadata() else { continue };
        if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
            return Some(candidate);
        }
        other = other.or(Some(candidate));
    }
    other
}

/// Reads the output to its end, and waits for the command's.
async fn read(
    output: &mut Async<ChildStdout>,
    guard: &Guard,
    mut writer: PageWriter,
) -> Result<Text, ScrapeError> {
    loop {
        match output.read(writer.spare()?).await {
            Ok(0) => break,
            Ok(n) => {
                writer.advance(n)?;
                yield_now().await;
            }
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) => return Err(ExecFault::Read(fault).into()),
        }
    }
    guard.exit().await?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests;
