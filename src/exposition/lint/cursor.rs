//! A place in one line, and the few ways to move it.

use std::borrow::Cow;

use crate::exposition::class::{BLANK, LABEL, LABEL_START, NAME, NAME_START, is};

/// Reads one line from left to right; never past its end.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

/// Why a quoted text cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadQuote {
    /// The line ends before the closing quote.
    Open,
    /// The cursor stands at a backslash that means nothing.
    Escape,
}

impl<'a> Cursor<'a> {
    /// At the first byte of `line`, which has no line feed.
    pub(super) const fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// The next byte; `None` at the end of the line.
    pub(super) fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Where the next byte stands, in bytes from 1.
    pub(super) const fn column(&self) -> usize {
        self.at.saturating_add(1)
    }

    /// Everything from here to the end of the line.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// Moves past one byte.
    pub(super) fn bump(&mut self) {
        self.at = self.at.saturating_add(1).min(self.line.len());
    }

    /// Moves past `byte` if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.bump();
        }
        here
    }

    /// Moves past the bytes that are `wanted` and returns them.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(len);
        rest.get(..len).unwrap_or_default()
    }

    /// Moves past blanks and tabs and returns them.
    pub(super) fn blanks(&mut self) -> &'a [u8] {
        self.take_while(is_blank)
    }

    /// Moves past everything up to a blank, a tab or the end of the line.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.take_while(|byte| !is_blank(byte))
    }

    /// A metric name as it stands without quotes; empty if none begins here.
    pub(super) fn metric_name(&mut self) -> &'a [u8] {
        self.name(NAME_START, NAME)
    }

    /// A label name as it stands without quotes; empty if none begins here.
    pub(super) fn label_name(&mut self) -> &'a [u8] {
        self.name(LABEL_START, LABEL)
    }

    fn name(&mut self, first: u8, rest: u8) -> &'a [u8] {
        match self.peek() {
            Some(byte) if is(byte, first) => self.take_while(|byte| is(byte, rest)),
            _ => &[],
        }
    }

    /// The decoded text between the quote that comes next and the one that closes it.
    ///
    /// # Errors
    ///
    /// [`BadQuote`], with the cursor at the fault: the backslash, or the end of the line.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, [u8]>, BadQuote> {
        self.bump();
        let mut text = Cow::Borrowed(self.take_while(is_plain));
        loop {
            match self.peek() {
                None => return Err(BadQuote::Open),
                Some(b'\\') => {
                    let byte = self.escape()?;
                    text.to_mut().push(byte);
                }
                Some(_) => {
                    self.bump();
                    return Ok(text);
                }
            }
            let plain = self.take_while(is_plain);
            if !plain.is_empty() {
                text.to_mut().extend_from_slice(plain);
            }
        }
    }

    /// What the escape sequence here stands for.
    fn escape(&mut self) -> Result<u8, BadQuote> {
        let byte = match self.rest().get(1) {
            None => return Err(BadQuote::Open),
            Some(b'n') => b'\n',
            Some(&byte @ (b'"' | b'\\')) => byte,
            Some(_) => return Err(BadQuote::Escape),
        };
        self.bump();
        self.bump();
        Ok(byte)
    }
}

/// The format's only white space besides the line feed.
pub(super) const fn is_blank(byte: u8) -> bool {
    is(byte, BLANK)
}

const fn is_plain(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\')
}
