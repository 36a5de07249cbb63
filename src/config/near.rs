//! `did you mean`: the nearest of some words.

use std::fmt;

/// The allowed word nearest to `word`: at most one slip in three letters, else nothing.
pub(super) fn nearest<'a>(
    word: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let len = word.chars().count();
    let farthest = (len / 3).clamp(1, 3);
    allowed
        .into_iter()
        // As many letters are to be added or dropped at least. It costs nothing to see, and the word
        // may come from a client, who can make it long.
        .filter(|candidate| candidate.chars().count().abs_diff(len) <= farthest)
        .map(|candidate| (slips(word, candidate), candidate))
        .filter(|(slips, _)| *slips <= farthest)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Letters to add, drop, change or swap with their neighbour until `a` is `b` (optimal string
/// alignment), by rows of the usual table.
fn slips(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_ascii_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (line, x) in a.to_ascii_lowercase().chars().enumerate() {
        let mut next = vec![line.saturating_add(1)];
        for (column, y) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let changed = at(&row, column).saturating_add(usize::from(x != *y));
            let dropped = at(&row, column.saturating_add(1)).saturating_add(1);
            let added = at(&next, column).saturating_add(1);
            let mut least = changed.min(dropped).min(added);
            let left = column.checked_sub(1).and_then(|left| Some((left, *b.get(left)?)));
            if let Some((left, letter)) = left
                && last == Some(*y)
                && letter == x
            {
                least = least.min(at(&before, left).saturating_add(1));
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(x);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// Prints `; did you mean "x"?`, or nothing.
pub(super) struct DidYouMean<'a>(pub(super) Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |word| write!(f, "; did you mean \"{word}\"?"))
    }
}

/// `; did you mean "x"?` for the word of `allowed` nearest to `word`, or nothing.
pub(crate) fn did_you_mean(word: &str, allowed: &[&str]) -> String {
    DidYouMean(nearest(word, allowed.iter().copied())).to_string()
}

/// Prints words as `a, b, c`.
pub(super) struct Words<'a>(pub(super) &'a [&'a str]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(word)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found() {
        let cases = [
            ("lissten", Some("listen")),
            ("Listen", Some("listen")),
            ("rotues", Some("routes")),
            ("stats", Some("status")),
            ("s", None),
            ("xyz", None),
            ("", None),
        ];
        for (word, want) in cases {
            assert_eq!(nearest(word, ["listen", "routes", "status"]), want, "{word}");
        }
    }

    /// All of this took a minute where each letter was held against each.
    #[test]
    fn a_word_far_too_long_is_near_nothing_at_once() {
        let name = "name".repeat(16);
        let names: Vec<&str> = std::iter::repeat_n(&*name, 256).collect();
        let word = "name".repeat(2000);
        for _ in 0..100 {
            assert_eq!(did_you_mean(&word, &names), "");
        }
    }

    #[test]
    fn slips_are_counted() {
        let cases =
            [("", "", 0), ("ab", "ba", 1), ("abc", "abc", 0), ("abc", "", 3), ("", "xy", 2)];
        for (a, b, want) in cases {
            assert_eq!(slips(a, b), want, "{a} {b}");
            assert_eq!(slips(b, a), want, "{b} {a}");
        }
    }
}
