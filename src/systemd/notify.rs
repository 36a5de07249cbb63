//! What fanin tells the one that started it: that it is ready, reloads, ends, and is alive.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use smol::Timer;

/// The way to systemd; without one, everything here does nothing.
#[derive(Debug, Default)]
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// The longest that systemd waits for a sign of life.
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says.
    #[must_use]
    pub fn from_env() -> Self {
        let text = |name| env::var(name).ok();
        let Some(address) = text("NOTIFY_SOCKET") else { return Self::default() };
        match open(&address) {
            Ok(to) => {
                let (period, pid) = (text("WATCHDOG_USEC"), text("WATCHDOG_PID"));
                let watchdog = watchdog(period.as_deref(), pid.as_deref(), std::process::id());
                Self { to: Some(to), watchdog }
            }
            Err(error) => {
                log::warn!("NOTIFY_SOCKET={address}: {error}; systemd is told nothing");
                Self::default()
            }
        }
    }

    /// Requests are answered.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// The configuration is being read again; [`Notify::ready`] follows.
    pub fn reloading(&self) {
        if self.to.is_some() {
            let now = clock_gettime(ClockId::Monotonic);
            let (seconds, micros) = (now.tv_sec, now.tv_nsec / 1000);
            self.send(&format!("RELOADING=1\nMONOTONIC_USEC={seconds}{micros:06}"));
        }
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Gives signs of life, for ever, where they are asked for. On the executor that does all the
    /// work: when that hangs, they stay away.
    pub async fn live(&self) {
        let Some(period) = self.watchdog.and_then(|longest| longest.checked_div(2)) else { return };
        let mut beats = Timer::interval(period);
        loop {
            self.send("WATCHDOG=1");
            smol::stream::StreamExt::next(&mut beats).await;
        }
    }

    fn send(&self, words: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(words.as_bytes(), address)
        {
            log::debug!("systemd was not told {words:?}: {error}");
        }
    }
}

/// A socket that never waits, and where its words go: a path, or behind `@` an abstract name.
fn open(address: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let to = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None if address.starts_with('/') => SocketAddr::from_pathname(address)?,
        None => return Err(io::Error::new(io::ErrorKind::InvalidInput, "no absolute path")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, to))
}

/// The watchdog's period of so many microseconds, if it is meant for process `us`.
fn watchdog(period: Option<&str>, pid: Option<&str>, us: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(us)) {
        return None;
    }
    let micros = period?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_for_the_process_it_names() {
        let second = Some(Duration::from_secs(1));
        let cases = [
            ("for whoever has it", Some("1000000"), None, second),
            ("for us", Some("1000000"), Some("7"), second),
            ("for another", Some("1000000"), Some("8"), None),
            ("for nobody", Some("1000000"), Some("x"), None),
            ("none", None, Some("7"), None),
            ("never", Some("0"), None, None),
            ("no number", Some("1s"), None, None),
        ];
        for (name, period, pid, want) in cases {
            assert_eq!(watchdog(period, pid, 7), want, "{name}");
        }
    }

    #[test]
    fn addresses_are_paths_and_abstract_names() {
        for (address, good) in [("/run/x", true), ("@x", true), ("x", false), ("", false)] {
            assert_eq!(open(address).is_ok(), good, "{address}");
        }
    }
}
