//! What comes in on a served connection while a request is answered: its body, requests sent ahead,
//! or the end of the connection.
//!
//! The connection's buffer belongs to `drive.rs`; behind the head of the request lies the tail,
//! where all goes that arrives before it is asked for. The body's bytes are read past it, straight
//! into the caller's buffer, whenever its length is known.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use crate::http::alarm::{Alarm, later};
use crate::http::body::Body;
use crate::http::chunked::Progress;
use crate::http::fault::Fault;
use crate::http::fields::Framing;
use crate::http::server::CONTINUE;
use crate::http::socket::Stream;

/// A connection during one request.
pub(crate) struct Link<'a> {
    pub(crate) io: &'a RefCell<dyn Stream + 'a>,
    tail: RefCell<Tail<'a>>,
    /// Whether the body is being read: then nobody else reads.
    reading: Cell<bool>,
    /// Whether the body was read since the watch last looked.
    read: Cell<bool>,
}

/// The buffer behind the head, and what lies unread in it.
struct Tail<'a> {
    buf: &'a mut [u8],
    start: usize,
    end: usize,
}

impl<'a> Link<'a> {
    /// The connection with the buffer behind the head, of which `filled` bytes have arrived.
    pub(crate) fn new(io: &'a RefCell<dyn Stream + 'a>, buf: &'a mut [u8], filled: usize) -> Self {
        let tail = RefCell::new(Tail { buf, start: 0, end: filled });
        Self { io, tail, reading: Cell::new(false), read: Cell::new(false) }
    }

    /// Where in the buffer behind the head the unread bytes lie.
    pub(crate) fn unread(&self) -> std::ops::Range<usize> {
        let tail = self.tail.borrow();
        tail.start..tail.end
    }

    fn is_full(&self) -> bool {
        let tail = self.tail.borrow();
        tail.start < tail.end && tail.end >= tail.buf.len()
    }
}

/// What a body needs of its connection; hides one lifetime of [`Link`].
trait Wire {
    /// Reads past the tail. Only while the tail is empty.
    fn poll_read(&self, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>>;
    /// Reads into the tail, 0 being the end of the connection. Pending if there is no room.
    fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
    /// Takes what the tail holds of the body.
    fn decode(&self, body: &mut Body, out: &mut [u8]) -> Result<Progress, Fault>;
    fn set_reading(&self, reading: bool);
}

impl Wire for Link<'_> {
    fn poll_read(&self, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io.borrow_mut()).poll_read(cx, out)
    }

    fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut tail = self.tail.borrow_mut();
        let Tail { buf, start, end } = &mut *tail;
        if start == end {
            (*start, *end) = (0, 0);
        }
        let room = buf.get_mut(*end..).unwrap_or_default();
        if room.is_empty() {
            return Poll::Pending;
        }
        let len = ready!(Pin::new(&mut *self.io.borrow_mut()).poll_read(cx, room))?;
        *end = end.saturating_add(len);
        Poll::Ready(Ok(len))
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io.borrow_mut()).poll_write(cx, bytes)
    }

    fn decode(&self, body: &mut Body, out: &mut [u8]) -> Result<Progress, Fault> {
        let mut tail = self.tail.borrow_mut();
        let unread = tail.buf.get(tail.start..tail.end).unwrap_or_default();
        let progress = body.decode(unread, out)?;
        tail.start = tail.start.saturating_add(progress.used);
        Ok(progress)
    }

    fn set_reading(&self, reading: bool) {
        self.reading.set(reading);
        self.read.set(true);
    }
}

/// Why a request's body ends early. The connection closes behind the answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyError {
    /// The client has gone.
    Closed,
    /// The connection broke.
    Io(io::Error),
    /// Its chunks are malformed.
    Malformed(Fault),
    /// It did not arrive within this time.
    Timeout(Duration),
}

impl BodyError {
    /// The status with which to answer, where there is still somebody to answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Timeout(_) => 408,
            _ => 400,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection closed within the body"),
            Self::Io(fault) => write!(f, "the connection broke within the body: {fault}"),
            Self::Malformed(fault) => fault.fmt(f),
            Self::Timeout(limit) => write!(f, "no whole body within {limit:?}"),
        }
    }
}

impl std::error::Error for BodyError {}

/// The body of a request, read by whoever answers it.
///
/// Where the client waits for `100 Continue`, the first read sends it. A body that is not read is
/// passed over if it is small, else the connection closes behind the answer.
pub struct RequestBody<'a> {
    wire: Option<&'a dyn Wire>,
    body: Body,
    /// What is still to be sent of `100 Continue`.
    greeting: &'static [u8],
    limit: Duration,
    deadline: Option<Instant>,
    alarm: Alarm,
    broken: bool,
}

impl<'a> RequestBody<'a> {
    /// The body that the head before `link` announces.
    pub(crate) fn new(
        link: &'a Link<'a>,
        framing: Framing,
        expected: bool,
        limit: Duration,
    ) -> Self {
        Self {
            wire: Some(link),
            body: Body::new(framing),
            greeting: if expected { CONTINUE } else { b"" },
            limit,
            ..RequestBody::empty()
        }
    }

    /// A body of no bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            wire: None,
            body: Body::new(Framing::None),
            greeting: b"",
            limit: Duration::ZERO,
            deadline: None,
            alarm: Alarm::new(),
            broken: false,
        }
    }

    /// Bytes still to come, where the client has said so: judge it before the first read.
    #[must_use]
    pub const fn left(&self) -> Option<u64> {
        self.body.left()
    }

    /// Whether all of it has been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.body.is_done()
    }

    /// Whether the rest can be read and dropped for less than a new connection costs.
    pub(crate) fn is_discardable(&self) -> bool {
        let limit = u64::try_from(crate::limits::DISCARD).unwrap_or(u64::MAX);
        let small = self.body.left().is_some_and(|left| left <= limit);
        self.is_done() || (small && self.greeting.is_empty() && !self.broken)
    }

    /// Reads some of the body to the front of `out`; 0 at its end. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// [`BodyError`]; each further read gives [`BodyError::Closed`].
    pub async fn read(&mut self, out: &mut [u8]) -> Result<usize, BodyError> {
        let Some(wire) = self.wire.filter(|_| !self.is_done() && !out.is_empty()) else {
            return Ok(0);
        };
        if self.broken {
            return Err(BodyError::Closed);
        }
        let limit = self.limit;
        let at = *self.deadline.get_or_insert_with(|| later(Instant::now(), limit));
        let _reading = Reading::begin(wire);
        let read = poll_fn(|cx| {
            if let Poll::Ready(read) = self.poll_read(wire, cx, out) {
                return Poll::Ready(read);
            }
            self.alarm.poll(cx, at).map(|()| Err(BodyError::Timeout(limit)))
        });
        let read = read.await;
        self.broken = read.is_err();
        read
    }

    fn poll_read(
        &mut self,
        wire: &dyn Wire,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<Result<usize, BodyError>> {
        while !self.greeting.is_empty() {
            let sent = ready!(wire.poll_write(cx, self.greeting)).map_err(BodyError::Io)?;
            self.greeting = self.greeting.get(sent.max(1)..).unwrap_or_default();
        }
        loop {
            let progress = wire.decode(&mut self.body, out).map_err(BodyError::Malformed)?;
            if progress.made > 0 || self.body.is_done() {
                return Poll::Ready(Ok(progress.made));
            }
            let len = if self.body.left().is_some() {
                let wanted = self.body.wanted(out.len());
                let room = out.get_mut(..wanted).unwrap_or_default();
                let len = ready!(wire.poll_read(cx, room)).map_err(BodyError::Io)?;
                let read = room.get_mut(..len).unwrap_or_default();
                self.body.decode_in_place(read).map_err(BodyError::Malformed)?;
                if len > 0 {
                    return Poll::Ready(Ok(len));
                }
                len
            } else {
                ready!(wire.poll_fill(cx)).map_err(BodyError::Io)?
            };
            if len == 0 {
                return Poll::Ready(Err(BodyError::Closed));
            }
        }
    }
}

/// Marks that the body is being read, until dropped.
struct Reading<'a>(&'a dyn Wire);

impl<'a> Reading<'a> {
    fn begin(wire: &'a dyn Wire) -> Self {
        wire.set_reading(true);
        Self(wire)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set_reading(false);
    }
}

/// Looks whether the client is still there, only when its socket has something to say.
///
/// All reads of a connection but those of bodies wait with the bell's waker: to replace one waker
/// with another would wake the task for nothing. While the bell is silent, the socket will ring it.
#[derive(Default)]
pub(crate) struct Watch {
    bell: Option<(Arc<Bell>, Waker)>,
}

/// Wakes the connection's task, and tells that it was the socket that did.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Watch {
    /// The bell of the task that `cx` wakes; a new one has rung.
    fn bell(&mut self, cx: &Context<'_>) -> &(Arc<Bell>, Waker) {
        let known = self.bell.take().filter(|(bell, _)| bell.task.will_wake(cx.waker()));
        self.bell.insert(known.unwrap_or_else(|| {
            let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: cx.waker().clone() });
            (bell.clone(), Waker::from(bell))
        }))
    }

    /// Reads from the socket so that it rings the bell.
    pub(crate) fn poll_read(
        &mut self,
        io: &RefCell<dyn Stream + '_>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let (bell, waker) = self.bell(cx);
        bell.rung.store(false, Ordering::Release);
        let mut cx = Context::from_waker(waker);
        let read = Pin::new(&mut *io.borrow_mut()).poll_read(&mut cx, out);
        if read.is_ready() {
            bell.rung.store(true, Ordering::Release);
        }
        read
    }

    /// Runs `work`; `None` if the client goes away before it is done. What the client sends
    /// meanwhile is kept in the tail, and left in the socket once that is full.
    pub(crate) async fn over<F: Future>(
        &mut self,
        link: &Link<'_>,
        mut work: Pin<&mut F>,
    ) -> Option<F::Output> {
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_gone(link, cx).map(|()| None),
        })
        .await
    }

    fn poll_gone(&mut self, link: &Link<'_>, cx: &mut Context<'_>) -> Poll<()> {
        if link.reading.get() {
            return Poll::Pending;
        }
        let (bell, waker) = self.bell(cx);
        if !bell.rung.swap(false, Ordering::AcqRel) && !link.read.take() {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(waker);
        loop {
            if link.is_full() {
                bell.rung.store(true, Ordering::Release);
                return Poll::Pending;
            }
            match ready!(link.poll_fill(&mut cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
    }
}
