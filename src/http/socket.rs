//! A connection over TCP or a Unix socket, either end of it, and who is at the other.

use std::fmt;
use std::io::{self, IoSlice, Read as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};

/// A connection is anything that reads and writes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin + ?Sized> Stream for T {}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// An address; IPv4 is always IPv4, however it came in.
    Tcp(SocketAddr),
    /// A process of this machine.
    Unix,
}

impl Peer {
    /// The peer at this address, with `::ffff:` taken off.
    #[must_use]
    pub const fn tcp(address: SocketAddr) -> Self {
        Self::Tcp(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }

    /// Its address without the port.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix => None,
        }
    }

    /// Whether it can only be a process of this machine.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix => true,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP, small writes sent at once.
    Tcp(Async<TcpStream>),
    /// Over a Unix socket.
    Unix(Async<UnixStream>),
}

impl Socket {
    /// Connects to an address.
    ///
    /// # Errors
    ///
    /// Those of `connect`.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        Self::from_tcp(Async::<TcpStream>::connect(address).await?)
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    ///
    /// Those of `connect`.
    pub async fn unix(path: &Path) -> io::Result<Self> {
        Ok(Self::Unix(Async::<UnixStream>::connect(path).await?))
    }

    /// Takes an accepted or connected TCP stream.
    ///
    /// # Errors
    ///
    /// If the peer has gone already.
    pub fn from_tcp(stream: Async<TcpStream>) -> io::Result<Self> {
        stream.get_ref().set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Who is at the other end; `None` if it has gone.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        match self {
            Self::Tcp(stream) => stream.get_ref().peer_addr().ok().map(Peer::tcp),
            Self::Unix(_) => Some(Peer::Unix),
        }
    }

    /// Makes the close that comes next a reset: the peer learns that what it has is not all, and the
    /// kernel keeps nothing that the peer will not take.
    pub fn reset(&self) {
        if let Self::Tcp(stream) = self {
            // Where it cannot be set, the close is an ordinary one.
            let _ = rustix::net::sockopt::set_socket_linger(stream.get_ref(), Some(Duration::ZERO));
        }
    }

    /// Whether the connection is open and nothing waits to be read: an idle one that is not can
    /// carry no request.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Tcp(stream) => stream.get_ref().read(&mut byte),
            Self::Unix(stream) => stream.get_ref().read(&mut byte),
        };
        matches!(read, Err(fault) if fault.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Tells the peer that nothing more comes; what it still sends can be read.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.get_mut() {
            Self::Tcp(stream) => stream.get_ref().shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.get_ref().shutdown(Shutdown::Write),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_unmapped() {
        let peer = Peer::tcp("[::ffff:127.0.0.1]:80".parse().unwrap());
        assert_eq!(peer.to_string(), "127.0.0.1:80");
        assert!(peer.is_local() && Peer::Unix.is_local());
        assert_eq!((peer.ip(), Peer::Unix.ip()), ("127.0.0.1".parse().ok(), None));
        assert!(!Peer::tcp("10.0.0.7:1".parse().unwrap()).is_local());
    }

    #[test]
    fn a_connection_with_bytes_or_without_a_peer_is_not_quiet() {
        let (near, far) = UnixStream::pair().unwrap();
        let socket = Socket::Unix(Async::new(near).unwrap());
        assert!(socket.is_quiet());
        std::io::Write::write_all(&mut &far, b"x").unwrap();
        assert!(!socket.is_quiet());
        drop(far);
        assert!(!socket.is_quiet());
    }
}
