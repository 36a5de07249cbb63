//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::at::{At, Step, Way};
use super::locate::{Part, Place, locate};

/// Characters of the offending line that are shown.
const EXCERPT: usize = 100;

/// Characters of an offending value that are shown.
const VALUE: usize = 80;

/// Why there is no [`Plan`](super::Plan).
///
/// `{}` is one line: `FILE:LINE:COL: path.into.file: "value" rule`. `{:#}` adds the line of the file
/// with a caret below, unless that line may hold a secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The file has more than [`limits::CONFIG_FILE`](crate::limits::CONFIG_FILE) bytes.
    TooLarge(PathBuf),
    /// The file is not UTF-8, from this byte on.
    NotUtf8(PathBuf, usize),
    /// The source of this name stands in both files; one of them is of `sources_dir`.
    Twice(Box<str>, Box<[PathBuf; 2]>),
    /// The file says something that it may not.
    Invalid(Box<Invalid>),
}

impl ConfigError {
    /// The files that the message names.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        match self {
            Self::Unreadable(file, _) | Self::TooLarge(file) | Self::NotUtf8(file, _) => {
                std::slice::from_ref(file)
            }
            Self::Twice(_, files) => &**files,
            Self::Invalid(invalid) => std::slice::from_ref(&invalid.file),
        }
    }
}

/// A fault with its place.
#[derive(Debug)]
pub struct Invalid {
    file: PathBuf,
    place: Option<Place>,
    message: String,
    excerpt: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(file, _) => write!(f, "cannot read {}", file.display()),
            Self::TooLarge(file) => {
                let limit = crate::limits::CONFIG_FILE;
                write!(f, "{}: longer than {limit} bytes", file.display())
            }
            Self::NotUtf8(file, at) => {
                write!(f, "{}: byte {at} is not part of UTF-8 text", file.display())
            }
            Self::Twice(name, files) => {
                let [file, other] = files.as_ref();
                let (file, other) = (file.display(), other.display());
                write!(f, "{file}: {} is a source in {other} too", Quoted(name))
            }
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.excerpt {
            Some(excerpt) if f.alternate() => write!(f, "\n{excerpt}"),
            _ => Ok(()),
        }
    }
}

/// A fault as the two steps find it: without the file's name, with or without a place.
#[derive(Debug)]
pub(super) struct Fault {
    spot: Spot,
    /// Without the path if the spot has it.
    message: String,
    secret: bool,
}

/// How a fault's place is known.
#[derive(Debug)]
enum Spot {
    /// The parser told.
    Told(Option<Place>),
    /// To be found when the fault is reported.
    Path(Vec<Step>, Part),
}

impl Fault {
    /// A fault whose place the parser told; `message` starts with the path.
    pub(super) const fn told(place: Option<Place>, message: String) -> Self {
        Self { spot: Spot::Told(place), message, secret: false }
    }

    /// The same, without the line it is on.
    pub(super) fn hidden(self) -> Self {
        Self { secret: true, ..self }
    }

    /// `path: "value" rule`.
    pub(super) fn value(at: &At<'_>, value: &str, rule: impl fmt::Display) -> Self {
        Self::at(at, Part::Value, format_args!("{} {rule}", Quoted(value)))
    }

    /// As [`Fault::value`], for a key: its place is the key's.
    pub(super) fn key(at: &At<'_>, key: &str, rule: impl fmt::Display) -> Self {
        Self::at(at, Part::Key, format_args!("{} {rule}", Quoted(key)))
    }

    /// `path: rule`, where there is no single value to show.
    pub(super) fn rule(at: &At<'_>, rule: impl fmt::Display) -> Self {
        Self::at(at, Part::Value, rule)
    }

    /// `path: rule`, for a value that must not be shown, nor the line it is on.
    pub(super) fn secret(at: &At<'_>, rule: impl fmt::Display) -> Self {
        Self::at(at, Part::Value, rule).hidden()
    }

    fn at(at: &At<'_>, part: Part, what: impl fmt::Display) -> Self {
        Self { spot: Spot::Path(at.steps(), part), message: what.to_string(), secret: false }
    }

    /// The name of the source that it is in, if it is in one.
    pub(super) fn source(&self) -> Option<&str> {
        match &self.spot {
            Spot::Path(steps, _) => match steps.as_slice() {
                [Step::Key(sources), Step::Key(name), ..] if sources == "sources" => Some(name),
                _ => None,
            },
            Spot::Told(_) => None,
        }
    }

    /// The same where that source is the whole of a file: what leads to it is not in its path.
    pub(super) fn in_source(mut self) -> Self {
        if let Spot::Path(steps, _) = &mut self.spot {
            *steps = std::mem::take(steps).into_iter().skip(2).collect();
        }
        self
    }

    /// The error that the user sees.
    pub(super) fn in_file(self, file: &Path, text: &str) -> ConfigError {
        let (place, message) = match self.spot {
            Spot::Told(place) => (place, self.message),
            Spot::Path(steps, part) => {
                let colon = if steps.is_empty() { "" } else { ": " };
                let message = format!("{}{colon}{}", Way(&steps), self.message);
                (locate(text, &steps, part), message)
            }
        };
        let excerpt = place.filter(|_| !self.secret).and_then(|place| excerpt(text, place));
        let file = file.to_owned();
        ConfigError::Invalid(Box::new(Invalid { file, place, message, excerpt }))
    }
}

/// Prints a value in quotes, control characters escaped, cut at [`VALUE`] characters.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(VALUE) {
            Some((cut, _)) => write!(f, "\"{}…\"", Plain(self.0.get(..cut).unwrap_or_default())),
            None => write!(f, "\"{}\"", Plain(self.0)),
        }
    }
}

/// Prints text with its control characters and quotes escaped, and nothing else.
pub(super) struct Plain<'a>(pub(super) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The line at `place` and a caret below it:
///
/// ```text
///  12 |     url: htp://10.0.0.7
///     |          ^
/// ```
///
/// Nothing where the line may hold a secret. A long line is cut on both sides.
fn excerpt(text: &str, place: Place) -> Option<String> {
    let line = text.lines().nth(place.line.checked_sub(1)?)?;
    if may_hold_secret(line) {
        return None;
    }
    let column = place.column.checked_sub(1)?;
    let skipped = column.saturating_sub(EXCERPT / 2);
    let shown: String = line.chars().skip(skipped).take(EXCERPT).map(printable).collect();
    let number = place.line.to_string();
    let (width, caret) = (number.len(), column.saturating_sub(skipped));
    Some(format!(" {number} | {}\n {:width$} | {:caret$}^", shown.trim_end(), "", ""))
}

/// One column for each character, so that the caret stays below its own.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Whether a line names a secret, so that its value may be on it too.
fn may_hold_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let names = |word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let rest = line.get(at.saturating_add(word.len())..).unwrap_or_default();
            !rest.starts_with("_file")
        })
    };
    // A user and password in a URL are refused, yet they are there.
    let user = line.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    // Variables that a command gets, one of which may be.
    let env = line.replace("clear_env", "");
    let variables = env.contains("env:") || env.contains("env\":");
    let words = ["password", "token", "key", "secret", "auth", "headers", "cookie"];
    user || variables || words.into_iter().any(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_below_the_place() {
        let long = format!("a: {}b", "x".repeat(200));
        let cut = format!(" 1 | {}b\n   | {}^", "x".repeat(50), " ".repeat(50));
        let cases = [
            ("first column", "a: 1", 1, 1, Some(" 1 | a: 1\n   | ^")),
            ("a tab counts one", "\ta: 1\n", 1, 5, Some(" 1 |  a: 1\n   |     ^")),
            ("non-ASCII counts one", "é: 1", 1, 4, Some(" 1 | é: 1\n   |    ^")),
            ("behind the end", "a:", 1, 3, Some(" 1 | a:\n   |   ^")),
            ("far to the right", &long, 1, 204, Some(cut.as_str())),
            ("a line that is not there", "a: 1", 7, 1, None),
            ("a secret", "password: x y", 1, 1, None),
            ("a secret in JSON", "{\"bearer_token\": \"x\"}", 1, 1, None),
            ("its file", "password_file: x", 1, 1, Some(" 1 | password_file: x\n   | ^")),
            ("both", "{password: x, password_file: y}", 1, 1, None),
            ("variables", "exec: {command: x, env: {A: x}}", 1, 1, None),
            ("variables in JSON", "{\"env\": {\"A\": 1}}", 1, 1, None),
            ("no variables", "clear_env: x", 1, 1, Some(" 1 | clear_env: x\n   | ^")),
            ("their files", "env_file: {A: x}", 1, 1, Some(" 1 | env_file: {A: x}\n   | ^")),
            ("a URL with a user", "url: http://me:pw@host/", 1, 6, None),
        ];
        for (name, text, line, column, want) in cases {
            assert_eq!(excerpt(text, Place { line, column }).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn values_are_quoted_and_cut() {
        let long = "é".repeat(81);
        let cut = format!("\"{}…\"", "é".repeat(80));
        let cases = [
            ("plain", "\"plain\""),
            ("a\"b\n\u{1b}", "\"a\\\"b\\n\\u{1b}\""),
            (long.as_str(), cut.as_str()),
        ];
        for (value, want) in cases {
            assert_eq!(Quoted(value).to_string(), want, "{value}");
        }
    }
}
