//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

/// Address to listen on: an IP address or `*` for all addresses of the machine, and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BindAddress {
    /// IP address; `None` for all addresses.
    pub ip: Option<IpAddr>,
    /// Port; with 0 the system chooses one.
    pub port: u16,
}

impl BindAddress {
    /// Returns the address of a socket. All addresses are `[::]`, which includes IPv4, or
    /// `0.0.0.0` if the system has no IPv6.
    pub fn socket_addr(self) -> SocketAddr {
        let has_ipv6 = || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
        SocketAddr::new(self.ip.unwrap_or_else(|| any_address(has_ipv6)), self.port)
    }
}

impl FromStr for BindAddress {
    type Err = ParseBindAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.strip_prefix("*:") {
            Some(port) => port.parse().ok().map(|port| Self { ip: None, port }),
            None => text
                .parse::<SocketAddr>()
                .ok()
                .map(|address| Self { ip: Some(address.ip()), port: address.port() }),
        };
        parsed.ok_or(ParseBindAddressError)
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            None => write!(f, "*:{}", self.port),
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
        }
    }
}

/// A text is not an address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseBindAddressError;

impl fmt::Display for ParseBindAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an IP address and a port, such as 0.0.0.0:7777 or *:7777")
    }
}

impl std::error::Error for ParseBindAddressError {}

/// Returns the unspecified address: of IPv6, which includes IPv4, or of IPv4 if the system has no
/// IPv6.
fn any_address(has_ipv6: impl FnOnce() -> bool) -> IpAddr {
    if has_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_include_ipv6_if_the_system_has_it() {
        assert_eq!(any_address(|| true).to_string(), "::");
        assert_eq!(any_address(|| false).to_string(), "0.0.0.0");
    }

    #[test]
    fn addresses_are_parsed_and_printed() {
        for text in ["*:7777", "0.0.0.0:1", "[::1]:0"] {
            assert_eq!(text.parse::<BindAddress>().unwrap().to_string(), text);
        }
        for wrong in ["", "*", "*:seven", "localhost:1", "127.0.0.1", "*:65536"] {
            assert_eq!(wrong.parse::<BindAddress>(), Err(ParseBindAddressError), "{wrong}");
        }
    }
}
