//! The labels of a sample, one after another.

/// A label of a sample that was lexed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    /// Its name, without quotes.
    pub(super) name: &'a [u8],
    /// Its value, without quotes, still escaped.
    pub(super) value: &'a [u8],
}

/// The labels of a sample that was lexed before: what [`Sample::labels`](super::line::Sample::labels) means.
#[derive(Debug, Clone)]
pub(super) struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// The labels in `text`, which a lexer has found good.
    #[must_use]
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The next string in quotes: what is before it, what is in it; the rest stays.
    fn quoted(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let open = memchr::memchr(b'"', self.rest)?;
        let (before, quoted) = self.rest.split_at_checked(open)?;
        let quoted = quoted.get(1..)?;
        let mut escaped = false;
        let close = quoted.iter().position(|&b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        })?;
        let (inside, rest) = quoted.split_at_checked(close)?;
        self.rest = rest.get(1..)?;
        Some((before, inside))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        loop {
            let (before, inside) = self.quoted()?;
            let is_name = |b: &u8| !matches!(b, b' ' | b'\t' | b',' | b'=');
            if let Some(start) = before.iter().position(is_name) {
                let end = before.iter().rposition(is_name)?.saturating_add(1);
                return Some(Pair { name: before.get(start..end)?, value: inside });
            }
            if self.rest.trim_ascii_start().first() == Some(&b'=') {
                let (_, value) = self.quoted()?;
                return Some(Pair { name: inside, value });
            }
        }
    }
}
