//! The gzip coding (RFC 1952), both ways, as state machines that do no I/O.
//!
//! The caller owns both buffers and hands in what it has read and a place to write; how much of each
//! was used comes back. An [`Inflater`] never makes more than there is room for, so a body that
//! unpacks to gigabytes is met by the caller's own limit, block by block. Buffers may be of any
//! size, and a test can cut either side wherever it likes.
//!
//! Each of the two holds memory of its own, made once: [`INFLATER_BLOCKS`](crate::limits::INFLATER_BLOCKS)
//! and [`DEFLATER_BLOCKS`](crate::limits::DEFLATER_BLOCKS), for which the caller answers.
//!
//! Not here: a member's name, comment and time are passed over; no scrape has use for them.

use std::fmt;

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::chunked::Progress;
use crate::limits::HEAD;

/// The first bytes of a member of ours: deflated, no name, no time, fastest level, any system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

/// Flags of a member's header.
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// What can be wrong with a gzip stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GzipFault {
    /// It does not begin as a member does, or its header is longer than [`HEAD`].
    Header,
    /// The deflated data means nothing.
    Data,
    /// The data is not what was packed.
    Checksum,
    /// There is more or less data than was packed.
    Length,
    /// The stream ends within a member, or has none.
    Truncated,
    /// Something that is no member follows the last one.
    Trailing,
}

impl fmt::Display for GzipFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the body does not begin as gzip does",
            Self::Data => "the gzip data is broken",
            Self::Checksum => "the checksum of the gzip data is wrong",
            Self::Length => "the length of the gzip data is wrong",
            Self::Truncated => "the gzip data ends too soon",
            Self::Trailing => "something that is not gzip follows the gzip data",
        })
    }
}

impl std::error::Error for GzipFault {}

/// Which byte of a stream comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The fixed part of a header, from its first byte on.
    Fixed(u8),
    /// The length of the extra field.
    ExtraLength(u8),
    /// The extra field, of which so much is left.
    Extra(u16),
    /// The name, which a zero ends.
    Name,
    /// The comment, which a zero ends.
    Comment,
    /// The header's own checksum.
    HeaderCrc(u8),
    Data,
    /// The checksum and the length.
    Trailer(u8),
    /// The end, or the next member.
    Between,
}

/// Unpacks a gzip stream of one member or several in a row.
#[derive(Debug)]
pub struct Inflater {
    place: Place,
    /// The flags of the member's header.
    flags: u8,
    /// A number that is being read, the lowest byte first.
    number: [u8; 8],
    /// Bytes that the header may still take.
    spare: usize,
    /// Of the header, later of the data.
    crc: Crc,
    data: Decompress,
}

impl Inflater {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            place: Place::Fixed(0),
            flags: 0,
            number: [0; 8],
            spare: HEAD,
            crc: Crc::new(),
            data: Decompress::new(false),
        }
    }

    /// Whether the stream may end here: a member has ended, and all it held was made.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.place == Place::Between
    }

    /// Unpacks `input` into `out`, as much as there is and as fits. `ended` says that nothing comes
    /// after `input`. Where all input is used, there may be more to make while `out` is full.
    ///
    /// # Errors
    ///
    /// [`GzipFault`]; the stream is of no use then. [`GzipFault::Truncated`] only if it has `ended`.
    pub fn decode(
        &mut self,
        input: &[u8],
        ended: bool,
        out: &mut [u8],
    ) -> Result<Progress, GzipFault> {
        let mut progress = Progress::default();
        while let Some(rest) = input.get(progress.used..) {
            if self.place == Place::Data {
                let room = out.get_mut(progress.made..).unwrap_or_default();
                let step = self.inflate(rest, room)?;
                progress.used = progress.used.saturating_add(step.used);
                progress.made = progress.made.saturating_add(step.made);
                if step == Progress::default() && self.place == Place::Data {
                    break;
                }
            } else {
                let Some(&byte) = rest.first() else { break };
                self.place = self.framing(byte)?;
                progress.used = progress.used.saturating_add(1);
            }
        }
        let full = self.place == Place::Data && progress.made == out.len();
        if ended && progress.used == input.len() && !full && !self.is_done() {
            return Err(GzipFault::Truncated);
        }
        Ok(progress)
    }

    /// A step through a member's data.
    fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Result<Progress, GzipFault> {
        let before = (self.data.total_in(), self.data.total_out());
        let status = self.data.decompress(input, out, FlushDecompress::None);
        let used = since(before.0, self.data.total_in());
        let made = since(before.1, self.data.total_out());
        self.crc.update(out.get(..made).unwrap_or_default());
        if status.map_err(|_| GzipFault::Data)? == Status::StreamEnd {
            self.place = Place::Trailer(0);
        }
        Ok(Progress { used, made })
    }

    /// Takes a byte of what surrounds the data; returns what comes after it.
    fn framing(&mut self, byte: u8) -> Result<Place, GzipFault> {
        match self.place {
            Place::Trailer(at) => return self.trailer(at, byte),
            Place::HeaderCrc(at) => return self.header_crc(at, byte),
            _ => {}
        }
        self.crc.update(&[byte]);
        self.spare = self.spare.checked_sub(1).ok_or(GzipFault::Header)?;
        match self.place {
            Place::Between if HEADER.first() != Some(&byte) => Err(GzipFault::Trailing),
            Place::Between => Ok(Place::Fixed(1)),
            Place::Fixed(at) => {
                let good = match at {
                    0..=2 => HEADER.get(usize::from(at)) == Some(&byte),
                    3 => byte & RESERVED == 0,
                    _ => true,
                };
                if !good {
                    return Err(GzipFault::Header);
                }
                if at == 3 {
                    self.flags = byte;
                }
                Ok(if at == 9 { self.after(0) } else { Place::Fixed(at.saturating_add(1)) })
            }
            Place::ExtraLength(at) => {
                self.put(at, byte);
                let [low, high, ..] = self.number;
                Ok(match (at, u16::from_le_bytes([low, high])) {
                    (0, _) => Place::ExtraLength(1),
                    (_, 0) => self.after(EXTRA),
                    (_, length) => Place::Extra(length),
                })
            }
            Place::Extra(1) => Ok(self.after(EXTRA)),
            Place::Extra(left) => Ok(Place::Extra(left.saturating_sub(1))),
            Place::Name if byte == 0 => Ok(self.after(NAME)),
            Place::Comment if byte == 0 => Ok(self.after(COMMENT)),
            place => Ok(place),
        }
    }

    /// What comes after the part of the header that `flag` stands for; 0 is the fixed part.
    fn after(&mut self, flag: u8) -> Place {
        let has = |part| flag < part && self.flags & part != 0;
        if has(EXTRA) {
            Place::ExtraLength(0)
        } else if has(NAME) {
            Place::Name
        } else if has(COMMENT) {
            Place::Comment
        } else if self.flags & HEADER_CRC != 0 {
            Place::HeaderCrc(0)
        } else {
            self.begin()
        }
    }

    /// The header is over.
    fn begin(&mut self) -> Place {
        self.crc.reset();
        if self.data.total_in() > 0 {
            self.data.reset(false);
        }
        Place::Data
    }

    fn header_crc(&mut self, at: u8, byte: u8) -> Result<Place, GzipFault> {
        self.put(at, byte);
        if at == 0 {
            return Ok(Place::HeaderCrc(1));
        }
        let [a, b, ..] = self.crc.sum().to_le_bytes();
        if !self.number.starts_with(&[a, b]) {
            return Err(GzipFault::Header);
        }
        Ok(self.begin())
    }

    fn trailer(&mut self, at: u8, byte: u8) -> Result<Place, GzipFault> {
        self.put(at, byte);
        match at {
            3 if !self.number.starts_with(&self.crc.sum().to_le_bytes()) => {
                Err(GzipFault::Checksum)
            }
            7 if !self.number.ends_with(&self.crc.amount().to_le_bytes()) => Err(GzipFault::Length),
            7 => {
                self.crc.reset();
                self.spare = HEAD;
                Ok(Place::Between)
            }
            _ => Ok(Place::Trailer(at.saturating_add(1))),
        }
    }

    fn put(&mut self, at: u8, byte: u8) {
        if let Some(place) = self.number.get_mut(usize::from(at)) {
            *place = byte;
        }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

/// What of a packed body comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The header, of which so much is out.
    Header(usize),
    Data,
    /// The checksum and the length, of which so much is out.
    Trailer(usize),
    Done,
}

/// Packs a body as gzip, at the fastest level: the text of metrics packs to about a tenth at any.
#[derive(Debug)]
pub struct Deflater {
    stage: Stage,
    crc: Crc,
    data: Compress,
}

impl Deflater {
    /// At the start of a body.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stage: Stage::Header(0),
            crc: Crc::new(),
            data: Compress::new(Compression::fast(), false),
        }
    }

    /// Whether all of the packed body is out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Packs `input` into `out`, as much as there is and as fits. `ended` says that the body ends
    /// with `input`; the caller hands in what is left of it, even if that is nothing, and room for
    /// more until [`Deflater::is_done`].
    pub fn encode(&mut self, input: &[u8], ended: bool, out: &mut [u8]) -> Progress {
        let mut progress = Progress::default();
        loop {
            let rest = input.get(progress.used..).unwrap_or_default();
            let room = out.get_mut(progress.made..).unwrap_or_default();
            let step = match self.stage {
                Stage::Header(at) => {
                    let (made, left) = put_out(&HEADER, at, room);
                    self.stage = left.map_or(Stage::Data, Stage::Header);
                    Progress { used: 0, made }
                }
                Stage::Data => self.deflate(rest, ended, room),
                Stage::Trailer(at) => {
                    let [a, b, c, d] = self.crc.sum().to_le_bytes();
                    let [e, f, g, h] = self.crc.amount().to_le_bytes();
                    let (made, left) = put_out(&[a, b, c, d, e, f, g, h], at, room);
                    self.stage = left.map_or(Stage::Done, Stage::Trailer);
                    Progress { used: 0, made }
                }
                Stage::Done => return progress,
            };
            progress.used = progress.used.saturating_add(step.used);
            progress.made = progress.made.saturating_add(step.made);
            if step == Progress::default() {
                return progress;
            }
        }
    }

    fn deflate(&mut self, input: &[u8], ended: bool, out: &mut [u8]) -> Progress {
        let before = (self.data.total_in(), self.data.total_out());
        let flush = if ended { FlushCompress::Finish } else { FlushCompress::None };
        let status = self.data.compress(input, out, flush);
        let used = since(before.0, self.data.total_in());
        let made = since(before.1, self.data.total_out());
        self.crc.update(input.get(..used).unwrap_or_default());
        match status {
            Ok(Status::StreamEnd) => self.stage = Stage::Trailer(0),
            Ok(_) => {}
            // Only more input after its end can do that: the peer sees that the stream is cut short.
            Err(_) => self.stage = Stage::Done,
        }
        Progress { used, made }
    }
}

impl Default for Deflater {
    fn default() -> Self {
        Self::new()
    }
}

/// Copies what is left of `bytes` from `at` on to `room`: how much fits, and where the rest begins.
fn put_out(bytes: &[u8], at: usize, room: &mut [u8]) -> (usize, Option<usize>) {
    let rest = bytes.get(at..).unwrap_or_default();
    let made = rest.len().min(room.len());
    if let (Some(from), Some(to)) = (rest.get(..made), room.get_mut(..made)) {
        to.copy_from_slice(from);
    }
    (made, (made < rest.len()).then_some(at.saturating_add(made)))
}

/// What a counter has counted since it stood at `before`.
fn since(before: u64, now: u64) -> usize {
    usize::try_from(now.saturating_sub(before)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
