//! An exporter that is asked over HTTP: its body goes from the socket into blocks, and each block
//! is lexed while the next one is on its way.

use std::fmt;
use std::time::Instant;

use smol::future::yield_now;

use super::{Engine, ScrapeError, Source};
use crate::config;
use crate::exposition::{Format, Indexer, Page};
use crate::http::client::{Outgoing, Redirects};
use crate::http::url::Target;
use crate::memory::{Budget, PageWriter, blocks_for};

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
    place: Box<str>,
}

impl Http {
    pub(super) fn new(plan: &config::Http) -> Result<Self, String> {
        let target = Target::parse(&plan.url).map_err(|error| error.to_string())?;
        let place = target.authority().without_folder().to_string().into();
        Ok(Self {
            place,
            target,
            fields: plan.headers.clone(),
            authorization: plan.authorization.clone(),
            redirects: plan.redirects,
        })
    }

    /// Host and port, or the name of the socket.
    pub(super) fn place(&self) -> &dyn fmt::Display {
        &self.place
    }

    /// Asks the exporter and reads its page.
    pub(super) async fn fetch(
        &self,
        source: &Source,
        engine: &Engine,
        budget: &Budget,
        deadline: Instant,
    ) -> Result<Page, ScrapeError> {
        let fields: Vec<(&str, &str)> =
            self.fields.iter().map(|(name, value)| (&**name, value.expose())).collect();
        let outgoing = Outgoing {
            fields: &fields,
            authorization: self.authorization.as_ref().map(|secret| secret.expose()),
            accept: ACCEPT,
            timeout: Some(deadline.saturating_duration_since(Instant::now())),
            redirects: self.redirects,
            ..Outgoing::get(&self.target)
        };
        let mut response = engine.client.get(&outgoing).await?;
        if response.status != 200 {
            return Err(ScrapeError::Status(response.status));
        }
        if let Some(coding) = response.content_encoding.as_deref()
            && !coding.eq_ignore_ascii_case("identity")
        {
            return Err(ScrapeError::Encoding(coding.into()));
        }
        let length = response.content_length.and_then(|length| usize::try_from(length).ok());
        if let Some(length) = length {
            if length > source.max_bytes() {
                return Err(crate::memory::PageError::TooLarge(source.max_bytes()).into());
            }
            // Half as much again for the index, and a block for each of its tables.
            budget.correct(blocks_for(length.saturating_add(length / 2)).saturating_add(4));
        }
        let content_type = response.content_type.as_deref().unwrap_or_default();
        let openmetrics = content_type.starts_with("application/openmetrics-text");
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        let mut writer = PageWriter::new(budget.clone(), source.max_bytes());
        let mut indexer = Indexer::new(format, source.watch(), source.families(), budget)?;
        loop {
            let n = response.read(writer.spare()?).await?;
            if n == 0 {
                break;
            }
            writer.advance(n)?;
            while indexer.advance(writer.complete())? {
                yield_now().await;
            }
        }
        let text = writer.finish()?;
        while indexer.advance(text.blocks())? {
            yield_now().await;
        }
        Ok(indexer.finish(text)?)
    }
}
