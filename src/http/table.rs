//! Who is connected, what each connection is doing, and which gives way when there is no room.
//!
//! A connection tells its state through its [`ConnectionHandle`]; the table can end it from
//! outside. Nothing here does I/O.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use event_listener::{Event, EventListener};

use crate::http::socket::Peer;
use crate::limits;

/// The time limits of a served connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// From the first byte of a head to its last; the first request must begin within it, too.
    pub header: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// From the first read of a body to its last.
    pub body: Duration,
    /// While a peer takes nothing, and its head start before `take_rate` counts.
    pub write: Duration,
    /// Bytes per second at which a reply must be taken.
    pub take_rate: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header: limits::DEFAULT_HEADER_TIMEOUT,
            idle: limits::DEFAULT_IDLE_TIMEOUT,
            body: limits::DEFAULT_BODY_TIMEOUT,
            write: limits::DEFAULT_WRITE_TIMEOUT,
            take_rate: limits::MIN_TAKE_RATE,
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No byte of its first request has come. It never gives way: its request may be on its way.
    New,
    /// No byte of a TLS handshake has come.
    #[cfg(feature = "tls")]
    Hello,
    /// A TLS handshake has begun.
    #[cfg(feature = "tls")]
    Handshake,
    /// No byte of a further request has come.
    Idle,
    /// A head has begun.
    Head,
    /// A request is being answered.
    Answering,
    /// An answer is being sent.
    Writing,
}

/// All connections that are served.
#[derive(Debug)]
pub struct ConnectionTable {
    all: RefCell<Vec<Rc<Connection>>>,
    capacity: Cell<usize>,
    limits: Cell<ServerLimits>,
    draining: Cell<bool>,
    /// Told when a connection ends, or has become idle and could.
    freed: Event,
}

#[derive(Debug)]
struct Connection {
    peer: Peer,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Bytes taken of the answer that is being sent.
    taken: Cell<usize>,
    /// When it last took some of it.
    moved: Cell<Instant>,
    ended: Cell<bool>,
    /// All that was to be sent has been.
    finished: Cell<bool>,
    draining: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl ConnectionTable {
    /// A table for at most `capacity` connections.
    #[must_use]
    pub fn new(capacity: usize, limits: ServerLimits) -> Rc<Self> {
        Rc::new(Self {
            all: RefCell::new(Vec::with_capacity(capacity)),
            capacity: Cell::new(capacity),
            limits: Cell::new(limits),
            draining: Cell::new(false),
            freed: Event::new(),
        })
    }

    /// Changes both; connections that are too many now end by themselves.
    pub fn configure(&self, capacity: usize, limits: ServerLimits) {
        self.capacity.set(capacity);
        self.limits.set(limits);
        self.freed.notify(usize::MAX);
    }

    /// The time limits for connections and requests that begin now.
    #[must_use]
    pub fn limits(&self) -> ServerLimits {
        self.limits.get()
    }

    /// Connections served now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.borrow().len()
    }

    /// Whether there is no place for one more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count() >= self.capacity.get()
    }

    /// A place for a connection; `None` if there is none.
    pub fn admit(self: &Rc<Self>, peer: Peer) -> Option<ConnectionHandle> {
        if self.is_full() {
            return None;
        }
        let connection = Rc::new(Connection {
            peer,
            phase: Cell::new(Phase::New),
            since: Cell::new(Instant::now()),
            taken: Cell::new(0),
            moved: Cell::new(Instant::now()),
            ended: Cell::new(false),
            finished: Cell::new(false),
            draining: Cell::new(self.draining.get()),
            waker: RefCell::new(None),
        });
        self.all.borrow_mut().push(connection.clone());
        Some(ConnectionHandle { connection, table: self.clone() })
    }

    /// Waits until there is a place, closing the longest-idle connection where that makes one.
    pub async fn room(&self) {
        while self.is_full() {
            let freed = self.freed.listen();
            self.close_longest_idle();
            freed.await;
        }
    }

    /// Goes off when a connection ends or the capacity changes.
    #[must_use]
    pub fn next_freed(&self) -> EventListener {
        self.freed.listen()
    }

    /// Ends the kept-alive connection that has been without a request for longest, but before it one
    /// that only holds a place: whose peer does not begin with TLS. Whether there was one.
    pub fn close_longest_idle(&self) -> bool {
        let gives_way = |one: &&Rc<Connection>| !one.ended.get() && one.turn_to_go().is_some();
        let all = self.all.borrow();
        let first =
            all.iter().filter(gives_way).min_by_key(|one| (one.turn_to_go(), one.since.get()));
        first.map(|one| one.end()).is_some()
    }

    /// Ends the connection that takes its answer slowest, of those that have been at it for
    /// `min_age` and take less than the limits' `take_rate`; whether there was one. One that has
    /// taken nothing for `min_age` counts as taking nothing at all, whatever the kernel took first.
    pub fn close_slowest_reader(&self, min_age: Duration) -> bool {
        let now = Instant::now();
        let age = |one: &Connection| now.saturating_duration_since(one.since.get());
        let writing = |one: &&Rc<Connection>| {
            one.phase.get() == Phase::Writing && !one.ended.get() && age(one) >= min_age
        };
        let rate = |one: &&Rc<Connection>| {
            let stalled = now.saturating_duration_since(one.moved.get()) >= min_age;
            let taken = if stalled { 0 } else { one.taken.get() };
            let taken = u128::try_from(taken).unwrap_or(u128::MAX);
            taken.saturating_mul(1000).checked_div(age(one).as_millis()).unwrap_or(u128::MAX)
        };
        let all = self.all.borrow();
        let enough = u128::try_from(self.limits().take_rate).unwrap_or(u128::MAX);
        let slow = |one: &&Rc<Connection>| writing(one) && rate(one) < enough;
        let slowest = all.iter().filter(slow).min_by_key(rate);
        slowest.map(|one| one.end()).is_some()
    }

    /// From now on each connection ends behind its answer, and an idle one at once.
    pub fn drain(&self) {
        self.draining.set(true);
        for one in self.all.borrow().iter() {
            one.draining.set(true);
            one.wake();
        }
    }

    /// Waits until no connection is left.
    pub async fn emptied(&self) {
        while self.count() > 0 {
            let freed = self.freed.listen();
            freed.await;
        }
    }

    /// Ends all connections, whatever they are doing.
    pub fn close_all(&self) {
        for one in self.all.borrow().iter() {
            one.end();
        }
    }
}

impl Connection {
    /// The lower, the sooner it gives way to a newcomer; `None` for never.
    fn turn_to_go(&self) -> Option<u8> {
        match self.phase.get() {
            #[cfg(feature = "tls")]
            Phase::Hello if self.since.get().elapsed() >= limits::HELLO => Some(0),
            Phase::Idle => Some(1),
            #[cfg(feature = "tls")]
            Phase::Hello => Some(2),
            #[cfg(feature = "tls")]
            Phase::Handshake => Some(3),
            _ => None,
        }
    }

    fn end(&self) {
        self.ended.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// A connection's place in the table; dropped when the connection ends.
#[derive(Debug)]
pub struct ConnectionHandle {
    connection: Rc<Connection>,
    table: Rc<ConnectionTable>,
}

impl ConnectionHandle {
    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.connection.peer
    }

    /// The time limits for a request that begins now.
    #[must_use]
    pub fn limits(&self) -> ServerLimits {
        self.table.limits()
    }

    /// Whether this connection is to end behind the answer it is at, and at once if at none. Its
    /// task is woken when that changes.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.connection.draining.get()
    }

    /// The connection does something else from now on.
    pub fn enter(&self, phase: Phase, now: Instant) {
        self.connection.phase.set(phase);
        self.connection.since.set(now);
        self.connection.moved.set(now);
        self.connection.taken.set(0);
        if self.connection.turn_to_go().is_some() {
            // It may give way now to one who waits for room.
            self.table.freed.notify(usize::MAX);
        }
    }

    /// Its TLS handshake begins: one of `most` at once, or the oldest of them ends.
    #[cfg(feature = "tls")]
    pub fn shake(&self, most: usize) {
        let all = self.table.all.borrow();
        let shaking =
            |one: &&Rc<Connection>| one.phase.get() == Phase::Handshake && !one.ended.get();
        if all.iter().filter(shaking).count() >= most
            && let Some(oldest) = all.iter().filter(shaking).min_by_key(|one| one.since.get())
        {
            oldest.end();
        }
        self.enter(Phase::Handshake, Instant::now());
    }

    /// Nothing more is to be sent: the connection ends as it should.
    pub fn finish(&self) {
        self.connection.finished.set(true);
    }

    /// Whether the connection has ended in the middle of an answer.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.connection.phase.get() == Phase::Writing && !self.connection.finished.get()
    }

    /// The peer has taken this many bytes more of its answer.
    pub fn take(&self, len: usize) {
        self.connection.moved.set(Instant::now());
        let taken = &self.connection.taken;
        taken.set(taken.get().saturating_add(len));
    }

    /// Runs `work` unless the table ends the connection before it is done.
    pub async fn until_ended<F: Future>(&self, mut work: Pin<&mut F>) -> Option<F::Output> {
        poll_fn(|cx| {
            if self.connection.ended.get() {
                return Poll::Ready(None);
            }
            let mut waker = self.connection.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            drop(waker);
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        let mut all = self.table.all.borrow_mut();
        if let Some(at) = all.iter().position(|one| Rc::ptr_eq(one, &self.connection)) {
            all.swap_remove(at);
        }
        drop(all);
        self.table.freed.notify(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(capacity: usize) -> Rc<ConnectionTable> {
        ConnectionTable::new(capacity, ServerLimits::default())
    }

    fn ago(seconds: u64) -> Instant {
        Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap()
    }

    fn ended(handle: &ConnectionHandle) -> bool {
        smol::block_on(handle.until_ended(std::pin::pin!(async {}))).is_none()
    }

    #[test]
    fn a_full_table_admits_nobody_until_one_leaves() {
        let table = table(1);
        let first = table.admit(Peer::Unix).unwrap();
        assert!(table.admit(Peer::Unix).is_none());
        drop(first);
        assert_eq!(table.count(), 0);
        assert!(table.admit(Peer::Unix).is_some());
    }

    #[test]
    fn the_longest_idle_gives_way() {
        let table = table(3);
        let handles: Vec<_> = (0..3).map(|_| table.admit(Peer::Unix).unwrap()).collect();
        handles[0].enter(Phase::Answering, ago(30));
        handles[1].enter(Phase::Idle, ago(10));
        handles[2].enter(Phase::Idle, ago(20));
        assert!(table.close_longest_idle());
        assert_eq!(handles.iter().map(ended).collect::<Vec<_>>(), [false, false, true]);
        assert!(table.close_longest_idle() && !table.close_longest_idle());
    }

    #[cfg(feature = "tls")]
    #[test]
    fn those_who_say_nothing_give_way_before_the_idle() {
        let table = table(5);
        let handles: Vec<_> = (0..5).map(|_| table.admit(Peer::Unix).unwrap()).collect();
        handles[0].enter(Phase::Handshake, ago(4));
        handles[1].enter(Phase::Hello, Instant::now());
        handles[2].enter(Phase::Idle, ago(50));
        handles[3].enter(Phase::Hello, ago(1));
        handles[4].enter(Phase::Hello, ago(2));
        for want in [
            [false, false, false, false, true],
            [false, false, false, true, true],
            [false, false, true, true, true],
            [false, true, true, true, true],
            [true; 5],
        ] {
            assert!(table.close_longest_idle());
            assert_eq!(handles.iter().map(ended).collect::<Vec<_>>(), want);
        }
        assert!(!table.close_longest_idle());
    }

    #[cfg(feature = "tls")]
    #[test]
    fn the_oldest_of_too_many_handshakes_gives_way() {
        let table = table(4);
        let handles: Vec<_> = (0..4).map(|_| table.admit(Peer::Unix).unwrap()).collect();
        for handle in &handles {
            handle.shake(2);
        }
        assert_eq!(handles.iter().map(ended).collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn the_slowest_reader_gives_way() {
        let table = table(3);
        let handles: Vec<_> = (0..3).map(|_| table.admit(Peer::Unix).unwrap()).collect();
        for (handle, taken, age) in [(&handles[0], 9000, 9), (&handles[1], 900, 3)] {
            handle.enter(Phase::Writing, ago(age));
            handle.take(taken);
        }
        handles[2].enter(Phase::Writing, Instant::now());
        assert!(table.close_slowest_reader(Duration::from_secs(2)));
        assert_eq!(handles.iter().map(ended).collect::<Vec<_>>(), [false, true, false]);
        assert!(!table.close_slowest_reader(Duration::from_secs(10)));
    }

    #[test]
    fn room_is_made_or_waited_for() {
        smol::block_on(async {
            let table = table(1);
            let busy = table.admit(Peer::Unix).unwrap();
            busy.enter(Phase::Answering, Instant::now());
            assert!(smol::future::poll_once(table.room()).await.is_none());
            busy.enter(Phase::Idle, Instant::now());
            let leave = async move {
                let work = std::pin::pin!(std::future::pending::<()>());
                assert!(busy.until_ended(work).await.is_none());
            };
            smol::future::zip(table.room(), leave).await;
            table.emptied().await;
        });
    }

    #[test]
    fn draining_reaches_those_who_come_later() {
        let table = table(2);
        let before = table.admit(Peer::Unix).unwrap();
        assert!(!before.is_draining());
        table.drain();
        assert!(before.is_draining() && table.admit(Peer::Unix).unwrap().is_draining());
        table.close_all();
        assert!(ended(&before));
    }

    #[test]
    fn limits_change_for_those_who_are_there() {
        let table = table(1);
        let handle = table.admit(Peer::Unix).unwrap();
        let limits = ServerLimits { idle: Duration::from_secs(1), ..ServerLimits::default() };
        table.configure(2, limits);
        assert_eq!((handle.limits(), table.is_full()), (limits, false));
    }
}
