//! [`Host`]: the peers of one socket.

mod admission;
mod bandwidth;
mod closing;
mod half_open;
mod pause;
mod peer_ops;
mod receive;
mod send;
mod slots;
#[cfg(test)]
mod tests;
mod transmit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use mp_core::{
    ConnectionId, ConnectionStats, GatePass, Instant, Rng, RunningClock, SharedLimit,
    TransportStats, bug,
};

use crate::limits::{QUEUED_BYTES_SHARE, WAITING_BYTES_OF_EACH};
use crate::proto::command::{Connect, Terms};
use crate::proto::peer::Peer;
use crate::proto::settings::{Admission, HostSettings};
use crate::proto::wire::{DatagramCodec, LoneDisconnect};
use crate::proto::{CompressionMode, HostEvent, HostStats, Millis, PEERS_MAX};
use bandwidth::BandwidthRound;
use half_open::HalfOpen;
use pause::PausedPeers;
pub use send::HostSendError;
use slots::Slots;

/// The peers of one socket, without the socket. See [the module](super) for the steps of a turn.
#[derive(Debug)]
pub struct Host {
    settings: HostSettings,
    rng: Rng,
    slots: Slots,
    events: VecDeque<HostEvent>,
    /// Peers with something to send at the end of the turn.
    dirty: Vec<u16>,
    /// Peers whose datagrams are being packed.
    packing: VecDeque<u16>,
    /// Peers with data that was buffered while paused.
    paused_peers: PausedPeers,
    /// Times at which peers are due. An entry may be early, but never late.
    timers: BTreeSet<(Millis, u16)>,
    /// Half-open connections, oldest first.
    half_open: HalfOpen,
    /// Limit of received data of all peers: incomplete and out-of-order packets, and events that
    /// were not polled.
    received: SharedLimit,
    /// Limit of data to send of all peers: packets queued or not acknowledged.
    queued: SharedLimit,
    /// Slot by `data`, if that must be unique.
    ids: BTreeMap<u32, u16>,
    connected: u16,
    is_refusing: bool,
    /// Single DISCONNECT datagrams to send.
    lone_disconnects: VecDeque<LoneDisconnect>,
    /// Compression and checksums.
    codec: DatagramCodec,
    bandwidth_round: BandwidthRound,
    /// Time of the first turn.
    epoch: Option<Millis>,
    clock: RunningClock,
    /// Time of the last turn, by the host's clock.
    now: Instant,
    stats: HostStats,
    /// Sum over the peers that were removed, and the number of completed handshakes.
    removed: ConnectionStats,
    completed_handshakes: u64,
    /// Ack-eliciting datagrams sent.
    ack_eliciting_sent: u64,
    /// Counter values at the last [`pop_statistic`](Self::pop_statistic), by
    /// [`HostStatistic`](crate::proto::HostStatistic).
    popped: [u64; 4],
}

/// A peer of a host, and its membership in the host's lists.
#[derive(Debug)]
struct PeerEntry {
    peer: Peer,
    /// `true` if it is in `dirty` or `packing`.
    is_queued: bool,
    /// `true` if it is in `paused_peers`.
    has_buffered: bool,
    /// Its entry in `timers`.
    timer: Option<Millis>,
    /// `true` if it counts as a connected peer.
    is_counted: bool,
    /// Its entry in `half_open`.
    age: Option<u64>,
    /// Its permission, if there is a gate and the peer is a client that has connected.
    pass: Option<Box<GatePass>>,
}

impl PeerEntry {
    const fn new(peer: Peer, age: Option<u64>) -> Self {
        Self {
            peer,
            is_queued: false,
            has_buffered: false,
            timer: None,
            is_counted: false,
            age,
            pass: None,
        }
    }

    /// Adds the peer to `dirty`, the peers to pack at the end of the turn.
    fn mark_dirty(&mut self, dirty: &mut Vec<u16>) {
        if !self.is_queued {
            self.is_queued = true;
            dirty.push(self.peer.connection().slot as u16);
        }
    }
}

// Bounds the memory of an idle peer, as tests/memory.rs does. A server may have 4,095 of them.
const _: () = assert!(size_of::<PeerEntry>() <= 1_088);

impl Host {
    /// Returns a host that draws its connect ids from `rng`.
    pub fn new(settings: HostSettings, rng: Rng) -> Self {
        let half_open = match settings.admission {
            Admission::Nobody => 0,
            _ => u16::try_from(settings.max_half_open.max(1)).unwrap_or(PEERS_MAX),
        };
        let slots_max = settings.max_peers.saturating_add(half_open).min(PEERS_MAX);
        Self {
            codec: DatagramCodec::new(settings.compression, settings.checksum),
            received: SharedLimit::new(settings.waiting_bytes, WAITING_BYTES_OF_EACH),
            queued: SharedLimit::new(settings.queued_bytes, QUEUED_BYTES_SHARE),
            settings,
            rng,
            slots: Slots::new(slots_max),
            events: VecDeque::new(),
            dirty: Vec::new(),
            packing: VecDeque::new(),
            paused_peers: PausedPeers::default(),
            timers: BTreeSet::new(),
            half_open: HalfOpen::default(),
            ids: BTreeMap::new(),
            connected: 0,
            is_refusing: false,
            lone_disconnects: VecDeque::new(),
            bandwidth_round: BandwidthRound::default(),
            epoch: None,
            clock: RunningClock::default(),
            now: Instant::ZERO,
            stats: HostStats::default(),
            removed: ConnectionStats::default(),
            completed_handshakes: 0,
            ack_eliciting_sent: 0,
            popped: [0; 4],
        }
    }

    /// Starts a connection to `to`. `data` is for the remote application (Godot: the local peer
    /// id). [`HostEvent::Connected`] or [`HostEvent::ConnectFailed`] follows. `None` if no slot is
    /// free.
    pub fn connect(&mut self, to: SocketAddr, channels: u8, data: u32) -> Option<ConnectionId> {
        let connect_id = self.rng.next_u32().to_be_bytes();
        let (connection, sessions) = self.slots.vacant()?;
        let settings = &self.settings;
        let terms = Terms {
            peer_id: connection.slot as u16,
            incoming_session: sessions.incoming(),
            outgoing_session: sessions.outgoing(),
            mtu: settings.mtu.into(),
            window_size: HostSettings::window(settings.outgoing_bandwidth),
            channel_count: channels.max(1).into(),
            incoming_bandwidth: settings.incoming_bandwidth,
            outgoing_bandwidth: settings.outgoing_bandwidth,
            throttle: settings.throttle,
            connect_id,
        };
        let connect = Connect { terms, data };
        let peer = Peer::connecting(connection, to.into(), sessions, connect, settings);
        self.slots.insert(PeerEntry::new(peer, None));
        self.touch(connection.slot as u16);
        Some(connection)
    }

    /// Rejects new clients if `is_refusing`.
    pub const fn set_refuse_new_connections(&mut self, is_refusing: bool) {
        self.is_refusing = is_refusing;
    }

    /// Sets the compression mode of sent and received datagrams.
    pub fn compress(&mut self, mode: CompressionMode) {
        self.settings.compression = mode;
        self.codec = DatagramCodec::new(mode, self.settings.checksum);
    }

    /// Returns whether new clients are rejected.
    pub const fn is_refusing_new_connections(&self) -> bool {
        self.is_refusing
    }

    /// Returns the number of connected peers, including those that are disconnecting.
    pub const fn connected_peers(&self) -> u16 {
        self.connected
    }

    /// Returns the bytes to send to all peers, queued or not acknowledged. The limit is
    /// [`queued_bytes`](HostSettings::queued_bytes).
    pub const fn queued_bytes(&self) -> usize {
        self.queued.bytes()
    }

    /// Returns the bytes received from all peers that were not polled, including incomplete and
    /// out-of-order packets. The limit is [`waiting_bytes`](HostSettings::waiting_bytes).
    pub const fn received_bytes(&self) -> usize {
        self.received.bytes()
    }

    /// Returns the statistics of the host.
    pub const fn stats(&self) -> HostStats {
        HostStats { stalls: self.clock.stalls(), ..self.stats }
    }

    /// Returns the sums over all peers, including those that were removed.
    pub fn transport_stats(&self) -> TransportStats {
        let mut sum = TransportStats::default();
        sum.add_ended_connection(&self.removed);
        for entry in self.slots.entries() {
            sum.add_connection(&entry.peer.stats());
        }
        sum.datagrams_received = self.stats.datagrams_received;
        sum.datagrams_sent = self.stats.datagrams_sent;
        sum.network_bytes_received = self.stats.bytes_received;
        sum.network_bytes_sent = self.stats.bytes_sent;
        sum.completed_handshakes = self.completed_handshakes;
        sum.refused_handshakes = self.stats.refused_handshakes.total();
        sum
    }

    /// Returns the number of ack-eliciting datagrams sent.
    pub(crate) const fn ack_eliciting_sent(&self) -> u64 {
        self.ack_eliciting_sent
    }

    /// Returns the current settings.
    pub const fn settings(&self) -> &HostSettings {
        &self.settings
    }

    /// Advances the host's clock. The first call sets the time of the first turn.
    pub(super) fn advance(&mut self, now: Instant) {
        let mut clock = std::mem::take(&mut self.clock);
        self.now = clock.advance(now, || self.timer_due());
        self.clock = clock;
        self.epoch.get_or_insert(self.now.as_millis());
    }

    /// Marks a peer to be packed at the end of the turn, and updates its share in the limits of all
    /// peers.
    pub(super) fn touch(&mut self, slot: u16) {
        let Some(entry) = self.slots.get_mut(slot) else {
            bug!("slot {slot} has something to send, but no peer");
            return;
        };
        entry.peer.record(&mut self.queued, &mut self.received);
        entry.mark_dirty(&mut self.dirty);
    }

    /// Removes the peer in a slot.
    pub(super) fn remove(&mut self, slot: u16) {
        let Some(mut entry) = self.slots.remove(slot) else {
            bug!("slot {slot} is emptied, but has no peer");
            return;
        };
        self.paused_peers.remove(&entry);
        entry.peer.drop_queues();
        self.removed.add_all(&entry.peer.stats());
        entry.peer.record(&mut self.queued, &mut self.received);
        if let Some(at) = entry.timer {
            self.timers.remove(&(at, slot));
        }
        if let Some(age) = entry.age {
            self.half_open.remove(age);
        }
        if entry.is_counted {
            self.connected -= 1;
            let id = entry.peer.data();
            if self.ids.get(&id) == Some(&slot) {
                self.ids.remove(&id);
            }
            if self.settings.incoming_bandwidth > 0 {
                // The other peers get a larger share.
                self.schedule_bandwidth_round();
            }
        }
    }
}
