//! Paths of files, with wildcards: `/var/lib/metrics/*.prom`.
//!
//! A pattern is a folder, which has no wildcards, and the segments below it. It is read when the
//! configuration is, and matches names one at a time; whoever walks the folders does so elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};

use super::value::BadValue;
use crate::limits;

/// One path, or all that fit a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    /// Up to the first wildcard, or up to the file's name; absolute where the working directory is
    /// known.
    folder: PathBuf,
    /// What is below it; at least one.
    segments: Vec<Segment>,
}

/// The name of a folder or, the last of them, of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This name.
    Name(Box<str>),
    /// Every name that fits.
    Wild(NamePattern),
}

/// A name with `*`, `?` or `[…]` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    written: Box<str>,
    tokens: Vec<Token>,
}

/// What one place of a name may be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This character.
    Letter(char),
    /// `?`: any character.
    Any,
    /// `*`: any characters, or none.
    Star,
    /// `[a-z_]`, `[!0-9]`: a character within (or without) these, ends included.
    Class { without: bool, ranges: Vec<(char, char)> },
}

impl PathPattern {
    /// Reads `text`; a relative path starts at `folder`, in which nothing is a wildcard.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks.
    pub(crate) fn new(text: &str, folder: &Path) -> Result<Self, BadValue> {
        if text.len() > limits::FILE_PATH {
            return Err(BadValue::new(format!("has more than {} bytes", limits::FILE_PATH)));
        }
        if text.chars().any(char::is_control) {
            return Err(BadValue::new("holds a control character"));
        }
        let names = text.split('/').filter(|name| !matches!(*name, "" | "."));
        let mut segments = names.map(Segment::new).collect::<Result<Vec<_>, _>>()?;
        let no_file = text.ends_with('/') || matches!(segments.last(), Some(last) if last.is_up());
        if segments.is_empty() || no_file {
            return Err(BadValue::new("names no file (/var/lib/metrics/*.prom)"));
        }
        let wild = segments.iter().position(|segment| matches!(segment, Segment::Wild(_)));
        let below = segments.split_off(wild.unwrap_or(segments.len().saturating_sub(1)));
        let start = if text.starts_with('/') { Path::new("/") } else { folder };
        let folder = segments.iter().fold(start.to_owned(), |folder, segment| match segment {
            Segment::Name(name) => folder.join(&**name),
            Segment::Wild(_) => folder,
        });
        Ok(Self { folder, segments: below })
    }

    /// Where to begin.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is below the folder; at least one.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether it may fit several files.
    #[must_use]
    pub fn is_wild(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Wild(_)))
    }
}

/// What is below the folder, as it is written.
impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, segment) in self.segments.iter().enumerate() {
            let slash = if number > 0 { "/" } else { "" };
            match segment {
                Segment::Name(name) => write!(f, "{slash}{name}")?,
                Segment::Wild(name) => write!(f, "{slash}{}", name.written)?,
            }
        }
        Ok(())
    }
}

impl Segment {
    fn new(text: &str) -> Result<Self, BadValue> {
        if text.contains(['*', '?', '[']) {
            NamePattern::new(text).map(Self::Wild)
        } else {
            Ok(Self::Name(text.into()))
        }
    }

    fn is_up(&self) -> bool {
        matches!(self, Self::Name(name) if **name == *"..")
    }
}

impl NamePattern {
    /// Reads one segment.
    fn new(text: &str) -> Result<Self, BadValue> {
        if text.contains("**") {
            return Err(BadValue::new("holds **, and folders are not walked; write */*"));
        }
        let mut tokens = Vec::new();
        let mut rest = text.chars();
        while let Some(letter) = rest.next() {
            tokens.push(match letter {
                '*' => Token::Star,
                '?' => Token::Any,
                '[' => class(&mut rest)?,
                letter => Token::Letter(letter),
            });
        }
        Ok(Self { written: text.into(), tokens })
    }

    /// Whether `name` fits. A name that begins with a dot fits only a pattern that does.
    ///
    /// # Source
    ///
    /// glob(7). A star that fits too little is tried again one character further on, and only the
    /// last star is: that is enough, and takes no more than the product of both lengths.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if name.starts_with('.') && self.tokens.first() != Some(&Token::Letter('.')) {
            return false;
        }
        let mut tokens = self.tokens.as_slice();
        let mut name = name.chars();
        // Where to go on when what follows the last star does not fit.
        let mut star = None;
        loop {
            match tokens.split_first() {
                Some((Token::Star, rest)) => {
                    tokens = rest;
                    star = Some((rest, name.clone()));
                    continue;
                }
                Some((token, rest)) => {
                    let mut ahead = name.clone();
                    if ahead.next().is_some_and(|letter| token.fits(letter)) {
                        (tokens, name) = (rest, ahead);
                        continue;
                    }
                }
                None if name.as_str().is_empty() => return true,
                None => {}
            }
            let Some((rest, from)) = &mut star else { return false };
            if from.next().is_none() {
                return false;
            }
            (tokens, name) = (*rest, from.clone());
        }
    }
}

impl Token {
    fn fits(&self, letter: char) -> bool {
        match self {
            Self::Letter(own) => *own == letter,
            Self::Any => true,
            Self::Star => false,
            Self::Class { without, ranges } => {
                let within = ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter));
                within != *without
            }
        }
    }
}

/// What is behind a `[`, up to its `]`. A `]` that comes first is a member.
fn class(rest: &mut std::str::Chars<'_>) -> Result<Token, BadValue> {
    let open = || BadValue::new("has a [ without its ] ([[] is the character itself)");
    let mut inside = rest.as_str();
    let without = inside.starts_with(['!', '^']);
    if without {
        inside = inside.get(1..).unwrap_or_default();
    }
    // The first character is a member, whatever it is.
    let first = inside.chars().next().ok_or_else(open)?;
    let end = inside.get(first.len_utf8()..).and_then(|more| more.find(']')).ok_or_else(open)?;
    let (members, behind) =
        inside.split_at_checked(first.len_utf8().saturating_add(end)).ok_or_else(open)?;
    *rest = behind.get(1..).unwrap_or_default().chars();
    let mut ranges = Vec::new();
    let mut members = members.chars();
    while let Some(from) = members.next() {
        let mut ahead = members.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if from <= to => {
                ranges.push((from, to));
                members = ahead;
            }
            (Some('-'), Some(to)) => {
                return Err(BadValue::new(format!("has a range that is empty ({from}-{to})")));
            }
            _ => ranges.push((from, from)),
        }
    }
    Ok(Token::Class { without, ranges })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_or_do_not() {
        let cases = [
            ("*.prom", "a.prom", true),
            ("*.prom", ".prom", false),
            ("*.prom", "a.prom.tmp", false),
            ("*.prom", "a.prom.prom", true),
            ("*", "a", true),
            ("*", ".a", false),
            (".*", ".a", true),
            ("[.]*", ".a", false),
            ("?*", ".a", false),
            ("?", "a", true),
            ("?", "é", true),
            ("?", "ab", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1c2b", false),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("[a-c]*", "beta", true),
            ("[a-c]*", "delta", false),
            ("[!a-c]*", "delta", true),
            ("[^a-c]*", "beta", false),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[[]x", "[x", true),
            ("[a-]", "-", true),
            ("[*]", "*", true),
            ("[*]", "a", false),
            ("[ä-ü]", "ö", true),
        ];
        for (pattern, name, want) in cases {
            let pattern_read = NamePattern::new(pattern).unwrap();
            assert_eq!(pattern_read.matches(name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn a_path_is_a_folder_and_what_is_below_it() {
        let cases = [
            ("/var/lib/m/*.prom", "/var/lib/m", "*.prom", true),
            ("/var/*/m/x.prom", "/var", "*/m/x.prom", true),
            ("/x.prom", "/", "x.prom", false),
            ("x.prom", "/etc/[f]", "x.prom", false),
            ("./m//x?", "/etc/[f]/m", "x?", true),
            ("../m/x", "/etc/[f]/../m", "x", false),
        ];
        for (text, folder, below, wild) in cases {
            let pattern = PathPattern::new(text, Path::new("/etc/[f]")).unwrap();
            let got = (pattern.folder().to_str().unwrap(), pattern.to_string(), pattern.is_wild());
            assert_eq!(got, (folder, below.to_owned(), wild), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = "x".repeat(limits::FILE_PATH + 1);
        let no_file = "names no file (/var/lib/metrics/*.prom)";
        let cases = [
            ("", no_file),
            ("/", no_file),
            ("/var/lib/", no_file),
            ("/var/..", no_file),
            ("/var/**/x", "holds **, and folders are not walked; write */*"),
            ("/var/[a", "has a [ without its ] ([[] is the character itself)"),
            ("/var/[]", "has a [ without its ] ([[] is the character itself)"),
            ("/var/[", "has a [ without its ] ([[] is the character itself)"),
            ("/var/[z-a]", "has a range that is empty (z-a)"),
            ("/var/a\nb", "holds a control character"),
            (&long, "has more than 4096 bytes"),
        ];
        for (text, want) in cases {
            let got = PathPattern::new(text, Path::new("/")).unwrap_err();
            assert_eq!(got, BadValue::new(want), "{text}");
        }
    }
}
