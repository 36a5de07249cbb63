//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::value::BadValue;
use crate::http::listen::SocketAccess;
use crate::limits;

/// Why text is no address; printed behind it.
pub type BadAddress = BadValue;

/// Who may open a socket for which the configuration names no mode: owner and group.
const MODE: u32 = 0o660;

const ACCESS: SocketAccess = SocketAccess { mode: MODE, owner: None, group: None };

/// What the configuration says of who may open a socket's file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SocketKeys {
    pub(super) mode: Option<u32>,
    pub(super) owner: Option<u32>,
    pub(super) group: Option<u32>,
}

impl SocketKeys {
    fn access(self) -> SocketAccess {
        let Self { mode, owner, group } = self;
        SocketAccess { mode: mode.unwrap_or(MODE), owner, group }
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// One address, or every address of its family (`0.0.0.0`, `[::]`).
    Tcp(SocketAddr),
    /// Every address of this machine, IPv6 and IPv4 (`tcp://:9100`).
    AnyTcp(u16),
    /// A socket file, and who may open it.
    Unix {
        /// The file; absolute where the configuration names it.
        path: PathBuf,
        /// Who may open it.
        access: SocketAccess,
    },
}

impl Listen {
    /// What to bind, the first that this machine has; nothing for a Unix socket. Only
    /// [`Listen::AnyTcp`] has two: where IPv6 is missing, IPv4 alone must do.
    pub fn candidates(&self) -> impl Iterator<Item = SocketAddr> {
        let (first, second) = match *self {
            Self::Tcp(address) => (Some(address), None),
            Self::AnyTcp(port) => (
                Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
                Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            ),
            Self::Unix { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// Whether the two cannot both be bound.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unix { path, .. }, Self::Unix { path: other, .. }) => path == other,
            _ => self.candidates().any(|a| other.candidates().any(|b| same_port(a, b))),
        }
    }

    /// From the configuration: `tcp://HOST:PORT` or `unix://PATH`, where a relative path starts at
    /// `folder`.
    pub(super) fn in_file(text: &str, folder: &Path, keys: SocketKeys) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("unix://") {
            return unix(&folder.join(path), path, keys.access());
        }
        if text.starts_with("tcps://") || text.starts_with("unixs://") {
            return Err(BadValue::new(
                "belongs elsewhere: TLS is spoken at tcp:// and unix:// where the server has tls",
            ));
        }
        if keys != SocketKeys::default() {
            return Err(BadValue::new("is no Unix socket, and only those have mode and owner"));
        }
        let wrong = || BadValue::new("begins with neither tcp:// nor unix://");
        tcp(text.strip_prefix("tcp://").ok_or_else(wrong)?)
    }
}

/// From the command line: as in the file, and `HOST:PORT`, `:PORT`, and `PORT` alone, which is on
/// loopback.
impl FromStr for Listen {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("unix://") {
            return unix(Path::new(path), path, ACCESS);
        }
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self::Tcp((Ipv4Addr::LOCALHOST, port(text)?).into()));
        }
        match text.split_once("://") {
            Some(("tcp", rest)) => tcp(rest),
            Some(_) => Err(BadValue::new("begins with neither tcp:// nor unix://")),
            None => tcp(text),
        }
    }
}

/// As the log and the configuration write it.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::AnyTcp(port) => write!(f, "tcp://:{port}"),
            Self::Unix { path, .. } => write!(f, "unix://{}", path.display()),
        }
    }
}

/// `HOST:PORT`.
fn tcp(text: &str) -> Result<Listen, BadAddress> {
    let Some((host, digits)) = text.rsplit_once(':') else {
        return Err(BadValue::new("has no port (HOST:PORT)"));
    };
    let port = port(digits)?;
    let address: IpAddr = match host {
        "" => return Ok(Listen::AnyTcp(port)),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => v6.parse::<Ipv6Addr>().map(IpAddr::from).map_err(|_| not_an_ip())?,
            None if host.contains(':') => {
                return Err(BadValue::new("has an IPv6 address without brackets ([::1]:80)"));
            }
            None => host.parse::<Ipv4Addr>().map(IpAddr::from).map_err(|_| not_an_ip())?,
        },
    };
    Ok(Listen::Tcp((address, port).into()))
}

fn not_an_ip() -> BadAddress {
    BadValue::new("has a host that is neither an IP address nor localhost")
}

/// A port; 0 lets the system choose one.
fn port(digits: &str) -> Result<u16, BadAddress> {
    let wrong = || BadValue::new("has no port from 0 to 65535");
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    digits.parse().map_err(|_| wrong())
}

/// A socket file; `text` is how it was written.
fn unix(path: &Path, text: &str, access: SocketAccess) -> Result<Listen, BadAddress> {
    if text.is_empty() || text.ends_with('/') {
        return Err(BadValue::new("names no socket file (unix:///run/fanin.sock)"));
    }
    if text.contains('\0') {
        return Err(BadValue::new("holds a NUL byte"));
    }
    if path.as_os_str().len() > limits::UNIX_PATH {
        let most = limits::UNIX_PATH;
        return Err(BadValue::new(format!("is a path of more than {most} bytes")));
    }
    Ok(Listen::Unix { path: path.to_owned(), access })
}

/// Whether one of the two addresses takes the other's port away.
fn same_port(a: SocketAddr, b: SocketAddr) -> bool {
    let wide = |a: SocketAddr, b: SocketAddr| {
        a.ip().is_unspecified() && (a.is_ipv6() || a.is_ipv4() == b.is_ipv4())
    };
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || wide(a, b) || wide(b, a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_takes_short_forms() {
        let cases = [
            ("tcp://127.0.0.1:80", Ok("tcp://127.0.0.1:80")),
            ("tcp://localhost:80", Ok("tcp://127.0.0.1:80")),
            ("tcp://[::]:80", Ok("tcp://[::]:80")),
            ("tcp://:9100", Ok("tcp://:9100")),
            (":9100", Ok("tcp://:9100")),
            ("9100", Ok("tcp://127.0.0.1:9100")),
            ("0.0.0.0:0", Ok("tcp://0.0.0.0:0")),
            ("[::1]:1", Ok("tcp://[::1]:1")),
            ("unix:///run/x.sock", Ok("unix:///run/x.sock")),
            ("unix://x.sock", Ok("unix://x.sock")),
            ("::1:80", Err("has an IPv6 address without brackets ([::1]:80)")),
            ("example.net:80", Err("has a host that is neither an IP address nor localhost")),
            ("[1.2.3.4]:80", Err("has a host that is neither an IP address nor localhost")),
            ("127.0.0.1", Err("has no port (HOST:PORT)")),
            ("127.0.0.1:", Err("has no port from 0 to 65535")),
            ("127.0.0.1:65536", Err("has no port from 0 to 65535")),
            ("127.0.0.1:+80", Err("has no port from 0 to 65535")),
            ("99999", Err("has no port from 0 to 65535")),
            ("", Err("has no port (HOST:PORT)")),
            ("http://127.0.0.1:80", Err("begins with neither tcp:// nor unix://")),
            ("unix://", Err("names no socket file (unix:///run/fanin.sock)")),
            ("unix:///run/", Err("names no socket file (unix:///run/fanin.sock)")),
        ];
        for (text, want) in cases {
            let got = text.parse::<Listen>().map(|listen| listen.to_string());
            assert_eq!(got, want.map(str::to_owned).map_err(BadValue::new), "{text}");
        }
    }

    #[test]
    fn the_file_wants_a_scheme_and_knows_its_folder() {
        let folder = Path::new("/etc/fanin");
        let cases = [
            ("unix:///run/x", None, Ok("unix:///run/x")),
            ("unix://x", Some(0o600), Ok("unix:///etc/fanin/x")),
            ("tcp://:80", None, Ok("tcp://:80")),
            (":80", None, Err("begins with neither tcp:// nor unix://")),
            (
                "tcp://:80",
                Some(0o600),
                Err("is no Unix socket, and only those have mode and owner"),
            ),
        ];
        for (text, mode, want) in cases {
            let keys = SocketKeys { mode, ..SocketKeys::default() };
            let got = Listen::in_file(text, folder, keys).map(|listen| listen.to_string());
            assert_eq!(got, want.map(str::to_owned).map_err(BadValue::new), "{text}");
        }
        let long = format!("unix:///{}", "x".repeat(limits::UNIX_PATH));
        assert!(Listen::in_file(&long, folder, SocketKeys::default()).is_err());
    }

    #[test]
    fn everywhere_is_both_families_the_wider_first() {
        let cases = [
            (":80", vec!["[::]:80", "0.0.0.0:80"]),
            ("0.0.0.0:80", vec!["0.0.0.0:80"]),
            ("unix:///x", vec![]),
        ];
        for (text, want) in cases {
            let listen: Listen = text.parse().unwrap();
            let got: Vec<String> = listen.candidates().map(|a| a.to_string()).collect();
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn overlaps_are_seen() {
        let cases = [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::]:80", "127.0.0.1:80", true),
            (":80", "[::1]:80", true),
            ("unix:///a", "unix:///a", true),
            ("unix:///a", "unix:///b", false),
            ("unix:///a", ":80", false),
        ];
        for (a, b, want) in cases {
            let (left, right): (Listen, Listen) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(left.overlaps(&right), want, "{a} {b}");
            assert_eq!(right.overlaps(&left), want, "{b} {a}");
        }
    }
}
