//! The one question that Klipper is asked: which of a printer's objects, and which fields of them.
//!
//! It is made of the list of the printer's objects, as that streams in, and kept for the next probes.
//! It is sent as JSON, since Moonraker garbles names in a URL.

use std::fmt::Write as _;

use super::doc::Doc;
use super::pattern::{capture, is_wild};
use super::table::{self, Object};
use crate::config::Modules;
use crate::json::{Escaped, Malformed, Reader, Token};
use crate::limits::{KLIPPER_QUERY, KLIPPER_TEXT};

/// How deep the names are in the reply: `{"result":{"objects":["…"]}}`.
const DEPTH: usize = 3;

/// The question while the list is read.
pub(super) struct Listing {
    reader: Reader,
    modules: Modules,
    body: String,
    name: heapless::String<KLIPPER_TEXT>,
    /// The name is longer than any.
    long: bool,
}

impl Listing {
    pub(super) fn new(modules: Modules) -> Self {
        let (reader, name) = (Reader::new(), heapless::String::new());
        Self { reader, modules, body: String::new(), name, long: false }
    }

    /// Reads on.
    pub(super) fn read(&mut self, mut input: &[u8]) -> Result<(), Malformed> {
        loop {
            let depth = self.reader.depth();
            let Some(token) = self.reader.next(&mut input)? else { return Ok(()) };
            let Token::Text { piece, last } = token else { continue };
            if depth == DEPTH {
                self.long |= self.name.push_str(piece).is_err();
            }
            if last {
                if !self.long {
                    ask_for(&self.name, self.modules, &mut self.body);
                }
                self.name.clear();
                self.long = false;
            }
        }
    }

    /// The question, or nothing where the printer has nothing that is wanted.
    pub(super) fn finish(self) -> Result<Option<Box<str>>, Malformed> {
        self.reader.finish()?;
        let Self { body, .. } = self;
        Ok((!body.is_empty()).then(|| format!("{{\"objects\":{{{body}}}}}").into()))
    }
}

/// Adds an object to the question, if it is wanted and there is room.
fn ask_for(name: &str, modules: Modules, body: &mut String) {
    let before = body.len();
    let mut all = false;
    let mut fields: Vec<&str> = Vec::new();
    let wanted = table::objects()
        .filter(|(_, object)| object.doc == Doc::Objects && modules.has(object.module));
    for (path, object) in
        wanted.flat_map(|(_, object)| object.paths.iter().map(move |path| (*path, object)))
    {
        let (first, below) =
            path.split_once('/').map_or((path, None), |(one, two)| (one, Some(two)));
        if capture(first.as_bytes(), name, false).is_none() {
            continue;
        }
        for field in first_fields(object, below) {
            all |= field.is_empty() || is_wild(field.as_bytes());
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
    }
    if fields.is_empty() {
        return;
    }
    if before > 0 {
        body.push(',');
    }
    let _ = write!(body, "\"{}\":", Escaped(name));
    if all {
        body.push_str("null");
    } else {
        for (number, field) in fields.iter().enumerate() {
            body.push(if number > 0 { ',' } else { '[' });
            let _ = write!(body, "\"{field}\"");
        }
        body.push(']');
    }
    if body.len() > KLIPPER_QUERY {
        body.truncate(before);
    }
}

/// The fields of Klipper's object that an object of the table is in, or that its rows want.
fn first_fields(
    object: &'static Object,
    below: Option<&'static str>,
) -> impl Iterator<Item = &'static str> {
    let first = |way: &'static str, divider| way.split(divider).next().unwrap_or_default();
    let of_path = below.map(|below| first(below, '/'));
    let of_rows = object.metrics.iter().filter(move |_| below.is_none());
    of_path.into_iter().chain(of_rows.map(move |metric| first(metric.field, '.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(list: &str, modules: &[&str]) -> String {
        let mut all = Modules::NONE;
        modules.iter().for_each(|name| all.add(name).unwrap());
        let whole = |cut: usize| {
            let mut listing = Listing::new(all);
            listing.read(list.get(..cut).unwrap().as_bytes()).unwrap();
            listing.read(list.get(cut..).unwrap().as_bytes()).unwrap();
            listing.finish().unwrap().unwrap_or_default().to_string()
        };
        let want = whole(0);
        for cut in (1..=list.len()).filter(|cut| list.is_char_boundary(*cut)) {
            assert_eq!(whole(cut), want, "{cut}");
        }
        want
    }

    #[test]
    fn only_what_is_there_and_wanted_is_asked_for() {
        let list = |names: &str| format!(r#"{{"result":{{"objects":[{names}],"x":"fan"}}}}"#);
        let cases = [
            (
                r#""fan","heaters","gcode""#,
                "printer_objects",
                r#"{"objects":{"fan":["speed","rpm"]}}"#,
            ),
            (r#""fan""#, "mmu", ""),
            ("", "printer_objects", ""),
            (
                r#""output_pin a\"\u00e4 &=","query_endstops""#,
                "printer_objects,query_endstops",
                r#"{"objects":{"output_pin a\"ä &=":["value"],"query_endstops":["last_query"]}}"#,
            ),
            (r#""mcu x""#, "printer_objects", r#"{"objects":{"mcu x":["last_stats"]}}"#),
            (
                r#""mmu_machine","tmc2209 x""#,
                "mmu,printer_objects",
                r#"{"objects":{"mmu_machine":null,"tmc2209 x":["temperature","run_current","drv_status"]}}"#,
            ),
        ];
        for (names, modules, want) in cases {
            let modules: Vec<&str> = modules.split(',').collect();
            assert_eq!(question(&list(names), &modules), want, "{names}");
        }
    }

    #[test]
    fn a_question_has_its_limit() {
        let names: Vec<String> = (0..10_000).map(|n| format!(r#""output_pin {n}""#)).collect();
        let list = format!(r#"{{"result":{{"objects":[{}]}}}}"#, names.join(","));
        let mut listing = Listing::new(Modules::all());
        listing.read(list.as_bytes()).unwrap();
        let question = listing.finish().unwrap().unwrap();
        assert!(question.len() <= KLIPPER_QUERY + 20, "{}", question.len());
    }
}
