//! The server's end: its certificate, and which clients it takes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use futures_rustls::TlsAcceptor;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use smol::io::AsyncReadExt as _;

use super::fault::{FileError, explain};
use super::handshake::{Gate, heard, within};
use super::verify::Named;
use super::{Clock, pem, provider};
use crate::config;
use crate::http::alarm::later;
use crate::http::socket::Socket;
use crate::http::table::{ConnectionHandle, Phase};
use crate::limits::{
    DISCARD, HANDSHAKE, HANDSHAKES, HANDSHAKES_WAITING, LINGER, SESSIONS, TLS_BUFFER,
};
use crate::watched::Watched;

/// What a server speaks TLS with.
pub(crate) struct Acceptor {
    plan: config::ServerTls,
    watched: Watched,
    config: RefCell<Arc<ServerConfig>>,
}

impl Acceptor {
    /// Reads the files that `plan` names.
    ///
    /// # Errors
    ///
    /// What is wrong with one of them.
    pub(crate) fn new(plan: &config::ServerTls) -> Result<Self, FileError> {
        let files = [Some(&plan.cert), Some(&plan.key), plan.client_ca.as_ref()];
        let watched = Watched::new(files.into_iter().flatten().cloned().collect::<Vec<PathBuf>>());
        let config = RefCell::new(configured(plan)?);
        Ok(Self { plan: plan.clone(), watched, config })
    }

    /// Whether every client has shown a certificate.
    pub(crate) const fn knows_clients(&self) -> bool {
        self.plan.client_ca.is_some() && !self.plan.client_optional
    }

    /// What to speak with now. Files that have changed are read again; bad ones change nothing.
    fn config(&self) -> Arc<ServerConfig> {
        if self.watched.have_changed() {
            match configured(&self.plan) {
                Ok(config) => {
                    log::info!("{}: the certificate was read again", self.plan.cert.display());
                    self.config.replace(config);
                }
                Err(error) => log::error!("the certificate in use stays: {error}"),
            }
        }
        Arc::clone(&self.config.borrow())
    }

    /// Goes through the handshake with a client. `None` if the client says nothing, or goes away:
    /// there is nothing to tell of it.
    ///
    /// # Errors
    ///
    /// Why there is no TLS with it.
    pub(crate) async fn accept(
        &self,
        socket: Socket,
        handle: &ConnectionHandle,
        gate: &Gate,
    ) -> Option<Result<Socket, String>> {
        let now = Instant::now();
        let until = later(now, HANDSHAKE);
        handle.enter(Phase::Hello, now);
        let hello = poll_fn(|cx| match heard(Some(&socket), cx) {
            Poll::Pending if handle.is_draining() => Poll::Ready(Err(io::ErrorKind::Other.into())),
            heard => heard.map(Ok),
        });
        within(until, hello).await.ok()?;
        // Its first bytes are there: from here on it takes memory.
        handle.shake(HANDSHAKES.saturating_add(HANDSHAKES_WAITING));
        let acceptor = TlsAcceptor::from(self.config());
        let begun = acceptor.accept_with(socket, |tls| tls.set_buffer_limit(Some(TLS_BUFFER)));
        // It is large, and gone before the first request.
        let begun = Box::new(begun.into_fallible());
        let mut broken = None;
        let shaken = within(until, async {
            match gate.through(begun).await {
                Ok(stream) => Ok(Socket::from_tls(stream.into())),
                Err((error, socket)) => {
                    broken = Some(socket);
                    Err(error)
                }
            }
        })
        .await;
        let error = match shaken {
            Ok(socket) => return Some(Ok(socket)),
            Err(error) => error,
        };
        if let Some(socket) = broken {
            part(socket).await;
        }
        match error.kind() {
            io::ErrorKind::TimedOut => {
                Some(Err(format!("the handshake took more than {} s", HANDSHAKE.as_secs())))
            }
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => None,
            _ => Some(Err(explain(&error))),
        }
    }
}

/// Lets the client read why it was refused: a close with bytes unread would take that from it.
async fn part(mut socket: Socket) {
    let closing = async {
        poll_fn(|cx| smol::io::AsyncWrite::poll_close(Pin::new(&mut socket), cx)).await?;
        let mut left = DISCARD;
        let mut buf = [0; 512];
        while left > 0 {
            match socket.read(&mut buf).await? {
                0 => break,
                len => left = left.saturating_sub(len),
            }
        }
        Ok(())
    };
    let _gone = within(later(Instant::now(), LINGER), closing).await;
}

fn configured(plan: &config::ServerTls) -> Result<Arc<ServerConfig>, FileError> {
    let provider = provider();
    let both: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];
    let versions = match plan.versions {
        config::TlsVersions::Both => both,
        config::TlsVersions::Only12 => &[&TLS12],
        config::TlsVersions::Only13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(Clock));
    let of_cert = |error: rustls::Error| FileError::tls(&plan.cert, &error);
    let builder = builder.with_protocol_versions(versions).map_err(of_cert)?;
    let builder = match &plan.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = Arc::new(pem::roots(file)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier =
                if plan.client_optional { verifier.allow_unauthenticated() } else { verifier };
            let built = verifier.build().map_err(|error| FileError::new(file, error))?;
            let mut verifier: Arc<dyn ClientCertVerifier> = built;
            if let Some(pattern) = &plan.client_match {
                let pattern =
                    super::pattern(pattern).map_err(|error| FileError::new(file, error))?;
                verifier = Arc::new(Named { inner: verifier, pattern });
            }
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = (pem::chain(&plan.cert)?, pem::key(&plan.key)?);
    let mut config = builder.with_single_cert(chain, key).map_err(of_cert)?;
    if plan.client_ca.is_some() {
        // A session that is resumed does not look at the certificate again: it may have expired.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        config.send_tls13_tickets = 1;
    }
    Ok(Arc::new(config))
}
