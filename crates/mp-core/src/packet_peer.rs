//! Godot's stateful `MultiplayerPeer`, over any transport and without `SceneMultiplayer`: a current
//! target, mode and channel, a queue of received packets, and signals.
//!
//! ```
//! use mp_core::{Instant, PacketPeer, PeerId, PeerSignal, Target, TransferMode, memory};
//!
//! let now = Instant::ZERO;
//! let two = PeerId::new(2).unwrap();
//! let (server, client) = memory::pair(two);
//! let (mut server, mut client) = (PacketPeer::new(server), PacketPeer::new(client));
//! server.poll(now);
//! client.poll(now);
//! assert_eq!(server.next_signal(), Some(PeerSignal::PeerConnected(two)));
//!
//! client.set_target_peer(Target::SERVER);
//! client.set_transfer_mode(TransferMode::UnreliableOrdered);
//! client.put_packet("hello")?;
//! client.flush(now);
//!
//! server.poll(now);
//! while server.available_packet_count() > 0 {
//!     assert_eq!(server.packet_peer(), Some(two));
//!     assert_eq!(server.next_packet()?, "hello");
//! }
//! # Ok::<(), mp_core::PacketPeerError>(())
//! ```

mod error;
mod intake;
mod peer_map;
mod receive_queue;

use std::collections::VecDeque;

use bytes::Bytes;

pub use self::error::PacketPeerError;
use self::peer_map::PeerMap;
use self::receive_queue::ReceiveQueue;
use crate::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, PeerId, Prefix, Rng, Target, TransferMode,
};

/// Godot's classes `PacketPeer` and `MultiplayerPeer` around a transport, for programs without
/// `SceneMultiplayer`. The transport must not be polled by anything else.
///
/// Godot polls, emits signals and sends immediately. Here a turn is [`poll`](Self::poll),
/// [`next_signal`](Self::next_signal) until it returns `None`, reading and putting packets, and
/// [`flush`](Self::flush). Only `poll` receives signals and packets.
///
/// * Peer ids: a server uses the id that a client claims, 2 to 2³¹ − 1. It rejects connections with
///   an invalid id or an id in use. A client has one peer, its server, with id 1.
/// * Received packets count as their size, but at least 256 bytes and at most 64 KiB each: small
///   packets are not free, and a large one does not fill the queue. At 4 MiB all connections are
///   [paused](MultiplayerPeer::pause_receiving) until half of the queue has been read. At 8 MiB the
///   transport evidently does not pause. Unreliable packets are then dropped, and a connection that
///   receives a reliable one is closed with [`QueueFull`](DisconnectReason::QueueFull).
/// * Up to 4,096 signals are queued; beyond the limit the oldest are dropped.
///   [`peers`](Self::peers) is always up to date.
///
/// [`stats`](Self::stats) counts all of these.
#[derive(Debug)]
#[doc(alias = "MultiplayerPeer")]
pub struct PacketPeer<P> {
    peer: P,
    target: Target,
    transfer_mode: TransferMode,
    transfer_channel: Channel,
    encode_buffer_max_size: usize,
    packet_error: Option<PacketPeerError>,
    peers: PeerMap,
    receive_queue: ReceiveQueue,
    signals: VecDeque<PeerSignal>,
    stats: PacketPeerStats,
}

/// A signal of Godot's `MultiplayerPeer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerSignal {
    /// A peer connected: a client of this server, or this client's server.
    PeerConnected(PeerId),
    /// A peer disconnected.
    PeerDisconnected(PeerId),
}

/// Statistics of a [`PacketPeer`] since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketPeerStats {
    /// Peers that connected.
    pub connected: u64,
    /// Peers that disconnected, were disconnected, or were closed.
    pub disconnected: u64,
    /// Connections rejected because their id was invalid or in use.
    pub rejected_connections: u64,
    /// Packets queued for reading.
    pub packets_received: u64,
    /// Unread packets dropped because their peer was disconnected by force, or the local peer
    /// closed.
    pub packets_discarded: u64,
    /// Packets dropped because the queue was full and the transport does not pause connections.
    pub packets_dropped: u64,
    /// Number of times that a full queue paused the connections.
    pub pauses: u64,
    /// Signals dropped because the queue of signals was full.
    pub signals_dropped: u64,
}

impl<P: MultiplayerPeer> PacketPeer<P> {
    /// Returns a packet peer around `peer`, with Godot's defaults: target all, mode reliable,
    /// channel 0.
    pub fn new(peer: P) -> Self {
        Self {
            peer,
            target: Target::All,
            transfer_mode: TransferMode::Reliable,
            transfer_channel: Channel(0),
            encode_buffer_max_size: ENCODE_BUFFER_SIZE_DEFAULT,
            packet_error: None,
            peers: PeerMap::default(),
            receive_queue: ReceiveQueue::default(),
            signals: VecDeque::new(),
            stats: PacketPeerStats::default(),
        }
    }

    /// Receives from the network, runs the timers that are due and sends the packets that were put.
    /// Does not block.
    pub fn poll(&mut self, now: Instant) {
        self.peer.poll(now);
        while let Some(event) = self.peer.next_event() {
            self.handle_event(event);
        }
        self.peer.flush(now);
    }

    /// Sends the packets that were put and pending disconnects. Call it at the end of a turn;
    /// otherwise they are sent by the next [`poll`](Self::poll). Godot sends within `put_packet`.
    pub fn flush(&mut self, now: Instant) {
        self.peer.flush(now);
    }

    /// Removes and returns the oldest signal.
    pub fn next_signal(&mut self) -> Option<PeerSignal> {
        self.signals.pop_front()
    }

    /// Queues a packet for the [target](Self::set_target_peer), with the current mode and channel.
    /// An empty packet is accepted and not sent, even without a connection, as in Godot.
    ///
    /// A client sends to its server whatever the target, which is not transmitted; still, the
    /// target must be connected to the local peer. (This applies to transports that can
    /// [relay](Self::is_server_relay_supported); a mesh has no server.)
    ///
    /// # Errors
    ///
    /// [`NotConnected`](PacketPeerError::NotConnected);
    /// [`UnknownPeer`](PacketPeerError::UnknownPeer) if the target, or the peer excluded by it, is
    /// not connected; [`Rejected`](PacketPeerError::Rejected).
    pub fn put_packet(&mut self, packet: impl Into<Bytes>) -> Result<(), PacketPeerError> {
        let payload = packet.into();
        if payload.is_empty() {
            return Ok(());
        }
        let to = self.receivers()?;
        let (mode, channel) = (self.transfer_mode, self.transfer_channel);
        let outgoing = OutgoingPacket { to, mode, channel, prefix: Prefix::EMPTY, payload };
        self.peer.send(outgoing).map_err(PacketPeerError::from)
    }

    /// Removes and returns the oldest packet. Call [`packet_peer`](Self::packet_peer),
    /// [`packet_mode`](Self::packet_mode) and [`packet_channel`](Self::packet_channel) before: they
    /// describe the next packet.
    ///
    /// Packets can still be read after their sender disconnected.
    ///
    /// # Errors
    ///
    /// [`NoPacket`](PacketPeerError::NoPacket) if no packet is queued.
    #[doc(alias = "get_packet")]
    pub fn next_packet(&mut self) -> Result<Bytes, PacketPeerError> {
        let next = self.receive_queue.pop().ok_or(PacketPeerError::NoPacket);
        self.resume_if_drained();
        self.packet_error = next.as_ref().err().copied();
        next.map(|packet| packet.payload)
    }

    /// Returns the number of packets that can be read.
    #[doc(alias = "get_available_packet_count")]
    pub fn available_packet_count(&self) -> usize {
        self.receive_queue.len()
    }

    /// Returns the sender of the next packet.
    #[doc(alias = "get_packet_peer")]
    pub fn packet_peer(&self) -> Option<PeerId> {
        self.receive_queue.next().map(|(id, _)| id)
    }

    /// Returns the transfer mode of the next packet.
    #[doc(alias = "get_packet_mode")]
    pub fn packet_mode(&self) -> Option<TransferMode> {
        self.receive_queue.next().map(|(_, packet)| packet.mode)
    }

    /// Returns the transfer channel of the next packet.
    #[doc(alias = "get_packet_channel")]
    pub fn packet_channel(&self) -> Option<Channel> {
        self.receive_queue.next().map(|(_, packet)| packet.channel)
    }

    /// Returns the error of the last [`next_packet`](Self::next_packet), if it failed.
    #[doc(alias = "get_packet_error")]
    pub fn packet_error(&self) -> Option<PacketPeerError> {
        self.packet_error
    }

    /// Sets the target of packets: all peers (default), one peer, or all but one.
    pub fn set_target_peer(&mut self, target: impl Into<Target>) {
        self.target = target.into();
    }

    /// Returns the target of packets. Godot has no getter for it.
    pub fn target_peer(&self) -> Target {
        self.target
    }

    /// Sets the transfer mode of packets. Default: reliable.
    pub fn set_transfer_mode(&mut self, mode: TransferMode) {
        self.transfer_mode = mode;
    }

    /// Returns the transfer mode of packets.
    #[doc(alias = "get_transfer_mode")]
    pub fn transfer_mode(&self) -> TransferMode {
        self.transfer_mode
    }

    /// Sets the transfer channel of packets. Default: 0.
    pub fn set_transfer_channel(&mut self, channel: Channel) {
        self.transfer_channel = channel;
    }

    /// Returns the transfer channel of packets.
    #[doc(alias = "get_transfer_channel")]
    pub fn transfer_channel(&self) -> Channel {
        self.transfer_channel
    }

    /// Returns the local peer's id, which is 1 on a server.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.peer.unique_id()
    }

    /// Returns a random client id that no connected peer has.
    pub fn generate_unique_id(&self, rng: &mut Rng) -> PeerId {
        loop {
            let id = PeerId::generate(rng);
            if id != self.unique_id() && !self.has_peer(id) {
                return id;
            }
        }
    }

    /// Returns the state of the session. A client that failed to connect becomes `Disconnected`
    /// without a signal.
    #[doc(alias = "get_connection_status")]
    pub fn connection_status(&self) -> ConnectionStatus {
        self.peer.connection_status()
    }

    /// Returns whether a server may relay packets between its clients on this transport.
    pub fn is_server_relay_supported(&self) -> bool {
        self.peer.is_server_relay_supported()
    }

    /// Returns whether new connections are refused. Default: no.
    #[doc(alias = "refuse_new_connections")]
    pub fn is_refusing_new_connections(&self) -> bool {
        self.peer.is_refusing_new_connections()
    }

    /// Sets whether new connections are refused. Existing connections stay.
    pub fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.peer.set_refuse_new_connections(refuse);
    }

    /// Returns the maximum packet size in bytes.
    #[doc(alias = "get_max_packet_size")]
    pub fn max_packet_size(&self) -> usize {
        self.peer.max_packet_size()
    }

    /// Disconnects a peer. Without `force`, the remote peer acknowledges the disconnect and
    /// [`PeerDisconnected`](PeerSignal::PeerDisconnected) follows. With `force`, the connection is
    /// removed immediately and without a signal. A client that disconnects its server ends its
    /// session.
    ///
    /// `force` also drops the peer's unread packets, and its `PeerConnected` if it is still queued.
    ///
    /// # Errors
    ///
    /// [`UnknownPeer`](PacketPeerError::UnknownPeer).
    pub fn disconnect_peer(&mut self, id: PeerId, force: bool) -> Result<(), PacketPeerError> {
        let close_mode = if force { CloseMode::Immediate } else { CloseMode::Graceful };
        self.disconnect_peer_with(id, close_mode)
    }

    /// Same as [`disconnect_peer`](Self::disconnect_peer), with a choice of how to close:
    /// [`CloseMode::Graceful`], [`CloseMode::Immediate`] (`force`), or [`CloseMode::Drain`], which
    /// first delivers the packets that were put.
    ///
    /// # Errors
    ///
    /// [`UnknownPeer`](PacketPeerError::UnknownPeer).
    pub fn disconnect_peer_with(
        &mut self,
        id: PeerId,
        close_mode: CloseMode,
    ) -> Result<(), PacketPeerError> {
        let connection = self.peers.connection(id).ok_or(PacketPeerError::UnknownPeer(id))?;
        self.peer.disconnect(connection, DisconnectReason::Kicked, close_mode);
        if close_mode == CloseMode::Immediate {
            self.remove(connection);
            self.discard(connection, id);
        }
        Ok(())
    }

    /// Closes all connections immediately, without signals, and drops unread packets.
    /// [`flush`](Self::flush) sends the disconnects.
    pub fn close(&mut self) {
        self.peer.close();
        self.stats.disconnected += self.peers.len() as u64;
        self.peers.clear();
        self.stats.packets_discarded += self.receive_queue.clear() as u64;
    }

    /// Returns the maximum encoded size in bytes of a value for `put_var`. Default: 8 MiB.
    /// `mp-scene` has values and their codec; see its `PacketVar`.
    #[doc(alias = "get_encode_buffer_max_size")]
    pub fn encode_buffer_max_size(&self) -> usize {
        self.encode_buffer_max_size
    }

    /// Sets [`encode_buffer_max_size`](Self::encode_buffer_max_size): 1 KiB to 256 MiB, rounded up
    /// to a power of two.
    ///
    /// # Errors
    ///
    /// [`EncodeBuffer`](PacketPeerError::EncodeBuffer) for other sizes; the setting stays.
    pub fn set_encode_buffer_max_size(&mut self, bytes: usize) -> Result<(), PacketPeerError> {
        if !ENCODE_BUFFER_SIZES.contains(&bytes) {
            return Err(PacketPeerError::EncodeBuffer(bytes));
        }
        self.encode_buffer_max_size = bytes.next_power_of_two();
        Ok(())
    }

    /// Returns the connected peers, in no particular order.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.peers.ids()
    }

    /// Returns whether a peer is connected.
    pub fn has_peer(&self, id: PeerId) -> bool {
        self.peers.connection(id).is_some()
    }

    /// Returns the connection of a peer, for
    /// [`connection_stats`](MultiplayerPeer::connection_stats).
    pub fn connection(&self, id: PeerId) -> Option<ConnectionId> {
        self.peers.connection(id)
    }

    /// Returns the statistics.
    pub fn stats(&self) -> PacketPeerStats {
        self.stats
    }

    /// Returns the transport, for methods that only it has.
    pub fn peer(&self) -> &P {
        &self.peer
    }

    /// Returns the transport, to change its settings. Events read from it are lost to this packet
    /// peer.
    pub fn peer_mut(&mut self) -> &mut P {
        &mut self.peer
    }

    /// Returns the connections of the target.
    fn receivers(&self) -> Result<Connections, PacketPeerError> {
        if self.connection_status() != ConnectionStatus::Connected {
            return Err(PacketPeerError::NotConnected);
        }
        let selected = match self.target {
            Target::All => None,
            Target::AllExcept(id) | Target::Peer(id) => Some(id),
        };
        let connection = |id| self.peers.connection(id).ok_or(PacketPeerError::UnknownPeer(id));
        let selected = selected.map(connection).transpose()?;
        let is_client = !self.unique_id().is_server() && self.is_server_relay_supported();
        Ok(match (self.target, selected) {
            _ if is_client => connection(PeerId::SERVER)?.into(),
            (Target::Peer(_), Some(connection)) => connection.into(),
            (_, excluded) => {
                let all = self.peers.connections();
                Connections::Many(all.filter(|&other| Some(other) != excluded).collect())
            }
        })
    }
}

/// Godot's default of `encode_buffer_max_size` in bytes.
const ENCODE_BUFFER_SIZE_DEFAULT: usize = 8 << 20;

/// Godot's range of `encode_buffer_max_size` in bytes.
const ENCODE_BUFFER_SIZES: std::ops::RangeInclusive<usize> = 1 << 10..=256 << 20;
