//! Chunked transfer coding (RFC 9112, section 7.1), as a state machine that does no I/O.
//!
//! The caller owns the buffers. [`Decoder::next`] passes over the framing and says which of the
//! bytes that follow are data; on top of it, one method copies them out and one moves them together
//! in the buffer they were read into. Nothing is kept but the state, so a body of any size passes
//! through buffers of any size, and a test can cut the wire bytes wherever it likes.
//!
//! Not here: chunk extensions are ignored and trailers dropped; no scrape has use for either.

use crate::http::fault::Fault;
use crate::http::percent::hex;
use crate::limits::HEAD;

/// Bytes in front of a chunk of ours: four digits and CRLF.
pub const FRONT: usize = 6;

/// Bytes behind a chunk of ours: CRLF.
pub const BACK: usize = 2;

/// The chunk that ends a body, with no trailers.
pub const LAST: &[u8] = b"0\r\n\r\n";

/// The largest chunk of ours: what four hexadecimal digits can say.
pub const LARGEST: usize = 0xffff;

/// Bytes that each chunk adds to what extensions may take, so that a long body may have short ones
/// on every chunk; Go allows as much.
const EXTRA_EARNED: usize = 16;

/// How much a step took and made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the wire that are dealt with.
    pub used: usize,
    /// Bytes of the body that lie in the output.
    pub made: usize,
}

/// What comes next on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Framing: pass over it.
    pub skip: usize,
    /// Data behind it.
    pub data: usize,
}

/// Reads a chunked body.
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
    /// Bytes of the chunk's size that are read, later bytes of its data that are missing.
    left: u64,
    /// Bytes that extensions and trailers may still take.
    spare: usize,
}

/// Which byte comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first digit of a size.
    SizeFirst,
    /// A further digit, or what follows the size.
    Size,
    /// A blank behind the size.
    Blank,
    /// An extension.
    Extension,
    /// The line feed of a size line.
    SizeEnd,
    Data,
    /// The carriage return behind the data.
    DataReturn,
    /// The line feed behind the data.
    DataFeed,
    /// The first byte of a trailer line, or of the empty line that ends all.
    TrailerFirst,
    /// A trailer line.
    Trailer,
    /// The line feed of a trailer line.
    TrailerEnd,
    /// The last line feed.
    LastFeed,
    Done,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::SizeFirst, left: 0, spare: HEAD }
    }
}

impl Decoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the last chunk and its trailers have been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Passes over framing, then takes at most `room` bytes of data; the caller moves them.
    ///
    /// # Errors
    ///
    /// A malformed size, a chunk that goes on after it, extensions or trailers without end, or a
    /// bare line feed in any of them.
    pub fn next(&mut self, wire: &[u8], room: usize) -> Result<Run, Fault> {
        let mut skip = 0usize;
        while self.state != State::Data && self.state != State::Done {
            let Some(&byte) = wire.get(skip) else { break };
            self.framing(byte)?;
            skip = skip.saturating_add(1);
        }
        if self.state != State::Data {
            return Ok(Run { skip, data: 0 });
        }
        let here = wire.len().saturating_sub(skip).min(room);
        let data = usize::try_from(self.left).map_or(here, |left| left.min(here));
        self.left = self.left.saturating_sub(u64::try_from(data).unwrap_or(u64::MAX));
        if self.left == 0 {
            self.state = State::DataReturn;
        }
        Ok(Run { skip, data })
    }

    fn framing(&mut self, byte: u8) -> Result<(), Fault> {
        self.state = match (self.state, byte) {
            (State::SizeFirst, _) => {
                self.left = u64::from(hex(byte).ok_or(Fault::ChunkSize)?);
                State::Size
            }
            (State::Size | State::Blank, b';') => State::Extension,
            (State::Size | State::Blank, b' ' | b'\t') => self.spend(State::Blank)?,
            (State::Size | State::Blank | State::Extension, b'\r') => State::SizeEnd,
            (State::Size, _) => {
                let digit = hex(byte).ok_or(Fault::ChunkSize)?;
                // Zeros in front of a size could go on for ever.
                let padding = self.left == 0;
                self.left = shift_in(self.left, digit).ok_or(Fault::ChunkSize)?;
                if padding { self.spend(State::Size)? } else { State::Size }
            }
            (State::Blank, _) => return Err(Fault::ChunkSize),
            (State::Extension, _) if is_text(byte) => self.spend(State::Extension)?,
            (State::SizeEnd, b'\n') if self.left == 0 => State::TrailerFirst,
            (State::SizeEnd, b'\n') => State::Data,
            (State::Extension | State::SizeEnd, _) => return Err(Fault::ChunkSize),
            (State::DataReturn, b'\r') => State::DataFeed,
            (State::DataFeed, b'\n') => {
                self.spare = self.spare.saturating_add(EXTRA_EARNED).min(HEAD);
                State::SizeFirst
            }
            (State::DataReturn | State::DataFeed, _) => return Err(Fault::ChunkEnd),
            (State::TrailerFirst, b'\r') => State::LastFeed,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::TrailerFirst | State::Trailer, _) if is_text(byte) => {
                self.spend(State::Trailer)?
            }
            (State::TrailerEnd, b'\n') => State::TrailerFirst,
            (State::LastFeed, b'\n') => State::Done,
            (State::TrailerFirst | State::Trailer | State::TrailerEnd | State::LastFeed, _) => {
                return Err(Fault::Field);
            }
            (state @ (State::Data | State::Done), _) => state,
        };
        Ok(())
    }

    /// Goes to `state` at the cost of a byte of what extensions and trailers may take.
    fn spend(&mut self, state: State) -> Result<State, Fault> {
        self.spare = self.spare.checked_sub(1).ok_or(Fault::ChunkExtra)?;
        Ok(state)
    }

    /// Copies the data in `wire` to `out`, as much as fits.
    ///
    /// # Errors
    ///
    /// As [`Decoder::next`].
    pub fn decode(&mut self, wire: &[u8], out: &mut [u8]) -> Result<Progress, Fault> {
        let mut progress = Progress::default();
        while let Some(rest) = wire.get(progress.used..) {
            let room = out.len().saturating_sub(progress.made);
            let run = self.next(rest, room)?;
            let data = run.skip.checked_add(run.data).and_then(|end| rest.get(run.skip..end));
            let to = progress.made.saturating_add(run.data);
            if let (Some(from), Some(to)) = (data, out.get_mut(progress.made..to)) {
                to.copy_from_slice(from);
            }
            progress.made = to;
            progress.used = progress.used.saturating_add(run.skip).saturating_add(run.data);
            if run.data == 0 {
                break;
            }
        }
        Ok(progress)
    }

    /// Moves the data in `buf` to its front, over the framing. All of `buf` is used unless the body
    /// ends before.
    ///
    /// # Errors
    ///
    /// As [`Decoder::next`].
    pub fn decode_in_place(&mut self, buf: &mut [u8]) -> Result<Progress, Fault> {
        let mut progress = Progress::default();
        while let Some(rest) = buf.get(progress.used..) {
            let run = self.next(rest, usize::MAX)?;
            let from = progress.used.saturating_add(run.skip);
            let to = from.saturating_add(run.data);
            if run.data > 0 && from != progress.made {
                buf.copy_within(from..to, progress.made);
            }
            progress.made = progress.made.saturating_add(run.data);
            progress.used = to;
            if run.data == 0 {
                break;
            }
        }
        Ok(progress)
    }
}

/// The size with one more digit; `None` if it leaves 64 bits.
fn shift_in(size: u64, digit: u8) -> Option<u64> {
    size.checked_mul(16)?.checked_add(u64::from(digit))
}

/// Whether an extension or a trailer may hold this byte.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The size line of a chunk of ours, always four digits long, so that its place is known before the
/// data is; zeros in front are legal. `None` if the chunk is larger than [`LARGEST`].
#[must_use]
pub fn size_line(size: usize) -> Option<[u8; FRONT]> {
    let digit = |shift: u32| {
        let nibble = size.checked_shr(shift).unwrap_or(0) & 0xf;
        char::from_digit(u32::try_from(nibble).ok()?, 16).and_then(|digit| u8::try_from(digit).ok())
    };
    (size <= LARGEST).then_some(())?;
    Some([digit(12)?, digit(8)?, digit(4)?, digit(0)?, b'\r', b'\n'])
}

#[cfg(test)]
mod tests;
