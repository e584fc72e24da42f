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
    /// SYNC elements dropped because newer ones had been received.
    pub old_syncs: u64,
    /// Times that properties of a synchronizer were not sent because they exceed the maximum packet
    /// size. Reported once as [`TooLarge`](crate::replication::ReplicationError::TooLarge).
    pub oversized_states: u64,
    /// Times the program did not run the branch for more than a second although it was due. This
    /// time does not count against peers.
    pub stalls: u64,
}
