//! The strict level against `promtool check metrics`, whose verdict on parsing it must share.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use fanin::exposition::lint::lint;

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
            eprintln!("SKIPPED: promtool is not installed");
            false
        }
        Err(why) => panic!("promtool: {why}"),
    }
}

#[test]
fn promtool_says_the_same_of_every_case() {
    if !has_promtool() {
        return;
    }
    for case in corpus::cases() {
        let said = promtool(&case.page);
        assert_eq!(said.is_some(), case.promtool_faults, "{}: promtool says {said:?}", case.name);
    }
}
