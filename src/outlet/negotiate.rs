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

/// stub
pub(super) fn accepts_gzip(x: &str) -> bool {
    x.contains("gzip")
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
}
