//! A byte limit that the connections of a transport share.

use crate::bug;
use crate::limits::QUEUED_PACKET_OVERHEAD;

/// A limit on the bytes that all connections of a transport use together. Each connection has a
/// guaranteed share.
///
/// A connection may add bytes while the sum stays within the limit, or while its own bytes stay
/// within the share. The sum therefore exceeds the limit by at most the shares of all connections,
/// and connections with few bytes are not affected by those with many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLimit {
    bytes: usize,
    bytes_max: usize,
    share: usize,
}

impl SharedLimit {
    /// Returns a limit of `bytes_max` bytes for all connections, with a guaranteed `share` for
    /// each.
    pub const fn new(bytes_max: usize, share: usize) -> Self {
        Self { bytes: 0, bytes_max, share }
    }

    /// Returns whether a connection that has `own` bytes may add `more`.
    pub const fn allows(&self, own: usize, more: usize) -> bool {
        self.bytes.saturating_add(more) <= self.bytes_max || own.saturating_add(more) <= self.share
    }

    /// Records that a connection, or another user of the limit, has `after` bytes instead of
    /// `before`.
    #[inline]
    pub fn replace(&mut self, before: usize, after: usize) {
        bug::subtract(&mut self.bytes, before);
        self.bytes += after;
    }

    /// Returns the bytes of all connections.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Returns the memory in bytes that each of `connections` connections is charged for a queued
/// packet of `len` bytes. The connections share the payload.
pub const fn queued_bytes(len: usize, connections: usize) -> usize {
    let share = if connections > 1 { len / connections } else { len };
    share + QUEUED_PACKET_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_gets_its_share_when_the_limit_is_exhausted() {
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
    fn connections_that_queue_the_same_packet_split_its_bytes() {
        assert_eq!(queued_bytes(1_000, 1), 1_000 + QUEUED_PACKET_OVERHEAD);
        assert_eq!(queued_bytes(1_000, 10), 100 + QUEUED_PACKET_OVERHEAD);
        assert_eq!(queued_bytes(1_000, 0), queued_bytes(1_000, 1));
    }
}
