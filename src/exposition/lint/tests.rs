//! The verdicts are in `tests/lint/cases.txt`, which promtool is held against too; here is how
//! they are worded, and the advice.

use super::*;

#[path = "../../../tests/lint/corpus.rs"]
mod corpus;

fn findings(page: &[u8]) -> Vec<Finding> {
    let mut all = Vec::new();
    lint(page, &mut |finding| all.push(finding));
    all
}

fn first_fault(page: &[u8]) -> Option<(usize, usize)> {
    findings(page)
        .iter()
        .find(|finding| finding.fault().is_some())
        .map(|finding| (finding.line, finding.column))
}

#[test]
fn the_first_fault_is_where_it_stands() {
    let cases = corpus::cases();
    assert!(cases.len() > 200, "only {} cases", cases.len());
    for case in cases {
        assert_eq!(
            first_fault(&case.page),
            case.fault,
            "{}: {:?}",
            case.name,
            findings(&case.page)
        );
    }
}
