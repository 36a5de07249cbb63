//! What goes out on a served connection: a reply's head, its bytes as they are made, and how fast
//! the client must take them.
//!
//! One buffer, the service's, holds head, framing and data, so that a small page is one write. A
//! body that lies in memory already is not copied there: head and pieces leave together.

use std::fmt::{self, Write as _};
use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use crate::http::alarm::{Alarm, later};
use crate::http::chunked;
use crate::http::fields::Framing;
use crate::http::incoming::{Link, Watch};
use crate::http::table::{ConnectionHandle, ServerLimits};
use crate::limits::{REPLY_FIELDS, REPLY_PIECES, REPLY_ROOM};

/// A body cannot go on; the connection is cut, so that the client does not take it for whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body ended early")
    }
}

impl std::error::Error for Broken {}

/// What leaves in one write.
pub type Pieces<'a> = heapless::Vec<IoSlice<'a>, REPLY_PIECES>;

/// Where the bytes of a reply come from.
///
/// Either all of it lies [`ready`](Produce::ready), and its size is known, or it is made by and by
/// ([`fill`](Produce::fill)).
pub trait Produce {
    /// Adds what lies ready to `pieces`, as far as there is room; nothing for a body that is made.
    fn ready<'a>(&'a self, _pieces: &mut Pieces<'a>) {}

    /// Counts the first `len` bytes of what lies ready as sent.
    fn consume(&mut self, _len: usize) {}

    /// Whether the next bytes may be long in coming, so that those there are leave at once.
    fn is_live(&self) -> bool {
        false
    }

    /// Writes the next bytes of the body to the front of `out`, which has room for at least
    /// [`REPLY_ROOM`] less 16 bytes unless the service's buffer is smaller; 0 at the end.
    ///
    /// # Errors
    ///
    /// [`Broken`] cuts the connection.
    fn fill(&mut self, out: &mut [u8]) -> impl Future<Output = Result<usize, Broken>>;

    /// Bytes still to come, where known. It must be right: a body of another length is cut.
    fn size_hint(&self) -> Option<usize>;
}

impl Produce for &[u8] {
    fn ready<'a>(&'a self, pieces: &mut Pieces<'a>) {
        // There is room: it is the first piece of the body.
        let _ = pieces.push(IoSlice::new(self));
    }

    fn consume(&mut self, len: usize) {
        *self = self.get(len..).unwrap_or_default();
    }

    async fn fill(&mut self, _: &mut [u8]) -> Result<usize, Broken> {
        Ok(0)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len())
    }
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub struct Reply<B> {
    /// 200 to 599.
    pub status: u16,
    /// Asked for bytes until its end; of a HEAD request only for its size.
    pub body: B,
    /// Whether the connection closes behind it.
    pub close: bool,
    /// Further fields, each line ended by CRLF, as the server's other replies have them.
    pub shared: Option<Rc<str>>,
    content_type: &'static str,
    fields: heapless::String<REPLY_FIELDS>,
}

/// A field that no reply can carry: no room left for it, or a byte in it that ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadField(&'static str);

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {} is too long or holds a control byte", self.0)
    }
}

impl std::error::Error for BadField {}

impl<B> Reply<B> {
    /// A reply with this Content-Type; empty for none.
    #[must_use]
    pub const fn new(status: u16, content_type: &'static str, body: B) -> Self {
        Self {
            status,
            body,
            close: false,
            shared: None,
            content_type,
            fields: heapless::String::new(),
        }
    }

    /// Adds a field. `Content-Type` takes the place of the one given to [`Reply::new`].
    ///
    /// # Errors
    ///
    /// [`BadField`]; the reply is as before then.
    pub fn set(&mut self, name: &'static str, value: impl fmt::Display) -> Result<(), BadField> {
        let before = self.fields.len();
        let written = write!(self.fields, "{name}: {value}\r\n");
        let line = self.fields.get(before..).unwrap_or_default();
        let body = line.strip_suffix("\r\n").unwrap_or("\n");
        if written.is_err() || body.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            self.fields.truncate(before);
            return Err(BadField(name));
        }
        if name.eq_ignore_ascii_case("Content-Type") {
            self.content_type = "";
        }
        Ok(())
    }

    /// Content-Type as given to [`Reply::new`].
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The other fields, each line ended by CRLF.
    #[must_use]
    pub fn fields(&self) -> &str {
        &self.fields
    }
}

/// The connection has to be cut: the client does not take its answer, or there is no more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut;

/// How fast a reply is taken.
#[derive(Debug, Default)]
struct Pace {
    /// Time spent waiting for the client.
    waited: Duration,
    taken: usize,
}

impl Pace {
    /// How long the client may go on taking nothing.
    fn patience(&self, limits: &ServerLimits) -> Duration {
        let rate = u64::try_from(limits.take_rate.max(1)).unwrap_or(u64::MAX);
        let taken = u64::try_from(self.taken).unwrap_or(u64::MAX);
        let millis = taken.saturating_mul(1000).checked_div(rate).unwrap_or(0);
        let earned = limits.write.saturating_add(Duration::from_millis(millis));
        earned.saturating_sub(self.waited).min(limits.write)
    }
}

/// Sends one reply.
pub(crate) struct Sender<'a> {
    pub(crate) link: &'a Link<'a>,
    pub(crate) handle: &'a ConnectionHandle,
    pub(crate) alarm: &'a mut Alarm,
    pub(crate) watch: &'a mut Watch,
    pub(crate) limits: ServerLimits,
    pace: Pace,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(
        link: &'a Link<'a>,
        handle: &'a ConnectionHandle,
        alarm: &'a mut Alarm,
        watch: &'a mut Watch,
    ) -> Self {
        Self { link, handle, alarm, watch, limits: handle.limits(), pace: Pace::default() }
    }

    /// Sends all of `bytes`, at the pace the limits ask for.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Cut> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = self.write(&[IoSlice::new(rest)]).await?;
            rest = rest.get(len..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends as much of `pieces`, which are not empty, as the client takes at once, and waits until
    /// it takes something. Returns how much that was.
    async fn write(&mut self, pieces: &[IoSlice<'_>]) -> Result<usize, Cut> {
        let mut waiting: Option<Instant> = None;
        let written = poll_fn(|cx| {
            match Pin::new(&mut *self.link.io.borrow_mut()).poll_write_vectored(cx, pieces) {
                Poll::Ready(Ok(len @ 1..)) => Poll::Ready(Ok(len)),
                Poll::Ready(_) => Poll::Ready(Err(Cut)),
                Poll::Pending => {
                    let since = *waiting.get_or_insert_with(Instant::now);
                    let at = later(since, self.pace.patience(&self.limits));
                    ready!(self.alarm.poll(cx, at));
                    Poll::Ready(Err(Cut))
                }
            }
        });
        let len = written.await?;
        self.pace.taken = self.pace.taken.saturating_add(len);
        self.handle.take(len);
        if let Some(since) = waiting {
            self.pace.waited = self.pace.waited.saturating_add(since.elapsed());
        }
        Ok(len)
    }

    /// Sends the head, which lies at the front of `buf`, and the body behind it.
    pub(crate) async fn reply<B: Produce>(
        &mut self,
        body: &mut B,
        framing: Framing,
        buf: &mut [u8],
        head: usize,
    ) -> Result<(), Cut> {
        match framing {
            Framing::None | Framing::Length(0) => self.send(buf.get(..head).ok_or(Cut)?).await,
            Framing::Length(left)
                if self.ready(body, left, buf.get(..head).ok_or(Cut)?).await? =>
            {
                Ok(())
            }
            Framing::Length(left) => self.sized(body, left, buf, head).await,
            Framing::Chunked => self.chunks(body, buf, head).await,
            Framing::Close => self.plain(body, buf, head).await,
        }?;
        self.flush().await
    }

    /// Waits until the client has taken what TLS may hold back.
    async fn flush(&mut self) -> Result<(), Cut> {
        let mut waiting: Option<Instant> = None;
        poll_fn(|cx| match Pin::new(&mut *self.link.io.borrow_mut()).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|_| Cut)),
            Poll::Pending => {
                let since = *waiting.get_or_insert_with(Instant::now);
                let at = later(since, self.pace.patience(&self.limits));
                ready!(self.alarm.poll(cx, at));
                Poll::Ready(Err(Cut))
            }
        })
        .await
    }

    /// Sends the head and a body of `left` bytes that lies ready; false if it does not.
    async fn ready<B: Produce>(
        &mut self,
        body: &mut B,
        mut left: u64,
        mut head: &[u8],
    ) -> Result<bool, Cut> {
        loop {
            let written = {
                let mut pieces = Pieces::new();
                let _ = pieces.push(IoSlice::new(head));
                body.ready(&mut pieces);
                if pieces.len() == 1 {
                    // Where the head has left, the body is shorter than it was said to be.
                    return if head.is_empty() { Err(Cut) } else { Ok(false) };
                }
                self.write(&pieces).await?
            };
            let of_head = written.min(head.len());
            head = head.get(of_head..).unwrap_or_default();
            let of_body = written.saturating_sub(of_head);
            body.consume(of_body);
            left = left.checked_sub(u64::try_from(of_body).map_err(|_| Cut)?).ok_or(Cut)?;
            if left == 0 {
                return Ok(true);
            }
        }
    }

    async fn sized<B: Produce>(
        &mut self,
        body: &mut B,
        mut left: u64,
        buf: &mut [u8],
        head: usize,
    ) -> Result<(), Cut> {
        let mut at = head;
        while left > 0 {
            let (end, _) = self.fill(body, buf.get_mut(at..).ok_or(Cut)?, Some(left)).await?;
            left = left.checked_sub(u64::try_from(end).map_err(|_| Cut)?).ok_or(Cut)?;
            if end == 0 {
                return Err(Cut);
            }
            self.send(buf.get(..at.saturating_add(end)).ok_or(Cut)?).await?;
            at = 0;
        }
        Ok(())
    }

    async fn plain<B: Produce>(
        &mut self,
        body: &mut B,
        buf: &mut [u8],
        head: usize,
    ) -> Result<(), Cut> {
        let mut at = head;
        loop {
            let (end, last) = self.fill(body, buf.get_mut(at..).ok_or(Cut)?, None).await?;
            self.send(buf.get(..at.saturating_add(end)).ok_or(Cut)?).await?;
            at = 0;
            if last {
                return Ok(());
            }
        }
    }

    async fn chunks<B: Produce>(
        &mut self,
        body: &mut B,
        buf: &mut [u8],
        head: usize,
    ) -> Result<(), Cut> {
        const BEHIND: usize = chunked::BACK + chunked::LAST.len();
        let mut at = head;
        loop {
            let from = at.saturating_add(chunked::FRONT);
            let to = buf.len().saturating_sub(BEHIND).min(from.saturating_add(chunked::LARGEST));
            let room = buf.get_mut(from..to).ok_or(Cut)?;
            let (len, last) = self.fill(body, room, None).await?;
            let mut end = at;
            if len > 0 {
                put(buf, at, &chunked::size_line(len).ok_or(Cut)?)?;
                end = put(buf, from.saturating_add(len), b"\r\n")?;
            }
            if last {
                end = put(buf, end, chunked::LAST)?;
            }
            self.send(buf.get(..end).ok_or(Cut)?).await?;
            at = 0;
            if last {
                return Ok(());
            }
        }
    }

    /// Fills `out` until little room is left or the body ends, while the client is there. Tells how
    /// many bytes and whether the end was seen; with a known size it is not looked for.
    async fn fill<B: Produce>(
        &mut self,
        body: &mut B,
        out: &mut [u8],
        size: Option<u64>,
    ) -> Result<(usize, bool), Cut> {
        let wanted = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        let filling = pin!(async {
            let mut len = 0usize;
            while len < wanted {
                let room = out.get_mut(len..).unwrap_or_default();
                if room.is_empty() || (len > 0 && room.len() < REPLY_ROOM) {
                    break;
                }
                let more = body.fill(room).await.map_err(|Broken| Cut)?;
                if more == 0 {
                    return Ok((len, true));
                }
                len = len.saturating_add(more);
                if body.is_live() {
                    break;
                }
            }
            Ok((len, false))
        });
        self.watch.over(self.link, filling).await.unwrap_or(Err(Cut))
    }
}

/// Copies `bytes` to `at` and returns where they end.
pub(crate) fn put(buf: &mut [u8], at: usize, bytes: &[u8]) -> Result<usize, Cut> {
    let end = at.saturating_add(bytes.len());
    buf.get_mut(at..end).ok_or(Cut)?.copy_from_slice(bytes);
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_set_whole_or_not() {
        let mut reply = Reply::new(200, "text/plain", &b""[..]);
        assert_eq!(reply.set("Age", 7), Ok(()));
        assert_eq!(reply.set("Location", "/a\r\nX: b"), Err(BadField("Location")));
        assert_eq!(reply.set("X-Long", "x".repeat(REPLY_FIELDS)), Err(BadField("X-Long")));
        assert_eq!((reply.fields(), reply.content_type()), ("Age: 7\r\n", "text/plain"));
        assert_eq!(reply.set("Content-Type", "a/b"), Ok(()));
        assert_eq!(reply.fields(), "Age: 7\r\nContent-Type: a/b\r\n");
        assert_eq!(reply.content_type(), "");
    }

    #[test]
    fn patience_ends_with_the_stall_or_the_pace() {
        let limits = ServerLimits {
            write: Duration::from_secs(30),
            take_rate: 1000,
            ..ServerLimits::default()
        };
        let cases = [(0, 0, 30_000), (0, 10, 20_000), (5000, 10, 25_000), (90_000, 10, 30_000)];
        for (taken, waited, want) in cases {
            let pace = Pace { waited: Duration::from_secs(waited), taken };
            let want = Duration::from_millis(want);
            assert_eq!(pace.patience(&limits), want, "{taken} bytes in {waited} s");
        }
        let late = Pace { waited: Duration::from_secs(31), taken: 0 };
        assert_eq!(late.patience(&limits), Duration::ZERO);
    }
}
