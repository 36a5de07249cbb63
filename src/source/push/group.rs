//! What tells one pushed page from another: a set of labels.

use std::fmt;

use crate::exposition::Escaped;
use crate::limits::{APP, GROUP_LABELS, LABEL_VALUE};

/// The labels of a group, sorted by name, each once. An application has one, `app`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group(Box<[(Box<str>, Box<str>)]>);

/// Why labels make no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadGroup {
    /// A name is no label's name.
    Name,
    /// A label is there twice.
    Twice,
    /// An application, or a job, without a name.
    Empty,
    /// A value is too long.
    Long,
    /// A value holds a control character, or is no text.
    Control,
    /// Too many labels.
    Many,
}

impl fmt::Display for BadGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("no label name"),
            Self::Twice => f.write_str("a label is there twice"),
            Self::Empty => f.write_str("the name is empty"),
            Self::Long => write!(f, "longer than {LABEL_VALUE} bytes"),
            Self::Control => f.write_str("not text without control characters"),
            Self::Many => write!(f, "more than {GROUP_LABELS} labels"),
        }
    }
}

impl Group {
    /// The group of an application.
    ///
    /// # Errors
    ///
    /// [`BadGroup`].
    pub fn app(name: &str) -> Result<Self, BadGroup> {
        if name.is_empty() {
            return Err(BadGroup::Empty);
        }
        check_value(name)?;
        Ok(Self(Box::new([(APP.into(), name.into())])))
    }

    /// Its labels, sorted by name.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The application's name, if it is one.
    #[must_use]
    pub fn as_app(&self) -> Option<&str> {
        match &*self.0 {
            [(name, value)] if **name == *APP => Some(value),
            _ => None,
        }
    }
}

fn check_value(value: &str) -> Result<(), BadGroup> {
    if value.len() > LABEL_VALUE {
        return Err(BadGroup::Long);
    }
    if value.chars().any(char::is_control) { Err(BadGroup::Control) } else { Ok(()) }
}

/// `app="x"`, or `job="a",instance="b"`: as on a sample.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.labels().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{name}=\"{}\"", Escaped(value))?;
        }
        Ok(())
    }
}
