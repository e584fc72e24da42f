//! A host: one socket's worth of peers.

mod admission;
mod bandwidth;
mod half_open;
mod hold;
mod peer_ops;
mod slots;
mod transmit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use mp_core::{
    ConnectionId, ConnectionStats, DisconnectReason, Farewell, Instant, Rng, RunningClock,
    SharedLimit,
};

use crate::limits::{QUEUED_BYTES_OF_EACH, WAITING_BYTES_OF_EACH};
use crate::proto::channel::delivered_bytes;
use crate::proto::command::{Body, CONTROL_CHANNEL, Command, Connect, FLAG_UNSEQUENCED, Terms};
use crate::proto::header::Header;
use crate::proto::peer::{Context, Flow, Peer, QueueError, State, piece_len};
use crate::proto::settings::{Admission, HostSettings};
use crate::proto::wire::{Seal, Unreadable};
use crate::proto::{
    CompressionMode, HostEvent, HostStats, Millis, NO_PEER, NetworkPath, PEERS_MAX, PacketFlags,
    Payload,
};
use bandwidth::Pass;
use half_open::HalfOpen;
use hold::Keeping;
pub(crate) use slots::Sessions;
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
    goodbyes: VecDeque<Goodbye>,
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

/// A datagram of a lone DISCONNECT.
#[derive(Debug)]
pub(super) struct Goodbye {
    to: SocketAddr,
    from: Option<IpAddr>,
    connect_id: [u8; 4],
    bytes: [u8; 10],
}

/// Why a packet was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostSendError {
    /// The two sides agreed on fewer channels.
    #[error("channel {channel} is beyond the {count} channels agreed on")]
    NoChannel {
        /// The channel asked for.
        channel: u8,
        /// How many there are.
        count: u8,
    },
    /// The packet is too large.
    #[error("packet of {len} bytes is larger than {max}")]
    TooLarge {
        /// Bytes of the packet.
        len: usize,
        /// Most bytes of a packet.
        max: usize,
    },
}

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
            incoming_session: sessions.incoming,
            outgoing_session: sessions.outgoing,
            mtu: settings.mtu.into(),
            window_size: HostSettings::window(settings.outgoing_bandwidth),
            channel_count: channels.max(1).into(),
            incoming_bandwidth: settings.incoming_bandwidth,
            outgoing_bandwidth: settings.outgoing_bandwidth,
            throttle: settings.throttle,
            connect_id,
        };
        let connect = Connect { terms, data };
        self.slots.insert(Peer::connecting(connection, to, sessions, connect, settings));
        self.touch(connection.slot as u16);
        Some(connection)
    }

    /// Takes in a datagram, which came by `path`: what a client is sent leaves from the local
    /// address to which it sent its CONNECT. Sends nothing; whatever the datagram contains, the
    /// worst that happens is that it is counted.
    pub fn handle_datagram(&mut self, now: Instant, path: impl Into<NetworkPath>, datagram: &[u8]) {
        self.advance(now);
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
        let Some((header, rest)) = Header::parse(datagram) else {
            self.stats.datagrams_malformed += 1;
            return;
        };
        // Apart from the host, as the commands may lie in it.
        let mut seal = std::mem::take(&mut self.seal);
        self.handle_sealed(&mut seal, path.into(), datagram.len(), &header, rest);
        self.seal = seal;
    }

    fn handle_sealed(
        &mut self,
        seal: &mut Seal,
        path: NetworkPath,
        len: usize,
        header: &Header,
        rest: &[u8],
    ) {
        if header.peer_id == NO_PEER {
            match seal.open(header, rest, [0; 4]) {
                Ok(commands) => self.handle_connect(path, len, commands),
                Err(why) => self.count_unreadable(why),
            }
            return;
        }
        let (slot, now) = (header.peer_id, self.now.as_millis());
        let is_full = self.connected >= self.settings.max_peers;
        let is_refusing = self.is_refusing || is_full;
        let Some(peer) = self.slots.get_mut(slot).filter(|peer| {
            let is_expected =
                peer.outgoing_id == NO_PEER || header.session == peer.sessions.incoming & 3;
            peer.address == path.remote && is_expected
        }) else {
            self.stats.datagrams_stray += 1;
            return;
        };
        let commands = match seal.open(header, rest, peer.connect_id) {
            Ok(commands) => commands,
            Err(why) => {
                self.count_unreadable(why);
                return;
            }
        };
        let is_new = !peer.is_counted;
        if is_new {
            peer.proof.received(len);
        }
        let mut context = Context {
            settings: &self.settings,
            events: &mut self.events,
            limit: &mut self.received,
            is_admitted: !is_new || !is_refusing && !self.ids.contains_key(&peer.data),
            is_malformed: false,
            withheld: 0,
        };
        let flow = peer.handle_commands(now, header.sent_time, commands, &mut context);
        self.keeping.note(peer);
        self.stats.withheld += context.withheld;
        let is_limited = peer.bandwidth.0 > 0;
        if context.is_malformed {
            self.stats.datagrams_malformed += 1;
        }
        if is_new {
            self.settle(slot);
        }
        if is_limited && self.pass.due.is_none() {
            self.schedule_pass();
        }
        match flow {
            Flow::Going => self.touch(slot),
            Flow::Ended => self.remove(slot),
        }
    }

    /// Queues a packet for a link. One that has gone, or is going, is skipped: its end was reported or will be.
    ///
    /// # Errors
    ///
    /// When this link cannot take such a packet at all.
    pub fn send(
        &mut self,
        connection: ConnectionId,
        channel: u8,
        flags: PacketFlags,
        payload: Payload,
    ) -> Result<(), HostSendError> {
        let (len, max) = (payload.len(), self.settings.max_packet_size);
        if len > max {
            return Err(HostSendError::TooLarge { len, max });
        }
        let Some(peer) = self.slots.connection_mut(connection) else { return Ok(()) };
        let (limit, events) = (&mut self.queued, &mut self.events);
        match peer.send(channel, flags, payload, &self.settings, limit, events) {
            Ok(is_shed) => self.stats.shed += u64::from(is_shed),
            Err(QueueError::NoChannel) => {
                return Err(HostSendError::NoChannel { channel, count: peer.channels.count() });
            }
            Err(QueueError::TooManyPieces) => {
                let piece_len = piece_len(peer.mtu);
                let max = crate::limits::RELIABLE_FRAGMENTS_MAX * piece_len;
                return Err(HostSendError::TooLarge { len, max });
            }
        }
        self.touch(connection.slot as u16);
        Ok(())
    }

    /// Ends a link; `data` is for the other side's application. `reason` is what this side reports when the end is
    /// acknowledged or has timed out; [`Farewell::Abrupt`] reports nothing and forgets events not yet taken, though the
    /// other side is still told until it acknowledges. A link that ends before it has [drained](Farewell::Drain) reports why;
    /// [`DisconnectReason::QueueFull`] when it made no progress for
    /// [`reliable_progress_timeout`](HostSettings::reliable_progress_timeout).
    pub fn disconnect(
        &mut self,
        connection: ConnectionId,
        data: u32,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        let Some(peer) = self.slots.connection_mut(connection) else { return };
        if farewell == Farewell::Abrupt {
            self.events.retain(|event| {
                let stays = event.connection() != connection;
                if !stays {
                    withdraw(&mut self.received, event);
                }
                stays
            });
        }
        match (peer.state, farewell) {
            (State::Connected, Farewell::Drain) => peer.disconnect_later(data, reason),
            (State::Connected | State::DisconnectLater, Farewell::Polite) => {
                peer.disconnect(data, Some(reason));
            }
            (
                State::Connected | State::DisconnectLater | State::Disconnecting,
                Farewell::Abrupt,
            ) => {
                peer.disconnect(data, None);
            }
            (State::Connecting | State::HalfOpen, _) => {
                self.remove(connection.slot as u16);
                return;
            }
            _ => return,
        }
        self.touch(connection.slot as u16);
    }

    /// Ends a link because something is wrong with it: reported at once, and the other side is told.
    pub fn fail(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        let Some(peer) = self.slots.connection_mut(connection) else { return };
        if matches!(peer.state, State::Connected | State::DisconnectLater) {
            peer.fail(reason, &mut self.events);
            self.touch(connection.slot as u16);
        }
    }

    /// Counts an unreliable packet that a link cannot be sent.
    pub(crate) fn count_send_drop(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.slots.connection_mut(connection) {
            peer.stats.send_drops += 1;
        }
    }

    /// Ends everything at once: each connected peer is told once, with `data`, at the end of the turn. No events follow,
    /// and those not yet taken are forgotten.
    pub fn close(&mut self, data: u32) {
        let slots: Vec<u16> = self.slots.occupied().collect();
        for slot in slots {
            if let Some(connection) = self.slots.get(slot).map(|peer| peer.connection) {
                self.say_goodbye(connection, data);
            }
            self.remove(slot);
        }
        while self.poll_event().is_some() {}
        self.pass = Pass::default();
    }

    /// Refuses clients that connect from now on, or stops refusing them.
    pub const fn set_refuse_new_connections(&mut self, is_refusing: bool) {
        self.is_refusing = is_refusing;
    }

    /// The oldest event not yet taken.
    pub fn poll_event(&mut self) -> Option<HostEvent> {
        if self.events.is_empty() {
            self.resume();
        }
        let event = self.events.pop_front()?;
        withdraw(&mut self.received, &event);
        if let HostEvent::Packet { connection, payload, .. } = &event
            && let Some(peer) = self.slots.connection_mut(*connection)
        {
            peer.inbound.taken(payload.len());
        }
        Some(event)
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

    /// How many channels a link has; `None` when it is unknown.
    pub fn channel_count(&self, connection: ConnectionId) -> Option<u8> {
        self.slots.connection(connection).map(|peer| peer.channels.count())
    }

    /// Figures of a link; `None` when it is unknown.
    pub fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.slots.connection(connection).map(Peer::stats)
    }

    /// Bytes that a link holds of packets that wait for others, or for their missing pieces; `None` when it is unknown.
    pub fn waiting_bytes(&self, connection: ConnectionId) -> Option<usize> {
        self.slots.connection(connection).map(|peer| peer.inbound.waiting())
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

    /// The largest packet in bytes that fits every way it may be sent.
    pub fn max_packet_size(&self) -> usize {
        let piece_len = piece_len(self.settings.room(self.settings.mtu));
        self.settings.max_packet_size.min(crate::limits::RELIABLE_FRAGMENTS_MAX * piece_len)
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

    const fn count_unreadable(&mut self, why: Unreadable) {
        match why {
            Unreadable::Compressed => self.stats.datagrams_compressed += 1,
            Unreadable::Block => self.stats.datagrams_unexpanded += 1,
            Unreadable::Checksum => self.stats.checksum_failures += 1,
        }
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
        if let Some(peer) = self.slots.get_mut(slot)
            && !peer.is_queued
        {
            peer.is_queued = true;
            self.dirty.push(slot);
        }
    }

    /// Has the limits on what all peers have include what one has now.
    pub(super) fn record(&mut self, slot: u16) {
        if let Some(peer) = self.slots.get_mut(slot) {
            peer.sender.record(&mut self.queued);
            peer.inbound.record(&mut self.received);
        }
    }

    /// Empties a slot.
    pub(super) fn remove(&mut self, slot: u16) {
        let Some(mut peer) = self.slots.remove(slot) else { return };
        self.keeping.forget(&peer);
        peer.drop_queues();
        peer.sender.record(&mut self.queued);
        peer.inbound.record(&mut self.received);
        if let Some(at) = peer.timer {
            self.timers.remove(&(at, slot));
        }
        if let Some(age) = peer.proof.age {
            self.half_open.remove(age);
        }
        if peer.is_counted {
            self.connected -= 1;
            if self.ids.get(&peer.data) == Some(&slot) {
                self.ids.remove(&peer.data);
            }
            if self.settings.incoming_bandwidth > 0 {
                // The others have more.
                self.schedule_pass();
            }
        }
    }
}

/// An event is not in the queue any more: `limit` includes its packet no longer.
fn withdraw(limit: &mut SharedLimit, event: &HostEvent) {
    if let HostEvent::Packet { payload, .. } = event {
        limit.replace(delivered_bytes(payload), 0);
    }
}

/// The datagram of a DISCONNECT that wants no acknowledgement.
pub(super) fn goodbye(peer_id: u16, session: u8, sequence: u16, data: u32) -> [u8; 10] {
    let mut bytes = [0; 10];
    let header = Header { peer_id, session, compressed: false, sent_time: None };
    let len = header.emit(&mut bytes);
    let body = Body::Disconnect { data };
    let command = Command { flags: FLAG_UNSEQUENCED, channel: CONTROL_CHANNEL, sequence, body };
    command.emit(&mut bytes[len..]);
    bytes
}
