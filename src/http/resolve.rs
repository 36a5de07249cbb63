//! Names to addresses, one look-up at a time.
//!
//! A look-up blocks, so it takes a thread; there is never more than one. It belongs to nobody: who
//! waits for it may give up, and it still fills the cache when it ends.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use event_listener::Event;

use crate::limits::{ADDRESSES, LOOKUP_FAILURE_KEPT, LOOKUP_KEPT, LOOKUPS};

/// The addresses of a name, in the order in which they are tried.
pub type Addresses = heapless::Vec<IpAddr, ADDRESSES>;

/// A name that has no address now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveError {
    name: Box<str>,
    why: Box<str>,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resolve {}: {}", self.name, self.why)?;
        // The C library that the programs for boards are built with asks DNS alone.
        let local = self.name.trim_end_matches('.').ends_with(".local");
        f.write_str(if local { " (names under .local need mDNS, which is not asked)" } else { "" })
    }
}

impl std::error::Error for ResolveError {}

/// Looks a name up; blocks.
type LookUp = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Resolves names and remembers what it learned.
#[derive(Debug)]
pub struct Resolver {
    known: RefCell<Vec<Known>>,
    running: RefCell<Option<Running>>,
    look_up: LookUp,
}

#[derive(Debug)]
struct Known {
    name: Box<str>,
    answer: Result<Addresses, ResolveError>,
    until: Instant,
}

/// A look-up on its thread.
#[derive(Debug)]
struct Running {
    name: Box<str>,
    result: Arc<Landing>,
}

/// Where a look-up leaves what it found.
#[derive(Debug, Default)]
struct Landing {
    found: OnceLock<io::Result<Vec<IpAddr>>>,
    landed: Event,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }
}

impl Resolver {
    fn new(look_up: LookUp) -> Self {
        Self { known: RefCell::default(), running: RefCell::default(), look_up }
    }

    /// The addresses of a host. Addresses and `localhost` are never looked up.
    ///
    /// # Errors
    ///
    /// [`ResolveError`], for a while without another look-up.
    pub async fn resolve(&self, host: &str) -> Result<Addresses, ResolveError> {
        if let Some(addresses) = literal(host) {
            return Ok(addresses);
        }
        loop {
            self.collect();
            if let Some(answer) = self.known(host) {
                return answer;
            }
            let result = self.running_or_start(host);
            let landed = result.landed.listen();
            if result.found.get().is_none() {
                landed.await;
            }
        }
    }

    /// What is known of this name now.
    fn known(&self, host: &str) -> Option<Result<Addresses, ResolveError>> {
        let now = Instant::now();
        let known = self.known.borrow();
        let fresh = known.iter().find(|one| &*one.name == host && one.until > now);
        fresh.map(|one| one.answer.clone())
    }

    /// The look-up that runs; one of `host` if none does.
    fn running_or_start(&self, host: &str) -> Arc<Landing> {
        let mut running = self.running.borrow_mut();
        if let Some(running) = &*running {
            return running.result.clone();
        }
        let result = Arc::new(Landing::default());
        *running = Some(Running { name: host.into(), result: result.clone() });
        let (landing, name, look_up) = (result.clone(), host.to_owned(), self.look_up);
        #[expect(clippy::disallowed_methods, reason = "the one place that looks names up")]
        let task = blocking::unblock(move || {
            let _first = landing.found.set(look_up(&name));
            landing.landed.notify(usize::MAX);
        });
        task.detach();
        result
    }

    /// Takes what the look-up has found, if it has ended.
    fn collect(&self) {
        let mut running = self.running.borrow_mut();
        let Some(Running { name, result }) = &*running else { return };
        let Some(found) = result.found.get() else { return };
        let (answer, kept) = judge(name, found);
        let until = crate::http::alarm::later(Instant::now(), kept);
        self.remember(Known { name: name.clone(), answer, until });
        *running = None;
    }

    /// Remembers an answer, in place of the one for that name or else the oldest.
    fn remember(&self, answer: Known) {
        let mut known = self.known.borrow_mut();
        let now = Instant::now();
        known.retain(|one| one.name != answer.name && one.until > now);
        if known.len() >= LOOKUPS {
            known.remove(0);
        }
        known.push(answer);
    }
}

/// The addresses of a host that needs no look-up.
fn literal(host: &str) -> Option<Addresses> {
    if host.eq_ignore_ascii_case("localhost") {
        let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Some(both.into_iter().collect());
    }
    host.parse::<IpAddr>().ok().map(|address| std::iter::once(address).collect())
}

/// What a look-up's end means, and how long it is believed.
fn judge(
    name: &str,
    found: &io::Result<Vec<IpAddr>>,
) -> (Result<Addresses, ResolveError>, Duration) {
    let why = match found {
        Ok(found) => {
            let mut addresses = Addresses::new();
            for address in found {
                if !addresses.contains(address) && addresses.push(*address).is_err() {
                    break;
                }
            }
            if !addresses.is_empty() {
                return (Ok(addresses), LOOKUP_KEPT);
            }
            "it has no address".into()
        }
        Err(fault) => reason(fault),
    };
    (Err(ResolveError { name: name.into(), why }), LOOKUP_FAILURE_KEPT)
}

/// The resolver's own words, without what std puts in front of them.
fn reason(fault: &io::Error) -> Box<str> {
    let text = fault.to_string();
    let own = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    own.into()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn addresses(texts: &[&str]) -> Addresses {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn addresses_need_no_look_up() {
        let resolver = Resolver::new(|_| panic!("looked up"));
        let cases = [
            ("127.0.0.1", &["127.0.0.1"][..]),
            ("::1", &["::1"]),
            ("LocalHost", &["127.0.0.1", "::1"]),
        ];
        for (host, want) in cases {
            assert_eq!(smol::block_on(resolver.resolve(host)), Ok(addresses(want)), "{host}");
        }
    }

    #[test]
    fn a_name_is_looked_up_once() {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let resolver = Resolver::new(|_| {
            COUNT.fetch_add(1, Ordering::Relaxed);
            Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
        });
        smol::block_on(async {
            let (one, two) =
                smol::future::zip(resolver.resolve("node"), resolver.resolve("node")).await;
            assert_eq!((one, two), (Ok(addresses(&["127.0.0.1"])), Ok(addresses(&["127.0.0.1"]))));
            resolver.resolve("node").await.unwrap();
        });
        assert_eq!(COUNT.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_failure_is_told_and_remembered() {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let resolver = Resolver::new(|_| {
            COUNT.fetch_add(1, Ordering::Relaxed);
            Err(io::Error::other("failed to lookup address information: nobody knows"))
        });
        for _ in 0..2 {
            let fault = smol::block_on(resolver.resolve("node")).unwrap_err();
            assert_eq!(fault.to_string(), "resolve node: nobody knows");
        }
        assert_eq!(COUNT.load(Ordering::Relaxed), 1);
        let local = smol::block_on(resolver.resolve("voron.local")).unwrap_err();
        let told =
            "resolve voron.local: nobody knows (names under .local need mDNS, which is not asked)";
        assert_eq!(local.to_string(), told);
        let (answer, kept) = judge("x", &Ok(vec![]));
        assert_eq!(answer.unwrap_err().to_string(), "resolve x: it has no address");
        assert_eq!(kept, LOOKUP_FAILURE_KEPT);
    }

    #[test]
    fn names_wait_for_each_other_and_one_that_gave_up_is_still_learned() {
        static BUSY: AtomicUsize = AtomicUsize::new(0);
        let resolver = Resolver::new(|name| {
            assert_eq!(BUSY.fetch_add(1, Ordering::SeqCst), 0, "two look-ups at once");
            let address = if name == "a" { Ipv4Addr::LOCALHOST } else { Ipv4Addr::BROADCAST };
            BUSY.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![address.into()])
        });
        smol::block_on(async {
            let _given_up = smol::future::poll_once(resolver.resolve("a")).await;
            let other = resolver.resolve("b").await;
            assert_eq!(other, Ok(addresses(&["255.255.255.255"])));
            assert_eq!(resolver.known("a"), Some(Ok(addresses(&["127.0.0.1"]))));
        });
    }

    #[test]
    fn the_oldest_answer_gives_way() {
        let resolver = Resolver::default();
        for number in 0..=LOOKUPS {
            let until = Instant::now() + LOOKUP_KEPT;
            let answer = Ok(Addresses::new());
            resolver.remember(Known { name: number.to_string().into(), answer, until });
        }
        assert_eq!((resolver.known("0"), resolver.known.borrow().len()), (None, LOOKUPS));
        assert!(resolver.known("1").is_some());
    }
}
