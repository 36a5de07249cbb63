//! `servers[].tls` and `sources.NAME.http.tls`: files are named here, and read by who speaks.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::at::At;
use super::build::Context;
use super::error::Fault;
use super::file::{ClientTlsFile, TlsFile};
use super::shape::Text;
use super::source::OTHERS_READ;
use super::value::{self, BadValue};
use crate::limits;

/// TLS at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The server's certificate, and those up to its authority.
    pub cert: PathBuf,
    /// The key of the first of them.
    pub key: PathBuf,
    /// The authorities of clients' certificates; `None` if none are asked for.
    pub client_ca: Option<PathBuf>,
    /// A regular expression that one of the names in a client's certificate must fit.
    pub client_match: Option<Box<str>>,
    /// Whether a client may come without a certificate.
    pub client_optional: bool,
    /// Which versions are spoken.
    pub versions: TlsVersions,
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

/// TLS at a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientTls {
    /// The authorities that are trusted; `None` for those of the system.
    pub ca: Option<PathBuf>,
    /// Certificate and key to show.
    pub cert: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must have, if not the URL's.
    pub server_name: Option<Box<str>>,
    /// Whether any certificate is taken.
    pub skip_verify: bool,
}

/// `servers[].tls`.
pub(super) fn server(
    at: &At<'_>,
    file: &TlsFile,
    context: &Context<'_>,
) -> Result<ServerTls, Fault> {
    let missing = |key| Fault::rule(at, format_args!("a {key} is missing"));
    let client_ca = path(&at.key("client_ca"), file.client_ca.as_ref(), context)?;
    let client_match =
        context.value(&at.key("client_match"), file.client_match.as_ref(), |text| {
            crate::tls::pattern(text)
                .map_err(|error| BadValue::new(format!("is no regular expression: {error}")))?;
            Ok(text.into())
        })?;
    if client_match.is_some() && client_ca.is_none() {
        return Err(Fault::key(&at.key("client_match"), "client_match", "needs client_ca"));
    }
    Ok(ServerTls {
        cert: path(&at.key("cert"), file.cert.as_ref(), context)?.ok_or_else(|| missing("cert"))?,
        key: key(&at.key("key"), file.key.as_ref(), context)?.ok_or_else(|| missing("key"))?,
        client_ca,
        client_match,
        client_optional: false,
        versions: TlsVersions::Both,
    })
}

/// `tls` of who connects somewhere, which is for `https://` alone. `spoken` says whether that is so, and
/// what would have to begin with it.
pub(super) fn client(
    at: &At<'_>,
    file: Option<&ClientTlsFile>,
    (spoken, what): (bool, &str),
    context: &Context<'_>,
) -> Result<ClientTls, Fault> {
    let at = &at.key("tls");
    let Some(file) = file else { return Ok(ClientTls::default()) };
    if !spoken {
        let rule = format!("needs a {what} that begins with https://");
        return Err(Fault::key(at, "tls", rule));
    }
    let cert = path(&at.key("cert"), file.cert.as_ref(), context)?;
    let key = key(&at.key("key"), file.key.as_ref(), context)?;
    if cert.is_some() != key.is_some() {
        return Err(Fault::rule(at, "cert and key belong together"));
    }
    let ca = path(&at.key("ca"), file.ca.as_ref(), context)?;
    let skip = file.insecure_skip_verify.as_ref();
    let skip = context.value(&at.key("insecure_skip_verify"), skip, value::switch)?;
    let skip_verify = skip.unwrap_or_default();
    if skip_verify && ca.is_some() {
        return Err(Fault::rule(at, "ca and insecure_skip_verify exclude each other"));
    }
    let name = |text: &str| {
        let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        let good =
            !text.is_empty() && text.len() <= limits::SERVER_NAME && text.bytes().all(letter);
        good.then(|| text.into())
            .ok_or_else(|| BadValue::new("is neither a name nor an IP address"))
    };
    let server_name = context.value(&at.key("server_name"), file.server_name.as_ref(), name)?;
    Ok(ClientTls { ca, cert: cert.zip(key), server_name, skip_verify })
}

/// A file; a relative one starts at the configuration's folder.
pub(super) fn path(
    at: &At<'_>,
    text: Option<&Text>,
    context: &Context<'_>,
) -> Result<Option<PathBuf>, Fault> {
    context.value(at, text, |text| {
        let named = !text.is_empty() && text.len() <= limits::FILE_PATH;
        named.then(|| context.folder().join(text)).ok_or_else(|| BadValue::new("is no path"))
    })
}

/// A file with a key, of which others are to know nothing.
pub(super) fn key(
    at: &At<'_>,
    text: Option<&Text>,
    context: &Context<'_>,
) -> Result<Option<PathBuf>, Fault> {
    let path = path(at, text, context)?;
    if let Some(path) = &path
        && let Ok(meta) = fs::metadata(path)
        && meta.is_file()
        && meta.permissions().mode() & OTHERS_READ != 0
    {
        context.is_exposed(path);
    }
    Ok(path)
}
