//! The addresses of this host.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Returns the addresses at which other hosts may reach this one, without loopback and link-local
/// addresses. If there are no others, returns the loopback addresses.
///
/// On Linux these are the addresses of all interfaces. On other systems they are those of the
/// interfaces of the default routes, at most one of each family.
///
/// # Errors
///
/// The error of the operating system (Linux only).
pub fn host_addresses() -> io::Result<BTreeSet<IpAddr>> {
    let all = if cfg!(target_os = "linux") { interface_addresses()? } else { route_addresses() };
    let (loopback, others): (BTreeSet<_>, BTreeSet<_>) =
        all.into_iter().filter(|ip| !is_link_local(*ip)).partition(IpAddr::is_loopback);
    Ok(if others.is_empty() { loopback } else { others })
}

const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(target_os = "linux")]
fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs().map_err(io::Error::from)?;
    let addresses = interfaces.filter_map(|it| crate::linux::to_std(&it.address?));
    Ok(addresses.map(|address| address.ip()).collect())
}

#[cfg(not(target_os = "linux"))]
fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    Ok(Vec::new())
}

/// Returns the source addresses of packets to the Internet, and the loopback addresses.
///
/// Connecting a UDP socket sends nothing. The destinations are reserved for documentation.
fn route_addresses() -> Vec<IpAddr> {
    let to_v4 = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9));
    let to_v6 = SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9));
    let any = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let source = |(any, to): (IpAddr, SocketAddr)| -> io::Result<IpAddr> {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(to)?;
        Ok(socket.local_addr()?.ip())
    };
    let sources = any.into_iter().zip([to_v4, to_v6]).map(source);
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    sources.flatten().filter(|ip| !ip.is_unspecified()).chain(loopback).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_addresses_are_loopback_only_without_others() {
        let addresses = host_addresses().unwrap();
        let loopback = addresses.iter().filter(|ip| ip.is_loopback()).count();
        assert!(!addresses.is_empty());
        assert!(loopback == 0 || loopback == addresses.len(), "{addresses:?}");
        assert!(!addresses.iter().any(|ip| is_link_local(*ip)), "{addresses:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn addresses_of_default_routes_are_addresses_of_interfaces() {
        let interfaces = interface_addresses().unwrap();
        for ip in route_addresses() {
            assert!(ip.is_loopback() || interfaces.contains(&ip), "{ip} is not in {interfaces:?}");
        }
    }
}
