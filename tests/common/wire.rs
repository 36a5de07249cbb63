//! One connection to the program under test, byte by byte.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::LIMIT;
use super::reply::{self, Reply};

/// Either kind of socket.
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Tls(Box<super::tls::Client>),
}

impl Socket {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Unix(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(client) => Some(&client.sock),
        }
    }

    fn limit(&self, time: Duration) {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(client) => {
                client.sock.set_read_timeout(Some(time)).unwrap();
                client.sock.set_write_timeout(Some(time)).unwrap();
            }
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(time)).unwrap();
                stream.set_write_timeout(Some(time)).unwrap();
            }
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(time)).unwrap();
                stream.set_write_timeout(Some(time)).unwrap();
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(out),
            Self::Unix(stream) => stream.read(out),
            #[cfg(feature = "tls")]
            Self::Tls(client) => client.read(out),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(client) => super::tls::write(client, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(client) => super::tls::flush(client),
            _ => Ok(()),
        }
    }
}

/// A client's connection. Reads and writes give up after [`LIMIT`].
pub struct Connection(BufReader<Socket>);

impl Connection {
    /// Connects to `tcp://HOST:PORT` or `unix:///PATH`.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn try_open(address: &str) -> io::Result<Self> {
        let socket = if let Some(path) = address.strip_prefix("unix://") {
            Socket::Unix(UnixStream::connect(path)?)
        } else {
            let stream = TcpStream::connect(address.trim_start_matches("tcp://"))?;
            #[cfg(feature = "tls")]
            let socket = match super::OVER_TLS {
                true => Socket::Tls(Box::new(super::tls::client(stream))),
                false => Socket::Tcp(stream),
            };
            #[cfg(not(feature = "tls"))]
            let socket = Socket::Tcp(stream);
            socket
        };
        socket.limit(LIMIT);
        Ok(Self(BufReader::with_capacity(4096, socket)))
    }

    /// [`Connection::try_open`], which must work.
    pub fn open(address: &str) -> Self {
        Self::try_open(address).unwrap_or_else(|fault| panic!("connect {address}: {fault}"))
    }

    /// Shrinks the receive window, so that a reply is soon stuck when nobody reads it.
    #[must_use]
    pub fn with_small_window(self) -> Self {
        if let Some(stream) = self.0.get_ref().tcp() {
            rustix::net::sockopt::set_socket_recv_buffer_size(stream, 4096).unwrap();
        }
        self
    }

    /// This end's port, by which the other end can be told from its like; 0 on a Unix socket.
    pub fn port(&self) -> u16 {
        self.0.get_ref().tcp().map_or(0, |stream| stream.local_addr().unwrap().port())
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    ///
    /// As the system says, such as when the other end has closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)?;
        self.0.get_mut().flush()
    }

    /// [`Connection::try_send`], which must work.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    /// Sends a GET that keeps the connection.
    pub fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: fanin\r\n\r\n").as_bytes());
    }

    /// Reads one reply.
    ///
    /// # Errors
    ///
    /// See [`reply::read`].
    pub fn try_reply(&mut self) -> Result<Reply, String> {
        reply::read(&mut self.0, false)
    }

    /// [`Connection::try_reply`], which must work.
    pub fn reply(&mut self) -> Reply {
        self.try_reply().unwrap_or_else(|fault| panic!("reply: {fault}"))
    }

    /// Reads the reply to a HEAD.
    pub fn reply_to_head(&mut self) -> Reply {
        reply::read(&mut self.0, true).unwrap_or_else(|fault| panic!("reply to HEAD: {fault}"))
    }

    /// Whether the other end has closed, or closes without another byte. A reset counts as closed.
    pub fn ended(&mut self) -> bool {
        match self.0.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => {
                panic!("the connection was neither closed nor used")
            }
            Err(_) => true,
        }
    }

    /// What comes within `time`: nothing, a byte, or the end.
    pub fn look(&mut self, time: Duration) -> Seen {
        self.0.get_ref().limit(time);
        let seen = match self.0.fill_buf() {
            Ok([]) => Seen::End,
            Ok(_) => Seen::Bytes,
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => Seen::Nothing,
            Err(_) => Seen::End,
        };
        self.0.get_ref().limit(LIMIT);
        seen
    }

    /// Reads up to `count` bytes and forgets them; the number read.
    ///
    /// # Errors
    ///
    /// As the system says.
    pub fn skip(&mut self, count: usize) -> io::Result<usize> {
        let taken = self.0.fill_buf()?.len().min(count);
        self.0.consume(taken);
        Ok(taken)
    }

    /// Everything up to the end of the connection, however that comes.
    pub fn drain(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        bytes
    }
}

/// What [`Connection::look`] saw.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Seen {
    /// The time went by.
    Nothing,
    /// At least one byte; it is still there to be read.
    Bytes,
    /// The other end closed.
    End,
}
