//! Reads `cases.txt`, whose head says how it is written.

/// One page and what is to be said of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// What the case is about.
    pub(crate) name: &'static str,
    /// Its page.
    pub(crate) page: Vec<u8>,
    /// Line and column of its first fault.
    pub(crate) fault: Option<(usize, usize)>,
    /// Whether promtool finds a fault.
    pub(crate) promtool_faults: bool,
}

/// All cases in order.
///
/// # Panics
///
/// If `cases.txt` is not written as its head says.
pub(crate) fn cases() -> Vec<Case> {
    include_str!("cases.txt").lines().filter_map(case).collect()
}

/// The case on one line; none on a blank line or a comment.
fn case(line: &'static str) -> Option<Case> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut fields = line.splitn(3, " | ");
    let (Some(name), Some(verdict), Some(page)) = (fields.next(), fields.next(), fields.next())
    else {
        panic!("no case: {line}");
    };
    let (ours, promtool) = verdict.split_once(" promtool:").unwrap_or((verdict, ""));
    let fault = match ours.split_once(':') {
        Some((line, column)) => Some((number(line), number(column))),
        None if ours == "ok" => None,
        None => panic!("no verdict: {line}"),
    };
    let promtool_faults = match promtool.split('(').next() {
        Some("ok") => false,
        Some("fault") => true,
        _ => fault.is_some(),
    };
    Some(Case { name, page: bytes(page), fault, promtool_faults })
}

fn number(digits: &str) -> usize {
    digits.parse().unwrap_or_else(|why| panic!("{digits:?}: {why}"))
}

/// The page that `shown` stands for.
fn bytes(shown: &str) -> Vec<u8> {
    let mut page = Vec::new();
    let mut rest = shown.chars();
    while let Some(first) = rest.next() {
        match first {
            '␊' => page.push(b'\n'),
            '␍' => page.push(b'\r'),
            '␉' => page.push(b'\t'),
            '␠' => page.push(b' '),
            '␀' => page.push(0),
            '⟨' => {
                let digits: String = rest.by_ref().take_while(|&next| next != '⟩').collect();
                page.push(u8::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("{shown}")));
            }
            other => page.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    page
}
