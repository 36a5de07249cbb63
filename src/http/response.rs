//! The answer to a fetch: what its head said, and its body as it comes in.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use smol::future::poll_once;
use smol::io::{AsyncRead as _, AsyncWriteExt as _};

use crate::http::body::Body;
#[cfg(any(feature = "pipe", feature = "push"))]
use crate::http::chunked;
use crate::http::client::{self, Method, Outgoing};
use crate::http::fault::Fault;
use crate::http::fetch::{FetchError, Place};
use crate::http::fields::{Fields, Framing};
use crate::http::head::ReplyHead;
#[cfg(any(feature = "pipe", feature = "push"))]
use crate::http::outgoing::{Broken, Cut, Produce, put};
use crate::http::scan::Scan;
use crate::http::socket::Socket;
use crate::http::url::Target;
#[cfg(any(feature = "pipe", feature = "push"))]
use crate::limits::REPLY_ROOM;

/// The answer to a fetch. Its bytes go from the socket straight into the caller's buffer; only what
/// arrived together with the head passes through the head's own buffer.
///
/// Dropped behind a whole body, it leaves its connection for the next fetch.
#[derive(Debug)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// Content-Type, unless there is none or it is longer than fits.
    pub content_type: Option<heapless::String<128>>,
    /// Content-Encoding, if there is one.
    pub content_encoding: Option<heapless::String<32>>,
    /// Retry-After, unless there is none or it is longer than fits.
    pub retry_after: Option<heapless::String<32>>,
    /// Bytes of the body, where the head says so.
    pub content_length: Option<u64>,
    body: Body,
    /// Gone when the body broke.
    socket: Option<Socket>,
    /// Gone when nothing of it is left.
    head: Option<HeadBuffer>,
    /// Whether the connection can carry another request.
    keep: bool,
    place: Place,
}

impl Response {
    /// The answer that this head begins, and where it redirects to.
    pub(crate) fn new(
        asked: &Outgoing<'_>,
        link: Link,
        end: usize,
    ) -> Result<(Self, Option<Target>), FetchError> {
        let Link { socket, mut buffer, place } = link;
        let head = buffer.head(end)?;
        let next = client::redirect(asked, &head).map_err(FetchError::Redirect)?;
        let framing = client::reply_framing(asked.method, &head);
        let fields = head.fields();
        let mut response = Self {
            status: head.status(),
            content_type: short(fields, "Content-Type"),
            content_encoding: encoding(fields).map_err(FetchError::Malformed)?,
            retry_after: short(fields, "Retry-After"),
            content_length: match head.stated() {
                Some(Framing::Length(length)) if asked.method == Method::Head => Some(length),
                _ => Body::new(framing).left(),
            },
            body: Body::new(framing),
            socket: Some(socket),
            head: None,
            keep: client::keeps_alive(&head, framing),
            place,
        };
        buffer.start = end;
        response.head = Some(buffer).filter(|buffer| buffer.start < buffer.end);
        Ok((response, next))
    }

    /// Reads some of the body to the front of `out`, which must not be empty; 0 at its end. Bytes
    /// may come in the middle of a line, and there may be fewer than `out` has room for.
    ///
    /// Dropping the future loses nothing: it may be called again.
    ///
    /// # Errors
    ///
    /// [`FetchError::Closed`], [`FetchError::Io`] or [`FetchError::Malformed`]; each further read
    /// gives [`FetchError::Closed`].
    pub async fn read(&mut self, out: &mut [u8]) -> Result<usize, FetchError> {
        let read = self.step(out).await;
        if read.is_err() {
            self.socket = None;
        }
        read
    }

    /// As [`Response::read`], and what is there already behind the bytes that came with the head, so
    /// that a short page is read in one piece.
    ///
    /// # Errors
    ///
    /// As [`Response::read`]; those that come behind good bytes are told by the next read.
    pub async fn read_much(&mut self, out: &mut [u8]) -> Result<usize, FetchError> {
        let had_head = self.head.is_some();
        let read = self.read(out).await?;
        if had_head
            && self.head.is_none()
            && let Some(room @ [_, ..]) = out.get_mut(read..)
            && let Some(Ok(more)) = poll_once(self.read(room)).await
        {
            return Ok(read.saturating_add(more));
        }
        Ok(read)
    }

    /// Whether all of the body was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.body.is_done()
    }

    /// Bytes of the body still to come, where the head has said so.
    #[must_use]
    pub const fn left(&self) -> Option<u64> {
        self.body.left()
    }

    async fn step(&mut self, out: &mut [u8]) -> Result<usize, FetchError> {
        while !self.body.is_done() && !out.is_empty() {
            if self.head.is_some() {
                match self.buffered(out)? {
                    0 => continue,
                    made => return Ok(made),
                }
            }
            let wanted = self.body.wanted(out.len());
            let room = out.get_mut(..wanted).unwrap_or_default();
            let socket = self.socket.as_mut().ok_or(FetchError::Closed)?;
            let len = read(socket, room).await.map_err(FetchError::Io)?;
            if len == 0 {
                return if self.body.close() { Ok(0) } else { Err(FetchError::Closed) };
            }
            let read = room.get_mut(..len).unwrap_or_default();
            let progress = self.body.decode_in_place(read).map_err(FetchError::Malformed)?;
            self.keep &= progress.used == len;
            if progress.made > 0 {
                return Ok(progress.made);
            }
        }
        Ok(0)
    }

    /// Takes what came with the head; 0 if that held no data.
    fn buffered(&mut self, out: &mut [u8]) -> Result<usize, FetchError> {
        let Some(mut buffer) = self.head.take() else { return Ok(0) };
        let unread = buffer.bytes.get(buffer.start..buffer.end).unwrap_or_default();
        let progress = self.body.decode(unread, out).map_err(FetchError::Malformed)?;
        buffer.start = buffer.start.saturating_add(progress.used);
        self.head = Some(buffer).filter(|buffer| buffer.start < buffer.end);
        Ok(progress.made)
    }

    /// The connection carries nothing more.
    #[cfg(any(feature = "pipe", feature = "push"))]
    pub(crate) fn spoil(&mut self) {
        self.keep = false;
    }

    /// Passes over a body that has already arrived, so that its connection can be kept.
    pub(crate) fn skip_arrived(&mut self) {
        let mut scratch = [0; 256];
        while !self.body.is_done() && self.head.is_some() {
            if self.buffered(&mut scratch).is_err() {
                return;
            }
        }
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        let whole = self.body.is_done() && self.head.is_none();
        if let Some(socket) = self.socket.take().filter(|_| whole && self.keep) {
            self.place.keep(socket);
        }
    }
}

/// A connection on which a request was sent or will be.
pub(crate) struct Link {
    pub(crate) socket: Socket,
    pub(crate) buffer: HeadBuffer,
    pub(crate) place: Place,
}

impl Link {
    /// Sends a request and reads up to the end of the answer's head, interim ones passed over.
    pub(crate) async fn exchange(&mut self, request: &Outgoing<'_>) -> Result<usize, FetchError> {
        let len = request.write(&mut self.buffer.bytes).ok_or(FetchError::Request)?;
        let bytes = self.buffer.bytes.get(..len).unwrap_or_default();
        self.socket.write_all(bytes).await.map_err(FetchError::Io)?;
        self.socket.write_all(request.body).await.map_err(FetchError::Io)?;
        self.socket.flush().await.map_err(FetchError::Io)?;
        self.answer().await
    }

    /// Sends a request with a body and reads up to the end of the answer's head. Who refuses a body
    /// may say so and close before all of it has left: then that is the answer.
    #[cfg(any(feature = "pipe", feature = "push"))]
    pub(crate) async fn send<B: Produce>(
        &mut self,
        request: &Outgoing<'_>,
        body: &mut B,
    ) -> Result<Sent, FetchError> {
        let mut bytes = 0;
        let sent = self.send_all(request, body, &mut bytes).await;
        match sent {
            Ok(()) => Ok(Sent { end: self.answer().await?, bytes, whole: true }),
            Err(FetchError::Io(fault)) => match self.answer().await {
                Ok(end) => Ok(Sent { end, bytes, whole: false }),
                Err(_) => Err(FetchError::Io(fault)),
            },
            Err(fault) => Err(fault),
        }
    }

    /// Sends the head and, in chunks made behind it in the same buffer, the body.
    #[cfg(any(feature = "pipe", feature = "push"))]
    async fn send_all<B: Produce>(
        &mut self,
        request: &Outgoing<'_>,
        body: &mut B,
        bytes: &mut usize,
    ) -> Result<(), FetchError> {
        let mut at = request.write(&mut self.buffer.bytes).ok_or(FetchError::Request)?;
        loop {
            let (end, made) = chunk(&mut self.buffer.bytes, at, body).await?;
            let piece = self.buffer.bytes.get(..end).unwrap_or_default();
            self.socket.write_all(piece).await.map_err(FetchError::Io)?;
            if made == Some(0) {
                return self.socket.flush().await.map_err(FetchError::Io);
            }
            *bytes = bytes.saturating_add(made.unwrap_or(0));
            at = 0;
        }
    }

    /// Reads up to the end of the answer's head, interim ones passed over.
    async fn answer(&mut self) -> Result<usize, FetchError> {
        let mut interim = 0usize;
        loop {
            let end = self.read_head().await?;
            let head = self.buffer.head(end)?;
            if !client::is_interim(&head, interim).map_err(FetchError::Malformed)? {
                return Ok(end);
            }
            interim = interim.saturating_add(1);
            self.buffer.start = end;
        }
    }

    async fn read_head(&mut self) -> Result<usize, FetchError> {
        let Self { socket, buffer, .. } = self;
        buffer.compact();
        let mut scan = Scan::new();
        loop {
            let arrived = buffer.bytes.get(..buffer.end).unwrap_or_default();
            if let Some(head) = scan.advance(arrived).map_err(FetchError::Malformed)? {
                buffer.start = head.start;
                return Ok(head.end);
            }
            let room = buffer.bytes.get_mut(buffer.end..).unwrap_or_default();
            if room.is_empty() {
                return Err(FetchError::Malformed(Fault::HeadTooLong));
            }
            let len = read(socket, room).await.map_err(FetchError::Io)?;
            if len == 0 {
                return Err(FetchError::Closed);
            }
            buffer.end = buffer.end.saturating_add(len);
        }
    }

    /// Whether nothing of an answer has come.
    pub(crate) fn is_silent(&self) -> bool {
        self.buffer.end == 0
    }
}

/// What a request with a body has come to.
#[cfg(any(feature = "pipe", feature = "push"))]
pub(crate) struct Sent {
    /// Where the answer's head ends.
    pub(crate) end: usize,
    /// Bytes of the body that have left.
    pub(crate) bytes: usize,
    /// Whether these are all.
    pub(crate) whole: bool,
}

/// Makes the next chunk of `body` behind the `at` bytes that lie in `buf`; tells where it ends and
/// how many bytes of the body are in it: 0 at the end, `None` where there is no room for any yet.
#[cfg(any(feature = "pipe", feature = "push"))]
async fn chunk<B: Produce>(
    buf: &mut [u8],
    at: usize,
    body: &mut B,
) -> Result<(usize, Option<usize>), FetchError> {
    let start = at.saturating_add(chunked::FRONT);
    let most = buf.len().saturating_sub(chunked::BACK).min(start.saturating_add(chunked::LARGEST));
    let room = match buf.get_mut(start..most) {
        Some(room) if room.len() >= REPLY_ROOM => room,
        _ => return Ok((at, None)),
    };
    let made = body.fill(room).await.map_err(|Broken| FetchError::Closed)?;
    let end = start.saturating_add(made);
    if made == 0 {
        return Ok((put(buf, at, chunked::LAST).map_err(|Cut| FetchError::Request)?, Some(0)));
    }
    let line = chunked::size_line(made).ok_or(FetchError::Request)?;
    put(buf, at, &line).map_err(|Cut| FetchError::Request)?;
    let end = put(buf, end, b"\r\n").map_err(|Cut| FetchError::Request)?;
    Ok((end, Some(made)))
}

/// The buffer for requests and heads, lent by the client.
pub(crate) struct HeadBuffer {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    place: Place,
}

impl HeadBuffer {
    pub(crate) fn new(place: Place) -> Self {
        Self { bytes: place.borrow_buffer(), start: 0, end: 0, place }
    }

    fn head(&self, end: usize) -> Result<ReplyHead<'_>, FetchError> {
        let bytes = self.bytes.get(self.start..end).unwrap_or_default();
        ReplyHead::parse(bytes).map_err(FetchError::Malformed)
    }

    fn compact(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
    }
}

impl fmt::Debug for HeadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadBuffer({}..{})", self.start, self.end)
    }
}

impl Drop for HeadBuffer {
    fn drop(&mut self) {
        self.place.return_buffer(std::mem::take(&mut self.bytes));
    }
}

async fn read(socket: &mut Socket, out: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut *socket).poll_read(cx, out)).await
}

/// A field's value, if it is text and fits.
fn short<const N: usize>(fields: &Fields<'_>, name: &str) -> Option<heapless::String<N>> {
    let value = fields.text(name).filter(|value| !value.is_empty())?;
    heapless::String::try_from(value).ok()
}

/// Content-Encoding: one that cannot be told must not be taken for none.
fn encoding(fields: &Fields<'_>) -> Result<Option<heapless::String<32>>, Fault> {
    let mut all = fields.all("Content-Encoding");
    match (all.next(), all.next()) {
        (None, _) | (Some(b""), None) => Ok(None),
        (Some(_), None) => short(fields, "Content-Encoding").map(Some).ok_or(Fault::Encoding),
        (Some(_), Some(_)) => Err(Fault::Encoding),
    }
}
