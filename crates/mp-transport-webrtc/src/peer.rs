//! [`WebRtcMultiplayerPeer`]: connections, with Godot's conventions.

mod create;
mod datagrams;
mod multiplayer_peer;
mod peers;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mp_core::{
    CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, Instant, PeerEvent, PeerId,
    ReasonCounts, RunningClock, TransferMode,
};
use str0m::crypto::CryptoProvider;
use str0m::crypto::dtls::DtlsCert;

use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::connection::{Connection, ConnectionContext, ConnectionState, PeerOutput};
use crate::connections::Connections;
use crate::io::{DatagramSocket, SocketDriver, UdpSocket};
use crate::options::WebRtcOptions;
use crate::refusal::{DatagramRefusal, MessageRefusal};
use crate::routes::Routes;
use crate::shaped_connections::ShapedConnections;
use crate::signal::Signal;
use crate::signaling::Signaling;

pub use self::peers::AddPeerError;

/// A server, a client or a member of a mesh (Godot: `WebRTCMultiplayerPeer`).
///
/// All connections share one UDP socket. The program passes session descriptions and candidates
/// through its own signaling. [`Signal`]s are to be sent; [`set_remote_description`] and
/// [`add_ice_candidate`] accept what was received. One peer of each connection calls
/// [`create_offer`].
///
/// A connection is reported when all its channels are open. It ends when one of them closes, when
/// ICE detects an interruption, or when it is not established within
/// [`CONNECT_TIMEOUT`](crate::limits::CONNECT_TIMEOUT).
///
/// [`set_remote_description`]: Self::set_remote_description
/// [`add_ice_candidate`]: Self::add_ice_candidate
/// [`create_offer`]: Self::create_offer
#[derive(Debug)]
pub struct WebRtcMultiplayerPeer<S: DatagramSocket = UdpSocket> {
    mode: Mode,
    unique_id: PeerId,
    status: ConnectionStatus,
    options: WebRtcOptions,
    table: ChannelTable,
    socket: SocketDriver<S>,
    local_candidates: Vec<SocketAddr>,
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    clock: Clock,
    /// The clock of [`now`](Self::now), which excludes time in which the process did not run.
    running: RunningClock,
    now: Instant,
    connections: Connections,
    routes: Routes,
    output: PeerOutput,
    is_refusing: bool,
    is_closed: bool,
    signaling: Option<Signaling>,
    shaped: ShapedConnections,
    stats: WebRtcPeerStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Server,
    Client,
    Mesh,
}

/// Statistics of a [`WebRtcMultiplayerPeer`] since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebRtcPeerStats {
    /// Datagrams received.
    pub received_datagrams: u64,
    /// Datagrams that were ignored, by reason.
    pub refused_datagrams: ReasonCounts<DatagramRefusal>,
    /// Datagrams dropped because the socket was blocked for too long, or the operating system
    /// rejected them.
    pub dropped_datagrams: u64,
    /// Unreliable packets dropped at the limit of all connections.
    pub queue_drops: u64,
    /// Times that the process did not run for a second or more.
    pub stalls: u64,
    /// Datagrams not sent because their destination is not validated, see
    /// [`AMPLIFICATION_MAX`](crate::limits::AMPLIFICATION_MAX).
    pub amplification_drops: u64,
    /// Packets and datagrams dropped because their connection was paused.
    pub paused_drops: u64,
    /// Messages that were ignored, by reason.
    pub refused_messages: ReasonCounts<MessageRefusal>,
    /// Connections closed because DTLS or SCTP failed, for example because the certificate is not
    /// that of the session description.
    pub failed_connections: u64,
    /// Signals dropped because the program did not poll them.
    pub dropped_signals: u64,
    /// Connections dropped at the limit, before their channels were open.
    pub replaced_peers: u64,
    /// Packets not sent to peers because they exceed the peer's maximum message length.
    pub too_large_packets: u64,
    /// Empty packets not sent, because WebRTC cannot transfer them.
    pub empty_packets: u64,
}

impl<S: DatagramSocket> WebRtcMultiplayerPeer<S> {
    /// Returns whether a peer was added and not removed.
    pub fn has_peer(&self, peer: PeerId) -> bool {
        self.connections.slot_of(peer).is_some()
    }

    /// Returns the state of a peer's connection (Godot: `get_peer`).
    #[doc(alias = "get_peer")]
    pub fn peer(&self, peer: PeerId) -> Option<PeerInfo> {
        self.info(self.connections.slot_of(peer)?)
    }

    /// Returns the peers that were added and not removed, by id (Godot: `get_peers`).
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, PeerInfo)> {
        self.connections.peers().filter_map(|(peer, slot)| Some((peer, self.info(slot)?)))
    }

    /// Returns the local address of the socket.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Returns the addresses of the socket that are sent to remote peers.
    pub fn local_candidates(&self) -> &[SocketAddr] {
        &self.local_candidates
    }

    /// Returns the statistics.
    pub fn stats(&self) -> WebRtcPeerStats {
        WebRtcPeerStats {
            refused_datagrams: self.output.refused_datagrams,
            dropped_datagrams: self.output.dropped_datagrams + self.socket.dropped(),
            queue_drops: self.output.queue_drops,
            stalls: self.running.stalls(),
            amplification_drops: self.output.amplification_drops,
            paused_drops: self.output.paused_drops,
            refused_messages: self.output.refused_messages,
            failed_connections: self.output.failed_connections,
            dropped_signals: self.output.dropped_signals,
            ..self.stats
        }
    }

    /// Returns the modes of transfer channels 1, 2, …
    pub fn channels_config(&self) -> &[TransferMode] {
        &self.options.channels_config
    }

    fn info(&self, slot: usize) -> Option<PeerInfo> {
        let connection = self.connections.at(slot)?;
        Some(PeerInfo {
            connection: connection.id(),
            state: connection.state(),
            is_connected: connection.is_open(),
        })
    }

    /// Runs an operation on a connection, and handles its effects.
    fn with<T>(
        &mut self,
        slot: usize,
        act: impl FnOnce(&mut Connection, &mut ConnectionContext<'_>) -> T,
    ) -> Option<T> {
        let connection = self.connections.at_mut(slot)?;
        let mut context = ConnectionContext {
            clock: &self.clock,
            now: self.now,
            table: &self.table,
            output: &mut self.output,
        };
        let result = act(connection, &mut context);
        connection.record_usage(&mut context);
        self.settle(slot);
        Some(result)
    }

    fn end(&mut self, slot: usize, reason: DisconnectReason, close_mode: CloseMode) {
        self.with(slot, |connection, cx| {
            connection.disconnect(cx, (reason, close_mode));
        });
    }

    /// Advances the clock.
    fn advance(&mut self, now: Instant) {
        let mut running = self.running;
        self.now = running.advance(now, || self.timer_due());
        self.running = running;
    }

    /// Returns the time of the next timer of a connection by the peer's clock, at most 1 s after
    /// the last turn so that a late turn is detected.
    fn timer_due(&self) -> Option<Instant> {
        let due = self.connections.next_due()?;
        Some(due.min(self.running.now() + RunningClock::STALL_MIN))
    }

    /// Handles changes of a connection's state.
    fn settle(&mut self, slot: usize) {
        self.connections.update(slot);
        if self.connections.at(slot).is_some_and(Connection::wants_flush) {
            self.connections.mark_dirty(slot);
        }
        let has_connected = std::mem::take(&mut self.output.has_connected);
        if has_connected && self.mode == Mode::Client {
            self.status = ConnectionStatus::Connected;
        }
        let Some(connection) = self.connections.at(slot) else {
            mp_core::bug!("something was done with slot {slot}, which has no connection");
            return;
        };
        let (id, peer) = (connection.id(), connection.peer());
        let is_current = self.connections.slot_of(peer) == Some(slot);
        if let Some(end) = connection.end()
            && is_current
        {
            if self.mode == Mode::Client {
                self.status = ConnectionStatus::Disconnected;
            }
            if let Some(reason) = end.reported {
                let event = PeerEvent::Disconnected { connection: id, reason };
                self.output.events.push_back(event);
            }
            self.output.signal(Signal::PeerRemoved { peer });
            if let Some(oldest) = self.connections.retire(slot) {
                self.discard(oldest);
            }
        }
        if self.connections.at(slot).is_some_and(Connection::is_finished) {
            if self.connections.slot_of(peer) == Some(slot) {
                mp_core::bug!("the connection of peer {peer} is finished, but has not ended");
            }
            self.discard(slot);
        }
    }

    fn discard(&mut self, slot: usize) {
        match self.connections.remove(slot) {
            Some(connection) => {
                self.output.traffic.connections.send_drops += connection.drops();
                self.routes.remove(connection.ufrag(), slot);
            }
            None => mp_core::bug!("the connection of slot {slot} is discarded, but is gone"),
        }
    }
}

/// The connection to a peer (Godot: the dictionary returned by `get_peer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Connection id, as in events.
    pub connection: ConnectionId,
    /// State of the connection.
    pub state: ConnectionState,
    /// `true` if all channels are open.
    pub is_connected: bool,
}
