//! A WebRTC peer together with its signaling.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mp_core::{
    CloseMode, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Rng, SendError,
};
use mp_signaling::LobbyHost;
use mp_transport_webrtc::{CandidatePolicy, WebRtcMultiplayerPeer, WebRtcOptions};
use mp_transport_ws::{ServerOptions, TextOptions, WebSocketMultiplayerPeer};

use crate::lobby::{self, PATH};
use crate::lobby_member::LobbyMember;
use crate::options::WEBRTC_CHANNELS;
use crate::world::ScenarioResult;

/// A WebRTC peer that connects to others by signaling.
pub(crate) struct WebRtcSide {
    peer: WebRtcMultiplayerPeer,
    signaling: SideSignaling,
}

/// The signaling of a peer.
enum SideSignaling {
    /// The peer is a server, and a thread serves signaling until this is dropped. A client in the
    /// thread of the server may wait for its answers.
    Host { _server: Arc<()> },
    /// The peer is a member of a lobby.
    Member(Box<LobbyMember>),
}

/// Creates a server whose signaling is at `address`, on the path `/webrtc`.
pub(crate) fn server(address: SocketAddr) -> ScenarioResult<WebRtcSide> {
    let options = WebRtcOptions::default().ice_lite(true).channels_config(WEBRTC_CHANNELS);
    let mut peer = WebRtcMultiplayerPeer::create_server(ANY, options)?;
    let mut signaling = WebSocketMultiplayerPeer::create_server(address, ServerOptions::default())?;
    let (lobby, rng) =
        (mp_signaling::SignalingOptions::default(), Rng::seed_from_u64(address.port().into()));
    let host = LobbyHost::new("interop", lobby, peer.signaling(), rng);
    signaling.serve_text(TextOptions::new(PATH), Box::new(host));
    let server = Arc::new(());
    let alive = Arc::downgrade(&server);
    std::thread::spawn(move || lobby::run(signaling, |_| alive.strong_count() == 0));
    Ok(WebRtcSide { peer, signaling: SideSignaling::Host { _server: server } })
}

/// Joins the lobby whose signaling is at `address`, as a client of its creator or as a peer of a
/// mesh. Creates the mesh if there is no lobby and `creates_mesh` is true.
pub(crate) fn member(address: SocketAddr, creates_mesh: bool) -> ScenarioResult<WebRtcSide> {
    let member = LobbyMember::join(address, creates_mesh)?;
    let options = WebRtcOptions::default()
        .candidate_policy(CandidatePolicy::Any)
        .channels_config(WEBRTC_CHANNELS);
    let peer = match member.is_mesh {
        true => WebRtcMultiplayerPeer::create_mesh(ANY, member.id, options)?,
        false => WebRtcMultiplayerPeer::create_client(ANY, member.id, options)?,
    };
    Ok(WebRtcSide { peer, signaling: SideSignaling::Member(Box::new(member)) })
}

/// Address of the sockets.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl MultiplayerPeer for WebRtcSide {
    fn poll(&mut self, now: Instant) {
        if let SideSignaling::Member(member) = &mut self.signaling
            && let Err(error) = member.run(&mut self.peer)
        {
            eprintln!("mp-interop: signaling: {error}");
        }
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
