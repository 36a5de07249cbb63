//! What is read where, and what it is called: one row a metric.
//!
//! An [`Object`] is a place in one of Moonraker's replies, or several of a kind; its [`Metric`]s are
//! fields below it. The walker (`walk.rs`) keeps the fields that rows ask for, and the page
//! (`page.rs`) is written from them row by row, so that a row is all there is to most metrics. What
//! rows cannot say is in `special.rs`.
//!
//! Names, types and labels of the modules up to `cfs` are those of prometheus-klipper-exporter 0.16,
//! whose dashboards are in use; `klipper_` is left out in front of all names.

mod cfs;
mod mmu;
mod more;
mod printer;
mod server;

use super::doc::Doc;
use crate::config::{Module, Modules};

/// A place in a reply.
pub(super) struct Object {
    /// The reply.
    pub(super) doc: Doc,
    /// Who wants it.
    pub(super) module: Module,
    /// Where it is below the reply's `result`, or below `status` among Klipper's objects: segments with
    /// `/` between them. `*` stands for anything, `#` for digits or, alone, for a list's number.
    pub(super) paths: &'static [&'static str],
    /// What tells one from another of its kind.
    pub(super) key: Key,
    /// The label that this becomes; empty for none.
    pub(super) label: &'static str,
    /// What is read of it.
    pub(super) metrics: &'static [Metric],
}

impl Object {
    /// Whether this text stands for nothing here.
    pub(super) fn is_absent(&self, text: &str) -> bool {
        self.module == Module::Cfs && matches!(text, "" | "-1" | "None")
    }
}

/// What tells one object from others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// There is but one.
    One,
    /// What the last segment's `*` stands for, cleaned.
    Part,
    /// The same as it is.
    Plain,
    /// All of the last segment, cleaned.
    Whole,
    /// The same as it is.
    All,
    /// The text of this field, cleaned.
    Clean(&'static str),
    /// The text or number of this field, as it is.
    Field(&'static str),
}

/// One family, or a field that others need.
pub(super) struct Metric {
    /// Where it is below its object: segments with `.` between them, patterns as in [`Object::paths`];
    /// empty for the object itself.
    pub(super) field: &'static str,
    /// Without `klipper_`; empty for none.
    pub(super) name: &'static str,
    pub(super) take: Take,
    pub(super) counter: bool,
    /// The label for what a pattern in `field` stands for, or for the text.
    pub(super) label: &'static str,
    pub(super) help: &'static str,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Take {
    /// A number, also one in a text, or `true` and `false` as 1 and 0.
    Number,
    /// The same, of a sensor that has been read at least once.
    Reading,
    /// The same, of a list's elements below the number in this field.
    Below(&'static str),
    /// The same, where this field has a text.
    With(&'static str),
    /// 1, and the text as a label.
    Text,
    /// 1, and the text as a label, cleaned.
    Clean,
    /// The same, what the field's pattern stands for being this label.
    TextOf(&'static str),
    /// 1 for the text that it is, 0 for each other of these, the text as a label.
    OneOf(&'static [&'static str]),
    /// The same as [`Take::Text`] for each letter.
    Letters,
    /// Whether it is this text.
    Is(&'static str),
    /// How many elements the list has.
    Length,
    /// Whether it is not null.
    Present,
    /// 1, and these fields as labels, where the field is there.
    Record(&'static [Part]),
    /// Nothing by itself.
    Keep,
}

/// A label of a record.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) label: &'static str,
    pub(super) field: &'static str,
    pub(super) clean: bool,
    /// Whether there is no record without it.
    pub(super) needed: bool,
    /// What it says where the field is missing.
    pub(super) missing: &'static str,
}

const fn part(label: &'static str, field: &'static str) -> Part {
    Part { label, field, clean: false, needed: false, missing: "" }
}

const fn clean(label: &'static str, field: &'static str) -> Part {
    Part { clean: true, ..part(label, field) }
}

const fn metric(
    field: &'static str,
    name: &'static str,
    take: Take,
    (label, help): (&'static str, &'static str),
) -> Metric {
    Metric { field, name, take, counter: false, label, help }
}

/// A gauge.
const fn gauge(field: &'static str, name: &'static str, help: &'static str) -> Metric {
    metric(field, name, Take::Number, ("", help))
}

/// A gauge of each element of a list, or of each value of a map.
const fn each(
    field: &'static str,
    name: &'static str,
    label: &'static str,
    help: &'static str,
) -> Metric {
    metric(field, name, Take::Number, (label, help))
}

/// A counter.
const fn counter(field: &'static str, name: &'static str, help: &'static str) -> Metric {
    Metric { counter: true, ..gauge(field, name, help) }
}

/// 1 with a text as a label.
const fn text(
    field: &'static str,
    name: &'static str,
    label: &'static str,
    help: &'static str,
) -> Metric {
    metric(field, name, Take::Text, (label, help))
}

/// A field that is needed for something else.
const fn keep(field: &'static str) -> Metric {
    metric(field, "", Take::Keep, ("", ""))
}

/// All of it.
const TABLES: [&[Object]; 6] = [
    server::OBJECTS,
    printer::OBJECTS,
    mmu::OBJECTS,
    cfs::OBJECTS,
    more::OBJECTS,
    special::OBJECTS,
];

/// Whether one of `modules` needs this reply.
pub(super) fn need(modules: Modules, doc: Doc) -> bool {
    objects().any(|(_, object)| object.doc == doc && modules.has(object.module))
}

/// All objects with their numbers.
pub(super) fn objects() -> impl Iterator<Item = (usize, &'static Object)> {
    TABLES.into_iter().flatten().enumerate()
}

/// How many there are.
pub(super) fn count() -> usize {
    objects().count()
}

/// What special metrics need that no row of an object above says.
mod special {
    use super::{Doc, Key, Metric, Module, Object, keep};

    const fn keeps(
        module: Module,
        paths: &'static [&'static str],
        metrics: &'static [Metric],
    ) -> Object {
        Object { doc: Doc::Objects, module, paths, key: Key::One, label: "", metrics }
    }

    pub(super) const OBJECTS: &[Object] = &[
        keeps(Module::History, &["print_stats"], &[keep("total_duration")]),
        // Whether Klipper is there, and whether it is the one that was there before.
        keeps(Module::Core, &["webhooks"], &[keep("state")]),
        // Whether a live query of end stops would disturb it.
        keeps(Module::Core, &["print_stats"], &[keep("state")]),
        keeps(Module::Core, &["idle_timeout"], &[keep("state")]),
        keeps(Module::Core, &["mcu"], &[keep("last_stats.bytes_write")]),
        Object {
            doc: Doc::Settings,
            ..keeps(Module::Core, &["configfile/settings/extruder"], &[keep("filament_diameter")])
        },
        Object {
            doc: Doc::Settings,
            ..keeps(
                Module::Core,
                &["configfile/settings/input_shaper"],
                &[keep("shaper_freq_x"), keep("shaper_freq_y")],
            )
        },
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that `text` uses.
    fn names_in(text: &str) -> impl Iterator<Item = &str> {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.split(move |c| !letter(c)).filter_map(|word| word.strip_prefix("klipper_"))
    }

    #[test]
    fn the_dashboard_uses_what_there_is() {
        let written = [include_str!("derived.rs"), include_str!("verdict.rs")].concat();
        for name in names_in(include_str!("dashboard.json")) {
            let in_table =
                objects().any(|(_, object)| object.metrics.iter().any(|it| it.name == name));
            assert!(in_table || written.contains(&format!("\"{name}\"")), "{name}");
        }
    }

    #[test]
    fn no_family_comes_twice_and_each_has_what_it_needs() {
        let mut names = std::collections::BTreeSet::new();
        for (_, object) in objects() {
            let place = format!("{:?} {:?}", object.doc, object.paths);
            assert!(object.metrics.len() < 256 && !object.paths.is_empty(), "{place}");
            for metric in object.metrics {
                let named = !metric.name.is_empty();
                assert_eq!(named, !matches!(metric.take, Take::Keep), "{place} {}", metric.field);
                assert!(!named || names.insert(metric.name), "{place} {}", metric.name);
                assert_eq!(named, metric.help.ends_with('.'), "{place} {}", metric.name);
                // Else a pattern's parts are one series.
                let wild = metric.field.ends_with(['*', '#']) || metric.field.contains("*.");
                assert!(!(named && wild && metric.label.is_empty()), "{place} {}", metric.name);
                if let Take::Record(parts) = metric.take {
                    for part in parts {
                        let read = object.metrics.iter().any(|metric| metric.field == part.field);
                        assert!(read, "{place} {}", part.field);
                    }
                }
            }
        }
        assert!(names.len() > 250, "{}", names.len());
    }
}
