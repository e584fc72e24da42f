//! A WebRTC server together with its signaling.

use std::net::{Ipv4Addr, SocketAddr};

use mp_core::{
    CloseMode, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Rng, SendError,
};
use mp_signaling::LobbyHost;
use mp_transport_webrtc::WebRtcMultiplayerPeer;
use mp_transport_ws::{ServerOptions, TextOptions, WebSocketMultiplayerPeer};

use crate::options::WEBRTC_CHANNELS;
use crate::world::ScenarioResult;

/// Server for WebRTC clients, which connect to it by signaling.
pub(crate) struct WebRtcServer {
    peer: WebRtcMultiplayerPeer,
    signaling: WebSocketMultiplayerPeer,
}

/// Creates a server whose signaling is at `address`, on the path `/webrtc`.
pub(crate) fn server(address: SocketAddr) -> ScenarioResult<WebRtcServer> {
    let options = mp_transport_webrtc::WebRtcOptions::default()
        .ice_lite(true)
        .channels_config(WEBRTC_CHANNELS);
    let any = (Ipv4Addr::UNSPECIFIED, 0).into();
    let mut peer = WebRtcMultiplayerPeer::create_server(any, options)?;
    let mut signaling = WebSocketMultiplayerPeer::create_server(address, ServerOptions::default())?;
    let (lobby, rng) =
        (mp_signaling::SignalingOptions::default(), Rng::seed_from_u64(address.port().into()));
    let host = LobbyHost::new("interop", lobby, peer.signaling(), rng);
    signaling.serve_text(TextOptions::new("/webrtc"), Box::new(host));
    Ok(WebRtcServer { peer, signaling })
}

impl MultiplayerPeer for WebRtcServer {
    fn poll(&mut self, now: Instant) {
        self.signaling.poll(now);
        self.peer.poll(now);
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.peer.next_event()
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        self.peer.send(outgoing)
    }

    fn flush(&mut self, now: Instant) {
        self.peer.flush(now);
        self.signaling.flush(now);
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        self.peer.disconnect(connection, reason, close_mode);
    }

    fn close(&mut self) {
        self.peer.close();
        self.signaling.close();
    }

    fn unique_id(&self) -> PeerId {
        self.peer.unique_id()
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.peer.connection_status()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.peer.poll_timeout()
    }

    fn is_server_relay_supported(&self) -> bool {
        self.peer.is_server_relay_supported()
    }

    fn outlives_program(&self) -> bool {
        self.peer.outlives_program()
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.peer.is_refusing_new_connections()
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.peer.set_refuse_new_connections(refuse);
    }

    fn max_packet_size(&self) -> usize {
        self.peer.max_packet_size()
    }

    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        self.peer.pause_receiving(connection, held);
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.peer.connection_stats(connection)
    }
}
