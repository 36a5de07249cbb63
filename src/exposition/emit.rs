//! Writing a merged page: whole lines, each copied once, into whatever buffer there is.

use std::rc::Rc;

use super::class::is_metric_name;
use super::family::Family;
use super::label::{Escapes, Labels, Names, NoRoom, Out, Style};
use super::lexer::Lexer;
use super::line::{Format, Kind, Line, Sample, Span};
use super::merge::{Dropped, Merged, Part};
use super::number::millis_of_seconds;
use super::page::Run;
use crate::limits::BLOCK;
use crate::memory::Block;

/// Bytes of the longest line that can leave: a line that came is at most a block, and escaping and
/// renaming make it longer, but never so much.
pub(super) const LONGEST_LINE: usize = BLOCK * 8;

/// Reads a merged page from its beginning to its end.
pub struct Emitter {
    merged: Rc<Merged>,
    /// The family under way.
    group: usize,
    /// Its HELP and TYPE are written.
    headed: bool,
    /// The run under way.
    run: u32,
    /// Where the next line begins in its block; 0 at the start of a run.
    line: usize,
    /// Lines left out so far.
    dropped: usize,
    /// Bytes that have left of the next header or line, which was too long for a buffer.
    sent: usize,
}

impl Emitter {
    /// At the beginning of `merged`.
    #[must_use]
    pub const fn new(merged: Rc<Merged>) -> Self {
        Self { merged, group: 0, headed: false, run: 0, line: 0, dropped: 0, sent: 0 }
    }

    /// Bytes of the pages it writes, which is about what it writes in all.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.merged.bytes()
    }

    /// Writes as many whole lines as `out` has room for; returns how many bytes. 0 at the end.
    ///
    /// A line longer than all of `out` leaves in pieces.
    pub fn fill(&mut self, out: &mut [u8]) -> usize {
        let merged = Rc::clone(&self.merged);
        let mut out = Out::new(out);
        if self.sent > 0 && self.piece(&merged, &mut out).is_err() {
            return out.len;
        }
        loop {
            match self.next(&merged, &mut out) {
                Ok(true) => {}
                Err(NoRoom) if out.len == 0 && self.piece(&merged, &mut out).is_ok() => {}
                Ok(false) | Err(NoRoom) => return out.len,
            }
        }
    }

    /// Writes one header or as much as fits of one run; `false` at the end.
    fn next(&mut self, merged: &Merged, out: &mut Out<'_>) -> Result<bool, NoRoom> {
        let Some(group) = merged.groups.get(self.group) else { return Ok(false) };
        if !self.headed {
            let family = merged.families.get(group.family);
            let before = out.len;
            if let Err(full) = family.map_or(Ok(()), |family| head(merged, family, out)) {
                out.len = before;
                return Err(full);
            }
            self.headed = true;
        }
        while self.run < group.end {
            if let Some((part, run)) = merged.run(self.run) {
                self.run(merged, part, run, out)?;
            }
            self.run = self.run.saturating_add(1);
            self.line = 0;
        }
        self.group = self.group.saturating_add(1);
        self.headed = false;
        Ok(true)
    }

    /// Writes the lines of a run from the next one on.
    fn run(
        &mut self,
        merged: &Merged,
        part: &Part,
        run: Run,
        out: &mut Out<'_>,
    ) -> Result<(), NoRoom> {
        let name = part.page.index().names.get(run.name.into());
        let block = block_of(part, run);
        let end = usize::from(run.place.start).saturating_add(run.place.len.into());
        if self.line == 0 {
            self.line = run.place.start.into();
        }
        if run.plain && merged.dropped.is_empty() {
            let name_len = name.map_or(0, |name| name.written.place.len.into());
            let lines = Span { start: self.line, end };
            return copy_lines(block, (lines, run.single), name_len, &part.labels, out).map_err(
                |at| {
                    self.line = at;
                    NoRoom
                },
            );
        }
        while self.line < end {
            let at = Dropped { run: self.run, start: u16::try_from(self.line).unwrap_or(u16::MAX) };
            if merged.dropped.get(self.dropped) == Some(&at) {
                self.dropped = self.dropped.saturating_add(1);
                let rest = block.get(self.line..).unwrap_or_default();
                let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                self.line = self.line.saturating_add(len).saturating_add(1);
                continue;
            }
            let before = out.len;
            match write_line(merged, part, run, self.line, out) {
                Ok((next, _)) => self.line = next,
                Err(full) => {
                    out.len = before;
                    return Err(full);
                }
            }
        }
        Ok(())
    }

    /// Writes the line at `at` into `line`. `None` if there is no room.
    pub(super) fn line(merged: &Merged, at: Dropped, line: &mut [u8]) -> Option<Rendered> {
        let (part, run) = merged.run(at.run)?;
        let mut out = Out::new(line);
        let (next, lost) = write_line(merged, part, run, at.start.into(), &mut out).ok()?;
        Some(Rendered { len: out.len, next, lost })
    }

    /// Writes what fits of the next header or line, behind what has left of it: made anew for each
    /// piece, since there may be as many readers of long lines as connections, and no room for each
    /// to keep one.
    #[cold]
    fn piece(&mut self, merged: &Merged, out: &mut Out<'_>) -> Result<(), NoRoom> {
        let before = out.len;
        out.piece = Some(self.sent);
        let written = self.whole_piece(merged, out);
        out.piece = None;
        self.sent = match written {
            Ok(()) => 0,
            Err(NoRoom) => self.sent.saturating_add(out.len).saturating_sub(before),
        };
        written
    }

    fn whole_piece(&mut self, merged: &Merged, out: &mut Out<'_>) -> Result<(), NoRoom> {
        if !self.headed {
            let group = merged.groups.get(self.group);
            let family = group.and_then(|group| merged.families.get(group.family));
            family.map_or(Ok(()), |family| head(merged, family, out))?;
            self.headed = true;
        } else if let Some((part, run)) = merged.run(self.run) {
            self.line = if run.plain && merged.dropped.is_empty() {
                let name = part.page.index().names.get(run.name.into());
                let name_len = name.map_or(0, |name| name.written.place.len.into());
                copy_line(block_of(part, run), self.line, name_len, &part.labels, out)?
            } else {
                write_line(merged, part, run, self.line, out)?.0
            };
        }
        Ok(())
    }
}

/// A line as it leaves.
pub(super) struct Rendered {
    /// Its length.
    pub(super) len: usize,
    /// Where the next one begins in the block it came from.
    pub(super) next: usize,
    /// Labels left out because escaping gave them the name of another.
    pub(super) lost: usize,
}

fn block_of(part: &Part, run: Run) -> &[u8] {
    let number = usize::try_from(run.place.block).ok();
    number
        .and_then(|number| part.page.text().blocks().get(number))
        .map(Block::filled)
        .unwrap_or_default()
}

/// Copies plain lines, `labels` put in behind the name; `single` if they are one line. `Err` tells
/// where the first line begins that found no room.
///
/// Invariant: a plain line is a name of `name_len` bytes, then `{` or a space, and ends with a line
/// feed within the block; the indexer has seen to that.
#[expect(clippy::indexing_slicing, reason = "the lines lie within the block; room is checked")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block and a buffer")]
fn copy_lines(
    block: &[u8],
    (lines, single): (Span, bool),
    name_len: usize,
    labels: &Labels,
    out: &mut Out<'_>,
) -> Result<(), usize> {
    let text = labels.text();
    if text.is_empty() {
        return copy_verbatim(block, lines, out);
    }
    let Span { mut start, end } = lines;
    let (inner, comma) = text.split_at(text.len() - 1);
    while start < end {
        let rest = &block[start..end];
        let feed = if single { None } else { memchr::memchr(b'\n', rest) };
        let len = feed.map_or(rest.len(), |at| at + 1);
        let line = &rest[..len];
        let Some(room) = out.bytes.get_mut(out.len..out.len + len + text.len() + 2) else {
            return Err(start);
        };
        let braces = line[name_len] == b'{';
        let cut = name_len + usize::from(braces);
        let (name, rest) = line.split_at(cut);
        room[..cut].copy_from_slice(name);
        let mut at = cut;
        if !braces {
            room[at] = b'{';
            at += 1;
        }
        room[at..at + inner.len()].copy_from_slice(inner);
        at += inner.len();
        if !braces {
            room[at] = b'}';
            at += 1;
        } else if rest[0] != b'}' {
            room[at] = comma[0];
            at += 1;
        }
        room[at..at + rest.len()].copy_from_slice(rest);
        out.len += at + rest.len();
        start += len;
    }
    Ok(())
}

/// Copies one plain line as [`copy_lines`] does, piece by piece; returns where the next one begins.
fn copy_line(
    block: &[u8],
    start: usize,
    name_len: usize,
    labels: &Labels,
    out: &mut Out<'_>,
) -> Result<usize, NoRoom> {
    let rest = block.get(start..).unwrap_or_default();
    let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
    let line = rest.get(..len).unwrap_or_default();
    let (name, behind) = line.split_at_checked(name_len).unwrap_or((line, b""));
    match (labels.text().split_last(), behind.split_first()) {
        (Some((comma, inner)), Some((b'{', rest))) => {
            let comma = if rest.first() == Some(&b'}') { b"" } else { std::slice::from_ref(comma) };
            [name, b"{", inner, comma, rest].into_iter().try_for_each(|piece| out.put(piece))?;
        }
        (Some((_, inner)), _) => {
            [name, b"{", inner, b"}", behind].into_iter().try_for_each(|piece| out.put(piece))?;
        }
        (None, _) => out.put(line)?,
    }
    Ok(start.saturating_add(len))
}

/// Copies as many whole lines as there is room for.
#[expect(clippy::indexing_slicing, reason = "the lines lie within the block; room is checked")]
#[expect(clippy::arithmetic_side_effects, reason = "positions stay within a block and a buffer")]
fn copy_verbatim(block: &[u8], lines: Span, out: &mut Out<'_>) -> Result<(), usize> {
    let all = &block[lines.start..lines.end];
    let room = (out.bytes.len() - out.len).min(all.len());
    let fits = if room == all.len() {
        room
    } else {
        memchr::memrchr(b'\n', &all[..room]).map_or(0, |at| at + 1)
    };
    out.bytes[out.len..out.len + fits].copy_from_slice(&all[..fits]);
    out.len += fits;
    if fits == all.len() { Ok(()) } else { Err(lines.start + fits) }
}

/// Writes anew the line that begins at `start`; returns where the next one begins, and how many
/// labels escaping has cost.
fn write_line(
    merged: &Merged,
    part: &Part,
    run: Run,
    start: usize,
    out: &mut Out<'_>,
) -> Result<(usize, usize), NoRoom> {
    let block = block_of(part, run);
    let page = &part.page;
    let lexer = Lexer { format: page.format(), watch: None };
    let Ok((Line::Sample(sample), next)) = lexer.single(block, start) else {
        // The indexer has lexed this very line: it is a sample.
        return Ok((block.len(), 0));
    };
    let bare = merged.names == Names::Underscores;
    let name = page.index().names.get(run.name.into()).map(|name| page.name(name, bare));
    let style = Style { ours: &part.labels, on_conflict: merged.on_conflict, names: merged.names };
    let mut millis = heapless::String::<20>::new();
    let timestamp = timestamp(page.format(), block, &sample, &mut millis);
    let lost = style.write((block, &sample), name.unwrap_or_default(), timestamp, out)?;
    Ok((next, lost))
}

/// A sample's timestamp in milliseconds; empty if it has none.
fn timestamp<'a>(
    format: Format,
    block: &'a [u8],
    sample: &Sample,
    millis: &'a mut heapless::String<20>,
) -> &'a [u8] {
    use std::fmt::Write;
    let text = sample.timestamp.of(block);
    if format == Format::Text || text.is_empty() {
        return text;
    }
    // An i64 above zero has at most 19 digits.
    let _ = millis_of_seconds(text).map(|value| write!(millis, "{value}"));
    millis.as_bytes()
}

/// Writes a family's HELP and TYPE.
fn head(merged: &Merged, family: &Family, out: &mut Out<'_>) -> Result<(), NoRoom> {
    let name = merged.name(family.at);
    let bare = merged.names == Names::Underscores || is_metric_name(name);
    let name: &[&[u8]] = if bare { &[name] } else { &[b"\"", name, b"\""] };
    if let Some(at) = family.help
        && let Some(page) = merged.parts.get(usize::from(at.page)).map(|part| &part.page)
        && let Some(help) = page.index().names.get(at.name.into()).and_then(|name| name.help)
    {
        out.put(b"# HELP ")?;
        name.iter().try_for_each(|piece| out.put(piece))?;
        out.put(b" ")?;
        let escapes = match page.format() {
            Format::Text => Escapes::Help,
            Format::OpenMetrics => Escapes::OpenMetricsHelp,
        };
        out.put_escaped(page.text().at(help), escapes)?;
        out.put(b"\n")?;
    }
    let kind = family.kind.unwrap_or(Kind::Untyped).word().as_bytes();
    out.put(b"# TYPE ")?;
    name.iter().try_for_each(|piece| out.put(piece))?;
    out.put(b" ")?;
    out.put(kind)?;
    out.put(b"\n")
}
