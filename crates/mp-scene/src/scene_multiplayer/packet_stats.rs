//! Packets and bytes by kind.

/// The kind of a packet of `SceneMultiplayer`, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PacketKind {
    /// A call (REMOTE_CALL).
    Rpc,
    /// Properties that are always sent (SYNC).
    Sync,
    /// Changed properties (DELTA).
    Delta,
    /// The announcement of a spawned node (SPAWN).
    Spawn,
    /// The removal of a spawned node (DESPAWN).
    Despawn,
    /// An announced or confirmed path (SIMPLIFY_PATH, CONFIRM_PATH).
    Path,
    /// A packet between two clients (RELAY), whatever it contains.
    Relay,
    /// Bytes of the program (RAW).
    Raw,
    /// A client that joined or left (ADD_PEER, DEL_PEER), or an unknown SYS message.
    Sys,
    /// Bytes of an authentication (AUTH).
    Auth,
}

impl PacketKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Rpc,
        Self::Sync,
        Self::Delta,
        Self::Spawn,
        Self::Despawn,
        Self::Path,
        Self::Relay,
        Self::Raw,
        Self::Sys,
        Self::Auth,
    ];

    /// Returns the name in snake_case, for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rpc => "rpc",
            Self::Sync => "sync",
            Self::Delta => "delta",
            Self::Spawn => "spawn",
            Self::Despawn => "despawn",
            Self::Path => "path",
            Self::Relay => "relay",
            Self::Raw => "raw",
            Self::Sys => "sys",
            Self::Auth => "auth",
        }
    }
}

/// Numbers of packets and of their bytes by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts {
    packets: [u64; PacketKind::ALL.len()],
    bytes: [u64; PacketKind::ALL.len()],
}

impl PacketCounts {
    /// Returns the number of packets of `kind`.
    pub fn packets(&self, kind: PacketKind) -> u64 {
        self.packets[kind as usize]
    }

    /// Returns the bytes of the packets of `kind`, without the transport's headers.
    pub fn bytes(&self, kind: PacketKind) -> u64 {
        self.bytes[kind as usize]
    }

    /// Counts `packets` packets of `bytes` bytes each.
    #[inline]
    pub(super) fn count(&mut self, kind: PacketKind, packets: usize, bytes: usize) {
        self.packets[kind as usize] += packets as u64;
        self.bytes[kind as usize] += (packets * bytes) as u64;
    }

    fn combine(&self, other: &Self, combine: fn(u64, u64) -> u64) -> Self {
        let all = |a: &[u64; PacketKind::ALL.len()], b: &[u64; PacketKind::ALL.len()]| {
            std::array::from_fn(|kind| combine(a[kind], b[kind]))
        };
        Self { packets: all(&self.packets, &other.packets), bytes: all(&self.bytes, &other.bytes) }
    }
}

/// Packets of a `SceneMultiplayer` since it was created, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketStats {
    /// Packets received from peers that are admitted or authenticate. An empty packet has no kind.
    pub received: PacketCounts,
    /// Packets queued for endpoints, once per receiver.
    pub sent: PacketCounts,
}

impl PacketStats {
    /// Adds the counts of `other`.
    pub fn add_all(&mut self, other: &Self) {
        self.received = self.received.combine(&other.received, u64::wrapping_add);
        self.sent = self.sent.combine(&other.sent, u64::wrapping_add);
    }

    /// Returns what was counted after `earlier`, a former value of the same statistics.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            received: self.received.combine(&earlier.received, u64::saturating_sub),
            sent: self.sent.combine(&earlier.sent, u64::saturating_sub),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_label_and_counter() {
        let mut counts = PacketCounts::default();
        for (number, &kind) in PacketKind::ALL.iter().enumerate() {
            counts.count(kind, number, 10);
            assert_eq!(kind.label(), format!("{kind:?}").to_lowercase());
        }
        for (number, &kind) in PacketKind::ALL.iter().enumerate() {
            let number = number as u64;
            assert_eq!((counts.packets(kind), counts.bytes(kind)), (number, 10 * number));
        }
    }

    #[test]
    fn counts_since_an_earlier_value_add_up_to_the_later_one() {
        let mut earlier = PacketStats::default();
        earlier.received.count(PacketKind::Raw, 2, 5);
        let mut later = earlier;
        later.received.count(PacketKind::Raw, 1, 7);
        later.sent.count(PacketKind::Rpc, 3, 2);
        let since = later.since(&earlier);
        assert_eq!(since.received.bytes(PacketKind::Raw), 7);
        earlier.add_all(&since);
        assert_eq!(earlier, later);
    }
}
