//! `pipes`: each judged, its names resolved, its secrets read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::at::At;
use super::build::{Context, at_least_one, at_most, some_time};
use super::error::Fault;
use super::file::{File, PipeFile};
use super::outlet::{compress, label_or_none, members};
use super::plan::{Found, Limits, Member, Merge, Plan, Source};
use super::secret::Secret;
use super::source::{self, labels};
#[cfg(feature = "tls")]
use super::tls::{self, ClientTls};
use super::value::BadValue;
use crate::http::url::Target;
use crate::limits;

/// A page that is sent somewhere every so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipe {
    /// What metrics and the log call it; each once.
    pub name: Box<str>,
    /// What it sends.
    pub merge: Merge,
    /// Where to: a URL like that of an http source, with a path.
    pub to: Box<str>,
    /// How it is sent.
    pub protocol: Protocol,
    /// From the beginning of one attempt to that of the next.
    pub every: Duration,
    /// The longest an attempt may take, scrape and answer included; at most twice `every`.
    pub timeout: Duration,
    /// The whole value of `Authorization`.
    pub authorization: Option<Secret>,
    /// How TLS is spoken there.
    #[cfg(feature = "tls")]
    pub tls: ClientTls,
}

/// What the other end speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// prompipe's, and a `receive` route of fanin: a page is PUT at its path.
    #[default]
    Put,
    /// A Pushgateway's: a group is PUT at its path.
    Pushgateway,
    /// The text import of VictoriaMetrics: samples are POSTed, and get the time of their arrival.
    Import,
}

impl Protocol {
    /// As the configuration has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Pushgateway => "pushgateway",
            Self::Import => "import",
        }
    }

    /// Whether the other end is known to take packed pages: prompipe's would hand them on packed.
    const fn unpacks(self) -> bool {
        !matches!(self, Self::Put)
    }
}

impl Pipe {
    /// One source and nothing else said: its page leaves without a label that tells the source.
    #[must_use]
    pub fn new(member: Member, to: &str, every: Duration) -> Self {
        let merge = Merge { label: None, compress: false, ..Merge::new(vec![member]) };
        let timeout = every.min(limits::DEFAULT_SCRAPE_TIMEOUT);
        let name = name_of(to).into();
        let protocol = Protocol::default();
        Self {
            name,
            merge,
            to: to.into(),
            protocol,
            every,
            timeout,
            authorization: None,
            #[cfg(feature = "tls")]
            tls: ClientTls::default(),
        }
    }

    /// Seconds for which the other end may believe a page.
    #[must_use]
    pub fn ttl(&self) -> u64 {
        let ttl = self.every.saturating_mul(limits::EVERY_KEPT);
        ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0))
    }
}

/// What `fanin send` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// The exporter's URL.
    pub from: String,
    /// Where its page goes.
    pub to: String,
    /// A file with the token for that.
    pub token_file: Option<PathBuf>,
    /// How often.
    pub every: Duration,
}

impl Sending {
    /// A configuration that does so, and nothing else.
    ///
    /// # Errors
    ///
    /// What is wrong with the token's file.
    pub fn plan(&self) -> Result<Plan, String> {
        let found = Found { name: "exporter".to_owned(), url: self.from.clone() };
        let mut plan = Plan::default_for(&[found], &[]);
        plan.servers.clear();
        let mut pipe = Pipe::new(Member::Source(0), &self.to, self.every);
        if let Some(file) = &self.token_file {
            pipe.authorization = Some(Secret::bearer(&source::token(file, &mut plan.exposed)?));
        }
        plan.pipes.push(pipe);
        Ok(plan)
    }
}

/// How often a pipe sends.
///
/// # Errors
///
/// [`BadValue`] for what is no duration, or too short a one.
pub fn pipe_every(text: &str) -> Result<Duration, BadValue> {
    let every = some_time(text)?;
    let rule = || BadValue::new("is shorter than 100ms");
    (every >= limits::PIPE_EVERY).then_some(every).ok_or_else(rule)
}

/// A URL at which pages can be put.
///
/// # Errors
///
/// [`BadValue`] says what it lacks.
pub fn place_to_put(text: &str) -> Result<String, BadValue> {
    Target::parse(text).map_err(|error| BadValue::new(error.rule().to_string()))?;
    fits(text, Protocol::Put).map(|()| text.to_owned())
}

/// All pipes, in the file's order.
pub(super) fn pipes(
    file: &File,
    (sources, limits): (&[Source], &Limits),
    context: &Context<'_>,
) -> Result<Vec<Pipe>, Fault> {
    let at = At::Root.key("pipes");
    let listed = file.pipes.as_ref().map(|pipes| pipes.0.as_slice()).unwrap_or_default();
    at_most(&at, listed.len(), limits::PIPES, "pipes")?;
    let mut pipes: Vec<Pipe> = Vec::new();
    for (index, file) in listed.iter().enumerate() {
        let at = at.index(index);
        let pipe = pipe(&at, file, (sources, limits), context)?;
        if pipes.iter().any(|known| known.name == pipe.name) {
            return Err(match file.name {
                Some(_) => Fault::value(&at.key("name"), &pipe.name, "is the name of another pipe"),
                None => Fault::value(
                    &at.key("to"),
                    &pipe.to,
                    "is where another pipe leads: one pipe may have many sources, and two need a name each",
                ),
            });
        }
        pipes.push(pipe);
    }
    Ok(pipes)
}

fn pipe(
    at: &At<'_>,
    file: &PipeFile,
    (sources, limits): (&[Source], &Limits),
    context: &Context<'_>,
) -> Result<Pipe, Fault> {
    let protocol = context.value(&at.key("protocol"), file.protocol.as_ref(), protocol)?;
    let protocol = protocol.unwrap_or_default();
    let to = source::url(&at.key("to"), file.to.as_ref(), context)?;
    fits(&to, protocol).map_err(|rule| Fault::value(&at.key("to"), &to, rule))?;
    let key = at.key("every");
    let every = context.value(&key, file.every.as_ref(), pipe_every)?;
    let every = every.ok_or_else(|| Fault::rule(&key, "how often is missing, such as 4s"))?;
    let timeout = context.value(&at.key("timeout"), file.timeout.as_ref(), |text| {
        let timeout = some_time(text)?;
        let rule = || BadValue::new("is longer than twice every: failures would skip ticks");
        (timeout <= every.saturating_mul(2)).then_some(timeout).ok_or_else(rule)
    })?;
    let name = context.value(&at.key("name"), file.name.as_ref(), pipe_name)?;
    Ok(Pipe {
        name: name.unwrap_or_else(|| name_of(&to).into()),
        merge: merge(at, file, (sources, protocol), context)?,
        protocol,
        every,
        timeout: timeout.unwrap_or_else(|| every.min(limits.scrape_timeout)),
        authorization: authorization(at, file, context)?,
        #[cfg(feature = "tls")]
        tls: tls::client(at, file.tls.as_ref(), (Target::is_https(&to), "URL in to"), context)?,
        to,
    })
}

/// `from`, with what is put on its samples.
fn merge(
    at: &At<'_>,
    file: &PipeFile,
    (sources, protocol): (&[Source], Protocol),
    context: &Context<'_>,
) -> Result<Merge, Fault> {
    let from = at.key("from");
    let names = file.from.as_ref().ok_or_else(|| Fault::rule(&from, "a source is missing"))?;
    let mut merge = Merge::new(members(&from, names, sources, context)?);
    at_least_one(&from, merge.members.len(), "a source")?;
    // One page needs nothing to tell it apart, and goes on as it came.
    if merge.members.len() == 1 {
        merge.label = None;
    }
    if let Some(label) = context.value(&at.key("label"), file.label.as_ref(), label_or_none)? {
        merge.label = label;
    }
    let on_conflict =
        context.value(&at.key("on_conflict"), file.on_conflict.as_ref(), str::parse)?;
    merge.on_conflict = on_conflict.unwrap_or_default();
    merge.labels = labels(&at.key("labels"), file.labels.as_ref(), context)?;
    if let Some((name, _)) =
        merge.labels.iter().find(|(name, _)| merge.label.as_ref() == Some(name))
    {
        let labels = at.key("labels");
        return Err(Fault::key(&labels.key(name), name, "is the label that tells the source"));
    }
    merge.compress = match &file.compress {
        Some(text) => compress(at, Some(text), context)?,
        None => protocol.unpacks(),
    };
    Ok(merge)
}

/// `token_file`, or what `auth` says.
fn authorization(
    at: &At<'_>,
    file: &PipeFile,
    context: &Context<'_>,
) -> Result<Option<Secret>, Fault> {
    match (&file.token_file, &file.auth) {
        (Some(_), Some(_)) => Err(Fault::rule(at, "token_file and auth exclude each other")),
        (Some(text), None) => source::bearer_file(&at.key("token_file"), text, context).map(Some),
        (None, Some(auth)) => source::login(&at.key("auth"), auth, context).map(Some),
        (None, None) => Ok(None),
    }
}

/// One of the protocols.
fn protocol(text: &str) -> Result<Protocol, BadValue> {
    let known = [Protocol::Put, Protocol::Pushgateway, Protocol::Import];
    match text {
        "remote_write" | "tunnel" => Err(BadValue::new("is not built yet")),
        _ => known
            .into_iter()
            .find(|known| known.word() == text)
            .ok_or_else(|| BadValue::new("is none of put, pushgateway, import")),
    }
}

/// Refuses a URL at which nobody would take a page of this protocol.
fn fits(to: &str, protocol: Protocol) -> Result<(), BadValue> {
    // It was parsed before.
    let Ok(target) = Target::parse(to) else { return Ok(()) };
    let path = target.path();
    let rule = match protocol {
        Protocol::Pushgateway if !path.contains("/job/") && !path.contains("/job@base64/") => {
            "has no group: a Pushgateway takes pages at /metrics/job/JOB, then /LABEL/VALUE"
        }
        Protocol::Put if path == "/" => {
            "has no path: a page goes to one such as /metrics/JOB/INSTANCE"
        }
        Protocol::Import if path == "/" => {
            "has no path: VictoriaMetrics imports at /api/v1/import/prometheus"
        }
        _ => return Ok(()),
    };
    Err(BadValue::new(rule))
}

/// A URL without its query, in which there may be a secret.
fn name_of(to: &str) -> &str {
    to.split_once('?').map_or(to, |(name, _)| name)
}

/// A pipe's own name.
fn pipe_name(text: &str) -> Result<Box<str>, BadValue> {
    if text.is_empty() || text.len() > limits::LABEL_VALUE || text.chars().any(char::is_control) {
        let most = limits::LABEL_VALUE;
        return Err(BadValue::new(format!(
            "has no bytes, more than {most}, or a control character"
        )));
    }
    Ok(text.into())
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
