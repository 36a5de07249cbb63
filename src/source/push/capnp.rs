//! Pages as Cap'n Proto messages, any number one after another:
//! `struct InboundMetrics @0xfb4ded7f739d5651 { appName @0 :Text; data @1 :Text; }`.
//!
//! A message of one struct with two pointers needs no library: the two are followed, and nothing
//! else is. It is held whole first, since its segments may come in any order; it is as bounded as a
//! page, and counts as kept like one.
//!
//! # Source
//!
//! The encoding: capnproto.org/encoding.html, "Serialization Over a Stream" and "Pointers".

use std::fmt;

use super::Arrival;
use super::group::Group;
use super::refusal::PushError;
use crate::limits::{BLOCK, LABEL_VALUE};
use crate::memory::{Block, PageWriter, Text};

/// Bytes of a word.
const WORD: usize = 8;

/// Segments of a message; other readers take as many.
const SEGMENTS: usize = 512;

/// Bytes of a message beside its page: the name, pointers, padding.
const BESIDE: usize = 8 * 1024;

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// More segments than anybody needs.
    Segments,
    /// Longer than this many bytes.
    Long(usize),
    /// A pointer leads out of it, or to something else than it should.
    Pointer,
    /// The name is no UTF-8, or too long.
    Name,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segments => write!(f, "more than {SEGMENTS} segments"),
            Self::Long(most) => write!(f, "longer than {most} bytes"),
            Self::Pointer => f.write_str("a pointer leads nowhere"),
            Self::Name => write!(f, "the name is not UTF-8, or longer than {LABEL_VALUE} bytes"),
        }
    }
}

/// What has been read of a stream of messages.
#[derive(Default)]
pub(super) struct Capnp {
    /// The table of segments, as far as it is there.
    table: Vec<u8>,
    body: Option<Receiving>,
}

struct Receiving {
    segments: Segments,
    writer: PageWriter,
    left: usize,
}

impl Capnp {
    /// Whether nothing is under way.
    pub(super) const fn is_between(&self) -> bool {
        self.table.is_empty() && self.body.is_none()
    }

    /// Reads on.
    ///
    /// # Errors
    ///
    /// What makes the rest unreadable.
    pub(super) async fn feed(
        &mut self,
        arrival: &Arrival,
        mut input: &[u8],
    ) -> Result<(), PushError> {
        while !input.is_empty() || self.body.as_ref().is_some_and(|body| body.left == 0) {
            let Some(body) = &mut self.body else {
                if let Some(segments) = self.head(&mut input).map_err(PushError::Capnp)? {
                    self.body = Some(Receiving::new(arrival, segments)?);
                }
                continue;
            };
            let (now, rest) = input.split_at(body.left.min(input.len()));
            body.left = body.left.saturating_sub(now.len());
            input = rest;
            arrival.write(&mut body.writer, now).await?;
            if body.left == 0
                && let Some(Receiving { segments, writer, .. }) = self.body.take()
            {
                let text = writer.finish().map_err(crate::source::ScrapeError::from)?;
                self.table.clear();
                Message { text, segments }.deliver(arrival).await;
            }
        }
        Ok(())
    }

    /// Takes what belongs to the table of segments; the table, once it is whole.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Segments>, Fault> {
        loop {
            let need = match self.table.first_chunk::<4>() {
                None => 4,
                Some(count) => {
                    let count = size(u32::from_le_bytes(*count)).saturating_add(1);
                    if count > SEGMENTS {
                        return Err(Fault::Segments);
                    }
                    count.saturating_mul(4).saturating_add(4).next_multiple_of(WORD)
                }
            };
            if self.table.len() >= need && need > 4 {
                return Ok(Some(Segments::read(&self.table)));
            }
            let (now, rest) =
                input.split_at(need.saturating_sub(self.table.len()).min(input.len()));
            if now.is_empty() {
                return Ok(None);
            }
            self.table.extend_from_slice(now);
            *input = rest;
        }
    }
}

impl Receiving {
    fn new(arrival: &Arrival, segments: Segments) -> Result<Self, PushError> {
        let most = arrival.source().max_bytes().saturating_add(BESIDE);
        let left = segments.words().checked_mul(WORD).filter(|len| *len <= most);
        let left = left.ok_or(PushError::Capnp(Fault::Long(most)))?;
        Ok(Self { segments, writer: arrival.bytes_writer(most), left })
    }
}

/// Where each segment begins and how long it is, in words.
struct Segments(Vec<(usize, usize)>);

impl Segments {
    fn read(table: &[u8]) -> Self {
        let count = table.first_chunk::<4>().map_or(0, |count| size(u32::from_le_bytes(*count)));
        let sizes = table.get(4..).unwrap_or_default().as_chunks::<4>().0.iter();
        let mut start = 0_usize;
        let segment = |len: &[u8; 4]| {
            let (at, len) = (start, size(u32::from_le_bytes(*len)));
            start = start.saturating_add(len);
            (at, len)
        };
        Self(sizes.take(count.saturating_add(1)).map(segment).collect())
    }

    fn words(&self) -> usize {
        self.0.last().map_or(0, |(start, len)| start.saturating_add(*len))
    }
}

fn size(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// A message, whole.
struct Message {
    text: Text,
    segments: Segments,
}

/// A word of a segment.
#[derive(Clone, Copy)]
struct At {
    segment: usize,
    word: usize,
}

/// What a pointer says, and where what it points to begins.
struct Target {
    pointer: u64,
    at: At,
}

impl Message {
    /// Hands the page on.
    async fn deliver(&self, arrival: &Arrival) {
        let (name, data) = match self.texts() {
            Ok(texts) => texts,
            Err(fault) => return arrival.refused(None, &PushError::Capnp(fault)),
        };
        let group = match Group::app(&name) {
            Ok(group) => group,
            Err(fault) => return arrival.refused(None, &fault.into()),
        };
        let mut incoming = match arrival.begin(&group) {
            Ok(incoming) => incoming,
            Err(error) => return arrival.refused(Some(&group), &error),
        };
        for piece in self.pieces(data) {
            incoming.write(piece).await;
        }
        let finished = incoming.finish((arrival.source(), &group), None).await;
        // The sender is told nothing: the protocol has no answers.
        let _ = arrival.end(group, finished, None);
    }

    /// The name, and where in the message the data is, in bytes.
    fn texts(&self) -> Result<(String, (usize, usize)), Fault> {
        let Some(root) = self.follow(At { segment: 0, word: 0 })? else {
            return Ok((String::new(), (0, 0)));
        };
        let Target { pointer, at } = root;
        let data_words = size(u32::try_from(pointer >> 32 & 0xffff).unwrap_or(0));
        let pointers = pointer >> 48;
        if pointer & 3 != 0 {
            return Err(Fault::Pointer);
        }
        let text = |number: usize| {
            let has = u64::try_from(number).is_ok_and(|number| number < pointers);
            let word = at.word.saturating_add(data_words).saturating_add(number);
            if has { self.text_at(At { word, ..at }) } else { Ok((0, 0)) }
        };
        let (name, data) = (text(0)?, text(1)?);
        if name.1 > LABEL_VALUE {
            return Err(Fault::Name);
        }
        let bytes: Vec<u8> = self.pieces(name).flatten().copied().collect();
        String::from_utf8(bytes).map(|name| (name, data)).map_err(|_| Fault::Name)
    }

    /// The text that the pointer at `at` leads to: its first byte in the message, and its length.
    fn text_at(&self, at: At) -> Result<(usize, usize), Fault> {
        let Some(Target { pointer, at }) = self.follow(at)? else { return Ok((0, 0)) };
        let (is_list, of_bytes) = (pointer & 3 == 1, pointer >> 32 & 7 == 2);
        let len = usize::try_from(pointer >> 35).map_err(|_| Fault::Pointer)?;
        if !is_list || !of_bytes {
            return Err(Fault::Pointer);
        }
        let words = len.div_ceil(WORD);
        let start = self.word(at, words)?.saturating_mul(WORD);
        // The last byte is a zero that is no part of it.
        let end = start.saturating_add(len).saturating_sub(1);
        if len == 0 || self.byte(end) != Some(0) {
            return Err(Fault::Pointer);
        }
        Ok((start, len.saturating_sub(1)))
    }

    /// Follows the pointer at `at`, over segments if need be; `None` if it is null.
    fn follow(&self, at: At) -> Result<Option<Target>, Fault> {
        let pointer = self.read(at)?;
        if pointer == 0 {
            return Ok(None);
        }
        if pointer & 3 != 2 {
            let at = near(pointer, at)?;
            return Ok(Some(Target { pointer, at }));
        }
        let pad = far(pointer)?;
        let (first, double) = (self.read(pad)?, pointer & 4 != 0);
        let (pointer, at) = if double {
            let tag = self.read(At { word: pad.word.saturating_add(1), ..pad })?;
            if first & 3 != 2 {
                return Err(Fault::Pointer);
            }
            (tag, far(first)?)
        } else {
            (first, near(first, pad)?)
        };
        // A pad that leads to another pad would lead on for ever.
        if pointer & 3 == 2 { Err(Fault::Pointer) } else { Ok(Some(Target { pointer, at })) }
    }

    /// The number in the message of a word, of which `len` in a row must be there.
    fn word(&self, at: At, len: usize) -> Result<usize, Fault> {
        let (start, words) = self.segments.0.get(at.segment).copied().ok_or(Fault::Pointer)?;
        let end = at.word.checked_add(len).ok_or(Fault::Pointer)?;
        if end > words { Err(Fault::Pointer) } else { Ok(start.saturating_add(at.word)) }
    }

    fn read(&self, at: At) -> Result<u64, Fault> {
        let start = self.word(at, 1)?.saturating_mul(WORD);
        let mut bytes = [0; WORD];
        // A block holds whole words.
        for (byte, at) in bytes.iter_mut().zip(start..) {
            *byte = self.byte(at).ok_or(Fault::Pointer)?;
        }
        Ok(u64::from_le_bytes(bytes))
    }

    fn byte(&self, at: usize) -> Option<u8> {
        let block = self.text.blocks().get(at.checked_div(BLOCK)?)?;
        block.filled().get(at.checked_rem(BLOCK)?).copied()
    }

    /// The bytes of a text, block by block.
    fn pieces(&self, (start, len): (usize, usize)) -> impl Iterator<Item = &[u8]> {
        let end = start.saturating_add(len);
        let blocks = self.text.blocks().iter().map(Block::filled);
        blocks.enumerate().filter_map(move |(number, block)| {
            let first = number.saturating_mul(BLOCK);
            let (from, to) = (start.max(first), end.min(first.saturating_add(block.len())));
            block.get(from.checked_sub(first)?..to.checked_sub(first)?)
        })
    }
}

/// Where the pointer at `at`, a near one, leads.
fn near(pointer: u64, at: At) -> Result<At, Fault> {
    let low = u32::try_from(pointer & 0xffff_ffff).map_err(|_| Fault::Pointer)?;
    let offset = isize::try_from(low.cast_signed() >> 2).map_err(|_| Fault::Pointer)?;
    let word = at.word.checked_add(1).and_then(|word| word.checked_add_signed(offset));
    Ok(At { word: word.ok_or(Fault::Pointer)?, ..at })
}

/// Where a far pointer leads.
fn far(pointer: u64) -> Result<At, Fault> {
    let part = |bits: u64| usize::try_from(bits).map_err(|_| Fault::Pointer);
    Ok(At { segment: part(pointer >> 32)?, word: part(pointer >> 3 & 0x1fff_ffff)? })
}

/// Whether a stream that begins with this byte is one of these, and not JSON.
pub(super) const fn begins(byte: u8) -> bool {
    !matches!(byte, b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n')
}
