//! A body off the wire, whichever way its end is known; does no I/O.

use crate::http::chunked::{self, Progress};
use crate::http::fault::Fault;
use crate::http::fields::Framing;

/// Reads a body: says how much to read, takes it out of its framing, knows when it ends.
#[derive(Debug, Clone)]
pub enum Body {
    /// This many bytes are missing.
    Length(u64),
    /// Chunks.
    Chunked(chunked::Decoder),
    /// All until the connection closes.
    Close,
    /// The connection has closed behind such a body.
    Closed,
}

impl Body {
    /// The body that a head announces.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(chunked::Decoder::new()),
            Framing::Close => Self::Close,
        }
    }

    /// Whether all of it has been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder) => decoder.is_done(),
            Self::Close => false,
            Self::Closed => true,
        }
    }

    /// Bytes still missing, where known.
    #[must_use]
    pub const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Closed => Some(0),
            _ => None,
        }
    }

    /// How many of `room` bytes may be read from the connection without reading beyond this body,
    /// as far as that can be known.
    #[must_use]
    pub fn wanted(&self, room: usize) -> usize {
        match self.left() {
            Some(left) => usize::try_from(left).map_or(room, |left| left.min(room)),
            None => room,
        }
    }

    /// Copies what `wire` holds of the body to `out`, as much as fits.
    ///
    /// # Errors
    ///
    /// Those of [`chunked::Decoder::next`].
    pub fn decode(&mut self, wire: &[u8], out: &mut [u8]) -> Result<Progress, Fault> {
        if let Self::Chunked(decoder) = self {
            return decoder.decode(wire, out);
        }
        let len = self.wanted(wire.len()).min(out.len());
        if let (Some(from), Some(to)) = (wire.get(..len), out.get_mut(..len)) {
            to.copy_from_slice(from);
        }
        Ok(self.take(len))
    }

    /// Takes what `buf` holds out of its framing; the body's bytes lie at its front then.
    ///
    /// # Errors
    ///
    /// Those of [`chunked::Decoder::next`].
    pub fn decode_in_place(&mut self, buf: &mut [u8]) -> Result<Progress, Fault> {
        match self {
            Self::Chunked(decoder) => decoder.decode_in_place(buf),
            _ => Ok(self.take(self.wanted(buf.len()))),
        }
    }

    /// The connection has closed. Whether the body was whole then.
    pub fn close(&mut self) -> bool {
        if matches!(self, Self::Close) {
            *self = Self::Closed;
        }
        self.is_done()
    }

    fn take(&mut self, len: usize) -> Progress {
        if let Self::Length(left) = self {
            *left = left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
        }
        Progress { used: len, made: len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `wire`, cut in two, and closes; the body and whether it was whole.
    fn read(framing: Framing, wire: &[u8], cut: usize) -> (Vec<u8>, bool) {
        let mut body = Body::new(framing);
        let mut got = Vec::new();
        for piece in [&wire[..cut], &wire[cut..]] {
            let mut buf = piece.to_vec();
            let progress = body.decode_in_place(&mut buf).unwrap();
            got.extend_from_slice(&buf[..progress.made]);
        }
        (got, body.close())
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        let cases = [
            ("none", Framing::None, "abc", "", true),
            ("length", Framing::Length(3), "abc", "abc", true),
            ("more than the length", Framing::Length(2), "abc", "ab", true),
            ("less than the length", Framing::Length(4), "abc", "abc", false),
            ("chunked", Framing::Chunked, "3\r\nabc\r\n0\r\n\r\n", "abc", true),
            ("chunked, cut off", Framing::Chunked, "3\r\nabc\r\n", "abc", false),
            ("until it closes", Framing::Close, "abc", "abc", true),
        ];
        for (name, framing, wire, want, whole) in cases {
            let (wire, want) = (wire.as_bytes(), want.as_bytes());
            for cut in 0..=wire.len() {
                assert_eq!(read(framing, wire, cut), (want.to_vec(), whole), "{name}, cut {cut}");
            }
        }
    }

    #[test]
    fn a_small_output_takes_its_share() {
        let mut body = Body::new(Framing::Length(3));
        let mut out = [0; 2];
        assert_eq!(body.decode(b"abcd", &mut out), Ok(Progress { used: 2, made: 2 }));
        assert_eq!((body.left(), body.is_done()), (Some(1), false));
        assert_eq!(body.decode(b"cd", &mut out), Ok(Progress { used: 1, made: 1 }));
        assert_eq!((body.wanted(9), body.is_done()), (0, true));
    }
}
