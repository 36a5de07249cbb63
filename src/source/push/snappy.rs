//! Snappy's framing format, unpacked: the coding that Prometheus' own clients know beside gzip.
//!
//! A frame has at most 64 KiB, so a frame packed and one unpacked are all that is held, in blocks of
//! the pool. The checksums are looked at: a page that came spoilt must not count.
//!
//! # Source
//!
//! google/snappy: `framing_format.txt`, `format_description.txt`.

use crate::limits::LONG_BLOCK;
use crate::memory::{Block, Budget, Full, Lease};

/// Bytes that a frame unpacks to at most.
const FRAME: usize = 1 << 16;

/// The first frame, without its length.
const NAME: &[u8] = b"sNaPpY";

/// A stream that is being unpacked.
pub(super) struct Snappy {
    head: heapless::Vec<u8, 4>,
    /// Bytes of the frame under way that are still to come, once its head is there.
    left: usize,
    named: bool,
    /// The frame as it came: a little more than what it unpacks to where that packs badly.
    packed: Vec<u8>,
    out: Block,
    _lease: Lease,
}

impl Snappy {
    pub(super) fn new(budget: &Budget) -> Result<Self, Full> {
        let (out, lease) = (budget.long_block()?, budget.leases(LONG_BLOCK)?);
        Ok(Self {
            head: heapless::Vec::new(),
            left: 0,
            named: false,
            packed: Vec::new(),
            out,
            _lease: lease,
        })
    }

    /// Unpacks the next frame that `input` completes; `Some(None)` where more is needed, `None` for
    /// what is broken.
    pub(super) fn decode(&mut self, input: &mut &[u8], ended: bool) -> Option<Option<&[u8]>> {
        loop {
            while self.head.len() < 4 {
                let Some((byte, rest)) = input.split_first() else {
                    let whole = !ended || (self.head.is_empty() && self.named);
                    return whole.then_some(None);
                };
                self.head.push(*byte).ok()?;
                *input = rest;
                if let [_, low, mid, high] = *self.head {
                    self.left = usize::try_from(u32::from_le_bytes([low, mid, high, 0])).ok()?;
                    self.packed.clear();
                    if self.left > FRAME.saturating_add(FRAME / 4) {
                        return None;
                    }
                }
            }
            let (now, rest) = input.split_at(self.left.min(input.len()));
            self.packed.extend_from_slice(now);
            self.left = self.left.saturating_sub(now.len());
            *input = rest;
            if self.left > 0 {
                return (!ended).then_some(None);
            }
            let kind = self.head.first().copied()?;
            self.head.clear();
            match kind {
                0xff => self.named = self.packed == NAME,
                0 | 1 if self.named => {
                    let (sum, data) = self.packed.split_first_chunk::<4>()?;
                    self.out.truncate(0);
                    if kind == 0 {
                        raw(data, &mut self.out)?
                    } else {
                        copy(data, &mut self.out)?
                    };
                    if crc32c(self.out.filled()) != u32::from_le_bytes(*sum) {
                        return None;
                    }
                    break;
                }
                0x80..=0xfe if self.named => {}
                _ => return None,
            }
            if !self.named {
                return None;
            }
        }
        Some(Some(self.out.filled()))
    }
}

/// A frame that is not packed.
fn copy(data: &[u8], out: &mut Block) -> Option<()> {
    (out.append(data) == data.len() && data.len() <= FRAME).then_some(())
}

/// A frame that is.
fn raw(mut data: &[u8], out: &mut Block) -> Option<()> {
    let mut len = 0_usize;
    for shift in [0, 7, 14] {
        let (byte, rest) = data.split_first()?;
        data = rest;
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        if shift == 14 {
            return None;
        }
    }
    while let Some((tag, rest)) = data.split_first() {
        data = rest;
        let long = usize::from(tag >> 2);
        let mut number = |bytes: usize| {
            let (number, rest) = data.split_at_checked(bytes)?;
            data = rest;
            Some(number.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)))
        };
        let (back, len) = match tag & 3 {
            0 => {
                let len = if long < 60 { long } else { number(long.saturating_sub(59).min(3))? };
                let (literal, rest) = data.split_at_checked(len.checked_add(1)?)?;
                copy(literal, out)?;
                data = rest;
                continue;
            }
            1 => ((usize::from(tag >> 5) << 8) | number(1)?, (long & 7).saturating_add(4)),
            2 => (number(2)?, long.saturating_add(1)),
            _ => (number(4)?, long.saturating_add(1)),
        };
        for _ in 0..len {
            let at = out.filled().len().checked_sub(back).filter(|_| back > 0)?;
            let byte = *out.filled().get(at)?;
            copy(&[byte], out)?;
        }
    }
    (out.filled().len() == len).then_some(())
}

/// The masked checksum of a frame.
fn crc32c(data: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ POLYNOMIAL & (sum & 1).wrapping_neg();
        }
    }
    (!sum).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Pool;

    /// Frames of `x 1\n` as they are, and of sixteen of them packed.
    fn stream() -> Vec<u8> {
        let text = b"x 1\n".repeat(16);
        let frame = |kind: u8, text: &[u8], data: &[u8]| {
            let mut frame = vec![kind, data.len() as u8 + 4, 0, 0];
            frame.extend(crc32c(text).to_le_bytes());
            frame.extend(data);
            frame
        };
        let packed = [&[64, 3 << 2][..], b"x 1\n", &[(59 << 2) | 2, 4, 0]].concat();
        let name = b"\xff\x06\0\0sNaPpY".to_vec();
        let padding = b"\xfe\x02\0\0??".to_vec();
        [name, frame(1, b"x 1\n", b"x 1\n"), padding, frame(0, &text, &packed)].concat()
    }

    fn unpack(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let pool = Pool::new(64 * 16 * 1024, 0);
        let mut snappy = Snappy::new(&pool.lent()).unwrap();
        let mut all = Vec::new();
        for (piece, ended) in pieces.iter().map(|piece| (*piece, false)).chain([(&b""[..], true)]) {
            let mut input = piece;
            while let Some(text) = snappy.decode(&mut input, ended)? {
                all.extend(text);
            }
        }
        Some(all)
    }

    #[test]
    fn a_stream_is_the_same_wherever_it_is_cut_and_spoilt_it_is_none() {
        let (stream, want) = (stream(), b"x 1\n".repeat(17));
        assert_eq!(crc32c(b""), 0xa282_ead8);
        for cut in 0..=stream.len() {
            let (one, other) = stream.split_at(cut);
            assert_eq!(unpack(&[one, other]).as_deref(), Some(&want[..]), "{cut}");
            let whole = cut == stream.len() || [0, 10, 22, 28].contains(&cut);
            if !whole {
                assert_eq!(unpack(&[one]), None, "{cut}");
            }
            let mut spoilt = stream.clone();
            if let Some(byte) = spoilt.get_mut(cut) {
                *byte ^= 0x20;
                assert_ne!(unpack(&[&spoilt]).as_deref(), Some(b"x 1\nx 2\n".as_slice()), "{cut}");
            }
        }
    }
}
