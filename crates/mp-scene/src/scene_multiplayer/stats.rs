//! Statistics of a `SceneMultiplayer`.

/// Counters since the `SceneMultiplayer` was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SceneStats {
    /// Packets received from admitted peers.
    pub packets_received: u64,
    /// Packets that could not be decoded, or that their sender may not send.
    pub malformed_packets: u64,
    /// Calls that were decoded but not made: no such node or method, or not allowed.
    pub refused_calls: u64,
    /// Answers to requests that were dropped: late, repeated, or of another peer than the asked
    /// one.
    pub refused_answers: u64,
    /// Packets forwarded between clients.
    pub relayed_packets: u64,
    /// Packets for other clients of clients that may not send to them
    /// ([`set_relay_permission`](crate::SceneMultiplayer::set_relay_permission)).
    pub refused_relays: u64,
    /// Times that a limit of the [`RelayPolicy`](crate::RelayPolicy) had an effect.
    pub relay_limit_hits: u64,
    /// Packets from or to unknown peers, and packets that the local relay setting refuses.
    pub stray_packets: u64,
    /// Connections rejected because their id was in use.
    pub duplicate_ids: u64,
    /// Peers disconnected because they sent nothing for the silence timeout.
    pub silent_peers: u64,
    /// Unreliable packets dropped because an endpoint was blocked.
    pub outbox_drops: u64,
    /// Unreliable packets dropped because their peer was paused.
    pub paused_drops: u64,
    /// Peers that were kept after their connection was lost.
    pub kept_peers: u64,
    /// Peers that had to leave although the program wanted to keep them, because the branch keeps
    /// [as many as it may](crate::limits::KEPT_PEERS_MAX).
    pub refused_keeps: u64,
    /// Peers that have resumed their session.
    pub resumed_peers: u64,
    /// Kept peers that have left because they did not resume in time.
    pub expired_keeps: u64,
    /// Packets and calls dropped because their peer had no connection and was kept.
    pub kept_drops: u64,
    /// Calls queued for kept peers ([`Keep::queue_calls`](crate::Keep::queue_calls)). Those that
    /// cannot be sent when the peer has resumed are in [`kept_drops`](Self::kept_drops), too.
    pub queued_calls: u64,
    /// Steps in which a peer was not sent properties, because it was paused or its endpoint was
    /// blocked.
    pub skipped_steps: u64,
    /// Announcements of paths and nodes (SIMPLIFY_PATH, SPAWN, DESPAWN) that were refused or did
    /// not match the local scene.
    pub refused_announcements: u64,
    /// Elements of SYNC and DELTA packets that were refused: their synchronizer is unknown, or its
    /// authority is another peer.
    pub refused_elements: u64,
    /// Paths that were announced again to peers that had not confirmed them.
    pub repeated_paths: u64,
    /// Path ids of remote peers that were evicted because a limit was reached.
    pub discarded_paths: u64,
    /// Packets and elements of SYNC and DELTA packets that peers which have moved to another branch
    /// sent for the earlier one, before they received the move or because they go on sending for
    /// nodes of that branch.
    pub moved_packets: u64,
    /// SYNC elements dropped because newer ones had been received.
    pub old_syncs: u64,
    /// Times that properties of a synchronizer were not sent because they exceed the maximum packet
    /// size. Reported once as [`TooLarge`](crate::replication::ReplicationError::TooLarge).
    pub oversized_states: u64,
    /// Times the program did not run the branch for more than a second although it was due. This
    /// time does not count against peers.
    pub stalls: u64,
}

impl SceneStats {
    /// Adds the counters of `other`.
    pub fn add_all(&mut self, other: &Self) {
        *self = self.combine(other, u64::wrapping_add);
    }

    /// Returns what was counted after `earlier`, a former value of the same statistics.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.combine(earlier, u64::saturating_sub)
    }

    fn combine(&self, other: &Self, combine: fn(u64, u64) -> u64) -> Self {
        Self {
            packets_received: combine(self.packets_received, other.packets_received),
            malformed_packets: combine(self.malformed_packets, other.malformed_packets),
            refused_calls: combine(self.refused_calls, other.refused_calls),
            refused_answers: combine(self.refused_answers, other.refused_answers),
            relayed_packets: combine(self.relayed_packets, other.relayed_packets),
            refused_relays: combine(self.refused_relays, other.refused_relays),
            relay_limit_hits: combine(self.relay_limit_hits, other.relay_limit_hits),
            stray_packets: combine(self.stray_packets, other.stray_packets),
            duplicate_ids: combine(self.duplicate_ids, other.duplicate_ids),
            silent_peers: combine(self.silent_peers, other.silent_peers),
            outbox_drops: combine(self.outbox_drops, other.outbox_drops),
            paused_drops: combine(self.paused_drops, other.paused_drops),
            kept_peers: combine(self.kept_peers, other.kept_peers),
            refused_keeps: combine(self.refused_keeps, other.refused_keeps),
            resumed_peers: combine(self.resumed_peers, other.resumed_peers),
            expired_keeps: combine(self.expired_keeps, other.expired_keeps),
            kept_drops: combine(self.kept_drops, other.kept_drops),
            queued_calls: combine(self.queued_calls, other.queued_calls),
            skipped_steps: combine(self.skipped_steps, other.skipped_steps),
            refused_announcements: combine(self.refused_announcements, other.refused_announcements),
            refused_elements: combine(self.refused_elements, other.refused_elements),
            repeated_paths: combine(self.repeated_paths, other.repeated_paths),
            discarded_paths: combine(self.discarded_paths, other.discarded_paths),
            moved_packets: combine(self.moved_packets, other.moved_packets),
            old_syncs: combine(self.old_syncs, other.old_syncs),
            oversized_states: combine(self.oversized_states, other.oversized_states),
            stalls: combine(self.stalls, other.stalls),
        }
    }
}
