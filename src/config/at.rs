//! Paths into the file, such as `sources.node.http.url`.

use std::fmt;

/// A node of the file, by the way down to it. Lives on the stack of whoever walks down.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    /// The whole file.
    Root,
    /// The value under this key.
    Key(&'a At<'a>, &'a str),
    /// An element of a list, counted from 0.
    Index(&'a At<'a>, usize),
}

/// One step of an [`At`] that outlives the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// To the value under this key.
    Key(String),
    /// To an element of a list.
    Index(usize),
}

impl<'a> At<'a> {
    /// The value under `key`.
    pub(super) const fn key(&'a self, key: &'a str) -> At<'a> {
        At::Key(self, key)
    }

    /// Element `index`.
    pub(super) const fn index(&'a self, index: usize) -> At<'a> {
        At::Index(self, index)
    }

    /// Whether one of `keys` is on the way.
    pub(super) fn is_below(&self, keys: &[&str]) -> bool {
        match self {
            At::Root => false,
            At::Key(parent, key) => keys.contains(key) || parent.is_below(keys),
            At::Index(parent, _) => parent.is_below(keys),
        }
    }

    /// The way down from the root.
    pub(super) fn steps(&self) -> Vec<Step> {
        match self {
            At::Root => Vec::new(),
            At::Key(parent, key) => with(parent, Step::Key((*key).to_owned())),
            At::Index(parent, index) => with(parent, Step::Index(*index)),
        }
    }
}

/// The way to `parent` and one step more.
fn with(parent: &At<'_>, step: Step) -> Vec<Step> {
    let mut steps = parent.steps();
    steps.push(step);
    steps
}

/// Prints the way down from the root: `servers[1].routes./metrics`.
pub(super) struct Way<'a>(pub(super) &'a [Step]);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => write!(f, "{}", key.escape_debug())?,
                Step::Key(key) => write!(f, ".{}", key.escape_debug())?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_it_is_written() {
        let servers = At::Root.key("servers");
        let server = servers.index(1);
        let routes = server.key("routes");
        let route = routes.key("/metrics");

        assert_eq!(Way(&route.steps()).to_string(), "servers[1].routes./metrics");
        assert_eq!(Way(&At::Root.steps()).to_string(), "");
        assert_eq!(server.steps(), [Step::Key("servers".to_owned()), Step::Index(1)]);
    }
}
