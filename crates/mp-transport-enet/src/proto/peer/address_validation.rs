//! Address validation (as in RFC 9000, section 8): until a client has proved that it receives at
//! its address, it is sent at most three times the bytes that were received from there. This limits
//! amplification attacks with forged addresses.

use crate::limits::AMPLIFICATION_MAX;
use crate::proto::Millis;

/// Bytes exchanged with an address that is not validated.
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

    /// Returns the time of the CONNECT.
    pub(super) const fn since(&self) -> Millis {
        self.since
    }

    /// Counts a received datagram of `len` bytes.
    pub(super) const fn received(&mut self, len: usize) {
        self.received += len as u64 + IP_AND_UDP_LEN;
    }

    /// Counts a sent datagram of `len` bytes.
    pub(super) const fn sent(&mut self, len: usize) {
        self.sent += len as u64 + IP_AND_UDP_LEN;
    }

    /// Returns whether a datagram of `len` bytes may be sent.
    pub(super) const fn allows(&self, len: usize) -> bool {
        self.sent + len as u64 + IP_AND_UDP_LEN <= self.received * AMPLIFICATION_MAX
    }
}

/// Bytes of the IPv4 and UDP headers.
const IP_AND_UDP_LEN: u64 = 28;
