//! [`Game`]: the connection of one guest to the game.

use std::net::SocketAddr;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, ErrorChain, Instant,
    MultiplayerPeer, OutgoingPacket, Packet, PeerEvent, Prefix, TransferMode,
};
use mp_transport_enet::io::TokioUdpSocket;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

/// The connection of one guest to the game.
pub(super) struct Game {
    peer: EnetMultiplayerPeer<TokioUdpSocket>,
    connection: Option<ConnectionId>,
    /// Time until which the game must accept the connection, or deliver its last packets.
    deadline: Option<Instant>,
    is_paused: bool,
    has_ended: bool,
}

/// An event of the connection.
pub(super) enum GameEvent {
    Connected,
    Packet(Packet),
}

impl Game {
    /// Begins to connect. The error is a message.
    pub(super) fn connect(
        address: SocketAddr,
        options: ClientOptions,
        now: Instant,
    ) -> Result<Self, String> {
        let peer = EnetMultiplayerPeer::create_async_client(address, options);
        let peer = peer.map_err(|error| ErrorChain::new(&error).to_string())?;
        let deadline = Some(now + CONNECT_TIMEOUT);
        Ok(Self { peer, connection: None, deadline, is_paused: false, has_ended: false })
    }

    /// Receives. Returns whether the game did not answer, if the connection has ended.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        mut handle: impl FnMut(GameEvent),
    ) -> Option<bool> {
        if self.has_ended {
            return None;
        }
        self.peer.poll(now);
        while let Some(event) = self.peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => {
                    (self.connection, self.deadline) = (Some(connection), None);
                    self.peer.pause_receiving(connection, self.is_paused);
                    handle(GameEvent::Connected);
                }
                PeerEvent::Packet(packet) => handle(GameEvent::Packet(packet)),
                PeerEvent::Disconnected { reason, .. } => {
                    self.has_ended = true;
                    return Some(reason == DisconnectReason::Timeout);
                }
                _ => {}
            }
        }
        let is_late = self.connection.is_none() && self.deadline.is_some_and(|at| now >= at);
        if is_late || self.peer.connection_status() == ConnectionStatus::Disconnected {
            self.has_ended = true;
            return Some(true);
        }
        None
    }

    pub(super) fn send(&mut self, mode: TransferMode, channel: Channel, payload: Bytes) {
        let Some(connection) = self.connection else { return };
        let (to, prefix) = (connection.into(), Prefix::EMPTY);
        if let Err(error) = self.peer.send(OutgoingPacket { to, mode, channel, prefix, payload }) {
            tracing::debug!(%error, "a packet for the game was not accepted");
            if mode.is_reliable() {
                // It must not be lost silently.
                self.peer.disconnect(connection, DisconnectReason::QueueFull, CloseMode::Graceful);
            }
        }
    }

    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        if let Some(connection) = self.connection {
            self.peer.pause_receiving(connection, is_paused);
        }
    }

    /// Closes the connection after its last packets, for at most [`CLOSE_TIMEOUT`].
    pub(super) fn close(&mut self, now: Instant) {
        self.deadline = Some(now + CLOSE_TIMEOUT);
        match self.connection {
            Some(connection) => {
                self.peer.disconnect(connection, DisconnectReason::Closed, CloseMode::Drain);
            }
            None => {
                self.peer.close();
                self.has_ended = true;
            }
        }
    }

    pub(super) fn flush(&mut self, now: Instant) {
        self.peer.flush(now);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns whether a connection that was closed has delivered its last packets.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.has_ended || self.deadline.is_some_and(|at| now >= at)
    }

    /// Returns whether there is something to receive; otherwise the task is woken.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.peer.poll_ready(cx).is_ready()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.peer.poll_timeout(), self.deadline].into_iter().flatten().min()
    }
}

/// Time in which the game accepts a connection. It is beside this program.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time in which the last packets are delivered.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
