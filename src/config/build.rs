//! From what the file says to what the program needs. Every fault names its node; see
//! [`Fault`] for how it becomes a place.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::access;
use super::account;
use super::address::{Listen, SocketKeys};
use super::at::At;
use super::error::Fault;
use super::file::{File, LimitsFile, ListenFile, ServerFile};
use super::folder::Folders;
use super::network::Network;
use super::outlet::outlets;
use super::plan::{Limits, Member, Merge, Outlet, Plan, Route, Server, Source};
use super::route::RoutePath;
use super::shape::{Named, OneOrMany, Text};
use super::source;
#[cfg(feature = "tls")]
use super::tls;
use super::value::{self, BadValue};
#[cfg(feature = "tls")]
use super::web;
use crate::limits;

/// What values are read against.
pub(super) struct Context<'a> {
    /// Where relative paths start.
    folder: PathBuf,
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Files with secrets that everybody can read, of all files of a configuration.
    exposed: Rc<RefCell<Vec<Box<str>>>>,
}

impl<'a> Context<'a> {
    /// For the file at `path`. Its folder is made absolute where the working directory is known.
    pub(super) fn new(path: &Path, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { folder, env, exposed: Rc::default() }
    }

    /// Where relative paths start.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// For another file, with the same environment.
    pub(super) fn of_file(&self, path: &Path) -> Self {
        Self { exposed: Rc::clone(&self.exposed), ..Self::new(path, self.env) }
    }

    /// Takes down that everybody may read this file with a secret.
    pub(super) fn is_exposed(&self, file: &Path) {
        let file = file.display().to_string().into();
        let mut exposed = self.exposed.borrow_mut();
        if !exposed.contains(&file) {
            exposed.push(file);
        }
    }

    /// The value itself, or what `${NAME}` stands for.
    pub(super) fn text(&self, at: &At<'_>, text: &Text) -> Result<String, Fault> {
        let Text(text) = text;
        let Some((before, rest)) = text.split_once("${") else {
            return Ok(text.clone());
        };
        let name = rest.strip_suffix('}').filter(|name| before.is_empty() && is_env_name(name));
        let Some(name) = name else {
            return Err(Fault::rule(at, "${NAME} stands for a whole value, never for a part"));
        };
        let unset = || Fault::value(at, text, "is not set in the environment, or is not UTF-8");
        (self.env)(name).ok_or_else(unset)
    }

    /// A value that `read` judges; `None` where the file has none.
    pub(super) fn value<T>(
        &self,
        at: &At<'_>,
        text: Option<&Text>,
        read: impl FnOnce(&str) -> Result<T, BadValue>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = text else {
            return Ok(None);
        };
        let text = self.text(at, text)?;
        read(&text).map(Some).map_err(|rule| Fault::value(at, &text, rule))
    }
}

/// What the shell takes for a variable's name.
fn is_env_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The whole plan; `folders` are those of `sources_dir`.
pub(super) fn plan(file: &File, folders: &Folders, context: &Context<'_>) -> Result<Plan, Fault> {
    let limits = limits_of(file.limits.as_ref(), context)?;
    let none = Named::default();
    let named = file.sources.as_ref().unwrap_or(&none);
    let mut sources = source::sources(named, &limits, context)?;
    sources.extend(folders.sources(&limits, context)?);
    #[cfg(feature = "pipe")]
    let pipes = super::pipe::pipes(file, (&sources, &limits), context)?;
    let servers = servers(file, &sources, context)?;
    #[cfg(feature = "push")]
    super::push::no_address_twice(&servers, &sources)?;
    #[cfg(feature = "push")]
    super::sd::spread(&servers, &mut sources);
    let mut own_labels = Vec::new();
    for (path, merge) in merges(&servers) {
        let giver = format_args!("route {path}");
        spread_labels(merge, &giver, &mut sources, &mut own_labels)?;
    }
    #[cfg(feature = "pipe")]
    for pipe in &pipes {
        let giver = format_args!("the pipe {:?}", pipe.name);
        spread_labels(&pipe.merge, &giver, &mut sources, &mut own_labels)?;
    }
    Ok(Plan {
        servers,
        sources,
        #[cfg(feature = "pipe")]
        pipes,
        own_labels,
        limits,
        passed_over: folders.passed_over.clone(),
        exposed: context.exposed.take(),
    })
}

/// `limits`, each judged, then held against each other.
fn limits_of(file: Option<&LimitsFile>, context: &Context<'_>) -> Result<Limits, Fault> {
    let none = LimitsFile::default();
    let file = file.unwrap_or(&none);
    let at = At::Root.key("limits");
    let default = Limits::default();
    let size = |key: &str, text: Option<&Text>, least: usize, most: usize| {
        context.value(&at.key(key), text, |text| within(value::size(text)?, least, most))
    };
    let count = |key: &str, text: Option<&Text>, most: usize| {
        context.value(&at.key(key), text, |text| value::count(text, 1, most))
    };
    let time = |key: &str, text: Option<&Text>, default: Duration| {
        Ok(context.value(&at.key(key), text, some_time)?.unwrap_or(default))
    };
    let memory = size("memory", file.memory.as_ref(), limits::MIN_MEMORY, limits::MAX_MEMORY)?;
    let memory = memory.unwrap_or(default.memory);
    let half = memory / 2;
    let body = context.value(&at.key("body"), file.body.as_ref(), |text| {
        let body = within(value::size(text)?, limits::BLOCK, limits::MAX_MEMORY)?;
        let rule =
            || BadValue::new(format!("is more than half of limits.memory ({})", Size(memory)));
        (body <= half).then_some(body).ok_or_else(rule)
    })?;
    let kept = size("kept", file.kept.as_ref(), 0, memory)?;
    let connections = count("connections", file.connections.as_ref(), limits::MAX_CONNECTIONS)?;
    let families = count("families", file.families.as_ref(), limits::MAX_FAMILIES)?;
    Ok(Limits {
        memory,
        connections: connections.unwrap_or(default.connections),
        body: body.unwrap_or(default.body.min(half)),
        families: families.unwrap_or(default.families),
        kept: kept.unwrap_or(half),
        header_timeout: time(
            "header_timeout",
            file.header_timeout.as_ref(),
            default.header_timeout,
        )?,
        idle_timeout: time("idle_timeout", file.idle_timeout.as_ref(), default.idle_timeout)?,
        body_timeout: time("body_timeout", file.body_timeout.as_ref(), default.body_timeout)?,
        write_timeout: time("write_timeout", file.write_timeout.as_ref(), default.write_timeout)?,
        scrape_timeout: context
            .value(&at.key("scrape_timeout"), file.scrape_timeout.as_ref(), scrape_time)?
            .unwrap_or(default.scrape_timeout),
    })
}

/// `number`, if it lies between the two.
fn within(number: usize, least: usize, most: usize) -> Result<usize, BadValue> {
    let rule = || BadValue::new(format!("is not between {} and {}", Size(least), Size(most)));
    (least..=most).contains(&number).then_some(number).ok_or_else(rule)
}

/// Prints bytes in the largest unit that divides them.
struct Size(usize);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let Self(bytes) = *self;
        let fits =
            units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
        match fits {
            Some((shift, name)) => write!(f, "{}{name}", bytes >> shift),
            None => write!(f, "{bytes}"),
        }
    }
}

/// A duration above zero.
pub(super) fn some_time(text: &str) -> Result<Duration, BadValue> {
    let time = value::duration(text)?;
    if time.is_zero() { Err(BadValue::new("leaves no time")) } else { Ok(time) }
}

/// A duration that a scrape may take.
pub(super) fn scrape_time(text: &str) -> Result<Duration, BadValue> {
    let most = limits::MAX_SCRAPE_TIMEOUT;
    let rule = || BadValue::new(format!("is longer than a scrape may take ({}s)", most.as_secs()));
    Some(some_time(text)?).filter(|time| *time <= most).ok_or_else(rule)
}

/// `servers`: at least one, and no address twice.
fn servers(file: &File, sources: &[Source], context: &Context<'_>) -> Result<Vec<Server>, Fault> {
    let at = At::Root.key("servers");
    let listed = file.servers.as_ref().map(|servers| servers.0.as_slice()).unwrap_or_default();
    #[cfg(feature = "pipe")]
    let piped = file.pipes.as_ref().is_some_and(|pipes| !pipes.0.is_empty());
    #[cfg(not(feature = "pipe"))]
    let piped = false;
    if !piped {
        at_least_one(&at, listed.len(), "a server")?;
    }
    at_most(&at, listed.len(), limits::SERVERS, "servers")?;
    let mut servers: Vec<Server> = Vec::new();
    for (index, file) in listed.iter().enumerate() {
        let listen = addresses(&at.index(index), file, &servers, context)?;
        let allow = networks(&at.index(index), file, context)?;
        let auth = access::auth(&at.index(index), file, context)?;
        let routes = routes(&at.index(index), file, sources, context)?;
        #[cfg(feature = "push")]
        let tells = !super::push::only_receives(&routes);
        #[cfg(not(feature = "push"))]
        let tells = true;
        let server = at.index(index);
        #[cfg(feature = "tls")]
        let tls = file.tls.as_ref();
        #[cfg(feature = "tls")]
        let tls = tls.map(|file| tls::server(&server.key("tls"), file, context)).transpose()?;
        #[cfg(feature = "tls")]
        let web = web::web(&server.key("web_config"), file.web_config.as_ref(), context)?;
        #[cfg(feature = "tls")]
        if file.web_config.is_some() && (auth.is_some() || tls.is_some()) {
            let rule = "web_config excludes auth and tls: it is both";
            return Err(Fault::rule(&server, rule));
        }
        #[cfg(feature = "tls")]
        let (auth, tls) = (auth.or(web.auth), tls.or(web.tls));
        let status = context.value(&server.key("status"), file.status.as_ref(), value::switch)?;
        #[cfg(feature = "push")]
        let advertise = (&server.key("advertise"), file.advertise.as_ref());
        servers.push(Server {
            listen,
            allow,
            auth,
            #[cfg(feature = "tls")]
            tls,
            #[cfg(feature = "tls")]
            headers: web.headers,
            routes,
            status: status.unwrap_or(tells),
            #[cfg(feature = "push")]
            advertise: context.value(advertise.0, advertise.1, super::sd::advertised)?,
        });
    }
    Ok(servers)
}

/// Refuses an empty list.
pub(super) fn at_least_one(at: &At<'_>, seen: usize, what: &str) -> Result<(), Fault> {
    if seen == 0 { Err(Fault::rule(at, format_args!("{what} is missing"))) } else { Ok(()) }
}

/// Refuses a list that is too long.
pub(super) fn at_most(at: &At<'_>, seen: usize, most: usize, what: &str) -> Result<(), Fault> {
    if seen > most {
        return Err(Fault::rule(at, format_args!("{seen} {what}, of {most} at most")));
    }
    Ok(())
}

/// `servers[].listen`.
fn addresses(
    at: &At<'_>,
    file: &ServerFile,
    others: &[Server],
    context: &Context<'_>,
) -> Result<Vec<Listen>, Fault> {
    let others: Vec<&Listen> = others.iter().flat_map(|server| &server.listen).collect();
    let listen = at.key("listen");
    at_least_one(&listen, each(&listen, file.listen.as_ref()).len(), "an address")?;
    listens(&listen, file.listen.as_ref(), &others, context)
}

/// Addresses to listen on, of which none excludes another or one of `others`.
pub(super) fn listens(
    at: &At<'_>,
    file: Option<&OneOrMany<ListenFile>>,
    others: &[&Listen],
    context: &Context<'_>,
) -> Result<Vec<Listen>, Fault> {
    let listed = each(at, file);
    at_most(at, listed.len(), limits::LISTENERS, "addresses")?;
    let mut addresses: Vec<Listen> = Vec::new();
    for (at, file) in listed {
        let (at, text, keys) = match file {
            ListenFile::Short(text) => (at, Some(text), SocketKeys::default()),
            ListenFile::Long(keys) => {
                let mode = context.value(&at.key("mode"), keys.mode.as_ref(), value::mode)?;
                let owner = context.value(&at.key("owner"), keys.owner.as_ref(), account::user)?;
                let group = context.value(&at.key("group"), keys.group.as_ref(), account::group)?;
                let access = SocketKeys { mode, owner, group };
                (at.key("address"), keys.address.as_ref(), access)
            }
        };
        let read = |text: &str| {
            let address = Listen::in_file(text, context.folder(), keys)?;
            let mut known = others.iter().copied().chain(&addresses);
            match known.find(|known| known.overlaps(&address)) {
                Some(known) => Err(BadValue::new(format!("is taken by {known} above"))),
                None => Ok(address),
            }
        };
        let missing = || Fault::rule(&at, "an address is missing");
        let address = context.value(&at, text, read)?.ok_or_else(missing)?;
        addresses.push(address);
    }
    Ok(addresses)
}

/// `servers[].allow`.
fn networks(
    at: &At<'_>,
    file: &ServerFile,
    context: &Context<'_>,
) -> Result<Option<Vec<Network>>, Fault> {
    let at = at.key("allow");
    if file.allow.is_none() {
        return Ok(None);
    }
    let listed = each(&at, file.allow.as_ref());
    at_least_one(&at, listed.len(), "a network")?;
    at_most(&at, listed.len(), limits::NETWORKS, "networks")?;
    let read = |(at, text): (At<'_>, &Text)| {
        let text = context.text(&at, text)?;
        Network::new(&text).map_err(|rule| Fault::value(&at, &text, rule))
    };
    listed.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// A value that may be a list, as a list with the place of each.
pub(super) fn each<'a, T>(
    at: &'a At<'a>,
    values: Option<&'a OneOrMany<T>>,
) -> Vec<(At<'a>, &'a T)> {
    match values {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![(*at, one)],
        Some(OneOrMany::Many(many)) => {
            many.iter().enumerate().map(|(index, one)| (at.index(index), one)).collect()
        }
    }
}

/// `servers[].routes`.
fn routes(
    at: &At<'_>,
    file: &ServerFile,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Vec<Route>, Fault> {
    let at = at.key("routes");
    let none = Named::default();
    let listed = &file.routes.as_ref().unwrap_or(&none).0;
    at_most(&at, listed.len(), limits::ROUTES, "routes")?;
    let mut routes: Vec<Route> = Vec::new();
    for (path, file) in listed {
        let at = at.key(path);
        let text = path;
        let path = RoutePath::new(path).map_err(|rule| Fault::key(&at, text, rule))?;
        if let Some(same) = routes.iter().find(|route| route.path.same_as(&path)) {
            return Err(Fault::key(&at, text, format_args!("means the same as {}", same.path)));
        }
        routes.push(Route { path, outlets: outlets(&at, file, sources, context)? });
    }
    routes.sort_by(|a, b| a.path.as_str().cmp(b.path.as_str()));
    #[cfg(feature = "push")]
    super::sd::judge(&at, &routes)?;
    Ok(routes)
}

/// Every merge that a route answers with.
fn merges(servers: &[Server]) -> impl Iterator<Item = (&RoutePath, &Merge)> {
    let routes = servers.iter().flat_map(|server| &server.routes);
    let outlets =
        routes.flat_map(|route| route.outlets.iter().map(move |outlet| (&route.path, outlet)));
    outlets.filter_map(|(path, outlet)| match outlet {
        Outlet::Merge(merge) => Some((path, merge)),
        _ => None,
    })
}

/// Tells each source which labels this merge of `giver`'s puts on its samples, and refuses a label
/// that is put on twice. `own` are those of fanin's own metrics.
fn spread_labels(
    merge: &Merge,
    giver: &dyn std::fmt::Display,
    sources: &mut [Source],
    own: &mut Vec<Box<str>>,
) -> Result<(), Fault> {
    for label in merge.label.iter().chain(merge.labels.iter().map(|(name, _)| name)) {
        for member in &merge.members {
            match member {
                Member::Own => add(own, label),
                Member::Source(index) => {
                    let Some(source) = sources.get_mut(*index) else { continue };
                    if source.labels.iter().any(|(name, _)| name == label) {
                        return Err(put_on_twice(source, label, giver));
                    }
                    add(&mut source.label_names, label);
                }
            }
        }
    }
    Ok(())
}

/// Adds `label` unless it is there.
fn add(labels: &mut Vec<Box<str>>, label: &str) {
    if labels.iter().all(|known| **known != *label) {
        labels.push(label.into());
    }
}

fn put_on_twice(source: &Source, label: &str, giver: &dyn std::fmt::Display) -> Fault {
    let root = At::Root.key("sources");
    let source = root.key(&source.name);
    let labels = source.key("labels");
    let rule = format_args!("is also the label that {giver} gives its sources");
    Fault::key(&labels.key(label), label, rule)
}
