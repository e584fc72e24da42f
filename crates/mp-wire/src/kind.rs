//! Kinds of packets.

use mp_scene::PacketKind;

/// The kind of a packet. That of a relayed packet is the kind of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WireKind {
    /// A packet of `SceneMultiplayer`; never [`PacketKind::Relay`].
    Scene(PacketKind),
    /// A malformed packet.
    Malformed,
}

impl WireKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Scene(PacketKind::Rpc),
        Self::Scene(PacketKind::Sync),
        Self::Scene(PacketKind::Delta),
        Self::Scene(PacketKind::Spawn),
        Self::Scene(PacketKind::Despawn),
        Self::Scene(PacketKind::Path),
        Self::Scene(PacketKind::Raw),
        Self::Scene(PacketKind::Sys),
        Self::Scene(PacketKind::Auth),
        Self::Malformed,
    ];

    /// Returns the name in lower case.
    pub fn label(self) -> &'static str {
        match self {
            Self::Scene(kind) => kind.label(),
            Self::Malformed => "malformed",
        }
    }

    /// Returns the kind with this name.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }
}
