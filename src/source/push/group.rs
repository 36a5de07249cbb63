//! What tells one pushed page from another: a set of labels.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use crate::base64::{base64_url, decoded_url};
use crate::config::label_name;
use crate::exposition::Escaped;
use crate::http::percent::Decoded;
use crate::limits::{APP, GROUP_LABELS, LABEL_VALUE};

/// The labels of a group, sorted by name, each once. An application has one, `app`. Copies share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group(Rc<[(Box<str>, Box<str>)]>);

/// Why labels make no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadGroup {
    /// A name is no label's name.
    Name,
    /// A label is there twice.
    Twice,
    /// An application, or a job, without a name.
    Empty,
    /// A value is too long.
    Long,
    /// A value holds a control character, or is no text.
    Control,
    /// Too many labels.
    Many,
    /// A label without a value.
    Odd,
    /// Not what base64 has.
    Base64,
}

impl fmt::Display for BadGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("no label name"),
            Self::Twice => f.write_str("a label is there twice"),
            Self::Empty => f.write_str("the name is empty"),
            Self::Long => write!(f, "longer than {LABEL_VALUE} bytes"),
            Self::Control => f.write_str("not text without control characters"),
            Self::Odd => f.write_str("a label has no value"),
            Self::Base64 => f.write_str("not base64"),
            Self::Many => write!(f, "more than {GROUP_LABELS} labels"),
        }
    }
}

impl Group {
    /// The group of an application.
    ///
    /// # Errors
    ///
    /// [`BadGroup`].
    pub fn app(name: &str) -> Result<Self, BadGroup> {
        if name.is_empty() {
            return Err(BadGroup::Empty);
        }
        check_value(name)?;
        Ok(Self(Rc::new([(APP.into(), name.into())])))
    }

    /// The group that a path names, below that of its route: `JOB/INSTANCE` as in prompipe, or as in
    /// the Pushgateway `job/JOB` and further labels with their values, and whether it is that. A first
    /// segment `job` is always that form.
    ///
    /// # Errors
    ///
    /// [`BadGroup`]; `Odd` also for what is neither.
    ///
    /// # Source
    ///
    /// The Pushgateway's README, "URL".
    pub fn of_path(path: &str) -> Result<(Self, bool), BadGroup> {
        let segments = path.split('/').map(|raw| Decoded::segment(raw).ok_or(BadGroup::Control));
        let segments: Vec<String> =
            segments.map(|segment| segment.map(|it| it.to_string())).collect::<Result<_, _>>()?;
        let is_pushgateway = matches!(segments.first().map(String::as_str), Some("job" | JOB_64));
        let pairs: Vec<(&str, String)> = match &*segments {
            [job, instance] if !is_pushgateway => {
                vec![("job", job.clone()), ("instance", instance.clone())]
            }
            all if is_pushgateway => {
                let mut pairs = Vec::new();
                for pair in all.chunks(2) {
                    let [name, value] = pair else { return Err(BadGroup::Odd) };
                    pairs.push(match name.strip_suffix(BASE_64) {
                        Some(name) => (name, from_base64(value)?),
                        None => (name.as_str(), value.clone()),
                    });
                }
                pairs
            }
            _ => return Err(BadGroup::Odd),
        };
        Self::of_labels(pairs).map(|group| (group, is_pushgateway))
    }

    fn of_labels(pairs: Vec<(&str, String)>) -> Result<Self, BadGroup> {
        if pairs.len() > GROUP_LABELS {
            return Err(BadGroup::Many);
        }
        if pairs.iter().any(|(name, value)| *name == "job" && value.is_empty()) {
            return Err(BadGroup::Empty);
        }
        let mut labels: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            label_name(name).map_err(|_| BadGroup::Name)?;
            if value.len() > LABEL_VALUE {
                return Err(BadGroup::Long);
            }
            labels.push((name.into(), value.into()));
        }
        labels.sort();
        if labels.windows(2).any(|two| matches!(two, [one, other] if one.0 == other.0)) {
            return Err(BadGroup::Twice);
        }
        Ok(Self(labels.into()))
    }

    /// Whether it has this label.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| **own == *name)
    }

    /// Its labels, sorted by name.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Where it is below a route's path, with nothing percent-encoded: whoever asks there does that.
    /// `None` for an application, which no path names.
    ///
    /// Prometheus encodes the path that it is told, so `%2F` cannot be said: a value with a slash is
    /// in base64.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let value = |name| self.labels().find(|(own, _)| *own == name).map(|(_, value)| value);
        let job = value("job")?;
        if let (2, Some(instance)) = (self.0.len(), value("instance"))
            && is_segment(job)
            && is_segment(instance)
            && !matches!(job, "job" | JOB_64)
        {
            return Some(format!("/{job}/{instance}"));
        }
        let others = self.labels().filter(|(name, _)| *name != "job");
        let mut path = String::new();
        for (name, value) in std::iter::once(("job", job)).chain(others) {
            let (form, value) = match value {
                "" => (BASE_64, Cow::Borrowed("=")),
                value if is_segment(value) => ("", Cow::Borrowed(value)),
                value => (BASE_64, Cow::Owned(base64_url(value.as_bytes()))),
            };
            for piece in ["/", name, form, "/", &value] {
                path.push_str(piece);
            }
        }
        Some(path)
    }

    /// The application's name, if it is one.
    #[must_use]
    pub fn as_app(&self) -> Option<&str> {
        match &*self.0 {
            [(name, value)] if **name == *APP => Some(value),
            _ => None,
        }
    }
}

/// Ends the name of a label whose value is in base64.
const BASE_64: &str = "@base64";
const JOB_64: &str = "job@base64";

/// Whether a value can be a segment of a path as it is.
fn is_segment(value: &str) -> bool {
    !matches!(value, "" | "." | "..") && !value.contains(|c: char| c == '/' || c.is_control())
}

/// Text in URL-safe base64; `=` alone is no text.
fn from_base64(text: &str) -> Result<String, BadGroup> {
    let bytes = decoded_url(text).ok_or(BadGroup::Base64)?;
    String::from_utf8(bytes).map_err(|_| BadGroup::Base64)
}

fn check_value(value: &str) -> Result<(), BadGroup> {
    if value.len() > LABEL_VALUE {
        return Err(BadGroup::Long);
    }
    if value.chars().any(char::is_control) { Err(BadGroup::Control) } else { Ok(()) }
}

/// `app="x"`, or `job="a",instance="b"`: as on a sample.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.labels().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{name}=\"{}\"", Escaped(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_tells_the_path_that_names_it() {
        let cases = [
            ("home/pi", "/home/pi"),
            ("home/p%C3%ad%201%25", "/home/p\u{ed} 1%"),
            ("job/job/instance/a", "/job/job/instance/a"),
            ("job/job@base64/instance/a", "/job/job@base64/instance/a"),
            ("home/a%2Fb", "/job/home/instance@base64/YS9i"),
            ("job/a/instance@base64/=", "/job/a/instance@base64/="),
            ("job/../instance/b", "/job@base64/Li4/instance/b"),
            ("job/a%0A/instance/b", "/job@base64/YQo/instance/b"),
            ("job/a", "/job/a"),
            ("job/a/zone/%3F%23/app/x", "/job/a/app/x/zone/?#"),
            ("job/a/zone@base64/Pz8_", "/job/a/zone/???"),
            ("job/a/zone@base64/Lz8_", "/job/a/zone@base64/Lz8_"),
        ];
        for (path, want) in cases {
            let group = Group::of_path(path).unwrap().0;
            let told = group.path().unwrap();
            assert_eq!(told, want, "{path}");
            let encoded: String = told
                .bytes()
                .map(|byte| match byte {
                    b'/' => "/".to_owned(),
                    byte => format!("%{byte:02X}"),
                })
                .collect();
            assert_eq!(Group::of_path(&encoded[1..]).unwrap().0, group, "{path}");
        }
        assert_eq!(Group::app("a").unwrap().path(), None);
    }

    /// Whatever a value holds: the path, encoded as Prometheus does, names the same group.
    #[test]
    fn every_character_comes_back() {
        let encoded = |path: &str| -> String {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/$&+,:;=@-_.~".contains(&byte);
            let one = |byte: u8| match plain(byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            };
            path.bytes().map(one).collect()
        };
        for c in (0..0x300).chain(0xfff0..0x1_0010).filter_map(char::from_u32) {
            for value in [c.to_string(), format!("{c}{c}"), format!("a{c}"), format!(".{c}b")] {
                for pairs in [
                    vec![("job", value.clone()), ("instance", "i".to_owned())],
                    vec![("job", "j".to_owned()), ("instance", value.clone())],
                    vec![("job", value.clone()), ("zone", value.clone())],
                ] {
                    let group = Group::of_labels(pairs).unwrap();
                    let path = encoded(&group.path().unwrap());
                    let again = Group::of_path(&path[1..]).map(|(group, _)| group);
                    assert_eq!(again, Ok(group), "{path}");
                }
            }
        }
    }

    #[test]
    fn paths_name_groups() {
        let cases = [
            ("home/pi", Ok(("instance=\"pi\",job=\"home\"", false))),
            ("home/pi%2F1", Ok(("instance=\"pi/1\",job=\"home\"", false))),
            ("job/a", Ok(("job=\"a\"", true))),
            ("job/a/zone/1/instance/b", Ok(("instance=\"b\",job=\"a\",zone=\"1\"", true))),
            ("job@base64/L3Zhci90bXA", Ok(("job=\"/var/tmp\"", true))),
            ("job@base64/L3Zhci90bXA=", Ok(("job=\"/var/tmp\"", true))),
            ("job/a/x@base64/=", Ok(("job=\"a\",x=\"\"", true))),
            ("job/a/x@base64/w6Q", Ok(("job=\"a\",x=\"\u{e4}\"", true))),
            ("job@base64/=", Err(BadGroup::Empty)),
            ("job@base64/!!", Err(BadGroup::Base64)),
            ("job@base64/A", Err(BadGroup::Base64)),
            ("job@base64/_w", Err(BadGroup::Base64)),
            ("job/a/b", Err(BadGroup::Odd)),
            ("job", Err(BadGroup::Odd)),
            ("a", Err(BadGroup::Odd)),
            ("a/b/c", Err(BadGroup::Odd)),
            ("job/a/b-c/d", Err(BadGroup::Name)),
            ("job/a/__b/d", Err(BadGroup::Name)),
            ("job/a/b/c/b/d", Err(BadGroup::Twice)),
        ];
        for (path, want) in cases {
            let got = Group::of_path(path).map(|(group, form)| (group.to_string(), form));
            assert_eq!(got, want.map(|(group, form)| (group.to_owned(), form)), "{path}");
        }
    }
}
