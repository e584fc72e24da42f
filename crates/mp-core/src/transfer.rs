//! Transfer modes and channels.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the modes are Godot's; a channel is a number"
)]

use std::fmt;

/// Godot's `MultiplayerPeer.TransferMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TransferMode {
    /// Packets may be lost and reordered (0).
    Unreliable = 0,
    /// Packets may be lost; a packet older than the last received one is dropped (1).
    UnreliableOrdered = 1,
    /// Packets are delivered once, in order with the other reliable packets of the channel (2).
    #[default]
    Reliable = 2,
}

impl TransferMode {
    /// All modes, in the order of Godot's numbers.
    pub const ALL: [Self; 3] = [Self::Unreliable, Self::UnreliableOrdered, Self::Reliable];

    /// Returns Godot's number of this mode.
    pub const fn to_raw(self) -> u8 {
        self as u8
    }

    /// Returns the mode with Godot's number `raw`, or `None` for other numbers.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            0 => Some(Self::Unreliable),
            1 => Some(Self::UnreliableOrdered),
            2 => Some(Self::Reliable),
            _ => None,
        }
    }

    /// Returns whether packets are delivered or the connection ends.
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Reliable)
    }
}

/// Godot's transfer channel; default 0. Packets are ordered only within a channel. ENet has
/// channels 0 to 253; WebSocket ignores the channel and reports 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Channel(pub u8);

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
