//! What became of pages, for those who ask: an empty list, `[]`, between two documents is the question,
//! and a line is the answer. Nobody else is told anything: the protocol has no other answers.

use std::fmt;

use crate::limits::FAILURE_TEXT;
use crate::telemetry::cut::cut;

/// What became of the pages of one connection since it asked last.
#[derive(Default)]
pub(super) struct Tally {
    accepted: usize,
    refused: usize,
    /// What the last of the refused was refused for.
    why: String,
}

impl Tally {
    pub(super) fn accepted(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
    }

    pub(super) fn refused(&mut self, why: &dyn fmt::Display) {
        self.refused = self.refused.saturating_add(1);
        self.why = cut::<FAILURE_TEXT>(why).chars().filter(|letter| !letter.is_control()).collect();
    }

    /// The answer, one line; counting begins anew.
    pub(super) fn answer(&mut self) -> String {
        let Self { accepted, refused, why } = std::mem::take(self);
        match refused {
            0 => format!("accepted {accepted}\n"),
            _ => format!("accepted {accepted}, refused {refused}: {why}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line() {
        let mut tally = Tally::default();
        assert_eq!(tally.answer(), "accepted 0\n");
        tally.accepted();
        tally.accepted();
        assert_eq!(tally.answer(), "accepted 2\n");
        tally.refused(&"first");
        tally.refused(&"app=\"a\": two\nlines\u{1b}");
        assert_eq!(tally.answer(), "accepted 0, refused 2: app=\"a\": twolines\n");
        assert_eq!(tally.answer(), "accepted 0\n");
        tally.refused(&"x".repeat(2 * FAILURE_TEXT));
        let line = tally.answer();
        assert!(line.ends_with("…\n") && line.len() < FAILURE_TEXT + 40, "{line}");
    }
}
