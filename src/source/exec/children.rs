//! The commands that run: how they are started, waited for and killed.
//!
//! Each is the leader of a process group of its own, so that what it has started goes with it. A
//! signal is sent to the group only while the leader is not reaped: as long as it is a zombie at
//! least, no other group can have its number.
//!
//! ```text
//!   start ──> runs ──exits──> reaped
//!               └──dropped──> TERM ──200 ms──> KILL ──exits──> reaped
//! ```
//!
//! [`Running`] is held by whoever reads the output. What becomes of a command after that goes on
//! here, and holds its turns until it is reaped: a process that cannot be killed still counts.
//!
//! That a child has exited is told by SIGCHLD, so that no descriptor is needed for each, nor a
//! newer kernel. Not `smol::process`: where it cannot open such a descriptor for a child that runs
//! already, it forgets the child. Children that start a session of their own are out of reach.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::rc::Rc;

use async_signal::Signals;
use event_listener::Event;
use rustix::process::{Pid, Signal, kill_process_group};
use smol::stream::StreamExt as _;
use smol::{Async, LocalExecutor, Task, Timer};

use crate::limits::{CHILDREN, CHILDREN_OF_SOURCE, KILL_AFTER, REAP_AGAIN};
use crate::source::ExecFault;
use crate::turns::{Turn, Turns};

/// All commands that run, or are being killed.
pub struct Children {
    executor: Rc<LocalExecutor<'static>>,
    turns: Rc<Turns>,
    processes: RefCell<Vec<Rc<Process>>>,
    /// Told when a child has exited, whichever.
    exits: Rc<Event>,
    /// Tells so; there from the first command on.
    heeding: OnceCell<Task<()>>,
    /// Nothing is started any more.
    ending: Cell<bool>,
}

/// A child and its process group.
struct Process {
    child: RefCell<Child>,
    group: Pid,
    fate: Cell<Fate>,
    _turns: Turnstile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Runs,
    /// TERM was sent to its group, and KILL is to follow: it is not reaped before.
    Terminated,
    Killed,
    Reaped,
}

/// The right to run one command.
pub(super) struct Turnstile {
    _of_source: Turn,
    _of_all: Turn,
}

/// A command that was started: what it writes, and the command itself. Dropping it kills the
/// command's process group, unless the command has ended.
pub(super) struct Running {
    /// Its standard output.
    pub(super) output: Async<ChildStdout>,
    /// Its standard error.
    pub(super) errors: Async<ChildStderr>,
    /// The command.
    pub(super) guard: Guard,
}

/// A command that ends when nobody wants it any longer.
pub(super) struct Guard {
    children: Rc<Children>,
    process: Rc<Process>,
}

impl Children {
    /// None yet. They are waited for and killed on `executor`.
    #[must_use]
    pub fn new(executor: Rc<LocalExecutor<'static>>) -> Rc<Self> {
        Rc::new(Self {
            executor,
            turns: Rc::default(),
            processes: RefCell::default(),
            exits: Rc::default(),
            heeding: OnceCell::new(),
            ending: Cell::new(false),
        })
    }

    /// Waits for the turn to run a command of the source whose turns these are.
    pub(super) async fn turn(&self, of_source: &Rc<Turns>) -> Turnstile {
        let of_source = of_source.take(CHILDREN_OF_SOURCE).await;
        Turnstile { _of_source: of_source, _of_all: self.turns.take(CHILDREN).await }
    }

    /// Starts `command` in a process group of its own, with nothing to read.
    pub(super) fn start(
        self: &Rc<Self>,
        mut command: Command,
        turns: Turnstile,
    ) -> Result<Running, Start> {
        if self.ending.get() {
            return Err(Start::Ending);
        }
        self.heed_exits()?;
        command.process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let process = Rc::new(Process {
            group: Pid::from_child(&child),
            child: RefCell::new(child),
            fate: Cell::new(Fate::Runs),
            _turns: turns,
        });
        self.processes.borrow_mut().push(Rc::clone(&process));
        // From here on it is killed wherever this fails.
        let guard = Guard { children: Rc::clone(self), process };
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let output = Async::new(output.ok_or_else(missing)?)?;
        let errors = Async::new(errors.ok_or_else(missing)?)?;
        Ok(Running { output, errors, guard })
    }

    /// Has SIGCHLD told to those who wait.
    fn heed_exits(&self) -> io::Result<()> {
        if self.heeding.get().is_none() {
            let mut signals = Signals::new([async_signal::Signal::Child])?;
            let exits = Rc::clone(&self.exits);
            let heed = async move {
                while signals.next().await.is_some() {
                    exits.notify(usize::MAX);
                }
            };
            let _ = self.heeding.set(self.executor.spawn(heed));
        }
        Ok(())
    }

    /// Waits until `done` gives something; it is asked again whenever a child has exited.
    async fn until<T>(&self, mut done: impl FnMut() -> Option<T>) -> T {
        loop {
            let exits = self.exits.listen();
            if let Some(result) = done() {
                return result;
            }
            let again = async {
                Timer::after(REAP_AGAIN).await;
            };
            smol::future::or(exits, again).await;
        }
    }

    /// Reaps `process` if it has exited and may be reaped.
    fn reap(&self, process: &Rc<Process>) -> Option<io::Result<ExitStatus>> {
        let status = process.reap()?;
        self.processes.borrow_mut().retain(|other| !Rc::ptr_eq(other, process));
        Some(status)
    }

    /// Sees `process`, which was terminated, to its end.
    async fn bury(&self, process: &Rc<Process>) {
        Timer::after(KILL_AFTER).await;
        process.kill();
        let _ = self.until(|| self.reap(process)).await;
    }

    /// Kills what runs, and starts nothing any more.
    pub async fn end(&self) {
        self.ending.set(true);
        let left = self.processes.borrow().clone();
        if left.is_empty() {
            return;
        }
        log::info!("ending (commands that run: {})", left.len());
        left.iter().for_each(|process| process.terminate());
        Timer::after(KILL_AFTER).await;
        left.iter().for_each(|process| process.kill());
        let all = self.until(|| {
            left.iter().for_each(|process| drop(self.reap(process)));
            self.processes.borrow().is_empty().then_some(())
        });
        // What does not even heed KILL is left to whoever adopts it.
        let late = async {
            Timer::after(KILL_AFTER).await;
        };
        smol::future::or(all, late).await;
    }
}

impl Process {
    fn signal(&self, signal: Signal) {
        // The only fault there can be is that all of it has other rights by now.
        let _ = kill_process_group(self.group, signal);
    }

    fn terminate(&self) {
        if self.fate.get() == Fate::Runs {
            self.fate.set(Fate::Terminated);
            self.signal(Signal::TERM);
        }
    }

    fn kill(&self) {
        if self.fate.get() == Fate::Terminated {
            self.fate.set(Fate::Killed);
            self.signal(Signal::KILL);
        }
    }

    fn reap(&self) -> Option<io::Result<ExitStatus>> {
        if matches!(self.fate.get(), Fate::Terminated | Fate::Reaped) {
            return None;
        }
        let status = self.child.borrow_mut().try_wait().transpose()?;
        self.fate.set(Fate::Reaped);
        Some(status)
    }
}

impl Guard {
    /// Waits until the command has exited.
    pub(super) async fn exit(&self) -> Result<(), ExecFault> {
        let ended = self.children.until(|| self.children.reap(&self.process)).await;
        let status = ended.map_err(ExecFault::Read)?;
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(status), _) => Err(ExecFault::Exited(status)),
            (None, signal) => Err(ExecFault::Killed(signal.unwrap_or_default())),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.process.fate.get() != Fate::Runs {
            return;
        }
        self.process.terminate();
        let (children, process) = (Rc::clone(&self.children), Rc::clone(&self.process));
        self.children.executor.spawn(async move { children.bury(&process).await }).detach();
    }
}

/// Why a command was not started.
#[derive(Debug)]
pub(super) enum Start {
    /// The program is ending.
    Ending,
    /// The system says this.
    Io(io::Error),
}

impl From<io::Error> for Start {
    fn from(fault: io::Error) -> Self {
        Self::Io(fault)
    }
}
