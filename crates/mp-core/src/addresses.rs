//! The order in which a client tries the addresses of its server's name.

use std::net::SocketAddr;

use crate::limits::ADDRESSES_MAX;

/// Returns the first [`ADDRESSES_MAX`] of `addresses` in the order in which a client tries them:
/// IPv6 and IPv4 alternate, beginning with the family of the first address (RFC 8305, section 4).
pub fn interleave_families(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.into_iter().collect();
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    while ordered.len() < ADDRESSES_MAX {
        let len = ordered.len();
        ordered.extend(first.next().into_iter().chain(second.next()));
        if ordered.len() == len {
            break;
        }
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_of_addresses_alternate() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"];
        let ordered = interleave_families(addresses.iter().map(|address| address.parse().unwrap()));
        let ordered: Vec<_> = ordered.iter().map(ToString::to_string).collect();
        assert_eq!(ordered, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        let many = (1..100).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(interleave_families(many).len(), ADDRESSES_MAX);
    }
}
