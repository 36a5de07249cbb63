//! `targets` of a probe: which printers may be asked for beside those that are configured.

use std::net::IpAddr;

use super::klipper::MOONRAKER;
use super::network::Network;
use super::value::BadValue;
use crate::http::url::{Endpoint, Target};

/// Networks in which a printer may be unasked: private ones and this machine.
const HOME: [&str; 6] =
    ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7"];

/// Which printers may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    home: Vec<Network>,
    listed: Vec<Listed>,
}

/// One of `targets`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Listed {
    /// `any`.
    Any,
    /// `10.1.0.0/16`, `10.1.0.7:80`.
    Network(Network, u16),
    /// `voron.lan`, `*.printers.example.net:80`.
    Name(Box<str>, u16),
    /// `unix:///run/moonraker.sock`.
    Unix(Box<str>),
}

impl Default for Targets {
    fn default() -> Self {
        let home = HOME.into_iter().filter_map(|network| Network::new(network).ok()).collect();
        Self { home, listed: Vec::new() }
    }
}

impl Targets {
    /// Adds one: `any`, a network or address, a name with or without `*`, each with or without
    /// `:PORT` (7125 without), or `unix://SOCKET`.
    pub(super) fn add(&mut self, text: &str) -> Result<(), BadValue> {
        self.listed.push(Listed::new(text)?);
        Ok(())
    }

    /// Whether a printer may be asked for whatever its address.
    #[must_use]
    pub fn names(&self, target: &Target) -> bool {
        self.listed.iter().any(|listed| match (listed, target.authority().endpoint()) {
            (Listed::Any, Endpoint::Host(..)) => true,
            (Listed::Name(pattern, port), Endpoint::Host(host, own)) => {
                *port == own && fits(pattern, host)
            }
            (Listed::Unix(path), Endpoint::Unix(own)) => own.as_os_str() == &**path,
            _ => false,
        })
    }

    /// Whether one at this address may be asked for at this port.
    #[must_use]
    pub fn allows(&self, address: IpAddr, port: u16) -> bool {
        let home = || self.home.iter().any(|network| network.contains(address));
        (port == MOONRAKER && home())
            || self.listed.iter().any(|listed| match listed {
                Listed::Network(network, own) => *own == port && network.contains(address),
                _ => false,
            })
    }
}

impl Listed {
    fn new(text: &str) -> Result<Self, BadValue> {
        if text == "any" {
            return Ok(Self::Any);
        }
        if let Some(path) = text.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = split_port(text)?;
        match Network::new(host.trim_start_matches('[').trim_end_matches(']')) {
            Ok(network) => Ok(Self::Network(network, port)),
            Err(rule) if host.contains(['/', ':']) => Err(rule),
            Err(_) => {
                let letter = |b: u8| b.is_ascii_alphanumeric() || b"-._*".contains(&b);
                if host.is_empty() || !host.bytes().all(letter) {
                    return Err(BadValue::new(
                        "is no name, address or network such as 10.1.0.0/16",
                    ));
                }
                Ok(Self::Name(host.to_ascii_lowercase().into(), port))
            }
        }
    }
}

/// What is in front of the port, and the port; Moonraker's where there is none.
fn split_port(text: &str) -> Result<(&str, u16), BadValue> {
    let at = match text.rfind(']') {
        Some(bracket) => {
            text.get(bracket..).and_then(|rest| rest.find(':')).map(|at| bracket.saturating_add(at))
        }
        // More than one belong to an address.
        None => text.find(':').filter(|at| Some(*at) == text.rfind(':')),
    };
    let Some((host, port)) = at.and_then(|at| text.split_at_checked(at)) else {
        return Ok((text, MOONRAKER));
    };
    let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
    Ok((host, port.ok_or_else(|| BadValue::new("has no port from 0 to 65535"))?))
}

/// Whether `name` is what `pattern` says, where `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((front, mut pattern)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(front) else { return false };
    while let Some((piece, behind)) = pattern.split_once('*') {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        (pattern, rest) = (behind, after);
    }
    rest.ends_with(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::klipper::printer;

    #[test]
    fn names_fit_or_do_not() {
        let cases = [
            ("a", "a", true),
            ("*", "", true),
            ("*.lan", "voron.lan", true),
            ("*.lan", "voron.lan.evil", false),
            ("v*n*.lan", "voron-2.lan", true),
            ("v*x*.lan", "voron.lan", false),
            ("a*a", "a", false),
        ];
        for (pattern, name, want) in cases {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn strangers_are_told_from_printers() {
        let cases = [
            ("", "10.0.0.7", true),
            ("", "10.0.0.7:80", false),
            ("", "127.0.0.1", true),
            ("", "[::1]", true),
            ("", "[fd00::7]", true),
            ("", "172.32.0.1", false),
            ("", "169.254.169.254", false),
            ("", "0.0.0.0", false),
            ("", "192.0.2.7", false),
            ("", "[fe80::1]", false),
            ("", "unix:///run/x.sock", false),
            ("unix:///run/x.sock", "unix:///run/x.sock", true),
            ("any", "192.0.2.7:80", true),
            ("any", "unix:///run/x.sock", false),
            ("192.0.2.0/24", "192.0.2.7", true),
            ("192.0.2.0/24", "192.0.2.7:80", false),
            ("192.0.2.0/24:80", "192.0.2.7:80", true),
            ("[2001:db8::]:80", "[2001:db8::]:80", true),
            ("2001:db8::/32", "[2001:db8::7]", true),
        ];
        for (listed, asked, want) in cases {
            let mut targets = Targets::default();
            if !listed.is_empty() {
                targets.add(listed).unwrap();
            }
            let target = printer(asked).unwrap();
            let address = match target.authority().endpoint() {
                Endpoint::Host(host, port) => Some((host.parse().unwrap(), port)),
                Endpoint::Unix(_) => None,
            };
            let allowed = address.is_some_and(|(address, port)| targets.allows(address, port));
            assert_eq!(targets.names(&target) || allowed, want, "{listed:?} {asked}");
        }
        let mut targets = Targets::default();
        targets.add("*.lan:80").unwrap();
        assert!(targets.names(&printer("http://Voron.lan").unwrap()));
        assert!(!targets.names(&printer("voron.lan").unwrap()));
        for wrong in ["", "a b", "10.0.0.0/33", "a:x", "http://a"] {
            assert!(targets.add(wrong).is_err(), "{wrong}");
        }
    }
}
