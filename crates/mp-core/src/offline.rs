//! The multiplayer peer of a single-player game.
#![expect(clippy::exhaustive_structs, reason = "a unit struct")]

use crate::{
    CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer,
    OutgoingPacket, PeerEvent, PeerId, Readiness, SendError,
};

/// Godot's default peer. It has id 1 and is a server, so that a single-player game runs the same
/// code.
///
/// As in Godot 4.6.3 it is always [`Connected`](ConnectionStatus::Connected), even after
/// [`close`](Self::close). It accepts every packet and delivers none, reports no event and does not
/// support relay.
///
/// ```
/// use mp_core::{ConnectionStatus, MultiplayerPeer, OfflineMultiplayerPeer, PeerId};
///
/// let mut peer = OfflineMultiplayerPeer;
/// peer.close();
/// assert_eq!(peer.unique_id(), PeerId::SERVER);
/// assert_eq!(peer.connection_status(), ConnectionStatus::Connected);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfflineMultiplayerPeer;

impl MultiplayerPeer for OfflineMultiplayerPeer {
    fn poll(&mut self, _now: Instant) {}

    fn next_event(&mut self) -> Option<PeerEvent> {
        None
    }

    fn send(&mut self, _outgoing: OutgoingPacket) -> Result<(), SendError> {
        Ok(())
    }

    fn flush(&mut self, _now: Instant) {}

    fn disconnect(&mut self, _: ConnectionId, _: DisconnectReason, _: CloseMode) {}

    fn close(&mut self) {}

    fn unique_id(&self) -> PeerId {
        PeerId::SERVER
    }

    fn connection_status(&self) -> ConnectionStatus {
        ConnectionStatus::Connected
    }

    /// Returns [`Readiness::Waker`], which never wakes: there is nothing to receive.
    fn readiness(&self) -> Readiness {
        Readiness::Waker
    }
}
