//! JSON as it streams in (RFC 8259), as a state machine that does no I/O.
//!
//! [`Reader::next`] is given whatever has arrived and yields one [`Token`] at a time. A text value
//! comes in pieces, decoded, and is never held whole: what needs no decoding is lent from the input.
//! Names and numbers are collected in a scratch of fixed size. Nothing is allocated, so a document of
//! any length costs the reader's own kilobyte, and a test can cut it wherever it likes.
//!
//! Why our own: the readers there are want a text value in one buffer, and a pushed page is one text
//! value.

mod escaped;
mod fault;
mod number;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use self::escaped::Escaped;
pub use self::fault::{Fault, Malformed};
use self::number::Number;
use self::text::{Piece, Text};
use crate::limits::{JSON_DEPTH, JSON_SCRATCH};

/// What a document is made of, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// An object or an array begins.
    Open(Bracket),
    /// It ends.
    Close(Bracket),
    /// The name of an object's next value; `None` where it is longer than [`JSON_SCRATCH`].
    Name(Option<&'a str>),
    /// A piece of a text value, decoded. It may be empty.
    Text {
        /// What comes next of it.
        piece: &'a str,
        /// Whether the value ends here.
        last: bool,
    },
    /// A number as it is written, good by the grammar; `None` where it is longer than
    /// [`JSON_SCRATCH`].
    Number(Option<&'a str>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// What holds other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bracket {
    /// `{}`
    Object,
    /// `[]`
    Array,
}

/// Reads documents that follow each other, with or without white space between them.
#[derive(Debug)]
pub struct Reader {
    state: State,
    /// What is open, the innermost last.
    open: heapless::Vec<Bracket, JSON_DEPTH>,
    /// The name or number under way.
    scratch: Scratch,
    text: Text,
    /// Bytes read so far.
    at: usize,
    /// Line feeds among them.
    lines: usize,
    /// Where the line under way began.
    line_start: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A document, or the end.
    Document,
    Value,
    /// A value, or the end of an array that is empty.
    FirstValue,
    Name,
    /// A name, or the end of an object that is empty.
    FirstName,
    Colon,
    /// A comma or the end of what is open.
    Comma,
    InName,
    InText,
    InNumber(Number),
    /// The rest of `true`, `false` or `null`, and what it means.
    InWord(&'static [u8], Option<bool>),
}

/// A token without what it borrows from the reader.
enum Found<'a> {
    Open(Bracket),
    Close(Bracket),
    Name,
    Text(Piece<'a>),
    Number,
    Bool(bool),
    Null,
}

/// A short text of fixed capacity, which knows whether it overflowed.
#[derive(Debug, Default)]
struct Scratch {
    text: heapless::String<JSON_SCRATCH>,
    overflowed: bool,
}

impl Scratch {
    fn clear(&mut self) {
        self.text.clear();
        self.overflowed = false;
    }

    fn push(&mut self, piece: &str) {
        self.overflowed |= self.text.push_str(piece).is_err();
    }

    fn push_ascii(&mut self, byte: u8) {
        self.overflowed |= self.text.push(char::from(byte)).is_err();
    }

    fn get(&self) -> Option<&str> {
        (!self.overflowed).then_some(self.text.as_str())
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// In front of the first document.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Document,
            open: heapless::Vec::new(),
            scratch: Scratch::default(),
            text: Text::default(),
            at: 0,
            lines: 0,
            line_start: 0,
        }
    }

    /// How many objects and arrays are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Takes the next token from the front of `input`; `None` where all of it is read and more is
    /// needed.
    ///
    /// # Errors
    ///
    /// What is wrong with the document, and where. The reader is of no use after that.
    pub fn next<'t, 'i: 't>(
        &'t mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Token<'t>>, Malformed> {
        let found = loop {
            let Some((&byte, rest)) = input.split_first() else { return Ok(None) };
            let before = input.len();
            let step = self.step(byte, rest, input);
            self.at = self.at.saturating_add(before.saturating_sub(input.len()));
            match step {
                Ok(Some(found)) => break found,
                Ok(None) => {}
                Err(fault) => return Err(self.malformed(fault)),
            }
        };
        Ok(Some(match found {
            Found::Open(bracket) => Token::Open(bracket),
            Found::Close(bracket) => Token::Close(bracket),
            Found::Name => Token::Name(self.scratch.get()),
            Found::Text(Piece::Lent { piece, last }) => Token::Text { piece, last },
            Found::Text(Piece::Decoded) => Token::Text { piece: self.text.decoded(), last: false },
            Found::Number => Token::Number(self.scratch.get()),
            Found::Bool(value) => Token::Bool(value),
            Found::Null => Token::Null,
        }))
    }

    /// The input has ended.
    ///
    /// # Errors
    ///
    /// [`Fault::Cut`] within a document.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.state == State::Document { Ok(()) } else { Err(self.malformed(Fault::Cut)) }
    }

    /// One step: takes what it uses off `input`, which begins with `byte` and then `rest`. A byte that
    /// must not be there stays.
    fn step<'a>(
        &mut self,
        byte: u8,
        rest: &'a [u8],
        input: &mut &'a [u8],
    ) -> Result<Option<Found<'a>>, Fault> {
        match self.state {
            State::InText => return self.text(input),
            State::InName => return self.name(input),
            State::InNumber(number) => {
                let Some(next) = number.next(byte)? else {
                    self.state = State::Comma;
                    return Ok(Some(Found::Number));
                };
                self.scratch.push_ascii(byte);
                self.state = State::InNumber(next);
                *input = rest;
                return Ok(None);
            }
            State::InWord(word, meaning) => {
                let (first, left) = word.split_first().ok_or(Fault::Word)?;
                if byte != *first {
                    return Err(Fault::Word);
                }
                *input = rest;
                if !left.is_empty() {
                    self.state = State::InWord(left, meaning);
                    return Ok(None);
                }
                self.state = State::Comma;
                return Ok(Some(meaning.map_or(Found::Null, Found::Bool)));
            }
            _ => {}
        }
        let found = if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            if byte == b'\n' {
                self.lines = self.lines.saturating_add(1);
                self.line_start = self.at.saturating_add(1);
            }
            None
        } else {
            self.between(byte)?
        };
        *input = rest;
        Ok(found)
    }

    /// A byte that is neither in a value or name nor white space.
    fn between(&mut self, byte: u8) -> Result<Option<Found<'static>>, Fault> {
        let innermost = self.open.last().copied();
        match (self.state, byte) {
            (State::Document, b'{' | b'[') => self.value(byte),
            (State::Document, _) => Err(Fault::Document),
            (State::FirstValue, b']') => Ok(Some(self.close(Bracket::Array))),
            (State::FirstName, b'}') => Ok(Some(self.close(Bracket::Object))),
            (State::Name | State::FirstName, b'"') => {
                self.scratch.clear();
                self.state = State::InName;
                Ok(None)
            }
            (State::Name | State::FirstName, _) => Err(Fault::Name),
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(None)
            }
            (State::Colon, _) => Err(Fault::Colon),
            (State::Comma, b',') => {
                let in_object = innermost == Some(Bracket::Object);
                self.state = if in_object { State::Name } else { State::Value };
                Ok(None)
            }
            (State::Comma, b'}') if innermost == Some(Bracket::Object) => {
                Ok(Some(self.close(Bracket::Object)))
            }
            (State::Comma, b']') if innermost == Some(Bracket::Array) => {
                Ok(Some(self.close(Bracket::Array)))
            }
            (State::Comma, _) if innermost == Some(Bracket::Object) => Err(Fault::CommaInObject),
            (State::Comma, _) => Err(Fault::CommaInArray),
            _ => self.value(byte),
        }
    }

    /// The first byte of a value.
    fn value(&mut self, byte: u8) -> Result<Option<Found<'static>>, Fault> {
        self.state = match byte {
            b'{' => return self.opened(Bracket::Object, State::FirstName),
            b'[' => return self.opened(Bracket::Array, State::FirstValue),
            b'"' => State::InText,
            b't' => State::InWord(b"rue", Some(true)),
            b'f' => State::InWord(b"alse", Some(false)),
            b'n' => State::InWord(b"ull", None),
            _ => {
                let number = Number::begin(byte).ok_or(Fault::Value)?;
                self.scratch.clear();
                self.scratch.push_ascii(byte);
                State::InNumber(number)
            }
        };
        Ok(None)
    }

    fn opened(&mut self, bracket: Bracket, then: State) -> Result<Option<Found<'static>>, Fault> {
        self.open.push(bracket).map_err(|_| Fault::Deep)?;
        self.state = then;
        Ok(Some(Found::Open(bracket)))
    }

    fn close(&mut self, bracket: Bracket) -> Found<'static> {
        self.open.pop();
        self.state = if self.open.is_empty() { State::Document } else { State::Comma };
        Found::Close(bracket)
    }

    /// More of a text value.
    fn text<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Found<'a>>, Fault> {
        let piece = self.text.next(input)?;
        if let Some(Piece::Lent { last: true, .. }) = piece {
            self.state = State::Comma;
        }
        Ok(piece.map(Found::Text))
    }

    /// More of a name.
    fn name<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Found<'a>>, Fault> {
        match self.text.next(input)? {
            None => {}
            Some(Piece::Decoded) => self.scratch.push(self.text.decoded()),
            Some(Piece::Lent { piece, last }) => {
                self.scratch.push(piece);
                if last {
                    self.state = State::Colon;
                    return Ok(Some(Found::Name));
                }
            }
        }
        Ok(None)
    }

    fn malformed(&self, fault: Fault) -> Malformed {
        Malformed {
            line: self.lines.saturating_add(1),
            column: self.at.saturating_sub(self.line_start).saturating_add(1),
            fault,
        }
    }
}
