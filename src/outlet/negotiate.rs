//! What the scraper can read.

use crate::exposition::Names;

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

/// The Content-Type of a merged page whose names leave as `names`.
#[must_use]
pub(super) const fn content_type(names: Names) -> &'static str {
    match names {
        Names::Underscores => "text/plain; version=0.0.4; charset=utf-8",
        Names::Quoted => "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
    }
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
        let wanted = parts.all(|parameter| weighs(parameter.trim()));
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            named = Some(named.unwrap_or(false) || wanted);
        } else if name == "*" {
            any |= wanted;
        }
    }
    named.unwrap_or(any)
}

/// Whether `parameter` is a weight above zero.
fn weighs(parameter: &str) -> bool {
    let weight = parameter.strip_prefix(['q', 'Q']).and_then(|rest| rest.strip_prefix('='));
    weight.is_some_and(|weight| match weight.split_once('.').unwrap_or((weight, "")) {
        ("0", digits) => {
            digits.len() <= 3
                && digits.bytes().all(|digit| digit.is_ascii_digit())
                && digits.bytes().any(|digit| digit != b'0')
        }
        ("1", digits) => digits.len() <= 3 && digits.bytes().all(|digit| digit == b'0'),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
