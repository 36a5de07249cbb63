//! Binding addresses and accepting connections.
//!
//! Binding is apart from accepting, so that a reload binds all new addresses before it swaps
//! anything, and a listener that stays goes on while the service behind it changes.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use log::{info, warn};
use smol::{Async, LocalExecutor, Timer};

use crate::http::drive::{Service, serve};
use crate::http::socket::{Peer, Socket};
use crate::http::table::{ConnectionHandle, ConnectionTable};
use crate::limits::ACCEPT_PAUSE;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `tcp://ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `unix:///PATH`.
    Unix {
        /// The socket's file.
        path: PathBuf,
        /// Who may open it.
        access: SocketAccess,
    },
}

/// Who may open a socket's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketAccess {
    /// Its permissions.
    pub mode: u32,
    /// The number of the user it belongs to, if not the program's own.
    pub owner: Option<u32>,
    /// The number of the group.
    pub group: Option<u32>,
}

impl SocketAccess {
    /// Gives it to the socket's file at `path`.
    ///
    /// # Errors
    ///
    /// Those of `chown` and `chmod`.
    pub fn apply(&self, path: &Path) -> io::Result<()> {
        if self.owner.is_some() || self.group.is_some() {
            chown(path, self.owner, self.group)
                .map_err(|error| explained(&error, "its owner and group cannot be set"))?;
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(self.mode))
    }
}

/// `tcp://127.0.0.1:9999` or `unix:///run/fanin.sock`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix { path, .. } => write!(f, "unix://{}", path.display()),
        }
    }
}

/// The same kind of error, which says what could not be done.
fn explained(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// A bound address. Dropping it removes the file of a Unix socket.
#[derive(Debug)]
pub struct Listener {
    address: Address,
    socket: Bound,
}

#[derive(Debug)]
enum Bound {
    Tcp(Async<TcpListener>),
    /// With the device and number of the file that is ours.
    Unix(Async<UnixListener>, Option<(u64, u64)>),
}

impl Listener {
    /// Binds an address. A socket file that nobody listens on is replaced.
    ///
    /// # Errors
    ///
    /// Those of `bind`; [`io::ErrorKind::AddrInUse`] also for a socket file somebody listens on,
    /// [`io::ErrorKind::AlreadyExists`] for a file that is no socket.
    pub fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(wanted) => {
                let socket = Async::<TcpListener>::bind(*wanted)?;
                let address = Address::Tcp(socket.get_ref().local_addr()?);
                Ok(Self { address, socket: Bound::Tcp(socket) })
            }
            Address::Unix { path, access } => {
                clear_dead_socket(path)?;
                let socket = Async::<UnixListener>::bind(path).map_err(|error| {
                    let missing = error.kind() == io::ErrorKind::NotFound;
                    if missing { explained(&error, "its folder is missing") } else { error }
                })?;
                let bound =
                    Self { address: address.clone(), socket: Bound::Unix(socket, file(path)) };
                access.apply(path)?;
                Ok(bound)
            }
        }
    }

    /// Takes over a socket that is bound and listens.
    ///
    /// # Errors
    ///
    /// Those of making it one that does not block.
    pub fn from_tcp(socket: TcpListener) -> io::Result<Self> {
        let address = Address::Tcp(socket.local_addr()?);
        Ok(Self { address, socket: Bound::Tcp(Async::new(socket)?) })
    }

    /// Takes over a socket that is bound to `path` and listens. Its file stays at the end, and stays
    /// as it is: it belongs to who made it.
    ///
    /// # Errors
    ///
    /// As [`Listener::from_tcp`].
    pub fn from_unix(socket: UnixListener, path: &Path) -> io::Result<Self> {
        let access = SocketAccess { mode: 0, owner: None, group: None };
        let address = Address::Unix { path: path.to_owned(), access };
        Ok(Self { address, socket: Bound::Unix(Async::new(socket)?, None) })
    }

    /// The address bound: with the port that was given where none was asked for.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match &self.socket {
            Bound::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                Ok((Socket::from_tcp(stream)?, Peer::tcp(address)))
            }
            Bound::Unix(socket, _) => {
                let (stream, _) = socket.accept().await?;
                Ok((Socket::Unix(stream), Peer::Unix))
            }
        }
    }

    /// Waits until somebody wants to connect.
    async fn knock(&self) -> io::Result<()> {
        match &self.socket {
            Bound::Tcp(socket) => socket.readable().await,
            Bound::Unix(socket, _) => socket.readable().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let (Bound::Unix(_, ours), Address::Unix { path, .. }) = (&self.socket, &self.address)
            && ours.is_some()
            && *ours == file(path)
        {
            let _gone = std::fs::remove_file(path);
        }
    }
}

/// Device and number of a file.
fn file(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}

/// Removes a socket file that nobody listens on.
fn clear_dead_socket(path: &Path) -> io::Result<()> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(fault),
    };
    if !meta.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket"));
    }
    // One poll is all it takes: connecting to a Unix socket never waits, or its backlog is full.
    let connecting = pin!(Async::<UnixStream>::connect(path));
    match connecting.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(fault)) if fault.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Poll::Ready(Err(fault)) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens on it")),
    }
}

/// Accepts connections and has their requests answered, as [`accept`] does.
pub async fn listen<'a, V: Service + 'a>(
    executor: &LocalExecutor<'a>,
    listener: Rc<Listener>,
    table: Rc<ConnectionTable>,
    service: Rc<V>,
) {
    accept(listener, table, |socket, handle| {
        let service = service.clone();
        let serving = async move {
            let greeting = pin!(service.greet(socket, &handle));
            let Some(Some(mut socket)) = handle.until_ended(greeting).await else { return };
            serve(&mut socket, &handle, &*service).await;
            if handle.was_cut() {
                socket.reset();
            } else {
                socket.part();
            }
        };
        executor.spawn(serving).detach();
    })
    .await;
}

/// Accepts connections and hands them to `serve`, for ever. Dropping this stops accepting;
/// connections live on, and the listener can be taken up again.
///
/// When the table is full, the longest-idle connection closes for a newcomer, else newcomers wait
/// in the backlog.
pub async fn accept(
    listener: Rc<Listener>,
    table: Rc<ConnectionTable>,
    mut serve: impl FnMut(Socket, ConnectionHandle),
) {
    let mut exhausted = false;
    loop {
        if table.is_full() {
            // An error of the wait comes back from `accept`.
            let _knock = listener.knock().await;
            table.room().await;
        }
        match listener.accept().await {
            Ok((socket, peer)) => {
                if std::mem::take(&mut exhausted) {
                    info!("{}: accepts connections again", listener.address);
                }
                let handle = loop {
                    match table.admit(peer) {
                        Some(handle) => break handle,
                        None => table.room().await,
                    }
                };
                serve(socket, handle);
            }
            Err(fault) => match Trouble::of(&fault) {
                Trouble::PeerGone => {}
                Trouble::Exhausted => {
                    if !std::mem::replace(&mut exhausted, true) {
                        warn!("{}: accepting pauses: {fault}", listener.address);
                    }
                    let freed = table.next_freed();
                    smol::future::or(freed, pause()).await;
                }
                Trouble::Other => {
                    warn!("{}: accept: {fault}", listener.address);
                    pause().await;
                }
            },
        }
    }
}

async fn pause() {
    Timer::after(ACCEPT_PAUSE).await;
}

/// What a failed `accept` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The connection ended before it was accepted.
    PeerGone,
    /// Out of descriptors or memory: better when a connection ends.
    Exhausted,
    Other,
}

impl Trouble {
    /// # Source
    ///
    /// accept(2): the network's errors that come with a new connection are to be passed over.
    fn of(fault: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match (fault.kind(), fault.raw_os_error()) {
            (_, Some(EMFILE | ENFILE | ENOMEM | ENOBUFS)) | (Kind::OutOfMemory, _) => {
                Self::Exhausted
            }
            (
                Kind::ConnectionAborted
                | Kind::ConnectionReset
                | Kind::Interrupted
                | Kind::NotConnected
                | Kind::BrokenPipe
                | Kind::NetworkDown
                | Kind::NetworkUnreachable
                | Kind::HostUnreachable
                | Kind::TimedOut
                | Kind::InvalidInput,
                _,
            ) => Self::PeerGone,
            _ => Self::Other,
        }
    }
}

// Of Linux; std knows no kind for the first two.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOMEM: i32 = 12;
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
const ENOBUFS: i32 = 132;
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
const ENOBUFS: i32 = 105;

#[cfg(test)]
mod tests;
