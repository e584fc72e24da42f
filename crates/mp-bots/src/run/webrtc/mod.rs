//! WebRTC transport of a bot: a client of the lobby's host, with its signaling session.

mod signaling;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use mp_core::link_shaper::LinkConditions;
use mp_core::{
    CloseMode, ConnectionConditions, ConnectionId, ConnectionStats, ConnectionStatus,
    DisconnectReason, ErrorChain, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId,
    Readiness, Rng, SendError,
};
use mp_signaling::{Message, MessageKind};
use mp_tls::ClientTlsOptions;
use mp_transport_webrtc::limits::LOCAL_CANDIDATES_MAX;
use mp_transport_webrtc::{SdpKind, WebRtcMultiplayerPeer, WebRtcOptions};
use mp_udp::{ShapedSocket, TokioUdpSocket};

use self::signaling::{SignalingSession, SignalingTarget};
use crate::bot::BotPeer;
use crate::scenario::ServerAddress;

type Socket = ShapedSocket<TokioUdpSocket>;

/// A bot's connection to the host of a lobby.
///
/// Like a Godot client it keeps its signaling session, which a lobby needs that is hosted by
/// another client.
#[derive(Debug)]
pub(super) struct WebRtcBotPeer {
    signaling: SignalingSession,
    socket: Option<Socket>,
    options: WebRtcOptions,
    /// Placeholder until signaling assigns the id.
    id: PeerId,
    /// `None` until signaling has assigned the id.
    peer: Option<WebRtcMultiplayerPeer<Socket>>,
    events: VecDeque<PeerEvent>,
    now: Instant,
    /// Reason for which no connection is possible.
    failure: Option<String>,
    was_connected: bool,
    is_closed: bool,
}

impl WebRtcBotPeer {
    /// Binds a socket and joins the lobby of `server`, whose signaling is at `address`. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The socket cannot be bound.
    pub(super) fn new(
        server: &ServerAddress,
        address: SocketAddr,
        tls: &ClientTlsOptions,
        (link, rng): (LinkConditions, &mut Rng),
    ) -> Result<Self, String> {
        let socket = TokioUdpSocket::bind_for(address, 0);
        let socket = socket.map_err(shown)?;
        let port = mp_udp::DatagramSocket::local_addr(&socket);
        let port = port.map_err(|error| format!("cannot read the UDP port: {error}"))?.port();
        let options = WebRtcOptions::default()
            .advertised(candidates(address.ip(), port))
            .channel_fallback(true);
        let mut socket = ShapedSocket::new(socket);
        if link != LinkConditions::default() {
            socket = socket.with_conditions(ConnectionConditions::both(link), rng);
        }
        let signaling = SignalingSession::start(SignalingTarget::new(server, address, tls));
        Ok(Self {
            signaling,
            socket: Some(socket),
            options,
            id: PeerId::generate(rng),
            peer: None,
            events: VecDeque::new(),
            now: Instant::ZERO,
            failure: None,
            was_connected: false,
            is_closed: false,
        })
    }

    /// Handles a message of the lobby.
    fn handle(&mut self, message: &Message) -> Result<(), String> {
        if message.kind == MessageKind::Id {
            return self.create(message);
        }
        let Some(peer) = &mut self.peer else { return Ok(()) };
        // Other members of the lobby are not of interest: the host relays.
        if message.peer() != Some(PeerId::SERVER) {
            return Ok(());
        }
        match message.kind {
            MessageKind::PeerConnect => {
                peer.add_peer(PeerId::SERVER, UNRELIABLE_LIFETIME_MS).map_err(shown)?;
                peer.create_offer(PeerId::SERVER).map_err(shown)
            }
            MessageKind::Answer => {
                let set =
                    peer.set_remote_description(PeerId::SERVER, SdpKind::Answer, &message.data);
                set.map_err(shown)
            }
            MessageKind::Candidate => {
                if let Some(candidate) = message.candidate() {
                    // Others may work.
                    let _ = peer.add_ice_candidate(PeerId::SERVER, &candidate);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Creates the client with the id that the lobby has assigned.
    fn create(&mut self, message: &Message) -> Result<(), String> {
        if message.data == "true" {
            return Err("the lobby is a mesh; bots need one with a server".to_owned());
        }
        let id = message.peer().filter(|id| !id.is_server());
        let id = id.ok_or("the lobby has no host, and made this client the host")?;
        let Some(socket) = self.socket.take() else { return Ok(()) };
        let created = WebRtcMultiplayerPeer::client(socket, id, self.options.clone());
        let mut peer = created.map_err(shown)?;
        peer.poll(self.now);
        self.peer = Some(peer);
        self.id = id;
        self.events.push_back(PeerEvent::UniqueId(id));
        Ok(())
    }

    /// Sends the session description and candidates.
    fn send_signals(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        while let Some(signal) = peer.next_signal() {
            if let Some(message) = Message::from_signal(signal)
                && !self.signaling.send(message)
            {
                self.failure.get_or_insert_with(|| "signaling is too slow".to_owned());
            }
        }
    }
}

impl BotPeer for WebRtcBotPeer {
    fn failure(&mut self) -> Option<String> {
        if self.was_connected {
            return None;
        }
        let silent = || "no WebRTC connection; is its UDP port reachable?".to_owned();
        Some(self.failure.clone().unwrap_or_else(silent))
    }
}

impl MultiplayerPeer for WebRtcBotPeer {
    fn poll(&mut self, now: Instant) {
        self.now = now;
        while let Some(received) = self.signaling.next() {
            let handled = received.and_then(|message| self.handle(&message));
            // A connection outlives its signaling session.
            if let Err(reason) = handled
                && !self.was_connected
            {
                self.failure.get_or_insert(reason);
            }
        }
        if let Some(peer) = &mut self.peer {
            peer.poll(now);
        }
        self.send_signals();
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        let event = self.events.pop_front().or_else(|| self.peer.as_mut()?.next_event())?;
        self.was_connected |= matches!(event, PeerEvent::Connected { .. });
        Some(event)
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        self.peer.as_mut().ok_or(SendError::NotConnected)?.send(outgoing)
    }

    fn flush(&mut self, now: Instant) {
        if let Some(peer) = &mut self.peer {
            peer.flush(now);
        }
        self.send_signals();
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        if let Some(peer) = &mut self.peer {
            peer.disconnect(connection, reason, close_mode);
        }
    }

    fn close(&mut self) {
        if let Some(peer) = &mut self.peer {
            peer.close();
        }
        self.is_closed = true;
    }

    fn unique_id(&self) -> PeerId {
        self.id
    }

    fn connection_status(&self) -> ConnectionStatus {
        if self.is_closed || self.failure.is_some() {
            return ConnectionStatus::Disconnected;
        }
        let peer = self.peer.as_ref();
        peer.map_or(ConnectionStatus::Connecting, MultiplayerPeer::connection_status)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.peer.as_ref()?.poll_timeout()
    }

    fn readiness(&self) -> Readiness {
        Readiness::Waker
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Poll both, so that each wakes the task.
        let signaling = self.signaling.poll_ready(cx);
        match self.peer.as_mut().map(|peer| peer.poll_ready(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(()),
            _ => signaling,
        }
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.peer.as_ref()?.connection_stats(connection)
    }
}

fn shown(error: impl std::error::Error + 'static) -> String {
    ErrorChain::new(&error).to_string()
}

/// Returns the addresses at which a server may reach the socket: those of this host, and that of
/// the signaling server if it is on this host.
fn candidates(server: IpAddr, port: u16) -> Vec<SocketAddr> {
    let hosts = mp_udp::host_addresses().unwrap_or_default();
    let loopback = Some(server).filter(IpAddr::is_loopback);
    let is_same_family = |ip: &IpAddr| ip.is_ipv4() == server.is_ipv4();
    let others = hosts.into_iter().filter(|ip| is_same_family(ip) && Some(*ip) != loopback);
    let all = loopback.into_iter().chain(others);
    all.take(LOCAL_CANDIDATES_MAX).map(|ip| SocketAddr::new(ip, port)).collect()
}

/// Time in milliseconds for which unreliable packets are repeated: Godot's default.
const UNRELIABLE_LIFETIME_MS: u16 = 1;
