//! `sources`: each judged, its secrets read.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::at::At;
use super::build::{Context, at_most, scrape_time, some_time};
#[cfg(feature = "local")]
use super::command;
use super::error::Fault;
#[cfg(feature = "local")]
use super::file::FileKeys;
use super::file::{AuthFile, BasicFile, HttpFile, SourceFile};
#[cfg(feature = "klipper")]
use super::klipper;
#[cfg(feature = "local")]
use super::pattern::PathPattern;
#[cfg(feature = "local")]
use super::plan::File;
use super::plan::{Every, Http, Kind, Limits, OnMalformed, Redirects, Source};
#[cfg(feature = "push")]
use super::push;
use super::secret::Secret;
use super::shape::{Named, Text};
#[cfg(feature = "tls")]
use super::tls;
use super::value::{self, BadValue};
use crate::http::url::{Target, UrlRule};
use crate::limits;

/// Header fields that the client sets itself, or that would change how a message ends.
const OURS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-prometheus-scrape-timeout-seconds",
];

/// All sources, in the file's order.
pub(super) fn sources(
    named: &Named<SourceFile>,
    limits: &Limits,
    context: &Context<'_>,
) -> Result<Vec<Source>, Fault> {
    let at = At::Root.key("sources");
    at_most(&at, named.0.len(), limits::SOURCES, "sources")?;
    let one = |(name, file): &(String, SourceFile)| {
        let at = at.key(name);
        value::source_name(name).map_err(|rule| Fault::key(&at, name, rule))?;
        source(&at, name, (file, limits), context)
    };
    named.0.iter().map(one).collect()
}

/// One source; how long its page may be is for the caller to say.
pub(super) fn source(
    at: &At<'_>,
    name: &str,
    (file, limits): (&SourceFile, &Limits),
    context: &Context<'_>,
) -> Result<Source, Fault> {
    let kind = kind(at, file, context)?;
    let cache = context.value(&at.key("cache"), file.cache.as_ref(), value::duration)?;
    let cache = cache.filter(|cache| !cache.is_zero());
    let every = every(at, (file, &kind), limits, context)?;
    if every.is_some() && cache.is_some() {
        return Err(Fault::rule(at, "cache and every exclude each other: every keeps its page"));
    }
    let timeout = match every {
        Some(_) => None,
        None => context.value(&at.key("timeout"), file.timeout.as_ref(), scrape_time)?,
    };
    let labels = labels(&at.key("labels"), file.labels.as_ref(), context)?;
    let label_names = label_names(&labels, &kind);
    let verify = context.value(&at.key("verify"), file.verify.as_ref(), value::switch)?;
    if verify.is_some() && !matches!(kind.key(), "http" | "push") {
        return Err(misplaced(at, "verify", "is for sources of the kinds http and push only"));
    }
    let malformed = file.on_malformed.as_ref();
    let on_malformed = context.value(&at.key("on_malformed"), malformed, on_malformed)?;
    Ok(Source {
        name: name.into(),
        kind,
        timeout,
        labels,
        cache,
        every,
        verify: verify.unwrap_or(true),
        on_malformed: on_malformed.unwrap_or_default(),
        max_bytes: limits.body,
        label_names,
    })
}

/// The names of the labels that are put on a source's samples wherever it is merged.
fn label_names(labels: &[Pair<Box<str>>], kind: &Kind) -> Vec<Box<str>> {
    let names = labels.iter().map(|(name, _)| name.clone());
    match kind {
        #[cfg(feature = "push")]
        Kind::Push(_) => names.chain([limits::APP.into()]).collect(),
        _ => names.collect(),
    }
}

/// A key that this source cannot have.
fn misplaced(at: &At<'_>, key: &str, rule: &str) -> Fault {
    Fault::key(&at.key(key), key, rule)
}

/// `refuse` or `drop_line`.
fn on_malformed(text: &str) -> Result<OnMalformed, BadValue> {
    match text {
        "refuse" => Ok(OnMalformed::Refuse),
        "drop_line" => Ok(OnMalformed::DropLine),
        _ => Err(BadValue::new("is neither refuse nor drop_line")),
    }
}

/// `sources.NAME.every`, with the `max_age` and the `timeout` that belong to it.
fn every(
    at: &At<'_>,
    (file, kind): (&SourceFile, &Kind),
    limits: &Limits,
    context: &Context<'_>,
) -> Result<Option<Every>, Fault> {
    let is_file = kind.key() == "file";
    let key = at.key("every");
    let period = context.value(&key, file.every.as_ref(), some_time)?;
    let max_age_key = at.key("max_age");
    let Some(period) = period else {
        return match &file.max_age {
            Some(_) if !is_file => Err(misplaced(at, "max_age", "needs every, or the kind file")),
            _ => Ok(None),
        };
    };
    if is_file {
        return Err(misplaced(at, "every", "is not for sources of the kind file"));
    }
    let max_age = context.value(&max_age_key, file.max_age.as_ref(), |text| {
        let max_age = some_time(text)?;
        let rule = || BadValue::new("is shorter than every");
        (max_age >= period).then_some(max_age).ok_or_else(rule)
    })?;
    let timeout = context.value(&at.key("timeout"), file.timeout.as_ref(), some_time)?;
    Ok(Some(Every {
        period,
        max_age: max_age.unwrap_or(period.saturating_mul(limits::EVERY_KEPT)),
        timeout: timeout.unwrap_or(period.max(limits.scrape_timeout)),
    }))
}

/// The one kind of a source.
fn kind(at: &At<'_>, file: &SourceFile, context: &Context<'_>) -> Result<Kind, Fault> {
    let mut found: Option<(&str, Kind)> = None;
    let mut take = |key, judge: &dyn Fn(&At<'_>) -> Result<Kind, Fault>| {
        if let Some((other, _)) = &found {
            return Err(Fault::rule(at, format_args!("{other} and {key} exclude each other")));
        }
        found = Some((key, judge(&at.key(key))?));
        Ok(())
    };
    if let Some(http) = &file.http {
        take("http", &|at| self::http(at, http, context).map(Kind::Http))?;
    }
    #[cfg(feature = "local")]
    if let Some(keys) = &file.file {
        take("file", &|key| {
            let path = path(key, keys, context)?;
            let max_age = context.value(&at.key("max_age"), file.max_age.as_ref(), some_time)?;
            Ok(Kind::File(File { path, max_age }))
        })?;
    }
    #[cfg(feature = "local")]
    if let Some(exec) = &file.exec {
        take("exec", &|at| command::exec(at, exec, context).map(Kind::Exec))?;
    }
    #[cfg(feature = "klipper")]
    if let Some(keys) = &file.klipper {
        take("klipper", &|at| klipper::klipper(at, keys, context).map(Kind::Klipper))?;
    }
    #[cfg(feature = "push")]
    if let Some(keys) = &file.push {
        take("push", &|key| push::push((at, key), (keys, file), context).map(Kind::Push))?;
    }
    found.map(|(_, kind)| kind).ok_or_else(|| Fault::rule(at, "a kind such as http is missing"))
}

/// `sources.NAME.file.path`; a relative one starts at the file's folder.
#[cfg(feature = "local")]
fn path(at: &At<'_>, file: &FileKeys, context: &Context<'_>) -> Result<PathPattern, Fault> {
    let at = at.key("path");
    let read = |text: &str| PathPattern::new(text, context.folder());
    let path = context.value(&at, file.path.as_ref(), read)?;
    path.ok_or_else(|| Fault::rule(&at, "a path is missing"))
}

/// A name and its value, both checked.
pub(super) type Pair<T> = (Box<str>, T);

/// `sources.NAME.labels`, or a pipe's.
pub(super) fn labels(
    at: &At<'_>,
    named: Option<&Named<Text>>,
    context: &Context<'_>,
) -> Result<Vec<Pair<Box<str>>>, Fault> {
    let listed = named.map(|named| named.0.as_slice()).unwrap_or_default();
    at_most(at, listed.len(), limits::SOURCE_LABELS, "labels")?;
    let one = |(name, text): &(String, Text)| {
        let at = at.key(name);
        value::label_name(name).map_err(|rule| Fault::key(&at, name, rule))?;
        let text = context.text(&at, text)?;
        value::label_value(&text).map_err(|rule| Fault::value(&at, &text, rule))?;
        Ok((name.as_str().into(), text.into()))
    };
    listed.iter().map(one).collect()
}

/// `sources.NAME.http`.
fn http(at: &At<'_>, file: &HttpFile, context: &Context<'_>) -> Result<Http, Fault> {
    let url = url(&at.key("url"), file.url.as_ref(), context)?;
    let mut headers = headers(&at.key("headers"), file.headers.as_ref(), |at, text| {
        field_value(at, &context.text(at, text)?)
    })
    .map_err(Fault::hidden)?;
    let from_files =
        self::headers(&at.key("headers_file"), file.headers_file.as_ref(), |at, text| {
            field_value(at, &secret_file(at, text, context)?)
        })?;
    for (name, value) in from_files {
        if headers.iter().any(|(known, _): &Pair<Secret>| known.eq_ignore_ascii_case(&name)) {
            let at = at.key("headers_file");
            return Err(Fault::key(&at.key(&name), &name, "is among headers too"));
        }
        headers.push((name, value));
    }
    at_most(&at.key("headers"), headers.len(), limits::SOURCE_HEADERS, "header fields")?;
    let auth = file.auth.as_ref();
    let authorization = auth.map(|auth| login(&at.key("auth"), auth, context)).transpose()?;
    let redirects = context.value(&at.key("redirects"), file.redirects.as_ref(), redirects)?;
    let redirects = redirects.unwrap_or_default();
    #[cfg(feature = "tls")]
    let tls = {
        // It may come with a redirect.
        let spoken = redirects == Redirects::Any || Target::is_https(&url);
        tls::client(at, file.tls.as_ref(), (spoken, "url"), context)?
    };
    Ok(Http {
        url,
        headers,
        authorization,
        redirects,
        #[cfg(feature = "tls")]
        tls,
    })
}

/// `same`, `any` or `none`.
fn redirects(text: &str) -> Result<Redirects, BadValue> {
    match text {
        "same" => Ok(Redirects::Same),
        "any" => Ok(Redirects::Any),
        "none" => Ok(Redirects::Never),
        _ => Err(BadValue::new("is none of same, any, none")),
    }
}

/// `sources.NAME.http.url`; a relative socket path starts at the file's folder.
pub(super) fn url(
    at: &At<'_>,
    text: Option<&Text>,
    context: &Context<'_>,
) -> Result<Box<str>, Fault> {
    let text = text.ok_or_else(|| Fault::rule(at, "a url is missing"))?;
    let text = context.text(at, text)?;
    let text = match text.strip_prefix("unix://") {
        Some(path) if !path.is_empty() && !path.starts_with('/') => {
            format!("unix://{}", context.folder().join(path).display())
        }
        _ => text,
    };
    match Target::parse(&text).map_err(|error| error.rule()) {
        Err(UrlRule::Password) => {
            Err(Fault::secret(at, "holds a user; it belongs to auth, under basic"))
        }
        _ if text.len() > limits::URL => {
            Err(Fault::value(at, &text, format_args!("has more than {} bytes", limits::URL)))
        }
        Err(rule) => Err(Fault::value(at, &text, rule)),
        Ok(_) => Ok(text.into()),
    }
}

/// A map of header fields, their values read by `read`.
fn headers(
    at: &At<'_>,
    named: Option<&Named<Text>>,
    read: impl Fn(&At<'_>, &Text) -> Result<Secret, Fault>,
) -> Result<Vec<Pair<Secret>>, Fault> {
    let listed = named.map(|named| named.0.as_slice()).unwrap_or_default();
    let mut headers: Vec<Pair<Secret>> = Vec::new();
    for (name, text) in listed {
        let at = at.key(name);
        field_name(name).map_err(|rule| Fault::key(&at, name, rule))?;
        if headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(Fault::key(&at, name, "is here twice"));
        }
        headers.push((name.as_str().into(), read(&at, text)?));
    }
    Ok(headers)
}

/// A header field's name: a token of RFC 9110, none of [`OURS`].
fn field_name(name: &str) -> Result<(), BadValue> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > limits::LABEL_NAME || !name.bytes().all(token) {
        return Err(BadValue::new("is no header field's name"));
    }
    if name.eq_ignore_ascii_case("authorization") {
        return Err(BadValue::new("is set by auth"));
    }
    if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
        return Err(BadValue::new("is set by fanin itself"));
    }
    Ok(())
}

/// A header field's value: it may be a secret, so it is never shown.
fn field_value(at: &At<'_>, value: &str) -> Result<Secret, Fault> {
    if value.len() > limits::SECRET {
        return Err(Fault::secret(at, format_args!("has more than {} bytes", limits::SECRET)));
    }
    if value.trim() != value {
        return Err(Fault::secret(at, "begins or ends with a blank"));
    }
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return Err(Fault::secret(at, "holds a control character"));
    }
    Ok(Secret::new(value))
}

/// `sources.NAME.http.auth`: exactly one way to log in.
pub(super) fn login(at: &At<'_>, file: &AuthFile, context: &Context<'_>) -> Result<Secret, Fault> {
    let AuthFile { bearer_token, bearer_token_file, basic } = file;
    match (bearer_token.is_some() || bearer_token_file.is_some(), basic) {
        (true, Some(_)) => Err(Fault::rule(at, "a bearer token and basic exclude each other")),
        (false, Some(file)) => self::basic(&at.key("basic"), file, context),
        (_, None) => {
            let texts = (bearer_token.as_ref(), bearer_token_file.as_ref());
            let (at, token) = secret(at, ["bearer_token", "bearer_token_file"], texts, context)?;
            is_token(&at, &token)?;
            Ok(Secret::bearer(&token))
        }
    }
}

/// The value of `Authorization` for the token in a file.
#[cfg(feature = "pipe")]
pub(super) fn bearer_file(
    at: &At<'_>,
    text: &Text,
    context: &Context<'_>,
) -> Result<Secret, Fault> {
    let token = secret_file(at, text, context)?;
    is_token(at, &token)?;
    Ok(Secret::bearer(&token))
}

/// Refuses what no `Authorization` can carry as a token.
pub(super) fn is_token(at: &At<'_>, token: &str) -> Result<(), Fault> {
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::secret(at, "is empty, or holds more than printable ASCII"));
    }
    Ok(())
}

/// `auth.basic`.
fn basic(at: &At<'_>, file: &BasicFile, context: &Context<'_>) -> Result<Secret, Fault> {
    let user_at = at.key("user");
    let missing = || Fault::rule(&user_at, "a user is missing");
    let user = context.text(&user_at, file.user.as_ref().ok_or_else(missing)?)?;
    is_user(&user).map_err(|rule| Fault::value(&user_at, &user, rule))?;
    let texts = (file.password.as_ref(), file.password_file.as_ref());
    let (at, password) = secret(at, ["password", "password_file"], texts, context)?;
    if password.chars().any(char::is_control) {
        return Err(Fault::secret(&at, "holds a control character"));
    }
    Ok(Secret::basic(&user, &password))
}

/// A user's name that `Authorization` can carry.
pub(super) fn is_user(user: &str) -> Result<(), BadValue> {
    if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
        return Err(BadValue::new("is empty, or holds a colon or worse"));
    }
    Ok(())
}

/// A secret, written here or in a file; with its place. `keys` are the names of both forms.
pub(super) fn secret<'a>(
    at: &'a At<'a>,
    keys: [&'a str; 2],
    texts: (Option<&Text>, Option<&Text>),
    context: &Context<'_>,
) -> Result<(At<'a>, String), Fault> {
    let [here, file] = keys;
    match texts {
        (Some(_), Some(_)) => {
            Err(Fault::secret(at, format_args!("{here} and {file} exclude each other")))
        }
        (Some(text), None) => {
            let text = context.text(&at.key(here), text).map_err(Fault::hidden)?;
            Ok((at.key(here), text))
        }
        (None, Some(text)) => Ok((at.key(file), secret_file(&at.key(file), text, context)?)),
        (None, None) => Err(Fault::rule(at, format_args!("{here} or {file} is missing"))),
    }
}

/// The secret in a file, without the line end behind it.
pub(super) fn secret_file(
    at: &At<'_>,
    text: &Text,
    context: &Context<'_>,
) -> Result<String, Fault> {
    let name = context.text(at, text)?;
    let path = context.folder().join(&name);
    let (secret, mode) = read_secret(&path).map_err(|rule| Fault::value(at, &name, rule))?;
    if mode & OTHERS_READ != 0 {
        context.is_exposed(&path);
    }
    let end = secret.trim_end_matches(['\n', '\r']).len();
    Ok(secret.get(..end).unwrap_or_default().to_owned())
}

/// The bit of a file's mode that lets everybody read it.
pub(super) const OTHERS_READ: u32 = 0o004;

/// The token in this file, for those who have no configuration. Whether everybody can read it is
/// taken down.
///
/// # Errors
///
/// What is wrong with it, in one line.
#[cfg(any(feature = "pipe", feature = "push"))]
pub(super) fn token(file: &Path, exposed: &mut Vec<Box<str>>) -> Result<String, String> {
    let (text, mode) = read_secret(file).map_err(|rule| format!("{} {rule}", file.display()))?;
    let token = text.trim_end_matches(['\n', '\r']);
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{} holds no token", file.display()));
    }
    if mode & OTHERS_READ != 0 {
        exposed.push(file.display().to_string().into());
    }
    Ok(token.to_owned())
}

/// The value of `Authorization` for the token in this file.
///
/// # Errors
///
/// What is wrong with it, in one line.
#[cfg(feature = "push")]
pub fn bearer_token(file: &Path) -> Result<Secret, String> {
    token(file, &mut Vec::new()).map(|token| Secret::bearer(&token))
}

/// A small file's text, and its mode; that of a device or a FIFO counts for nothing.
pub(super) fn read_secret(path: &Path) -> Result<(String, u32), BadValue> {
    let unreadable = |error| BadValue::new(format!("cannot be read: {error}"));
    let limit = u64::try_from(limits::SECRET).unwrap_or(u64::MAX);
    let file = fs::File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    let mode = if meta.is_file() { meta.permissions().mode() } else { 0 };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limits::SECRET {
        return Err(BadValue::new(format!("has more than {} bytes", limits::SECRET)));
    }
    let text = String::from_utf8(bytes).map_err(|_| BadValue::new("is not UTF-8"))?;
    Ok((text, mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_are_judged() {
        let cases = [
            ("X-Site", true),
            ("x_y", true),
            ("", false),
            ("X Site", false),
            ("X:", false),
            ("HOST", false),
            ("Content-Length", false),
            ("Authorization", false),
        ];
        for (name, want) in cases {
            assert_eq!(field_name(name).is_ok(), want, "{name}");
        }
    }
}
