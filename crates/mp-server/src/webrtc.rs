//! WebRTC transport and its signaling on the WebSocket port.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::host::unix_now;
use mp_core::{ConnectionGate, PeerId, Rng, TransferMode};
use mp_signaling::limits::MESSAGE_BYTES_MAX;
use mp_signaling::{IceServer, LobbyHost, SignalingOptions};
use mp_transport_webrtc::io::{DatagramSocket, TokioUdpSocket};
use mp_transport_webrtc::{CreateError, Signaling, WebRtcMultiplayerPeer, WebRtcOptions};
use mp_transport_ws::TextOptions;

use crate::config::{Secret, is_turn};
use crate::reload::LiveConfig;

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
    pub(crate) gate: ConnectionGate,
    /// Source of the STUN and TURN servers for players.
    pub(crate) live: LiveConfig,
}

/// Binds the socket and creates the server. Requires a tokio runtime.
pub(crate) fn create(
    settings: &WebRtcSettings,
) -> Result<WebRtcMultiplayerPeer<TokioUdpSocket>, CreateError> {
    let socket = TokioUdpSocket::bind(settings.address)?;
    let bound = socket.local_addr().map_err(CreateError::LocalAddress)?;
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
        .gate(settings.gate.clone())
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
    let mut host = LobbyHost::new(LOBBY, options, room, rng);
    let live = settings.live.clone();
    host.set_ice_servers(move |peer| {
        let config = &live.borrow().webrtc;
        let secret = config.turn_secret.as_ref().map(Secret::reveal);
        ice_servers(&config.ice_servers, secret, unix_now(), peer)
    });
    host
}

/// Returns the STUN and TURN servers of a player at `time`, in seconds of Unix time.
fn ice_servers(urls: &[String], secret: Option<&str>, time: u64, peer: PeerId) -> Vec<IceServer> {
    let (turn, stun): (Vec<_>, Vec<_>) = urls.iter().cloned().partition(|url| is_turn(url));
    let mut servers = Vec::new();
    if !stun.is_empty() {
        servers.push(IceServer::stun(stun));
    }
    if let Some(secret) = secret.filter(|_| !turn.is_empty()) {
        let expiry = time + TURN_LIFETIME.as_secs();
        servers.push(IceServer::turn(turn, secret, expiry, &peer.to_string()));
    }
    servers
}

/// Returns the maximum number of text sessions of a room for `max_clients`: those of its players,
/// and others that try to join.
pub(crate) const fn sessions_max(max_clients: usize) -> usize {
    max_clients + SESSIONS_MORE
}

/// Time for which TURN credentials are valid: a long game. Allocations end when they expire.
const TURN_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Path of signaling on the WebSocket port.
pub(crate) const SIGNALING_PATH: &str = "/webrtc";
/// Name of the room's lobby.
const LOBBY: &str = "room";
/// Text sessions beyond those of players: of clients that try to join, each for one or two seconds.
const SESSIONS_MORE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_servers_have_credentials_and_stun_servers_have_none() {
        let urls = ["stun:a.example", "turn:b.example", "turns:b.example:443?transport=tcp"];
        let urls = urls.map(str::to_owned);
        let peer = PeerId::new(7).unwrap();
        let servers = ice_servers(&urls, Some("secret"), 1_000, peer);
        let turn = IceServer::turn(urls[1..].to_vec(), "secret", 44_200, "7");
        assert_eq!(servers, [IceServer::stun(urls[..1].to_vec()), turn]);
    }
}
