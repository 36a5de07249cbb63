//! The strict level against `promtool check metrics`, whose verdict on parsing it must share.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use fanin::exposition::lint::{Finding, check};

#[path = "lint/corpus.rs"]
mod corpus;

/// promtool's complaint about how the page is written; none if it could be read.
///
/// Its advice on style ends it with another code, and is none of our business.
fn promtool(page: &[u8]) -> Option<String> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("promtool: {why}"));
    let taken = child.stdin.take().map(|mut stdin| stdin.write_all(page));
    assert!(matches!(taken, Some(Ok(()))), "promtool does not take the page: {taken:?}");
    let output = child.wait_with_output().unwrap_or_else(|why| panic!("promtool: {why}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0 | 3) => None,
        Some(1) if said.contains("text format parsing error") => Some(said),
        code => panic!("promtool ended with {code:?}: {said}"),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test that does nothing must not look like one that passed"
)]
fn skipped() {
    eprintln!("SKIPPED: promtool is not installed");
}

/// Whether there is a promtool; says so where there is none.
fn has_promtool() -> bool {
    match Command::new("promtool")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
    {
        Ok(_) => true,
        Err(why) if why.kind() == ErrorKind::NotFound => {
            let required =
                std::env::var_os("FANIN_REQUIRE_PEERS").is_some_and(|value| value == "1");
            assert!(!required, "promtool is required, but not installed");
            skipped();
            false
        }
        Err(why) => panic!("promtool: {why}"),
    }
}

/// The first fault of a page.
fn first_fault(page: &[u8]) -> Option<Finding> {
    let mut first = None;
    check(page, &mut |finding| {
        if first.is_none() && finding.fault().is_some() {
            first = Some(finding);
        }
    });
    first
}

#[test]
fn the_first_fault_is_where_it_stands() {
    let cases = corpus::cases();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|case| (case.name, case.fault, first_fault(&case.page)))
        .filter(|(_, want, got)| *want != got.as_ref().map(|got| (got.line, got.column)))
        .map(|(name, want, got)| {
            format!("{name}: {want:?}, but {}", got.map_or("ok".to_owned(), |got| got.to_string()))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn promtool_says_the_same_of_every_case() {
    if !has_promtool() {
        return;
    }
    let wrong: Vec<_> = corpus::cases()
        .into_iter()
        .map(|case| (case.name, case.promtool_faults, promtool(&case.page)))
        .filter(|(_, faults, said)| said.is_some() != *faults)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Pages that the mutations make, each of which costs a promtool its start.
const MUTATED: usize = 150;

/// Numbers without pattern, the same in every run: xorshift64.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0).checked_rem(sides).unwrap_or(0)
    }

    /// A page of a few of the lines, with some bytes changed.
    fn page(&mut self, lines: &[Vec<u8>]) -> Vec<u8> {
        let mut page = Vec::new();
        for _ in 0..=self.roll(6) {
            page.extend(lines.get(self.roll(lines.len())).into_iter().flatten());
        }
        for _ in 0..self.roll(3) {
            self.edit(&mut page);
        }
        page
    }

    /// Takes a byte out, puts one in, or doubles a line.
    fn edit(&mut self, page: &mut Vec<u8>) {
        const BYTES: &[u8] = b" \t\n\r\\\"{}=,#x_9+-.nle\xc3\0";
        let at = self.roll(page.len().saturating_add(1));
        match self.roll(3) {
            0 if at < page.len() => {
                page.remove(at);
            }
            1 => {
                let lines: Vec<&[u8]> = page.split_inclusive(|&byte| byte == b'\n').collect();
                let line = lines.get(self.roll(lines.len())).map(|line| line.to_vec());
                page.extend(line.unwrap_or_default());
            }
            _ => page.insert(at, BYTES.get(self.roll(BYTES.len())).copied().unwrap_or(b' ')),
        }
    }
}

/// Whether a name of the page may be quoted, which promtool 2.42 does not know.
fn may_quote_names(page: &[u8]) -> bool {
    let tight: Vec<u8> =
        page.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\t')).collect();
    [&b"{\""[..], b",\"", b"HELP\"", b"TYPE\""]
        .iter()
        .any(|quoted| tight.windows(quoted.len()).any(|window| window == *quoted))
}

#[test]
fn promtool_says_the_same_of_mutated_pages() {
    if !has_promtool() {
        return;
    }
    let valid = corpus::cases().into_iter().filter(|case| !case.promtool_faults);
    let lines: Vec<Vec<u8>> = valid
        .flat_map(|case| {
            case.page.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    let runs = std::env::var("FANIN_LINT_PAGES").map_or(MUTATED, |runs| runs.parse().unwrap());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..runs {
        let page = dice.page(&lines);
        let mut faults = Vec::new();
        check(&page, &mut |finding| {
            if finding.fault().is_some_and(|fault| !fault.is_ours()) {
                faults.push(finding.to_string());
            }
        });
        let theirs = promtool(&page);
        let shown = page.escape_ascii();
        match (&theirs, faults.first()) {
            (Some(_), None) if may_quote_names(&page) => {}
            _ => {
                assert_eq!(theirs.is_some(), !faults.is_empty(), "{shown}: {theirs:?}, {faults:?}")
            }
        }
    }
}

#[test]
fn every_finding_has_words() {
    for case in corpus::cases() {
        check(&case.page, &mut |finding| {
            let said = finding.to_string();
            assert!(!said.ends_with(": "), "{}: {finding:?}", case.name);
            assert!(!said.contains(char::is_control), "{}: {said:?}", case.name);
        });
    }
}
