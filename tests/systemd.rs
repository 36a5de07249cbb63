//! fanin under systemd, or what speaks its protocols: the words it sends, and the sockets it takes
//! over. The other end is this test; `systemd-notify` and the like are only front ends to the same.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use common::{Daemon, Folder, LIMIT, Setup, daemon::get_at};

/// A configuration in `folder` whose server listens on `listen`.
fn config(folder: &Folder, listen: &str) -> String {
    let text =
        format!("servers:\n  - listen: [\"{listen}\"]\n    routes: {{/own: {{merge: self}}}}\n");
    folder.write("fanin.yaml", &text)
}

/// fanin, to be told by variables who started it.
fn started_by(folder: &Folder, listen: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Setup::new().command();
    command.args(["serve", "--config", &config(folder, listen)]);
    command.envs(variables.iter().copied());
    command
}

/// The other end of `NOTIFY_SOCKET`.
struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self(socket)
    }

    /// The next message that is no sign of life.
    fn word(&self) -> String {
        loop {
            match self.any() {
                word if word == "WATCHDOG=1" => {}
                word => return word,
            }
        }
    }

    fn any(&self) -> String {
        let mut bytes = [0; 256];
        let length = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn systemd_hears_of_the_start_of_reloads_and_of_the_end() {
    let folder = Folder::new();
    let path = folder.file("notify");
    let name = format!("fanin-test-{}", std::process::id());
    let places = [
        (path.display().to_string(), SocketAddr::from_pathname(&path).unwrap()),
        (format!("@{name}"), SocketAddr::from_abstract_name(name).unwrap()),
    ];
    for (variable, address) in places {
        let (manager, folder) = (Manager::at(&address), Folder::new());
        let command = started_by(&folder, "tcp://127.0.0.1:0", &[("NOTIFY_SOCKET", &variable)]);
        let mut daemon = Daemon::spawn(command, folder, 1);
        assert_eq!(manager.word(), "READY=1");

        daemon.signal(Signal::HUP);
        let reloading = manager.word();
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        assert!(since.is_some_and(|since| since.parse::<u64>().is_ok()), "{reloading:?}");
        assert_eq!(manager.word(), "READY=1");

        daemon.folder().write("fanin.yaml", "x");
        daemon.signal(Signal::HUP);
        assert!(manager.word().starts_with("RELOADING=1\n"));
        assert_eq!(manager.word(), "READY=1", "the old configuration is still served");

        daemon.signal(Signal::TERM);
        assert_eq!(manager.word(), "STOPPING=1");
        assert!(daemon.exit().success());
    }
}

#[test]
fn the_watchdog_is_fed() {
    let folder = Folder::new();
    let manager = Manager::at(&SocketAddr::from_pathname(folder.file("notify")).unwrap());
    let place = folder.file("notify").display().to_string();
    let variables = [("NOTIFY_SOCKET", place.as_str()), ("WATCHDOG_USEC", "100000")];
    let command = started_by(&folder, "tcp://127.0.0.1:0", &variables);
    let _daemon = Daemon::spawn(command, folder, 1);
    let fed = (0..8).filter(|_| manager.any() == "WATCHDOG=1").count();
    assert_eq!(fed, 7, "all but READY=1");
}

#[test]
fn nobody_at_the_other_end_is_no_fault() {
    for variable in ["/nowhere/at/all", "no-path", "@nobody-is-here", ""] {
        let folder = Folder::new();
        let command = started_by(&folder, "tcp://127.0.0.1:0", &[("NOTIFY_SOCKET", variable)]);
        let daemon = Daemon::spawn(command, folder, 1);
        assert_eq!(daemon.get("/own").status, 200, "{variable:?}");
    }
}

/// fanin, handed `socket` as its descriptor 3.
fn handed(socket: OwnedFd, folder: &Folder, listen: &str) -> Command {
    let fanin = Setup::new().command();
    let mut command = Command::new("sh");
    let script = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(fanin.get_program());
    command.args(["serve", "--config", &config(folder, listen)]);
    command.stdin(Stdio::from(socket)).stderr(Stdio::piped()).env_remove("JOURNAL_STREAM");
    command
}

#[test]
fn what_does_not_listen_is_told_and_left() {
    let socket = UnixDatagram::unbound().unwrap();
    let folder = Folder::new();
    let command = handed(socket.into(), &folder, "tcp://127.0.0.1:0");
    let daemon = Daemon::spawn(command, folder, 1);
    let told = "descriptor 0 of LISTEN_FDS is not used: it does not listen";
    assert!(daemon.log_contains(told), "{}", daemon.log.text());
    assert_eq!(daemon.get("/own").status, 200);
}

#[test]
fn a_tcp_socket_is_taken_over() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let folder = Folder::new();
    // It could not be bound again: this process has it too.
    let command = handed(socket.try_clone().unwrap().into(), &folder, &format!("tcp://{address}"));
    let daemon = Daemon::spawn(command, folder, 1);
    assert_eq!(daemon.addr(), address);
    assert_eq!(daemon.get("/own").status, 200);
    assert!(daemon.log.lines_with("handed over").is_empty(), "{}", daemon.log.text());
}

#[test]
fn a_unix_socket_is_taken_over_and_its_file_stays() {
    let folder = Folder::new();
    let path = folder.file("http.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let listen = format!("unix://{}", path.display());
    let command = handed(socket.into(), &folder, &listen);
    let mut daemon = Daemon::spawn(command, Folder::new(), 1);
    assert_eq!(get_at(&listen, "/own", &[]).unwrap().status, 200);
    daemon.signal(Signal::TERM);
    assert!(daemon.exit().success());
    assert!(path.exists(), "the file is the manager's");
}

#[test]
fn a_socket_that_no_address_wants_is_told_and_closed() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let folder = Folder::new();
    let command = handed(socket.into(), &folder, "tcp://127.0.0.1:0");
    let daemon = Daemon::spawn(command, folder, 1);
    let told = format!("the socket at tcp://{address} was handed over, but is in no `listen`");
    assert!(daemon.log_contains(&told), "{}", daemon.log.text());
    // A child of another test has it too, until it is another program.
    daemon.until("it is closed", || std::net::TcpStream::connect(address).is_err());
}
