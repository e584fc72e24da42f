//! The state of a session that moves to another branch with its connection.
#![expect(clippy::exhaustive_structs, reason = "protocols of branches build and read these")]

/// State of a remote peer's session that stays valid in another branch, because the remote peer
/// keeps it while its connection lasts. Branches read and write it; endpoints only pass it on.
///
/// A Godot client keeps its session with peer 1: it forgets neither the path ids that it has
/// assigned nor those that it was sent, and accepts each of the latter only once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CarriedSession {
    /// Path ids that branches have announced to the remote peer.
    pub announced: Vec<AnnouncedId>,
    /// Path ids that the remote peer has assigned.
    pub assigned: Vec<AssignedId>,
    /// Highest net id that the remote peer has announced; 0 if none.
    pub last_net_id: u32,
    /// Number of the last replication step that the remote peer was sent.
    pub sync_time: u16,
    /// Malformed packets of the remote peer, which count against its budget.
    pub malformed_packets: u64,
}

/// A path id that a branch has announced to a remote peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AnnouncedId {
    /// The path id.
    pub id: u32,
    /// True if the remote peer has confirmed it.
    pub is_confirmed: bool,
}

/// A path id that a remote peer has assigned to one of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AssignedId {
    /// The path id.
    pub id: u32,
    /// Path of the node, relative to the multiplayer root; `None` if the node was part of a spawned
    /// node of an earlier branch, so that no node of another branch is meant.
    pub path: Option<Box<str>>,
    /// Checksum of the node's RPC methods at the remote peer.
    pub checksum: [u8; 32],
}
