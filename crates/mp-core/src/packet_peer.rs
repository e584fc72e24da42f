//! Godot's stateful `MultiplayerPeer`, over any transport and without `SceneMultiplayer`: a target, a mode and a channel
//! that stay set, packets that wait to be read, and signals.
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
mod inbound;
mod intake;
mod roster;

use std::collections::VecDeque;

use bytes::Bytes;

pub use self::error::PacketPeerError;
use self::inbound::Inbound;
use self::roster::Roster;
use crate::{
    Channel, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Outgoing, PeerId, Prefix, Rng, Target, TransferMode,
};

/// What Godot's classes `PacketPeer` and `MultiplayerPeer` offer a program that does without `SceneMultiplayer`, around
/// a transport that nobody else polls.
///
/// Godot polls, emits and sends at once. Here a turn is [`poll`](Self::poll), [`next_signal`](Self::next_signal) until
/// there is none, packets in and out, [`flush`](Self::flush). Signals and packets come in by `poll` alone.
///
/// * Who is who: on a server a link is the id that it claims, 2 to 2³¹ − 1; an invalid id, and one in use, is turned
///   away. A client's one peer is its server, 1.
/// * Packets that wait are counted with 256 bytes to 64 KiB each, so that small ones are not free and a large one is not
///   punished. At 4 MiB all links are [held](MultiplayerPeer::hold) until half of it has been read. At 8 MiB the
///   transport does not hold: unreliable packets are dropped, and a link that brings a reliable one ends with
///   [`QueueFull`](DisconnectReason::QueueFull).
/// * Signals that nobody takes are kept up to 4,096; the oldest make way. [`peers`](Self::peers) is true at any time.
///
/// All of it is counted in [`stats`](Self::stats).
#[derive(Debug)]
#[doc(alias = "MultiplayerPeer")]
pub struct PacketPeer<P> {
    peer: P,
    target: Target,
    transfer_mode: TransferMode,
    transfer_channel: Channel,
    encode_buffer_max_size: usize,
    packet_error: Option<PacketPeerError>,
    roster: Roster,
    inbound: Inbound,
    signals: VecDeque<PeerSignal>,
    stats: PacketPeerStats,
}

/// A signal of Godot's `MultiplayerPeer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerSignal {
    /// A peer takes part: a client of this server, or this client's server.
    PeerConnected(PeerId),
    /// A peer has left.
    PeerDisconnected(PeerId),
}

/// Counters of a [`PacketPeer`] since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketPeerStats {
    /// Peers that came to take part.
    pub connected: u64,
    /// Peers that left, were disconnected, or were closed.
    pub disconnected: u64,
    /// Links turned away for an id that is invalid or in use.
    pub turned_away: u64,
    /// Packets that came to wait to be read.
    pub packets_received: u64,
    /// Packets dropped unread because their peer was disconnected by force, or this side closed.
    pub packets_withdrawn: u64,
    /// Packets dropped because too many waited and the transport does not hold its links.
    pub packets_overflowed: u64,
    /// Times that the links were held because too many packets waited.
    pub holds: u64,
    /// Signals that nobody took in time.
    pub signals_dropped: u64,
}

impl<P: MultiplayerPeer> PacketPeer<P> {
    /// Godot's surface for `peer`: to everybody, reliably, on channel 0.
    pub fn new(peer: P) -> Self {
        Self {
            peer,
            target: Target::All,
            transfer_mode: TransferMode::Reliable,
            transfer_channel: Channel(0),
            encode_buffer_max_size: ENCODE_BUFFER_SIZE_DEFAULT,
            packet_error: None,
            roster: Roster::default(),
            inbound: Inbound::default(),
            signals: VecDeque::new(),
            stats: PacketPeerStats::default(),
        }
    }

    /// Takes in what the network brought, runs the timers that are due, and hands over what was put. It does not wait.
    pub fn poll(&mut self, now: Instant) {
        self.peer.poll(now);
        while let Some(event) = self.peer.next_event() {
            self.take(event);
        }
        self.peer.flush(now);
    }

    /// Hands what was put, and goodbyes, to the network. [`poll`](Self::poll) does so too; call this at the end of a turn,
    /// so that they do not wait for the next. Godot does it within `put_packet`.
    pub fn flush(&mut self, now: Instant) {
        self.peer.flush(now);
    }

    /// The oldest signal not yet taken.
    pub fn next_signal(&mut self) -> Option<PeerSignal> {
        self.signals.pop_front()
    }

    /// Sends a packet to the [target](Self::set_target_peer), in the mode and on the channel that are set. As in Godot an
    /// empty packet is accepted and not sent, connected or not.
    ///
    /// A client sends to its server whatever the target, which is not transmitted, but the target must be connected to this
    /// side. (Among transports that can [relay](Self::is_server_relay_supported); in a mesh there is no server.)
    ///
    /// # Errors
    ///
    /// [`NotConnected`](PacketPeerError::NotConnected), [`UnknownPeer`](PacketPeerError::UnknownPeer) for a target that is
    /// not connected, also when it is to be left out, and [`Rejected`](PacketPeerError::Rejected).
    pub fn put_packet(&mut self, packet: impl Into<Bytes>) -> Result<(), PacketPeerError> {
        let payload = packet.into();
        if payload.is_empty() {
            return Ok(());
        }
        let to = self.receivers()?;
        let (mode, channel) = (self.transfer_mode, self.transfer_channel);
        let outgoing = Outgoing { to, mode, channel, prefix: Prefix::EMPTY, payload };
        self.peer.send(outgoing).map_err(PacketPeerError::from)
    }

    /// Takes the oldest packet. Ask [`packet_peer`](Self::packet_peer) and its like before: they speak of the next one.
    ///
    /// What a peer sent before it left can be read after it left, and what a server sent before it closed.
    ///
    /// # Errors
    ///
    /// [`NoPacket`](PacketPeerError::NoPacket) when none waits.
    #[doc(alias = "get_packet")]
    pub fn next_packet(&mut self) -> Result<Bytes, PacketPeerError> {
        let next = self.inbound.pop().ok_or(PacketPeerError::NoPacket);
        self.release();
        self.packet_error = next.as_ref().err().copied();
        next.map(|packet| packet.payload)
    }

    /// How many packets wait to be read.
    #[doc(alias = "get_available_packet_count")]
    pub fn available_packet_count(&self) -> usize {
        self.inbound.len()
    }

    /// Who sent the next packet.
    #[doc(alias = "get_packet_peer")]
    pub fn packet_peer(&self) -> Option<PeerId> {
        self.inbound.next().map(|(id, _)| id)
    }

    /// How the next packet travelled.
    #[doc(alias = "get_packet_mode")]
    pub fn packet_mode(&self) -> Option<TransferMode> {
        self.inbound.next().map(|(_, packet)| packet.mode)
    }

    /// The channel that the next packet travelled on.
    #[doc(alias = "get_packet_channel")]
    pub fn packet_channel(&self) -> Option<Channel> {
        self.inbound.next().map(|(_, packet)| packet.channel)
    }

    /// Why the last [`next_packet`](Self::next_packet) failed, if it did.
    #[doc(alias = "get_packet_error")]
    pub fn packet_error(&self) -> Option<PacketPeerError> {
        self.packet_error
    }

    /// Whom packets go to from now on: everybody (default), one peer, or everybody but one.
    pub fn set_target_peer(&mut self, target: impl Into<Target>) {
        self.target = target.into();
    }

    /// Whom packets go to. (Godot keeps it to itself.)
    pub fn target_peer(&self) -> Target {
        self.target
    }

    /// How packets travel from now on (default: reliably).
    pub fn set_transfer_mode(&mut self, mode: TransferMode) {
        self.transfer_mode = mode;
    }

    /// How packets travel.
    #[doc(alias = "get_transfer_mode")]
    pub fn transfer_mode(&self) -> TransferMode {
        self.transfer_mode
    }

    /// The channel of packets from now on (default: 0).
    pub fn set_transfer_channel(&mut self, channel: Channel) {
        self.transfer_channel = channel;
    }

    /// The channel of packets.
    #[doc(alias = "get_transfer_channel")]
    pub fn transfer_channel(&self) -> Channel {
        self.transfer_channel
    }

    /// This side's own id: 1 on a server.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.peer.unique_id()
    }

    /// An id for a client that no peer here has.
    pub fn generate_unique_id(&self, rng: &mut Rng) -> PeerId {
        loop {
            let id = PeerId::generate(rng);
            if id != self.unique_id() && !self.has_peer(id) {
                return id;
            }
        }
    }

    /// Whether this side takes part in a session. No signal says that a client could not connect; this does.
    #[doc(alias = "get_connection_status")]
    pub fn connection_status(&self) -> ConnectionStatus {
        self.peer.connection_status()
    }

    /// Whether a server may relay between its clients on this transport.
    pub fn is_server_relay_supported(&self) -> bool {
        self.peer.is_server_relay_supported()
    }

    /// Whether new connections are refused (default: no).
    #[doc(alias = "refuse_new_connections")]
    pub fn is_refusing_new_connections(&self) -> bool {
        self.peer.is_refusing_new_connections()
    }

    /// Refuses new connections, or stops refusing them. Existing ones stay.
    pub fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.peer.set_refuse_new_connections(refuse);
    }

    /// The largest packet in bytes.
    #[doc(alias = "get_max_packet_size")]
    pub fn max_packet_size(&self) -> usize {
        self.peer.max_packet_size()
    }

    /// Ends a link: with the goodbye acknowledged and [`PeerDisconnected`](PeerSignal::PeerDisconnected) thereafter, or, by
    /// `force`, at once and without a signal. A client that disconnects its server ends its session.
    ///
    /// Force withdraws the packets of that peer that wait to be read, and a `PeerConnected` that nobody took.
    ///
    /// # Errors
    ///
    /// [`UnknownPeer`](PacketPeerError::UnknownPeer).
    pub fn disconnect_peer(&mut self, id: PeerId, force: bool) -> Result<(), PacketPeerError> {
        let farewell = if force { Farewell::Abrupt } else { Farewell::Polite };
        self.disconnect_peer_with(id, farewell)
    }

    /// As [`disconnect_peer`](Self::disconnect_peer), which knows `Polite` and, by force, `Abrupt`.
    /// [`Farewell::Drain`] lets the peer have first what was put.
    ///
    /// # Errors
    ///
    /// [`UnknownPeer`](PacketPeerError::UnknownPeer).
    pub fn disconnect_peer_with(
        &mut self,
        id: PeerId,
        farewell: Farewell,
    ) -> Result<(), PacketPeerError> {
        let connection = self.roster.connection(id).ok_or(PacketPeerError::UnknownPeer(id))?;
        self.peer.disconnect(connection, DisconnectReason::Kicked, farewell);
        if farewell == Farewell::Abrupt {
            self.remove(connection);
            self.withdraw(connection, id);
        }
        Ok(())
    }

    /// Ends everything at once, without signals; packets that wait are dropped. [`flush`](Self::flush) sends the goodbyes.
    pub fn close(&mut self) {
        self.peer.close();
        self.stats.disconnected += self.roster.len() as u64;
        self.roster.clear();
        self.stats.packets_withdrawn += self.inbound.clear() as u64;
    }

    /// Largest form in bytes of a value that `put_var` sends (default: 8 MiB). Values and their codec are `mp-scene`'s; see
    /// its `PacketVar`.
    #[doc(alias = "get_encode_buffer_max_size")]
    pub fn encode_buffer_max_size(&self) -> usize {
        self.encode_buffer_max_size
    }

    /// Changes [`encode_buffer_max_size`](Self::encode_buffer_max_size): 1 KiB to 256 MiB, rounded up to a power of two.
    ///
    /// # Errors
    ///
    /// [`EncodeBuffer`](PacketPeerError::EncodeBuffer) beyond that; nothing changes.
    pub fn set_encode_buffer_max_size(&mut self, bytes: usize) -> Result<(), PacketPeerError> {
        if !ENCODE_BUFFER_SIZES.contains(&bytes) {
            return Err(PacketPeerError::EncodeBuffer(bytes));
        }
        self.encode_buffer_max_size = bytes.next_power_of_two();
        Ok(())
    }

    /// The peers that take part, in no particular order.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.roster.ids()
    }

    /// Whether a peer takes part.
    pub fn has_peer(&self, id: PeerId) -> bool {
        self.roster.connection(id).is_some()
    }

    /// The link of a peer, for [`connection_stats`](MultiplayerPeer::connection_stats).
    pub fn connection(&self, id: PeerId) -> Option<ConnectionId> {
        self.roster.connection(id)
    }

    /// Counters.
    pub fn stats(&self) -> PacketPeerStats {
        self.stats
    }

    /// The transport, for what only it has.
    pub fn peer(&self) -> &P {
        &self.peer
    }

    /// The transport, to change its settings. Whoever takes its events takes them from this.
    pub fn peer_mut(&mut self) -> &mut P {
        &mut self.peer
    }

    /// The links that the target stands for.
    fn receivers(&self) -> Result<Connections, PacketPeerError> {
        if self.connection_status() != ConnectionStatus::Connected {
            return Err(PacketPeerError::NotConnected);
        }
        let named = match self.target {
            Target::All => None,
            Target::AllExcept(id) | Target::Peer(id) => Some(id),
        };
        let link = |id| self.roster.connection(id).ok_or(PacketPeerError::UnknownPeer(id));
        let named = named.map(link).transpose()?;
        let is_client = !self.unique_id().is_server() && self.is_server_relay_supported();
        Ok(match (self.target, named) {
            _ if is_client => link(PeerId::SERVER)?.into(),
            (Target::Peer(_), Some(connection)) => connection.into(),
            (_, excluded) => {
                let all = self.roster.connections();
                Connections::Many(all.filter(|&link| Some(link) != excluded).collect())
            }
        })
    }
}

/// Godot's default of `encode_buffer_max_size`.
const ENCODE_BUFFER_SIZE_DEFAULT: usize = 8 << 20;

/// What Godot lets `encode_buffer_max_size` be.
const ENCODE_BUFFER_SIZES: std::ops::RangeInclusive<usize> = 1 << 10..=256 << 20;
