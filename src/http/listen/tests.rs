//! Binding and accepting, on loopback and in a fresh directory.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use smol::future::{or, yield_now};
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::http::drive::Request;
use crate::http::incoming::RequestBody;
use crate::http::outgoing::Reply;
use crate::http::table::ServerLimits;

/// A directory of this test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fanin-listen-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> Address {
        Address::Unix { path: self.0.join("s"), access: ACCESS }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Says who asked.
struct Who;

impl Service for Who {
    type Body = &'static [u8];
    type Buffer = Vec<u8>;

    async fn answer(&self, request: &Request<'_>, _: &mut RequestBody<'_>) -> Reply<Self::Body> {
        Reply::new(200, "", if request.peer == Peer::Unix { b"unix" } else { b"tcp" })
    }

    async fn buffer(&self, _: &Reply<Self::Body>) -> Vec<u8> {
        vec![0; 2048]
    }
}

/// Runs `script` beside a listener with room for `capacity` connections.
fn with_listener(
    address: &Address,
    capacity: usize,
    script: impl AsyncFnOnce(&Address, &Rc<ConnectionTable>),
) {
    let executor = LocalExecutor::new();
    let table = ConnectionTable::new(capacity, ServerLimits::default());
    let listener = Rc::new(Listener::bind(address).unwrap());
    let accepting = listen(&executor, listener.clone(), table.clone(), Rc::new(Who));
    let playing = async { script(listener.address(), &table).await };
    smol::block_on(executor.run(or(playing, accepting)));
}

fn loopback() -> Address {
    Address::Tcp("127.0.0.1:0".parse().unwrap())
}

async fn connect(address: &Address) -> Socket {
    match address {
        Address::Tcp(address) => Socket::tcp(*address).await.unwrap(),
        Address::Unix { path, .. } => Socket::unix(path).await.unwrap(),
    }
}

/// Permissions of the sockets.
const ACCESS: SocketAccess = SocketAccess { mode: 0o660, owner: None, group: None };

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

async fn ask(socket: &mut Socket) -> String {
    socket.write_all(ASK).await.unwrap();
    let mut got = vec![0; 256];
    let len = socket.read(&mut got).await.unwrap();
    String::from_utf8_lossy(&got[..len]).into_owned()
}

#[test]
fn addresses_are_written_as_urls() {
    let cases = [
        (Address::Tcp("127.0.0.1:9999".parse().unwrap()), "tcp://127.0.0.1:9999"),
        (Address::Tcp("[::]:80".parse().unwrap()), "tcp://[::]:80"),
        (
            Address::Unix { path: "/run/fanin.sock".into(), access: ACCESS },
            "unix:///run/fanin.sock",
        ),
    ];
    for (address, want) in cases {
        assert_eq!(address.to_string(), want);
    }
}

#[test]
fn connections_are_served_over_both() {
    let folder = Folder::new();
    for (address, want) in [(loopback(), "tcp"), (folder.socket(), "unix")] {
        with_listener(&address, 2, async |address, _| {
            let got = ask(&mut connect(address).await).await;
            assert!(got.ends_with(want), "{got}");
        });
    }
}

#[test]
fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let folder = Folder::new();
    let address = folder.socket();
    let Address::Unix { path, .. } = &address else { unreachable!() };
    drop(UnixListener::bind(path).unwrap());
    let live = Listener::bind(&address).unwrap();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, ACCESS.mode);
    assert_eq!(Listener::bind(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(live);
    assert!(!path.exists());
    std::fs::write(path, "text").unwrap();
    assert_eq!(Listener::bind(&address).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn a_listener_removes_only_its_own_file() {
    let folder = Folder::new();
    let address = folder.socket();
    let Address::Unix { path, .. } = &address else { unreachable!() };
    let old = Listener::bind(&address).unwrap();
    std::fs::remove_file(path).unwrap();
    let _new = Listener::bind(&address).unwrap();
    drop(old);
    assert!(path.exists());
}

#[test]
fn an_idle_connection_gives_way_to_a_newcomer() {
    with_listener(&loopback(), 1, async |address, table| {
        let mut first = connect(address).await;
        assert!(ask(&mut first).await.ends_with("tcp"));
        let mut second = connect(address).await;
        assert!(ask(&mut second).await.ends_with("tcp"));
        assert_eq!(first.read(&mut [0]).await.unwrap_or(0), 0);
        assert_eq!(table.count(), 1);
    });
}

#[test]
fn a_newcomer_waits_while_all_are_busy() {
    with_listener(&loopback(), 1, async |address, table| {
        let mut busy = connect(address).await;
        busy.write_all(b"GET / HT").await.unwrap();
        while table.count() == 0 {
            yield_now().await;
        }
        let mut newcomer = connect(address).await;
        newcomer.write_all(ASK).await.unwrap();
        assert!(smol::future::poll_once(newcomer.read(&mut [0])).await.is_none());
        drop(busy);
        assert_eq!(newcomer.read(&mut [0; 4]).await.unwrap(), 4);
    });
}

#[test]
fn failures_of_accept_are_told_apart() {
    let cases = [
        (Errno::CONNABORTED.raw_os_error(), Trouble::PeerGone),
        (Errno::HOSTUNREACH.raw_os_error(), Trouble::PeerGone),
        (EMFILE, Trouble::Exhausted),
        (ENFILE, Trouble::Exhausted),
        (ENOBUFS, Trouble::Exhausted),
        (ENOMEM, Trouble::Exhausted),
        (9, Trouble::Other),
    ];
    for (number, want) in cases {
        assert_eq!(Trouble::of(&io::Error::from_raw_os_error(number)), want, "{number}");
    }
}
