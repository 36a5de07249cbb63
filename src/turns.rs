//! Turns: so many at once, the others in the order in which they came.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use event_listener::Event;

/// How many have their turn, and who waits for theirs.
#[derive(Default)]
pub(crate) struct Turns {
    taken: Cell<usize>,
    /// One entry for each who waits, told when it is the first and may try.
    queue: RefCell<VecDeque<Rc<Event>>>,
}

/// A turn, until dropped.
pub(crate) struct Turn(Rc<Turns>);

/// A place in the queue.
struct Place<'a> {
    turns: &'a Turns,
    event: Rc<Event>,
}

impl Turns {
    /// Waits until fewer than `most` have their turn and everybody who came before had theirs.
    pub(crate) async fn take(self: &Rc<Self>, most: usize) -> Turn {
        let place = Place { turns: self, event: Rc::default() };
        self.queue.borrow_mut().push_back(Rc::clone(&place.event));
        loop {
            let told = place.event.listen();
            if place.is_first() && self.taken.get() < most {
                self.taken.set(self.taken.get().saturating_add(1));
                return Turn(Rc::clone(self));
            }
            told.await;
        }
    }

    fn tell_first(&self) {
        if let Some(first) = self.queue.borrow().front() {
            first.notify(1);
        }
    }
}

impl Place<'_> {
    fn is_first(&self) -> bool {
        self.turns.queue.borrow().front().is_some_and(|first| Rc::ptr_eq(first, &self.event))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.turns.queue.borrow_mut().retain(|event| !Rc::ptr_eq(event, &self.event));
        self.turns.tell_first();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.taken.set(self.0.taken.get().saturating_sub(1));
        self.0.tell_first();
    }
}

#[cfg(test)]
mod tests {
    use smol::{LocalExecutor, Task};

    use super::*;

    /// Takes turns of two at once, writes down who has one, and holds it until its task goes.
    fn takers(
        executor: &LocalExecutor<'static>,
        had: &Rc<RefCell<String>>,
        names: &'static str,
    ) -> Vec<Option<Task<()>>> {
        let turns = Rc::new(Turns::default());
        let taker = |name: char| {
            let (turns, had) = (Rc::clone(&turns), Rc::clone(had));
            Some(executor.spawn(async move {
                let _turn = turns.take(2).await;
                had.borrow_mut().push(name);
                std::future::pending::<()>().await;
            }))
        };
        names.chars().map(taker).collect()
    }

    #[test]
    fn who_came_first_has_the_first_turn() {
        // Those who go, one after the other, and who had a turn in the end.
        let cases: [(&str, &[usize], &str); 6] = [
            ("nobody goes", &[], "ab"),
            ("both go", &[0, 1], "abcd"),
            ("the second goes", &[1], "abc"),
            ("the next one gives up", &[2, 0], "abd"),
            ("all but the last", &[3, 2, 1, 0], "abe"),
            ("in order", &[0, 1, 2, 3], "abcde"),
        ];
        for (name, goes, want) in cases {
            let executor = LocalExecutor::new();
            let had = Rc::default();
            let mut tasks = takers(&executor, &had, "abcde");
            while executor.try_tick() {}
            for who in goes {
                drop(tasks[*who].take());
                while executor.try_tick() {}
            }
            assert_eq!(*had.borrow(), want, "{name}");
        }
    }

    #[test]
    fn a_turn_given_to_one_who_gave_up_is_not_lost() {
        let executor = LocalExecutor::new();
        let had = Rc::default();
        let mut tasks = takers(&executor, &had, "abcd");
        while executor.try_tick() {}
        // It is told, and gone before it can look.
        drop((tasks[0].take(), tasks[2].take()));
        while executor.try_tick() {}
        assert_eq!(*had.borrow(), "abd");
    }
}
