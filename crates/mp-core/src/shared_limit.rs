//! A limit on the bytes of all connections together.

use crate::limits::QUEUED_PACKET_OVERHEAD;

/// A limit on the bytes that all connections of a transport hold together, of which each may always
/// have a share.
///
/// A connection may take more bytes while the sum stays within the limit, or while it has no more
/// than its share. So the sum passes the limit by the shares of all connections at most, and
/// connections that hold little are not affected by those that hold much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLimit {
    bytes: usize,
    bytes_max: usize,
    share: usize,
}

impl SharedLimit {
    /// A limit of `bytes_max` bytes of all connections, of which each may always have `share`.
    pub const fn new(bytes_max: usize, share: usize) -> Self {
        Self { bytes: 0, bytes_max, share }
    }

    /// Returns whether a connection that has `own` bytes may have `more`.
    pub const fn allows(&self, own: usize, more: usize) -> bool {
        self.bytes.saturating_add(more) <= self.bytes_max || own.saturating_add(more) <= self.share
    }

    /// Records that a connection, or another holder of bytes, has `after` bytes instead of
    /// `before`.
    pub const fn replace(&mut self, before: usize, after: usize) {
        debug_assert!(before <= self.bytes, "bytes were given back that nobody had");
        self.bytes = self.bytes.saturating_sub(before) + after;
    }

    /// Bytes of all connections.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Returns the memory in bytes that a queued packet of `len` bytes takes when `connections` queue
/// it together, for each of them: they share its payload.
pub const fn queued_bytes(len: usize, connections: usize) -> usize {
    let sharing = if connections > 1 { connections } else { 1 };
    len / sharing + QUEUED_PACKET_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_may_have_its_share_when_the_others_have_everything() {
        let mut limit = SharedLimit::new(1_000, 100);
        assert!(limit.allows(0, 1_000));
        assert!(!limit.allows(0, 1_001));
        limit.replace(0, 1_000);
        assert!(limit.allows(0, 100));
        assert!(!limit.allows(0, 101));
        assert!(!limit.allows(100, 1));
        limit.replace(1_000, 900);
        assert!(limit.allows(100, 100));
        assert_eq!(limit.bytes(), 900);
    }

    #[test]
    fn connections_that_queue_a_packet_together_share_its_bytes() {
        assert_eq!(queued_bytes(1_000, 1), 1_000 + QUEUED_PACKET_OVERHEAD);
        assert_eq!(queued_bytes(1_000, 10), 100 + QUEUED_PACKET_OVERHEAD);
        assert_eq!(queued_bytes(1_000, 0), queued_bytes(1_000, 1));
    }
}
