//! The bytes that a connection may send to addresses which are not validated.

use std::net::SocketAddr;

use crate::limits::AMPLIFICATION_MAX;

/// A limit of the bytes sent to addresses that the remote peer chose and may have forged, as in
/// QUIC (RFC 9000, section 8): at most [`AMPLIFICATION_MAX`] times the bytes received.
///
/// An address is validated when it replies to a connectivity check of this host, or when the remote
/// peer sends data from it over DTLS. Until then the bytes received from the address count, and
/// those of the session description and candidates for all addresses together.
#[derive(Debug, Default)]
pub(super) struct AmplificationLimit {
    /// Addresses from which datagrams were received, and validated ones.
    addresses: Vec<Address>,
    /// Bytes that may be sent because of received session descriptions and candidates.
    signaling_credit: usize,
}

#[derive(Debug)]
struct Address {
    address: SocketAddr,
    /// Bytes that may be sent to the address until it is validated.
    credit: usize,
    is_validated: bool,
}

impl AmplificationLimit {
    /// Records a received session description or candidate of `len` bytes.
    pub(super) fn record_signaling(&mut self, len: usize) {
        self.signaling_credit = self.signaling_credit.saturating_add(len * AMPLIFICATION_MAX);
    }

    /// Records a received datagram.
    pub(super) fn record_received(&mut self, from: SocketAddr, len: usize) {
        let entry = self.entry(from);
        if !entry.is_validated {
            entry.credit = entry.credit.saturating_add(len * AMPLIFICATION_MAX);
        }
    }

    /// Records that the remote peer receives at `address`.
    pub(super) fn validate(&mut self, address: SocketAddr) {
        self.entry(address).is_validated = true;
    }

    /// Returns whether a datagram of `len` bytes may be sent, which is counted if so.
    pub(super) fn allows(&mut self, to: SocketAddr, len: usize) -> bool {
        let entry = self.addresses.iter_mut().find(|entry| entry.address == to);
        let credit = match entry {
            Some(entry) if entry.is_validated => return true,
            Some(entry) if entry.credit >= len => &mut entry.credit,
            _ => &mut self.signaling_credit,
        };
        let is_allowed = *credit >= len;
        if is_allowed {
            *credit -= len;
        }
        is_allowed
    }

    /// Returns the number of addresses from which datagrams were received.
    pub(super) fn address_count(&self) -> usize {
        self.addresses.len()
    }

    fn entry(&mut self, address: SocketAddr) -> &mut Address {
        let index = self.addresses.iter().position(|entry| entry.address == address);
        let index = index.unwrap_or_else(|| {
            self.addresses.push(Address { address, credit: 0, is_validated: false });
            self.addresses.len() - 1
        });
        &mut self.addresses[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn an_address_gets_three_times_the_bytes_received_from_it() {
        let mut limit = AmplificationLimit::default();
        assert!(!limit.allows(address(1), 1));
        limit.record_received(address(1), 100);
        assert!(limit.allows(address(1), 200) && limit.allows(address(1), 100));
        assert!(!limit.allows(address(1), 1));
        assert!(!limit.allows(address(2), 1));
    }

    #[test]
    fn addresses_share_three_times_the_bytes_of_signaling() {
        let mut limit = AmplificationLimit::default();
        limit.record_signaling(100);
        assert!(limit.allows(address(1), 150) && limit.allows(address(2), 150));
        assert!(!limit.allows(address(3), 1));
    }

    #[test]
    fn a_validated_address_is_not_limited() {
        let mut limit = AmplificationLimit::default();
        limit.validate(address(1));
        assert!(limit.allows(address(1), usize::MAX));
        assert!(!limit.allows(address(2), 1));
    }
}
