//! What systemd is told, and the sockets that it hands over.
//!
//! Both protocols are plain: words in datagrams to the socket that `NOTIFY_SOCKET` names (sd_notify(3)),
//! and descriptors from 3 on that `LISTEN_FDS` counts (sd_listen_fds(3)). Others speak them too: podman,
//! s6 and OpenRC by helpers. Where the variables are missing, nothing happens.

mod inherited;
mod notify;

pub use self::inherited::Inherited;
pub use self::notify::Notify;

/// What systemd sets for fanin alone: commands that it runs are not meant.
pub const VARIABLES: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];
