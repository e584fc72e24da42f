//! A host: one socket's worth of peers.

mod admission;
mod bandwidth;
mod closing;
mod half_open;
mod hold;
mod peer_ops;
mod receive;
mod send;
mod slots;
#[cfg(test)]
mod tests;
mod transmit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use mp_core::{ConnectionId, Instant, Rng, RunningClock, SharedLimit, bug};

use crate::limits::{QUEUED_BYTES_OF_EACH, WAITING_BYTES_OF_EACH};
use crate::proto::command::{Connect, Terms};
use crate::proto::peer::Peer;
use crate::proto::settings::{Admission, HostSettings};
use crate::proto::wire::{LoneDisconnect, Seal};
use crate::proto::{CompressionMode, HostEvent, HostStats, Millis, PEERS_MAX};
use bandwidth::Pass;
use half_open::HalfOpen;
use hold::Keeping;
pub use send::HostSendError;
use slots::Slots;

/// One socket's worth of peers, without the socket. See [the module](super) for its turn.
#[derive(Debug)]
pub struct Host {
    settings: HostSettings,
    rng: Rng,
    slots: Slots,
    events: VecDeque<HostEvent>,
    /// Peers with something to do at the end of the turn.
    dirty: Vec<u16>,
    /// Peers whose datagrams are being packed.
    packing: VecDeque<u16>,
    /// Peers that keep what arrived while their links were held.
    keeping: Keeping,
    /// When peers are due. An entry may be too early, never too late.
    timers: BTreeSet<(Millis, u16)>,
    /// Half-open connections, oldest first.
    half_open: HalfOpen,
    /// Received data: packets that wait for others or for their missing pieces, and events that
    /// were not taken.
    received: SharedLimit,
    /// Data to send: packets queued or not acknowledged.
    queued: SharedLimit,
    /// Which `data` is taken, when it must be unique.
    ids: BTreeMap<u32, u16>,
    connected: u16,
    is_refusing: bool,
    /// Goodbyes to addresses without a peer.
    goodbyes: VecDeque<LoneDisconnect>,
    /// What is done to whole datagrams.
    seal: Seal,
    /// The sharing of bandwidth.
    pass: Pass,
    /// When the first turn was.
    epoch: Option<Millis>,
    clock: RunningClock,
    /// By the host's clock.
    now: Instant,
    stats: HostStats,
    /// How often a peer was sent something that it acknowledges.
    peers_asked: u64,
    /// What of the figures was asked for already, by [`HostStatistic`](crate::proto::HostStatistic).
    popped: [u64; 4],
}

/// A peer of a host, and its place in the host's lists.
#[derive(Debug)]
struct PeerEntry {
    peer: Peer,
    /// True if it is in the list of peers to pack.
    is_queued: bool,
    /// True if it is in the list of peers that keep data of a held link.
    is_keeping: bool,
    /// Its time among the timers.
    timer: Option<Millis>,
    /// True if it counts as a connected peer.
    is_counted: bool,
    /// Its place among the half-open connections.
    age: Option<u64>,
}

impl PeerEntry {
    const fn new(peer: Peer, age: Option<u64>) -> Self {
        Self { peer, is_queued: false, is_keeping: false, timer: None, is_counted: false, age }
    }
}

// An idle peer costs this, its slot and little more: a server may have 4,095 of them.
const _: () = assert!(size_of::<PeerEntry>() <= 1_024);

impl Host {
    /// A host that draws its connect ids from `rng`.
    pub fn new(settings: HostSettings, rng: Rng) -> Self {
        let half_open = match settings.admission {
            Admission::Nobody => 0,
            _ => u16::try_from(settings.half_open_max.max(1)).unwrap_or(PEERS_MAX),
        };
        let slots_max = settings.max_peers.saturating_add(half_open).min(PEERS_MAX);
        Self {
            seal: Seal::new(settings.compression, settings.checksum),
            received: SharedLimit::new(settings.waiting_bytes, WAITING_BYTES_OF_EACH),
            queued: SharedLimit::new(settings.queued_bytes, QUEUED_BYTES_OF_EACH),
            settings,
            rng,
            slots: Slots::new(slots_max),
            events: VecDeque::new(),
            dirty: Vec::new(),
            packing: VecDeque::new(),
            keeping: Keeping::default(),
            timers: BTreeSet::new(),
            half_open: HalfOpen::default(),
            ids: BTreeMap::new(),
            connected: 0,
            is_refusing: false,
            goodbyes: VecDeque::new(),
            pass: Pass::default(),
            epoch: None,
            clock: RunningClock::default(),
            now: Instant::ZERO,
            stats: HostStats::default(),
            peers_asked: 0,
            popped: [0; 4],
        }
    }

    /// Begins a connection to `to`; `data` is for its application (Godot: this side's peer id). The outcome is
    /// [`HostEvent::Connected`] or [`HostEvent::ConnectFailed`]; `None` when there is no slot left.
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

    /// Refuses clients that connect from now on, or stops refusing them.
    pub const fn set_refuse_new_connections(&mut self, is_refusing: bool) {
        self.is_refusing = is_refusing;
    }

    /// Compresses datagrams in this mode from now on, and expands those that arrive in it.
    pub fn compress(&mut self, mode: CompressionMode) {
        self.settings.compression = mode;
        self.seal = Seal::new(mode, self.settings.checksum);
    }

    /// Whether clients are refused.
    pub const fn is_refusing_new_connections(&self) -> bool {
        self.is_refusing
    }

    /// Connected peers, including those that are leaving.
    pub const fn connected_peers(&self) -> u16 {
        self.connected
    }

    /// Bytes of what all peers are to be sent, queued or not acknowledged; they count for
    /// [`queued_bytes`](HostSettings::queued_bytes).
    pub const fn queued_bytes(&self) -> usize {
        self.queued.bytes()
    }

    /// Bytes of what arrived from all peers and waits: for other packets, missing pieces, or to be
    /// taken; they count for [`waiting_bytes`](HostSettings::waiting_bytes).
    pub const fn received_bytes(&self) -> usize {
        self.received.bytes()
    }

    /// Figures of the host.
    pub const fn stats(&self) -> HostStats {
        HostStats { stalls: self.clock.stalls(), ..self.stats }
    }

    /// How often a peer was sent something that it acknowledges.
    pub(crate) const fn peers_asked(&self) -> u64 {
        self.peers_asked
    }

    /// What it was made with.
    pub const fn settings(&self) -> &HostSettings {
        &self.settings
    }

    /// Notes the time; the first one starts the clock of bandwidth announcements.
    pub(super) fn advance(&mut self, now: Instant) {
        let mut clock = std::mem::take(&mut self.clock);
        self.now = clock.advance(now, || self.timer_due());
        self.clock = clock;
        self.epoch.get_or_insert(self.now.as_millis());
    }

    /// Has a peer packed at the end of the turn.
    pub(super) fn touch(&mut self, slot: u16) {
        self.record(slot);
        match self.slots.get_mut(slot) {
            Some(PeerEntry { is_queued: true, .. }) => {}
            Some(entry) => {
                entry.is_queued = true;
                self.dirty.push(slot);
            }
            None => bug!("slot {slot} has something to send, but no peer"),
        }
    }

    /// Has the limits on what all peers have include what one has now.
    pub(super) fn record(&mut self, slot: u16) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.peer.record(&mut self.queued, &mut self.received);
        }
    }

    /// Empties a slot.
    pub(super) fn remove(&mut self, slot: u16) {
        let Some(mut entry) = self.slots.remove(slot) else {
            bug!("slot {slot} is emptied, but has no peer");
            return;
        };
        self.keeping.forget(&entry);
        entry.peer.drop_queues();
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
                // The others have more.
                self.schedule_pass();
            }
        }
    }
}
