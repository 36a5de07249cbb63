//! One target on the list: its labels, and how it is written.

use std::fmt::{self, Write as _};

use crate::json::Escaped;
use crate::memory::{PageError, Text, TextWriter};
use crate::source::Source;
use crate::source::push::Group;

/// Where a page leaves, and what its samples are to be called.
pub(super) struct Target<'a> {
    /// `relay`, `proxy`, `probe` or `merge`.
    pub(super) outlet: &'static str,
    /// The route's path, without escapes: Prometheus puts these in.
    pub(super) route: &'a str,
    /// What follows behind that.
    pub(super) below: &'a str,
    /// The parameter that chooses the page.
    pub(super) param: Option<(&'static str, &'a str)>,
    pub(super) source: Option<&'a Source>,
    pub(super) group: Option<&'a Group>,
    /// Labels where neither the group nor the source has them.
    pub(super) own: &'a [(&'static str, &'a str)],
}

impl<'a> Target<'a> {
    /// The labels that its samples get, sorted by name, each once: the group's, then those that the
    /// configuration gives the source, then what is said of the target. An empty one is none.
    pub(super) fn labels(&self) -> Vec<(&'a str, &'a str)> {
        let mut labels: Vec<_> = self.group.into_iter().flat_map(Group::labels).collect();
        let of_source = self.source.into_iter().flat_map(Source::labels);
        let is_new = |labels: &[(&str, &str)], name| labels.iter().all(|(known, _)| *known != name);
        for (name, value) in of_source {
            if is_new(&labels, name) {
                labels.push((name, value));
            }
        }
        labels.retain(|(_, value)| !value.is_empty());
        for (name, value) in self.own {
            if is_new(&labels, name) {
                labels.push((*name, *value));
            }
        }
        labels.sort_unstable();
        labels
    }
}

/// The list as far as it is written: JSON, with a line end behind each value, for no line may be
/// longer than a block.
pub(super) struct Written {
    out: TextWriter,
    is_empty: bool,
}

impl Written {
    pub(super) const fn new(out: TextWriter) -> Self {
        Self { out, is_empty: true }
    }

    /// Writes a target with these labels.
    pub(super) fn target(
        &mut self,
        target: &Target<'_>,
        labels: &[(&str, &str)],
        (scheme, address): (&str, &str),
    ) -> fmt::Result {
        let Target { outlet, route, below, param, source, .. } = target;
        self.out.write_str(if self.is_empty { "[" } else { "," })?;
        self.is_empty = false;
        write!(self.out, "{{\"targets\":[\"{}\"],\"labels\":{{", Escaped(address))?;
        write!(self.out, "\"__scheme__\":\"{scheme}\"")?;
        write!(self.out, ",\n\"__metrics_path__\":\"{}{}\"", Escaped(route), Escaped(below))?;
        if let Some((name, value)) = param {
            self.pair("__param_", name, value)?;
        }
        for (name, value) in labels {
            self.pair("", name, value)?;
        }
        self.pair("__meta_fanin_", "outlet", outlet)?;
        self.pair("__meta_fanin_", "route", route)?;
        if let Some(source) = source {
            self.pair("__meta_fanin_", "source", source.name())?;
            self.pair("__meta_fanin_", "kind", source.kind())?;
        }
        self.out.write_str("}}\n")
    }

    fn pair(&mut self, prefix: &str, name: &str, value: &str) -> fmt::Result {
        write!(self.out, ",\n\"{prefix}{name}\":\"{}\"", Escaped(value))
    }

    /// Ends the list; `written` is how writing it ended.
    ///
    /// # Errors
    ///
    /// [`PageError`] where there was no room for it.
    pub(super) fn finish(mut self, written: fmt::Result) -> Result<Text, PageError> {
        let end = if self.is_empty { "[]\n" } else { "]\n" };
        let written = written.and_then(|()| self.out.write_str(end));
        self.out.finish(written)
    }
}
