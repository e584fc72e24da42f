//! The multiplayer peer of a single-player game.

use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer,
    OfflineMultiplayerPeer, OutgoingPacket, PeerId, Prefix, TransferMode,
};

const UNKNOWN: ConnectionId = ConnectionId { slot: 0, generation: 0 };

fn packet(payload: &'static str) -> OutgoingPacket {
    OutgoingPacket {
        to: UNKNOWN.into(),
        mode: TransferMode::Reliable,
        channel: Channel(0),
        prefix: Prefix::EMPTY,
        payload: payload.into(),
    }
}

#[test]
fn offline_peer_is_a_server_that_is_always_connected() {
    let mut peer = OfflineMultiplayerPeer;
    assert_eq!(peer.unique_id(), PeerId::SERVER);
    assert_eq!(peer.connection_status(), ConnectionStatus::Connected);
    peer.close();
    peer.disconnect(UNKNOWN, DisconnectReason::Closed, CloseMode::Immediate);
    assert_eq!(peer.connection_status(), ConnectionStatus::Connected);
}

#[test]
fn offline_peer_accepts_every_packet_and_reports_nothing() {
    let mut peer = OfflineMultiplayerPeer;
    assert_eq!(peer.send(packet("hello")), Ok(()));
    peer.flush(Instant::ZERO);
    peer.poll(Instant::ZERO);
    assert_eq!(peer.next_event(), None);
    peer.close();
    assert_eq!(peer.send(packet("hello")), Ok(()), "also after close");
    assert_eq!(peer.next_event(), None);
}

#[test]
fn offline_peer_neither_relays_nor_requests_turns() {
    let peer = OfflineMultiplayerPeer;
    assert!(!peer.is_server_relay_supported());
    assert_eq!(peer.poll_timeout(), None);
}
