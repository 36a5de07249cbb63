//! How findings are worded, and the advice. The verdicts are in `tests/lint/cases.txt`, which
//! promtool is held against too.

use super::*;

/// Every finding of a page, one to a line.
fn said(page: &[u8]) -> String {
    let mut all = String::new();
    lint(page, &mut |finding| all.push_str(&format!("{finding}\n")));
    all
}

/// Asserts that `page` is valid and gets this advice, after that on the missing HELP, which all
/// of them lack.
fn advised(name: &str, page: &str, want: &[&str]) {
    let text = said(page.as_bytes());
    let got: Vec<&str> = text.lines().filter(|line| !line.ends_with("has no HELP")).collect();
    assert_eq!(got, want, "{name}");
}
