//! [`Link`]: the connection to the room.

use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, ErrorChain, Instant,
    MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix, TransferMode,
};
use mp_transport_enet::io::TokioUdpSocket;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};
use mp_transport_ws::WebSocketMultiplayerPeer;
use mp_transport_ws::io::TokioTcp;

use super::RELIABLE;
use super::options::LinkAddress;

/// The connection to the room.
pub(super) struct Link {
    peer: Box<dyn LinkPeer>,
    connection: Option<ConnectionId>,
    /// Data of the authentication packet, until it is sent.
    credentials: Option<Bytes>,
    /// Time until which the connection must be established, or closed.
    deadline: Option<Instant>,
    /// Code and text of the server's refusal.
    rejection: Option<(String, String)>,
}

/// The state of the connection after receiving.
pub(super) enum LinkState {
    Pending,
    /// It has just been established.
    Connected,
    /// It has ended. `rejection` is the server's code and text.
    Ended {
        reason: String,
        rejection: Option<(String, String)>,
    },
}

/// A transport that can explain why it has failed.
trait LinkPeer: MultiplayerPeer {
    /// Returns why the connection could not be established, if it is known.
    fn failure(&mut self) -> Option<String>;

    /// Returns the code with which the server has closed the connection.
    fn close_code(&self) -> Option<String>;
}

impl LinkPeer for EnetMultiplayerPeer<TokioUdpSocket> {
    fn failure(&mut self) -> Option<String> {
        if let Some(error) = self.connect_error() {
            return Some(ErrorChain::new(error).to_string());
        }
        let untrusted = self.host().dtls().and_then(|dtls| dtls.untrusted());
        untrusted.map(|error| ErrorChain::new(error).to_string())
    }

    fn close_code(&self) -> Option<String> {
        None
    }
}

impl LinkPeer for WebSocketMultiplayerPeer<TokioTcp> {
    fn failure(&mut self) -> Option<String> {
        None
    }

    fn close_code(&self) -> Option<String> {
        let reason = &self.last_close()?.reason;
        (!reason.is_empty()).then(|| reason.clone())
    }
}

impl Link {
    /// Begins to connect. The error is a message.
    pub(super) fn dial(address: &LinkAddress, now: Instant) -> Result<Self, String> {
        let (peer, credentials): (Box<dyn LinkPeer>, _) = match address {
            LinkAddress::WebSocket { url, tls } => {
                let options = mp_transport_ws::ClientOptions::default()
                    .tls(tls.clone())
                    .handshake_timeout(CONNECT_TIMEOUT)
                    .heartbeat_interval(HEARTBEAT);
                let peer = WebSocketMultiplayerPeer::create_async_client(url, options);
                (Box::new(peer.map_err(|error| ErrorChain::new(&error).to_string())?), None)
            }
            LinkAddress::Enet { host, port, dtls, credentials } => {
                let options = ClientOptions::default();
                let options = match dtls {
                    Some(dtls) => options.dtls(dtls.clone()),
                    None => options,
                };
                let peer = EnetMultiplayerPeer::create_async_client_by_name(host, *port, options);
                let peer = peer.map_err(|error| ErrorChain::new(&error).to_string())?;
                (Box::new(peer), Some(credentials.clone()))
            }
        };
        let deadline = Some(now + CONNECT_TIMEOUT);
        Ok(Self { peer, connection: None, credentials, deadline, rejection: None })
    }

    /// Receives, and passes frames on.
    pub(super) fn receive(&mut self, now: Instant, mut handle: impl FnMut(Bytes)) -> LinkState {
        self.peer.poll(now);
        let mut is_new = false;
        while let Some(event) = self.peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => {
                    (self.connection, self.deadline) = (Some(connection), None);
                    is_new = true;
                }
                PeerEvent::Packet(packet) => match packet.payload.strip_prefix(AUTH) {
                    Some(data) => self.receive_auth(data),
                    None => handle(packet.payload),
                },
                PeerEvent::Disconnected { reason, .. } => return self.ended(&reason.to_string()),
                _ => {}
            }
            if is_new {
                // What follows is handled in the next turn, after the first frame is queued.
                self.authenticate();
                return LinkState::Connected;
            }
        }
        if self.peer.connection_status() == ConnectionStatus::Disconnected {
            return self.ended("the server does not answer, or refuses the connection");
        }
        match self.deadline {
            Some(deadline) if now >= deadline => self.ended("the server does not answer"),
            _ => LinkState::Pending,
        }
    }

    pub(super) fn send(&mut self, mode: TransferMode, payload: Bytes) {
        let Some(connection) = self.connection else { return };
        let (to, channel, prefix) = (connection.into(), Channel(0), Prefix::EMPTY);
        if let Err(error) = self.peer.send(OutgoingPacket { to, mode, channel, prefix, payload }) {
            tracing::debug!(%error, "a frame was not accepted");
        }
    }

    /// Closes the connection after its last frames.
    pub(super) fn close(&mut self) {
        if let Some(connection) = self.connection {
            self.peer.disconnect(connection, DisconnectReason::Closed, CloseMode::Drain);
        }
    }

    pub(super) fn flush(&mut self, now: Instant) {
        self.peer.flush(now);
    }

    /// Returns whether there is something to receive; otherwise the task is woken.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.peer.poll_ready(cx).is_ready()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.peer.poll_timeout(), self.deadline].into_iter().flatten().min()
    }

    /// Sends the credentials, and that the authentication is complete. A server that does not
    /// expect them takes this program for a guest.
    fn authenticate(&mut self) {
        let Some(credentials) = self.credentials.take() else { return };
        self.send(RELIABLE, [AUTH, &credentials[..]].concat().into());
        self.send(RELIABLE, Bytes::from_static(AUTH));
    }

    /// Handles an authentication packet of the server: its completion, or the reason of a refusal,
    /// `{"code": "wrong_code", "text": "…"}`.
    fn receive_auth(&mut self, data: &[u8]) {
        let text = String::from_utf8_lossy(&data[..data.len().min(REJECTION_BYTES_MAX)]);
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("\"{key}\":\""))?;
            Some(rest.split('"').next()?.to_owned())
        };
        if let (Some(code), Some(text)) = (value("code"), value("text")) {
            self.rejection = Some((code, text));
        }
    }

    fn ended(&mut self, reason: &str) -> LinkState {
        let code = self.peer.close_code();
        let rejection = self.rejection.take().or_else(|| code.map(|code| (code.clone(), code)));
        let failure = self.peer.failure();
        let reason = match (&rejection, failure) {
            (Some((code, _)), _) => format!("{reason} ({code})"),
            (None, Some(failure)) => failure,
            (None, None) => reason.to_owned(),
        };
        LinkState::Ended { reason, rejection }
    }
}

/// First bytes of Godot's authentication packets: SYS command, and its subcommand AUTH.
const AUTH: &[u8] = &[7, 0];
/// Bytes of a refusal that are read.
const REJECTION_BYTES_MAX: usize = 1_024;
/// Time in which a connection is established.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval of pings over WebSocket: a lost connection is detected after at most two of them.
const HEARTBEAT: Duration = Duration::from_secs(5);
