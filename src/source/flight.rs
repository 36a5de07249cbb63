//! One piece of work that several wait for: it runs once, and ends when nobody waits any longer.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use event_listener::Event;
use smol::{LocalExecutor, Task, Timer};

/// Work under way, and its result for everybody who holds this.
pub struct Flight<T> {
    result: RefCell<Option<T>>,
    landed: Event,
    /// When the work is given up.
    deadline: Instant,
    /// Dropped with the last who waits, which ends the work.
    task: RefCell<Option<Task<()>>>,
}

impl<T: Clone + 'static> Flight<T> {
    /// Starts `work`, which gives up at `deadline`, on `executor`.
    pub fn start(
        executor: &LocalExecutor<'static>,
        deadline: Instant,
        work: impl Future<Output = T> + 'static,
    ) -> Rc<Self> {
        let flight = Rc::new(Self {
            result: RefCell::new(None),
            landed: Event::new(),
            deadline,
            task: RefCell::new(None),
        });
        let weak = Rc::downgrade(&flight);
        let task = executor.spawn(async move {
            let result = work.await;
            if let Some(flight) = weak.upgrade() {
                flight.result.replace(Some(result));
                flight.landed.notify(usize::MAX);
            }
        });
        flight.task.replace(Some(task));
        flight
    }

    /// Whether one who has time until `deadline` can share this: not where the work gives up much
    /// sooner, or a hurried client could spoil the scrape of a patient one.
    #[must_use]
    pub fn serves(&self, deadline: Instant) -> bool {
        const SOONER: Duration = Duration::from_secs(1);
        deadline.saturating_duration_since(self.deadline) <= SOONER
    }

    /// Whether the work has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.result.borrow().is_some()
    }

    /// Waits for the result until `deadline`; `None` if it is not there by then. Work that gives up
    /// no later is waited for all the same: it takes down itself how it ended, and would not if the
    /// last who waits left at that very moment.
    pub async fn result_by(&self, deadline: Instant) -> Option<T> {
        if self.deadline <= deadline {
            return Some(self.result().await);
        }
        let late = async {
            Timer::at(deadline).await;
            None
        };
        smol::future::or(async { Some(self.result().await) }, late).await
    }

    /// Waits for the result.
    pub async fn result(&self) -> T {
        loop {
            let landed = self.landed.listen();
            if let Some(result) = self.result.borrow().as_ref() {
                return result.clone();
            }
            landed.await;
        }
    }
}

/// Work under way, by what it is for.
pub struct Flights<K, T>(RefCell<Vec<(K, Weak<Flight<T>>)>>);

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: PartialEq, T: Clone + 'static> Flights<K, T> {
    /// The work for `key` that one with time until `deadline` can share, or else what `start`
    /// starts.
    pub fn share(
        &self,
        key: K,
        deadline: Instant,
        start: impl FnOnce() -> Rc<Flight<T>>,
    ) -> Rc<Flight<T>> {
        if let Some(flight) = self.under_way(&key).filter(|flight| flight.serves(deadline)) {
            return flight;
        }
        let flight = start();
        self.0.borrow_mut().push((key, Rc::downgrade(&flight)));
        flight
    }

    /// The work for `key` that began last, until it is done.
    pub fn under_way(&self, key: &K) -> Option<Rc<Flight<T>>> {
        let mut flights = self.0.borrow_mut();
        flights.retain(|(_, flight)| flight.upgrade().is_some_and(|flight| !flight.is_done()));
        let same = flights.iter().rev().find(|(other, _)| other == key);
        same.and_then(|(_, flight)| flight.upgrade())
    }

    /// Forgets what is under way, so that nobody joins it.
    pub fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn all_get_the_result_of_one_run() {
        let executor = LocalExecutor::new();
        let runs = Rc::new(Cell::new(0));
        let counted = Rc::clone(&runs);
        let flight = Flight::start(&executor, Instant::now(), async move {
            smol::future::yield_now().await;
            counted.set(counted.get() + 1);
            7
        });
        let all = smol::future::zip(flight.result(), flight.result());
        assert_eq!(smol::block_on(executor.run(all)), (7, 7));
        assert_eq!(smol::block_on(flight.result()), 7, "who comes late gets it too");
        assert_eq!(runs.get(), 1);
    }

    #[test]
    fn a_patient_one_does_not_share_the_work_of_a_hurried_one() {
        let executor = LocalExecutor::new();
        let now = Instant::now();
        let flight = Flight::start(&executor, now + Duration::from_secs(5), async {});
        for (seconds, serves) in [(0, true), (5, true), (6, true), (7, false)] {
            assert_eq!(flight.serves(now + Duration::from_secs(seconds)), serves, "{seconds}");
        }
    }

    #[test]
    fn only_work_for_the_same_is_shared_and_only_until_it_is_done() {
        let executor = LocalExecutor::new();
        let flights = Flights::default();
        let now = Instant::now();
        let share = |key: &'static str, result: u8| {
            flights.share(key, now, || Flight::start(&executor, now, async move { result }))
        };
        let (one, two, other) = (share("a", 1), share("a", 2), share("b", 3));
        assert!(Rc::ptr_eq(&one, &two) && !Rc::ptr_eq(&one, &other));
        assert_eq!(smol::block_on(executor.run(one.result())), 1);
        assert_eq!(smol::block_on(executor.run(share("a", 4).result())), 4);
        let five = share("a", 5);
        flights.forget();
        assert!(!Rc::ptr_eq(&five, &share("a", 6)));
    }

    #[test]
    fn the_work_ends_with_the_last_who_waits() {
        struct Ends(Rc<Cell<bool>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let executor = LocalExecutor::new();
        let ended = Rc::new(Cell::new(false));
        let guard = Ends(Rc::clone(&ended));
        let flight = Flight::start(&executor, Instant::now(), async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        let other = Rc::clone(&flight);
        while executor.try_tick() {}
        drop(flight);
        while executor.try_tick() {}
        assert!(!ended.get(), "one still waits");
        drop(other);
        while executor.try_tick() {}
        assert!(ended.get());
    }
}
