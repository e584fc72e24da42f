//! A transport that remembers how its packets travel, which SceneMultiplayer does not tell to methods.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use mp_core::{
    Channel, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Outgoing, Packet, PeerEvent, PeerId, Readiness, SendError, Target,
    TransferMode,
};

/// Stands between a branch and its transport.
pub(crate) struct Tap {
    inner: Box<dyn MultiplayerPeer>,
    log: TapLog,
    is_cut: bool,
    /// A packet was reported since the last `poll`.
    has_reported_packet: bool,
}

/// What a [`Tap`] has seen. Clones are the same log.
#[derive(Clone, Debug)]
pub(crate) struct TapLog {
    seen: Rc<RefCell<Seen>>,
    /// Whether the transport has modes and channels.
    has_modes: bool,
}

#[derive(Debug, Default)]
struct Seen {
    arrival: (TransferMode, Channel),
    /// Packets in which this side told clients of each other.
    announcements: usize,
    /// Packets that this side sent.
    sent: usize,
    asked: Vec<Asked>,
    passed_on: BTreeMap<ConnectionId, Vec<Relayed>>,
}

/// A packet of a client for others.
#[derive(Debug)]
struct Asked {
    from: ConnectionId,
    target: Target,
    mode: TransferMode,
    channel: Channel,
    inner: Bytes,
}

/// What one client gets of another through the relay.
#[derive(Clone, PartialEq)]
pub(crate) struct Relayed {
    source: i32,
    mode: TransferMode,
    channel: Channel,
    inner: Bytes,
}

/// How packets between SceneMultiplayers begin that are about other clients: ADD_PEER and DEL_PEER with an i32 peer, and
/// RELAY with an i32 peer and the packet that is for, or of, that one.
const ADD_PEER: [u8; 2] = [7, 1];
const DEL_PEER: [u8; 2] = [7, 2];
const RELAY: [u8; 2] = [7, 3];
const RELAY_HEADER: usize = 6;

impl Tap {
    pub(crate) fn new(inner: Box<dyn MultiplayerPeer>, log: TapLog) -> Self {
        Self { inner, log, is_cut: false, has_reported_packet: false }
    }

    /// Returns whether there may be more packets: each `poll` reports one, so that
    /// [`TapLog::arrival`] is that of the packet which is being handled.
    pub(crate) fn has_more(&self) -> bool {
        self.has_reported_packet
    }

    /// Ends its connections without a packet, as if the cable were cut.
    pub(crate) fn cut(&mut self) {
        self.is_cut = true;
    }
}

impl Default for TapLog {
    fn default() -> Self {
        Self::new(true)
    }
}

impl TapLog {
    /// The log of a transport that has modes and channels, or one (WebSocket) on which everything is reliable and on channel 0.
    pub(crate) fn new(has_modes: bool) -> Self {
        Self { seen: Rc::default(), has_modes }
    }

    /// How a packet that was sent so arrives.
    pub(crate) fn as_arriving(&self, mode: TransferMode, channel: u8) -> (TransferMode, u8) {
        if self.has_modes { (mode, channel) } else { (TransferMode::Reliable, 0) }
    }

    /// How the packet that is being handled has arrived.
    pub(crate) fn arrival(&self) -> (TransferMode, u8) {
        let (mode, Channel(channel)) = self.seen.borrow().arrival;
        (mode, channel)
    }

    /// How often this side told a client of another that it is there, or gone.
    pub(crate) fn announcements(&self) -> usize {
        self.seen.borrow().announcements
    }

    /// How many packets this side has sent.
    pub(crate) fn sent(&self) -> usize {
        self.seen.borrow().sent
    }

    /// What each link had to get of the relay by the packets that clients sent to it, and what it got. `peers` are
    /// those who took part when the clients sent.
    pub(crate) fn relayed(
        &self,
        peers: &[(PeerId, ConnectionId)],
    ) -> Vec<(PeerId, Vec<Relayed>, Vec<Relayed>)> {
        let seen = self.seen.borrow();
        let relayed_to = |&(peer, link): &(PeerId, ConnectionId)| {
            let due = seen.asked.iter().filter_map(|asked| {
                let (source, _) = peers.iter().find(|(_, link)| *link == asked.from)?;
                let is_meant = peer != *source && asked.target.includes(peer);
                is_meant.then(|| Relayed {
                    source: source.get(),
                    mode: asked.mode,
                    channel: asked.channel,
                    inner: asked.inner.clone(),
                })
            });
            (peer, due.collect(), seen.passed_on.get(&link).cloned().unwrap_or_default())
        };
        peers.iter().map(relayed_to).collect()
    }

    fn note_packet(&self, packet: &Packet) {
        let mut seen = self.seen.borrow_mut();
        seen.arrival = (packet.mode, packet.channel);
        if let Some((target, inner)) = relay_parts(&packet.payload) {
            let target = Target::from_raw(target);
            let &Packet { from, mode, channel, .. } = packet;
            seen.asked.push(Asked { from, target, mode, channel, inner });
        }
    }

    fn note_outgoing(&self, outgoing: &Outgoing) {
        self.seen.borrow_mut().sent += 1;
        let packet = outgoing.joined();
        if packet.starts_with(&ADD_PEER) || packet.starts_with(&DEL_PEER) {
            self.seen.borrow_mut().announcements += outgoing.to.as_slice().len();
        }
        let Some((source, inner)) = relay_parts(&packet) else { return };
        let &Outgoing { mode, channel, .. } = outgoing;
        for &link in outgoing.to.as_slice() {
            let relayed = Relayed { source, mode, channel, inner: inner.clone() };
            self.seen.borrow_mut().passed_on.entry(link).or_default().push(relayed);
        }
    }
}

impl MultiplayerPeer for Tap {
    fn poll(&mut self, now: Instant) {
        self.has_reported_packet = false;
        if !self.is_cut {
            self.inner.poll(now);
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        if self.is_cut || self.has_reported_packet {
            return None;
        }
        let event = self.inner.next_event()?;
        if let PeerEvent::Packet(packet) = &event {
            self.has_reported_packet = true;
            self.log.note_packet(packet);
        }
        Some(event)
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        if self.is_cut {
            return Err(SendError::NotConnected);
        }
        self.log.note_outgoing(&outgoing);
        self.inner.send(outgoing)
    }

    fn flush(&mut self, now: Instant) {
        if !self.is_cut {
            self.inner.flush(now);
        }
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        self.inner.disconnect(connection, reason, farewell);
    }

    fn close(&mut self) {
        self.inner.close();
    }

    fn unique_id(&self) -> PeerId {
        self.inner.unique_id()
    }

    fn connection_status(&self) -> ConnectionStatus {
        if self.is_cut { ConnectionStatus::Disconnected } else { self.inner.connection_status() }
    }

    fn is_server_relay_supported(&self) -> bool {
        self.inner.is_server_relay_supported()
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.inner.is_refusing_new_connections()
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.inner.set_refuse_new_connections(refuse);
    }

    fn max_packet_size(&self) -> usize {
        self.inner.max_packet_size()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn readiness(&self) -> Readiness {
        self.inner.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_ready(cx)
    }

    fn hold(&mut self, connection: ConnectionId, held: bool) {
        self.inner.hold(connection, held);
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.inner.connection_stats(connection)
    }
}

impl fmt::Debug for Relayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, mode, channel, inner } = self;
        write!(f, "{} bytes of {source}, {mode:?} {channel}", inner.len())
    }
}

/// The peer and the inner packet of a RELAY.
fn relay_parts(packet: &Bytes) -> Option<(i32, Bytes)> {
    let header = packet.first_chunk::<RELAY_HEADER>()?;
    let &[a, b, peer @ ..] = header;
    ([a, b] == RELAY).then(|| (i32::from_le_bytes(peer), packet.slice(RELAY_HEADER..)))
}
