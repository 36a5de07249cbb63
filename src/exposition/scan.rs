//! The pieces of a line: where a token, a string in quotes or a label ends.
//!
//! Invariant, here and in lexer.rs: a block ends with a line feed, every scan stops at one, and
//! positions only grow, by one byte at a time, within a block of 16 KiB. So no index is out of
//! range and no sum overflows.

#![expect(clippy::indexing_slicing, reason = "every scan stops at the line feed that ends a block")]
#![expect(clippy::arithmetic_side_effects, reason = "positions stay within a block")]

use super::class::{
    NAME, NAME_START, QUOTE_STOP, TOKEN_STOP, is, is_label_name, is_metric_name, skip_blanks,
};
use super::fault::{Fault, Lexed, fail};
use super::line::{Sample, Span};
use super::word::{below, equal, first, not_name, repeat};

/// Whether what begins at `at` is the same as what stands from `start` to `end`.
#[inline(always)]
pub(super) fn repeats(block: &[u8], at: usize, start: usize, end: usize) -> bool {
    block.get(at..at + (end - start)).is_some_and(|here| equal(here, &block[start..end]))
}

/// The end of the metric's name that goes on at `at`.
#[inline]
pub(super) fn name_end(block: &[u8], mut at: usize) -> usize {
    while let Some(&bytes) = block[at..].first_chunk() {
        match not_name(u64::from_le_bytes(bytes)) {
            0 => at += 8,
            stops => return at + first(stops),
        }
    }
    while is(block[at], NAME) {
        at += 1;
    }
    at
}

/// The end of the name that begins at `at`, and whether it is the `known` one; `at` if there is no
/// name.
#[inline(always)]
pub(super) fn name_again(block: &[u8], at: usize, known: Span) -> (usize, bool) {
    let same = at + (known.end - known.start);
    if known.end > 0 && repeats(block, at, known.start, known.end) {
        let longer = is(block[same], NAME);
        return (if longer { name_end(block, same) } else { same }, !longer);
    }
    (if is(block[at], NAME_START) { name_end(block, at) } else { at }, false)
}

/// The end of the token that begins at `at`: the next blank or line end.
#[inline]
pub(super) fn token(block: &[u8], mut at: usize) -> usize {
    while !is(block[at], TOKEN_STOP) {
        at += 1;
    }
    at
}

/// The closing quote of the string that opens at `at`. `odd` is set by an escape that the format
/// does not have: Prometheus reads such a backslash as itself, and so do we.
#[inline(always)]
pub(super) fn closing_quote(block: &[u8], at: usize, odd: &mut bool) -> Lexed<usize> {
    let mut end = at + 1;
    loop {
        if let Some(&bytes) = block[end..].first_chunk() {
            let word = u64::from_le_bytes(bytes);
            // With its second bit turned, a quote is the first byte after the control characters.
            let stops = below(word ^ repeat(2), b' ' + 1) | below(word ^ repeat(b'\\'), 1);
            if stops == 0 {
                end += 8;
                continue;
            }
            end += first(stops);
        } else {
            while !is(block[end], QUOTE_STOP) {
                end += 1;
            }
        }
        if block[end] == b'"' {
            return Ok(end);
        }
        end = within_quotes(block, at, end, odd)?;
    }
}

/// What else than an ordinary byte may stand within the quotes that open at `at`; returns what
/// comes after it.
#[cold]
fn within_quotes(block: &[u8], at: usize, end: usize, odd: &mut bool) -> Lexed<usize> {
    match block[end] {
        b'\n' => fail(at, Fault::ClosingQuote),
        b'\\' => match block[end + 1] {
            b'\\' | b'"' | b'n' => Ok(end + 2),
            _ => {
                *odd = true;
                Ok(end + 1)
            }
        },
        _ => Ok(end + 1),
    }
}

/// The text between the quotes of a label's value; `at` is the byte after the label's name.
#[inline(always)]
pub(super) fn label_value(block: &[u8], mut at: usize, odd: &mut bool) -> Lexed<Span> {
    if block[at] != b'=' {
        at = skip_blanks(block, at);
        if block[at] != b'=' {
            return fail(at, Fault::Equals);
        }
    }
    at += 1;
    if block[at] != b'"' {
        at = skip_blanks(block, at);
        if block[at] != b'"' {
            return fail(at, Fault::OpeningQuote);
        }
    }
    Ok(Span { start: at + 1, end: closing_quote(block, at, odd)? })
}

/// Where the next label begins: after a comma, or at the closing brace.
#[inline]
pub(super) fn separator(block: &[u8], at: usize) -> Lexed<usize> {
    match block[at] {
        b',' => return Ok(at + 1),
        b'}' => return Ok(at),
        _ => {}
    }
    let next = skip_blanks(block, at);
    match block[next] {
        b',' => Ok(next + 1),
        b'}' => Ok(next),
        _ => fail(next, Fault::Comma),
    }
}

/// A string in quotes where a label's name could stand, and what follows it. With `=` behind it it
/// is one, and is returned; else it is the metric's name, goes into `sample`, and the span is empty.
#[cold]
pub(super) fn quoted_name(block: &[u8], at: usize, sample: &mut Sample) -> Lexed<(Span, usize)> {
    if block[at] != b'"' {
        return fail(at, Fault::LabelName);
    }
    let mut odd = false;
    let name = Span { start: at + 1, end: closing_quote(block, at, &mut odd)? };
    if odd || name.start == name.end {
        return fail(at, Fault::QuotedName);
    }
    let next = skip_blanks(block, name.end + 1);
    sample.irregular = true;
    if block[next] == b'=' {
        sample.quoted_label |= !is_label_name(name.of(block));
        return Ok((name, next));
    }
    if sample.name.end != 0 {
        return fail(at, Fault::Name);
    }
    sample.name = name;
    sample.quoted = !is_metric_name(name.of(block));
    Ok((Span::default(), next))
}
