//! The client's end: whom it trusts, and the certificate that it shows.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use futures_rustls::TlsConnector;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::fault::{FileError, explain};
use super::handshake::Gate;
use super::verify::Unverified;
use super::{Clock, pem, provider};
use crate::config;
use crate::http::socket::Socket;
use crate::limits::{SESSIONS, TLS_BUFFER};
use crate::watched::Watched;

/// Where systems keep the authorities that they trust: Debian and OpenWrt, Fedora, Alpine and BSD,
/// SUSE.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Names another one, to openssl and curl too.
const BUNDLE: &str = "SSL_CERT_FILE";

/// What all connections of a client share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    gate: Gate,
    /// The system's authorities, once somebody has asked for them, and the file they are from.
    system: RefCell<Option<(Watched, Arc<RootCertStore>)>>,
    /// For those who say nothing of TLS.
    default: Rc<Connector>,
}

impl Shared {
    /// Reads the authorities that the system trusts, unless they are known.
    fn system(&self) -> Result<Arc<RootCertStore>, FileError> {
        let mut system = self.system.borrow_mut();
        match &*system {
            Some((watched, roots)) if !watched.have_changed() => return Ok(Arc::clone(roots)),
            _ => {}
        }
        let file = bundle()?;
        let watched = Watched::new([file.clone()]);
        let roots = Arc::new(pem::many_roots(&file)?);
        *system = Some((watched, Arc::clone(&roots)));
        Ok(roots)
    }
}

/// The file with the authorities that this system trusts.
fn bundle() -> Result<PathBuf, FileError> {
    if let Some(named) = std::env::var_os(BUNDLE).filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let found = BUNDLES.into_iter().map(Path::new).find(|file| file.exists());
    let none = || {
        let [first, ..] = BUNDLES;
        FileError::new(
            Path::new(first),
            "this system has no list of authorities; name one in tls.ca",
        )
    };
    found.map(Path::to_owned).ok_or_else(none)
}

/// What a source, or a pipe, speaks TLS with.
#[derive(Debug)]
pub struct Connector {
    plan: config::ClientTls,
    watched: Watched,
    made: RefCell<Option<Arc<ClientConfig>>>,
    /// For other places than the configured one: who gets there by a redirect shows nothing that is
    /// secret, and trusts nobody blindly. `None` if this one will do.
    elsewhere: Option<Rc<Self>>,
}

/// Whether connections of one are as good as those of the other.
impl PartialEq for Connector {
    fn eq(&self, other: &Self) -> bool {
        self.plan == other.plan
    }
}

/// Trusts whom the system trusts.
impl Default for Connector {
    fn default() -> Self {
        Self::of(config::ClientTls::default())
    }
}

impl Connector {
    /// What `plan` asks for; `None` where it says nothing, so that the one that trusts the system's
    /// authorities will do.
    ///
    /// # Errors
    ///
    /// As [`Connector::new`].
    pub fn wanted(plan: &config::ClientTls) -> Result<Option<Rc<Self>>, FileError> {
        let says_nothing = *plan == config::ClientTls::default();
        if says_nothing { Ok(None) } else { Self::new(plan).map(|made| Some(made.into())) }
    }

    /// Reads the files that `plan` names.
    ///
    /// # Errors
    ///
    /// What is wrong with one of them.
    pub fn new(plan: &config::ClientTls) -> Result<Self, FileError> {
        let connector = Self::of(plan.clone());
        // Judged now; kept once somebody connects.
        if let Some(file) = &plan.ca {
            connector.config(&pem::roots(file)?.into())?;
        } else if plan.cert.is_some() {
            let blind = config::ClientTls { skip_verify: true, ..plan.clone() };
            Self::of(blind).config(&RootCertStore::empty().into())?;
        }
        Ok(connector)
    }

    fn of(plan: config::ClientTls) -> Self {
        let (cert, key) = plan.cert.clone().unzip();
        let watched = Watched::new([plan.ca.clone(), cert, key].into_iter().flatten());
        let harmless = config::ClientTls { ca: plan.ca.clone(), ..config::ClientTls::default() };
        let elsewhere = (harmless != plan).then(|| Rc::new(Self::of(harmless)));
        Self { plan, watched, made: RefCell::default(), elsewhere }
    }

    /// The one for other places.
    #[must_use]
    pub(crate) fn elsewhere(self: &Rc<Self>) -> &Rc<Self> {
        self.elsewhere.as_ref().unwrap_or(self)
    }

    /// What to speak with now. Files that have changed are read again; bad ones change nothing.
    fn current(&self, shared: &Shared) -> Result<Arc<ClientConfig>, FileError> {
        let made = self.made.borrow().clone();
        if let Some(made) = made {
            if !self.watched.have_changed() {
                return Ok(made);
            }
            match self.fresh(shared) {
                Ok(config) => return Ok(config),
                Err(error) => log::error!("the certificates in use stay: {error}"),
            }
            return Ok(made);
        }
        self.fresh(shared)
    }

    fn fresh(&self, shared: &Shared) -> Result<Arc<ClientConfig>, FileError> {
        let roots = match &self.plan.ca {
            Some(file) => pem::roots(file)?.into(),
            None if self.plan.skip_verify => RootCertStore::empty().into(),
            None => shared.system()?,
        };
        let config = self.config(&roots)?;
        self.made.replace(Some(Arc::clone(&config)));
        Ok(config)
    }

    fn config(&self, roots: &Arc<RootCertStore>) -> Result<Arc<ClientConfig>, FileError> {
        let provider = provider();
        let file = self.plan.ca.as_deref().unwrap_or(Path::new("TLS"));
        let verifier: Arc<dyn ServerCertVerifier> = if self.plan.skip_verify {
            Arc::new(Unverified(Arc::clone(&provider)))
        } else {
            let roots = Arc::clone(roots);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| FileError::new(file, error))?
        };
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Clock));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| FileError::tls(file, &error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.plan.cert {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder
                .with_client_auth_cert(pem::chain(cert)?, pem::key(key)?)
                .map_err(|error| FileError::tls(cert, &error))?,
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Arc::new(config))
    }
}

/// Goes through the handshake with a server that was reached as `host`.
///
/// # Errors
///
/// Why there is no TLS with it, for scrapers to see.
pub(crate) async fn connect(
    shared: &Shared,
    connector: Option<&Rc<Connector>>,
    (host, socket): (&str, Socket),
) -> Result<Socket, String> {
    let connector = connector.unwrap_or(&shared.default);
    let config = connector.current(shared).map_err(|error| {
        log::error!("{error}");
        error.without_path().to_owned()
    })?;
    let name = connector.plan.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| format!("\"{name}\" is a name that no certificate can have"))?;
    let begun = TlsConnector::from(config)
        .connect_with(name, socket, |tls| tls.set_buffer_limit(Some(TLS_BUFFER)));
    match shared.gate.through(Box::new(begun)).await {
        Ok(stream) => Ok(Socket::from_tls(stream.into())),
        Err(error) => Err(explain(&error)),
    }
}
