//! One timer for all the waits of a connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use smol::Timer;

/// A timer that is armed when a wait begins, and moved as seldom as possible: moving one costs
/// system calls, so one that would go off early is left, goes off once, and is set again.
#[derive(Debug)]
pub struct Alarm {
    timer: Timer,
    armed: Option<Instant>,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { timer: Timer::never(), armed: None }
    }
}

impl Alarm {
    /// A timer that is not armed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ready once `at` has gone by.
    pub fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if self.armed.is_none_or(|armed| armed > at) {
            self.arm(at);
        }
        loop {
            ready!(Pin::new(&mut self.timer).poll(cx));
            if self.armed.take() == Some(at) || Instant::now() >= at {
                return Poll::Ready(());
            }
            self.arm(at);
        }
    }

    fn arm(&mut self, at: Instant) {
        self.timer.set_at(at);
        self.armed = Some(at);
    }

    /// Runs `work` until `at`; `None` if it is not done by then. Work that is done at once arms
    /// nothing.
    pub async fn limit<F: Future>(&mut self, at: Instant, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(cx, at).map(|()| None),
        })
        .await
    }
}

/// `after` this instant, or as far in the future as the clock goes.
#[must_use]
pub(crate) fn later(from: Instant, after: std::time::Duration) -> Instant {
    const FAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);
    from.checked_add(after).or_else(|| from.checked_add(FAR)).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_that_is_done_at_once_arms_nothing() {
        let mut alarm = Alarm::new();
        let done = smol::block_on(alarm.limit(Instant::now(), async { 7 }));
        assert_eq!((done, alarm.armed), (Some(7), None));
    }

    #[test]
    fn an_early_alarm_is_left_and_set_again() {
        let now = Instant::now();
        let (early, late) = (now + Duration::from_millis(5), now + Duration::from_millis(30));
        let mut alarm = Alarm::new();
        smol::block_on(async {
            smol::future::poll_once(alarm.limit(early, std::future::pending::<()>())).await;
            assert_eq!(alarm.armed, Some(early));
            assert_eq!(alarm.limit(late, std::future::pending::<()>()).await, None);
            assert!(Instant::now() >= late);
        });
    }

    #[test]
    fn a_late_alarm_is_moved() {
        let now = Instant::now();
        let mut alarm = Alarm::new();
        smol::block_on(async {
            let late = later(now, Duration::MAX);
            smol::future::poll_once(alarm.limit(late, std::future::pending::<()>())).await;
            let soon = now + Duration::from_millis(5);
            assert_eq!(alarm.limit(soon, std::future::pending::<()>()).await, None);
        });
    }
}
