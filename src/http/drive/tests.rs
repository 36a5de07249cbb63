//! Whole connections over a socket pair: what goes in, what comes out.

use std::cell::{Cell, RefCell};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use smol::Async;
use smol::future::{poll_once, zip};
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::http::outgoing::Broken;
use crate::http::socket::Socket;
use crate::http::table::{ConnectionTable, ServerLimits};

/// A body in pieces, of which the length may be known.
struct Pieces {
    pieces: Vec<Vec<u8>>,
    sized: bool,
    broken: bool,
}

impl Produce for Pieces {
    async fn fill(&mut self, out: &mut [u8]) -> Result<usize, Broken> {
        if self.pieces.is_empty() {
            return if self.broken { Err(Broken) } else { Ok(0) };
        }
        let piece = &mut self.pieces[0];
        let len = piece.len().min(out.len());
        out[..len].copy_from_slice(&piece[..len]);
        piece.drain(..len);
        if piece.is_empty() {
            self.pieces.remove(0);
        }
        Ok(len)
    }

    fn size_hint(&self) -> Option<usize> {
        self.sized.then(|| self.pieces.iter().map(Vec::len).sum())
    }
}

/// Answers with its path; some paths do something else.
#[derive(Default)]
struct Echo {
    log: RefCell<Vec<String>>,
    cancelled: Rc<Cell<bool>>,
}

struct OnDrop(Rc<Cell<bool>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl Service for Echo {
    type Body = Pieces;
    type Buffer = Vec<u8>;

    async fn answer(&self, request: &Request<'_>, body: &mut RequestBody<'_>) -> Reply<Pieces> {
        let path = request.head.target().path();
        let mut pieces = vec![path.as_bytes().to_vec()];
        match path {
            "/wait" => {
                let _guard = OnDrop(self.cancelled.clone());
                std::future::pending::<()>().await;
            }
            "/body" => {
                pieces.clear();
                let mut buf = [0; 5];
                loop {
                    match body.read(&mut buf).await {
                        Ok(0) => break,
                        Ok(len) => pieces.push(buf[..len].to_vec()),
                        Err(fault) => {
                            let text = fault.to_string().into_bytes();
                            let reply = Pieces { pieces: vec![text], sized: true, broken: false };
                            return Reply::new(fault.status(), "", reply);
                        }
                    }
                }
                pieces = vec![pieces.concat()];
            }
            "/some-then-wait" => {
                let _guard = OnDrop(self.cancelled.clone());
                body.read(&mut [0; 2]).await.unwrap();
                let _given_up = poll_once(body.read(&mut [0; 9])).await;
                std::future::pending::<()>().await;
            }
            "/big" => pieces = vec![vec![b'x'; 100_000], vec![b'y'; 10]],
            "/pieces" | "/broken" => pieces = vec![b"up 1\n".to_vec(), b"up 2\n".to_vec()],
            _ => {}
        }
        let sized = !matches!(path, "/pieces" | "/broken" | "/big");
        let body = Pieces { pieces, sized, broken: path == "/broken" };
        let mut reply = Reply::new(200, "text/plain", body);
        reply.close = path == "/close";
        reply
    }

    async fn buffer(&self, _: &Reply<Pieces>) -> Vec<u8> {
        vec![0; 4096]
    }

    fn refused(&self, _: Peer, fault: Fault) {
        self.log.borrow_mut().push(fault.to_string());
    }

    fn sent(&self, _: Peer, status: u16, whole: bool) {
        self.log.borrow_mut().push(format!("{status} {whole}"));
    }
}

fn limits() -> ServerLimits {
    ServerLimits::default()
}

/// A served connection and the client's end of it.
struct Scene {
    client: Async<UnixStream>,
    server: Socket,
    table: Rc<ConnectionTable>,
    service: Echo,
}

impl Scene {
    fn new(limits: ServerLimits) -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        Self {
            client: Async::new(near).unwrap(),
            server: Socket::Unix(Async::new(far).unwrap()),
            table: ConnectionTable::new(1, limits),
            service: Echo::default(),
        }
    }

    /// Serves while `script` plays the client; both to their end. The service's log is returned.
    async fn play<T>(
        self,
        script: impl AsyncFnOnce(&mut Async<UnixStream>) -> T,
    ) -> (T, Vec<String>) {
        let Self { mut client, server, table, service } = self;
        let handle = table.admit(Peer::Unix).unwrap();
        let serving = serve(server, &handle, &service);
        let playing = async {
            let result = script(&mut client).await;
            drop(client);
            result
        };
        let ((), result) = zip(serving, playing).await;
        (result, service.log.into_inner())
    }
}

/// Sends all at once and reads until the server closes.
fn talk(wire: &[u8]) -> (String, Vec<String>) {
    talk_under(limits(), wire)
}

fn talk_under(limits: ServerLimits, wire: &[u8]) -> (String, Vec<String>) {
    smol::block_on(Scene::new(limits).play(async |client| {
        client.write_all(wire).await.unwrap();
        read_all(client).await
    }))
}

async fn read_all(client: &mut Async<UnixStream>) -> String {
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.unwrap();
    String::from_utf8(got).unwrap()
}

/// Reads exactly this.
async fn expect(client: &mut Async<UnixStream>, want: &str) {
    let mut got = vec![0; want.len()];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(String::from_utf8(got).unwrap(), want);
}

fn ok(body: &str, connection: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len}\r\n{connection}\r\n{body}"
    )
}

#[test]
fn requests_sent_ahead_are_answered_in_order() {
    let wire = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n\
                 HEAD /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /d HTTP/1.1";
    let (got, log) = talk(wire);
    let head = ok("/c", "Connection: close\r\n");
    let want = [&ok("/a", ""), &ok("/b", ""), head.strip_suffix("/c").unwrap()].concat();
    assert_eq!((got, log.len()), (want, 3));
}

#[test]
fn an_answer_is_the_same_wherever_the_request_is_cut() {
    let wire = b"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n4;x\r\ndefg\r\n0\r\n\r\nGET /close HTTP/1.1\r\nHost: x\r\n\r\n";
    let want = [ok("abcdefg", ""), ok("/close", "Connection: close\r\n")].concat();
    for cut in 0..=wire.len() {
        let (got, _) = smol::block_on(Scene::new(limits()).play(async |client| {
            client.write_all(&wire[..cut]).await.unwrap();
            smol::future::yield_now().await;
            client.write_all(&wire[cut..]).await.unwrap();
            read_all(client).await
        }));
        assert_eq!(got, want, "cut at {cut}");
    }
}

#[test]
fn old_clients_get_what_they_understand() {
    let (got, _) =
        talk(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /pieces HTTP/1.0\r\n\r\n");
    let first = ok("/a", "Connection: keep-alive\r\n");
    let second =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nup 1\nup 2\n";
    assert_eq!(got, [&first, second].concat());
}

#[test]
fn a_body_of_unknown_length_is_chunked() {
    let (got, _) = talk(b"GET /pieces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let want = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\
                Connection: close\r\n\r\n000a\r\nup 1\nup 2\n\r\n0\r\n\r\n";
    assert_eq!(got, want);
}

#[test]
fn a_large_body_arrives_whole() {
    let (got, log) = talk(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let start = got.find("\r\n\r\n").unwrap() + 4;
    let mut body = got.as_bytes()[start..].to_vec();
    let mut decoder = crate::http::chunked::Decoder::new();
    let progress = decoder.decode_in_place(&mut body).unwrap();
    assert!(decoder.is_done() && progress.used == body.len());
    let want = [vec![b'x'; 100_000], vec![b'y'; 10]].concat();
    assert!(body[..progress.made] == want);
    assert_eq!(log, ["200 true"]);
}

#[test]
fn a_broken_body_is_cut() {
    let (got, log) = talk(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!got.contains("0\r\n\r\n"), "{got}");
    assert_eq!(log, ["200 false"]);
}

#[test]
fn a_refusal_says_why_and_closes() {
    let long = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 9000]].concat();
    let cases: [(&[u8], &str, &str); 6] = [
        (b"GET / HTTP/1.1\n", "400 Bad Request", "a line feed without a carriage return"),
        (b"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "no Host field"),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "505 HTTP Version Not Supported",
            "only HTTP/1.1 and",
        ),
        (b"\x16\x03\x01\x02\0\x01", "400 Bad Request", "a control byte in the head"),
        (
            b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "501 Not Implemented",
            "an unknown Transfer-Encoding",
        ),
        (&long, "431 Request Header Fields Too Large", "the head is longer than 8192 bytes"),
    ];
    for (wire, status, text) in cases {
        let (got, log) = talk(wire);
        assert!(got.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{text}: {got}");
        assert!(got.contains("Connection: close\r\n"), "{got}");
        assert!(got.split_once("\r\n\r\n").unwrap().1.starts_with(text), "{text}: {got}");
        assert_eq!(log.len(), 1, "{text}");
    }
}

#[test]
fn a_waiting_client_is_told_to_go_on() {
    let head = "PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n";
    let (got, _) = smol::block_on(Scene::new(limits()).play(async |client| {
        client.write_all(head.as_bytes()).await.unwrap();
        expect(client, "HTTP/1.1 100 Continue\r\n\r\n").await;
        client.write_all(b"abcdefgGET /close HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        read_all(client).await
    }));
    assert_eq!(got, [ok("abcdefg", ""), ok("/close", "Connection: close\r\n")].concat());
}

#[test]
fn an_unread_body_is_passed_over_or_ends_the_connection() {
    let close = ok("/a", "Connection: close\r\n");
    let both = [ok("/a", ""), ok("/close", "Connection: close\r\n")].concat();
    let next = "GET /close HTTP/1.1\r\nHost: x\r\n\r\n";
    let put =
        |fields: &str, body: &str| format!("PUT /a HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{body}");
    let cases = [
        (put("Content-Length: 3", &["abc", next].concat()), &both),
        (put("Content-Length: 70000", &["x".repeat(70_000), next.into()].concat()), &close),
        (put("Content-Length: 3\r\nExpect: 100-continue", ""), &close),
        (put("Transfer-Encoding: chunked", "0\r\n\r\n"), &close),
    ];
    for (wire, want) in cases {
        let (got, _) = talk(wire.as_bytes());
        assert_eq!(got, *want, "{}", &wire[..60]);
    }
}

#[test]
fn a_malformed_body_is_told_and_closes() {
    let wire = b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let (got, _) = talk(wire);
    assert!(
        got.starts_with("HTTP/1.1 400 ") && got.ends_with("a chunk size is malformed"),
        "{got}"
    );
}

#[test]
fn a_client_that_goes_away_cancels_its_request() {
    let scene = Scene::new(limits());
    let cancelled = scene.service.cancelled.clone();
    smol::block_on(scene.play(async |client| {
        client.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /early").await.unwrap();
    }));
    assert!(cancelled.get());
}

#[test]
fn a_client_that_goes_away_is_missed_behind_a_body_half_read() {
    let framings = ["Content-Length: 3\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab"];
    for framing in framings {
        let scene = Scene::new(limits());
        let cancelled = scene.service.cancelled.clone();
        smol::block_on(scene.play(async |client| {
            let wire = format!("PUT /some-then-wait HTTP/1.1\r\nHost: x\r\n{framing}");
            client.write_all(wire.as_bytes()).await.unwrap();
            smol::future::yield_now().await;
        }));
        assert!(cancelled.get(), "{framing}");
    }
}

#[test]
fn a_request_that_fills_the_buffer_is_answered_while_the_client_waits() {
    let mut wire = b"PUT /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX: ".to_vec();
    wire.resize(HEAD - 4, b'x');
    wire.extend_from_slice(b"\r\n\r\n");
    let body = "y".repeat(3000);
    wire.extend_from_slice(format!("bb8\r\n{body}\r\n0\r\n\r\n").as_bytes());
    wire.extend_from_slice(b"GET /close HTTP/1.1\r\nHost: x\r\n\r\n");
    let (got, _) = talk(&wire);
    assert_eq!(got, [ok(&body, ""), ok("/close", "Connection: close\r\n")].concat());
}

#[test]
fn time_limits_end_a_connection() {
    let short = Duration::from_millis(20);
    let cases: [(&str, ServerLimits, &[u8], &str); 5] = [
        ("new", ServerLimits { header: short, ..limits() }, b"", ""),
        ("new, idle", ServerLimits { idle: short, ..limits() }, b"", ""),
        (
            "idle",
            ServerLimits { idle: short, ..limits() },
            b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n",
            "HTTP/1.1 200 OK",
        ),
        (
            "head",
            ServerLimits { header: short, ..limits() },
            b"GET",
            "HTTP/1.1 408 Request Timeout",
        ),
        (
            "body",
            ServerLimits { body: short, ..limits() },
            b"PUT /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
            "HTTP/1.1 408 Request Timeout",
        ),
    ];
    for (name, limits, wire, want) in cases {
        let (got, _) = talk_under(limits, wire);
        assert_eq!(got.lines().next().unwrap_or(""), want, "{name}");
    }
}

#[test]
fn a_reply_that_is_not_taken_is_cut() {
    let limits =
        ServerLimits { write: Duration::from_millis(20), take_rate: usize::MAX, ..limits() };
    let mut wire = Vec::new();
    for _ in 0..20 {
        wire.extend_from_slice(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    let scene = Scene::new(limits);
    let Scene { mut client, server, table, service } = scene;
    let handle = table.admit(Peer::Unix).unwrap();
    smol::block_on(async {
        client.write_all(&wire).await.unwrap();
        Box::pin(serve(server, &handle, &service)).await;
    });
    assert_eq!(service.log.borrow().last().map(String::as_str), Some("200 false"));
}

#[test]
fn the_table_ends_a_connection_from_outside() {
    let Scene { mut client, server, table, service } = Scene::new(limits());
    let handle = table.admit(Peer::Unix).unwrap();
    smol::block_on(async {
        let mut serving = std::pin::pin!(serve(server, &handle, &service));
        assert!(poll_once(&mut serving).await.is_none());
        assert!(!table.close_longest_idle(), "its first request may be on its way");
        client.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(poll_once(&mut serving).await.is_none());
        assert!(table.close_longest_idle());
        serving.as_mut().await;
        assert_eq!(read_all(&mut client).await, ok("/a", ""));
    });
}

#[test]
fn draining_ends_idle_connections_at_once_and_others_behind_their_answer() {
    let Scene { client: _client, server, table, service } = Scene::new(limits());
    let handle = table.admit(Peer::Unix).unwrap();
    smol::block_on(async {
        let mut serving = std::pin::pin!(serve(server, &handle, &service));
        assert!(poll_once(&mut serving).await.is_none());
        table.drain();
        serving.as_mut().await;
    });

    let Scene { mut client, server, table, service } = Scene::new(limits());
    let handle = table.admit(Peer::Unix).unwrap();
    table.drain();
    let got = smol::block_on(async {
        client.write_all(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let reading = async {
            let got = read_all(&mut client).await;
            drop(client);
            got
        };
        zip(Box::pin(serve(server, &handle, &service)), reading).await.1
    });
    assert_eq!(got, ok("/a", "Connection: close\r\n"));

    let Scene { mut client, server, table, service } = Scene::new(limits());
    let handle = table.admit(Peer::Unix).unwrap();
    smol::block_on(async {
        let mut serving = std::pin::pin!(serve(server, &handle, &service));
        client.write_all(b"GET /a HTTP/1.1\r\n").await.unwrap();
        assert!(poll_once(&mut serving).await.is_none());
        table.drain();
        client.write_all(b"Host: x\r\n\r\n").await.unwrap();
        let reading = async {
            let got = read_all(&mut client).await;
            drop(client);
            got
        };
        let (got, ()) = zip(reading, serving).await;
        assert_eq!(got, ok("/a", "Connection: close\r\n"));
    });
}

/// The smallest service there is.
struct Plain;

impl Service for Plain {
    type Body = &'static [u8];
    type Buffer = Box<[u8]>;

    async fn answer(&self, _: &Request<'_>, _: &mut RequestBody<'_>) -> Reply<Self::Body> {
        Reply::new(200, "text/plain", b"ok\n")
    }

    async fn buffer(&self, _: &Reply<Self::Body>) -> Self::Buffer {
        vec![0; 4096].into()
    }
}

#[test]
fn a_connection_takes_little_memory_besides_its_buffer() {
    let Scene { server, table, .. } = Scene::new(limits());
    let handle = table.admit(Peer::Unix).unwrap();
    let size = std::mem::size_of_val(&serve(server, &handle, &Plain));
    assert!(size <= 2400, "{size}");
}
