//! Listening sockets that were open before fanin began.
//!
//! Each takes the place of the address of the configuration that it is bound to. So a service can
//! have a port below 1024 without the right to it, and a connection that comes while fanin restarts
//! waits instead of being refused.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::socket_acceptconn;

/// The sockets that nobody has taken yet. They are closed with it.
#[derive(Debug, Default)]
pub struct Inherited {
    tcp: RefCell<Vec<(SocketAddr, TcpListener)>>,
    unix: RefCell<Vec<(PathBuf, UnixListener)>>,
}

impl Inherited {
    /// As the environment says. What is no listening socket is told and closed.
    #[must_use]
    pub fn from_env() -> Self {
        let inherited = Self::default();
        match sd_listen_fds::get() {
            Ok(handed_over) => {
                for (number, (_, socket)) in handed_over.into_iter().enumerate() {
                    if let Err(error) = inherited.add(socket.into_std()) {
                        log::warn!("descriptor {number} of LISTEN_FDS is not used: {error}");
                    }
                }
            }
            Err(_) => log::warn!("LISTEN_PID or LISTEN_FDS is no number; no socket is taken over"),
        }
        inherited
    }

    fn add(&self, socket: OwnedFd) -> io::Result<()> {
        // Commands that fanin runs are not to have it.
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        if !socket_acceptconn(&socket)? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
        }
        let tcp = TcpListener::from(socket);
        if let Ok(address) = tcp.local_addr() {
            self.tcp.borrow_mut().push((address, tcp));
            return Ok(());
        }
        let unix = UnixListener::from(OwnedFd::from(tcp));
        let address = unix.local_addr()?;
        let path = address.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?.to_owned();
        self.unix.borrow_mut().push((path, unix));
        Ok(())
    }

    /// Takes the one that is bound to this address.
    pub fn tcp(&self, address: SocketAddr) -> Option<TcpListener> {
        take(&self.tcp, |bound| *bound == address)
    }

    /// Takes the one that is bound to this file.
    pub fn unix(&self, path: &Path) -> Option<UnixListener> {
        take(&self.unix, |bound| bound == path)
    }

    /// Closes those that no address of the configuration wanted, and tells so.
    pub fn close(&self) {
        for (address, socket) in self.tcp.take() {
            drop(socket);
            log::warn!("the socket at tcp://{address} was handed over, but is in no `listen`");
        }
        for (path, socket) in self.unix.take() {
            drop(socket);
            let path = path.display();
            log::warn!("the socket at unix://{path} was handed over, but is in no `listen`");
        }
    }
}

fn take<A, S>(sockets: &RefCell<Vec<(A, S)>>, is_it: impl Fn(&A) -> bool) -> Option<S> {
    let mut sockets = sockets.borrow_mut();
    let at = sockets.iter().position(|(address, _)| is_it(address))?;
    Some(sockets.swap_remove(at).1)
}
