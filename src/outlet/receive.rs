//! The outlets `receive` and `relay`: pages are brought to a push source over HTTP, and leave it one by
//! one as they came.
//!
//! Both answer below the path of their route: at `JOB/INSTANCE`, as in prompipe, and at `job/JOB` with
//! further labels, as in the Pushgateway, whose status codes these are.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::reply::TEXT;
use super::{Body, Outlet, Refusal, Route};
use crate::exposition::{Format, media_type};
use crate::http::drive::Request;
use crate::http::incoming::RequestBody;
use crate::http::outgoing::Reply;
use crate::limits::MAX_DURATION;
use crate::source::push::{Arrival, Group, PushError, receive};
use crate::source::{Engine, Source};

/// What a request below a route's path can ask for.
pub(super) struct Below<'a> {
    receive: Option<&'a Rc<Source>>,
    relay: Option<&'a Rc<Source>>,
    /// The path below that of the route.
    rest: &'a str,
}

impl<'a> Below<'a> {
    /// Of the longest path of `routes` that this one is below, with that.
    pub(super) fn of(routes: &'a [Route], path: &'a str) -> Option<(Rc<str>, Self)> {
        let below = |route: &'a Route| {
            let rest = route.path.below(path).filter(|_| route.outlet.is_below())?;
            Some((route, rest))
        };
        let longest = routes.iter().filter_map(below);
        let (longest, rest) = longest.max_by_key(|(route, _)| route.path.depth())?;
        let mut found = Self { receive: None, relay: None, rest };
        for route in routes.iter().filter(|route| route.path == longest.path) {
            match &route.outlet {
                Outlet::Receive(source) => found.receive = Some(source),
                Outlet::Relay(source) => found.relay = Some(source),
                _ => {}
            }
        }
        Some((Rc::clone(&longest.name), found))
    }

    /// Answers a request there.
    pub(super) async fn answer(
        &self,
        engine: &Rc<Engine>,
        request: &Request<'_>,
        body: &mut RequestBody<'_>,
    ) -> Result<Reply<Body>, Refusal> {
        let allow = match (self.receive, self.relay) {
            (Some(_), Some(_)) => "GET, HEAD, PUT, POST, DELETE",
            (Some(_), None) => "PUT, POST, DELETE",
            _ => "GET, HEAD",
        };
        let method = request.head.method();
        let source = match method {
            "GET" | "HEAD" => self.relay,
            "PUT" | "POST" | "DELETE" => self.receive,
            _ => None,
        };
        let source = source.ok_or_else(|| Refusal::method(allow))?;
        if self.rest.is_empty() {
            return Err(Refusal::new(
                404,
                "no job is named, as in /JOB/INSTANCE or /job/JOB".into(),
            ));
        }
        let (group, is_pushgateway) = Group::of_path(self.rest)
            .map_err(|fault| Refusal::new(400, format!("the path names no group: {fault}")))?;
        match method {
            "GET" | "HEAD" => relay(source, &group),
            "DELETE" => {
                if let Some(store) = source.store() {
                    store.delete(&group);
                }
                Ok(Reply::new(202, "", Body::text("")))
            }
            _ => {
                let push = Push { engine, source, group, is_pushgateway };
                Box::pin(push.answer(request, body)).await
            }
        }
    }
}

/// A page as it was received.
fn relay(source: &Rc<Source>, group: &Group) -> Result<Reply<Body>, Refusal> {
    let entry = source.store().and_then(|store| store.get(group));
    let kept = entry.and_then(|entry| entry.kept);
    let kept = kept.ok_or_else(|| Refusal::new(404, "there is no page of this group".into()))?;
    let mut reply = Reply::new(200, kept.page.content_type(), Body::indexed(Rc::clone(&kept.page)));
    // A short number.
    let _ = reply.set("Age", kept.at.elapsed().as_secs());
    Ok(reply)
}

/// A page that is brought.
struct Push<'a> {
    engine: &'a Rc<Engine>,
    source: &'a Rc<Source>,
    group: Group,
    is_pushgateway: bool,
}

impl Push<'_> {
    async fn answer(
        self,
        request: &Request<'_>,
        body: &mut RequestBody<'_>,
    ) -> Result<Reply<Body>, Refusal> {
        let fields = request.head.fields();
        let content_type = fields.text("Content-Type").unwrap_or_default();
        if media_type(content_type).eq_ignore_ascii_case("application/vnd.google.protobuf") {
            let text = "protobuf is not understood: send the text format";
            return Err(Refusal::new(415, text.into()));
        }
        let ttl = fields.text("Fanin-TTL").map(ttl).transpose()?;
        let arrival = Arrival::new(Rc::clone(self.engine), Rc::clone(self.source), request.peer);
        let adds = self.is_pushgateway && request.head.method() == "POST";
        let coding = fields.text("Content-Encoding");
        let format = if self.is_pushgateway { Format::Text } else { Format::of(content_type) };
        let page = self.page(&arrival, (body, coding, format), adds).await;
        match arrival.end(self.group, page, ttl) {
            Ok(()) => Ok(Reply::new(200, TEXT, Body::text(""))),
            Err(error) => Err(Refusal::new(error.status(), error.to_string())),
        }
    }

    /// The page that the group has from now on.
    async fn page(
        &self,
        arrival: &Arrival,
        (body, coding, format): (&mut RequestBody<'_>, Option<&str>, Format),
        adds: bool,
    ) -> Result<crate::exposition::Page, PushError> {
        let mut incoming = arrival.begin(&self.group)?;
        receive(body, coding, &mut incoming, self.engine).await?;
        let page = incoming.finish((self.source, &self.group), Some(format)).await?;
        if self.is_pushgateway {
            return arrival.combine(&self.group, page, adds).await;
        }
        Ok(page)
    }
}

/// A time to live as a sender asks for it.
fn ttl(text: &str) -> Result<Duration, Refusal> {
    let wrong = || Refusal::new(400, "Fanin-TTL is no duration such as 90s, 5m or 1h".into());
    let time = crate::config::duration(text).map_err(|_| wrong())?;
    // None so long that no clock can tell its end.
    let ends = Instant::now().checked_add(time).is_some();
    if time.is_zero() || time > MAX_DURATION || !ends { Err(wrong()) } else { Ok(time) }
}
