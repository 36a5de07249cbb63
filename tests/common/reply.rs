//! A small, strict reader of HTTP/1.1 replies. What it cannot take word for word is a fault of the
//! program under test, so it forgives nothing that a scraper might stumble over.

use std::io::BufRead;

/// Bytes of one line of a head or of chunk framing.
const LINE: usize = 16 * 1024;

/// One reply, its body decoded.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without its framing; empty for one in a content coding.
    pub body: String,
    /// The same as it came.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The value of a field, whose name is given in lower case. More than one of it is a fault.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(field, _)| field == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice: {:?}", self.headers);
        first
    }

    /// Whether the connection ends with this reply.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads one reply. `bodiless` for the reply to a HEAD.
///
/// # Errors
///
/// A sentence on what is wrong with it, or at which point it ended.
pub fn read(wire: &mut impl BufRead, bodiless: bool) -> Result<Reply, String> {
    let status = read_status(&line(wire)?)?;
    let mut headers = Vec::new();
    loop {
        let text = line(wire)?;
        if text.is_empty() {
            break;
        }
        headers.push(read_field(&text)?);
    }
    let mut reply = Reply { status, headers, body: String::new(), bytes: Vec::new() };
    if !bodiless && !(100..200).contains(&status) && status != 204 && status != 304 {
        reply.bytes = read_body(wire, &reply)?;
        if reply.header("content-encoding").is_none() {
            let body = String::from_utf8(reply.bytes.clone());
            reply.body = body.map_err(|fault| format!("body: {fault}"))?;
        }
    }
    Ok(reply)
}

fn read_status(text: &str) -> Result<u16, String> {
    let fault = || format!("status line {text:?}");
    let rest = text.strip_prefix("HTTP/1.1 ").ok_or_else(fault)?;
    let (code, _reason) = rest.split_once(' ').ok_or_else(fault)?;
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault());
    }
    code.parse().map_err(|_| fault())
}

fn read_field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("header line {text:?}"))?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) || value.bytes().any(|byte| byte < b' ') {
        return Err(format!("header line {text:?}"));
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn read_body(wire: &mut impl BufRead, reply: &Reply) -> Result<Vec<u8>, String> {
    match (reply.header("content-length"), reply.header("transfer-encoding")) {
        (Some(_), Some(_)) => Err("both content-length and transfer-encoding".to_owned()),
        (Some(length), None) => {
            let length = length.parse().map_err(|_| format!("content-length {length:?}"))?;
            exactly(wire, length)
        }
        (None, Some("chunked")) => read_chunks(wire),
        (None, Some(other)) => Err(format!("transfer-encoding {other:?}")),
        (None, None) if reply.closes() => {
            let mut body = Vec::new();
            wire.read_to_end(&mut body).map_err(|fault| format!("body: {fault}"))?;
            Ok(body)
        }
        (None, None) => Err("a body without a length on a kept connection".to_owned()),
    }
}

fn read_chunks(wire: &mut impl BufRead) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let text = line(wire)?;
        let size = usize::from_str_radix(&text, 16).map_err(|_| format!("chunk size {text:?}"))?;
        body.append(&mut exactly(wire, size)?);
        let end = line(wire)?;
        if !end.is_empty() {
            return Err(format!("{end:?} after a chunk of {size} bytes"));
        }
        if size == 0 {
            return Ok(body);
        }
    }
}

fn exactly(wire: &mut impl BufRead, length: usize) -> Result<Vec<u8>, String> {
    let mut body = vec![0; length];
    wire.read_exact(&mut body).map_err(|fault| format!("{length} bytes of body: {fault}"))?;
    Ok(body)
}

/// One line without its CRLF.
fn line(wire: &mut impl BufRead) -> Result<String, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LINE).unwrap();
    std::io::Read::take(&mut *wire, limit)
        .read_until(b'\n', &mut bytes)
        .map_err(|fault| format!("head: {fault}"))?;
    let Some(text) = bytes.strip_suffix(b"\r\n") else {
        return Err(format!("a line that ends at {:?}", String::from_utf8_lossy(&bytes)));
    };
    let text = String::from_utf8(text.to_vec()).map_err(|fault| format!("head: {fault}"))?;
    if text.contains(['\r', '\n']) { Err(format!("bare line end in {text:?}")) } else { Ok(text) }
}
