//! The families of a page: which one a name belongs to, and what was seen of it.

use std::collections::{BTreeMap, HashMap};

/// A metric's type, as far as the rules tell types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Counter,
    Gauge,
    Summary,
    Untyped,
    Histogram,
    GaugeHistogram,
}

impl Type {
    /// The type that `word` names, in any case.
    pub(super) fn named(word: &[u8]) -> Option<Self> {
        let types = [
            ("counter", Self::Counter),
            ("gauge", Self::Gauge),
            ("summary", Self::Summary),
            ("untyped", Self::Untyped),
            ("histogram", Self::Histogram),
            ("gauge_histogram", Self::GaugeHistogram),
        ];
        types
            .into_iter()
            .find_map(|(name, which)| word.eq_ignore_ascii_case(name.as_bytes()).then_some(which))
    }

    /// The label that tells the samples of one series apart, and is no label of the series.
    pub(super) const fn bound(self) -> Option<&'static str> {
        match self {
            Self::Histogram => Some("le"),
            Self::Summary => Some("quantile"),
            _ => None,
        }
    }

    /// What is put to the family's name to make those of its samples.
    pub(super) const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Histogram => &["_count", "_sum", "_bucket"],
            Self::Summary => &["_count", "_sum"],
            _ => &[],
        }
    }
}

/// A line and a column.
pub(super) type Spot = (usize, usize);

/// What was seen of one family. Lines are numbered from 1.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// Where its name stands first.
    pub(super) first: Spot,
    /// Its last line yet.
    pub(super) last: usize,
    pub(super) help: Option<usize>,
    /// TYPE's line and what it says.
    pub(super) declared: Option<(usize, Type)>,
    /// Its first sample's line.
    pub(super) samples: Option<usize>,
    /// Where each of its labels stands first.
    pub(super) labels: BTreeMap<Vec<u8>, Spot>,
}

impl Family {
    /// Its type; `None` where TYPE says nothing.
    pub(super) fn kind(&self) -> Option<Type> {
        self.declared.map(|(_, kind)| kind)
    }
}

/// All families of a page, and the one that the last line belonged to.
#[derive(Debug, Default)]
pub(super) struct Families {
    by_name: HashMap<Vec<u8>, Family>,
    current: Vec<u8>,
}

impl Families {
    /// The family that a line about `name` belongs to: the one of that name, else the summary or
    /// histogram whose derived name it is, else a new one of that name.
    ///
    /// Only what stands on earlier lines counts.
    ///
    /// # Source
    ///
    /// `setOrCreateCurrentMF` in `expfmt/text_parse.go` of prometheus/common.
    pub(super) fn key<'n>(&self, name: &'n [u8]) -> &'n [u8] {
        if self.by_name.contains_key(name) {
            return name;
        }
        ["_count", "_sum", "_bucket"]
            .into_iter()
            .find_map(|suffix| {
                let stem = name.strip_suffix(suffix.as_bytes())?;
                let kind = self.by_name.get(stem)?.kind()?;
                kind.suffixes().contains(&suffix).then_some(stem)
            })
            .unwrap_or(name)
    }

    /// The family `key`, entered by a line that has its name in `column`; and the line on which it
    /// was left, if others came in between.
    pub(super) fn enter(
        &mut self,
        key: &[u8],
        (line, column): Spot,
    ) -> (&mut Family, Option<usize>) {
        let known = self.by_name.contains_key(key);
        let away = self.current != key;
        if away {
            self.current = key.to_vec();
        }
        let family = self.by_name.entry(key.to_vec()).or_default();
        if !known {
            family.first = (line, column);
        }
        let left = (known && away).then_some(family.last);
        family.last = line;
        (family, left)
    }

    /// All families with their names, in the order in which the page has them.
    pub(super) fn in_order(&self) -> Vec<(&[u8], &Family)> {
        let mut all: Vec<_> =
            self.by_name.iter().map(|(name, family)| (name.as_slice(), family)).collect();
        all.sort_unstable_by_key(|(_, family)| family.first);
        all
    }
}
