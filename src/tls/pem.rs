//! Certificates and keys from PEM files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::FileError;
use crate::limits::PEM_FILE;

/// The certificates of a file, in their order: at least one.
pub(super) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let text = read(file)?;
    let listed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match listed {
        Ok(listed) if !listed.is_empty() => Ok(listed),
        Ok(_) => Err(FileError::new(file, "holds no certificate (BEGIN CERTIFICATE)")),
        Err(_) => Err(FileError::new(file, "is no PEM file")),
    }
}

/// The first private key of a file: PKCS#8, PKCS#1 or SEC1.
pub(super) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let text = read(file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let encrypted = b"ENCRYPTED".as_slice();
        let what = if text.windows(encrypted.len()).any(|word| word == encrypted) {
            "the key is encrypted; keep it unencrypted, readable by fanin alone"
        } else {
            "holds no private key (PKCS#8, PKCS#1 or SEC1)"
        };
        FileError::new(file, what)
    })
}

/// The authorities of a file.
pub(super) fn roots(file: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate).map_err(|error| FileError::tls(file, &error))?;
    }
    Ok(roots)
}

/// As [`roots`], for the many that a system has, of which some may not be understood.
pub(super) fn many_roots(file: &Path) -> Result<RootCertStore, FileError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(chain(file)?);
    if added == 0 { Err(FileError::new(file, "holds no authority")) } else { Ok(roots) }
}

fn read(file: &Path) -> Result<Vec<u8>, FileError> {
    let limit = u64::try_from(PEM_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|open| open.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| FileError::io(file, &error))?;
    if bytes.len() > PEM_FILE {
        return Err(FileError::new(file, format_args!("has more than {PEM_FILE} bytes")));
    }
    Ok(bytes)
}
