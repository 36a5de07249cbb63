//! `sources.NAME.push`: where applications bring their pages, and how long these are good for.

use std::time::Duration;

use super::address::Listen;
use super::at::At;
use super::build::{Context, at_least_one, each, listens, some_time};
use super::error::Fault;
use super::file::{PushFile, RouteFile, SourceFile};
use super::outlet::{member, members};
use super::plan::{Kind, Member, Outlet, Push, PushFormat, Route, Server, Source};
use super::shape::{OneOrMany, Text};
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
        remembered: Duration::ZERO,
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

/// `receive`, `relay`, `apps` and `sd` of a route.
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
        of_the_kind(&at, &name, sources).map(outlet).map(Some)
    };
    let receive = one("receive", file.receive.as_ref(), Outlet::Receive)?;
    let relay = one("relay", file.relay.as_ref(), Outlet::Relay)?;
    let apps = file.apps.as_ref().map(|names| apps(&at.key("apps"), names, (sources, context)));
    let sd = super::sd::outlet(at, file, context)?;
    Ok(receive.into_iter().chain(relay).chain(apps.transpose()?).chain(sd).collect())
}

/// `apps`: sources of the kind push; `all` is all of these.
fn apps(
    at: &At<'_>,
    names: &OneOrMany<Text>,
    (sources, context): (&[Source], &Context<'_>),
) -> Result<Outlet, Fault> {
    for (at, text) in each(at, Some(names)) {
        let name = context.text(&at, text)?;
        if name != "all" {
            of_the_kind(&at, &name, sources)?;
        }
    }
    let mut members = members(at, names, sources, context)?;
    members.retain(|member| is_push(*member, sources));
    at_least_one(at, members.len(), "a source of the kind push")?;
    Ok(Outlet::Apps(members))
}

/// The source of this name, which must be one of the kind push.
fn of_the_kind(at: &At<'_>, name: &str, sources: &[Source]) -> Result<Member, Fault> {
    let member = member(at, name, sources)?;
    let other = || Fault::value(at, name, "is no source of the kind push");
    is_push(member, sources).then_some(member).ok_or_else(other)
}

fn is_push(member: Member, sources: &[Source]) -> bool {
    let Member::Source(number) = member else { return false };
    sources.get(number).is_some_and(|source| matches!(source.kind, Kind::Push(_)))
}

/// Refuses `apps` and `sd` beside what answers the same requests.
pub(super) fn stand_alone(at: &At<'_>, others: &[Outlet], pushed: &[Outlet]) -> Result<(), Fault> {
    let mut names = pushed.iter().filter_map(|outlet| match outlet {
        Outlet::Apps(_) => Some("apps"),
        Outlet::Sd(_) => Some("sd"),
        _ => None,
    });
    match (names.next(), names.next()) {
        (Some(name), other) if other.is_some() || !others.is_empty() => {
            let rule = format_args!("{name} answers the same requests as another: choose one");
            Err(Fault::rule(at, rule))
        }
        _ => Ok(()),
    }
}

/// Whether nothing but pages that are brought passes a server: then it tells nothing of itself.
pub(super) fn only_receives(routes: &[Route]) -> bool {
    let mut outlets = routes.iter().flat_map(|route| &route.outlets);
    !routes.is_empty() && outlets.all(|outlet| matches!(outlet, Outlet::Receive(_)))
}
