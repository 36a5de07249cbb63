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
use crate::limits::LOGIN_PAUSE;
use crate::telemetry::log as telemetry;
use crate::telemetry::throttle::Throttle;

/// What is remembered of those who logged in, or tried to.
pub struct Logins {
    slow: Slow,
    throttle: Throttle,
    #[cfg(feature = "tls")]
    passwords: Rc<Passwords>,
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
        }
    }

    /// Logs a refused login. Nothing of what was offered is in the log: it may be a password that
    /// was typed into the wrong field.
    fn tell(&self, server: &str, peer: Peer, what: &str) {
        let now = Instant::now();
        if self.throttle.admits(now, telemetry::has_room) {
            log::warn!("{server}: {}: login refused: {what}", Whence(peer));
        }
        if let Some(more) = self.throttle.left_out(now, telemetry::has_room) {
            log::warn!("{more} more refused logins");
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
    /// The logins that `auth` describes; none are needed without it.
    #[must_use]
    pub const fn new(auth: Option<config::Auth>, logins: Rc<Logins>) -> Self {
        Self { auth, logins }
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
        self.logins.tell(server, peer, wrong);
        self.logins.slow.pause(peer, LOGIN_PAUSE).await;
        Err(Denied::Wrong)
    }
}
