//! [`ListenAddress`]: a port or an address to listen at.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A port of all addresses of this machine, or one address with a port. Port 0 lets the operating
/// system choose one.
///
/// A port alone means IPv6 and IPv4, or IPv4 if the system has no IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` for all addresses.
    ip: Option<IpAddr>,
    port: u16,
}

impl From<u16> for ListenAddress {
    fn from(port: u16) -> Self {
        Self { ip: None, port }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self { ip: Some(address.ip()), port: address.port() }
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for ListenAddress {
    fn from((ip, port): (I, u16)) -> Self {
        Self { ip: Some(ip.into()), port }
    }
}

impl ListenAddress {
    /// Calls `bind` with the address.
    pub(super) fn bind<P, E: Error + 'static>(
        self,
        bind: impl Fn(SocketAddr) -> Result<P, E>,
    ) -> Result<P, E> {
        let Self { ip, port } = self;
        match ip {
            Some(ip) => bind((ip, port).into()),
            None => {
                bind((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| {
                    match lacks_family(&error) {
                        true => bind((Ipv4Addr::UNSPECIFIED, port).into()),
                        false => Err(error),
                    }
                })
            }
        }
    }
}

/// Returns whether the address was not bound for another reason than its port: the system has no
/// IPv6.
fn lacks_family(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            use io::ErrorKind::{AddrInUse, PermissionDenied};
            return !matches!(error.kind(), AddrInUse | PermissionDenied);
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of a transport that could not bind its socket.
    #[derive(Debug, thiserror::Error)]
    #[error("cannot bind")]
    struct Refused(#[source] io::Error);

    /// Binds to `at` on a system that fails for IPv6 with `kind`. Returns the tried addresses.
    fn tried(at: impl Into<ListenAddress>, kind: io::ErrorKind) -> Vec<String> {
        let tried = std::cell::RefCell::new(Vec::new());
        let _ = at.into().bind(|address| {
            tried.borrow_mut().push(address.to_string());
            if address.is_ipv6() { Err(Refused(kind.into())) } else { Ok(()) }
        });
        tried.into_inner()
    }

    #[test]
    fn port_alone_falls_back_to_ipv4_where_ipv6_is_missing() {
        assert_eq!(tried(7777, io::ErrorKind::Unsupported), ["[::]:7777", "0.0.0.0:7777"]);
    }

    #[test]
    fn port_in_use_is_not_tried_again_with_ipv4() {
        assert_eq!(tried(7777, io::ErrorKind::AddrInUse), ["[::]:7777"]);
    }

    #[test]
    fn address_is_bound_as_given() {
        assert_eq!(tried((Ipv6Addr::LOCALHOST, 1), io::ErrorKind::Unsupported), ["[::1]:1"]);
    }
}
