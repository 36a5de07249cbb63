//! The families of one page by their names: what a page replaces of another, and what the two say of
//! one family that does not fit together.

use super::family::stem;
use super::lexer::{Before, Lexer};
use super::line::{Kind, Note, Sample, Span};
use super::page::{Name, Page};
use crate::memory::{Budget, Full, Lease};

/// A page's names, sorted.
pub struct PageFamilies<'p> {
    page: &'p Page,
    order: Vec<u16>,
    _lease: Lease,
}

impl<'p> PageFamilies<'p> {
    /// Those of `page`.
    ///
    /// # Errors
    ///
    /// [`Full`] when `budget` has no block for the list.
    pub fn new(page: &'p Page, budget: &Budget) -> Result<Self, Full> {
        let lease = budget.lease()?;
        let mut order: Vec<u16> = (0..u16::try_from(page.names()).unwrap_or(u16::MAX)).collect();
        let name = |number: &u16| page.index().names.get(usize::from(*number));
        order.sort_unstable_by_key(|number| name(number).map(|name| page.name(name, false)));
        Ok(Self { page, order, _lease: lease })
    }

    fn find(&self, wanted: &[u8]) -> Option<&'p Name> {
        let name = |number: u16| self.page.index().names.get(number.into());
        let bytes = |number: u16| name(number).map(|name| self.page.name(name, false));
        let at = self.order.binary_search_by_key(&Some(wanted), |number| bytes(*number)).ok()?;
        name(*self.order.get(at)?)
    }

    fn kind(&self, name: &[u8]) -> Option<Kind> {
        self.find(name).and_then(|name| name.kind)
    }

    /// The name of the family that samples called `name` belong to on this page.
    fn of<'n>(&self, name: &'n [u8]) -> &'n [u8] {
        if self.kind(name).is_some() {
            return name;
        }
        let Some((stem, summary)) = stem(name) else { return name };
        match self.kind(stem) {
            Some(Kind::Histogram) => stem,
            Some(Kind::Summary) if summary => stem,
            _ => name,
        }
    }

    /// Whether it has the family called `name`.
    fn has(&self, name: &[u8]) -> bool {
        self.find(name).is_some() && self.of(name) == name
    }

    /// The lines of block number `block` that are of no family of `other`: where they are, plain
    /// comments left out.
    #[must_use]
    pub fn beside(&self, other: &Self, block: usize) -> Vec<(usize, usize)> {
        let bytes = self.page.text().blocks().get(block).map_or(&b""[..], |block| block.filled());
        let lexer = Lexer { format: self.page.format(), watch: None };
        let (mut before, mut sample) = (Before::default(), Sample::default());
        let (mut at, mut kept) = (0, Vec::<(usize, usize)>::new());
        while at < bytes.len() {
            // It was read before: there is no fault in it.
            let Ok((note, next)) = lexer.line(bytes, at, &mut before, &mut sample) else { break };
            let name: Option<Span> = match note {
                None => Some(sample.name),
                Some(Note::Help { name, .. } | Note::Type { name, .. }) => Some(name),
                Some(_) => None,
            };
            let stays = name.is_some_and(|name| !other.has(self.of(name.of(bytes))));
            match kept.last_mut() {
                Some((_, end)) if stays && *end == at => *end = next,
                _ if stays => kept.push((at, next)),
                _ => {}
            }
            at = next;
        }
        kept
    }

    /// The first family that `other` declares as something else.
    #[must_use]
    pub fn contradicts(&self, other: &Page) -> Option<String> {
        let differs = |name: &&Name| {
            let theirs = name.kind.map(Kind::word);
            let ours = self.kind(other.name(name, false)).map(Kind::word);
            theirs.zip(ours).is_some_and(|(theirs, ours)| theirs != ours)
        };
        let name = other.index().names.iter().find(differs)?;
        Some(String::from_utf8_lossy(other.name(name, false)).into_owned())
    }
}
