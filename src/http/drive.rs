//! One served connection, from its first byte to its last.
//!
//! ```text
//!    new --first byte--> head --whole--> answer --reply--> writing --kept--> idle
//!                         |                |                 |
//!                         +-- refused -----+-- client gone --+-- not taken --> closed
//! ```
//!
//! The connection owns one buffer, boxed once: heads and what follows them. The reply's buffer is
//! the service's. One timer serves all limits.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use crate::http::alarm::{Alarm, later};
use crate::http::fault::Fault;
use crate::http::fields::{Framing, Version};
use crate::http::head::RequestHead;
use crate::http::incoming::{Link, RequestBody, Watch};
use crate::http::outgoing::{Cut, Produce, Reply, Sender};
use crate::http::scan::Scan;
use crate::http::server::{self, HeadLines};
use crate::http::socket::{Peer, Socket, Stream};
use crate::http::table::{ConnectionHandle, Phase};
use crate::limits::{BEHIND_HEAD, DISCARD, HEAD, LINGER};

/// A request without its body, and who sent it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Line and fields.
    pub head: RequestHead<'a>,
    /// Who sent it.
    pub peer: Peer,
}

/// Answers requests.
pub trait Service {
    /// Where the bytes of its replies come from.
    type Body: Produce;
    /// What a reply is written from: a block, usually.
    type Buffer: AsMut<[u8]>;

    /// Everything up to the first byte of the reply. Dropped when the client goes away, which is
    /// noticed while this waits. HEAD is answered like GET: the body is left out behind it.
    fn answer(
        &self,
        request: &Request<'_>,
        body: &mut RequestBody<'_>,
    ) -> impl Future<Output = Reply<Self::Body>>;

    /// A buffer to write this reply from, of 2 KiB at least. Dropped as `answer` is.
    fn buffer(&self, reply: &Reply<Self::Body>) -> impl Future<Output = Self::Buffer>;

    /// Agrees with a new peer on how its connection is spoken; `None` if there is nothing to speak
    /// of. The peer may not have been asked for: [`admits`](Service::admits) comes later.
    fn greet(
        &self,
        socket: Socket,
        _handle: &ConnectionHandle,
    ) -> impl Future<Output = Option<Socket>> {
        std::future::ready(Some(socket))
    }

    /// Whether this peer may come. Asked before anything of it is read, and for each request.
    fn admits(&self, _peer: Peer) -> bool {
        true
    }

    /// A request was refused before it got here.
    fn refused(&self, _peer: Peer, _fault: Fault) {}

    /// A reply was sent (`whole`) or cut.
    fn sent(&self, _peer: Peer, _status: u16, _whole: bool) {}
}

/// Serves one connection until it closes.
pub async fn serve<S: Stream, V: Service>(stream: S, handle: &ConnectionHandle, service: &V) {
    let io = RefCell::new(stream);
    let mut connection = Connection {
        io: &io,
        handle,
        buf: vec![0; HEAD.saturating_add(BEHIND_HEAD)].into_boxed_slice(),
        filled: 0,
        used: false,
        alarm: Alarm::new(),
        watch: Watch::default(),
    };
    handle.until_ended(pin!(connection.run(service))).await;
}

struct Connection<'a> {
    io: &'a RefCell<dyn Stream + 'a>,
    handle: &'a ConnectionHandle,
    buf: Box<[u8]>,
    /// Bytes of `buf` that have arrived and not been dealt with.
    filled: usize,
    /// Whether a request came before.
    used: bool,
    alarm: Alarm,
    watch: Watch,
}

/// How a connection goes on.
enum Next {
    /// With the next request.
    Keep,
    /// It closes behind its answer.
    Close,
    /// The client has gone, or must not take what it got for an answer.
    Drop,
    /// It is refused, and closes.
    Refuse(Fault),
}

impl Connection<'_> {
    async fn run<V: Service>(&mut self, service: &V) {
        if !service.admits(self.handle.peer()) {
            return self.turn_away(service).await;
        }
        loop {
            let next = match self.head().await {
                Ok(Some(_)) if !service.admits(self.handle.peer()) => {
                    Next::Refuse(Fault::NotAllowed)
                }
                Ok(Some(head)) => self.exchange(head, service).await,
                Ok(None) => return,
                Err(fault) => Next::Refuse(fault),
            };
            match next {
                Next::Keep => {}
                Next::Drop => return,
                Next::Close => return self.linger().await,
                Next::Refuse(fault) => return self.refuse_and_linger(fault, service).await,
            }
        }
    }

    /// Refuses a peer of which nothing is to be known. Its first bytes are waited for, if not for
    /// long, since some clients take an answer that comes before they have asked for a mistake;
    /// meanwhile it gives way to whoever else wants to connect.
    async fn turn_away<V: Service>(&mut self, service: &V) {
        let now = Instant::now();
        self.handle.enter(Phase::Idle, now);
        match self.read(later(now, LINGER), true).await {
            Some(Ok(1..)) | None => self.refuse_and_linger(Fault::NotAllowed, service).await,
            Some(_) => {}
        }
    }

    async fn refuse_and_linger<V: Service>(&mut self, fault: Fault, service: &V) {
        service.refused(self.handle.peer(), fault);
        self.refuse(fault).await;
        self.linger().await;
    }

    /// Waits for a whole head; `None` if none comes.
    async fn head(&mut self) -> Result<Option<Range<usize>>, Fault> {
        let limits = self.handle.limits();
        let mut since = Instant::now();
        let mut scan = Scan::new();
        let (phase, wait) = match (self.filled, self.used) {
            (0, false) => (Phase::New, limits.header.min(limits.idle)),
            (0, true) => (Phase::Idle, limits.idle),
            _ => (Phase::Head, limits.header),
        };
        self.handle.enter(phase, since);
        loop {
            let arrived = self.buf.get(..self.filled).unwrap_or_default();
            if let Some(head) = scan.advance(arrived)? {
                return if head.len() > HEAD { Err(Fault::HeadTooLong) } else { Ok(Some(head)) };
            }
            if self.filled >= HEAD {
                return Err(Fault::HeadTooLong);
            }
            let idle = self.filled == 0;
            let at = later(since, if idle { wait } else { limits.header });
            match self.read(at, idle).await {
                Some(Ok(len @ 1..)) => self.filled = self.filled.saturating_add(len),
                Some(_) => return Ok(None),
                None if idle => return Ok(None),
                None => return Err(Fault::HeadTimeout),
            }
            if idle {
                since = Instant::now();
                self.handle.enter(Phase::Head, since);
            }
        }
    }

    /// Reads behind what has arrived; `None` if nothing comes until `at`. An idle connection that
    /// is asked to end sees its end, behind a request that has arrived already.
    async fn read(&mut self, at: Instant, idle: bool) -> Option<io::Result<usize>> {
        let room = self.buf.get_mut(self.filled..).unwrap_or_default();
        let (io, handle, watch) = (self.io, self.handle, &mut self.watch);
        let reading = poll_fn(|cx| match watch.poll_read(io, cx, room) {
            Poll::Pending if idle && handle.is_draining() => Poll::Ready(Ok(0)),
            read => read,
        });
        self.alarm.limit(at, reading).await
    }

    /// Answers the request whose head lies in the buffer, and moves to the front what is behind it.
    async fn exchange<V: Service>(&mut self, head: Range<usize>, service: &V) -> Next {
        let Some((before, behind)) = self.buf.split_at_mut_checked(head.end) else {
            return Next::Drop;
        };
        let request = match RequestHead::parse(before.get(head.start..).unwrap_or_default()) {
            Ok(head) => Request { head, peer: self.handle.peer() },
            Err(fault) => return Next::Refuse(fault),
        };
        let link = Link::new(self.io, behind, self.filled.saturating_sub(head.end));
        let mut sender = Sender::new(&link, self.handle, &mut self.alarm, &mut self.watch);
        let next = answer(&mut sender, &request, service).await;
        let unread = link.unread();
        self.used = true;
        let offset = |at: usize| head.end.saturating_add(at);
        self.filled = unread.len();
        self.buf.copy_within(offset(unread.start)..offset(unread.end), 0);
        next
    }

    /// Tells the client why it is refused. Its own buffer is used: refusals cost no memory.
    async fn refuse(&mut self, fault: Fault) {
        let Some((text, spare)) = self.buf.split_at_mut_checked(HEAD) else { return };
        let Some(len) = refusal(fault, text) else { return };
        self.handle.enter(Phase::Writing, Instant::now());
        let link = Link::new(self.io, spare, 0);
        let mut sender = Sender::new(&link, self.handle, &mut self.alarm, &mut self.watch);
        let _gone = sender.send(text.get(..len).unwrap_or_default()).await;
    }

    /// Tells the client that nothing more comes, and lets it finish for a while: closing a socket
    /// with bytes unread resets the connection, and the client may lose its answer.
    async fn linger(&mut self) {
        self.handle.finish();
        let at = later(Instant::now(), LINGER);
        let io = self.io;
        let (buf, mut left) = (&mut self.buf, DISCARD);
        let finishing = async {
            if poll_fn(|cx| Pin::new(&mut *io.borrow_mut()).poll_close(cx)).await.is_err() {
                return;
            }
            while left > 0 {
                match poll_fn(|cx| Pin::new(&mut *io.borrow_mut()).poll_read(cx, buf)).await {
                    Ok(len @ 1..) => left = left.saturating_sub(len),
                    _ => return,
                }
            }
        };
        self.alarm.limit(at, finishing).await;
    }
}

/// Has the request answered and the answer sent.
async fn answer<V: Service>(sender: &mut Sender<'_>, request: &Request<'_>, service: &V) -> Next {
    let head = &request.head;
    let expected = server::expects_continue(head);
    let mut body = RequestBody::new(sender.link, head.framing(), expected, sender.limits.body);
    sender.handle.enter(Phase::Answering, Instant::now());
    let answered = {
        let work = pin!(async {
            let reply = service.answer(request, &mut body).await;
            let buffer = service.buffer(&reply).await;
            (reply, buffer)
        });
        sender.watch.over(sender.link, work).await
    };
    let Some((mut reply, mut buffer)) = answered else { return Next::Drop };
    let buf = buffer.as_mut();
    let keep = server::keeps_alive(head) && body.is_discardable();
    let sent = send(sender, request, &mut reply, buf, keep).await;
    service.sent(request.peer, reply.status, sent.is_ok());
    match sent {
        Ok(true) if discard(&mut body, buf).await => Next::Keep,
        Ok(_) => Next::Close,
        Err(Cut) => Next::Drop,
    }
}

/// Sends a reply; whether the connection stays behind it.
async fn send<B: Produce>(
    sender: &mut Sender<'_>,
    request: &Request<'_>,
    reply: &mut Reply<B>,
    buf: &mut [u8],
    keep: bool,
) -> Result<bool, Cut> {
    let version = request.head.version();
    let size = reply.body.size_hint().and_then(|size| u64::try_from(size).ok());
    let framing = server::reply_framing(version, reply.status, size);
    let keep = keep && !reply.close && !sender.handle.is_draining() && framing != Framing::Close;
    let lines = HeadLines {
        status: reply.status,
        content_type: reply.content_type(),
        fields: reply.fields(),
        shared: reply.shared.as_deref().unwrap_or_default(),
        framing,
        connection: match (keep, version) {
            (false, _) => Some("close"),
            (true, Version::Http10) => Some("keep-alive"),
            (true, Version::Http11) => None,
        },
    };
    let len = lines.write(buf).ok_or(Cut)?;
    sender.handle.enter(Phase::Writing, Instant::now());
    let framing = if request.head.method() == "HEAD" { Framing::None } else { framing };
    sender.reply(&mut reply.body, framing, buf, len).await?;
    Ok(keep)
}

/// Passes over what is left of a body; whether its end was reached.
async fn discard(body: &mut RequestBody<'_>, buf: &mut [u8]) -> bool {
    while !body.is_done() {
        if !matches!(body.read(buf).await, Ok(1..)) {
            return body.is_done();
        }
    }
    true
}

/// Writes the answer to a fault: its status and a line of text.
fn refusal(fault: Fault, out: &mut [u8]) -> Option<usize> {
    let mut text = heapless::String::<128>::new();
    std::fmt::Write::write_fmt(&mut text, format_args!("{fault}\n")).ok()?;
    let lines = HeadLines {
        status: fault.status(),
        content_type: "text/plain; charset=utf-8",
        fields: "",
        shared: "",
        framing: Framing::Length(u64::try_from(text.len()).ok()?),
        connection: Some("close"),
    };
    let head = lines.write(out)?;
    let end = head.checked_add(text.len())?;
    out.get_mut(head..end)?.copy_from_slice(text.as_bytes());
    Some(end)
}

#[cfg(test)]
mod tests;
