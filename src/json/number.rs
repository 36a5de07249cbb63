//! The grammar of a number, byte by byte.

use super::fault::Fault;

/// How far a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// Behind the minus sign.
    Minus,
    /// Behind a leading zero, which no digit follows.
    Zero,
    /// In the digits before the point.
    Whole,
    /// Behind the point.
    Point,
    /// In the digits behind the point.
    Fraction,
    /// Behind `e`.
    E,
    /// Behind the exponent's sign.
    Sign,
    /// In the digits of the exponent.
    Exponent,
}

impl Number {
    /// A number that begins with `byte`, if one does.
    pub(super) const fn begin(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Whole),
            _ => None,
        }
    }

    /// With `byte` behind it; `None` where the number has ended before.
    pub(super) const fn next(self, byte: u8) -> Result<Option<Self>, Fault> {
        Ok(Some(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Self::Whole,
            (Self::Zero | Self::Whole, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Self::E,
            (Self::E, b'+' | b'-') => Self::Sign,
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Self::Exponent,
            (Self::Minus | Self::Point | Self::E | Self::Sign, _) | (Self::Zero, b'0'..=b'9') => {
                return Err(Fault::Number);
            }
            _ => return Ok(None),
        }))
    }
}
