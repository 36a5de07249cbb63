//! Writes what the table's rows say.

use super::facts::{Facts, Seen as Element, Value};
use super::table::{self, Key, Metric, Object, Part, Take};
use super::write::{Seen, Writer, cleaned};
use crate::config::Modules;

/// The lowest temperature of a sensor that was never read, by Klipper.
const NEVER: f64 = 99_999_999.0;

/// All rows of `modules`, in the table's order.
pub(super) fn write(facts: &Facts, modules: Modules, out: &mut Writer) {
    for object in table::objects().filter(|(_, object)| modules.has(object.module)) {
        let metrics = object.1.metrics.iter().enumerate();
        for metric in metrics.filter(|(_, metric)| !metric.name.is_empty()) {
            family(facts, object, metric, out);
        }
    }
}

fn family(
    facts: &Facts,
    object: (usize, &'static Object),
    (number, metric): (usize, &'static Metric),
    out: &mut Writer,
) {
    if metric.counter {
        out.counter(metric.name, metric.help);
    } else {
        out.gauge(metric.name, metric.help);
    }
    let mut seen = Seen::new();
    let mut name = String::new();
    for element in facts.elements(object).filter(|element| !element.is_empty()) {
        name.clear();
        match object.1.key {
            Key::One => {}
            Key::Plain | Key::All | Key::Field(_) => name.push_str(element.key()),
            Key::Part | Key::Clean(_) => cleaned(element.key(), &mut name),
            Key::Whole => cleaned(&element.key().replace(' ', "_"), &mut name),
        }
        // Of what there is but one, a second is not to be believed.
        if !seen.number(&mut name) || (object.1.key == Key::One && !name.is_empty()) {
            continue;
        }
        for value in element.of(number) {
            sample(element, (object.1.label, &name), (metric, value), out);
        }
    }
}

/// What one value becomes.
fn sample(
    element: Element<'_>,
    (label, name): (&str, &str),
    (metric, value): (&Metric, Value<'_>),
    out: &mut Writer,
) {
    let number = value.number().filter(|_| match metric.take {
        Take::Reading => element.number("measured_min_temp") != Some(NEVER),
        Take::Below(field) => value
            .sub
            .parse()
            .is_ok_and(|at: f64| element.number(field).is_some_and(|most| at < most)),
        Take::With(field) => element.word(field).is_some(),
        _ => true,
    });
    match metric.take {
        Take::Number
        | Take::Reading
        | Take::Below(_)
        | Take::With(_)
        | Take::Length
        | Take::Present => {
            let Some(number) = number else { return };
            out.label(label, name).label(metric.label, part_name(metric, value.sub)).sample(number);
        }
        Take::Text | Take::TextOf(_) | Take::Clean => {
            let Some(word) = value.word() else { return };
            out.label(label, name);
            let mut clean = String::new();
            let word = match metric.take {
                Take::Clean => {
                    cleaned(word, &mut clean);
                    &clean
                }
                _ => word,
            };
            if let Take::TextOf(of) = metric.take {
                out.label(of, value.sub);
            }
            out.label(metric.label, word).sample(1);
        }
        Take::OneOf(known) => {
            let Some(word) = value.word() else { return };
            let unknown = (!known.contains(&word)).then_some(word);
            for state in known.iter().copied().chain(unknown) {
                out.label(label, name).label(metric.label, state).sample(u8::from(state == word));
            }
        }
        Take::Letters => {
            for letter in value.word().unwrap_or_default().chars() {
                let mut bytes = [0; 4];
                out.label(label, name);
                out.label(metric.label, letter.encode_utf8(&mut bytes)).sample(1);
            }
        }
        Take::Is(text) => {
            let Some(word) = value.word() else { return };
            out.label(label, name).sample(u8::from(word == text));
        }
        Take::Record(parts) => record(element, (label, name), parts, out),
        Take::Keep => {}
    }
}

/// What a field's pattern stands for, as its label has it: axes and colors are numbered only in JSON.
fn part_name<'a>(metric: &Metric, sub: &'a str) -> &'a str {
    match (metric.label, sub) {
        ("axis", "0") => "x",
        ("axis", "1") => "y",
        ("axis", "2") => "z",
        ("axis", "3") => "e",
        ("color", "0") => "red",
        ("color", "1") => "green",
        ("color", "2") => "blue",
        ("color", "3") => "white",
        _ => sub,
    }
}

fn record(element: Element<'_>, (label, name): (&str, &str), parts: &[Part], out: &mut Writer) {
    let missing = |part: &&Part| element.word(part.field).is_none();
    // The first part is the field of the row itself where it must not be empty.
    if parts.iter().filter(|part| part.needed).any(|part| missing(&part)) {
        return;
    }
    out.label(label, name);
    for part in parts {
        let word = element.word(part.field);
        let mut clean = String::new();
        let word = match word {
            None => part.missing,
            Some(word) if part.clean => {
                cleaned(word, &mut clean);
                &clean
            }
            Some(word) => word,
        };
        out.label(part.label, word);
    }
    out.sample(1);
}
