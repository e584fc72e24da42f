//! Transport wrapper that records mode and channel of packets, which RPC methods cannot query.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, Packet, PeerEvent, PeerId, Readiness, SendError, Target,
    TransferMode,
};

use crate::options::Transport;

/// Wraps the transport of a branch.
pub(crate) struct Tap {
    inner: Box<dyn MultiplayerPeer>,
    log: TapLog,
    is_disconnected: bool,
    /// True if a packet was reported since the last `poll`.
    has_reported_packet: bool,
}

/// Log of a [`Tap`]. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct TapLog {
    seen: Rc<RefCell<TapState>>,
    transport: Transport,
}

#[derive(Debug, Default)]
struct TapState {
    arrival: (TransferMode, Channel),
    /// Sent packets that announce clients to each other.
    announcements: usize,
    /// Sent packets.
    sent: usize,
    requests: Vec<RelayRequest>,
    relayed: BTreeMap<ConnectionId, Vec<Relayed>>,
}

/// Packet of a client for other peers.
#[derive(Debug)]
struct RelayRequest {
    from: ConnectionId,
    target: Target,
    mode: TransferMode,
    channel: Channel,
    inner: Bytes,
}

/// Packet of a client as relayed to another one.
#[derive(Clone, PartialEq)]
pub(crate) struct Relayed {
    source: i32,
    mode: TransferMode,
    channel: Channel,
    inner: Bytes,
}

/// Prefixes of packets about other clients: ADD_PEER and DEL_PEER with a peer id as i32, and RELAY
/// with a peer id as i32 and the packet for, or from, this peer.
const ADD_PEER: [u8; 2] = [7, 1];
const DEL_PEER: [u8; 2] = [7, 2];
const RELAY: [u8; 2] = [7, 3];
const RELAY_HEADER: usize = 6;

impl Tap {
    pub(crate) fn new(inner: Box<dyn MultiplayerPeer>, log: TapLog) -> Self {
        Self { inner, log, is_disconnected: false, has_reported_packet: false }
    }

    /// Returns whether more packets may be pending. Each `poll` reports one, so that
    /// [`TapLog::arrival`] belongs to the packet being handled.
    pub(crate) fn has_more(&self) -> bool {
        self.has_reported_packet
    }

    /// Drops its connections without sending a packet, as if the cable were cut.
    pub(crate) fn cut(&mut self) {
        self.is_disconnected = true;
    }
}

impl Default for TapLog {
    fn default() -> Self {
        Self::new(Transport::Enet)
    }
}

impl TapLog {
    /// Creates the log of a transport.
    pub(crate) fn new(transport: Transport) -> Self {
        Self { seen: Rc::default(), transport }
    }

    /// Returns mode and channel with which a packet is received.
    pub(crate) fn as_arriving(&self, mode: TransferMode, channel: u8) -> (TransferMode, u8) {
        self.transport.arrival(mode, channel)
    }

    /// Returns mode and channel of the packet being handled.
    pub(crate) fn arrival(&self) -> (TransferMode, u8) {
        let (mode, Channel(channel)) = self.seen.borrow().arrival;
        (mode, channel)
    }

    /// Returns the number of announcements sent to clients about other clients.
    pub(crate) fn announcements(&self) -> usize {
        self.seen.borrow().announcements
    }

    /// Returns the number of packets sent.
    pub(crate) fn sent(&self) -> usize {
        self.seen.borrow().sent
    }

    /// Returns, by connection, the packets that the relay had to send to it and those that it sent.
    /// `peers` are the clients that were connected when the packets were sent.
    pub(crate) fn relayed(
        &self,
        peers: &[(PeerId, ConnectionId)],
    ) -> Vec<(PeerId, Vec<Relayed>, Vec<Relayed>)> {
        let seen = self.seen.borrow();
        let relayed_to = |&(peer, link): &(PeerId, ConnectionId)| {
            let due = seen.requests.iter().filter_map(|requests| {
                let (source, _) = peers.iter().find(|(_, link)| *link == requests.from)?;
                let is_meant = peer != *source && requests.target.includes(peer);
                is_meant.then(|| Relayed {
                    source: source.get(),
                    mode: requests.mode,
                    channel: requests.channel,
                    inner: requests.inner.clone(),
                })
            });
            (peer, due.collect(), seen.relayed.get(&link).cloned().unwrap_or_default())
        };
        peers.iter().map(relayed_to).collect()
    }

    fn note_packet(&self, packet: &Packet) {
        let mut seen = self.seen.borrow_mut();
        seen.arrival = (packet.mode, packet.channel);
        if let Some((target, inner)) = relay_parts(&packet.payload) {
            let target = Target::from_raw(target);
            let &Packet { from, mode, channel, .. } = packet;
            seen.requests.push(RelayRequest { from, target, mode, channel, inner });
        }
    }

    fn note_outgoing(&self, outgoing: &OutgoingPacket) {
        self.seen.borrow_mut().sent += 1;
        let packet = outgoing.joined();
        if packet.starts_with(&ADD_PEER) || packet.starts_with(&DEL_PEER) {
            self.seen.borrow_mut().announcements += outgoing.to.as_slice().len();
        }
        let Some((source, inner)) = relay_parts(&packet) else { return };
        let &OutgoingPacket { mode, channel, .. } = outgoing;
        for &link in outgoing.to.as_slice() {
            let relayed = Relayed { source, mode, channel, inner: inner.clone() };
            self.seen.borrow_mut().relayed.entry(link).or_default().push(relayed);
        }
    }
}

impl MultiplayerPeer for Tap {
    fn poll(&mut self, now: Instant) {
        self.has_reported_packet = false;
        if !self.is_disconnected {
            self.inner.poll(now);
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        if self.is_disconnected || self.has_reported_packet {
            return None;
        }
        let event = self.inner.next_event()?;
        if let PeerEvent::Packet(packet) = &event {
            self.has_reported_packet = true;
            self.log.note_packet(packet);
        }
        Some(event)
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        if self.is_disconnected {
            return Err(SendError::NotConnected);
        }
        self.log.note_outgoing(&outgoing);
        self.inner.send(outgoing)
    }

    fn flush(&mut self, now: Instant) {
        if !self.is_disconnected {
            self.inner.flush(now);
        }
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        self.inner.disconnect(connection, reason, close_mode);
    }

    fn close(&mut self) {
        self.inner.close();
    }

    fn unique_id(&self) -> PeerId {
        self.inner.unique_id()
    }

    fn connection_status(&self) -> ConnectionStatus {
        if self.is_disconnected {
            ConnectionStatus::Disconnected
        } else {
            self.inner.connection_status()
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        self.inner.is_server_relay_supported()
    }

    fn outlives_program(&self) -> bool {
        self.inner.outlives_program()
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

    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        self.inner.pause_receiving(connection, held);
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

/// Returns peer id and inner packet of a RELAY packet.
fn relay_parts(packet: &Bytes) -> Option<(i32, Bytes)> {
    let header = packet.first_chunk::<RELAY_HEADER>()?;
    let &[a, b, peer @ ..] = header;
    ([a, b] == RELAY).then(|| (i32::from_le_bytes(peer), packet.slice(RELAY_HEADER..)))
}
