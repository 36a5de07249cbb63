//! Slows down those who guess: a wrong login waits for its answer, and a peer has few that wait.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use smol::Timer;

use crate::http::socket::Peer;
use crate::limits::LOGINS_PAUSED;

/// Those whose answers wait, an entry each. There are no more than connections.
#[derive(Debug, Default)]
pub(super) struct Slow(RefCell<Vec<Option<IpAddr>>>);

/// Waits, until dropped.
struct Paused<'a>(&'a Slow, Option<IpAddr>);

impl Slow {
    /// Whether this peer may try to log in: not while enough of its attempts wait.
    pub(super) fn may_try(&self, peer: Peer) -> bool {
        let origin = origin(peer);
        self.0.borrow().iter().filter(|paused| **paused == origin).count() < LOGINS_PAUSED
    }

    /// Waits for `time` on behalf of this peer.
    pub(super) async fn pause(&self, peer: Peer, time: Duration) {
        let origin = origin(peer);
        self.0.borrow_mut().push(origin);
        let _paused = Paused(self, origin);
        Timer::after(time).await;
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let mut paused = self.0.0.borrow_mut();
        if let Some(at) = paused.iter().position(|one| *one == self.1) {
            paused.swap_remove(at);
        }
    }
}

/// Where a peer is: its address, of which IPv6 gives everybody a whole /64. Those on Unix sockets
/// are one.
pub(super) fn origin(peer: Peer) -> Option<IpAddr> {
    Some(match peer.ip()? {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip => ip,
    })
}

#[cfg(test)]
mod tests {
    use smol::future::{or, poll_once};

    use super::*;

    fn peer(ip: &str) -> Peer {
        Peer::tcp(std::net::SocketAddr::new(ip.parse().unwrap(), 1))
    }

    #[test]
    fn a_peer_has_few_that_wait() {
        let slow = Slow::default();
        let hour = Duration::from_secs(3600);
        let (guesser, same, other) = (peer("fd00::1"), peer("fd00::ffff:2"), peer("fd00:0:0:1::1"));
        smol::block_on(async {
            let mut waiting: Vec<_> =
                (0..LOGINS_PAUSED).map(|_| Box::pin(slow.pause(guesser, hour))).collect();
            for (number, one) in waiting.iter_mut().enumerate() {
                assert!(slow.may_try(guesser), "number {number}");
                assert_eq!(poll_once(one).await, None);
            }
            assert!(!slow.may_try(guesser) && !slow.may_try(same));
            assert!(slow.may_try(other) && slow.may_try(Peer::Unix));
            // One gives up.
            waiting.pop();
            assert!(slow.may_try(same));
            or(slow.pause(guesser, Duration::ZERO), async { panic!("it is over at once") }).await;
        });
        assert_eq!(slow.0.borrow().len(), 0);
    }
}
