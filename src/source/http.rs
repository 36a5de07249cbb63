//! An exporter that is asked over HTTP: its body goes from the socket into blocks, and each block
//! is lexed while the next one is on its way.

use std::fmt;
#[cfg(feature = "tls")]
use std::rc::Rc;
use std::time::Instant;

use super::body::Body;
use super::intake::receive;
use super::{Engine, Params, ScrapeError, Source, Terms};
use crate::config;
use crate::exposition::{Format, Indexer, Page};
use crate::http::client::{Outgoing, Redirects};
use crate::http::response::Response;
use crate::http::url::Target;
use crate::memory::{Budget, PageError, blocks_for};
#[cfg(feature = "tls")]
use crate::tls::client::Connector;

/// What an exporter is offered: text, with quoted names where it has them. Not OpenMetrics, since
/// some libraries take its mere mention for a preference; an exporter that has nothing else is
/// understood all the same.
const ACCEPT: &str = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// An exporter's address and what a request to it carries.
pub(super) struct Http {
    target: Target,
    fields: Vec<(Box<str>, config::Secret)>,
    authorization: Option<config::Secret>,
    redirects: Redirects,
    #[cfg(feature = "tls")]
    tls: Option<Rc<Connector>>,
    place: Box<str>,
}

impl Http {
    pub(super) fn new(plan: &config::Http) -> Result<Self, String> {
        let target = Target::parse(&plan.url).map_err(|error| error.to_string())?;
        #[cfg(feature = "tls")]
        let tls = Connector::wanted(&plan.tls).map_err(|error| error.to_string())?;
        let place = target.authority().without_folder().to_string().into();
        Ok(Self {
            place,
            target,
            fields: plan.headers.clone(),
            authorization: plan.authorization.clone(),
            redirects: plan.redirects,
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// Host and port, or the name of the socket.
    pub(super) fn place(&self) -> &dyn fmt::Display {
        &self.place
    }

    /// Asks the exporter; whatever it answers, its body is still to be read.
    pub(super) async fn ask(
        &self,
        engine: &Engine,
        terms: &Terms,
        deadline: Instant,
    ) -> Result<Response, ScrapeError> {
        let fields: Vec<(&str, &str)> =
            self.fields.iter().map(|(name, value)| (&**name, value.expose())).collect();
        let outgoing = Outgoing {
            query: terms.params.as_str(),
            fields: &fields,
            authorization: self.authorization.as_ref().map(|secret| secret.expose()),
            accept: if terms.accept.is_empty() { ACCEPT } else { &terms.accept },
            accept_encoding: if terms.gzip { "gzip" } else { "identity" },
            timeout: Some(deadline.saturating_duration_since(Instant::now())),
            redirects: self.redirects,
            #[cfg(feature = "tls")]
            tls: self.tls.as_ref(),
            ..Outgoing::get(&self.target)
        };
        Ok(engine.client.fetch(&outgoing).await?)
    }

    /// Asks the exporter for its page and indexes it.
    pub(super) async fn fetch(
        &self,
        source: &Source,
        engine: &Engine,
        budget: &Budget,
        (params, deadline): (&Params, Instant),
    ) -> Result<Page, ScrapeError> {
        let terms = Terms { params: params.clone(), accept: "".into(), gzip: false };
        let response = self.ask(engine, &terms, deadline).await?;
        if response.status != 200 {
            return Err(ScrapeError::Status(response.status));
        }
        let format = Format::of(response.content_type.as_deref().unwrap_or_default());
        let body = Body::new(response, budget)?;
        if let Some(length) = body.len() {
            announced(length, source)?;
            // Half as much again for the index, and a block for each of its tables.
            budget.correct(blocks_for(length.saturating_add(length / 2)).saturating_add(4));
        }
        let indexer = Indexer::new(format, source.watch(), source.families(), budget)?;
        let (text, indexer) = receive(body, (source, format), indexer, budget).await?;
        Ok(indexer.finish(text)?)
    }
}

/// Refuses a page that says it is longer than it may be.
pub(super) fn announced(length: usize, source: &Source) -> Result<(), ScrapeError> {
    if length > source.max_bytes() {
        return Err(PageError::TooLarge(source.max_bytes()).into());
    }
    Ok(())
}
