//! The addresses of this host.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

/// Returns the addresses at which other hosts may reach this one: those of its interfaces, without
/// loopback and link-local ones. On a host that has no others, its loopback addresses.
///
/// # Errors
///
/// When the system does not tell. Elsewhere than on Linux it is not asked.
pub fn host_addresses() -> io::Result<BTreeSet<IpAddr>> {
    let all = interface_addresses()?;
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
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_addresses_and_names_loopback_only_when_it_has_no_others() {
        let addresses = host_addresses().unwrap();
        let loopback = addresses.iter().filter(|ip| ip.is_loopback()).count();
        assert!(!addresses.is_empty());
        assert!(loopback == 0 || loopback == addresses.len(), "{addresses:?}");
        assert!(!addresses.iter().any(|ip| is_link_local(*ip)), "{addresses:?}");
    }
}
