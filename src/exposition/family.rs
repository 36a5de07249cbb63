//! Which family a name belongs to, over all pages of a merge, and the order in which they leave.
//!
//! A sample belongs to the family declared with exactly its name; else to the declared histogram or
//! summary whose part its name is; else to an untyped family of its own. Where pages disagree on a
//! family's type it dissolves: each of its sample names becomes an untyped family.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::line::Kind;
use super::page::Page;
use crate::memory::{Budget, Full, Lease, Table};

/// The name that `name` is a part of if that is a histogram, and whether it could be a summary too.
pub(super) fn stem(name: &[u8]) -> Option<(&[u8], bool)> {
    if let Some(stem) = name.strip_suffix(b"_bucket") {
        return Some((stem, false));
    }
    let stem = name.strip_suffix(b"_sum").or_else(|| name.strip_suffix(b"_count"))?;
    Some((stem, true))
}

/// What a family of `kind` calls its parts.
const fn parts(kind: Option<Kind>) -> &'static [&'static [u8]] {
    match kind {
        Some(Kind::Histogram) => &[b"_bucket", b"_sum", b"_count"],
        Some(Kind::Summary) => &[b"_sum", b"_count"],
        _ => &[],
    }
}

/// A name in one of the pages: the page's number and its own there.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameRef {
    pub(super) page: u16,
    pub(super) name: u16,
}

/// A name over all pages, and, if samples belong to it, the family of that name.
#[derive(Debug)]
pub(super) struct Family {
    /// Where its name can be read.
    pub(super) at: NameRef,
    /// Where its HELP can be read.
    pub(super) help: Option<NameRef>,
    /// What it is declared as; `None` once it has dissolved.
    pub(super) kind: Option<Kind>,
    /// Runs of samples that belong to it; then the number of its first one.
    pub(super) runs: u32,
    hash: u32,
    next: u32,
    /// The family that samples of this name belong to.
    pub(super) family: u32,
    sampled: bool,
    declared: bool,
    contradicted: bool,
    odd_le: bool,
    odd_quantile: bool,
    placed: bool,
}

const NONE: u32 = u32::MAX;
/// Chains of the table; with their lease they are a block.
const HEADS: usize = 4096;

/// All names of all pages.
pub(super) struct Families {
    pub(super) all: Table<Family>,
    /// For each page, where its names begin in `numbers`.
    bases: Vec<usize>,
    /// For each page's names, their number in `all`.
    numbers: Table<u32>,
    heads: Vec<u32>,
    _heads_lease: Lease,
    hasher: RandomState,
    /// Whether names that need quotes are told apart without them.
    bare: bool,
}

impl Families {
    pub(super) fn new(bare: bool, budget: &Budget) -> Result<Self, Full> {
        Ok(Self {
            all: Table::default(),
            bases: Vec::new(),
            numbers: Table::default(),
            _heads_lease: budget.lease()?,
            heads: vec![NONE; HEADS],
            hasher: RandomState::default(),
            bare,
        })
    }

    /// Takes in the names of the last of `pages`.
    pub(super) fn add<P: AsRef<Page>>(&mut self, pages: &[P], budget: &Budget) -> Result<(), Full> {
        let Some(page) = pages.last().map(AsRef::as_ref) else { return Ok(()) };
        let page_number = u16::try_from(pages.len().saturating_sub(1)).map_err(|_| Full)?;
        let first = self.bases.is_empty();
        if first {
            self.hasher = page.index().hasher.clone();
        }
        self.bases.push(self.numbers.len());
        // Pages of one kind have the same names in the same order.
        let mut guess = 0_u32;
        for (number, name) in page.index().names.iter().enumerate() {
            let at = NameRef { page: page_number, name: u16::try_from(number).map_err(|_| Full)? };
            let bytes = page.name(name, self.bare);
            let global = if self.is_named(pages, guess, bytes) {
                guess
            } else {
                let known = first && name.bare == name.written;
                let hash = if known { name.hash } else { self.hash(bytes) };
                match self.find_hashed(pages, bytes, hash) {
                    Some(known) => known,
                    None => self.insert(hash, at, budget)?,
                }
            };
            guess = global.saturating_add(1);
            self.numbers.push(global, budget)?;
            let Some(family) = usize::try_from(global).ok().and_then(|at| self.all.get_mut(at))
            else {
                return Err(Full);
            };
            family.sampled |= name.sampled;
            family.odd_le |= name.odd_le;
            family.odd_quantile |= name.odd_quantile;
            if name.help.is_some() {
                family.help.get_or_insert(at);
            }
            if let Some(kind) = name.kind {
                family.declared = true;
                let known = *family.kind.get_or_insert(kind);
                family.contradicted |= name.contradicted || known.word() != kind.word();
            }
        }
        Ok(())
    }

    fn hash(&self, name: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(name);
        u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// The chain of the names with this hash.
    fn head(hash: u32) -> usize {
        usize::try_from(hash).unwrap_or(0) & HEADS.saturating_sub(1)
    }

    fn is_named<P: AsRef<Page>>(&self, pages: &[P], number: u32, name: &[u8]) -> bool {
        self.get(number).is_some_and(|family| self.name(pages, family.at) == name)
    }

    fn find<P: AsRef<Page>>(&self, pages: &[P], name: &[u8]) -> Option<u32> {
        self.find_hashed(pages, name, self.hash(name))
    }

    fn find_hashed<P: AsRef<Page>>(&self, pages: &[P], name: &[u8], hash: u32) -> Option<u32> {
        let mut at = self.heads.get(Self::head(hash)).copied()?;
        while let Some(family) = self.get(at) {
            if family.hash == hash && self.name(pages, family.at) == name {
                return Some(at);
            }
            at = family.next;
        }
        None
    }

    fn insert(&mut self, hash: u32, at: NameRef, budget: &Budget) -> Result<u32, Full> {
        let number = u32::try_from(self.all.len()).map_err(|_| Full)?;
        let head = self.heads.get_mut(Self::head(hash)).ok_or(Full)?;
        let family = Family {
            at,
            help: None,
            kind: None,
            runs: 0,
            hash,
            next: *head,
            family: number,
            sampled: false,
            declared: false,
            contradicted: false,
            odd_le: false,
            odd_quantile: false,
            placed: false,
        };
        self.all.push(family, budget)?;
        *head = number;
        Ok(number)
    }

    /// A name's bytes.
    pub(super) fn name<'p, P: AsRef<Page>>(&self, pages: &'p [P], at: NameRef) -> &'p [u8] {
        let page = pages.get(usize::from(at.page)).map(AsRef::as_ref);
        page.and_then(|page| {
            page.index().names.get(at.name.into()).map(|name| page.name(name, self.bare))
        })
        .unwrap_or_default()
    }

    /// Family number `number`.
    pub(super) fn get(&self, number: u32) -> Option<&Family> {
        self.all.get(usize::try_from(number).ok()?)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Family> {
        self.all.get_mut(usize::try_from(number).ok()?)
    }

    /// The family that samples of name `name` of page `page` belong to.
    pub(super) fn of(&self, page: usize, name: u16) -> Option<u32> {
        let base = self.bases.get(page)?;
        let number = self.numbers.get(base.saturating_add(name.into()))?;
        self.get(*number).map(|name| name.family)
    }

    /// Gives every name its family. Returns how many families dissolved.
    pub(super) fn resolve<P: AsRef<Page>>(&mut self, pages: &[P]) -> usize {
        let dissolved = self.dissolve(pages);
        for number in self.numbers_of_all() {
            let Some(name) = self.get(number) else { continue };
            if name.declared {
                continue;
            }
            let bytes = self.name(pages, name.at);
            let family = stem(bytes).and_then(|(stem, of_summary)| {
                let stem = self.find(pages, stem)?;
                let fits = match self.get(stem)?.kind {
                    Some(Kind::Histogram) => true,
                    Some(Kind::Summary) => of_summary,
                    _ => false,
                };
                fits.then_some(stem)
            });
            if let (Some(family), Some(name)) = (family, self.get_mut(number)) {
                name.family = family;
            }
        }
        dissolved
    }

    fn numbers_of_all(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.all.len()).unwrap_or(NONE)
    }

    /// Takes their type from the families on which pages disagree, and from histograms and
    /// summaries whose bounds are no numbers, which Prometheus' library refuses.
    fn dissolve<P: AsRef<Page>>(&mut self, pages: &[P]) -> usize {
        let mut dissolved = 0_usize;
        for number in self.numbers_of_all() {
            let Some(family) = self.get(number) else { continue };
            let Some(kind) = family.kind else { continue };
            if family.contradicted || self.has_odd_bounds(pages, family, kind) {
                dissolved = dissolved.saturating_add(1);
                if let Some(family) = self.get_mut(number) {
                    family.kind = None;
                }
            }
        }
        dissolved
    }

    fn has_odd_bounds<P: AsRef<Page>>(&self, pages: &[P], family: &Family, kind: Kind) -> bool {
        let odd = |family: &Family| match kind {
            Kind::Histogram => family.odd_le,
            Kind::Summary => family.odd_quantile,
            _ => false,
        };
        odd(family)
            || parts(Some(kind)).iter().any(|part| {
                let part = self.find(pages, &[self.name(pages, family.at), part].concat());
                part.and_then(|part| self.get(part)).is_some_and(|part| !part.declared && odd(part))
            })
    }

    /// Calls `place` with the families that have samples, in the order in which they leave: that of
    /// first appearance, but a family before the one whose part its name could be taken for.
    pub(super) fn in_order<P: AsRef<Page>>(
        &mut self,
        pages: &[P],
        mut place: impl FnMut(u32, &mut Family) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let mut stack = Vec::new();
        for number in self.numbers_of_all() {
            stack.extend(self.get(number).map(|name| name.family));
            while let Some(&top) = stack.last() {
                if let Some(first) = self.must_go_before(pages, top) {
                    stack.push(first);
                    continue;
                }
                stack.pop();
                if let Some(family) = self.get_mut(top)
                    && !family.placed
                {
                    family.placed = true;
                    if family.runs > 0 {
                        place(top, family)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A family, not placed yet, whose name is that of a part of family `number`.
    fn must_go_before<P: AsRef<Page>>(&self, pages: &[P], number: u32) -> Option<u32> {
        let family = self.get(number)?;
        if family.placed {
            return None;
        }
        parts(family.kind).iter().find_map(|part| {
            let part = self.find(pages, &[self.name(pages, family.at), part].concat())?;
            let own = self.get(part)?;
            (own.family == part && !own.placed).then_some(part)
        })
    }
}
