//! `servers[].web_config`: the file with which Prometheus and its exporters are given TLS, users and
//! header fields, read as they read it.
//!
//! # Source
//!
//! docs/web-configuration.md in prometheus/exporter-toolkit. What is not taken is refused, so that
//! nobody is safe by name only.

use std::fs;
use std::path::{Path, PathBuf};

use super::access::hash;
use super::at::At;
use super::build::Context;
use super::error::{ConfigError, Fault};
use super::file::keys;
use super::node::Node;
use super::plan::Auth;
use super::shape::{Keys, LeftOut, Named, Shape, Text};
use super::source::is_user;
use super::tls::{self, ServerTls, TlsVersions};
use super::value::{self, BadValue};
use crate::limits;

keys! {
    /// The whole file.
    WebFile, "a web configuration" {
        tls_server_config: WebTls,
        http_server_config: WebHttp,
        basic_auth_users: Named<Text>,
    }
    later: ["rate_limit"]
}

keys! {
    /// TLS.
    WebTls, "TLS at a server" {
        cert_file: Text,
        key_file: Text,
        client_ca_file: Text,
        client_auth_type: Text,
        min_version: Text,
        max_version: Text,
        prefer_server_cipher_suites: Text,
    }
    later: ["cert", "key", "client_ca", "client_allowed_sans", "cipher_suites", "curve_preferences"]
}

keys! {
    /// HTTP.
    WebHttp, "HTTP at a server" {
        http2: Text,
        headers: Named<Text>,
    }
    later: []
}

/// The fields that such a file may add to every reply.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

/// What a web configuration says.
#[derive(Default)]
pub(super) struct Web {
    pub(super) auth: Option<Auth>,
    pub(super) tls: Option<ServerTls>,
    /// Each line ended by CRLF.
    pub(super) headers: Option<Box<str>>,
}

/// `servers[].web_config`.
pub(super) fn web(at: &At<'_>, text: Option<&Text>, context: &Context<'_>) -> Result<Web, Fault> {
    let Some(text) = text else { return Ok(Web::default()) };
    let name = context.text(at, text)?;
    let path = context.folder().join(&name);
    read(&path, context).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Fault::value(at, &name, format_args!("is refused: {error}{}", cause.unwrap_or_default()))
    })
}

fn read(path: &Path, context: &Context<'_>) -> Result<Web, ConfigError> {
    let text = super::read(path, fs::File::open(path))?;
    let context = context.of_file(path);
    let read = super::shape::read(&text).and_then(|file| judge(&file, &context));
    read.map_err(|fault| fault.in_file(path, &text))
}

fn judge(file: &WebFile, context: &Context<'_>) -> Result<Web, Fault> {
    let at = At::Root.key("tls_server_config");
    let tls = file.tls_server_config.as_ref();
    let tls = tls.map(|file| server(&at, file, context)).transpose()?;
    let http = At::Root.key("http_server_config");
    let none = WebHttp::default();
    let file_http = file.http_server_config.as_ref().unwrap_or(&none);
    // HTTP/2 is a wish that clients do without.
    context.value(&http.key("http2"), file_http.http2.as_ref(), value::switch)?;
    let headers = headers(&http.key("headers"), file_http.headers.as_ref(), context)?;
    let at = At::Root.key("basic_auth_users");
    let listed = file.basic_auth_users.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
    super::build::at_most(&at, listed.len(), limits::LOGINS, "users")?;
    let user = |(name, text): &(String, Text)| {
        let at = at.key(name);
        is_user(name).map_err(|rule| Fault::key(&at, name, rule))?;
        let text = context.text(&at, text).map_err(Fault::hidden)?;
        Ok((name.as_str().into(), hash(&at, &text)?))
    };
    let users: Vec<_> = listed.iter().map(user).collect::<Result<_, Fault>>()?;
    let auth = (!users.is_empty()).then(|| Auth { tokens: Vec::new(), users });
    Ok(Web { auth, tls, headers })
}

fn server(at: &At<'_>, file: &WebTls, context: &Context<'_>) -> Result<ServerTls, Fault> {
    let path = |key: &'static str, text: Option<&Text>| -> Result<Option<PathBuf>, Fault> {
        tls::path(&at.key(key), text, context)
    };
    let missing = |key: &str| Fault::rule(at, format_args!("a {key} is missing"));
    let client_ca = path("client_ca_file", file.client_ca_file.as_ref())?;
    let kind = |text: &str| match text {
        "NoClientCert" => Ok(None),
        "VerifyClientCertIfGiven" => Ok(Some(true)),
        "RequireAndVerifyClientCert" => Ok(Some(false)),
        "RequestClientCert" | "RequireAnyClientCert" => {
            Err(BadValue::new("takes certificates of anybody, which is not done here"))
        }
        _ => Err(BadValue::new(
            "is none of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        )),
    };
    let key = at.key("client_auth_type");
    let optional = context.value(&key, file.client_auth_type.as_ref(), kind)?.flatten();
    if optional.is_some() != client_ca.is_some() {
        let rule = "client_ca_file and a client_auth_type that verifies belong together";
        return Err(Fault::rule(at, rule));
    }
    let prefer = file.prefer_server_cipher_suites.as_ref();
    context.value(&at.key("prefer_server_cipher_suites"), prefer, value::switch)?;
    let version = |text: &str| match text {
        "TLS12" => Ok(false),
        "TLS13" => Ok(true),
        _ => Err(BadValue::new("is neither TLS12 nor TLS13, and others are not spoken here")),
    };
    let least = context.value(&at.key("min_version"), file.min_version.as_ref(), version)?;
    let most = context.value(&at.key("max_version"), file.max_version.as_ref(), version)?;
    let versions = match (least.unwrap_or(false), most.unwrap_or(true)) {
        (false, true) => TlsVersions::Both,
        (false, false) => TlsVersions::Only12,
        (true, true) => TlsVersions::Only13,
        (true, false) => return Err(Fault::rule(at, "min_version is above max_version")),
    };
    let of_key = tls::key(&at.key("key_file"), file.key_file.as_ref(), context)?;
    Ok(ServerTls {
        cert: path("cert_file", file.cert_file.as_ref())?.ok_or_else(|| missing("cert_file"))?,
        key: of_key.ok_or_else(|| missing("key_file"))?,
        client_ca,
        client_match: None,
        client_optional: optional.unwrap_or_default(),
        versions,
    })
}

fn headers(
    at: &At<'_>,
    named: Option<&Named<Text>>,
    context: &Context<'_>,
) -> Result<Option<Box<str>>, Fault> {
    let mut headers = String::new();
    for (name, text) in named.map(|named| named.0.as_slice()).unwrap_or_default() {
        let at = at.key(name);
        let known = HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        let refused = || Fault::key(&at, name, format_args!("is none of {}", HEADERS.join(", ")));
        let known = known.ok_or_else(refused)?;
        let text = context.text(&at, text)?;
        if text.trim() != text || text.bytes().any(|byte| !(b' '..0x7f).contains(&byte)) {
            return Err(Fault::value(&at, &text, "holds more than printable ASCII"));
        }
        if !text.is_empty() {
            headers.push_str(&format!("{known}: {text}\r\n"));
        }
        if headers.len() > limits::WEB_HEADERS {
            let most = limits::WEB_HEADERS;
            let rule = format_args!("more than {most} bytes of header fields in all");
            return Err(Fault::rule(&at, rule));
        }
    }
    Ok(Some(headers).filter(|headers| !headers.is_empty()).map(Into::into))
}
