//! Counters of a SceneMultiplayer.

/// Counters since the SceneMultiplayer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SceneStats {
    /// Packets that arrived from admitted peers.
    pub packets_received: u64,
    /// Packets that could not be understood, or that their sender may not send.
    pub malformed_packets: u64,
    /// Calls that were understood and not made: no such node or method, or not allowed.
    pub refused_calls: u64,
    /// Packets passed on between clients.
    pub relayed_packets: u64,
    /// Packets of, or for, peers that are not there, and packets that the local relay setting
    /// refuses.
    pub stray_packets: u64,
    /// Peers turned away because their id was in use.
    pub duplicate_ids: u64,
    /// Unreliable packets dropped because an endpoint took nothing.
    pub outbox_drops: u64,
    /// Unreliable packets dropped because their peer was paused.
    pub paused_drops: u64,
    /// Steps in which a peer was not sent properties, because it was paused or its endpoint took nothing.
    pub skipped_steps: u64,
    /// Announcements of numbers and nodes (SIMPLIFY_PATH, SPAWN, DESPAWN) that were not acted on, or did
    /// not match the local scene.
    pub refused_announcements: u64,
    /// Properties of synchronizers that were not accepted: of unknown ones, or of those of other peers.
    pub refused_elements: u64,
    /// Node paths that were announced again to peers that had not confirmed them.
    pub repeated_paths: u64,
    /// Numbers of nodes, given by peers, that were forgotten to make room for others.
    pub forgotten_paths: u64,
    /// Properties that came after newer ones.
    pub old_syncs: u64,
    /// Times the program did not run the branch for more than a second when it was due; that time
    /// is not counted against peers.
    pub stalls: u64,
}
