//! What is wrong, in our words.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::{CertificateError, Error};

use crate::http::fetch::Brief;

/// A file that TLS cannot be spoken with. `{}` is the file's path and what is wrong.
#[derive(Debug)]
pub struct FileError {
    file: PathBuf,
    what: String,
}

impl FileError {
    pub(super) fn new(file: &Path, what: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), what: what.to_string() }
    }

    pub(super) fn io(file: &Path, error: &io::Error) -> Self {
        Self::new(file, Brief(error))
    }

    pub(super) fn tls(file: &Path, error: &Error) -> Self {
        Self::new(file, Words(error))
    }

    /// What is wrong, without the path: for scrapers.
    pub(super) fn without_path(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

impl std::error::Error for FileError {}

/// Why a handshake failed, in a line.
#[must_use]
pub(crate) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(error) => Words(error).to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the other side closed the connection".to_owned()
        }
        None => Brief(error).to_string(),
    }
}

/// Prints an error of TLS.
struct Words<'a>(&'a Error);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::InvalidCertificate(error) => certificate(error, f),
            Error::AlertReceived(alert) => write!(f, "the other side refuses: {alert:?}"),
            Error::NoCertificatesPresented => f.write_str("no client certificate"),
            Error::InvalidMessage(_) => f.write_str("what came is no TLS"),
            Error::InconsistentKeys(_) => f.write_str("the key is not that of the certificate"),
            Error::General(text) => f.write_str(text),
            error => error.fmt(f),
        }
    }
}

fn certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => f.write_str("the certificate has expired"),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            f.write_str("the certificate is not valid yet, by the clock of this machine")
        }
        E::UnknownIssuer => f.write_str("the certificate is of no authority that is trusted here"),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            f.write_str("the certificate is for another name")
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            f.write_str("the certificate is for another purpose (its extended key usage)")
        }
        E::BadEncoding => f.write_str("the certificate is malformed"),
        E::BadSignature => f.write_str("the certificate has a wrong signature"),
        E::Other(error) => {
            let text = error.to_string();
            match text.as_str() {
                "UnsupportedCertVersion" => f.write_str(OLD),
                text => write!(f, "the certificate: {text}"),
            }
        }
        error => write!(f, "the certificate: {error}"),
    }
}

/// What to do about a certificate that openssl makes unless told otherwise.
const OLD: &str = "the certificate is of X.509 version 1, and only version 3 is taken: issue it again \
                   with an extension, as by `openssl x509 -req … -extfile FILE`";
