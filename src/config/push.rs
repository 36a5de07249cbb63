//! `sources.NAME.push`: where applications bring their pages, and how long these are good for.

use std::time::Duration;

use super::address::Listen;
use super::at::At;
use super::build::{Context, listens, some_time};
use super::error::Fault;
use super::file::{PushFile, RouteFile, SourceFile};
use super::outlet::member;
use super::plan::{Kind, Member, Outlet, Push, PushFormat, Route, Server, Source};
use super::shape::Text;
use super::value::{self, BadValue};
use crate::limits;

/// The keys of a source that say how it is fetched, which this one never is.
const OF_FETCHES: [&str; 4] = ["timeout", "cache", "every", "max_age"];

/// `sources.NAME.push`; `source` is all of `sources.NAME`.
pub(super) fn push(
    (at_source, at): (&At<'_>, &At<'_>),
    (file, source): (&PushFile, &SourceFile),
    context: &Context<'_>,
) -> Result<Push, Fault> {
    let SourceFile { timeout, cache, every, max_age, .. } = source;
    for (key, value) in OF_FETCHES.into_iter().zip([timeout, cache, every, max_age]) {
        if value.is_some() {
            return Err(Fault::key(
                &at_source.key(key),
                key,
                "is not for sources of the kind push",
            ));
        }
    }
    let ttl = context.value(&at.key("ttl"), file.ttl.as_ref(), ttl)?;
    let max_ttl = context.value(&at.key("max_ttl"), file.max_ttl.as_ref(), some_time)?;
    let ttl = ttl.unwrap_or(Some(limits::PUSH_TTL));
    if let Some(most) = max_ttl
        && ttl.is_none_or(|ttl| ttl > most)
    {
        return Err(Fault::rule(&at.key("max_ttl"), "is shorter than ttl"));
    }
    let apps = context.value(&at.key("apps"), file.apps.as_ref(), |text| {
        value::count(text, 1, limits::MAX_APPS)
    })?;
    let format = context.value(&at.key("format"), file.format.as_ref(), format)?;
    Ok(Push {
        listen: listens(&at.key("listen"), file.listen.as_ref(), &[], context)?,
        format: format.unwrap_or_default(),
        ttl,
        max_ttl,
        apps: apps.unwrap_or(limits::DEFAULT_APPS),
    })
}

/// A duration, or `never`.
fn ttl(text: &str) -> Result<Option<Duration>, BadValue> {
    if text == "never" { Ok(None) } else { some_time(text).map(Some) }
}

/// `auto`, `json` or `capnp`.
fn format(text: &str) -> Result<PushFormat, BadValue> {
    match text {
        "auto" => Ok(PushFormat::Auto),
        "json" => Ok(PushFormat::Json),
        "capnp" => Ok(PushFormat::Capnp),
        _ => Err(BadValue::new("is none of auto, json, capnp")),
    }
}

/// The addresses of a source.
pub(super) fn addresses(source: &Source) -> &[Listen] {
    match &source.kind {
        Kind::Push(push) => &push.listen,
        _ => &[],
    }
}

/// Refuses an address that is a server's too, or another source's.
pub(super) fn no_address_twice(servers: &[Server], sources: &[Source]) -> Result<(), Fault> {
    let mut known: Vec<&Listen> = servers.iter().flat_map(|server| &server.listen).collect();
    for source in sources {
        for address in addresses(source) {
            if let Some(other) = known.iter().find(|known| known.overlaps(address)) {
                let root = At::Root.key("sources");
                let (source, listen) = (root.key(&source.name), "listen");
                let push = source.key("push");
                let rule = format_args!("{address} is taken by {other} elsewhere in this file");
                return Err(Fault::rule(&push.key(listen), rule));
            }
        }
        known.extend(addresses(source));
    }
    Ok(())
}

/// `receive` and `relay` of a route.
pub(super) fn outlets(
    at: &At<'_>,
    file: &RouteFile,
    sources: &[Source],
    context: &Context<'_>,
) -> Result<Vec<Outlet>, Fault> {
    let one = |key: &str, text: Option<&Text>, outlet: fn(Member) -> Outlet| {
        let Some(text) = text else { return Ok(None) };
        let at = at.key(key);
        let name = context.text(&at, text)?;
        let member = member(&at, &name, sources)?;
        let source = match member {
            Member::Source(number) => sources.get(number),
            Member::Own => None,
        };
        if !source.is_some_and(|source| matches!(source.kind, Kind::Push(_))) {
            return Err(Fault::value(&at, &name, "is no source of the kind push"));
        }
        Ok(Some(outlet(member)))
    };
    let receive = one("receive", file.receive.as_ref(), Outlet::Receive)?;
    let relay = one("relay", file.relay.as_ref(), Outlet::Relay)?;
    Ok(receive.into_iter().chain(relay).collect())
}

/// Whether nothing but pages that are brought passes a server: then it tells nothing of itself.
pub(super) fn only_receives(routes: &[Route]) -> bool {
    let mut outlets = routes.iter().flat_map(|route| &route.outlets);
    !routes.is_empty() && outlets.all(|outlet| matches!(outlet, Outlet::Receive(_)))
}
