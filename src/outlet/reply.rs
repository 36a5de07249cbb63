//! What a server answers: bodies, and refusals of one line.

use std::io::IoSlice;
use std::rc::Rc;
use std::time::{Duration, Instant};

use smol::future::yield_now;

use super::packing::Packing;
use crate::exposition::{Emitter, Page};
use crate::http::outgoing::{Broken, Pieces, Produce, Reply};
use crate::limits::{BLOCK, LOGIN_PAUSE, PACKED_FROM, REPLY_ROOM, RESERVED_BLOCKS};
use crate::memory::{Block, Budget, Text};
use crate::source::{Engine, Passed, Stream};

/// The Content-Type of a line of text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The body of a reply.
pub struct Body {
    content: Content,
    /// Counts the request when the reply is sent or cut.
    pub(super) receipt: Option<Receipt>,
}

enum Content {
    /// A short text, and how much of it has left.
    Text(Box<[u8]>, usize),
    /// Blocks that lie ready.
    Blocks(Blocks),
    /// Merged as it leaves.
    Merged(Emitter),
    /// Packed as it leaves.
    Packed(Packing, Unpacked),
    /// Handed on as it comes; the budget is for the buffer that it passes through.
    Stream(Box<Stream>, Budget),
}

/// A page that leaves as it is.
struct Blocks {
    page: Ready,
    /// The block under way, and how much of it has left.
    at: (usize, usize),
    /// Bytes that have not left.
    left: usize,
}

/// A page that is being packed.
enum Unpacked {
    Blocks(Blocks),
    Merged(Emitter),
}

impl Unpacked {
    /// Writes the next of it to the front of `out`; 0 at the end.
    fn fill(&mut self, out: &mut [u8]) -> usize {
        match self {
            Self::Merged(emitter) => emitter.fill(out),
            Self::Blocks(blocks) => {
                let rest = blocks.rest().next().unwrap_or_default();
                let n = rest.len().min(out.len());
                if let (Some(to), Some(from)) = (out.get_mut(..n), rest.get(..n)) {
                    to.copy_from_slice(from);
                }
                blocks.consume(n);
                n
            }
        }
    }
}

impl Blocks {
    /// What has not left, in pieces of which none is empty.
    fn rest(&self) -> impl Iterator<Item = &[u8]> {
        let (number, sent) = self.at;
        let blocks = self.page.text().blocks().get(number..).unwrap_or_default();
        let skips = std::iter::once(sent).chain(std::iter::repeat(0));
        let pieces = blocks.iter().zip(skips);
        let pieces = pieces.map(|(block, skip)| block.filled().get(skip..).unwrap_or_default());
        pieces.filter(|piece| !piece.is_empty())
    }

    /// Counts the next `len` bytes as left.
    fn consume(&mut self, len: usize) {
        let Self { page, at: (number, sent), left } = self;
        *left = left.saturating_sub(len);
        *sent = sent.saturating_add(len);
        while let Some(block) = page.text().blocks().get(*number)
            && *sent >= block.filled().len()
        {
            *sent = sent.saturating_sub(block.filled().len());
            *number = number.saturating_add(1);
        }
    }
}

/// Who owns the blocks.
enum Ready {
    Text(Text),
    Indexed(Rc<Page>),
    Passed(Rc<Passed>),
}

impl Ready {
    fn text(&self) -> &Text {
        match self {
            Self::Text(text) => text,
            Self::Indexed(page) => page.text(),
            Self::Passed(passed) => &passed.text,
        }
    }
}

impl Body {
    /// A text, whole.
    #[must_use]
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::new(Content::Text(text.into().into_boxed_bytes(), 0))
    }

    /// A page as it is.
    #[must_use]
    pub fn page(text: Text) -> Self {
        Self::ready(Ready::Text(text))
    }

    /// A page of a source as it is.
    #[must_use]
    pub fn indexed(page: Rc<Page>) -> Self {
        Self::ready(Ready::Indexed(page))
    }

    /// An exporter's answer as it is.
    #[must_use]
    pub fn passed(passed: Rc<Passed>) -> Self {
        Self::ready(Ready::Passed(passed))
    }

    /// A merged page, written as it leaves.
    #[must_use]
    pub const fn merged(emitter: Emitter) -> Self {
        Self::new(Content::Merged(emitter))
    }

    /// An exporter's answer as it comes, through a buffer that `budget` pays for.
    #[must_use]
    pub fn stream(stream: Stream, budget: Budget) -> Self {
        Self::new(Content::Stream(Box::new(stream), budget))
    }

    /// Packs it as it leaves, if that is worth it and there is room.
    #[must_use]
    pub fn packed(self, engine: &Engine) -> (Self, bool) {
        let bytes = match &self.content {
            Content::Blocks(blocks) => blocks.left,
            Content::Merged(emitter) => emitter.bytes(),
            _ => 0,
        };
        let worth_it = bytes >= PACKED_FROM && engine.pool.counters().waiting == 0;
        let packing =
            worth_it.then(|| Packing::new(&engine.packers, &engine.pool.lent())).flatten();
        let content = match (self.content, packing) {
            (Content::Blocks(blocks), Some(packing)) => {
                Content::Packed(packing, Unpacked::Blocks(blocks))
            }
            (Content::Merged(emitter), Some(packing)) => {
                Content::Packed(packing, Unpacked::Merged(emitter))
            }
            (content, _) => content,
        };
        let packed = matches!(content, Content::Packed(..));
        (Self { content, receipt: self.receipt }, packed)
    }

    fn ready(page: Ready) -> Self {
        let left = page.text().len();
        Self::new(Content::Blocks(Blocks { page, at: (0, 0), left }))
    }

    const fn new(content: Content) -> Self {
        Self { content, receipt: None }
    }
}

impl Produce for Body {
    fn ready<'a>(&'a self, pieces: &mut Pieces<'a>) {
        match &self.content {
            Content::Text(text, sent) => {
                let rest = text.get(*sent..).unwrap_or_default();
                // The first piece of the body: there is room.
                let _ = pieces.push(IoSlice::new(rest));
            }
            Content::Blocks(blocks) => {
                let room = pieces.capacity().saturating_sub(pieces.len());
                pieces.extend(blocks.rest().take(room).map(IoSlice::new));
            }
            Content::Merged(_) | Content::Packed(..) | Content::Stream(..) => {}
        }
    }

    fn consume(&mut self, len: usize) {
        match &mut self.content {
            Content::Text(_, sent) => *sent = sent.saturating_add(len),
            Content::Blocks(blocks) => blocks.consume(len),
            Content::Merged(_) | Content::Packed(..) | Content::Stream(..) => {}
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.content, Content::Stream(..))
    }

    async fn fill(&mut self, out: &mut [u8]) -> Result<usize, Broken> {
        match &mut self.content {
            Content::Text(..) | Content::Blocks(_) => Ok(0),
            Content::Stream(stream, _) => stream.read(out).await.map_err(|_| Broken),
            Content::Packed(packing, page) => loop {
                yield_now().await;
                match packing.step(out, |room| page.fill(room)) {
                    0 if !packing.is_done() => {}
                    n => return Ok(n),
                }
            },
            Content::Merged(emitter) => {
                yield_now().await;
                let room = out.len().min(BLOCK);
                Ok(emitter.fill(out.get_mut(..room).unwrap_or_default()))
            }
        }
    }

    fn size_hint(&self) -> Option<usize> {
        match &self.content {
            Content::Text(text, sent) => Some(text.len().saturating_sub(*sent)),
            Content::Blocks(blocks) => Some(blocks.left),
            Content::Stream(stream, _) => stream.left(),
            Content::Merged(_) | Content::Packed(..) => None,
        }
    }
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
    challenges: heapless::Vec<&'static str, 2>,
}

impl Refusal {
    /// A refusal with this status.
    #[must_use]
    pub fn new(status: u16, text: String) -> Self {
        Self {
            status,
            text: text.into(),
            retry_after: None,
            allow: None,
            challenges: heapless::Vec::new(),
        }
    }

    /// What it says, in one line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 405: only these methods are allowed here.
    #[must_use]
    pub fn method(allow: &'static str) -> Self {
        let text = format!("what works here: {allow}");
        Self { allow: Some(allow), ..Self::new(405, text) }
    }

    /// 401: who logs in, by one of these schemes, may ask.
    #[must_use]
    pub fn login(schemes: impl Iterator<Item = &'static str>) -> Self {
        let refusal = Self::new(401, "a login is needed here".into());
        Self { challenges: schemes.take(2).collect(), ..refusal }
    }

    /// 429: too many logins wait to be judged.
    #[must_use]
    pub fn busy() -> Self {
        let text = "too many logins at once".into();
        Self { retry_after: Some(LOGIN_PAUSE), ..Self::new(429, text) }
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
        // All are short and of printable characters.
        if let Some(after) = self.retry_after {
            let _ = reply.set("Retry-After", after.as_secs());
        }
        if let Some(allow) = self.allow {
            let _ = reply.set("Allow", allow);
        }
        for challenge in self.challenges {
            let _ = reply.set("WWW-Authenticate", challenge);
        }
        reply
    }
}

/// What a reply is written from.
pub enum Buffer {
    /// A block of the pool, or several in one piece.
    Block(Block),
    /// For a head and what is ready behind it, and where the pool has no block left: little, but
    /// enough for an answer to be sent.
    Small(Box<[u8]>),
}

impl Buffer {
    /// A buffer for `body`: as long a one as there is where it has to be made, and nobody waits.
    #[must_use]
    pub fn new(engine: &Engine, body: &Body) -> Self {
        let block = match &body.content {
            Content::Text(..) | Content::Blocks(_) => None,
            Content::Stream(_, budget) => budget.long_block().or_else(|_| budget.block()).ok(),
            Content::Packed(..) => Self::block(engine),
            Content::Merged(_) => Self::long(engine).or_else(|| Self::block(engine)),
        };
        block.map_or_else(|| Self::Small(vec![0; REPLY_ROOM].into_boxed_slice()), Self::Block)
    }

    /// Several blocks that nobody was promised or waits for.
    fn long(engine: &Engine) -> Option<Block> {
        if engine.pool.counters().waiting > 0 {
            return None;
        }
        engine.pool.lent().long_block().ok()
    }

    /// A block of the reserve, of which half stays for what is made of it, else of what nobody was
    /// promised.
    fn block(engine: &Engine) -> Option<Block> {
        if engine.reserve.used() < RESERVED_BLOCKS / 2 {
            engine.reserve.block().ok()
        } else {
            engine.pool.lent().block().ok()
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
    use crate::exposition::{Merge, Names, OnConflict};
    use crate::limits::{LONG_BLOCK, MIN_MEMORY};

    #[test]
    fn replies_leave_half_of_the_reserve() {
        let limits =
            crate::config::Limits { memory: MIN_MEMORY, connections: 0, ..Default::default() };
        let engine = crate::runtime::engine(&limits);
        let merge = Merge::new(OnConflict::Keep, Names::Quoted, &engine.pool.lent()).unwrap();
        let body = Body::merged(Emitter::new(Rc::new(merge.finish())));
        // One block is the merge's own, four are a long one.
        let want = [LONG_BLOCK; 1].into_iter().chain([1; RESERVED_BLOCKS / 2 + 3]);
        let mut buffers: Vec<_> = (0..40).map(|_| Buffer::new(&engine, &body)).collect();
        let lens = buffers.iter_mut().map(|buffer| buffer.as_mut().len());
        let blocks: Vec<_> = lens.filter(|len| *len >= BLOCK).map(|len| len / BLOCK).collect();
        assert_eq!(blocks, want.collect::<Vec<_>>());
        let own: Vec<_> = (0..4).map(|_| engine.reserve.block().unwrap()).collect();
        assert!(engine.reserve.block().is_err());
        drop((buffers, own, body));
        assert_eq!(engine.pool.unpromised(), RESERVED_BLOCKS);
        assert_eq!(engine.reserve.used(), 0);
    }
}
