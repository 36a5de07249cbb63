//! A connection to one of a push source's addresses: pages one after another, and answers to those who
//! ask for one only.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use smol::io::{AsyncRead as _, AsyncWriteExt as _};

use super::Arrival;
use super::capnp::{self, Capnp};
use super::json::Json;
use super::refusal::PushError;
use crate::config::PushFormat;
use crate::http::alarm::{Alarm, later};
use crate::http::listen::{Listener, accept};
use crate::http::socket::Socket;
use crate::http::table::{ConnectionHandle, ConnectionTable, Phase, ServerLimits};
use crate::limits::{PUSH_BUFFER, PUSH_CONNECTIONS, PUSH_SILENCE};
use crate::source::{Engine, Source};

/// What connections of one source bring pages to: the source of the configuration in use.
pub(crate) struct PushDoor {
    engine: Rc<Engine>,
    source: RefCell<Rc<Source>>,
    connections: Rc<ConnectionTable>,
}

impl PushDoor {
    pub(crate) fn new(engine: Rc<Engine>, source: Rc<Source>, limits: ServerLimits) -> Rc<Self> {
        let connections = ConnectionTable::new(PUSH_CONNECTIONS, limits);
        Rc::new(Self { engine, source: RefCell::new(source), connections })
    }

    /// Accepts connections, for ever.
    pub(crate) async fn accept(self: &Rc<Self>, listener: Rc<Listener>) {
        let table = Rc::clone(&self.connections);
        let executor = Rc::clone(&self.engine.executor);
        accept(listener, table, |socket, handle| {
            let door = Rc::clone(self);
            executor.spawn(async move { door.serve(socket, handle).await }).detach();
        })
        .await;
    }

    /// Connections end between two pages.
    pub(crate) fn close(&self) {
        self.connections.drain();
    }

    /// Another configuration of the source takes its place; or another source.
    pub(crate) fn swap(&self, source: Rc<Source>, limits: ServerLimits) {
        self.source.replace(source);
        self.connections.configure(PUSH_CONNECTIONS, limits);
    }

    /// Serves one connection until it ends.
    pub(crate) async fn serve(&self, mut socket: Socket, handle: ConnectionHandle) {
        let stats = Rc::clone(&self.source.borrow().state);
        stats.stats.push.connected();
        {
            let reading = pin!(self.read(&mut socket, &handle));
            handle.until_ended(reading).await;
        }
        stats.stats.push.disconnected();
        if handle.was_cut() {
            socket.reset();
        }
    }

    fn arrival(&self, handle: &ConnectionHandle) -> Arrival {
        Arrival::new(Rc::clone(&self.engine), Rc::clone(&self.source.borrow()), handle.peer())
    }

    async fn read(&self, socket: &mut Socket, handle: &ConnectionHandle) {
        let mut buf = vec![0; PUSH_BUFFER].into_boxed_slice();
        let mut alarm = Alarm::new();
        let mut stream = Stream::New;
        let mut since = Instant::now();
        // Its first page is most likely on its way: for a while it gives way to no newcomer.
        let mut is_new = true;
        loop {
            let (between, limits) = (stream.is_between(), handle.limits());
            let (phase, wait) = match (between, is_new) {
                (true, true) => (Phase::New, limits.idle.min(PUSH_SILENCE)),
                (true, false) => (Phase::Idle, limits.idle),
                (false, _) => (Phase::Head, limits.body),
            };
            if between {
                since = Instant::now();
            }
            handle.enter(phase, since);
            let reading = poll_fn(|cx| match Pin::new(&mut *socket).poll_read(cx, &mut buf) {
                Poll::Pending if between && handle.is_draining() => Poll::Ready(Ok(0)),
                read => read,
            });
            let read = alarm.limit(later(since, wait), reading).await;
            let arrival = self.arrival(handle);
            let n = match read {
                Some(Ok(n @ 1..)) => n,
                None if phase == Phase::New => {
                    is_new = false;
                    continue;
                }
                _ if between => return,
                None => return arrival.refused(None, &PushError::Timeout(wait)),
                Some(_) => return arrival.refused(None, &PushError::Closed),
            };
            is_new = false;
            let mut input = buf.get(..n).unwrap_or_default();
            stream.begin(arrival.format(), input);
            loop {
                match Box::pin(stream.feed(&arrival, &mut input)).await {
                    Ok(None) => break,
                    Ok(Some(answer)) => {
                        let now = Instant::now();
                        handle.enter(Phase::Writing, now);
                        let until = later(now, limits.write);
                        let sent = alarm.limit(until, socket.write_all(answer.as_bytes())).await;
                        if !matches!(sent, Some(Ok(()))) {
                            return;
                        }
                    }
                    Err(error) => return arrival.refused(None, &error),
                }
            }
        }
    }
}

/// What has been read of a connection.
enum Stream {
    /// Nothing.
    New,
    Json(Json),
    Capnp(Capnp),
}

impl Stream {
    /// Chooses how to read, by the first bytes where the configuration does not say.
    fn begin(&mut self, format: PushFormat, input: &[u8]) {
        if !matches!(self, Self::New) {
            return;
        }
        let is_capnp = match format {
            PushFormat::Auto => input.first().is_some_and(|byte| capnp::begins(*byte)),
            PushFormat::Json => false,
            PushFormat::Capnp => true,
        };
        *self = if is_capnp { Self::Capnp(Capnp::default()) } else { Self::Json(Json::new()) };
    }

    /// Whether nothing is under way.
    fn is_between(&self) -> bool {
        match self {
            Self::New => true,
            Self::Json(json) => json.is_between(),
            Self::Capnp(capnp) => capnp.is_between(),
        }
    }

    async fn feed(
        &mut self,
        arrival: &Arrival,
        input: &mut &[u8],
    ) -> Result<Option<String>, PushError> {
        match self {
            Self::New => Ok(None),
            Self::Json(json) => json.feed(arrival, input).await,
            Self::Capnp(capnp) => capnp.feed(arrival, input).await.map(|()| None),
        }
    }
}
