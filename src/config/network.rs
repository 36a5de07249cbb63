//! Networks that peers may come from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::value::{self, BadValue};

/// One address, or all that begin with the same bits: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The first address.
    address: IpAddr,
    /// Bits that all addresses begin with.
    prefix: u32,
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/PREFIX`.
    pub(super) fn new(text: &str) -> Result<Self, BadValue> {
        let wrong = || BadValue::new("is no network such as 10.0.0.0/8, 192.168.1.7 or fd00::/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = bits(address);
        let prefix = match prefix {
            None => most,
            Some(prefix) => usize::try_from(most)
                .ok()
                .and_then(|most| value::count(prefix, 0, most).ok())
                .and_then(|prefix| u32::try_from(prefix).ok())
                .ok_or_else(|| BadValue::new(format!("has no prefix from 0 to {most}")))?,
        };
        let network = Self { address: first(address, prefix), prefix };
        if network.address != address {
            return Err(BadValue::new(format!("has bits set behind its prefix; write {network}")));
        }
        match address {
            IpAddr::V6(mapped) if prefix >= MAPPED => match mapped.to_ipv4_mapped() {
                Some(address) => {
                    let address = IpAddr::V4(address);
                    let network = Self { address, prefix: prefix.saturating_sub(MAPPED) };
                    let rule = format!("is an IPv4 network in IPv6; write {network}");
                    Err(BadValue::new(rule))
                }
                None => Ok(network),
            },
            _ => Ok(network),
        }
    }

    /// Whether `peer`, which is not IPv4 in IPv6, is within.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        peer.is_ipv4() == self.address.is_ipv4() && first(peer, self.prefix) == self.address
    }
}

/// As the configuration writes it; one address has no prefix.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, prefix } = self;
        if *prefix == bits(*address) { address.fmt(f) } else { write!(f, "{address}/{prefix}") }
    }
}

/// The prefix of `::ffff:0.0.0.0`, below which IPv6 has all of IPv4.
const MAPPED: u32 = 96;

const fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

/// The first address of those that begin with the same `prefix` bits.
fn first(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(prefix).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & !rest).into()
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(prefix).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & !rest).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_judged() {
        let no_network = "is no network such as 10.0.0.0/8, 192.168.1.7 or fd00::/8";
        let cases = [
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("10.0.0.7", Ok("10.0.0.7")),
            ("10.0.0.7/32", Ok("10.0.0.7")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("::1", Ok("::1")),
            ("::/0", Ok("::/0")),
            ("FD00:0::/8", Ok("fd00::/8")),
            ("fe80::/10", Ok("fe80::/10")),
            ("10.0.0.1/8", Err("has bits set behind its prefix; write 10.0.0.0/8")),
            ("192.168.1.7/31", Err("has bits set behind its prefix; write 192.168.1.6/31")),
            ("1.2.3.4/0", Err("has bits set behind its prefix; write 0.0.0.0/0")),
            ("fd00::1/64", Err("has bits set behind its prefix; write fd00::/64")),
            ("::ffff:10.0.0.0/104", Err("is an IPv4 network in IPv6; write 10.0.0.0/8")),
            ("::ffff:10.0.0.7", Err("is an IPv4 network in IPv6; write 10.0.0.7")),
            ("10.0.0.0/33", Err("has no prefix from 0 to 32")),
            ("10.0.0.0/", Err("has no prefix from 0 to 32")),
            ("10.0.0.0/+8", Err("has no prefix from 0 to 32")),
            ("10.0.0.0/255.0.0.0", Err("has no prefix from 0 to 32")),
            ("::/129", Err("has no prefix from 0 to 128")),
            ("10.0.0", Err(no_network)),
            ("10/8", Err(no_network)),
            ("010.0.0.0/8", Err(no_network)),
            ("[::1]", Err(no_network)),
            ("localhost", Err(no_network)),
            ("", Err(no_network)),
        ];
        for (text, want) in cases {
            let got = Network::new(text).map(|network| network.to_string());
            assert_eq!(got, want.map(str::to_owned).map_err(BadValue::new), "{text}");
        }
    }

    #[test]
    fn a_peer_is_within_or_not() {
        let cases = [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "9.255.255.255", false),
            ("192.168.1.6/31", "192.168.1.7", true),
            ("192.168.1.6/31", "192.168.1.8", false),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "fe80::1", true),
            ("::/0", "10.0.0.7", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1", "::1", true),
            ("::1", "::2", false),
        ];
        for (network, peer, want) in cases {
            let read = Network::new(network).unwrap();
            assert_eq!(read.contains(peer.parse().unwrap()), want, "{network} {peer}");
        }
    }
}
