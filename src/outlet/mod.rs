//! Where pages leave: the routes of a server, and what is answered there.

#[cfg(feature = "push")]
mod apps;
mod deadline;
mod merge;
mod negotiate;
mod packing;
#[cfg(feature = "klipper")]
mod probe;
mod proxy;
#[cfg(feature = "push")]
mod pushed;
#[cfg(feature = "push")]
mod receive;
mod reply;
#[cfg(feature = "push")]
mod sd;
#[cfg(feature = "status")]
mod status;
#[cfg(any(feature = "push", feature = "status"))]
mod view;

use std::rc::Rc;
use std::time::{Duration, Instant};

pub use self::merge::{MergeOutlet, Outcome};
#[cfg(feature = "klipper")]
pub use self::probe::ProbeOutlet;
pub use self::proxy::ProxyOutlet;
pub use self::reply::{Body, Buffer, Refusal};
use crate::access::{Access, Denied};
use crate::config;
use crate::exposition::{Emitter, Names};
use crate::http::drive::Request;
use crate::http::fields::Fields;
use crate::http::incoming::RequestBody;
use crate::http::outgoing::Reply;
use crate::http::socket::Peer;
use crate::http::table::ConnectionTable;
#[cfg(feature = "tls")]
use crate::http::{socket::Socket, table::ConnectionHandle};
use crate::limits::MAX_SCRAPE_TIMEOUT;
use crate::memory::{Admission, Want};
use crate::source::{self, Engine, Source, own_text};
use crate::telemetry::metrics::Now;
use reply::{Receipt, TEXT};

/// One of the configuration's servers: its routes, and what they can reach.
pub struct Server {
    /// Its first address, which is what metrics call it.
    name: Rc<str>,
    /// Where peers may come from; `None` for anywhere.
    allow: Option<Vec<config::Network>>,
    access: Access,
    /// Fields that every reply gets.
    #[cfg(feature = "tls")]
    headers: Option<Rc<str>>,
    routes: Vec<Route>,
    /// Whether `/` and `/metrics` tell about fanin itself where no route has these paths.
    status: bool,
    /// The sources that a route of this server can reach, each once.
    sources: Vec<Rc<Source>>,
    connections: Rc<ConnectionTable>,
    scrape_timeout: Duration,
}

struct Route {
    path: config::RoutePath,
    name: Rc<str>,
    outlet: Outlet,
    /// The sources it reaches.
    #[cfg(feature = "status")]
    sources: Vec<Rc<Source>>,
    /// Whether it has fanin's own metrics too.
    #[cfg(feature = "status")]
    own: bool,
}

/// How a page leaves at a route.
#[derive(Clone)]
enum Outlet {
    Merge(Rc<MergeOutlet>),
    Proxy(Rc<ProxyOutlet>),
    #[cfg(feature = "klipper")]
    Probe(Rc<ProbeOutlet>),
    #[cfg(feature = "push")]
    Receive(Rc<Source>),
    #[cfg(feature = "push")]
    Relay(Rc<Source>),
    #[cfg(feature = "push")]
    Apps(Rc<[Rc<Source>]>),
    #[cfg(feature = "push")]
    Sd(Rc<sd::SdOutlet>),
}

impl Outlet {
    /// Whether it answers below its path, and not there.
    const fn is_below(&self) -> bool {
        match self {
            #[cfg(feature = "push")]
            Self::Receive(_) | Self::Relay(_) => true,
            _ => false,
        }
    }
}

/// An outlet in the configuration.
struct Described<'a> {
    /// The server that it is of, and whether that speaks TLS.
    #[cfg(feature = "push")]
    server: (&'a config::Server, bool),
    outlet: &'a config::Outlet,
    /// All there are.
    sources: &'a [Rc<Source>],
}

impl Described<'_> {
    /// The outlet; `of_route` are the sources that it reaches.
    fn make(&self, own_labels: &[Box<str>], of_route: &[Rc<Source>]) -> Option<Outlet> {
        let sources = self.sources;
        #[cfg(not(feature = "push"))]
        let _ = of_route;
        Some(match self.outlet {
            config::Outlet::Merge(merge) => {
                Outlet::Merge(Rc::new(MergeOutlet::new(merge, own_labels, sources)))
            }
            config::Outlet::Proxy(proxy) => {
                Outlet::Proxy(Rc::new(ProxyOutlet::new(proxy, sources)))
            }
            #[cfg(feature = "klipper")]
            config::Outlet::Probe(probe) => {
                Outlet::Probe(Rc::new(ProbeOutlet::new(probe, sources)))
            }
            #[cfg(feature = "push")]
            config::Outlet::Receive(_) => Outlet::Receive(of_route.first().cloned()?),
            #[cfg(feature = "push")]
            config::Outlet::Relay(_) => Outlet::Relay(of_route.first().cloned()?),
            #[cfg(feature = "push")]
            config::Outlet::Apps(_) => Outlet::Apps(of_route.into()),
            #[cfg(feature = "push")]
            config::Outlet::Sd(sd) => {
                Outlet::Sd(Rc::new(sd::SdOutlet::new(sd, self.server, sources)))
            }
        })
    }
}

/// What a request asks for.
enum Asked<'a> {
    Outlet(&'a Outlet),
    #[cfg(feature = "push")]
    Pushed(receive::Below<'a>),
    Own,
    #[cfg(feature = "status")]
    Status,
    Healthy,
    Ready,
    Reload,
}

/// How the program is, which a server must know to answer for it.
pub trait Program {
    /// Whether it takes requests: not while it ends.
    fn is_ready(&self) -> bool;

    /// Reads the configuration again; what it no longer has is closed when this returns.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the one in use stays.
    fn reload(&self) -> impl Future<Output = Result<(), String>>;
}

impl Server {
    /// The server that `plan` describes.
    #[must_use]
    pub fn new(
        plan: &config::Server,
        access: Access,
        own_labels: &[Box<str>],
        (sources, limits): (&[Rc<Source>], &config::Limits),
        connections: Rc<ConnectionTable>,
    ) -> Self {
        let mut routes = Vec::new();
        let mut reached: Vec<Rc<Source>> = Vec::new();
        for route in &plan.routes {
            for outlet in &route.outlets {
                let members = outlet.members();
                let source = |member: &config::Member| match *member {
                    config::Member::Own => None,
                    config::Member::Source(number) => sources.get(number).cloned(),
                };
                let of_route: Vec<_> = members.iter().filter_map(source).collect();
                let described = Described {
                    #[cfg(feature = "push")]
                    server: (plan, access.is_tls()),
                    outlet,
                    sources,
                };
                let Some(outlet) = described.make(own_labels, &of_route) else { continue };
                for source in &of_route {
                    if !reached.iter().any(|known| Rc::ptr_eq(known, source)) {
                        reached.push(Rc::clone(source));
                    }
                }
                routes.push(Route {
                    path: route.path.clone(),
                    name: route.path.as_str().into(),
                    outlet,
                    #[cfg(feature = "status")]
                    sources: of_route,
                    #[cfg(feature = "status")]
                    own: members.contains(&config::Member::Own),
                });
            }
        }
        Self {
            name: plan.listen.first().map(ToString::to_string).unwrap_or_default().into(),
            allow: plan.allow.clone(),
            access,
            #[cfg(feature = "tls")]
            headers: plan.headers.clone().map(Into::into),
            routes,
            status: plan.status,
            sources: reached,
            connections,
            scrape_timeout: limits.scrape_timeout,
        }
    }

    /// One that listens nowhere: it tells `self` in pipes of these sources.
    #[cfg(feature = "pipe")]
    #[must_use]
    pub fn of_pipes(
        sources: Vec<Rc<Source>>,
        access: Access,
        connections: Rc<ConnectionTable>,
    ) -> Self {
        Self {
            name: "".into(),
            allow: None,
            access,
            #[cfg(feature = "tls")]
            headers: None,
            routes: Vec::new(),
            status: false,
            sources,
            connections,
            scrape_timeout: Duration::ZERO,
        }
    }

    /// Whether this peer may come. Those on Unix sockets may: the socket's mode decides.
    #[must_use]
    pub fn admits(&self, peer: Peer) -> bool {
        let (Some(allow), Some(address)) = (&self.allow, peer.ip()) else { return true };
        allow.iter().any(|network| network.contains(address))
    }

    /// Answers a request, and counts it once its reply is sent.
    pub async fn answer(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        program: &impl Program,
        request: &Request<'_>,
        body: &mut RequestBody<'_>,
    ) -> Reply<Body> {
        let start = Instant::now();
        let (route, asked) = self.route(request.head.target().path());
        let (status, reply) = match self.reply(engine, program, (request, body, asked), start).await
        {
            Ok(reply) => (reply.status, Ok(reply)),
            Err(refusal) => (refusal.status, Err(refusal)),
        };
        let receipt =
            Receipt::new(Rc::clone(engine), (Rc::clone(&self.name), route), status, start);
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "fields are added"))]
        let mut reply = match reply {
            Ok(mut reply) => {
                reply.body.receipt = Some(receipt);
                reply
            }
            Err(refusal) => refusal.into_reply(receipt),
        };
        #[cfg(feature = "tls")]
        reply.shared.clone_from(&self.headers);
        reply
    }

    /// What is at this path, and what metrics call it.
    fn route<'a>(&'a self, path: &'a str) -> (Rc<str>, Option<Asked<'a>>) {
        let at = |route: &&Route| !route.outlet.is_below() && route.path.matches(path.as_bytes());
        if let Some(route) = self.routes.iter().find(at) {
            return (Rc::clone(&route.name), Some(Asked::Outlet(&route.outlet)));
        }
        #[cfg(feature = "push")]
        if let Some((name, below)) = receive::Below::of(&self.routes, path) {
            return (name, Some(Asked::Pushed(below)));
        }
        let asked = match path {
            "/-/healthy" => Asked::Healthy,
            "/-/ready" => Asked::Ready,
            "/-/reload" => Asked::Reload,
            "/metrics" if self.status => Asked::Own,
            #[cfg(feature = "status")]
            "/" if self.status => Asked::Status,
            _ => return ("other".into(), None),
        };
        (path.into(), Some(asked))
    }

    async fn reply(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        program: &impl Program,
        (request, body, asked): (&Request<'_>, &mut RequestBody<'_>, Option<Asked<'_>>),
        start: Instant,
    ) -> Result<Reply<Body>, Refusal> {
        if !matches!(asked, Some(Asked::Healthy | Asked::Ready)) {
            self.let_in(engine, request).await?;
        }
        let Some(asked) = asked else {
            return Err(Refusal::new(404, "no route has this path".into()));
        };
        #[cfg(feature = "push")]
        if let Asked::Pushed(below) = &asked {
            return below.answer(engine, request, body).await;
        }
        // No other route takes one.
        let _ = body;
        let method = request.head.method();
        let (allowed, fits) = match asked {
            Asked::Reload => ("POST", method == "POST"),
            _ => ("GET, HEAD", matches!(method, "GET" | "HEAD")),
        };
        if !fits {
            return Err(Refusal::method(allowed));
        }
        match asked {
            Asked::Outlet(outlet) => {
                let deadline = self.deadline(request, start)?;
                match outlet {
                    Outlet::Merge(merge) => self.merged(engine, merge, request, deadline).await,
                    Outlet::Proxy(proxy) => {
                        let (query, fields) =
                            (request.head.target().raw_query(), request.head.fields());
                        proxy.answer(engine, self, (query, fields), deadline).await
                    }
                    #[cfg(feature = "klipper")]
                    Outlet::Probe(probe) => {
                        let key = probe::api_key(request.head.fields(), self.access.is_asked());
                        let asked = (request.head.target().raw_query(), key.as_deref());
                        let reply = probe.answer(engine, asked, deadline).await?;
                        Ok(packed(reply, engine, request.head.fields()))
                    }
                    #[cfg(feature = "push")]
                    Outlet::Apps(sources) => {
                        apps::page(engine, sources, request.head.fields()).await
                    }
                    #[cfg(feature = "push")]
                    Outlet::Sd(sd) => sd.answer(engine, request).await,
                    #[cfg(feature = "push")]
                    Outlet::Receive(_) | Outlet::Relay(_) => {
                        Err(Refusal::new(404, "no route has this path".into()))
                    }
                }
            }
            #[cfg(feature = "push")]
            Asked::Pushed(_) => Err(Refusal::new(404, "no route has this path".into())),
            Asked::Own => self.own(engine),
            #[cfg(feature = "status")]
            Asked::Status => status::page(self, engine, request.head.fields()).await,
            Asked::Healthy => Ok(Reply::new(200, TEXT, Body::text("healthy\n"))),
            Asked::Ready if program.is_ready() => Ok(Reply::new(200, TEXT, Body::text("ready\n"))),
            Asked::Ready => Err(Refusal::unavailable("the program is ending".into())),
            Asked::Reload => self.reload(program, request).await,
        }
    }

    /// Refuses a request without a login where one is needed.
    async fn let_in(&self, engine: &Engine, request: &Request<'_>) -> Result<(), Refusal> {
        let fields = request.head.fields();
        let judged = self.access.judge(&self.name, request.peer, fields).await;
        judged.map_err(|denied| match denied {
            Denied::Busy => Refusal::busy(),
            Denied::Missing => Refusal::login(self.access.schemes()),
            Denied::Wrong => {
                engine.metrics.login_failed(&self.name);
                Refusal::login(self.access.schemes())
            }
        })
    }

    /// Reads the configuration again for those who may ask for it: who logged in or, where nobody
    /// needs to, this machine, and no web page that happens to be open on it.
    async fn reload(
        &self,
        program: &impl Program,
        request: &Request<'_>,
    ) -> Result<Reply<Body>, Refusal> {
        if request.head.fields().text("Origin").is_some() {
            return Err(Refusal::new(403, "a web page may not reload the configuration".into()));
        }
        if !self.access.knows_peers() && !request.peer.is_local() {
            let rule = "the configuration is reloaded from this machine, or after a login, only";
            return Err(Refusal::new(403, rule.into()));
        }
        program.reload().await.map_err(|error| Refusal::new(500, error))?;
        Ok(Reply::new(200, TEXT, Body::text("configuration reloaded\n")))
    }

    /// fanin's own metrics, whatever memory scrapes have taken.
    fn own(&self, engine: &Engine) -> Result<Reply<Body>, Refusal> {
        let text =
            self.with_metrics_of_now(engine, |now| own_text(&engine.metrics, now, &engine.reserve));
        let text = text.map_err(|_| Refusal::memory(engine))?;
        Ok(Reply::new(200, Names::Underscores.content_type(), Body::page(text)))
    }

    /// Agrees with a new peer on TLS, where that is spoken. One that may not come is left without a
    /// word: it may not even learn what is here.
    #[cfg(feature = "tls")]
    pub(crate) async fn greet(
        &self,
        engine: &Engine,
        socket: Socket,
        handle: &ConnectionHandle,
    ) -> Option<Socket> {
        if self.access.is_tls() && !self.admits(handle.peer()) {
            self.count_refused(engine, 403);
            return None;
        }
        let failed = || engine.metrics.handshake_failed(&self.name);
        self.access.greet(socket, handle, (&self.name, failed)).await
    }

    /// Counts a request that was refused before it had a path.
    pub fn count_refused(&self, engine: &Engine, status: u16) {
        engine.metrics.request(&self.name, &"other".into(), status, Duration::ZERO);
    }

    /// By when a page must be there.
    fn deadline(&self, request: &Request<'_>, start: Instant) -> Result<Instant, Refusal> {
        let budget = match request.head.fields().text("X-Prometheus-Scrape-Timeout-Seconds") {
            None => self.scrape_timeout,
            Some(value) => deadline::scrape_budget(value, MAX_SCRAPE_TIMEOUT)
                .map_err(|error| Refusal::new(400, error.to_string()))?,
        };
        Ok(start.checked_add(budget).unwrap_or(start))
    }

    async fn merged(
        self: &Rc<Self>,
        engine: &Rc<Engine>,
        outlet: &Rc<MergeOutlet>,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<Reply<Body>, Refusal> {
        let fields = request.head.fields();
        let names = negotiate::names(&fields.joined("Accept"));
        let query = request.head.target().raw_query();
        let merged = outlet.page(engine, self, (query, names), deadline).await?;
        let body = Body::merged(Emitter::new(merged));
        let reply = Reply::new(200, names.content_type(), body);
        Ok(if outlet.compresses() { packed(reply, engine, fields) } else { reply })
    }

    /// Hands `with` what fanin's own metrics on this server tell at this moment.
    pub(crate) fn with_metrics_of_now<T>(
        &self,
        engine: &Engine,
        with: impl FnOnce(&Now<'_>) -> T,
    ) -> T {
        let sources: Vec<_> =
            self.sources.iter().map(|source| (source.name(), source.stats())).collect();
        with(&Now {
            sources: &sources,
            server: &self.name,
            blocks: engine.pool.counters(),
            connections: self.connections.count(),
        })
    }
}

/// The reply with its page packed, where the scraper takes it so and it is worth it.
fn packed(mut reply: Reply<Body>, engine: &Engine, fields: &Fields<'_>) -> Reply<Body> {
    // Both are short and of printable characters.
    let _ = reply.set("Vary", "Accept-Encoding");
    if !negotiate::accepts_gzip(&fields.joined("Accept-Encoding")) {
        return reply;
    }
    let (body, packed) = reply.body.packed(engine);
    reply.body = body;
    if packed {
        let _ = reply.set("Content-Encoding", "gzip");
    }
    reply
}

/// Waits until `want` is granted.
pub(super) async fn admitted(
    engine: &Engine,
    want: Want,
    deadline: Instant,
) -> Result<Admission, Refusal> {
    source::admitted(engine, want, deadline).await.map_err(|_| Refusal::memory(engine))
}
