//! The running program: its listeners, its configuration in use, signals, and how it ends.
//!
//! Everything lives on one thread, in an `Rc<Runtime>`. A reload builds a whole new `Generation`
//! and swaps it in; requests under way keep theirs until they are done.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;
use smol::{LocalExecutor, Task, Timer};

use crate::access::{Access, Logins};
use crate::config::{self, Listen, Plan};
use crate::http::drive::{Request, Service};
use crate::http::fault::Fault;
use crate::http::fetch::Client;
use crate::http::incoming::RequestBody;
use crate::http::listen::{Address, Listener, listen as accept};
use crate::http::outgoing::Reply;
use crate::http::socket::Peer;
use crate::http::table::{ConnectionTable, ServerLimits};
#[cfg(feature = "tls")]
use crate::http::{socket::Socket, table::ConnectionHandle};
use crate::limits::{BEHIND_HEAD, DRAIN, HEAD, MIN_TAKE_RATE, SLOW_READER};
use crate::memory::Pool;
use crate::outlet::{Body, Buffer, Program, Server};
#[cfg(feature = "pipe")]
use crate::pipe::Pipes;
#[cfg(feature = "local")]
use crate::source::Children;
use crate::source::discover::discover;
#[cfg(feature = "push")]
use crate::source::push::connection::PushDoor;
use crate::source::{Engine, Source, State};
use crate::systemd::{Inherited, Notify};
use crate::telemetry::log::Chain;
use crate::telemetry::metrics::Metrics;

/// Where the configuration comes from, for the next reload.
#[derive(Debug, Default)]
pub struct Origin {
    /// The file; without one, exporters are discovered.
    pub file: Option<PathBuf>,
    /// What stands in place of the file's addresses.
    pub listen: Vec<Listen>,
    /// What `fanin send` is to do, in place of a file.
    #[cfg(feature = "pipe")]
    pub sending: Option<config::Sending>,
    /// What `fanin receive` is to do, likewise.
    #[cfg(feature = "push")]
    pub receiving: Option<config::Receiving>,
}

impl Origin {
    /// Reads the configuration, if there is a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(&self) -> Result<Option<Plan>, LoadError> {
        #[cfg(feature = "pipe")]
        if let Some(sending) = &self.sending {
            return sending.plan().map(Some).map_err(LoadError::Token);
        }
        #[cfg(feature = "push")]
        if let Some(receiving) = &self.receiving {
            return receiving.plan().map(Some).map_err(LoadError::Token);
        }
        let Some(file) = &self.file else { return Ok(None) };
        let mut plan = config::load(file).map_err(LoadError::Config)?;
        plan.listen_on(&self.listen).map_err(LoadError::Listen)?;
        Ok(Some(plan))
    }

    /// What to do without a file: merge the exporters that answer on this machine now.
    pub async fn discover(&self, engine: &Rc<Engine>) -> Plan {
        let found = discover(engine).await;
        for source in &found {
            log::info!("found {} at {}", source.name, source.url);
        }
        if found.is_empty() {
            log::info!("no exporter answers on 127.0.0.1: serving fanin's own metrics");
        }
        Plan::default_for(&found, &self.listen)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub enum LoadError {
    /// Something in it is wrong.
    Config(config::ConfigError),
    /// `--listen` does not say which server it means.
    Listen(config::ManyServers),
    /// An address cannot be bound.
    Bind(Listen, io::Error),
    /// A file of a server's certificates cannot be used.
    Tls(usize, String),
    /// A source's address is not understood.
    Source(Box<str>, String),
    /// The token of `fanin send` or `fanin receive` cannot be read.
    #[cfg(any(feature = "pipe", feature = "push"))]
    Token(String),
    /// Where a pipe leads is not understood.
    #[cfg(feature = "pipe")]
    Pipe(Box<str>, String),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => std::fmt::Display::fmt(error, f),
            Self::Listen(error) => write!(f, "--listen: {error}"),
            Self::Bind(address, error) => write!(f, "listen {address}: {error}"),
            Self::Tls(server, error) => write!(f, "servers[{server}].tls: {error}"),
            Self::Source(name, error) => write!(f, "source {name:?}: {error}"),
            #[cfg(any(feature = "pipe", feature = "push"))]
            Self::Token(error) => write!(f, "--token-file: {error}"),
            #[cfg(feature = "pipe")]
            Self::Pipe(name, error) => write!(f, "pipe {name:?}: {error}"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => error.source(),
            _ => None,
        }
    }
}

/// What one configuration has made.
struct Generation {
    plan: Plan,
    sources: Vec<Rc<Source>>,
    #[cfg(feature = "pipe")]
    pipes: Pipes,
}

/// An address that is listened on.
struct Door {
    listen: Listen,
    listener: Rc<Listener>,
    behind: Behind,
    /// Accepts until dropped.
    accepting: Task<()>,
}

/// What is behind an address.
enum Behind {
    Server(Rc<Entry>),
    #[cfg(feature = "push")]
    Store(Rc<PushDoor>),
}

/// What is to be behind an address.
#[derive(Clone)]
enum Wanted {
    Server(Rc<Server>),
    #[cfg(feature = "push")]
    Store(Rc<Source>, ServerLimits),
}

/// What connections of one address ask: the server of the configuration in use.
struct Entry {
    runtime: Rc<Runtime>,
    server: RefCell<Rc<Server>>,
    /// The address is gone: connections end behind their next reply.
    closing: Cell<bool>,
}

/// The running program.
pub struct Runtime {
    engine: Rc<Engine>,
    origin: Origin,
    connections: Rc<ConnectionTable>,
    logins: Rc<Logins>,
    generation: RefCell<Generation>,
    doors: RefCell<Vec<Door>>,
    /// `limits.memory` at the start: the pool's size does not change.
    memory: usize,
    ending: Cell<bool>,
    notify: Notify,
    /// Sockets that were open before us, until the first plan has taken them.
    inherited: Inherited,
}

/// What everything that scrapes works with, its pool as `limits` say. What the buffers of all
/// connections take is taken off, but not more than an eighth.
#[must_use]
pub fn engine(limits: &config::Limits) -> Rc<Engine> {
    let buffers = limits.connections.saturating_mul(HEAD.saturating_add(BEHIND_HEAD));
    let pool = Pool::new(limits.memory.saturating_sub(buffers.min(limits.memory / 8)), limits.kept);
    let executor = Rc::new(LocalExecutor::new());
    Rc::new(Engine {
        #[cfg(feature = "local")]
        children: Children::new(Rc::clone(&executor)),
        executor,
        reserve: pool.reserve(),
        pool,
        client: Client::new(),
        metrics: Metrics::default(),
        packers: Rc::new(()),
    })
}

/// Serves what `plan` says until a signal ends it.
///
/// # Errors
///
/// [`LoadError`] where an address cannot be bound, and then nothing was served.
pub async fn run(engine: Rc<Engine>, plan: Plan, origin: Origin) -> Result<(), LoadError> {
    let limits = server_limits(&plan.limits);
    let empty = Plan { servers: Vec::new(), sources: Vec::new(), ..plan.clone() };
    let runtime = Rc::new(Runtime {
        connections: ConnectionTable::new(plan.limits.connections, limits),
        logins: Rc::new(Logins::new(&engine.executor)),
        engine,
        origin,
        generation: RefCell::new(Generation {
            plan: empty,
            sources: Vec::new(),
            #[cfg(feature = "pipe")]
            pipes: Pipes::default(),
        }),
        doors: RefCell::default(),
        memory: plan.limits.memory,
        ending: Cell::new(false),
        notify: Notify::from_env(),
        inherited: Inherited::from_env(),
    });
    // Before anybody can know that we are there.
    let signals = Signals::new([Signal::Term, Signal::Int, Signal::Hup]);
    runtime.adopt(plan)?;
    runtime.inherited.close();
    runtime.notify.ready();
    let executor = Rc::clone(&runtime.engine.executor);
    let client = runtime.engine.client.clone();
    let _tending = executor.spawn(async move { client.tend().await });
    let watched = Rc::clone(&runtime);
    let _pressing = executor.spawn(async move { watched.press_slow_readers().await });
    let alive = Rc::clone(&runtime);
    let _living = executor.spawn(async move { alive.notify.live().await });
    match signals {
        Ok(signals) => runtime.heed(signals).await,
        Err(error) => {
            log::error!("signals cannot be heeded: {error}");
            std::future::pending().await
        }
    }
    runtime.end().await;
    Ok(())
}

fn server_limits(limits: &config::Limits) -> ServerLimits {
    ServerLimits {
        header: limits.header_timeout,
        idle: limits.idle_timeout,
        body: limits.body_timeout,
        write: limits.write_timeout,
        take_rate: MIN_TAKE_RATE,
    }
}

impl Runtime {
    /// Puts `plan` to use, whole or not at all: what it adds is bound first. Returns the addresses
    /// that it no longer has.
    fn adopt(self: &Rc<Self>, plan: Plan) -> Result<Vec<Door>, LoadError> {
        let mut bound = self.bind_new(&plan)?;
        let sources = self.sources(&plan)?;
        let accesses = accesses(&plan, &self.logins)?;
        #[cfg(feature = "pipe")]
        let pipes = self.pipes(&plan, &sources)?;
        // From here on nothing fails.
        let mut old = self.doors.take();
        let mut doors = Vec::new();
        for (listen, wanted) in self.wanted(&plan, &sources, accesses) {
            if let Some(at) = old.iter().position(|door| is_same_place(&door.listen, listen)) {
                let mut door = old.swap_remove(at);
                if door.listen != *listen {
                    set_access(listen);
                    door.listen = listen.clone();
                }
                doors.push(self.reopen(door, wanted));
            } else if let Some(at) = bound.iter().position(|(address, _)| address == listen) {
                let (listen, listener) = bound.swap_remove(at);
                log::info!("listening on {}", listener.address());
                doors.push(self.open(listen, listener, wanted));
            }
        }
        self.doors.replace(doors);
        for warning in plan.warnings() {
            log::warn!("{warning}");
        }
        self.apply_limits(&plan);
        for source in &sources {
            source.start(&self.engine);
        }
        #[cfg(feature = "pipe")]
        pipes.start(&self.engine);
        let before = self.generation.replace(Generation {
            plan,
            sources,
            #[cfg(feature = "pipe")]
            pipes,
        });
        #[cfg(feature = "pipe")]
        before.pipes.stop();
        for source in &before.sources {
            source.stop();
        }
        Ok(old)
    }

    /// What is to be behind which address.
    fn wanted<'p>(
        &self,
        plan: &'p Plan,
        sources: &'p [Rc<Source>],
        accesses: Vec<Access>,
    ) -> Vec<(&'p Listen, Wanted)> {
        let mut wanted = Vec::new();
        for (described, access) in plan.servers.iter().zip(accesses) {
            let of = (sources, &plan.limits);
            let connections = Rc::clone(&self.connections);
            let server = Server::new(described, access, &plan.own_labels, of, connections);
            let server = Wanted::Server(Rc::new(server));
            wanted.extend(described.listen.iter().map(|listen| (listen, server.clone())));
        }
        #[cfg(feature = "push")]
        for source in sources {
            let store = Wanted::Store(Rc::clone(source), server_limits(&plan.limits));
            wanted.extend(source.doors().iter().map(|listen| (listen, store.clone())));
        }
        wanted
    }

    /// Puts something else behind an address that is listened on. Where that speaks another
    /// protocol, connections that are open end behind their next reply.
    fn reopen(self: &Rc<Self>, door: Door, wanted: Wanted) -> Door {
        match (&door.behind, wanted) {
            (Behind::Server(entry), Wanted::Server(server)) => {
                entry.server.replace(server);
            }
            #[cfg(feature = "push")]
            (Behind::Store(store), Wanted::Store(source, limits)) => store.swap(source, limits),
            #[cfg(feature = "push")]
            (behind, wanted) => {
                behind.close();
                return self.open(door.listen, door.listener, wanted);
            }
        }
        door
    }

    /// Binds the addresses of `plan` that are not listened on yet.
    fn bind_new(&self, plan: &Plan) -> Result<Vec<(Listen, Rc<Listener>)>, LoadError> {
        let doors = self.doors.borrow();
        let is_new =
            |listen: &&Listen| !doors.iter().any(|door| is_same_place(&door.listen, listen));
        let bind_one = |listen: &Listen| match bind(listen, &self.inherited) {
            Ok(listener) => Ok((listen.clone(), Rc::new(listener))),
            Err(error) => Err(LoadError::Bind(listen.clone(), error)),
        };
        plan.addresses().filter(is_new).map(bind_one).collect()
    }

    /// The sources of `plan`; what is remembered of those that were there before lives on.
    fn sources(&self, plan: &Plan) -> Result<Vec<Rc<Source>>, LoadError> {
        let old = self.generation.borrow();
        let source = |source: &config::Source| {
            let before = old.sources.iter().zip(&old.plan.sources);
            let before = before.filter(|(_, plan)| plan.name == source.name);
            let before = before.map(|(before, plan)| (before, plan == source)).next();
            let state = match before {
                Some((before, same)) => before.hand_over(same),
                None => Rc::new(State::default()),
            };
            let made = Source::new(source, plan.limits.families, state);
            made.map(Rc::new).map_err(|error| LoadError::Source(source.name.clone(), error))
        };
        plan.sources.iter().map(source).collect()
    }

    /// The pipes of `plan`, likewise.
    #[cfg(feature = "pipe")]
    fn pipes(&self, plan: &Plan, sources: &[Rc<Source>]) -> Result<Pipes, LoadError> {
        let used = |number: usize| {
            let member = config::Member::Source(number);
            plan.pipes.iter().any(|pipe| pipe.merge.members.contains(&member))
        };
        let used = sources.iter().enumerate().filter(|(number, _)| used(*number));
        let used = used.map(|(_, source)| Rc::clone(source)).collect();
        let access = Access::new(&config::Server::nowhere(), Rc::clone(&self.logins))
            .map_err(|error| LoadError::Tls(0, error))?;
        let teller = Rc::new(Server::of_pipes(used, access, Rc::clone(&self.connections)));
        Pipes::new(plan, sources, &teller, &self.generation.borrow().pipes)
            .map_err(|(name, error)| LoadError::Pipe(name, error))
    }

    fn apply_limits(&self, plan: &Plan) {
        let limits = &plan.limits;
        self.connections.configure(limits.connections, server_limits(limits));
        self.engine.pool.set_kept_limit(limits.kept);
        if limits.memory != self.memory {
            log::warn!("limits.memory has changed; the new size is used after a restart");
        }
    }

    /// Accepts on a bound address.
    fn open(self: &Rc<Self>, listen: Listen, listener: Rc<Listener>, wanted: Wanted) -> Door {
        let executor = Rc::clone(&self.engine.executor);
        let on = Rc::clone(&listener);
        let (behind, accepting) = match wanted {
            Wanted::Server(server) => {
                let entry = Rc::new(Entry {
                    runtime: Rc::clone(self),
                    server: RefCell::new(server),
                    closing: Cell::new(false),
                });
                let (behind, table) = (Rc::clone(&entry), Rc::clone(&self.connections));
                let of = Rc::clone(&executor);
                let accepting = executor.spawn(async move { accept(&of, on, table, entry).await });
                (Behind::Server(behind), accepting)
            }
            #[cfg(feature = "push")]
            Wanted::Store(source, limits) => {
                let store = PushDoor::new(Rc::clone(&self.engine), source, limits);
                let behind = Rc::clone(&store);
                let accepting = executor.spawn(async move { store.accept(on).await });
                (Behind::Store(behind), accepting)
            }
        };
        Door { listen, listener, behind, accepting }
    }

    /// While scrapes wait for memory, those who hold it without taking their replies are cut off,
    /// the slowest first.
    async fn press_slow_readers(&self) {
        loop {
            self.engine.pool.crowded().await;
            Timer::after(Duration::from_millis(250)).await;
            if self.engine.pool.counters().waiting > 0
                && self.connections.close_slowest_reader(SLOW_READER)
            {
                log::info!("cut off the slowest reader: scrapes wait for memory");
            }
        }
    }

    /// Returns when the program is to end.
    async fn heed(self: &Rc<Self>, mut signals: Signals) {
        while let Some(signal) = signals.next().await {
            match signal {
                Ok(Signal::Hup) => drop(self.read_again().await),
                Ok(_) => return,
                Err(error) => log::warn!("a signal was lost: {error}"),
            }
        }
    }

    /// Takes no more requests, and waits for the replies under way. Commands that run end with us.
    async fn end(&self) {
        log::info!("ending (open connections: {})", self.connections.count());
        self.ending.set(true);
        self.notify.stopping();
        #[cfg(feature = "pipe")]
        self.generation.borrow().pipes.stop();
        close(self.doors.take()).await;
        self.connections.drain();
        let late = async {
            Timer::after(DRAIN).await;
        };
        smol::future::or(self.connections.emptied(), late).await;
        self.connections.close_all();
        #[cfg(feature = "local")]
        self.engine.children.end().await;
    }

    async fn read_again(self: &Rc<Self>) -> Result<(), String> {
        self.notify.reloading();
        let reloaded = self.take_over().await;
        self.notify.ready();
        reloaded
    }

    /// Reads the configuration, and puts it to use unless something is wrong with it.
    async fn take_over(self: &Rc<Self>) -> Result<(), String> {
        let read = match self.origin.read() {
            Ok(Some(plan)) => self.adopt(plan),
            Ok(None) => self.adopt(self.origin.discover(&self.engine).await),
            Err(error) => Err(error),
        };
        self.engine.metrics.reloaded(read.is_ok());
        match read {
            Ok(gone) => {
                close(gone).await;
                log::info!("configuration reloaded");
                Ok(())
            }
            Err(error) => {
                log::error!("configuration not reloaded: {}", Chain(&error));
                Err(self.without_paths(&error))
            }
        }
    }

    /// What went wrong, for one who asked over HTTP: where our files are is not told.
    fn without_paths(&self, error: &LoadError) -> String {
        let named = match error {
            LoadError::Config(error) => error.files(),
            _ => &[],
        };
        // Below the main file's folder, what is left is as the configuration has it.
        let elsewhere = named.iter().filter(|file| file.is_absolute());
        let folders = self.origin.file.iter().chain(elsewhere).filter_map(|file| file.parent());
        folders
            .filter_map(Path::to_str)
            .filter(|folder| !folder.is_empty())
            .fold(Chain(error).to_string(), |text, folder| text.replace(&format!("{folder}/"), ""))
    }
}

/// Who may log in at each server.
fn accesses(plan: &Plan, logins: &Rc<Logins>) -> Result<Vec<Access>, LoadError> {
    let access = |(number, server): (usize, &config::Server)| {
        Access::new(server, Rc::clone(logins)).map_err(|error| LoadError::Tls(number, error))
    };
    plan.servers.iter().enumerate().map(access).collect()
}

/// What `check` looks at beyond the configuration itself: the files that are read to use it.
///
/// # Errors
///
/// What is wrong with one of them.
pub fn check(plan: &Plan) -> Result<(), LoadError> {
    let logins = Rc::new(Logins::new(&Rc::default()));
    accesses(plan, &logins)?;
    for source in &plan.sources {
        let made = Source::new(source, plan.limits.families, Rc::default());
        made.map_err(|error| LoadError::Source(source.name.clone(), error))?;
    }
    #[cfg(feature = "pipe")]
    for pipe in &plan.pipes {
        crate::pipe::check(pipe).map_err(|error| LoadError::Pipe(pipe.name.clone(), error))?;
    }
    Ok(())
}

impl Behind {
    /// Connections end behind their next reply, or between two pages.
    fn close(&self) {
        match self {
            Self::Server(entry) => entry.closing.set(true),
            #[cfg(feature = "push")]
            Self::Store(store) => store.close(),
        }
    }
}

/// Stops listening. Connections end behind their next reply.
async fn close(doors: Vec<Door>) {
    for door in doors {
        door.behind.close();
        door.accepting.cancel().await;
        log::info!("no longer listening on {}", door.listener.address());
    }
}

/// Binds the first address of `listen` that this machine has, unless a socket is there already.
fn bind(listen: &Listen, inherited: &Inherited) -> io::Result<Listener> {
    if let Listen::Unix { path, .. } = listen
        && let Some(socket) = inherited.unix(path)
    {
        return Listener::from_unix(socket, path);
    }
    if let Some(socket) = listen.candidates().find_map(|address| inherited.tcp(address)) {
        return Listener::from_tcp(socket);
    }
    if let Listen::Unix { path, access } = listen {
        return Listener::bind(&Address::Unix { path: path.clone(), access: *access });
    }
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in listen.candidates() {
        result = Listener::bind(&Address::Tcp(address));
        match &result {
            Err(error) if is_missing_family(error) => {}
            _ => break,
        }
    }
    result
}

/// Whether one socket serves both: Unix sockets may differ in their permissions.
fn is_same_place(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Unix { path, .. }, Listen::Unix { path: other, .. }) => path == other,
        _ => one == other,
    }
}

/// Gives the socket file of an address that stays the permissions it is to have now.
fn set_access(listen: &Listen) {
    if let Listen::Unix { path, access } = listen
        && let Err(error) = access.apply(path)
    {
        log::error!("{listen}: mode and owner stay as they are: {error}");
    }
}

/// Whether this machine has no IPv6.
fn is_missing_family(error: &io::Error) -> bool {
    /// EAFNOSUPPORT, the same on all Linux but MIPS.
    const UNSUPPORTED: [i32; 2] = [97, 124];
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error().is_some_and(|code| UNSUPPORTED.contains(&code))
}

impl Program for Rc<Runtime> {
    fn is_ready(&self) -> bool {
        !self.ending.get()
    }

    async fn reload(&self) -> Result<(), String> {
        self.read_again().await
    }
}

impl Service for Entry {
    type Body = Body;
    type Buffer = Buffer;

    async fn answer(&self, request: &Request<'_>, body: &mut RequestBody<'_>) -> Reply<Body> {
        let server = Rc::clone(&self.server.borrow());
        let mut reply = server.answer(&self.runtime.engine, &self.runtime, request, body).await;
        reply.close |= self.closing.get();
        reply
    }

    #[cfg(feature = "tls")]
    async fn greet(&self, socket: Socket, handle: &ConnectionHandle) -> Option<Socket> {
        let server = Rc::clone(&self.server.borrow());
        // Its parts are large, and gone before the first request.
        Box::pin(server.greet(&self.runtime.engine, socket, handle)).await
    }

    async fn buffer(&self, reply: &Reply<Body>) -> Buffer {
        Buffer::new(&self.runtime.engine, &reply.body)
    }

    fn admits(&self, peer: Peer) -> bool {
        self.server.borrow().admits(peer)
    }

    fn refused(&self, peer: Peer, fault: Fault) {
        log::debug!("{peer}: refused: {fault}");
        self.server.borrow().count_refused(&self.runtime.engine, fault.status());
    }
}
