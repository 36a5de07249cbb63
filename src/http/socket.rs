//! A connection over TCP or a Unix socket, by TLS or not, either end of it, and who is at the other.

use std::fmt;
use std::io::{self, IoSlice, Read as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
#[cfg(feature = "tls")]
use std::task::Waker;
use std::task::{Context, Poll};
use std::time::Duration;

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};

#[cfg(feature = "tls")]
use crate::tls;

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
    /// Over either, by TLS.
    #[cfg(feature = "tls")]
    Tls(Box<tls::Stream>),
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
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.peer(),
        }
    }

    /// A connection on which TLS is agreed upon.
    #[cfg(feature = "tls")]
    #[must_use]
    pub(crate) fn from_tls(stream: tls::Stream) -> Self {
        Self::Tls(Box::new(stream))
    }

    /// Waits for something to read, below TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_readable(cx),
            Self::Unix(stream) => stream.poll_readable(cx),
            Self::Tls(stream) => stream.get_ref().0.poll_readable(cx),
        }
    }

    /// Tells the other side that the end which comes now is meant, as far as that can be told without
    /// waiting.
    pub fn part(&mut self) {
        #[cfg(feature = "tls")]
        if let Self::Tls(stream) = self {
            let mut cx = Context::from_waker(Waker::noop());
            let _gone = Pin::new(stream).poll_close(&mut cx);
        }
    }

    /// Makes the close that comes next a reset: the peer learns that what it has is not all, and the
    /// kernel keeps nothing that the peer will not take.
    pub fn reset(&self) {
        match self {
            Self::Tcp(stream) => {
                let now = Some(Duration::ZERO);
                // Where it cannot be set, the close is an ordinary one.
                let _ = rustix::net::sockopt::set_socket_linger(stream.get_ref(), now);
            }
            Self::Unix(_) => {}
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.reset(),
        }
    }

    /// Whether the connection is open and nothing waits to be read: an idle one that is not can
    /// carry no request.
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let read = match self {
            // What comes behind an answer may be the other side's, such as tickets to resume with.
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                return Pin::new(stream).poll_read(&mut cx, &mut byte).is_pending();
            }
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
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
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
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
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
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    #[cfg_attr(
        not(feature = "tls"),
        expect(unused_variables, reason = "sockets hold nothing back")
    )]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Tells the peer that nothing more comes; what it still sends can be read.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "sockets need not wait"))]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.get_mut() {
            Self::Tcp(stream) => stream.get_ref().shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.get_ref().shutdown(Shutdown::Write),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => return Pin::new(stream).poll_close(cx),
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
        let mut socket = Socket::Unix(Async::new(near).unwrap());
        assert!(socket.is_quiet());
        std::io::Write::write_all(&mut &far, b"x").unwrap();
        assert!(!socket.is_quiet());
        drop(far);
        assert!(!socket.is_quiet());
    }
}
