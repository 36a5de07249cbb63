//! What is between quotes, decoded piece by piece.

use super::fault::Fault;

/// The longest that one step decodes: what stands for half a surrogate pair, and a character of
/// three bytes.
const DECODED: usize = 8;

/// The longest start of a character that is not whole yet.
const STARTED: usize = 3;

/// Decodes a text; at rest between two.
#[derive(Debug, Default)]
pub(super) struct Text {
    state: State,
    /// The first half of a surrogate pair whose second may follow.
    high: Option<u16>,
    /// The bytes of a character that the last input broke off.
    started: heapless::Vec<u8, STARTED>,
    decoded: heapless::String<DECODED>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Plain,
    /// Behind a backslash.
    Escape,
    /// Behind `\u`, so many digits and their value.
    Hex(u8, u16),
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it was in the input.
    Lent {
        piece: &'a str,
        /// Whether the closing quote came behind it.
        last: bool,
    },
    /// What [`Text::decoded`] holds.
    Decoded,
}

impl Text {
    /// What the last [`Piece::Decoded`] is.
    pub(super) fn decoded(&self) -> &str {
        &self.decoded
    }

    /// Takes the next piece off `input`; `None` where all of it is read.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Fault> {
        self.decoded.clear();
        while let Some((&byte, rest)) = input.split_first() {
            match self.state {
                State::Plain if !self.started.is_empty() => {
                    self.go_on(byte)?;
                    *input = rest;
                }
                State::Plain if self.high.is_some() && byte != b'\\' => self.lone(),
                State::Plain => {
                    if let Some(piece) = self.plain(input)? {
                        return Ok(Some(piece));
                    }
                }
                State::Escape if byte == b'u' => {
                    self.state = State::Hex(0, 0);
                    *input = rest;
                }
                State::Escape if self.high.is_some() => self.lone(),
                State::Escape => {
                    self.put(escaped(byte).ok_or(Fault::Escape)?);
                    self.state = State::Plain;
                    *input = rest;
                }
                State::Hex(digits, value) => {
                    let digit = char::from(byte).to_digit(16).ok_or(Fault::Escape)?;
                    let digit = u16::try_from(digit).unwrap_or_default();
                    self.hex(digits.saturating_add(1), value.wrapping_shl(4) | digit);
                    *input = rest;
                }
            }
            if !self.decoded.is_empty() {
                return Ok(Some(Piece::Decoded));
            }
        }
        Ok(None)
    }

    /// Plain text up to a quote, a backslash or the end of the input; `None` where there is none.
    fn plain<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Fault> {
        let whole = *input;
        let end = memchr::memchr2(b'"', b'\\', whole);
        let (run, rest) = whole.split_at_checked(end.unwrap_or(whole.len())).unwrap_or_default();
        let fault = |input: &mut &'a [u8], at, fault| {
            *input = whole.get(at..).unwrap_or_default();
            Err(fault)
        };
        if let Some(at) = run.iter().position(|byte| *byte < b' ') {
            return fault(input, at, Fault::Control);
        }
        let piece = match std::str::from_utf8(run) {
            Ok(piece) => piece,
            Err(error) => {
                let (good, tail) = run.split_at_checked(error.valid_up_to()).unwrap_or_default();
                let broken_off = rest.is_empty() && error.error_len().is_none();
                if !broken_off || self.started.extend_from_slice(tail).is_err() {
                    return fault(input, good.len(), Fault::Utf8);
                }
                std::str::from_utf8(good).unwrap_or_default()
            }
        };
        *input = rest.get(1..).unwrap_or_default();
        let last = rest.first() == Some(&b'"');
        if rest.first() == Some(&b'\\') {
            self.state = State::Escape;
        }
        Ok((last || !piece.is_empty()).then_some(Piece::Lent { piece, last }))
    }

    /// A further byte of a character that was broken off.
    fn go_on(&mut self, byte: u8) -> Result<(), Fault> {
        let mut bytes: heapless::Vec<u8, { STARTED + 1 }> = heapless::Vec::new();
        let fits =
            bytes.extend_from_slice(&self.started).and_then(|()| bytes.extend_from_slice(&[byte]));
        fits.map_err(|_| Fault::Utf8)?;
        match std::str::from_utf8(&bytes) {
            Ok(character) => {
                self.started.clear();
                character.chars().for_each(|character| self.put(character));
                Ok(())
            }
            Err(error) if error.error_len().is_none() => {
                self.started.push(byte).map_err(|_| Fault::Utf8)
            }
            Err(_) => Err(Fault::Utf8),
        }
    }

    /// So many digits behind `\u`, and their value: a UTF-16 unit once there are four.
    fn hex(&mut self, digits: u8, unit: u16) {
        if digits < 4 {
            self.state = State::Hex(digits, unit);
            return;
        }
        self.state = State::Plain;
        let before = self.high.take();
        // Whether it has a second half is told by what follows.
        let is_high = matches!(unit, 0xd800..=0xdbff);
        self.high = is_high.then_some(unit);
        let units = before.into_iter().chain((!is_high).then_some(unit));
        for character in char::decode_utf16(units) {
            self.put(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    /// The first half of a surrogate pair had no second.
    fn lone(&mut self) {
        self.high = None;
        self.put(char::REPLACEMENT_CHARACTER);
    }

    fn put(&mut self, character: char) {
        let fits = self.decoded.push(character).is_ok();
        debug_assert!(fits, "a step decodes two characters at most");
    }
}

/// What a backslash and `byte` stand for.
const fn escaped(byte: u8) -> Option<char> {
    Some(match byte {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}
