//! Handshakes, so that nobody waits long for those of others.
//!
//! What one computes takes milliseconds on a PC and tens of them on a small board, in a piece. It
//! waits for its turn for each piece, and lets others work behind it.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use smol::future::poll_once;

use crate::http::socket::Socket;
use crate::limits::HANDSHAKES;
use crate::turns::Turns;

/// Has so many handshakes compute at once.
#[derive(Clone, Default)]
pub(crate) struct Gate(Rc<Turns>);

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// Goes through with a handshake, a step whenever the other side has said something.
    pub(super) async fn through<F: Future + Unpin>(&self, mut shaking: F) -> F::Output {
        loop {
            let turn = self.0.take(HANDSHAKES).await;
            if let Some(done) = poll_once(&mut shaking).await {
                return done;
            }
            drop(turn);
            woken().await;
        }
    }
}

/// Waits until whatever was polled last wakes its task.
async fn woken() {
    let mut slept = false;
    poll_fn(|_| if std::mem::replace(&mut slept, true) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

/// Waits until there is something to read; an error comes back from the next read.
pub(super) fn heard(socket: Option<&Socket>, cx: &mut Context<'_>) -> Poll<()> {
    socket.map_or(Poll::Ready(()), |socket| socket.poll_readable(cx).map(|_| ()))
}

/// What takes too long ends so.
pub(super) async fn within<T>(
    at: std::time::Instant,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let late = async {
        smol::Timer::at(at).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    smol::future::or(pin!(work), late).await
}
