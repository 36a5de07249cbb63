//! Users and passwords.
//!
//! bcrypt takes long, which is what it is for, so it runs on a helper thread, one at a time. What it
//! found right is remembered as a hash with a key that nobody knows: a scraper pays once. A user who
//! is not known is checked against another's hash, so that the time does not tell who is.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use event_listener::Event;
use ring::hmac;
use ring::rand::SystemRandom;
use smol::LocalExecutor;

use super::slow::origin;
use crate::base64;
use crate::config::Secret;
use crate::http::socket::Peer;
use crate::limits::{PASSWORDS_KEPT, PASSWORDS_WAITING};
use crate::turns::Turns;

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    Right,
    Wrong,
    /// It was not checked: too many wait.
    Busy,
}

/// What is known of passwords.
pub(super) struct Passwords {
    executor: Rc<LocalExecutor<'static>>,
    /// `None` where the system has no randomness: then nothing is remembered.
    key: Option<hmac::Key>,
    /// The right ones, the oldest first.
    remembered: RefCell<heapless::Deque<hmac::Tag, PASSWORDS_KEPT>>,
    waiting: RefCell<heapless::Vec<Rc<Check>, PASSWORDS_WAITING>>,
    turns: Rc<Turns>,
}

/// A check that waits or runs.
struct Check {
    /// What is checked; equal ones share it.
    tag: Option<hmac::Tag>,
    origin: Option<IpAddr>,
    right: Cell<bool>,
    done: Event,
}

impl Passwords {
    pub(super) fn new(executor: &Rc<LocalExecutor<'static>>) -> Self {
        Self {
            executor: Rc::clone(executor),
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok(),
            remembered: RefCell::default(),
            waiting: RefCell::default(),
            turns: Rc::default(),
        }
    }

    /// Whether `pair`, user and password in base64, is one of `users`.
    pub(super) async fn check(
        self: &Rc<Self>,
        users: &[(Box<str>, Secret)],
        pair: &str,
        peer: Peer,
    ) -> Checked {
        let pair = base64::decoded(pair).and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((user, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Checked::Wrong;
        };
        let known = users.iter().find(|(name, _)| **name == *user);
        let Some((_, hash)) = known.or_else(|| users.first()) else { return Checked::Wrong };
        let known = known.is_some();
        let tag =
            self.tag(&[&[u8::from(known)], user.as_bytes(), hash.expose().as_bytes()], password);
        if tag.is_some_and(|tag| self.remembers(&tag)) {
            return Checked::Right;
        }
        let Some(check) = self.join(tag, peer) else {
            let Some(check) = self.queue(tag, peer) else { return Checked::Busy };
            self.run(Rc::clone(&check), (known, hash), password);
            return check.outcome().await;
        };
        check.outcome().await
    }

    /// The keyed hash of these parts. Each has its length in front, so that no two lists of parts
    /// are the same bytes.
    fn tag(&self, parts: &[&[u8]], password: &str) -> Option<hmac::Tag> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        for part in parts.iter().chain([&password.as_bytes()]) {
            context.update(&u64::try_from(part.len()).ok()?.to_be_bytes());
            context.update(part);
        }
        Some(context.sign())
    }

    fn remembers(&self, tag: &hmac::Tag) -> bool {
        let remembered = self.remembered.borrow();
        remembered.iter().fold(false, |found, one| found | same(one, tag))
    }

    /// The check of the same that is under way.
    fn join(&self, tag: Option<hmac::Tag>, peer: Peer) -> Option<Rc<Check>> {
        let (tag, origin) = (tag?, origin(peer));
        let equal = |one: &&Rc<Check>| {
            one.origin == origin && one.tag.as_ref().is_some_and(|one| same(one, &tag))
        };
        self.waiting.borrow().iter().find(equal).cloned()
    }

    /// A place among those that wait, unless the peer has one, or there is none.
    fn queue(&self, tag: Option<hmac::Tag>, peer: Peer) -> Option<Rc<Check>> {
        let origin = origin(peer);
        let mut waiting = self.waiting.borrow_mut();
        if waiting.iter().any(|one| one.origin == origin) {
            return None;
        }
        let check = Rc::new(Check { tag, origin, right: Cell::new(false), done: Event::new() });
        waiting.push(Rc::clone(&check)).ok()?;
        Some(check)
    }

    /// Checks, whoever still waits for it: what the thread has begun it ends, and until then the next
    /// one waits.
    fn run(self: &Rc<Self>, check: Rc<Check>, (known, hash): (bool, &Secret), password: &str) {
        let (hash, password) = (hash.clone(), password.to_owned());
        let passwords = Rc::clone(self);
        let running = async move {
            let _turn = passwords.turns.take(1).await;
            #[expect(clippy::disallowed_methods, reason = "the one place that checks passwords")]
            let right = blocking::unblock(move || {
                bcrypt::verify(&password, hash.expose()).unwrap_or(false)
            });
            let right = right.await && known;
            if right && let Some(tag) = check.tag {
                passwords.remember(tag);
            }
            check.right.set(right);
            passwords.waiting.borrow_mut().retain(|one| !Rc::ptr_eq(one, &check));
            check.done.notify(usize::MAX);
        };
        self.executor.spawn(running).detach();
    }

    fn remember(&self, tag: hmac::Tag) {
        let mut remembered = self.remembered.borrow_mut();
        if remembered.is_full() {
            remembered.pop_front();
        }
        // There is room now.
        let _ = remembered.push_back(tag);
    }
}

impl Check {
    async fn outcome(self: Rc<Self>) -> Checked {
        // It cannot end before this is polled: both are on one thread.
        self.done.listen().await;
        if self.right.get() { Checked::Right } else { Checked::Wrong }
    }
}

/// Whether two hashes are equal, in constant time.
fn same(one: &hmac::Tag, other: &hmac::Tag) -> bool {
    let pairs = one.as_ref().iter().zip(other.as_ref());
    pairs.fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use smol::Timer;
    use smol::future::{or, zip};

    use super::*;
    use crate::base64::base64;

    /// Of `secret`, at the least cost, and of `other` at one that takes long enough to be overtaken.
    fn users() -> Vec<(Box<str>, Secret)> {
        let hash = |password: &str, cost, salt: u8| {
            let parts = bcrypt::hash_with_salt(password, cost, [salt; 16]).unwrap();
            Secret::new(&parts.format_for_version(bcrypt::Version::TwoY))
        };
        vec![("me".into(), hash("secret", 4, 1)), ("you".into(), hash("other", 10, 2))]
    }

    fn peer(number: u8) -> Peer {
        Peer::tcp(SocketAddr::from(([10, 0, 0, number], 1)))
    }

    fn run<T>(work: impl AsyncFnOnce(Rc<Passwords>) -> T) -> T {
        let executor = Rc::new(LocalExecutor::new());
        let passwords = Rc::new(Passwords::new(&executor));
        smol::block_on(executor.run(work(passwords)))
    }

    #[test]
    fn the_right_pair_is_let_in_and_no_other() {
        let cases = [
            ("me:secret", Checked::Right),
            ("you:other", Checked::Right),
            ("me:other", Checked::Wrong),
            ("me:secret:", Checked::Wrong),
            ("me:", Checked::Wrong),
            ("me", Checked::Wrong),
            (":secret", Checked::Wrong),
            ("nobody:secret", Checked::Wrong),
            ("", Checked::Wrong),
        ];
        run(async |passwords| {
            // A second time, when the right ones are remembered.
            for (pair, want) in cases.into_iter().chain(cases) {
                let got = passwords.check(&users(), &base64(pair.as_bytes()), peer(1)).await;
                assert_eq!(got, want, "{pair}");
            }
            assert_eq!(passwords.check(&users(), "no base64", peer(1)).await, Checked::Wrong);
            assert_eq!(passwords.remembered.borrow().len(), 2);
        });
    }

    /// The lengths in front keep apart what would be the same in a row.
    #[test]
    fn no_two_pairs_are_remembered_as_one() {
        run(async |passwords| {
            let tag = |user: &str, password| passwords.tag(&[user.as_bytes()], password).unwrap();
            let pairs = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("a:b", "c")];
            for (user, password) in pairs {
                let equal =
                    pairs.iter().filter(|pair| same(&tag(pair.0, pair.1), &tag(user, password)));
                assert_eq!(equal.count(), 1, "{user} {password}");
            }
        });
    }

    #[test]
    fn one_of_each_peer_waits_and_four_in_all() {
        run(async |passwords| {
            let users = users();
            let pair = |text: &str| base64(text.as_bytes());
            let (slow, other) = (pair("you:other"), pair("you:wrong"));
            let first = passwords.check(&users, &slow, peer(1));
            let others = async {
                // The same of the same peer shares the check, another does not wait.
                let same = passwords.check(&users, &slow, peer(1));
                let busy = async {
                    assert_eq!(passwords.check(&users, &other, peer(1)).await, Checked::Busy);
                };
                assert_eq!(zip(same, busy).await.0, Checked::Right);
            };
            assert_eq!(zip(first, others).await.0, Checked::Right);

            let wrong: Vec<String> = (0..6).map(|n| pair(&format!("you:{n}"))).collect();
            let mut checks = Vec::new();
            for (number, wrong) in (0..).zip(&wrong) {
                let mut check = Box::pin(passwords.check(&users, wrong, peer(number)));
                let now = smol::future::poll_once(&mut check).await;
                let want = (usize::from(number) >= PASSWORDS_WAITING).then_some(Checked::Busy);
                assert_eq!(now, want, "number {number}");
                checks.push(check);
            }
            // Those who go away leave their checks to end by themselves.
            drop(checks);
            let emptied = async {
                while !passwords.waiting.borrow().is_empty() {
                    Timer::after(Duration::from_millis(5)).await;
                }
            };
            or(emptied, async {
                Timer::after(Duration::from_secs(120)).await;
                panic!("the checks do not end");
            })
            .await;
        });
    }

    #[test]
    fn the_oldest_is_forgotten() {
        run(async |passwords| {
            let tags: Vec<_> =
                (0..=PASSWORDS_KEPT).map(|n| passwords.tag(&[], &n.to_string()).unwrap()).collect();
            for tag in &tags {
                passwords.remember(*tag);
            }
            assert!(!passwords.remembers(&tags[0]) && passwords.remembers(&tags[1]));
        });
    }
}
