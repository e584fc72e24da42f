//! Unsafe behavior of Godot, which mp has only on request.
#![expect(clippy::exhaustive_structs, reason = "programs build quirks")]

/// Behavior of Godot 4.6.3 that trusts remote peers; all disabled by default. See
/// `docs/DEVIATIONS.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GodotQuirks {
    /// Drops calls to absent nodes and announcements of their paths. Otherwise they are deferred
    /// until the node is added, up to a timeout.
    pub absent_nodes: bool,
    /// Makes calls whose arguments cannot all be decoded, with null for the missing ones.
    pub incomplete_calls: bool,
    /// Makes calls although the caller's RPC table differs: the method is the one that has the id
    /// locally.
    pub mismatched_methods: bool,
    /// Allows calls to nodes outside the multiplayer root.
    pub paths_outside_root: bool,
    /// Keeps a connection on which only one peer authenticates until that peer's timeout, and drops
    /// what the remote peer sends. Otherwise the first packet that shows the mismatch closes it.
    pub one_sided_authentication: bool,
    /// Drops packets that overtake, on another channel, the remote peer's completion of the
    /// authentication. Otherwise they are deferred until it is received, if the local peer has
    /// completed.
    pub overtaken_completions: bool,
    /// Keeps the path ids of a renamed node and its descendants, which peers have confirmed for the
    /// old paths. Otherwise the new paths are announced.
    pub renamed_nodes: bool,
    /// Delivers relayed bytes and calls of a peer that was not announced. Otherwise they are
    /// deferred until the announcement, which they may have overtaken on another channel.
    pub unannounced_senders: bool,
}

impl GodotQuirks {
    /// All quirks: the behavior of Godot.
    pub const ALL: Self = Self {
        absent_nodes: true,
        incomplete_calls: true,
        mismatched_methods: true,
        one_sided_authentication: true,
        overtaken_completions: true,
        paths_outside_root: true,
        renamed_nodes: true,
        unannounced_senders: true,
    };
}
