//! How a packet travels.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "Godot lists the modes; a channel is its number"
)]

use std::fmt;

/// Godot's `MultiplayerPeer.TransferMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TransferMode {
    /// May be lost, may arrive in any order (0).
    Unreliable = 0,
    /// May be lost; what arrives late is dropped, so that it never goes backwards (1).
    UnreliableOrdered = 1,
    /// Arrives once, in order with the other reliable packets of its channel (2).
    #[default]
    Reliable = 2,
}

impl TransferMode {
    /// Every mode, in the order of Godot's numbers.
    pub const EVERY: [Self; 3] = [Self::Unreliable, Self::UnreliableOrdered, Self::Reliable];

    /// Godot's number.
    pub const fn to_raw(self) -> u8 {
        self as u8
    }

    /// The mode of Godot's number.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            0 => Some(Self::Unreliable),
            1 => Some(Self::UnreliableOrdered),
            2 => Some(Self::Reliable),
            _ => None,
        }
    }

    /// Whether the packet is delivered or the connection ends.
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Reliable)
    }
}

/// Godot's transfer channel, 0 by default. Order is kept within one channel only. ENet has 0 to 253; WebSocket
/// ignores it and reports 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Channel(pub u8);

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
