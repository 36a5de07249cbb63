//! Looks at a page of exposition text as a scraper would, slowly and by the book. It shares no
//! code with the program, so the two can disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::reply::Reply;
use super::{command, peers};

/// One sample, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// The metric's name, unquoted.
    pub name: String,
    /// Labels in the order written, values with their escapes.
    pub labels: Vec<(String, String)>,
    /// The value and the timestamp, if there is one, separated by one blank.
    pub rest: String,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// The value as a number.
    pub fn value(&self) -> f64 {
        self.rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// The sample without a label, for comparison with what came in.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.labels.retain(|(label, _)| label != name);
        self
    }
}

/// All samples of a page, in order.
pub fn samples(page: &str) -> Vec<Sample> {
    let lines = page.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line:?}"))).collect()
}

/// The number of samples of a page, by counting lines.
pub fn count(page: &str) -> usize {
    page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count()
}

/// The value of the one sample with this name and at least these labels.
pub fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let all = samples(page);
    let fits = |sample: &&Sample| {
        sample.name == name
            && labels.iter().all(|(label, value)| sample.label(label) == Some(*value))
    };
    let mut found = all.iter().filter(fits);
    let first = found.next().map(Sample::value);
    assert!(found.next().is_none(), "{name}{labels:?} is there twice:\n{page}");
    first
}

/// The declared types of a page, by family.
pub fn types(page: &str) -> BTreeMap<String, String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|rest| {
            let (name, kind) = rest.rsplit_once(' ').expect("a type");
            (name.trim_matches('"').to_owned(), kind.to_owned())
        })
        .collect()
}

/// Asserts that a page is what a merge may emit: every line ends, each family is declared once,
/// before its samples, which stand together, and no series is there twice. promtool is asked too,
/// where it is installed.
pub fn assert_well_formed(name: &str, page: &str) {
    assert!(page.is_empty() || page.ends_with('\n'), "{name}: no last line end");
    assert!(!page.contains('\r'), "{name}: a CR is left");
    assert_declared_once(name, page);
    assert_families_together(name, page);
    let mut series = BTreeSet::new();
    for sample in samples(page) {
        let mut labels = sample.labels.clone();
        labels.sort();
        let time = sample.rest.split(' ').nth(1).map(str::to_owned);
        let fresh = series.insert((sample.name.clone(), labels, time));
        assert!(fresh, "{name}: twice: {sample:?}\n{page}");
    }
    peers::assert_syntax(name, page);
}

fn assert_declared_once(name: &str, page: &str) {
    let mut seen = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with('#')) {
        let mut words = line.split(' ');
        let (hash, kind, family) = (words.next(), words.next(), words.next());
        assert_eq!(hash, Some("#"), "{name}: {line}");
        assert!(matches!(kind, Some("HELP" | "TYPE")), "{name}: {line}");
        assert!(seen.insert((kind, family)), "{name}: again: {line}\n{page}");
    }
}

fn assert_families_together(name: &str, page: &str) {
    let types = types(page);
    let mut ended = BTreeSet::new();
    let mut current = String::new();
    for line in page.lines() {
        let family = match line.strip_prefix("# ") {
            Some(comment) => comment.split(' ').nth(1).unwrap().trim_matches('"').to_owned(),
            None => {
                family(&sample(line).unwrap_or_else(|| panic!("{name}: {line:?}")).name, &types)
            }
        };
        if family != current {
            assert!(!ended.contains(&family), "{name}: {family} is split at {line:?}\n{page}");
            ended.insert(std::mem::replace(&mut current, family));
        }
    }
}

/// The family that a sample belongs to: its own name if that is declared, else the histogram or
/// summary whose part it is.
fn family(name: &str, types: &BTreeMap<String, String>) -> String {
    if !types.contains_key(name) {
        for (suffix, kinds) in [
            ("_bucket", &["histogram"][..]),
            ("_sum", &["histogram", "summary"]),
            ("_count", &["histogram", "summary"]),
        ] {
            let stem = name.strip_suffix(suffix);
            let kind = stem.and_then(|stem| types.get(stem));
            if kind.is_some_and(|kind| kinds.contains(&kind.as_str())) {
                return stem.unwrap().to_owned();
            }
        }
    }
    name.to_owned()
}

fn sample(line: &str) -> Option<Sample> {
    let line = line.trim_end();
    let end = line.find(['{', ' ', '\t'])?;
    let mut name = line[..end].to_owned();
    let mut rest = &line[end..];
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let key;
            (key, rest) = word(rest)?;
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('=') {
                let value;
                (value, rest) = word(after.trim_start())?;
                labels.push((key, value));
            } else if name.is_empty() {
                name = key;
            } else {
                return None;
            }
        }
    }
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty() && !rest.is_empty()).then_some(Sample { name, labels, rest })
}

/// A quoted string without its quotes, or a bare name; and what follows.
fn word(text: &str) -> Option<(String, &str)> {
    if let Some(inside) = text.strip_prefix('"') {
        let mut escaped = false;
        for (at, letter) in inside.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some((inside[..at].to_owned(), &inside[at + 1..])),
                _ => {}
            }
        }
        return None;
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':');
    let (word, rest) = text.split_at(end?);
    (!word.is_empty()).then(|| (word.to_owned(), rest))
}

/// Asserts that whatever is opened and must be closed is, in order, and that there is no script.
pub fn assert_tidy(page: &str) {
    /// Elements that end where the next one begins, or have no end.
    const OPEN: [&str; 13] = [
        "!doctype", "html", "meta", "li", "dt", "dd", "tr", "td", "th", "br", "path", "thead",
        "tbody",
    ];
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("<{tag} has no end"));
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) if OPEN.contains(&name) => {}
            Some(name) => assert_eq!(open.pop(), Some(name), "</{name}>\n{page}"),
            None if OPEN.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!page.contains("<script") && !page.contains("javascript:"), "{page}");
}

/// A reply's document, judged by Python where that is installed. All JSON is YAML.
pub fn json(reply: &Reply) -> yaml_serde::Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    if let Some(python) = peers::find("JSON by Python", &["python3"]) {
        let done = command::run(Command::new(python).args(["-m", "json.tool"]), &reply.body);
        assert_eq!(done.code, Some(0), "{}\n{}", done.err, reply.body);
    }
    yaml_serde::from_str(&reply.body).unwrap()
}
