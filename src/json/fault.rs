//! What can be wrong with a document, and where.

use std::fmt;

use crate::limits::JSON_DEPTH;

/// What is wrong with a document, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// From 1, over all documents that one reader has read.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.fault)
    }
}

impl std::error::Error for Malformed {}

/// What can be wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A document that is neither object nor array.
    Document,
    /// No value where one must be.
    Value,
    /// No name where one must be.
    Name,
    /// No `:` behind a name.
    Colon,
    /// Neither `,` nor `}` behind a value.
    CommaInObject,
    /// Neither `,` nor `]` behind a value.
    CommaInArray,
    /// Something like a number that is none.
    Number,
    /// Something like `true`, `false` or `null` that is none of them.
    Word,
    /// A backslash with something behind it that JSON does not know.
    Escape,
    /// A control character within quotes.
    Control,
    /// Not UTF-8.
    Utf8,
    /// More than [`JSON_DEPTH`] objects and arrays in each other.
    Deep,
    /// The input has ended within a document.
    Cut,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Document => "a document begins with `{` or `[`",
            Self::Value => "no JSON value",
            Self::Name => "not a name in `\"`",
            Self::Colon => "no `:` after the name",
            Self::CommaInObject => "neither `,` nor `}` after the value",
            Self::CommaInArray => "neither `,` nor `]` after the value",
            Self::Number => "a malformed number",
            Self::Word => "none of true, false, null",
            Self::Escape => "an unknown escape",
            Self::Control => "a control character within quotes",
            Self::Utf8 => "not UTF-8",
            Self::Deep => return write!(f, "nested deeper than {JSON_DEPTH}"),
            Self::Cut => "the document is cut short",
        })
    }
}
