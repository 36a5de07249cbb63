//! `sd` of a route, and `advertise` of a server: what Prometheus is told to scrape, and where.

use std::time::Duration;

use super::at::At;
use super::build::{Context, each};
use super::error::Fault;
use super::file::{RouteFile, SdFile};
use super::near::{DidYouMean, nearest};
use super::plan::{Kind, Member, Outlet, Route, Server, Source};
use super::route::RoutePath;
use super::shape::{OneOrMany, Text};
use super::value::{self, BadValue};
use crate::http::target::is_authority;
use crate::http::url::{Target, UrlRule};
use crate::limits;

/// What a list for Prometheus has on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sd {
    /// The routes that are listed; `None` for all that have targets, merges aside.
    pub only: Option<Vec<RoutePath>>,
    /// For how long a group is listed that no longer brings pages.
    pub keep: Duration,
}

impl Sd {
    /// All that a server has, as where nothing else is said.
    #[must_use]
    pub const fn all() -> Self {
        Self { only: None, keep: limits::SD_KEEP }
    }

    /// Whether what this outlet answers at `path` is on the list.
    #[must_use]
    pub fn lists(&self, path: &RoutePath, outlet: &Outlet) -> bool {
        match (&self.only, outlet) {
            (_, Outlet::Receive(_) | Outlet::Apps(_) | Outlet::Sd(_))
            | (None, Outlet::Merge(_)) => false,
            (None, _) => true,
            (Some(only), _) => only.iter().any(|listed| listed.same_as(path)),
        }
    }
}

/// Where a server is reached, seen from Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// Whether TLS is spoken there; `None` if it is where the server does.
    pub tls: Option<bool>,
    /// `HOST:PORT`.
    pub address: Box<str>,
}

/// `sd` of a route; what it names is looked up when all routes are known.
pub(super) fn outlet(
    at: &At<'_>,
    file: &RouteFile,
    context: &Context<'_>,
) -> Result<Option<Outlet>, Fault> {
    let Some(file) = &file.sd else { return Ok(None) };
    let at = at.key("sd");
    let (only, keep) = match file {
        SdFile::Short(OneOrMany::One(text)) if context.text(&at, text)? == "all" => (None, None),
        SdFile::Short(paths) => (Some(self::paths(&at, paths, context)?), None),
        SdFile::Long(keys) => {
            let only = keys.only.as_ref();
            let only =
                only.map(|paths| self::paths(&at.key("only"), paths, context)).transpose()?;
            (only, context.value(&at.key("sd_keep"), keys.sd_keep.as_ref(), value::duration)?)
        }
    };
    Ok(Some(Outlet::Sd(Sd { only, keep: keep.unwrap_or(limits::SD_KEEP) })))
}

/// Paths of routes.
fn paths(
    at: &At<'_>,
    paths: &OneOrMany<Text>,
    context: &Context<'_>,
) -> Result<Vec<RoutePath>, Fault> {
    let path = |(at, text): (At<'_>, &Text)| {
        let text = context.text(&at, text)?;
        RoutePath::new(&text).map_err(|rule| Fault::value(&at, &text, rule))
    };
    each(at, Some(paths)).into_iter().map(path).collect()
}

/// Holds every `sd` of a server against the server's routes.
pub(super) fn judge(at: &At<'_>, routes: &[Route]) -> Result<(), Fault> {
    for route in routes {
        for outlet in &route.outlets {
            let Outlet::Sd(sd) = outlet else { continue };
            let at = at.key(route.path.as_str());
            judge_one(&at.key("sd"), sd, routes)?;
        }
    }
    Ok(())
}

fn judge_one(at: &At<'_>, sd: &Sd, routes: &[Route]) -> Result<(), Fault> {
    let has = |path: &RoutePath, sd: &Sd| {
        let mut here = routes.iter().filter(|route| route.path.same_as(path));
        here.any(|route| route.outlets.iter().any(|outlet| sd.lists(&route.path, outlet)))
    };
    for path in sd.only.iter().flatten() {
        let text = path.as_str();
        let Some(route) = routes.iter().find(|route| route.path.same_as(path)) else {
            let hint = DidYouMean(nearest(text, routes.iter().map(|route| route.path.as_str())));
            let rule = format_args!("is no route of this server{hint}");
            return Err(Fault::value(at, text, rule));
        };
        let named = Sd { only: Some(vec![route.path.clone()]), keep: sd.keep };
        if !has(path, &named) {
            return Err(Fault::value(at, text, "is a route without anything to scrape"));
        }
    }
    let mut listed = routes.iter().filter(|route| has(&route.path, sd)).peekable();
    if listed.peek().is_none() {
        let rule = "no route of this server has relay, proxy or probe; a merge must be named";
        return Err(Fault::rule(at, rule));
    }
    match listed.find(|route| route.path.plain().is_none()) {
        None => Ok(()),
        Some(route) => {
            let rule = "holds what Prometheus cannot be told: a slash as %2F, or no UTF-8";
            Err(Fault::value(at, route.path.as_str(), rule))
        }
    }
}

/// Tells each source how long groups are to be remembered that no longer bring pages.
pub(super) fn spread(servers: &[Server], sources: &mut [Source]) {
    for server in servers {
        let of = |route: &Route| {
            route.outlets.iter().find_map(|outlet| match outlet {
                Outlet::Sd(sd) => Some(sd.clone()),
                _ => None,
            })
        };
        for sd in server.routes.iter().filter_map(of) {
            for route in &server.routes {
                for outlet in &route.outlets {
                    let Outlet::Relay(Member::Source(number)) = outlet else { continue };
                    if sd.lists(&route.path, outlet)
                        && let Some(source) = sources.get_mut(*number)
                        && let Kind::Push(push) = &mut source.kind
                    {
                        push.remembered = push.remembered.max(sd.keep);
                    }
                }
            }
        }
    }
}

/// `advertise`: `HOST`, `HOST:PORT`, or either behind `http://` or `https://`.
pub(super) fn advertised(text: &str) -> Result<Advertised, BadValue> {
    let rule = || BadValue::new("is no HOST:PORT, and no http:// or https:// with that");
    let (tls, rest) = match text.split_once("://") {
        Some(("http", rest)) => (Some(false), rest),
        Some(("https", rest)) => (Some(true), rest),
        Some(_) => return Err(rule()),
        None => (None, text),
    };
    let rest = rest.strip_suffix('/').filter(|_| tls.is_some()).unwrap_or(rest);
    if rest.is_empty() || !is_authority(rest) {
        return Err(rule());
    }
    match Target::parse(&format!("http://{rest}/")).map_err(|error| error.rule()) {
        Ok(_) => Ok(Advertised { tls, address: rest.into() }),
        Err(UrlRule::Port) => Err(BadValue::new("has a port that is none")),
        Err(_) => Err(rule()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let cases = [
            ("hub.example.net:9090", Some((None, "hub.example.net:9090"))),
            ("hub", Some((None, "hub"))),
            ("[::1]:90", Some((None, "[::1]:90"))),
            ("https://hub", Some((Some(true), "hub"))),
            ("http://hub:1/", Some((Some(false), "hub:1"))),
            ("https://hub/prefix", None),
            ("hub/", None),
            ("unix:///x", None),
            ("user@hub", None),
            ("hub:99999", None),
            ("hub:x", None),
            ("https://", None),
            ("", None),
        ];
        for (text, want) in cases {
            let got = advertised(text).ok();
            let got = got.map(|it| (it.tls, it.address.into_string()));
            assert_eq!(got, want.map(|(tls, at)| (tls, at.to_owned())), "{text}");
        }
    }
}
