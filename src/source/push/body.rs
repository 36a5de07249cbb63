//! A page in the body of a request, unpacked where it came packed.

use super::incoming::Incoming;
use super::refusal::{PushError, Room};
#[cfg(feature = "gzip")]
use super::snappy::Snappy;
use crate::http::fields::is_gzip;
use crate::http::incoming::{BodyError, RequestBody};
use crate::limits::PUSH_BUFFER;
use crate::source::inflating::Inflating;
use crate::source::{Engine, ScrapeError};

/// How a body is unpacked.
enum Coding {
    None,
    Gzip(Inflating),
    #[cfg(feature = "gzip")]
    Snappy(Box<Snappy>),
}

impl Coding {
    /// The one that Content-Encoding names; what else that may be counts as none, as in the
    /// Pushgateway.
    fn of(name: Option<&str>, engine: &Engine) -> Result<Self, PushError> {
        match name.map(str::trim) {
            Some(name) if is_gzip(name) => match Inflating::new(&engine.pool.lent()) {
                Ok(inflating) => Ok(Self::Gzip(inflating)),
                Err(ScrapeError::Memory) => Err(PushError::Room(Room::Memory)),
                Err(_) => Err(PushError::Coding),
            },
            #[cfg(feature = "gzip")]
            Some(name) if name.eq_ignore_ascii_case("snappy") => {
                let no_room = |_| PushError::Room(Room::Memory);
                Snappy::new(&engine.pool.lent()).map(Box::new).map(Self::Snappy).map_err(no_room)
            }
            #[cfg(not(feature = "gzip"))]
            Some(name) if name.eq_ignore_ascii_case("snappy") => Err(PushError::Coding),
            _ => Ok(Self::None),
        }
    }

    /// Hands on what `input` unpacks to; nothing of it is the end.
    async fn unpack(
        &mut self,
        mut input: &[u8],
        out: &mut [u8],
        incoming: &mut Incoming,
    ) -> Result<(), PushError> {
        match self {
            Self::None => incoming.write(input).await,
            Self::Gzip(inflating) => {
                let ended = input.is_empty();
                loop {
                    let (used, made) = inflating.decode(input, ended, out)?;
                    input = input.get(used..).unwrap_or_default();
                    incoming.write(out.get(..made).unwrap_or_default()).await;
                    if made == 0 && input.is_empty() || incoming.is_refused() {
                        return Ok(());
                    }
                }
            }
            #[cfg(feature = "gzip")]
            Self::Snappy(snappy) => {
                let ended = input.is_empty();
                while let Some(piece) = snappy.decode(&mut input, ended).ok_or(PushError::Coding)? {
                    incoming.write(piece).await;
                }
            }
        }
        Ok(())
    }
}

/// Reads all of `body` into `incoming`. What is refused on the way is not read to its end.
///
/// # Errors
///
/// What is wrong with the body.
pub(crate) async fn receive(
    body: &mut RequestBody<'_>,
    coding: Option<&str>,
    incoming: &mut Incoming,
    engine: &Engine,
) -> Result<(), PushError> {
    let mut coding = Coding::of(coding, engine)?;
    let (mut buf, mut out) = (vec![0; PUSH_BUFFER], vec![0; PUSH_BUFFER]);
    while !incoming.is_refused() {
        let n = body.read(&mut buf).await.map_err(|error| match error {
            BodyError::Timeout(limit) => PushError::Timeout(limit),
            _ => PushError::Closed,
        })?;
        let piece = buf.get(..n).unwrap_or_default();
        Box::pin(coding.unpack(piece, &mut out, incoming)).await?;
        if n == 0 {
            return Ok(());
        }
    }
    Ok(())
}
