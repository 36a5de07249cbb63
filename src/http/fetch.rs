//! The client: connects, asks, follows redirects, keeps connections for the next time.
//!
//! No time limits here but the share of one address among several: whoever fetches has a deadline,
//! and drops the fetch when it is over.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use event_listener::Event;
use smol::Timer;

use crate::http::alarm::later;
use crate::http::client::{Method, Outgoing, Reach, RedirectError};
use crate::http::fault::Fault;
#[cfg(any(feature = "pipe", feature = "push"))]
use crate::http::outgoing::Produce;
use crate::http::resolve::{ResolveError, Resolver};
#[cfg(any(feature = "pipe", feature = "push"))]
use crate::http::response::Sent;
use crate::http::response::{HeadBuffer, Link, Response};
use crate::http::socket::Socket;
use crate::http::url::{Authority, Endpoint, Target};
use crate::limits::{
    CONNECT_SHARE, FETCH_BUFFERS, FETCH_IDLE, FETCHES_IDLE, FETCHES_KEPT, HEAD, REDIRECTS,
};
#[cfg(feature = "tls")]
use crate::tls::{self, client::Connector};

/// Why a fetch gave no answer, or not a whole one. The text says everything: there is no source.
/// `{}` is what scrapers may see; `{:#}` has the folder of a socket too, for the log.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// The name has no address.
    Resolve(ResolveError),
    /// No connection to this place.
    Connect(Authority, io::Error),
    /// TLS cannot be spoken with this place.
    #[cfg(feature = "tls")]
    Tls(Authority, String),
    /// The request does not fit a head, or holds bytes that no request may.
    Request,
    /// The connection closed before the answer was whole.
    Closed,
    /// The connection broke.
    Io(io::Error),
    /// The answer is malformed.
    Malformed(Fault),
    /// A redirect is not followed.
    Redirect(RedirectError),
    /// The place has no address that may be reached.
    OutOfReach(Authority),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(fault) => fault.fmt(f),
            Self::Connect(place, fault) if f.alternate() => {
                write!(f, "connect {place}: {}", Brief(fault))
            }
            Self::Connect(place, fault) => {
                write!(f, "connect {}: {}", place.without_folder(), Brief(fault))
            }
            #[cfg(feature = "tls")]
            Self::Tls(place, why) => write!(f, "TLS with {place}: {why}"),
            Self::Request => write!(f, "the request is longer than {HEAD} bytes or not one line"),
            Self::Closed => f.write_str("the connection closed before the answer was whole"),
            Self::Io(fault) => write!(f, "the connection broke: {}", Brief(fault)),
            Self::Malformed(fault) => write!(f, "malformed answer: {fault}"),
            Self::Redirect(fault) => fault.fmt(f),
            Self::OutOfReach(place) => write!(f, "{place} is at no address that may be reached"),
        }
    }
}

impl std::error::Error for FetchError {}

/// An I/O error in few words: `connection refused`, not `Connection refused (os error 111)`.
pub(crate) struct Brief<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.kind().to_string();
        let says_little = self.0.raw_os_error().is_none() || kind == "uncategorized error";
        match self.0.kind() {
            // `entity not found`, says the kind.
            io::ErrorKind::NotFound => f.write_str("no such file"),
            _ if says_little => self.0.fmt(f),
            _ => f.write_str(&kind),
        }
    }
}

/// Fetches pages. Clones share connections and what is known about names.
#[derive(Debug, Clone, Default)]
pub struct Client(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    resolver: Resolver,
    /// Idle connections, the oldest first.
    idle: RefCell<Vec<Idle>>,
    /// Buffers for the next requests and heads.
    buffers: RefCell<Vec<Box<[u8]>>>,
    #[cfg(feature = "tls")]
    tls: tls::client::Shared,
    /// Told when a connection becomes idle.
    kept: Event,
}

/// Where a connection leads, and how it is spoken.
#[derive(Debug, Clone, PartialEq)]
struct Way {
    authority: Authority,
    #[cfg(feature = "tls")]
    tls: Option<Rc<Connector>>,
}

impl Way {
    fn of(request: &Outgoing<'_>) -> Self {
        let authority = request.target.authority().clone();
        Self {
            #[cfg(feature = "tls")]
            tls: request.tls.filter(|_| authority.is_tls()).cloned(),
            authority,
        }
    }
}

#[derive(Debug)]
struct Idle {
    way: Way,
    socket: Socket,
    until: Instant,
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the request and reads the answer's head, redirects followed. Drop it at the deadline.
    ///
    /// # Errors
    ///
    /// [`FetchError`]. A status other than 200 is an answer like any other.
    pub async fn fetch(&self, request: &Outgoing<'_>) -> Result<Response, FetchError> {
        let (response, next) = self.ask(request).await?;
        let Some(mut target) = next else { return Ok(response) };
        drop(response);
        let mut home = true;
        for _ in 0..REDIRECTS {
            home &= target.authority() == request.target.authority();
            let (response, next) = self.ask(&request.redirected(&target, home)).await?;
            match next {
                Some(next) => target = next,
                None => return Ok(response),
            }
        }
        Err(FetchError::Redirect(RedirectError::TooMany))
    }

    /// Sends the request with `body` behind its head, in chunks, and reads the answer's head; tells
    /// how many bytes the body had. It is sent once: where a kept connection turns out to be stale, that
    /// is an error like any other. Redirects are not followed. Drop it at the deadline.
    ///
    /// # Errors
    ///
    /// As [`Client::fetch`].
    #[cfg(any(feature = "pipe", feature = "push"))]
    pub async fn send(
        &self,
        request: &Outgoing<'_>,
        body: &mut impl Produce,
    ) -> Result<(Response, usize), FetchError> {
        let place = Place { shared: self.0.clone(), way: Way::of(request) };
        let mut link = place.link(match self.0.take(&place.way, request.reach) {
            Some(socket) => socket,
            None => self.0.open(&place.way, request.reach).await?,
        });
        let Sent { end, bytes, whole } = link.send(request, body).await?;
        let (mut response, _) = Response::new(request, link, end)?;
        if !whole {
            response.spoil();
        }
        Ok((response, bytes))
    }

    /// Closes idle connections when their time is over, for ever. Without this they close when a
    /// further fetch begins.
    pub async fn tend(&self) {
        loop {
            self.0.expire();
            let kept = self.0.kept.listen();
            let next = self.0.idle.borrow().first().map(|oldest| oldest.until);
            match next {
                Some(until) => drop(Timer::at(until).await),
                None => kept.await,
            }
        }
    }

    /// Idle connections.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0.idle.borrow().len()
    }

    /// One request, one answer. A kept connection that turns out to be stale is replaced once.
    async fn ask(&self, request: &Outgoing<'_>) -> Result<(Response, Option<Target>), FetchError> {
        let place = Place { shared: self.0.clone(), way: Way::of(request) };
        let kept = self.0.take(&place.way, request.reach);
        let may_be_stale = kept.is_some() && request.method != Method::Head;
        let mut link = place.link(match kept {
            Some(socket) => socket,
            None => self.0.open(&place.way, request.reach).await?,
        });
        let mut end = link.exchange(request).await;
        let lost = matches!(end, Err(FetchError::Io(_) | FetchError::Closed));
        if lost && may_be_stale && link.is_silent() {
            link.socket = self.0.open(&place.way, request.reach).await?;
            end = link.exchange(request).await;
        }
        let (mut response, next) = Response::new(request, link, end?)?;
        if next.is_some() {
            response.skip_arrived();
        }
        Ok((response, next))
    }
}

impl Shared {
    /// A new connection on which requests can be sent.
    async fn open(&self, way: &Way, reach: Reach<'_>) -> Result<Socket, FetchError> {
        let socket = self.connect(&way.authority, reach).await?;
        #[cfg(feature = "tls")]
        if way.authority.is_tls()
            && let Endpoint::Host(host, _) = way.authority.endpoint()
        {
            // Its parts are large, and most connections do without.
            let shaking =
                Box::pin(tls::client::connect(&self.tls, way.tls.as_ref(), (host, socket)));
            return shaking.await.map_err(|why| FetchError::Tls(way.authority.clone(), why));
        }
        Ok(socket)
    }

    async fn connect(&self, authority: &Authority, reach: Reach<'_>) -> Result<Socket, FetchError> {
        let told = |fault| FetchError::Connect(authority.clone(), fault);
        let (host, port) = match authority.endpoint() {
            Endpoint::Host(host, port) => (host, port),
            Endpoint::Unix(path) => return Socket::unix(path).await.map_err(told),
        };
        let mut addresses = self.resolver.resolve(host).await.map_err(FetchError::Resolve)?;
        addresses.retain(|address| reach.allows(*address));
        if addresses.is_empty() {
            return Err(FetchError::OutOfReach(authority.clone()));
        }
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let mut left = addresses.len();
        for ip in addresses {
            left = left.saturating_sub(1);
            let address = SocketAddr::new(ip, port);
            let connected = match left {
                0 => Socket::tcp(address).await,
                _ => smol::future::or(Socket::tcp(address), share()).await,
            };
            match connected {
                Ok(socket) => return Ok(socket),
                Err(fault) => last = fault,
            }
        }
        Err(told(last))
    }

    /// An idle connection to this place that can carry a request; those that cannot are closed.
    fn take(&self, way: &Way, reach: Reach<'_>) -> Option<Socket> {
        self.expire();
        let mut idle = self.idle.borrow_mut();
        // One that others have opened may lead to where this one must not go.
        let fits = |one: &Idle| {
            let peer = one.socket.peer().and_then(|peer| peer.ip());
            one.way == *way && peer.is_none_or(|address| reach.allows(address))
        };
        while let Some(at) = idle.iter().rposition(fits) {
            let mut socket = idle.remove(at).socket;
            if socket.is_quiet() {
                return Some(socket);
            }
        }
        None
    }

    fn expire(&self) {
        let mut idle = self.idle.borrow_mut();
        if !idle.is_empty() {
            let now = Instant::now();
            idle.retain(|one| one.until > now);
        }
    }
}

/// What is left of an address' time when others wait.
async fn share() -> io::Result<Socket> {
    Timer::after(CONNECT_SHARE).await;
    Err(io::ErrorKind::TimedOut.into())
}

/// A place within the client that reaches it: where connections and buffers are left.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    shared: Rc<Shared>,
    way: Way,
}

impl Place {
    fn link(&self, socket: Socket) -> Link {
        Link { socket, buffer: HeadBuffer::new(self.clone()), place: self.clone() }
    }

    /// Leaves a connection for the next fetch.
    pub(crate) fn keep(&self, socket: Socket) {
        let mut idle = self.shared.idle.borrow_mut();
        let here = |one: &Idle| one.way == self.way;
        if idle.iter().filter(|one| here(one)).count() >= FETCHES_KEPT
            && let Some(oldest) = idle.iter().position(here)
        {
            idle.remove(oldest);
        }
        if idle.len() >= FETCHES_IDLE {
            idle.remove(0);
        }
        let until = later(Instant::now(), FETCH_IDLE);
        idle.push(Idle { way: self.way.clone(), socket, until });
        drop(idle);
        self.shared.kept.notify(usize::MAX);
    }

    /// A buffer for a request and a head.
    pub(crate) fn borrow_buffer(&self) -> Box<[u8]> {
        let spare = self.shared.buffers.borrow_mut().pop();
        spare.unwrap_or_else(|| vec![0; HEAD].into_boxed_slice())
    }

    pub(crate) fn return_buffer(&self, buffer: Box<[u8]>) {
        let mut buffers = self.shared.buffers.borrow_mut();
        if buffers.len() < FETCH_BUFFERS {
            buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests;
