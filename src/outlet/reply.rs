//! What a server answers: bodies, and refusals of one line.

use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::future::yield_now;

use crate::exposition::Emitter;
use crate::http::outgoing::{Broken, Produce, Reply};
use crate::limits::{REPLY_ROOM, RESERVED_BLOCKS};
use crate::memory::{Block, Text};
use crate::source::Engine;

/// The Content-Type of a line of text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The body of a reply.
pub struct Body {
    content: Content,
    /// Counts the request when the reply is sent or cut.
    pub(super) receipt: Option<Receipt>,
}

enum Content {
    Text(Box<[u8]>, usize),
    Merged(Emitter),
    /// A page, the number of the block under way, and how much of that has left.
    Page(Text, usize, usize),
}

impl Body {
    /// A text, whole.
    #[must_use]
    pub fn text(text: impl Into<Box<str>>) -> Self {
        let bytes = text.into().into_boxed_bytes();
        Self { content: Content::Text(bytes, 0), receipt: None }
    }

    /// A page as it is.
    #[must_use]
    pub const fn page(text: Text) -> Self {
        Self { content: Content::Page(text, 0, 0), receipt: None }
    }

    /// A merged page, written as it leaves.
    #[must_use]
    pub const fn merged(emitter: Emitter) -> Self {
        Self { content: Content::Merged(emitter), receipt: None }
    }
}

impl Produce for Body {
    async fn fill(&mut self, out: &mut [u8]) -> Result<usize, Broken> {
        match &mut self.content {
            Content::Text(text, sent) => Ok(copy(text, sent, out)),
            Content::Page(text, number, sent) => loop {
                let Some(block) = text.blocks().get(*number) else { return Ok(0) };
                match copy(block.filled(), sent, out) {
                    0 => (*number, *sent) = (number.saturating_add(1), 0),
                    n => return Ok(n),
                }
            },
            Content::Merged(emitter) => {
                yield_now().await;
                Ok(emitter.fill(out))
            }
        }
    }

    fn size_hint(&self) -> Option<usize> {
        match &self.content {
            Content::Text(text, sent) => Some(text.len().saturating_sub(*sent)),
            Content::Page(text, 0, 0) => Some(text.len()),
            Content::Page(..) | Content::Merged(_) => None,
        }
    }
}

/// Copies what fits of `text` from `sent` on; returns how much that was.
fn copy(text: &[u8], sent: &mut usize, out: &mut [u8]) -> usize {
    let rest = text.get(*sent..).unwrap_or_default();
    let n = rest.len().min(out.len());
    if let (Some(to), Some(from)) = (out.get_mut(..n), rest.get(..n)) {
        to.copy_from_slice(from);
    }
    *sent = sent.saturating_add(n);
    n
}

/// Counts one request when it is dropped.
pub(super) struct Receipt {
    engine: Rc<Engine>,
    server: Rc<str>,
    route: Rc<str>,
    status: u16,
    start: Instant,
}

impl Receipt {
    pub(super) fn new(
        engine: Rc<Engine>,
        (server, route): (Rc<str>, Rc<str>),
        status: u16,
        start: Instant,
    ) -> Self {
        Self { engine, server, route, status, start }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        self.engine.metrics.request(&self.server, &self.route, self.status, took);
    }
}

/// Why a request is not answered with what it asked for: a status and one line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400 to 599.
    pub status: u16,
    text: Rc<str>,
    retry_after: Option<Duration>,
    allow: Option<&'static str>,
}

impl Refusal {
    /// A refusal with this status.
    #[must_use]
    pub fn new(status: u16, text: String) -> Self {
        Self { status, text: text.into(), retry_after: None, allow: None }
    }

    /// 405: only these methods are allowed here.
    #[must_use]
    pub fn method(allow: &'static str) -> Self {
        let text = format!("what works here: {allow}");
        Self { allow: Some(allow), ..Self::new(405, text) }
    }

    /// 503: there is no page.
    #[must_use]
    pub fn unavailable(text: String) -> Self {
        Self::new(503, text)
    }

    /// 503: there was no memory for the scrape within its time.
    #[must_use]
    pub fn memory(engine: &Engine) -> Self {
        /// Most scrapes are done by then.
        const RETRY_AFTER: Duration = Duration::from_secs(1);
        let counters = engine.pool.counters();
        let text = format!(
            "no memory for this scrape: {} of {} blocks of limits.memory are taken, scrapes waiting: {}",
            counters.total.saturating_sub(counters.free),
            counters.total,
            counters.waiting,
        );
        Self { retry_after: Some(RETRY_AFTER), ..Self::unavailable(text) }
    }

    /// The reply that says so.
    pub(super) fn into_reply(self, receipt: Receipt) -> Reply<Body> {
        let mut body = Body::text(format!("{}\n", self.text));
        body.receipt = Some(receipt);
        let mut reply = Reply::new(self.status, TEXT, body);
        // Both are short and of printable characters.
        if let Some(after) = self.retry_after {
            let _ = reply.set("Retry-After", after.as_secs());
        }
        if let Some(allow) = self.allow {
            let _ = reply.set("Allow", allow);
        }
        reply
    }
}

/// What a reply is written from.
pub enum Buffer {
    /// A block of the pool.
    Block(Block),
    /// Where the pool has none left: little, but enough for an answer to be sent.
    Small(Box<[u8]>),
}

impl Buffer {
    /// A block if there is one: of the reserve, of which half stays for what is made of it, else of
    /// what nobody was promised.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        let block = if engine.reserve.used() < RESERVED_BLOCKS / 2 {
            engine.reserve.block()
        } else {
            let lent = engine.reserve.split(0);
            lent.settle();
            lent.block()
        };
        match block {
            Ok(block) => Self::Block(block),
            Err(_) => Self::Small(vec![0; REPLY_ROOM].into_boxed_slice()),
        }
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Block(block) => block.spare(),
            Self::Small(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MIN_MEMORY;

    #[test]
    fn replies_leave_half_of_the_reserve() {
        let limits =
            crate::config::Limits { memory: MIN_MEMORY, connections: 0, ..Default::default() };
        let engine = crate::runtime::engine(&limits);
        let buffers: Vec<_> = (0..40).map(|_| Buffer::new(&engine)).collect();
        let blocks = buffers.iter().filter(|buffer| matches!(buffer, Buffer::Block(_))).count();
        assert_eq!(blocks, RESERVED_BLOCKS + RESERVED_BLOCKS / 2);
        let own: Vec<_> = (0..4).map(|_| engine.reserve.block().unwrap()).collect();
        assert!(engine.reserve.block().is_err());
        drop((buffers, own));
        assert_eq!(engine.pool.unpromised(), RESERVED_BLOCKS);
        assert_eq!(engine.reserve.used(), 0);
    }
}
