//! The body of an exporter's answer, inflated where it came compressed.

use smol::future::yield_now;

use super::ScrapeError;
use super::inflating::Inflating;
use crate::http::fields::is_gzip;
use crate::http::response::Response;
use crate::memory::{Block, Budget};

/// A body, read as it was meant.
pub(super) struct Body {
    response: Response,
    compressed: Option<Compressed>,
}

/// What is left to inflate.
struct Compressed {
    inflating: Inflating,
    input: Block,
    /// Bytes of `input` that are inflated.
    used: usize,
    ended: bool,
}

impl Body {
    /// The body of `response`, whose coding is one that is understood.
    ///
    /// # Errors
    ///
    /// [`ScrapeError::Encoding`] for another coding, [`ScrapeError::Memory`] where inflating it
    /// costs more than there is.
    pub(super) fn new(response: Response, budget: &Budget) -> Result<Self, ScrapeError> {
        let compressed = match response.content_encoding.as_deref() {
            None => None,
            Some(coding) if coding.eq_ignore_ascii_case("identity") => None,
            Some(coding) if is_gzip(coding) => Some(Compressed {
                inflating: Inflating::new(budget)?,
                input: budget.block()?,
                used: 0,
                ended: false,
            }),
            Some(coding) => return Err(ScrapeError::Encoding(coding.into())),
        };
        Ok(Self { response, compressed })
    }

    /// Bytes that the page will have, where the exporter has said so.
    pub(super) fn len(&self) -> Option<usize> {
        let length = self.response.content_length.filter(|_| self.compressed.is_none());
        length.and_then(|length| usize::try_from(length).ok())
    }

    /// Reads some of it to the front of `out`, which must not be empty; 0 at its end.
    pub(super) async fn read(&mut self, out: &mut [u8]) -> Result<usize, ScrapeError> {
        let Self { response, compressed } = self;
        let Some(Compressed { inflating, input, used, ended }) = compressed else {
            return Ok(response.read(out).await?);
        };
        loop {
            let rest = input.filled().get(*used..).unwrap_or_default();
            let (taken, made) = inflating.decode(rest, *ended, out)?;
            *used = used.saturating_add(taken);
            if made > 0 || *ended {
                return Ok(made);
            }
            if *used >= input.filled().len() {
                input.truncate(0);
                *used = 0;
                let n = response.read(input.spare()).await?;
                *ended = n == 0;
                input.advance(n);
            }
            yield_now().await;
        }
    }
}
