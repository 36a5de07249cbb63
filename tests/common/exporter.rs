//! A scripted upstream: an HTTP server that says exactly what a test tells it to.
//!
//! One thread accepts and one serves each connection, by a closure that holds the conversation.
//! Pauses are [`super::Gate`]s that the test opens. Requests and connections are counted.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::LIMIT;

/// The Content-Type of the text format.
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The Content-Type of OpenMetrics.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

trait Wire: Read + Write + Send {}
impl<W: Read + Write + Send> Wire for W {}

#[derive(Default)]
struct Seen {
    connections: usize,
    heads: Vec<String>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    more: Condvar,
    stop: AtomicBool,
}

/// An upstream that lives as long as this value.
pub struct Exporter {
    /// `HOST:PORT`, or `unix:///PATH`.
    pub addr: String,
    shared: Arc<Shared>,
}

/// One connection, as its script sees it.
pub struct Conversation {
    wire: BufReader<Box<dyn Wire>>,
    shared: Arc<Shared>,
}

impl Exporter {
    /// Answers every request with `page` as text 0.0.4, and keeps connections.
    pub fn serving(page: &str) -> Self {
        Self::answering(ok(TEXT, page))
    }

    /// Answers every request with these bytes, and keeps connections.
    pub fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::talking(move |conversation| {
            while conversation.request().is_some() {
                conversation.send(&bytes);
            }
        })
    }

    /// Answers one request of each connection with these bytes, then closes it.
    pub fn closing(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::talking(move |conversation| {
            conversation.request();
            conversation.send(&bytes);
        })
    }

    /// Holds each connection's conversation by `script`; the connection closes when it returns.
    pub fn talking(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        Self::over(|stream| Box::new(stream), script)
    }

    /// The same over TLS, with the certificate in `tests/common/tls`.
    #[cfg(feature = "tls")]
    pub fn talking_tls(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let config = super::tls::server();
        let wire = move |stream| {
            let tls = rustls::ServerConnection::new(config.clone()).unwrap();
            Box::new(rustls::StreamOwned::new(tls, stream)) as Box<dyn Wire>
        };
        Self::over(wire, script)
    }

    /// Holds conversations over what `wire` makes of each connection.
    fn over(
        wire: impl Fn(TcpStream) -> Box<dyn Wire> + Send + 'static,
        script: impl Fn(&mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let accept = move || {
            let (stream, _) = listener.accept()?;
            stream.set_read_timeout(Some(LIMIT * 2))?;
            stream.set_write_timeout(Some(LIMIT * 2))?;
            stream.set_nodelay(true)?;
            Ok(wire(stream))
        };
        Self::run(addr, accept, script)
    }

    /// [`Exporter::serving`], each answer once `gate` is open.
    pub fn behind(gate: &super::Gate, page: &str) -> Self {
        let (gate, bytes) = (gate.clone(), ok(TEXT, page));
        Self::talking(move |conversation| {
            while conversation.request().is_some() {
                gate.wait();
                conversation.send(&bytes);
            }
        })
    }

    /// [`Exporter::serving`] on a Unix socket at `path`.
    pub fn serving_unix(path: &Path, page: &str) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let bytes = ok(TEXT, page);
        let accept = move || {
            let (stream, _) = listener.accept()?;
            stream.set_read_timeout(Some(LIMIT * 2))?;
            Ok::<Box<dyn Wire>, io::Error>(Box::new(stream))
        };
        Self::run(format!("unix://{}", path.display()), accept, move |conversation| {
            while conversation.request().is_some() {
                conversation.send(&bytes);
            }
        })
    }

    fn run(
        addr: String,
        accept: impl Fn() -> io::Result<Box<dyn Wire>> + Send + 'static,
        script: impl Fn(&mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let script = Arc::new(script);
        let theirs = shared.clone();
        thread::spawn(move || {
            while let Ok(wire) = accept() {
                if theirs.stop.load(Ordering::Relaxed) {
                    return;
                }
                theirs.note(|seen| seen.connections += 1);
                let mut conversation =
                    Conversation { wire: BufReader::new(wire), shared: theirs.clone() };
                let script = script.clone();
                thread::spawn(move || script(&mut conversation));
            }
        });
        Self { addr, shared }
    }

    /// What a source's `url` says to reach this upstream's `/metrics`.
    pub fn url(&self) -> String {
        if self.addr.starts_with("unix://") {
            format!("{}:/metrics", self.addr)
        } else {
            format!("http://{}/metrics", self.addr)
        }
    }

    /// Requests whose head arrived whole.
    pub fn requests(&self) -> usize {
        self.shared.seen.lock().unwrap().heads.len()
    }

    /// Connections accepted.
    pub fn connections(&self) -> usize {
        self.shared.seen.lock().unwrap().connections
    }

    /// The heads of all requests, line ends and all.
    pub fn heads(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().heads.clone()
    }

    /// The value of a field in the newest request; `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.heads().pop().expect("a request");
        field(&head, name)
    }

    /// Waits until `count` requests have arrived.
    pub fn wait_for_requests(&self, count: usize) {
        let seen = self.shared.seen.lock().unwrap();
        let (seen, _) = self
            .shared
            .more
            .wait_timeout_while(seen, LIMIT, |seen| seen.heads.len() < count)
            .unwrap();
        assert!(seen.heads.len() >= count, "{} of {count} requests came", seen.heads.len());
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees the flag.
        match self.addr.strip_prefix("unix://") {
            Some(path) => drop(UnixStream::connect(path)),
            None => drop(TcpStream::connect(&self.addr)),
        }
    }
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
        self.more.notify_all();
    }
}

impl Conversation {
    /// Reads the next request's head and records it; `None` when the other end has closed.
    pub fn request(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.wire.read_until(b'\n', &mut head) {
                Ok(taken) if taken > 0 => {}
                _ => return None,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.shared.note(|seen| seen.heads.push(head.clone()));
        Some(head)
    }

    /// Reads a request and its body, which must be chunked; `None` when the other end has closed.
    pub fn request_with_body(&mut self) -> Option<(String, Vec<u8>)> {
        let head = self.request()?;
        assert_eq!(field(&head, "transfer-encoding").as_deref(), Some("chunked"), "{head}");
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            if self.wire.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.wire.read_exact(&mut chunk).ok()?;
            assert!(chunk.ends_with(b"\r\n"), "a chunk of {size} bytes");
            if size == 0 {
                return Some((head, body));
            }
            chunk.truncate(size);
            body.append(&mut chunk);
        }
    }

    /// Sends bytes; `false` when the other end is gone.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.wire.get_mut().write_all(bytes).is_ok()
    }

    /// Reads the body of the request whose head this is.
    pub fn body(&mut self, head: &str) -> String {
        let length = field(head, "content-length").map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        self.wire.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    /// Waits until the other end closes.
    pub fn until_closed(&mut self) {
        let _ = io::copy(&mut self.wire, &mut io::sink());
    }

    /// This connection's number, from 1, when connections come one after another.
    pub fn number(&self) -> usize {
        self.shared.seen.lock().unwrap().connections
    }
}

/// The value of a field in a head; `name` is in lower case.
pub fn field(head: &str, name: &str) -> Option<String> {
    head.lines().skip(1).find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// A reply with a Content-Length.
pub fn ok(content_type: &str, page: &str) -> Vec<u8> {
    reply("200 OK", &[("Content-Type", content_type)], page)
}

/// A reply with a status, fields and a Content-Length.
pub fn reply(status: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// The head of a chunked text reply.
pub const CHUNKED_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/plain; version=0.0.4\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

/// A chunked reply, `size` bytes to a chunk, with what chunked coding allows beside the data.
pub fn chunked(page: &str, size: usize) -> Vec<u8> {
    let mut bytes = CHUNKED_HEAD.to_vec();
    for chunk in page.as_bytes().chunks(size) {
        bytes.extend(format!("{:X};name=\"value\"\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\nX-Trailer: dropped\r\n\r\n");
    bytes
}

/// A reply whose body ends with the connection; for [`Exporter::closing`].
pub fn close_delimited(version: &str, page: &str) -> Vec<u8> {
    format!("{version} 200 OK\r\nContent-Type: {TEXT}\r\n\r\n{page}").into_bytes()
}
