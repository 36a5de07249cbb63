//! A page to a route that receives, of fanin or of the Pushgateway.

use std::rc::Rc;
use std::time::Instant;

use smol::Timer;

use super::Failure;
use crate::cli::{self, Ttl};
use crate::config::{self, Limits, Secret};
use crate::http::alarm::later;
use crate::http::client::{Method, Outgoing, Redirects};
use crate::http::outgoing::{Broken, Produce};
use crate::http::url::Target;
use crate::limits::DEFAULT_SCRAPE_TIMEOUT;
use crate::runtime;
use crate::source::{Engine, ScrapeError};

/// A body that is sent in chunks.
struct Bytes<'a>(&'a [u8]);

impl Produce for Bytes<'_> {
    async fn fill(&mut self, out: &mut [u8]) -> Result<usize, Broken> {
        let (now, rest) = self.0.split_at(self.0.len().min(out.len()));
        if let Some(room) = out.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        self.0 = rest;
        Ok(now.len())
    }

    fn size_hint(&self) -> Option<usize> {
        None
    }
}

/// Puts `page` below `url`, in place of what the job sent before.
pub(super) fn put(url: &str, typed: &cli::Push, page: &[u8]) -> Result<(), Failure> {
    let token = typed.token_file.as_deref().map(config::bearer_token).transpose();
    let token = token.map_err(|rule| Failure::Flag(format!("--token-file: {rule}")))?;
    let target = Target::parse(&format!("{url}{}", typed.app.path()));
    let target = target.map_err(|error| Failure::Flag(error.to_string()))?;
    let mut fields = heapless::Vec::<_, 3>::new();
    let set = [
        Some(("Content-Type", "text/plain; version=0.0.4; charset=utf-8")),
        Some(("Transfer-Encoding", "chunked")),
        typed.ttl.as_ref().map(|Ttl(ttl)| ("Fanin-TTL", &**ttl)),
    ];
    fields.extend(set.into_iter().flatten());
    let request = Outgoing {
        method: Method::Put,
        fields: &fields,
        authorization: token.as_ref().map(Secret::expose),
        accept: "*/*",
        redirects: Redirects::Never,
        ..Outgoing::get(&target)
    };
    let engine = runtime::engine(&Limits::default());
    let executor = Rc::clone(&engine.executor);
    smol::block_on(executor.run(send(&engine, &request, Bytes(page))))
}

async fn send(engine: &Engine, request: &Outgoing<'_>, mut page: Bytes<'_>) -> Result<(), Failure> {
    let sent = async {
        let sent = engine.client.send(request, &mut page).await;
        let (mut response, _) = sent.map_err(|error| Failure::Fetch(error.into()))?;
        let says = response.says().await;
        match response.status {
            200..300 => Ok(()),
            status => Err(Failure::Status(status, says.to_string())),
        }
    };
    let late = async {
        Timer::at(later(Instant::now(), DEFAULT_SCRAPE_TIMEOUT)).await;
        Err(Failure::Fetch(ScrapeError::Timeout(DEFAULT_SCRAPE_TIMEOUT)))
    };
    smol::future::or(Box::pin(sent), late).await
}
