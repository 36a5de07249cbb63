//! Checks a sample against its family and the samples before it.

use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::advice::Advice;
use super::cursor::Cursor;
use super::family::Type;
use super::fault::{Excerpt, Fault, Place};
use super::sample::{Label, Sample, Text};
use super::{Desk, Linter};
use crate::exposition::number;

impl Linter {
    /// `line` has neither line feed nor carriage return at its end.
    pub(super) fn sample(&mut self, line: &[u8], desk: &mut Desk<'_>) {
        let mut cursor = Cursor::new(line);
        let lead = !cursor.blanks().is_empty();
        let bare = cursor.peek() != Some(b'{');
        let mut sample = Sample::default();
        let stop = sample.read(&mut cursor).err();
        let kind = match &sample.name {
            Some(name) => self.join(name, &sample.labels, desk),
            None => None,
        };
        check_labels(&sample.labels, kind.and_then(Type::bound), desk);
        if let Some(stop) = stop {
            return desk.fault(stop.column, stop.fault);
        }
        if lead && bare {
            desk.advice(1, Advice::LeadingBlank);
        }
        if let Some(column) = sample.sign {
            desk.advice(column, Advice::SignedTimestamp);
        }
        advise_bound(&sample, kind, desk);
        self.advise_repeated(&sample, desk);
    }

    /// Counts a sample in its family and returns the family's type.
    fn join(&mut self, name: &Text<'_>, labels: &[Label<'_>], desk: &mut Desk<'_>) -> Option<Type> {
        let spot = (desk.line, name.column);
        let key = self.families.key(&name.bytes);
        let (family, left) = self.families.enter(key, spot);
        family.samples.get_or_insert(desk.line);
        for label in labels {
            if !family.labels.contains_key(&*label.name.bytes) {
                let spot = (desk.line, label.name.column);
                family.labels.insert(label.name.bytes.to_vec(), spot);
            }
        }
        if let Some(left) = left {
            desk.fault(name.column, Fault::Split(Excerpt::family(key, &name.bytes), left));
        }
        family.kind()
    }

    /// The same series twice is valid, but Prometheus keeps only one.
    fn advise_repeated(&mut self, sample: &Sample<'_>, desk: &mut Desk<'_>) {
        let Some(name) = &sample.name else { return };
        let mut pairs: Vec<_> = sample
            .labels
            .iter()
            .map(|label| (&label.name.bytes, &label.value.bytes))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        pairs.sort_unstable();
        let mut hasher = DefaultHasher::new();
        (&name.bytes, pairs, sample.timestamp).hash(&mut hasher);
        match self.series.entry(hasher.finish()) {
            Entry::Occupied(first) => {
                desk.advice(name.column, Advice::DuplicateSeries(*first.get()));
            }
            Entry::Vacant(free) => {
                free.insert(desk.line);
            }
        }
    }
}

/// The labels by themselves; `bound` is the one that is a number and that the parser does not
/// count among the labels of a series.
fn check_labels(labels: &[Label<'_>], bound: Option<&'static str>, desk: &mut Desk<'_>) {
    let mut seen = HashSet::new();
    for Label { name, value } in labels {
        let again = !seen.insert(&name.bytes);
        let special = bound.filter(|bound| bound.as_bytes() == &*name.bytes);
        match special {
            _ if *name.bytes == *b"__name__" => desk.fault(name.column, Fault::ReservedLabel),
            Some(bound) if again => desk.advice(name.column, Advice::DuplicateBound(bound)),
            None if again => {
                desk.fault(name.column, Fault::DuplicateLabel(Excerpt::new(&name.bytes)));
            }
            _ => {}
        }
        if str::from_utf8(&value.bytes).is_err() {
            let place = Place::LabelValue(Excerpt::new(&name.bytes));
            desk.fault(value.column, Fault::NotUtf8(place));
        } else if let Some(bound) = special
            && let Err(why) = number::float(&value.bytes)
        {
            desk.fault(value.column, Fault::Bound(bound, why, Excerpt::new(&value.bytes)));
        }
    }
}

/// What a histogram's or summary's sample says without meaning it.
fn advise_bound(sample: &Sample<'_>, kind: Option<Type>, desk: &mut Desk<'_>) {
    let (Some(name), Some(bound)) = (&sample.name, kind.and_then(Type::bound)) else { return };
    let count = name.bytes.ends_with(b"_count");
    let has_bound = sample.labels.iter().any(|label| *label.name.bytes == *bound.as_bytes());
    if !has_bound && !count && !name.bytes.ends_with(b"_sum") {
        desk.advice(name.column, Advice::NoBound(bound));
    }
    if kind == Some(Type::Histogram)
        && (count || has_bound)
        && sample.value.is_some_and(|value| value < 0.0)
    {
        desk.advice(sample.value_column, Advice::NegativeCount);
    }
}
