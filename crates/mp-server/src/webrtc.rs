//! WebRTC transport and its signaling on the WebSocket port.

use std::net::SocketAddr;

use mp_core::{Rng, TransferMode};
use mp_signaling::limits::MESSAGE_BYTES_MAX;
use mp_signaling::{LobbyHost, SignalingOptions};
use mp_transport_webrtc::io::{DatagramSocket, TokioUdpSocket};
use mp_transport_webrtc::{CreateError, Signaling, WebRtcMultiplayerPeer, WebRtcOptions};
use mp_transport_ws::TextOptions;

/// Settings of the WebRTC transport.
#[derive(Clone, Debug)]
pub(crate) struct WebRtcSettings {
    pub(crate) address: SocketAddr,
    /// Addresses announced to players; port 0 stands for the socket's port.
    pub(crate) advertised: Vec<SocketAddr>,
    /// Modes of the transfer channels 1, 2, …
    pub(crate) channels: Vec<TransferMode>,
    pub(crate) max_clients: u16,
    pub(crate) max_sockets_per_address: usize,
}

/// Binds the socket and creates the server. Requires a tokio runtime.
pub(crate) fn create(
    settings: &WebRtcSettings,
) -> Result<WebRtcMultiplayerPeer<TokioUdpSocket>, CreateError> {
    let socket = TokioUdpSocket::bind(settings.address)?;
    let bound = socket.local_addr().map_err(CreateError::Socket)?;
    let with_port = |address: &SocketAddr| match address.port() {
        0 => SocketAddr::new(address.ip(), bound.port()),
        _ => *address,
    };
    let advertised: Vec<_> = settings.advertised.iter().map(with_port).collect();
    // ICE-lite: no candidate of a client makes the server send anywhere.
    let options = WebRtcOptions::default()
        .ice_lite(true)
        .advertised(advertised)
        .max_peers(settings.max_clients)
        .channels_config(settings.channels.clone())
        .channel_fallback(true);
    WebRtcMultiplayerPeer::server(socket, options)
}

/// Returns the options of the text sessions for signaling.
pub(crate) fn text_options(settings: &WebRtcSettings) -> TextOptions {
    TextOptions::new(SIGNALING_PATH)
        .max_message_bytes(MESSAGE_BYTES_MAX)
        .max_sessions(sessions_max(settings.max_clients.into()))
}

/// Returns the signaling of the room, which controls the transport through `room`.
pub(crate) fn signaling(settings: &WebRtcSettings, room: Signaling, rng: Rng) -> LobbyHost {
    let mut options = SignalingOptions::default();
    options.creates_lobbies = false;
    options.max_sockets_per_address = settings.max_sockets_per_address;
    options.max_members = sessions_max(settings.max_clients.into());
    LobbyHost::new(LOBBY, options, room, rng)
}

/// Returns the maximum number of text sessions of a room for `max_clients`: those of its players,
/// and others that try to join.
pub(crate) const fn sessions_max(max_clients: usize) -> usize {
    max_clients + SESSIONS_MORE
}

/// Path of signaling on the WebSocket port.
pub(crate) const SIGNALING_PATH: &str = "/webrtc";
/// Name of the room's lobby.
const LOBBY: &str = "room";
/// Text sessions beyond those of players: of clients that try to join, each for one or two seconds.
const SESSIONS_MORE: usize = 256;
