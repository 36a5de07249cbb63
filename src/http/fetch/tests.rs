//! Fetches from a server that says what the test wants, over loopback.

use std::net::TcpListener;

use smol::Async;
use smol::future::{or, poll_once};
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::http::client::Redirects;

/// A server on a port of its own.
struct Upstream {
    listener: Async<TcpListener>,
    port: u16,
}

impl Upstream {
    fn new() -> Self {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let port = listener.get_ref().local_addr().unwrap().port();
        Self { listener, port }
    }

    fn url(&self, request: &str) -> Target {
        Target::parse(&format!("http://127.0.0.1:{}{request}", self.port)).unwrap()
    }

    async fn accept(&self) -> Socket {
        Socket::from_tcp(self.listener.accept().await.unwrap().0).unwrap()
    }
}

/// Reads one request's head; empty if the connection closed.
async fn request(socket: &mut Socket) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Runs `script` beside a server that never ends.
fn beside(server: impl Future<Output = ()>, script: impl Future<Output = ()>) {
    let server = async {
        server.await;
        std::future::pending::<()>().await;
    };
    smol::block_on(or(script, server));
}

async fn read_all(response: &mut Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    let mut buf = [0; 7];
    loop {
        match response.read(&mut buf).await? {
            0 => return Ok(body),
            len => body.extend_from_slice(&buf[..len]),
        }
    }
}

/// Fetches from a server that answers each connection's first request with these bytes, then
/// closes.
fn fetch(wire: &[u8]) -> Result<(u16, Vec<u8>), FetchError> {
    fetch_as(Method::Get, wire)
}

fn fetch_as(method: Method, wire: &[u8]) -> Result<(u16, Vec<u8>), FetchError> {
    let upstream = Upstream::new();
    let target = upstream.url("/metrics");
    let mut result = None;
    let server = async {
        loop {
            let mut socket = upstream.accept().await;
            request(&mut socket).await;
            socket.write_all(wire).await.unwrap();
        }
    };
    beside(server, async {
        let asked = Outgoing { method, ..Outgoing::get(&target) };
        result = Some(match Client::new().fetch(&asked).await {
            Ok(mut response) => read_all(&mut response).await.map(|body| (response.status, body)),
            Err(fault) => Err(fault),
        });
    });
    result.unwrap()
}

#[test]
fn bodies_come_whichever_way_they_end() {
    let cases: [(&str, &str, u16, &str); 7] = [
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n", 200, "up 1\n"),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nup \r\n2\r\n1\n\r\n0\r\n\r\n",
            200,
            "up 1\n",
        ),
        ("until it closes", "HTTP/1.1 200 OK\r\n\r\nup 1\n", 200, "up 1\n"),
        ("1.0", "HTTP/1.0 200 OK\r\n\r\nup 1\nup 2\nup 3\n", 200, "up 1\nup 2\nup 3\n"),
        ("none", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("an error", "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", 500, "no"),
        (
            "interim ones",
            "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            200,
            "x",
        ),
    ];
    for (name, wire, status, want) in cases {
        let got = fetch(wire.as_bytes()).unwrap();
        assert_eq!(got, (status, want.as_bytes().to_vec()), "{name}");
    }
    let head = fetch_as(Method::Head, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap();
    assert_eq!(head, (200, vec![]));
}

#[test]
fn an_answer_that_is_not_whole_or_not_well_is_an_error() {
    let early = "HTTP/1.1 103 Early\r\n\r\n".repeat(9);
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD));
    let cases = [
        ("no answer", "", "the connection closed before the answer was whole"),
        ("half a head", "HTTP/1.1 200", "the connection closed before the answer was whole"),
        (
            "half a body",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup",
            "the connection closed before the answer was whole",
        ),
        (
            "half a chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup",
            "the connection closed before the answer was whole",
        ),
        (
            "not HTTP",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "malformed answer: only HTTP/1.1 and HTTP/1.0 are spoken here",
        ),
        ("bare LF", "HTTP/1.1 200 OK\n", "malformed answer: a line feed without a carriage return"),
        (
            "a bad chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "malformed answer: a chunk size is malformed",
        ),
        (
            "two encodings",
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n",
            "malformed answer: a Content-Encoding that is repeated or too long",
        ),
        ("too many interim ones", &early, "malformed answer: interim responses without an answer"),
        ("a long head", &long, "malformed answer: the head is longer than 8192 bytes"),
    ];
    for (name, wire, want) in cases {
        assert_eq!(fetch(wire.as_bytes()).unwrap_err().to_string(), want, "{name}");
    }
}

#[test]
fn a_body_is_the_same_wherever_the_wire_is_cut() {
    let wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nup \r\nc\r\n1\nup 2\nup 3\n\r\n0\r\n\r\n";
    let upstream = Upstream::new();
    let target = upstream.url("/");
    let client = Client::new();
    let server = async {
        let mut socket = upstream.accept().await;
        for cut in 0..=wire.len() {
            request(&mut socket).await;
            socket.write_all(&wire[..cut]).await.unwrap();
            smol::future::yield_now().await;
            socket.write_all(&wire[cut..]).await.unwrap();
        }
    };
    beside(server, async {
        for cut in 0..=wire.len() {
            let mut response = client.fetch(&Outgoing::get(&target)).await.unwrap();
            let body = read_all(&mut response).await.unwrap();
            assert_eq!(str::from_utf8(&body), Ok("up 1\nup 2\nup 3\n"), "cut at {cut}");
            drop(response);
            assert_eq!(client.idle(), 1, "cut at {cut}");
        }
    });
}

#[test]
fn what_the_head_says_is_kept() {
    let upstream = Upstream::new();
    let target = upstream.url("/");
    let wire = "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\
                Retry-After: 5\r\nContent-Length: 3\r\nSet-Cookie: x\r\n\r\nabc";
    let server = async {
        let mut socket = upstream.accept().await;
        request(&mut socket).await;
        socket.write_all(wire.as_bytes()).await.unwrap();
    };
    beside(server, async {
        let response = Client::new().fetch(&Outgoing::get(&target)).await.unwrap();
        assert_eq!(response.content_type.as_deref(), Some("text/plain"));
        assert_eq!(response.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(response.retry_after.as_deref(), Some("5"));
        assert_eq!((response.status, response.content_length), (503, Some(3)));
    });
}

/// Fetches twice from a server that answers all requests so; how many connections that took.
fn connections_for_two(wire: &'static str, read: bool) -> usize {
    let upstream = Upstream::new();
    let target = upstream.url("/");
    let client = Client::new();
    let accepted = RefCell::new(vec![]);
    let server = async {
        loop {
            let mut socket = upstream.accept().await;
            accepted.borrow_mut().push(());
            while !request(&mut socket).await.is_empty() {
                socket.write_all(wire.as_bytes()).await.unwrap();
            }
        }
    };
    beside(server, async {
        for _ in 0..2 {
            let mut response = client.fetch(&Outgoing::get(&target)).await.unwrap();
            if read {
                read_all(&mut response).await.unwrap();
            }
        }
    });
    accepted.borrow().len()
}

#[test]
fn a_connection_is_kept_behind_a_whole_body() {
    let cases = [
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", true, 1),
        ("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, 1),
        ("no body", "HTTP/1.1 304 Same\r\n\r\n", true, 1),
        ("not read", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 2),
        ("told so", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", true, 2),
        ("old", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", true, 2),
        ("bytes behind it", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", true, 2),
        (
            "bytes behind chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP",
            true,
            2,
        ),
    ];
    for (name, wire, read, want) in cases {
        assert_eq!(connections_for_two(wire, read), want, "{name}");
    }
}

#[test]
fn a_stale_connection_is_replaced_once() {
    let upstream = Upstream::new();
    let target = upstream.url("/");
    let client = Client::new();
    let server = async {
        for answers in [1, 1, 0] {
            let mut socket = upstream.accept().await;
            for _ in 0..answers {
                request(&mut socket).await;
                socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            }
            // Closes on the next request, not before: a stale connection that seems well.
            request(&mut socket).await;
        }
    };
    beside(server, async {
        client.fetch(&Outgoing::get(&target)).await.unwrap();
        client.fetch(&Outgoing::get(&target)).await.unwrap();
        let fault = client.fetch(&Outgoing::get(&target)).await.unwrap_err();
        assert!(matches!(fault, FetchError::Closed | FetchError::Io(_)), "{fault}");
    });
}

#[test]
fn redirects_are_followed_five_times() {
    for (hops, want) in [(5, Ok(200)), (6, Err("more than 5 redirects"))] {
        let upstream = Upstream::new();
        let target = upstream.url("/0");
        let server = async {
            let mut socket = upstream.accept().await;
            for hop in 0..=hops {
                let head = request(&mut socket).await;
                assert!(head.starts_with(&format!("GET /{hop} ")), "{head}");
                assert!(head.contains("Authorization: s\r\n"), "{head}");
                let answer = match hop {
                    _ if hop == hops => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
                    _ => format!(
                        "HTTP/1.1 302 Found\r\nLocation: /{}\r\nContent-Length: 2\r\n\r\nno",
                        hop + 1
                    ),
                };
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        beside(server, async {
            let asked = Outgoing { authorization: Some("s"), ..Outgoing::get(&target) };
            let got = Client::new().fetch(&asked).await.map(|response| response.status);
            assert_eq!(got.map_err(|fault| fault.to_string()), want.map_err(str::to_owned));
        });
    }
}

#[test]
fn a_redirect_elsewhere_leaves_secrets_behind() {
    let (one, two) = (Upstream::new(), Upstream::new());
    let target = one.url("/");
    let server = async {
        let mut socket = one.accept().await;
        let head = request(&mut socket).await;
        assert!(head.contains("Authorization: s\r\nX-Key: s\r\n"), "{head}");
        let there = two.url("/there");
        let answer = format!("HTTP/1.1 307 There\r\nLocation: {there}\r\n\r\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
        let mut socket = two.accept().await;
        let head = request(&mut socket).await;
        assert!(!head.contains("Authorization") && !head.contains("X-Key"), "{head}");
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    };
    beside(server, async {
        let asked = Outgoing {
            authorization: Some("s"),
            fields: &[("X-Key", "s")],
            redirects: Redirects::Any,
            ..Outgoing::get(&target)
        };
        assert_eq!(Client::new().fetch(&asked).await.unwrap().status, 200);
    });
}

#[test]
fn a_place_that_does_not_listen_is_named() {
    let upstream = Upstream::new();
    let (target, port) = (upstream.url("/"), upstream.port);
    drop(upstream);
    let fault = smol::block_on(Client::new().fetch(&Outgoing::get(&target))).unwrap_err();
    assert_eq!(fault.to_string(), format!("connect 127.0.0.1:{port}: connection refused"));
    let target = Target::parse("unix:///nowhere/x.sock:/").unwrap();
    let fault = smol::block_on(Client::new().fetch(&Outgoing::get(&target))).unwrap_err();
    assert_eq!(fault.to_string(), "connect x.sock: no such file");
    assert_eq!(format!("{fault:#}"), "connect /nowhere/x.sock: no such file", "for the log");
}

#[test]
fn a_request_that_does_not_fit_is_not_sent() {
    let upstream = Upstream::new();
    let target = upstream.url("/");
    let long = "x".repeat(HEAD);
    let asked = Outgoing { query: &long, ..Outgoing::get(&target) };
    let fault = smol::block_on(Client::new().fetch(&asked)).unwrap_err();
    assert!(matches!(fault, FetchError::Request), "{fault}");
}

#[test]
fn few_idle_connections_are_kept_for_a_place() {
    let upstream = Upstream::new();
    let target = upstream.url("/");
    let client = Client::new();
    smol::block_on(async {
        let place = Place { shared: client.0.clone(), way: Way::of(&Outgoing::get(&target)) };
        for _ in 0..=FETCHES_KEPT {
            place.keep(client.0.connect(target.authority(), Reach(None)).await.unwrap());
        }
        assert_eq!(client.idle(), FETCHES_KEPT);
        client.0.idle.borrow_mut()[0].until = Instant::now();
        assert!(poll_once(client.tend()).await.is_none());
        assert_eq!(client.idle(), FETCHES_KEPT - 1);
    });
}

#[test]
fn a_fetch_takes_little_memory_besides_its_buffer() {
    let target = Target::parse("http://a/").unwrap();
    let client = Client::new();
    let asked = Outgoing::get(&target);
    let size = std::mem::size_of_val(&client.fetch(&asked));
    assert!(size <= 2048, "{size}");
    assert!(std::mem::size_of::<Response>() <= 512, "{}", std::mem::size_of::<Response>());
}

#[test]
fn a_buffer_is_used_again() {
    let upstream = Upstream::new();
    let client = Client::new();
    let place =
        Place { shared: client.0.clone(), way: Way::of(&Outgoing::get(&upstream.url("/"))) };
    for count in [1, FETCH_BUFFERS, FETCH_BUFFERS + 1] {
        let lent: Vec<_> = (0..count).map(|_| HeadBuffer::new(place.clone())).collect();
        drop(lent);
        assert_eq!(client.0.buffers.borrow().len(), count.min(FETCH_BUFFERS));
    }
}

#[test]
fn a_body_is_sent_and_a_stale_connection_replaced() {
    let upstream = Upstream::new();
    let target = upstream.url("/q");
    let bodies = RefCell::new(Vec::new());
    let server = async {
        loop {
            // Each connection carries one exchange and closes without a word.
            let mut socket = upstream.accept().await;
            let head = request(&mut socket).await;
            let mut body = [0; 2];
            socket.read_exact(&mut body).await.unwrap();
            bodies.borrow_mut().push((head, body));
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").await.unwrap();
        }
    };
    beside(server, async {
        let client = Client::new();
        for _ in 0..2 {
            let mut response = client.fetch(&Outgoing::post(&target, b"{}")).await.unwrap();
            assert_eq!(read_all(&mut response).await.unwrap(), b"x");
        }
    });
    for (head, body) in bodies.borrow().iter() {
        assert!(head.starts_with("POST /q HTTP/1.1\r\n"), "{head}");
        assert!(
            head.ends_with("Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"),
            "{head}"
        );
        assert_eq!(body, b"{}");
    }
}

#[test]
fn an_address_out_of_reach_is_neither_connected_nor_used() {
    let upstream = Upstream::new();
    let target = upstream.url("/");
    let server = async {
        let mut socket = upstream.accept().await;
        while !request(&mut socket).await.is_empty() {
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx").await.unwrap();
        }
    };
    beside(server, async {
        let client = Client::new();
        let mut response = client.fetch(&Outgoing::get(&target)).await.unwrap();
        read_all(&mut response).await.unwrap();
        drop(response);
        assert_eq!(client.idle(), 1);
        let never = |_| false;
        let asked = Outgoing { reach: Reach(Some(&never)), ..Outgoing::get(&target) };
        let fault = client.fetch(&asked).await.unwrap_err();
        assert!(matches!(fault, FetchError::OutOfReach(_)), "{fault}");
        assert_eq!(client.idle(), 1);
    });
}
