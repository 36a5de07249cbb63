//! The `sd` outlet: what a server has, as a list that Prometheus reads (`http_sd_configs`).
//!
//! Routes are looked through once, when the configuration is read; what was pushed, at each request.
//! A source is listed once, whatever routes reach it: where it leaves group by group, else as a
//! printer, else by its proxy. No two targets have equal labels: Prometheus would take two pages for
//! one. The list is written into blocks of the pool, whole or not at all, for Prometheus goes on with
//! the list that it has where it gets none.

mod target;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::rc::Rc;
use std::time::Duration;

use smol::future::yield_now;

use self::target::{Target, Written};
#[cfg(feature = "klipper")]
use super::probe::TARGET;
use super::proxy::MODULE;
use super::{Body, Refusal, packed};
use crate::config::{self, Advertised, Member};
use crate::http::drive::Request;
use crate::http::outgoing::Reply;
use crate::limits::{DEFAULT_BODY, SD_ADDRESS};
use crate::memory::{PageError, Text, TextWriter};
use crate::source::{Engine, Source};

/// The job of printers, as in the configurations that prometheus-klipper-exporter gives.
#[cfg(feature = "klipper")]
const PRINTERS: &str = "klipper";

/// A list as configured.
pub(super) struct SdOutlet {
    /// What is there whatever is pushed.
    fixed: Vec<Fixed>,
    /// The paths at which groups leave one by one, and whose.
    relays: Vec<(Rc<str>, Rc<Source>)>,
    keep: Duration,
    advertised: Option<Advertised>,
    is_tls: bool,
}

/// A target that the configuration has.
struct Fixed {
    outlet: &'static str,
    path: Rc<str>,
    /// `None` for a merge, and for fanin's own metrics.
    source: Option<Rc<Source>>,
    /// The parameter that names the source.
    param: Option<&'static str>,
}

impl SdOutlet {
    /// The outlet that `sd` describes, for this server.
    pub(super) fn new(
        sd: &config::Sd,
        (server, is_tls): (&config::Server, bool),
        sources: &[Rc<Source>],
    ) -> Self {
        let mut outlet = Self {
            fixed: Vec::new(),
            relays: Vec::new(),
            keep: sd.keep,
            advertised: server.advertise.clone(),
            is_tls,
        };
        let listed = || {
            let outlets = server.routes.iter().flat_map(|route| {
                let outlets = route.outlets.iter().filter(|outlet| sd.lists(&route.path, outlet));
                outlets.map(move |outlet| (&route.path, outlet))
            });
            outlets.filter_map(|(path, outlet)| Some((Rc::from(path.plain()?), outlet)))
        };
        let mut seen = Vec::new();
        for (path, relay) in listed() {
            if let config::Outlet::Relay(member) = relay
                && is_new(&mut seen, *member)
                && let Member::Source(number) = *member
                && let Some(source) = sources.get(number)
            {
                outlet.relays.push((path, Rc::clone(source)));
            }
        }
        #[cfg(feature = "klipper")]
        for (path, probe) in listed() {
            if let config::Outlet::Probe(probe) = probe {
                outlet.add(("probe", &path, TARGET), &probe.members, (sources, &mut seen));
            }
        }
        for (path, proxy) in listed() {
            if let config::Outlet::Proxy(proxy) = proxy {
                outlet.add(("proxy", &path, MODULE), &proxy.members, (sources, &mut seen));
            }
        }
        for (path, merge) in listed() {
            if let config::Outlet::Merge(_) = merge {
                outlet.fixed.push(Fixed { outlet: "merge", path, source: None, param: None });
            }
        }
        outlet
    }

    /// Adds those of `members` that are not there yet.
    fn add(
        &mut self,
        (outlet, path, param): (&'static str, &Rc<str>, &'static str),
        members: &[Member],
        (sources, seen): (&[Rc<Source>], &mut Vec<Member>),
    ) {
        for member in members {
            if is_new(seen, *member) {
                let source = match *member {
                    Member::Own => None,
                    Member::Source(number) => sources.get(number).cloned(),
                };
                let (path, param) = (Rc::clone(path), Some(param));
                self.fixed.push(Fixed { outlet, path, source, param });
            }
        }
    }

    /// The list, for one who has come to where the request says.
    ///
    /// # Errors
    ///
    /// [`Refusal`] where it is not clear what address that is, or no room is left.
    pub(super) async fn answer(
        &self,
        engine: &Engine,
        request: &Request<'_>,
    ) -> Result<Reply<Body>, Refusal> {
        let address = self.address(request.head.host())?;
        let text = self.write(engine, &address).await;
        let text = text.map_err(|_| Refusal::memory(engine))?;
        let reply = Reply::new(200, "application/json", Body::page(text));
        Ok(packed(reply, engine, request.head.fields()))
    }

    /// Whether TLS is spoken at the address that Prometheus is told.
    fn speaks_tls(&self) -> bool {
        self.advertised.as_ref().and_then(|it| it.tls).unwrap_or(self.is_tls)
    }

    /// `HOST:PORT`, as the configuration says or else the request, which was held against the
    /// grammar. What no host's name has does not come through.
    fn address(&self, host: &str) -> Result<String, Refusal> {
        let address = self.advertised.as_ref().map_or(host, |it| &*it.address);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if address.is_empty() || address.len() > SD_ADDRESS || !address.bytes().all(is_plain) {
            let text = "the request names no host that Prometheus could be told; \
                        servers[].advertise names one";
            return Err(Refusal::new(400, text.into()));
        }
        let name = address.rsplit(']').next().unwrap_or_default();
        Ok(match name.split_once(':') {
            Some((_, port)) if !port.is_empty() => address.to_owned(),
            _ => {
                let port = if self.speaks_tls() { 443 } else { 80 };
                format!("{}:{port}", address.strip_suffix(':').unwrap_or(address))
            }
        })
    }

    async fn write(&self, engine: &Engine, address: &str) -> Result<Text, PageError> {
        let mut list = List {
            out: Written::new(TextWriter::new(engine.reserve.clone(), DEFAULT_BODY)),
            address,
            scheme: if self.speaks_tls() { "https" } else { "http" },
            hasher: RandomState::new(),
            known: Vec::new(),
        };
        let written = self.write_all(&mut list).await;
        list.out.finish(written)
    }

    async fn write_all(&self, list: &mut List<'_>) -> std::fmt::Result {
        for fixed in &self.fixed {
            let name = fixed.source.as_deref().map_or("self", Source::name);
            let whole = format!("{}{}", list.address, fixed.path);
            let own = match fixed.outlet {
                // Its job is that of the scrape configuration.
                "merge" => [("instance", &*whole), ("instance", &*whole)],
                #[cfg(feature = "klipper")]
                "probe" => [("instance", name), ("job", PRINTERS)],
                _ => [("instance", list.address), ("job", name)],
            };
            list.add(&Target {
                outlet: fixed.outlet,
                route: &fixed.path,
                below: "",
                param: fixed.param.map(|param| (param, name)),
                source: fixed.source.as_deref(),
                group: None,
                own: &own,
            })?;
            yield_now().await;
        }
        for (path, source) in &self.relays {
            let groups = source.store().map(|store| store.known(self.keep)).unwrap_or_default();
            for group in groups {
                let Some(below) = group.path() else { continue };
                list.add(&Target {
                    outlet: "relay",
                    route: path,
                    below: &below,
                    param: None,
                    source: Some(source),
                    group: Some(&group),
                    own: &[("instance", list.address)],
                })?;
                yield_now().await;
            }
        }
        Ok(())
    }
}

/// Whether this one was not among those seen; from now on it is.
fn is_new(seen: &mut Vec<Member>, member: Member) -> bool {
    let new = !seen.contains(&member);
    if new {
        seen.push(member);
    }
    new
}

/// A list under way.
struct List<'a> {
    out: Written,
    address: &'a str,
    scheme: &'static str,
    hasher: RandomState,
    /// Hashes of the labels that targets have, sorted. Whoever pushes cannot know the hasher's keys.
    known: Vec<u64>,
}

impl List<'_> {
    /// Adds a target, unless one that is there has the same labels.
    fn add(&mut self, target: &Target<'_>) -> std::fmt::Result {
        let labels = target.labels();
        match self.known.binary_search(&self.hasher.hash_one(&labels)) {
            Ok(_) => Ok(()),
            Err(at) => {
                self.known.insert(at, self.hasher.hash_one(&labels));
                self.out.target(target, &labels, (self.scheme, self.address))
            }
        }
    }
}
