//! `fanin install`: fanin as a service of the machine it is typed on.
//!
//! It writes files and says which commands start the service, but starts nothing itself: whoever
//! types those has read what they are for. A plan of steps comes first, so that `--dry-run` shows
//! what would be done, and nothing else can be done.

mod manager;

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use self::manager::Manager;
use crate::cli;
use crate::config;
use crate::telemetry::log::Chain;

/// In what is written here, and in nothing else: a file without it is somebody else's.
const MARK: &str = "Written by `fanin install`";

pub(super) fn run(typed: &cli::Install) -> ExitCode {
    let done = Machine::look(typed).and_then(|machine| {
        if typed.uninstall { machine.uninstall(typed.dry_run) } else { machine.install(typed) }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(format_args!("fanin: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Why nothing was installed, or not all of it.
#[derive(Debug)]
enum InstallError {
    /// No service manager that we know is here.
    NoManager(PathBuf),
    /// The file is not ours to write or remove.
    NotOurs(PathBuf),
    /// It must be stopped first, by this.
    Runs(&'static str),
    /// The system refuses.
    File(&'static str, PathBuf, io::Error),
    /// Standard output is gone.
    Said(io::Error),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoManager(root) => write!(
                f,
                "{}: neither systemd nor procd (OpenWrt) nor OpenRC is here; say --manager NAME, or have \
                 `fanin serve --config FILE` started your way",
                root.display()
            ),
            Self::NotOurs(file) => write!(
                f,
                "{} is there and was not written by `fanin install`: a package has brought it, or you; \
                 remove that first",
                file.display()
            ),
            Self::Runs(stop) => write!(f, "the service runs; stop it first: {stop}"),
            Self::File(what, file, error) => {
                write!(f, "{what} {}: {error}", file.display())?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    f.write_str(" (this takes root)")?;
                }
                Ok(())
            }
            Self::Said(error) => write!(f, "standard output: {error}"),
        }
    }
}

/// The machine that the service is for.
struct Machine {
    /// `/`, or where the machine's files are mounted.
    root: PathBuf,
    manager: Manager,
}

/// A file that is to be there.
struct Put {
    /// On the machine.
    place: PathBuf,
    mode: u32,
    what: What,
}

enum What {
    /// This program.
    Program(PathBuf),
    Text(String),
}

impl Machine {
    fn look(typed: &cli::Install) -> Result<Self, InstallError> {
        let root = typed.root.clone().unwrap_or_else(|| "/".into());
        let manager = typed.manager.or_else(|| Manager::of(&root));
        let manager = manager.ok_or_else(|| InstallError::NoManager(root.clone()))?;
        Ok(Self { root, manager })
    }

    /// Where the machine's file is to be found from here.
    fn below(&self, file: &Path) -> PathBuf {
        self.root.join(file.strip_prefix("/").unwrap_or(file))
    }

    fn install(&self, typed: &cli::Install) -> Result<(), InstallError> {
        let service = self.manager.service_file();
        self.ours(service)?;
        for packaged in self.manager.packaged_files() {
            if self.below(Path::new(packaged)).exists() {
                return Err(InstallError::NotOurs(self.below(Path::new(packaged))));
            }
        }
        let exe = env::current_exe()
            .map_err(|error| InstallError::File("find", "the program itself".into(), error))?;
        let program = self.manager.program(&exe, typed.root.is_some());
        let config = typed.config.clone().unwrap_or_else(|| self.manager.config_file().into());
        let mut puts = Vec::new();
        if program != exe {
            puts.push(Put { place: program.clone(), mode: 0o755, what: What::Program(exe) });
        }
        let configured = self.below(&config);
        if !configured.exists() {
            let found = super::init::found();
            let text = config::example(&found);
            puts.push(Put { place: config.clone(), mode: 0o644, what: What::Text(text) });
        }
        let text = self.manager.service(MARK, &program, &config);
        let mode = self.manager.service_mode();
        puts.push(Put { place: service.into(), mode, what: What::Text(text) });
        for put in &puts {
            self.put(put, typed.dry_run)?;
        }
        if configured.exists()
            && let Err(error) = config::load(&configured)
        {
            say(format_args!("\nThe configuration is not right yet:\n{}\n", Chain(&error)))?;
        }
        say(format_args!("\n{}", self.manager.explanation(&config)))
    }

    fn put(&self, put: &Put, dry: bool) -> Result<(), InstallError> {
        let file = self.below(&put.place);
        let verb = if dry { "would write" } else { "wrote" };
        let written = match &put.what {
            _ if dry => Ok(()),
            What::Program(exe) => fs::read(exe).and_then(|bytes| replace(&file, put.mode, &bytes)),
            What::Text(text) => replace(&file, put.mode, text.as_bytes()),
        };
        written.map_err(|error| InstallError::File("write", file.clone(), error))?;
        match &put.what {
            What::Program(_) => say(format_args!("{verb} {}, this program\n", file.display())),
            What::Text(text) if dry => {
                say(format_args!("{verb} {}:\n{}", file.display(), Indented(text)))
            }
            What::Text(_) => say(format_args!("{verb} {}\n", file.display())),
        }
    }

    fn uninstall(&self, dry: bool) -> Result<(), InstallError> {
        let service = self.manager.service_file();
        self.ours(service)?;
        if let Some((sign, stop)) = self.manager.sign_of_running()
            && self.below(Path::new(sign)).exists()
        {
            return Err(InstallError::Runs(stop));
        }
        let verb = if dry { "would remove" } else { "removed" };
        // The links after the file: without it they do nothing.
        for (number, file) in std::iter::once(&service).chain(self.manager.links()).enumerate() {
            let file = self.below(Path::new(file));
            let there = fs::symlink_metadata(&file).map(drop);
            match there.and_then(|()| if dry { Ok(()) } else { fs::remove_file(&file) }) {
                Ok(()) => say(format_args!("{verb} {}\n", file.display()))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound && number > 0 => {}
                Err(error) => return Err(InstallError::File("remove", file, error)),
            }
        }
        let farewell = self.manager.farewell();
        say(format_args!("\nThe program and its configuration stay. Next:\n{farewell}"))
    }

    /// Fails if `file` is there and is not ours.
    fn ours(&self, file: &str) -> Result<(), InstallError> {
        let file = self.below(Path::new(file));
        match fs::read_to_string(&file) {
            Ok(text) if text.contains(MARK) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(_) => Err(InstallError::NotOurs(file)),
            Err(error) => Err(InstallError::File("read", file, error)),
        }
    }
}

/// Puts a file in place of another, whole or not at all: the program may be running.
fn replace(file: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let beside = folder.join(format!(".fanin-install.{}", std::process::id()));
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside);
    let placed = written
        .and_then(|mut new| new.write_all(bytes).and_then(|()| new.sync_all()))
        // Whatever the umask says.
        .and_then(|()| fs::set_permissions(&beside, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&beside, file));
    if placed.is_err() {
        let _left_behind = fs::remove_file(&beside);
    }
    placed
}

fn say(text: impl fmt::Display) -> Result<(), InstallError> {
    cli::say(text).map_err(InstallError::Said)
}

/// A file's text as part of what is said.
struct Indented<'a>(&'a str);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines().try_for_each(|line| writeln!(f, "    {line}"))
    }
}
