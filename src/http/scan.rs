//! Where a head ends, and the byte rules that httparse forgives.
//!
//! The scanner looks at each byte once, however the head is cut on its way, and refuses on the
//! first byte that no head may have. It decides nothing about lines: `head.rs` does.

use crate::http::fault::Fault;

/// Finds the end of a head in a buffer that grows.
#[derive(Debug, Default, Clone)]
pub struct Scan {
    /// Bytes looked at.
    seen: usize,
    /// Where the line that is being looked at began.
    line: usize,
    /// Empty lines in front of the head.
    blank: usize,
}

impl Scan {
    /// A scanner for a head that begins with the buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at what has arrived since the last call; `bytes` is all that has arrived so far.
    ///
    /// `Some(range)` is the head, its empty line included, empty lines in front of it left out;
    /// `None` asks for more.
    ///
    /// # Errors
    ///
    /// A bare line feed or carriage return, or another control byte than tab.
    ///
    /// # Source
    ///
    /// RFC 9112, section 2.2: a recipient may take a bare LF, ought to ignore an empty line before
    /// a request line, and must not take a bare CR.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<std::ops::Range<usize>>, Fault> {
        while let Some(rest) = bytes.get(self.seen..) {
            let Some(at) = rest.iter().position(|&byte| is_control(byte)) else {
                self.seen = bytes.len();
                return Ok(None);
            };
            match (rest.get(at), rest.get(at.saturating_add(1))) {
                (Some(b'\r'), Some(b'\n')) => {}
                (Some(b'\r'), None) => {
                    self.seen = self.seen.saturating_add(at);
                    return Ok(None);
                }
                (Some(b'\r'), Some(_)) => return Err(Fault::BareCarriageReturn),
                (Some(b'\n'), _) => return Err(Fault::BareLineFeed),
                _ => return Err(Fault::ControlByte),
            }
            let end_of_line = self.seen.saturating_add(at);
            self.seen = end_of_line.saturating_add(2);
            let empty = end_of_line == self.line;
            self.line = self.seen;
            if empty && end_of_line == self.blank {
                self.blank = self.seen;
            } else if empty {
                return Ok(Some(self.blank..self.seen));
            }
        }
        Ok(None)
    }
}

/// Whether no line of a head may hold this byte; tab may stand in a field's value.
const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    type Scanned = Result<Option<(usize, usize)>, Fault>;

    #[test]
    fn the_end_is_found_or_the_byte_refused() {
        let cases: [(&str, &[u8], Scanned); 12] = [
            ("nothing", b"", Ok(None)),
            ("a whole head", b"GET / HTTP/1.1\r\n\r\n", Ok(Some((0, 18)))),
            ("a head and more", b"G\r\nA:b\r\n\r\nGET", Ok(Some((0, 10)))),
            ("empty lines in front", b"\r\n\r\nG\r\n\r\n", Ok(Some((4, 9)))),
            ("only empty lines", b"\r\n\r\n\r\n", Ok(None)),
            ("no end yet", b"G\r\nA: b\r\n", Ok(None)),
            ("half an end", b"G\r\n\r", Ok(None)),
            ("bare line feed", b"G\n", Err(Fault::BareLineFeed)),
            ("bare carriage return", b"G\rX", Err(Fault::BareCarriageReturn)),
            ("two carriage returns", b"G\r\r\n", Err(Fault::BareCarriageReturn)),
            ("a zero", b"G\0", Err(Fault::ControlByte)),
            ("TLS on a plain port", b"\x16\x03\x01\x02", Err(Fault::ControlByte)),
        ];
        for (name, bytes, want) in cases {
            let got = Scan::new().advance(bytes);
            assert_eq!(got, want.map(|at| at.map(|(from, to)| from..to)), "{name}");
        }
    }

    #[test]
    fn the_end_is_the_same_wherever_the_wire_is_cut() {
        let wire = b"\r\nGET /a HTTP/1.1\r\nHost: a\r\nX:\tb\r\n\r\nGET";
        for cut in 0..=wire.len() {
            let mut scan = Scan::new();
            let first = scan.advance(&wire[..cut]).unwrap();
            let found = first.or_else(|| scan.advance(wire).unwrap());
            assert_eq!(found, Some(2..36), "cut at {cut}");
        }
        let mut scan = Scan::new();
        let found = (0..=wire.len()).find_map(|end| scan.advance(&wire[..end]).unwrap());
        assert_eq!(found, Some(2..36), "byte by byte");
    }
}
