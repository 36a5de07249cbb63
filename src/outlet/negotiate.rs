//! What the scraper, or the browser, can read.

use crate::exposition::Names;
use crate::http::fields::is_gzip;

/// How names that need quotes leave, by the request's Accept: in quotes only where it says
/// `escaping=allow-utf-8`; an older Prometheus refuses a whole page for one of them.
#[must_use]
pub(super) fn names(accept: &str) -> Names {
    let allows = |parameter: &str| {
        let parameter = parameter.trim();
        let value = parameter.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        value.is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("escaping")
                && value.trim_matches('"').eq_ignore_ascii_case("allow-utf-8")
        })
    };
    let range = |range: &str| range.split(';').skip(1).any(allows);
    if accept.split(',').any(range) { Names::Quoted } else { Names::Underscores }
}

/// Whether the scraper takes a body packed with gzip: what its Accept-Encoding says of `gzip`, by
/// either name, else of `*`. `accept_encoding` is all fields of that name, joined with commas; a
/// weight that is no weight counts as none at all, since an unpacked body is right for everybody.
///
/// # Source
///
/// RFC 9110, sections 12.4.2 and 12.5.3; `x-gzip` is section 8.4.1.3.
#[must_use]
pub(super) fn accepts_gzip(accept_encoding: &str) -> bool {
    let (mut named, mut any) = (None, false);
    for coding in accept_encoding.split(',') {
        let mut parts = coding.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let weight = |part: &str| stated_weight(part).map(|weight| weight.unwrap_or(0) > 0);
        let wanted = parts.all(|part| weight(part) == Some(true));
        if is_gzip(name) {
            named = Some(named.unwrap_or(false) || wanted);
        } else if name == "*" {
            any |= wanted;
        }
    }
    named.unwrap_or(any)
}

/// Whether a request with these Accept fields prefers `application/json` to `text/html`. Where it
/// likes both the same, or neither, it does not.
///
/// # Source
///
/// RFC 9110, section 12.5.1: of the ranges that fit a type, the most specific one counts. A range
/// whose weight is none is passed over.
#[must_use]
#[cfg(feature = "status")]
pub(super) fn prefers_json(accept: &[&str]) -> bool {
    let ranges = || accept.iter().flat_map(|field| field.split(','));
    weight(ranges(), "application", "json") > weight(ranges(), "text", "html")
}

/// A form in which a list for people and programs can leave.
#[cfg(feature = "push")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For a terminal: what curl gets, which takes anything.
    Text,
    /// For a browser.
    Html,
    /// For a program.
    Json,
}

/// The form that a request with these Accept fields likes best; of those that it likes the same, the
/// first.
#[must_use]
#[cfg(feature = "push")]
pub(super) fn form(accept: &[&str]) -> Form {
    let ranges = || accept.iter().flat_map(|field| field.split(','));
    let weights = [("text", "plain"), ("text", "html"), ("application", "json")];
    match weights.map(|(kind, sub)| weight(ranges(), kind, sub)) {
        [text, html, json] if json > text && json > html => Form::Json,
        [text, html, _] if html > text => Form::Html,
        _ => Form::Text,
    }
}

/// How much a type is wanted, in thousandths.
#[cfg(any(feature = "push", feature = "status"))]
fn weight<'a>(ranges: impl Iterator<Item = &'a str>, kind: &str, sub: &str) -> u16 {
    let mut best = (0, 0);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let Some((this, its_sub)) = parts.next().and_then(|name| name.split_once('/')) else {
            continue;
        };
        let specific = match (this, its_sub) {
            ("*", "*") => 1,
            (this, "*") if this.eq_ignore_ascii_case(kind) => 2,
            (this, its_sub)
                if this.eq_ignore_ascii_case(kind) && its_sub.eq_ignore_ascii_case(sub) =>
            {
                3
            }
            _ => continue,
        };
        let Some(weight) = parts.find_map(stated_weight).unwrap_or(Some(1000)) else { continue };
        best = best.max((specific, weight));
    }
    best.1
}

/// What `part` of a range says of its weight, if it does; none if that is no weight.
fn stated_weight(part: &str) -> Option<Option<u16>> {
    let (name, value) = part.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
}

/// `0.25` as 250: at most three digits behind the point, at most 1.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let digits = part.len() <= 3 && part.bytes().all(|digit| digit.is_ascii_digit());
    let weight = match whole {
        "0" | "1" if digits => format!("{whole}{part:0<3}").parse().ok()?,
        _ => return None,
    };
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "push")]
    #[test]
    fn a_list_comes_in_the_form_that_is_liked_best() {
        let cases: [(&[&str], Form); 12] = [
            (&[], Form::Text),
            (&["*/*"], Form::Text),
            (&["text/*"], Form::Text),
            (&["image/png"], Form::Text),
            (&["text/plain;q=0.5, */*;q=0.1"], Form::Text),
            (&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Form::Html),
            (&["text/html, application/json"], Form::Html),
            (&["text/html;q=0.5"], Form::Html),
            (&["text/html;q=0"], Form::Text),
            (&["application/json"], Form::Json),
            (&["application/json, text/html;q=0.9"], Form::Json),
            (&["application/json;q=0.9", "text/plain"], Form::Text),
        ];
        for (accept, want) in cases {
            assert_eq!(form(accept), want, "{accept:?}");
        }
    }

    #[cfg(feature = "status")]
    #[test]
    fn json_only_for_those_who_like_it_better() {
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let cases: [(&[&str], bool); 22] = [
            (&[], false),
            (&[""], false),
            (&["*/*"], false),
            (&[firefox], false),
            (&["text/html"], false),
            (&["text/plain"], false),
            (&["application/json"], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/*"], true),
            (&["application/json, text/html"], false),
            (&["application/json, text/html;q=0.9"], true),
            (&["application/json;q=0.9, text/html"], false),
            (&["application/json, */*;q=0.5"], true),
            (&["application/json;q=0.2, */*;q=0.5"], false),
            (&["*/*, text/html;q=0"], true),
            (&["text/*;q=0.3, application/json;q=0.301"], true),
            (&["text/html;q=0.5", "application/json"], true),
            (&["application/json;q=0"], false),
            (&["application/json;q=2"], false),
            (&["application/json;q=1.001"], false),
            (&["application/json;q=high"], false),
            (&["application/json;Q = 0.7 , text/html;level=1;q=0.6"], true),
        ];
        for (accept, want) in cases {
            assert_eq!(prefers_json(accept), want, "{accept:?}");
        }
    }

    #[test]
    fn quotes_only_for_those_who_say_so() {
        let prometheus3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, want) in [
            ("", Names::Underscores),
            ("*/*", Names::Underscores),
            ("text/plain;version=0.0.4", Names::Underscores),
            ("text/plain; version=1.0.0; escaping=underscores", Names::Underscores),
            ("escaping=allow-utf-8", Names::Underscores),
            ("text/plain; escaping=allow-utf-8", Names::Quoted),
            ("text/plain;Escaping=\"Allow-UTF-8\";q=0.4", Names::Quoted),
            (prometheus3, Names::Quoted),
        ] {
            assert_eq!(names(accept), want, "{accept}");
        }
    }
    #[test]
    fn gzip_for_those_who_take_it() {
        for (accept_encoding, want) in [
            ("", false),
            ("gzip", true),
            ("GZip", true),
            ("x-gzip", true),
            ("gzip, deflate, br", true),
            ("deflate, br", false),
            ("br ,\tgzip ; q=0.5", true),
            ("gzip;Q=1", true),
            ("gzip;q=1.000", true),
            ("gzip;q=0.001", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=0.0001", false),
            ("gzip;q=2", false),
            ("gzip;q=-1", false),
            ("gzip;q=", false),
            ("gzip;q", false),
            ("gzip;level=1", false),
            ("*", true),
            ("*;q=0", false),
            ("*;q=0.1, identity", true),
            ("gzip;q=0, *", false),
            ("*, gzip;q=0", false),
            ("*;q=0, gzip", true),
            ("gzip;q=0, x-gzip", true),
            ("identity;q=0", false),
            ("gzipped, agzip, zip", false),
            (",,gzip,", true),
        ] {
            assert_eq!(accepts_gzip(accept_encoding), want, "{accept_encoding:?}");
        }
    }
}
