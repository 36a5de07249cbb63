//! Advice on names, as Prometheus' guide to naming gives it.

use super::Desk;
use super::advice::Advice;
use super::family::{Families, Family, Type};
use super::fault::Excerpt;

/// Last words of names and the base unit that the guide wants instead.
const UNITS: [(&str, &str); 34] = [
    ("nanoseconds", "seconds"),
    ("microseconds", "seconds"),
    ("milliseconds", "seconds"),
    ("ns", "seconds"),
    ("us", "seconds"),
    ("ms", "seconds"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("bits", "bytes"),
    ("kilobytes", "bytes"),
    ("megabytes", "bytes"),
    ("gigabytes", "bytes"),
    ("kibibytes", "bytes"),
    ("mebibytes", "bytes"),
    ("gibibytes", "bytes"),
    ("kb", "bytes"),
    ("mb", "bytes"),
    ("gb", "bytes"),
    ("fahrenheit", "celsius"),
    ("millimeters", "meters"),
    ("centimeters", "meters"),
    ("kilometers", "meters"),
    ("inches", "meters"),
    ("feet", "meters"),
    ("miles", "meters"),
    ("kilograms", "grams"),
    ("milliamperes", "amperes"),
    ("millivolts", "volts"),
    ("kilovolts", "volts"),
    ("milliwatts", "watts"),
    ("kilowatts", "watts"),
    ("percent", "ratio"),
];

/// Gives advice on every family that has samples.
pub(super) fn advise(families: &Families, desk: &mut Desk<'_>) {
    for (name, family) in families.in_order() {
        if family.samples.is_some() {
            name_alone(name, family, desk);
            if let Some(kind) = family.kind().filter(|kind| *kind != Type::Untyped) {
                name_by_type(name, kind, family, desk);
            }
            labels(name, family, desk);
        }
    }
}

/// What can be said without the type.
fn name_alone(name: &[u8], family: &Family, desk: &mut Desk<'_>) {
    let shown = || Excerpt::new(name);
    if family.help.is_none() {
        desk.advice_at(family.first, Advice::NoHelp(shown()));
    }
    if name.contains(&b':') {
        desk.advice_at(family.first, Advice::Colon(shown()));
    }
    if is_camel(name) {
        desk.advice_at(family.first, Advice::CamelCase(shown()));
    }
    let stem = name.strip_suffix(b"_total").unwrap_or(name);
    let last = stem.rsplit(|&byte| byte == b'_').next().unwrap_or(stem);
    let unit = UNITS.iter().find(|(unit, _)| unit.as_bytes() == last);
    if let Some(&(unit, base)) = unit.filter(|_| last.len() < stem.len()) {
        desk.advice_at(family.first, Advice::Unit(shown(), unit, base));
    }
}

/// What the type says about the end of the name.
fn name_by_type(name: &[u8], kind: Type, family: &Family, desk: &mut Desk<'_>) {
    let shown = || Excerpt::new(name);
    match (kind, name.ends_with(b"_total")) {
        (Type::Counter, false) => desk.advice_at(family.first, Advice::NoTotal(shown())),
        (Type::Counter, true) | (_, false) => {}
        (_, true) => desk.advice_at(family.first, Advice::StrayTotal(shown())),
    }
    for suffix in ["_bucket", "_count", "_sum"] {
        if name.ends_with(suffix.as_bytes()) && !kind.suffixes().contains(&suffix) {
            desk.advice_at(family.first, Advice::ReservedSuffix(shown(), suffix));
        }
    }
}

/// What can be said about the labels.
fn labels(name: &[u8], family: &Family, desk: &mut Desk<'_>) {
    let typed = family.kind().filter(|kind| *kind != Type::Untyped);
    for (label, &spot) in &family.labels {
        if is_camel(label) {
            desk.advice_at(spot, Advice::CamelCase(Excerpt::new(label)));
        }
        let reserved = ["le", "quantile"].into_iter().find(|known| known.as_bytes() == label);
        if let (Some(kind), Some(reserved)) = (typed, reserved)
            && kind.bound() != Some(reserved)
        {
            desk.advice_at(spot, Advice::ReservedLabel(reserved, Excerpt::new(name)));
        }
    }
}

/// Whether a capital follows a small letter.
fn is_camel(name: &[u8]) -> bool {
    name.windows(2).any(
        |pair| matches!(pair, [small, capital] if small.is_ascii_lowercase() && capital.is_ascii_uppercase()),
    )
}
