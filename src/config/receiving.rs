//! What `fanin receive` does: a hub that nobody has written a configuration for.

use std::path::PathBuf;

use super::address::Listen;
use super::plan::{Auth, Kind, Member, Outlet, Plan, Push, PushFormat, Route, Server, Source};
use super::route::RoutePath;
use super::sd::Sd;
use super::secret::Secret;
use super::source;
use crate::limits;

/// What `fanin receive` is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiving {
    /// Where pages are brought; with `read` empty, where they are read too.
    pub listen: Vec<Listen>,
    /// Where they are read, and nobody is asked for a token.
    pub read: Vec<Listen>,
    /// A file with the token.
    pub token_file: PathBuf,
}

impl Receiving {
    /// A configuration that does so, and nothing else.
    ///
    /// # Errors
    ///
    /// What is wrong with the token's file.
    pub fn plan(&self) -> Result<Plan, String> {
        let mut plan = Plan::default_for(&[], &[]);
        let token = Secret::new(&source::token(&self.token_file, &mut plan.exposed)?);
        let hub = Member::Source(0);
        let auth = Auth {
            tokens: vec![token],
            #[cfg(feature = "tls")]
            users: Vec::new(),
        };
        let (write, read) = (Outlet::Receive(hub), Outlet::Relay(hub));
        let list = || route("/sd", vec![Outlet::Sd(Sd::all())]);
        let mut writing =
            Server { listen: self.listen.clone(), auth: Some(auth), ..Server::nowhere() };
        plan.servers.clear();
        if self.read.is_empty() {
            writing.status = true;
            writing.routes.extend(route("/metrics", vec![write, read]).into_iter().chain(list()));
            plan.servers.push(writing);
        } else {
            writing.routes.extend(route("/metrics", vec![write]));
            let mut reading =
                Server { listen: self.read.clone(), status: true, ..Server::nowhere() };
            reading.routes.extend(route("/metrics", vec![read]).into_iter().chain(list()));
            plan.servers.extend([writing, reading]);
        }
        plan.sources.push(source(limits::DEFAULT_BODY));
        Ok(plan)
    }
}

/// A route; these paths are good, and a test reads them.
fn route(path: &str, outlets: Vec<Outlet>) -> Option<Route> {
    RoutePath::new(path).ok().map(|path| Route { path, outlets })
}

fn source(max_bytes: usize) -> Source {
    let push = Push {
        listen: Vec::new(),
        format: PushFormat::default(),
        ttl: Some(limits::PUSH_TTL),
        max_ttl: None,
        apps: limits::DEFAULT_APPS,
        remembered: limits::SD_KEEP,
    };
    Source::new("hub", Kind::Push(push), max_bytes)
}
