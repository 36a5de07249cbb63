//! Applications that bring their pages to a push source.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use super::LIMIT;
use super::reply::Reply;
use super::wire::Connection;

/// Sends these bytes to `tcp://HOST:PORT` or `unix:///PATH`, and waits until the other end closes;
/// what it says meanwhile.
pub fn push_to(address: &str, bytes: &[u8]) -> String {
    let mut answer = Vec::new();
    // What is refused may be closed before all of it is sent or read.
    if let Some(path) = address.strip_prefix("unix://") {
        let mut connection = UnixStream::connect(path).unwrap();
        connection.set_read_timeout(Some(LIMIT)).unwrap();
        let _ = connection.write_all(bytes);
        let _ = connection.shutdown(Shutdown::Write);
        let _ = connection.read_to_end(&mut answer);
    } else {
        let mut connection = TcpStream::connect(address.trim_start_matches("tcp://")).unwrap();
        connection.set_read_timeout(Some(LIMIT)).unwrap();
        let _ = connection.write_all(bytes);
        let _ = connection.shutdown(Shutdown::Write);
        let _ = connection.read_to_end(&mut answer);
    }
    String::from_utf8(answer).unwrap()
}

/// Sends an HTTP request with a body on a connection of its own.
pub fn request(address: &str, method: &str, path: &str, fields: &str, body: &[u8]) -> Reply {
    let mut connection = Connection::open(address);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n",
        body.len()
    );
    connection.send(&[head.as_bytes(), body].concat());
    connection.reply()
}
