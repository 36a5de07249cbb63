//! Who may ask: a request is held against the logins of its server.
//!
//! ```text
//!   Authorization ──> paused? ──> tokens, users ──> let in
//!                        │              └── wrong ──> counted, logged, made to wait ──> 401
//!                        └── too many of this peer wait already ──> 429
//! ```
//!
//! What is remembered of peers and passwords is in [`Logins`]: one for the program, whatever is
//! reloaded. Which networks may come at all is not judged here: that is decided when a connection
//! is accepted.

#[cfg(feature = "tls")]
mod passwords;
mod slow;

use std::rc::Rc;
use std::time::Instant;

use smol::LocalExecutor;

#[cfg(feature = "tls")]
use self::passwords::{Checked, Passwords};
use self::slow::Slow;
use crate::config;
use crate::http::fields::Fields;
use crate::http::socket::Peer;
#[cfg(feature = "tls")]
use crate::http::{socket::Socket, table::ConnectionHandle};
use crate::limits::LOGIN_PAUSE;
use crate::telemetry::log as telemetry;
use crate::telemetry::throttle::Throttle;
#[cfg(feature = "tls")]
use crate::tls::{Gate, server::Acceptor};

/// What is remembered of those who logged in, or tried to.
pub struct Logins {
    slow: Slow,
    throttle: Throttle,
    #[cfg(feature = "tls")]
    passwords: Rc<Passwords>,
    /// Handshakes of all servers.
    #[cfg(feature = "tls")]
    gate: Gate,
}

impl Logins {
    /// Nobody has tried yet. Passwords are checked by way of `executor`.
    #[must_use]
    #[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only passwords need it"))]
    pub fn new(executor: &Rc<LocalExecutor<'static>>) -> Self {
        Self {
            slow: Slow::default(),
            throttle: Throttle::default(),
            #[cfg(feature = "tls")]
            passwords: Rc::new(Passwords::new(executor)),
            #[cfg(feature = "tls")]
            gate: Gate::default(),
        }
    }

    /// Logs a refused login or handshake. Nothing of what was offered is in the log: it may be a password that
    /// was typed into the wrong field.
    fn tell(&self, server: &str, peer: Peer, what: std::fmt::Arguments<'_>) {
        let now = Instant::now();
        if self.throttle.admits(now, telemetry::has_room) {
            log::warn!("{server}: {}: {what}", Whence(peer));
        }
        if let Some(more) = self.throttle.left_out(now, telemetry::has_room) {
            log::warn!("{more} more refused logins and handshakes");
        }
    }
}

/// The peer without its port, which says nothing.
struct Whence(Peer);

impl std::fmt::Display for Whence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.ip() {
            Some(ip) => ip.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

/// The logins of a server.
pub struct Access {
    auth: Option<config::Auth>,
    logins: Rc<Logins>,
    #[cfg(feature = "tls")]
    tls: Option<Acceptor>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// It brought no login.
    Missing,
    /// It brought a wrong one.
    Wrong,
    /// Too many logins wait to be judged.
    Busy,
}

impl Access {
    /// The logins that `plan` describes; none are needed if it has none.
    ///
    /// # Errors
    ///
    /// What is wrong with a file of its certificates.
    pub fn new(plan: &config::Server, logins: Rc<Logins>) -> Result<Self, String> {
        #[cfg(feature = "tls")]
        let tls = plan.tls.as_ref().map(Acceptor::new).transpose();
        Ok(Self {
            auth: plan.auth.clone(),
            logins,
            #[cfg(feature = "tls")]
            tls: tls.map_err(|error| error.to_string())?,
        })
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Whether whoever asks has proved who that is, by a login or a certificate.
    #[must_use]
    pub const fn knows_peers(&self) -> bool {
        #[cfg(feature = "tls")]
        let by_certificate = matches!(&self.tls, Some(tls) if tls.knows_clients());
        #[cfg(not(feature = "tls"))]
        let by_certificate = false;
        self.is_asked() || by_certificate
    }

    /// Goes through the TLS handshake with a new peer, where TLS is spoken. `None` where nothing came
    /// of it; `failed` is called if that was for a reason.
    #[cfg(feature = "tls")]
    pub async fn greet(
        &self,
        socket: Socket,
        handle: &ConnectionHandle,
        (server, failed): (&str, impl FnOnce()),
    ) -> Option<Socket> {
        let Some(tls) = &self.tls else { return Some(socket) };
        match tls.accept(socket, handle, &self.logins.gate).await? {
            Ok(socket) => Some(socket),
            Err(why) => {
                failed();
                self.logins.tell(server, handle.peer(), format_args!("TLS handshake: {why}"));
                None
            }
        }
    }

    /// Whether a login is asked for.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        self.auth.is_some()
    }

    /// The schemes in which one can log in, as `WWW-Authenticate` names them.
    pub fn schemes(&self) -> impl Iterator<Item = &'static str> {
        let auth = self.auth.as_ref();
        let bearer = auth.is_some_and(|auth| !auth.tokens.is_empty());
        #[cfg(feature = "tls")]
        let basic = auth.is_some_and(|auth| !auth.users.is_empty());
        #[cfg(not(feature = "tls"))]
        let basic = false;
        let basic = basic.then_some("Basic realm=\"fanin\", charset=\"UTF-8\"");
        basic.into_iter().chain(bearer.then_some("Bearer realm=\"fanin\""))
    }

    /// Whether a request with these fields may come in. A wrong login waits here for a while.
    ///
    /// # Errors
    ///
    /// [`Denied`].
    pub async fn judge(&self, server: &str, peer: Peer, fields: &Fields<'_>) -> Result<(), Denied> {
        let Some(auth) = &self.auth else { return Ok(()) };
        let mut offered = fields.all("Authorization");
        let (Some(offer), more) = (offered.next(), offered.next()) else {
            return Err(Denied::Missing);
        };
        // Before anything is looked at: the answer to one who is too fast tells nothing.
        if !self.logins.slow.may_try(peer) {
            return Err(Denied::Busy);
        }
        let offer = std::str::from_utf8(offer).ok().filter(|_| more.is_none());
        let wrong = match offer.and_then(|offer| offer.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                // All of them, so that the time tells nothing.
                let token = token.trim_matches(' ');
                let known = |found, known: &config::Secret| found | known.is(token);
                if auth.tokens.iter().fold(false, known) {
                    return Ok(());
                }
                "wrong token"
            }
            #[cfg(feature = "tls")]
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
                match self.logins.passwords.check(&auth.users, pair.trim_matches(' '), peer).await {
                    Checked::Right => return Ok(()),
                    Checked::Busy => return Err(Denied::Busy),
                    Checked::Wrong => "wrong user or password",
                }
            }
            _ => "Authorization is of no known scheme",
        };
        self.logins.tell(server, peer, format_args!("login refused: {wrong}"));
        self.logins.slow.pause(peer, LOGIN_PAUSE).await;
        Err(Denied::Wrong)
    }
}
