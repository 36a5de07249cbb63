//! Who gets blocks when there are not enough for everybody: scrapes wait their turn, in order.
//!
//! A scrape is granted all it is expected to need before it takes anything, so that none is starved
//! half-way by the others. Where nobody knows its size yet, it may be granted the most it can
//! become: only one such scrape is under way at a time, and it does not hold up those behind it.
//! Those that may take long, commands and what is fetched in the background, begin with a few blocks
//! instead, and take what nobody was promised.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::pool::{Budget, Pool};

/// What a scrape is expected to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Blocks, all sources together; more than the pool can grant is cut to that.
    pub blocks: usize,
    /// Whether a source among them was never scraped before, so that its limit stands for its size.
    pub guessed: bool,
}

/// The line of scrapes that wait.
pub(super) struct Queue {
    tickets: RefCell<VecDeque<Rc<Ticket>>>,
    guess_under_way: Cell<bool>,
    /// Wakes whoever wants to know that somebody waits.
    crowded: event_listener::Event,
}

struct Ticket {
    want: Want,
    budget: RefCell<Option<Budget>>,
    waker: RefCell<Option<Waker>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            tickets: RefCell::default(),
            guess_under_way: Cell::new(false),
            crowded: event_listener::Event::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tickets.borrow().len()
    }
}

impl Pool {
    /// Waits until `want` can be granted, behind everybody who asked before.
    pub fn admit(&self, want: Want) -> Admit {
        let ticket =
            Rc::new(Ticket { want, budget: RefCell::new(None), waker: RefCell::new(None) });
        self.0.queue.tickets.borrow_mut().push_back(Rc::clone(&ticket));
        self.pump();
        if ticket.budget.borrow().is_none() {
            self.0.queue.crowded.notify(usize::MAX);
        }
        Admit { pool: self.clone(), ticket }
    }

    /// Waits until a scrape waits for blocks.
    pub async fn crowded(&self) {
        while self.0.queue.len() == 0 {
            let listener = self.0.queue.crowded.listen();
            if self.0.queue.len() == 0 {
                listener.await;
            }
        }
    }

    /// Grants what can be granted now. Called whenever blocks come back.
    pub(super) fn pump(&self) {
        while let Some(ticket) = self.next_in_turn() {
            if ticket.want.guessed {
                self.0.queue.guess_under_way.set(true);
            }
            ticket.budget.replace(Some(self.grant(self.grantable(ticket.want))));
            if let Some(waker) = ticket.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// What is granted to one who wants this much: not more than there is when everybody else has
    /// given back all but kept pages, which may stay for longer than anybody waits.
    fn grantable(&self, want: Want) -> usize {
        want.blocks.min(self.largest_grant().saturating_sub(self.0.kept()))
    }

    /// Takes the first ticket out of the line that only a guess under way does not hold up, if
    /// there are blocks for it.
    fn next_in_turn(&self) -> Option<Rc<Ticket>> {
        let queue = &self.0.queue;
        let mut tickets = queue.tickets.borrow_mut();
        let busy = queue.guess_under_way.get();
        let at = tickets.iter().position(|ticket| !(busy && ticket.want.guessed))?;
        if self.grantable(tickets.get(at)?.want) > self.unpromised() {
            return None;
        }
        tickets.remove(at)
    }
}

/// The future of [`Pool::admit`]; dropping it leaves the line.
pub struct Admit {
    pool: Pool,
    ticket: Rc<Ticket>,
}

impl Future for Admit {
    type Output = Admission;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Admission> {
        if let Some(budget) = self.ticket.budget.borrow_mut().take() {
            let guess = self.ticket.want.guessed.then(|| Guess(self.pool.clone()));
            return Poll::Ready(Admission { budget, guess });
        }
        self.ticket.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Admit {
    fn drop(&mut self) {
        self.pool.0.queue.tickets.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.ticket));
        let unused = self.ticket.budget.borrow_mut().take();
        if unused.is_some() && self.ticket.want.guessed {
            drop(Guess(self.pool.clone()));
        }
        drop(unused);
        self.pool.pump();
    }
}

/// A scrape's leave to start.
pub struct Admission {
    /// What it may take.
    pub budget: Budget,
    guess: Option<Guess>,
}

impl Admission {
    /// The sizes are known now: the next scrape of unknown size may start.
    pub fn sizes_known(&mut self) {
        self.guess = None;
    }
}

/// Held by the one scrape under way whose size is a guess.
struct Guess(Pool);

impl Drop for Guess {
    fn drop(&mut self) {
        self.0.0.queue.guess_under_way.set(false);
        self.0.pump();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{BLOCK, RESERVED_BLOCKS};
    use smol::future::{block_on, poll_once};

    fn pool(usable: usize) -> (Pool, Budget) {
        let pool = Pool::new((usable + RESERVED_BLOCKS) * BLOCK, 0);
        let reserve = pool.reserve();
        (pool, reserve)
    }

    fn now(admit: &mut Admit) -> Option<Admission> {
        block_on(poll_once(admit))
    }

    const fn known(blocks: usize) -> Want {
        Want { blocks, guessed: false }
    }

    #[test]
    fn scrapes_are_admitted_in_order_even_when_a_later_one_would_fit() {
        let (pool, _reserve) = pool(10);
        let first = now(&mut pool.admit(known(8))).unwrap();
        let mut second = pool.admit(known(5));
        let mut third = pool.admit(known(1));
        assert!(now(&mut second).is_none());
        assert!(now(&mut third).is_none(), "the third must not overtake");
        assert_eq!(pool.counters().waiting, 2);
        drop(first);
        assert!(now(&mut second).is_some());
        assert!(now(&mut third).is_some());
    }

    #[test]
    fn one_guess_at_a_time_and_it_holds_up_only_guesses() {
        let (pool, _reserve) = pool(10);
        let guess = Want { blocks: 4, guessed: true };
        let mut first = now(&mut pool.admit(guess)).unwrap();
        let mut second = pool.admit(guess);
        assert!(now(&mut second).is_none());
        assert!(now(&mut pool.admit(known(4))).is_some(), "a known size passes a guess");
        first.sizes_known();
        assert!(now(&mut second).is_some());
    }

    #[test]
    fn who_leaves_the_line_frees_the_place_and_what_was_granted() {
        let (pool, _reserve) = pool(4);
        let first = now(&mut pool.admit(known(4))).unwrap();
        let second = pool.admit(known(4));
        let mut third = pool.admit(known(4));
        drop(first); // grants to the second, which never looks
        drop(second);
        assert!(now(&mut third).is_some());
        drop(third);
        assert_eq!(pool.unpromised(), 4);
    }

    #[test]
    fn more_than_there_is_is_cut_to_all_but_the_reserve() {
        let (pool, reserve) = pool(4);
        let admission = now(&mut pool.admit(known(100))).unwrap();
        let blocks: Vec<_> = (0..4).map(|_| admission.budget.block().unwrap()).collect();
        assert!(admission.budget.block().is_err());
        assert!(reserve.block().is_ok());
        drop(blocks);
    }

    #[test]
    fn a_settled_budget_gives_back_block_by_block() {
        let (pool, _reserve) = pool(4);
        let admission = now(&mut pool.admit(known(4))).unwrap();
        let page = [admission.budget.block().unwrap(), admission.budget.block().unwrap()];
        admission.budget.settle();
        assert_eq!(pool.unpromised(), 2);
        let [one, two] = page;
        drop(one);
        assert_eq!(pool.unpromised(), 3);
        drop((two, admission));
        assert_eq!(pool.unpromised(), 4);
    }

    #[test]
    fn the_reserve_gives_back_what_it_took_beyond_its_share() {
        let (pool, reserve) = pool(4);
        let blocks: Vec<_> = (0..RESERVED_BLOCKS + 3).map(|_| reserve.block().unwrap()).collect();
        assert_eq!(pool.unpromised(), 1);
        let mut all = pool.admit(known(4));
        assert!(now(&mut all).is_none());
        drop(blocks);
        assert_eq!(reserve.granted(), RESERVED_BLOCKS);
        assert!(now(&mut all).is_some());
    }

    #[test]
    fn kept_pages_hold_up_nobody_who_wants_all() {
        let pool = Pool::new((10 + RESERVED_BLOCKS) * BLOCK, 4 * BLOCK);
        let _reserve = pool.reserve();
        let page = now(&mut pool.admit(known(3))).unwrap().budget;
        let blocks = [page.block().unwrap(), page.block().unwrap()];
        page.settle();
        let mut all = pool.admit(known(100));
        assert!(now(&mut all).is_none(), "the page is on its way out");
        let kept = page.keep(None).unwrap();
        let mut other = pool.admit(known(1));
        let all = now(&mut all).unwrap();
        assert_eq!(all.budget.granted(), 8);
        assert!(now(&mut other).is_none());
        drop((all, kept, blocks));
        assert!(now(&mut other).is_some());
    }
}
