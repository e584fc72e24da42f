//! Where Godot trusts its peers, and mp does not unless it is told to.
#![expect(clippy::exhaustive_structs, reason = "programs build quirks")]

/// What Godot 4.6.3 lets peers do; all off by default. See `docs/DEVIATIONS.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GodotQuirks {
    /// Calls of nodes that are not there, and announcements of their paths, are lost. Otherwise they wait briefly for the node.
    pub absent_nodes: bool,
    /// A call whose arguments cannot all be decoded is made, with null for those that cannot.
    pub incomplete_calls: bool,
    /// A call of a node whose methods the caller numbers in another way is made, of whatever method has the number here.
    pub mismatched_methods: bool,
    /// Calls may name nodes outside the multiplayer root.
    pub paths_outside_root: bool,
    /// A connection of which only one side authenticates stays until that side's timeout, and what
    /// the other side sends is lost. Otherwise it ends with the first packet that shows it.
    pub one_sided_authentication: bool,
    /// Packets that overtake, on another channel, the other side's word that the authentication is complete are lost. Otherwise they
    /// wait for it, if this side has completed.
    pub overtaken_completions: bool,
    /// A renamed node, and the nodes below it, keep the numbers by which peers that have confirmed
    /// their old paths are sent calls and properties. Otherwise they are announced by their new
    /// paths.
    pub renamed_nodes: bool,
    /// Packets that are relayed for a peer that was not announced are delivered, be they bytes or calls. Otherwise they wait for
    /// the announcement, which another channel may have overtaken.
    pub unannounced_senders: bool,
}

impl GodotQuirks {
    /// Everything as in Godot.
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
