//! Address validation: a forged address must not be sent more than three times what it cost.

use crate::limits::AMPLIFICATION_MAX;
use crate::proto::Millis;

/// Bytes exchanged with an address that has not shown yet that it receives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AddressValidation {
    since: Millis,
    received: u64,
    sent: u64,
}

impl AddressValidation {
    /// Starts with a CONNECT in a datagram of `len` bytes.
    pub(crate) const fn new(since: Millis, len: usize) -> Self {
        Self { since, received: len as u64 + IP_AND_UDP_LEN, sent: 0 }
    }

    /// Time of the CONNECT.
    pub(super) const fn since(&self) -> Millis {
        self.since
    }

    /// Counts a datagram of `len` bytes from the address.
    pub(super) const fn received(&mut self, len: usize) {
        self.received += len as u64 + IP_AND_UDP_LEN;
    }

    /// Counts a datagram of `len` bytes to the address.
    pub(super) const fn sent(&mut self, len: usize) {
        self.sent += len as u64 + IP_AND_UDP_LEN;
    }

    /// Returns whether the address may be sent a datagram of `len` bytes.
    pub(super) const fn allows(&self, len: usize) -> bool {
        self.sent + len as u64 + IP_AND_UDP_LEN <= self.received * AMPLIFICATION_MAX
    }
}

/// Bytes around a datagram on the wire, IPv4.
const IP_AND_UDP_LEN: u64 = 28;
