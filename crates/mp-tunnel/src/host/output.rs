//! Requests and reports of a [`TunnelHost`](super::TunnelHost).

use bytes::Bytes;
use mp_core::{Channel, PeerId, TransferMode};

use crate::frame::{GuestEnd, GuestNumber, HostRefusal};

/// A request or a report of a [`TunnelHost`](super::TunnelHost).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a program must handle each")]
pub enum HostOutput {
    /// Send a packet to the room, on channel 0.
    ToLink {
        /// Transfer mode.
        mode: TransferMode,
        /// The packet.
        frame: Bytes,
    },
    /// Close the connection to the room.
    CloseLink,
    /// Connect to the game for a guest.
    Connect {
        /// Number of the guest.
        guest: GuestNumber,
        /// Peer id that the connection claims.
        id: PeerId,
    },
    /// Send a packet to the game.
    ToGame {
        /// Number of the guest.
        guest: GuestNumber,
        /// Transfer mode.
        mode: TransferMode,
        /// Transfer channel.
        channel: Channel,
        /// The packet.
        payload: Bytes,
    },
    /// Close the connection of a guest to the game, after the packets that were sent before.
    Disconnect {
        /// Number of the guest.
        guest: GuestNumber,
    },
    /// Pause or resume receiving on the connection of a guest to the game.
    Pause {
        /// Number of the guest.
        guest: GuestNumber,
        /// True to pause.
        is_paused: bool,
    },
    /// Report this to the user.
    Event(LinkEvent),
}

/// An event that the user may be interested in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// The room has accepted the host.
    Hosting {
        /// True if the session is the one before the connection was lost, with its guests.
        is_resumed: bool,
    },
    /// The room has refused the host.
    Refused(HostRefusal),
    /// The room has violated the protocol.
    Malformed,
    /// The connection was not established again in time.
    SessionExpired,
    /// The game has accepted the connection of a guest.
    Joined(PeerId),
    /// A guest has left.
    Left(PeerId, GuestEnd),
}
