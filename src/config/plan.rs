//! What the program needs to run: everything judged, defaults in, names resolved to numbers.
//!
//! Two plans are compared at a reload; equal parts live on.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
#[cfg(feature = "local")]
use std::path::PathBuf;
use std::time::Duration;

use super::address::Listen;
#[cfg(feature = "klipper")]
use super::klipper::{Modules, Ways};
use super::network::Network;
#[cfg(feature = "local")]
use super::pattern::PathPattern;
use super::route::RoutePath;
use super::secret::Secret;
#[cfg(feature = "klipper")]
use super::targets::Targets;
#[cfg(feature = "tls")]
use super::tls::{ClientTls, ServerTls};
pub use crate::exposition::OnConflict;
pub use crate::http::client::Redirects;
#[cfg(feature = "klipper")]
use crate::http::url::Target;
use crate::limits;

/// The label that names a merged sample's source where the configuration names none, as in
/// reverse_exporter.
pub const DEFAULT_LABEL: &str = "exporter_name";

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// At least one, unless there are pipes.
    pub servers: Vec<Server>,
    /// In the file's order, then those of `sources_dir`; [`Member::Source`] counts from 0 here.
    pub sources: Vec<Source>,
    /// In the file's order.
    #[cfg(feature = "pipe")]
    pub pipes: Vec<super::Pipe>,
    /// The names of all labels that some route or pipe puts on fanin's own metrics, each once.
    pub own_labels: Vec<Box<str>>,
    /// What the program may use.
    pub limits: Limits,
    /// What is in the folders of `sources_dir` and is by its name no source.
    pub passed_over: Vec<Box<str>>,
    /// Files with secrets that everybody on this machine can read.
    pub exposed: Vec<Box<str>>,
}

/// What else a source may be in.
const OR_PIPE: &str = if cfg!(feature = "pipe") { " and in no pipe" } else { "" };

/// Addresses and what is answered there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// At least one; no two of a plan exclude each other.
    pub listen: Vec<Listen>,
    /// Where peers may come from, Unix sockets aside; `None` for anywhere.
    pub allow: Option<Vec<Network>>,
    /// Who may log in; `None` if nobody needs to.
    pub auth: Option<Auth>,
    /// How TLS is spoken; `None` if it is not.
    #[cfg(feature = "tls")]
    pub tls: Option<ServerTls>,
    /// Fields that every reply gets, each line ended by CRLF.
    #[cfg(feature = "tls")]
    pub headers: Option<Box<str>>,
    /// Sorted by path; no two match the same request.
    pub routes: Vec<Route>,
    /// Whether `/` and, unless a route has that path, `/metrics` tell about fanin itself.
    pub status: bool,
    /// Where Prometheus reaches it; `None` for where it asks.
    #[cfg(feature = "push")]
    pub advertise: Option<super::Advertised>,
}

impl Server {
    /// One that nobody can reach and that answers nothing.
    #[must_use]
    pub(crate) const fn nowhere() -> Self {
        Self {
            listen: Vec::new(),
            allow: None,
            auth: None,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "tls")]
            headers: None,
            routes: Vec::new(),
            status: false,
            #[cfg(feature = "push")]
            advertise: None,
        }
    }
}

/// Who may log in at a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Whoever has one of these comes in.
    pub tokens: Vec<Secret>,
    /// Names, each once, and the bcrypt hashes of their passwords.
    #[cfg(feature = "tls")]
    pub users: Vec<(Box<str>, Secret)>,
}

/// One path and what it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Matched exactly.
    pub path: RoutePath,
    /// At least one; no two of one kind.
    pub outlets: Vec<Outlet>,
}

/// How pages leave at a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlet {
    /// All members as one page.
    Merge(Merge),
    /// One member at a time, as it is.
    Proxy(Proxy),
    /// A printer that the request names.
    #[cfg(feature = "klipper")]
    Probe(Probe),
    /// Pages are brought to this source, below the path.
    #[cfg(feature = "push")]
    Receive(Member),
    /// Pages of this source leave one by one, below the path.
    #[cfg(feature = "push")]
    Relay(Member),
    /// Who brought pages to these sources.
    #[cfg(feature = "push")]
    Apps(Vec<Member>),
    /// Tells Prometheus what the others have.
    #[cfg(feature = "push")]
    Sd(super::Sd),
}

impl Outlet {
    /// What it takes from.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match self {
            Self::Merge(merge) => &merge.members,
            Self::Proxy(proxy) => &proxy.members,
            #[cfg(feature = "klipper")]
            Self::Probe(probe) => &probe.members,
            #[cfg(feature = "push")]
            Self::Receive(member) | Self::Relay(member) => std::slice::from_ref(member),
            #[cfg(feature = "push")]
            Self::Apps(members) => members,
            #[cfg(feature = "push")]
            Self::Sd(_) => &[],
        }
    }
}

/// Any printer that may be asked for.
#[cfg(feature = "klipper")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The printers among the sources, which can be asked for by their names.
    pub members: Vec<Member>,
    /// What others are asked for where the request does not say.
    pub modules: Modules,
    /// Which others may be asked for.
    pub targets: Targets,
    /// How others are asked.
    pub ways: Ways,
}

/// Many pages at one path, each by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// At least one, each once.
    pub members: Vec<Member>,
    /// The one for requests that name none.
    pub default: Option<Member>,
    /// Whether a page that is not an exporter's own answer may leave packed.
    pub compress: bool,
}

/// Many pages as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// At least one, each once, in the order of the page.
    pub members: Vec<Member>,
    /// The label that tells each sample's source; `None` for `label: none`.
    pub label: Option<Box<str>>,
    /// What happens to a label that a sample has already.
    pub on_conflict: OnConflict,
    /// Whether one failure fails the whole.
    pub strict: bool,
    /// The members that are given the parameters of the request.
    pub forward: Vec<Member>,
    /// Whether the page may leave packed.
    pub compress: bool,
    /// Put on each sample behind its source's own labels: those of a pipe.
    pub labels: Vec<(Box<str>, Box<str>)>,
}

/// What a merge takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// `self`: fanin's own metrics.
    Own,
    /// One of [`Plan::sources`].
    Source(usize),
}

impl std::str::FromStr for OnConflict {
    type Err = super::BadValue;

    fn from_str(text: &str) -> Result<Self, super::BadValue> {
        match text {
            "rename" => Ok(Self::Rename),
            "override" => Ok(Self::Override),
            "keep" => Ok(Self::Keep),
            _ => Err(super::BadValue::new("is none of rename, override, keep")),
        }
    }
}

/// Where a page comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As in the configuration; the value of the merge's label.
    pub name: Box<str>,
    /// How to reach it.
    pub kind: Kind,
    /// The longest a scrape of it may take; the scraper's own deadline may be nearer.
    pub timeout: Option<Duration>,
    /// Put on each of its samples in merges, in the file's order.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// For how long one fetch serves every scraper.
    pub cache: Option<Duration>,
    /// It is fetched on its own, and what it gave is kept.
    pub every: Option<Every>,
    /// Whether a proxied page is read before it is passed on.
    pub verify: bool,
    /// What becomes of a page with a malformed line.
    pub on_malformed: OnMalformed,
    /// Bytes that its page may have.
    pub max_bytes: usize,
    /// The names of all labels that some route puts on its samples, each once: its own, then those
    /// of merges that it is a member of.
    pub label_names: Vec<Box<str>>,
}

/// How often a source is fetched, and what that is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    /// From the beginning of a fetch to that of the next.
    pub period: Duration,
    /// The longest a page is served after it was fetched.
    pub max_age: Duration,
    /// The longest a fetch may take.
    pub timeout: Duration,
}

/// What becomes of a page with a malformed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMalformed {
    /// It is refused whole.
    #[default]
    Refuse,
    /// It loses the line.
    DropLine,
}

/// The kinds of source, each with what it needs to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An exporter that is asked over HTTP.
    Http(Http),
    /// Files that something else writes.
    #[cfg(feature = "local")]
    File(File),
    /// A command whose standard output is the page.
    #[cfg(feature = "local")]
    Exec(Exec),
    /// A Klipper printer that is asked through Moonraker.
    #[cfg(feature = "klipper")]
    Klipper(Klipper),
    /// Applications that bring their pages.
    #[cfg(feature = "push")]
    Push(Push),
}

impl Kind {
    /// The key that the configuration has for it.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            #[cfg(feature = "local")]
            Self::File(_) => "file",
            #[cfg(feature = "local")]
            Self::Exec(_) => "exec",
            #[cfg(feature = "klipper")]
            Self::Klipper(_) => "klipper",
            #[cfg(feature = "push")]
            Self::Push(_) => "push",
        }
    }
}

/// Where applications bring their pages, and how long these are good for.
#[cfg(feature = "push")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Addresses for those that do not speak HTTP; there may be none.
    pub listen: Vec<Listen>,
    /// What is spoken there.
    pub format: PushFormat,
    /// How long a page is good for whose sender says nothing; `None` is for ever.
    pub ttl: Option<Duration>,
    /// The longest that a sender may say, if there is such a limit.
    pub max_ttl: Option<Duration>,
    /// Applications and groups at once.
    pub apps: usize,
    /// How long the name of a group is remembered whose page is too old: the longest that some
    /// route lists it for.
    pub remembered: Duration,
}

/// How pages are written that come without HTTP.
#[cfg(feature = "push")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PushFormat {
    /// Told by their first byte.
    #[default]
    Auto,
    /// JSON.
    Json,
    /// Cap'n Proto.
    Capnp,
}

/// Which files are read.
#[cfg(feature = "local")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// One path, or all that fit.
    pub path: PathPattern,
    /// A file that was not written for longer than this fails the source.
    pub max_age: Option<Duration>,
}

/// A command and what it is started with.
#[cfg(feature = "local")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// An absolute path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<Secret>,
    /// Variables that it gets, in the file's order, each once.
    pub env: Vec<(Box<str>, Secret)>,
    /// Whether these are all; else they are added to fanin's own.
    pub clear_env: bool,
    /// The folder that it starts in; `None` for fanin's own.
    pub cwd: Option<PathBuf>,
    /// Whether a scraper may add arguments.
    pub allow_args: bool,
}

/// A printer's address, and what it is asked for.
#[cfg(feature = "klipper")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Klipper {
    /// Where Moonraker is: what it is asked for follows.
    pub target: Target,
    /// What it is shown.
    pub api_key: Option<Secret>,
    /// What it is asked for.
    pub modules: Modules,
    /// How it is asked.
    pub ways: Ways,
    /// How TLS is spoken to it.
    #[cfg(feature = "tls")]
    pub tls: ClientTls,
}

/// An exporter's address and what a request to it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `http[s]://HOST[:PORT][/PATH][?QUERY]` or `unix://SOCKET:/PATH`, the socket's path
    /// absolute.
    pub url: Box<str>,
    /// The fields that the configuration adds, in the file's order. None of them is one that the
    /// client sets itself.
    pub headers: Vec<(Box<str>, Secret)>,
    /// The whole value of `Authorization`.
    pub authorization: Option<Secret>,
    /// Which redirects are followed.
    pub redirects: Redirects,
    /// How TLS is spoken where the URL, or a redirect, asks for it.
    #[cfg(feature = "tls")]
    pub tls: ClientTls,
}

/// What the program may use; the defaults are in [`limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the pool.
    pub memory: usize,
    /// Connections served at once.
    pub connections: usize,
    /// Bytes of one page; at most half of `memory`.
    pub body: usize,
    /// Families of one page.
    pub families: usize,
    /// Bytes of kept pages; at most `memory`.
    pub kept: usize,
    /// For a whole request head.
    pub header_timeout: Duration,
    /// For a kept-alive connection without a request.
    pub idle_timeout: Duration,
    /// For a whole request body.
    pub body_timeout: Duration,
    /// For a reply of which nothing is taken.
    pub write_timeout: Duration,
    /// For a scrape whose scraper states no timeout.
    pub scrape_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: limits::DEFAULT_MEMORY,
            connections: limits::DEFAULT_CONNECTIONS,
            body: limits::DEFAULT_BODY,
            families: limits::DEFAULT_FAMILIES,
            kept: limits::DEFAULT_MEMORY / 2,
            header_timeout: limits::DEFAULT_HEADER_TIMEOUT,
            idle_timeout: limits::DEFAULT_IDLE_TIMEOUT,
            body_timeout: limits::DEFAULT_BODY_TIMEOUT,
            write_timeout: limits::DEFAULT_WRITE_TIMEOUT,
            scrape_timeout: limits::DEFAULT_SCRAPE_TIMEOUT,
        }
    }
}

/// An exporter that discovery found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What to call it, such as `node`; a valid [`source_name`](super::source_name).
    pub name: String,
    /// Where it answered, such as `http://127.0.0.1:9100/metrics`.
    pub url: String,
}

impl Plan {
    /// What `fanin serve` does without a file: all of `found` and fanin's own metrics as one page at
    /// `/metrics`. Listens on `listen`, or on loopback where that is empty.
    #[must_use]
    pub fn default_for(found: &[Found], listen: &[Listen]) -> Self {
        let limits = Limits::default();
        let sources: Vec<Source> =
            found.iter().map(|found| Source::found(found, limits.body)).collect();
        let members = (0..sources.len()).map(Member::Source);
        let merge = Merge::new(std::iter::once(Member::Own).chain(members).collect());
        #[expect(clippy::expect_used, reason = "a constant path, and a test reads it")]
        let path = RoutePath::new("/metrics").expect("a path");
        let server = Server {
            listen: if listen.is_empty() { vec![Self::loopback()] } else { listen.to_vec() },
            routes: vec![Route { path, outlets: vec![Outlet::Merge(merge)] }],
            status: true,
            ..Server::nowhere()
        };
        let own_labels = vec![DEFAULT_LABEL.into()];
        Self {
            servers: vec![server],
            sources,
            #[cfg(feature = "pipe")]
            pipes: Vec::new(),
            own_labels,
            limits,
            passed_over: Vec::new(),
            exposed: Vec::new(),
        }
    }

    /// Where `fanin serve` listens when nothing says otherwise.
    #[must_use]
    pub fn loopback() -> Listen {
        Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, limits::DEFAULT_PORT)))
    }

    /// All addresses that are listened on: those of servers, then those of sources.
    pub fn addresses(&self) -> impl Iterator<Item = &Listen> {
        let of_servers = self.servers.iter().flat_map(|server| &server.listen);
        #[cfg(feature = "push")]
        let of_sources = self.sources.iter().flat_map(super::push::addresses);
        #[cfg(not(feature = "push"))]
        let of_sources = std::iter::empty();
        of_servers.chain(of_sources)
    }

    /// The sources that no route and no pipe reaches: forgotten in a `merge`, most likely.
    pub fn unused(&self) -> impl Iterator<Item = &Source> {
        let reached = |number: usize| {
            let member = Member::Source(number);
            let routes = self.servers.iter().flat_map(|server| &server.routes);
            let mut outlets = routes.flat_map(|route| &route.outlets);
            #[cfg(feature = "pipe")]
            if self.pipes.iter().any(|pipe| pipe.merge.members.contains(&member)) {
                return true;
            }
            outlets.any(|outlet| outlet.members().contains(&member))
        };
        let all = self.sources.iter().enumerate();
        all.filter(move |(number, _)| !reached(*number)).map(|(_, source)| source)
    }

    /// What is no fault, but most likely not meant: a line each.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let unused = self
            .unused()
            .map(|source| format!("source \"{}\" is in no route{OR_PIPE}", source.name));
        let passed_over = self.passed_over.iter().map(|file| {
            format!("{file} is passed over: its name ends neither in .yaml nor in .yml")
        });
        let exposed = self.exposed.iter().map(|file| {
            format!("{file} holds a secret, and everybody on this machine may read it: chmod o-r")
        });
        let all = exposed.chain(passed_over);
        #[cfg(feature = "tls")]
        let all = all.chain(self.unverified());
        all.chain(unused)
    }

    /// Sources and pipes that take any certificate.
    #[cfg(feature = "tls")]
    fn unverified(&self) -> impl Iterator<Item = String> {
        let blind = |source: &&Source| match &source.kind {
            Kind::Http(http) => http.tls.skip_verify,
            #[cfg(feature = "klipper")]
            Kind::Klipper(printer) => printer.tls.skip_verify,
            #[cfg(any(feature = "local", feature = "push"))]
            _ => false,
        };
        let all = self.sources.iter().filter(blind).map(|source| ("source", &source.name));
        #[cfg(feature = "pipe")]
        let all = {
            let blind = self.pipes.iter().filter(|pipe| pipe.tls.skip_verify);
            all.chain(blind.map(|pipe| ("pipe", &pipe.name)))
        };
        all.map(|(kind, name)| {
            format!("{kind} \"{name}\" takes any certificate: insecure_skip_verify")
        })
    }

    /// Puts the addresses of `--listen` in place of the file's. No addresses: nothing changes.
    ///
    /// # Errors
    ///
    /// [`ManyServers`] where it is not clear which server is meant.
    pub fn listen_on(&mut self, listen: &[Listen]) -> Result<(), ManyServers> {
        match self.servers.as_mut_slice() {
            _ if listen.is_empty() => {}
            [server] => listen.clone_into(&mut server.listen),
            servers => return Err(ManyServers(servers.len())),
        }
        Ok(())
    }
}

/// `--listen` was given, and the configuration has this many servers, not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManyServers(pub usize);

impl fmt::Display for ManyServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(servers) = self;
        write!(f, "needs a configuration with one server, this one has {servers}")
    }
}

impl std::error::Error for ManyServers {}

impl Merge {
    /// A merge of `members` with nothing else said.
    pub(super) fn new(members: Vec<Member>) -> Self {
        Self {
            members,
            label: Some(DEFAULT_LABEL.into()),
            on_conflict: OnConflict::default(),
            strict: false,
            forward: Vec::new(),
            compress: true,
            labels: Vec::new(),
        }
    }
}

impl Source {
    /// A source as discovery found it.
    pub(crate) fn found(found: &Found, max_bytes: usize) -> Self {
        let http = Http {
            url: found.url.as_str().into(),
            headers: Vec::new(),
            authorization: None,
            redirects: Redirects::default(),
            #[cfg(feature = "tls")]
            tls: ClientTls::default(),
        };
        let label_names = vec![DEFAULT_LABEL.into()];
        Self { label_names, ..Self::new(&found.name, Kind::Http(http), max_bytes) }
    }

    /// One of which nothing else is said.
    pub(super) fn new(name: &str, kind: Kind, max_bytes: usize) -> Self {
        Self {
            name: name.into(),
            kind,
            timeout: None,
            labels: Vec::new(),
            cache: None,
            every: None,
            verify: true,
            on_malformed: OnMalformed::default(),
            max_bytes,
            label_names: Vec::new(),
        }
    }
}
