//! A network within the process: a server and its clients, each of which may run in its own thread.
//!
//! Two branches of one process communicate over it, and it is the test bed for everything above a
//! transport. Nothing is lost or reordered, payloads are not copied ([`Bytes`](bytes::Bytes) are
//! shared), and time has no effect.
//!
//! ```
//! use mp_core::{Instant, MultiplayerPeer, Outgoing, PeerEvent, PeerId, Prefix, TransferMode};
//!
//! let (mut server, mut client) = mp_core::memory::pair(PeerId::new(2).unwrap());
//! let turn = |peer: &mut dyn MultiplayerPeer| {
//!     peer.poll(Instant::ZERO);
//!     let events: Vec<PeerEvent> = std::iter::from_fn(|| peer.next_event()).collect();
//!     peer.flush(Instant::ZERO);
//!     events
//! };
//!
//! let received = turn(&mut server);
//! let [PeerEvent::Connected { connection, .. }] = received[..] else { panic!("{received:?}") };
//! turn(&mut client);
//!
//! server.send(Outgoing {
//!     to: connection.into(),
//!     mode: TransferMode::Reliable,
//!     channel: Default::default(),
//!     prefix: Prefix::EMPTY,
//!     payload: "hello".into(),
//! })?;
//! turn(&mut server);
//! assert!(matches!(&turn(&mut client)[..], [PeerEvent::Packet(p)] if p.payload == "hello"));
//! # Ok::<(), mp_core::SendError>(())
//! ```

mod link;
mod wire;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use slab::Slab;

use self::link::{Leaving, Link, Room};
use self::wire::{Desk, Message, Side, Wire};
use crate::limits::{PACKET_BYTES_MAX, QUEUED_BYTES_MAX, QUEUED_BYTES_OF_EACH};
use crate::{
    ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Origin, Outgoing, PeerEvent, PeerId, Readiness, SendError, SharedLimit,
};

/// Maximum number of clients that wait for the server's next poll: as many as the largest ENet host
/// accepts. Further clients are rejected.
const BACKLOG_MAX: usize = 4_095;

/// Returns a server and a client that joins it as `id`. Both are connected after one turn of the
/// server and one of the client.
pub fn pair(id: PeerId) -> (MemoryMultiplayerPeer, MemoryMultiplayerPeer) {
    let server = MemoryMultiplayerPeer::server();
    let client = server.address().connect(id);
    (server, client)
}

/// The address of a server within this process.
#[derive(Clone, Debug)]
pub struct MemoryAddress(Arc<Desk>);

impl MemoryAddress {
    /// Returns a client that joins the server as `id`; see [`PeerId::generate`] for a random id. If
    /// the server is gone, or refuses connections, the client's status becomes `Disconnected` at a
    /// later poll, without an event.
    pub fn connect(&self, id: PeerId) -> MemoryMultiplayerPeer {
        let mut client = MemoryMultiplayerPeer::new(id, Side::Client, ConnectionStatus::Connecting);
        let wire = Arc::new(Wire {
            pipes: Mutex::default(),
            desks: [Arc::clone(&self.0), Arc::clone(&client.desk)],
        });
        client.attach(Arc::clone(&wire), false);
        let taken = {
            let mut desk = self.0.lock();
            let taken = desk.open && desk.knocks.len() < BACKLOG_MAX;
            if taken {
                desk.knocks.push_back((id, Arc::clone(&wire)));
            }
            taken
        };
        if taken {
            self.0.ring();
        } else {
            wire.hang_up(Side::Server, DisconnectReason::Refused);
        }
        client
    }
}

/// A peer of a network within the process: a server, or a client of one.
///
/// * Send queues have the bounds of [`SendQueue`](crate::SendQueue) for each connection. If the
///   reliable one overflows, the connection is closed with
///   [`QueueFull`](DisconnectReason::QueueFull) on both peers.
/// * All connections together may queue [`QUEUED_BYTES_MAX`] bytes, of which
///   [`QUEUED_BYTES_OF_EACH`] are guaranteed to each. Beyond that, a reliable packet closes its
///   connection, too; an unreliable one is dropped and counted.
/// * [`poll`](MultiplayerPeer::poll) receives about
///   [`RECEIVE_QUEUE_PACKETS_MAX`](crate::limits::RECEIVE_QUEUE_PACKETS_MAX) packets and
///   [`RECEIVE_QUEUE_BYTES_MAX`](crate::limits::RECEIVE_QUEUE_BYTES_MAX) bytes of all connections
///   together. Other packets stay in their sender's queue, as do reliable packets of a
///   [paused](MultiplayerPeer::hold) connection.
/// * A disconnect cannot be lost. `Polite` and `Abrupt` drop the packets that the remote peer has
///   not received; `Drain` waits until it has. A peer that disconnects receives nothing more. There
///   are no timeouts.
/// * Dropping a peer [closes](MultiplayerPeer::close) it: remote peers report `Disconnected` with
///   `Remote(0)`.
#[derive(Debug)]
pub struct MemoryMultiplayerPeer {
    id: PeerId,
    side: Side,
    desk: Arc<Desk>,
    links: Slab<Link>,
    /// Bytes that the remote peers have not received, as of the last poll or send of each
    /// connection.
    queued: SharedLimit,
    /// Number of earlier connections of each slot.
    generations: Vec<u32>,
    events: VecDeque<PeerEvent>,
    /// Connections that ended here; the remote peer is notified at the next flush.
    parting: Vec<Arc<Wire>>,
    /// Slot at which the next poll starts to receive: the one after that at which the last poll
    /// reached its limit.
    first_slot: usize,
    status: ConnectionStatus,
    refusing: bool,
}

impl MemoryMultiplayerPeer {
    /// Returns a server without clients. They join at its [`address`](Self::address).
    pub fn server() -> Self {
        Self::new(PeerId::SERVER, Side::Server, ConnectionStatus::Connected)
    }

    /// Returns the address at which clients join. Connections to a client's address are rejected.
    pub fn address(&self) -> MemoryAddress {
        MemoryAddress(Arc::clone(&self.desk))
    }

    fn new(id: PeerId, side: Side, status: ConnectionStatus) -> Self {
        Self {
            id,
            side,
            desk: Arc::new(Desk::new(side == Side::Server)),
            links: Slab::new(),
            queued: SharedLimit::new(QUEUED_BYTES_MAX, QUEUED_BYTES_OF_EACH),
            generations: Vec::new(),
            events: VecDeque::new(),
            parting: Vec::new(),
            first_slot: 0,
            status,
            refusing: false,
        }
    }

    fn attach(&mut self, wire: Arc<Wire>, connected: bool) -> ConnectionId {
        let entry = self.links.vacant_entry();
        let slot = entry.key();
        if self.generations.len() == slot {
            self.generations.push(0);
        }
        let connection = ConnectionId { slot: slot as u32, generation: self.generations[slot] };
        entry.insert(Link::new(connection, wire, connected));
        connection
    }

    fn detach(&mut self, connection: ConnectionId) -> Link {
        self.generations[connection.slot as usize] += 1;
        if self.side == Side::Client {
            self.status = ConnectionStatus::Disconnected;
        }
        let link = self.links.remove(connection.slot as usize);
        self.queued.replace(link.recorded_bytes(), 0);
        link
    }

    fn link(&self, connection: ConnectionId) -> Option<&Link> {
        self.links.get(connection.slot as usize).filter(|link| link.connection == connection)
    }

    fn link_mut(&mut self, connection: ConnectionId) -> Option<&mut Link> {
        self.links.get_mut(connection.slot as usize).filter(|link| link.connection == connection)
    }

    /// Accepts the clients that joined since the last poll.
    fn admit(&mut self, knocks: VecDeque<(PeerId, Arc<Wire>)>) {
        for (id, wire) in knocks {
            if self.refusing {
                self.parting.push(wire);
            } else if wire.lock()[Side::Client.index()].goodbye.is_none() {
                let connection = self.attach(wire, true);
                self.events.push_back(connected(connection, id));
            }
        }
    }

    /// Publishes queued packets and disconnects to the remote peers.
    fn publish(&mut self) {
        let side = self.side;
        for (_, link) in &mut self.links {
            if std::mem::take(&mut link.dirty) {
                link.publish(side);
            }
        }
        for wire in self.parting.drain(..) {
            wire.hang_up(side, DisconnectReason::Remote(0));
        }
    }
}

impl MultiplayerPeer for MemoryMultiplayerPeer {
    fn poll(&mut self, _now: Instant) {
        let knocks = self.desk.answer();
        self.admit(knocks);
        let mut over = Vec::new();
        let mut room = Room::default();
        let slots = self.generations.len();
        let first = std::mem::take(&mut self.first_slot).min(slots);
        for slot in (first..slots).chain(0..first) {
            let Some(link) = self.links.get_mut(slot) else { continue };
            let was_connected = link.connected;
            if let Some(end) =
                link.take_in(self.side, &mut room, &mut self.queued, &mut self.events)
            {
                over.push((link.connection, end));
            } else if link.connected && !was_connected {
                self.status = ConnectionStatus::Connected;
            }
            if !room.is_left() && self.first_slot == 0 {
                self.first_slot = slot + 1;
            }
        }
        for (connection, end) in over {
            // A remote peer that drains its queue waits for this notification.
            let link = self.detach(connection);
            self.parting.push(link.wire);
            if let Some(reason) = end {
                self.events.push_back(PeerEvent::Disconnected { connection, reason });
            }
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        let event = self.events.pop_front()?;
        if let PeerEvent::Packet(packet) = &event
            && let Some(link) = self.link_mut(packet.from)
        {
            link.ready_packets -= 1;
            link.ready_bytes -= packet.payload.len();
        }
        Some(event)
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        if self.status != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let (len, max) = (outgoing.len(), self.max_packet_size());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        let side = self.side;
        let (mode, channel, payload) = (outgoing.mode, outgoing.channel, outgoing.joined());
        let connections = outgoing.to.as_slice();
        for &connection in connections {
            let link = self.links.get_mut(connection.slot as usize);
            if let Some(link) = link.filter(|link| link.connection == connection) {
                let message = Message { mode, channel, payload: payload.clone() };
                link.send(side, message, connections.len(), &mut self.queued);
            }
        }
        Ok(())
    }

    fn flush(&mut self, _now: Instant) {
        self.publish();
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        let side = self.side;
        let Some(link) = self.link_mut(connection) else { return };
        match (farewell, link.leaving) {
            (Farewell::Abrupt, _) => {
                let link = self.detach(connection);
                self.parting.push(link.wire);
                self.events.retain(|event| !is_about(event, connection));
            }
            (Farewell::Polite, None | Some(Leaving { drain: true, .. })) => {
                link.wire.lock()[side.index()].queue.clear();
                link.leave(Leaving { reason, told: DisconnectReason::Remote(0), drain: false });
            }
            (Farewell::Drain, None) => {
                link.leave(Leaving { reason, told: DisconnectReason::Remote(0), drain: true });
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        self.status = ConnectionStatus::Disconnected;
        for connection in self.links.iter().map(|(_, link)| link.connection).collect::<Vec<_>>() {
            let link = self.detach(connection);
            self.parting.push(link.wire);
        }
        self.events.clear();
        self.desk.lock().open = false;
        self.parting.extend(self.desk.answer().into_iter().map(|(_, wire)| wire));
    }

    fn unique_id(&self) -> PeerId {
        self.id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    fn readiness(&self) -> Readiness {
        Readiness::Wakes
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut desk = self.desk.lock();
        if desk.rung {
            return Poll::Ready(());
        }
        match &mut desk.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn hold(&mut self, connection: ConnectionId, held: bool) {
        let side = self.side;
        if let Some(link) = self.link_mut(connection) {
            link.hold(side, held);
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.refusing = refuse;
    }

    fn max_packet_size(&self) -> usize {
        PACKET_BYTES_MAX
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.link(connection).map(|link| link.stats(self.side))
    }
}

impl Drop for MemoryMultiplayerPeer {
    fn drop(&mut self) {
        self.close();
        self.publish();
    }
}

fn connected(connection: ConnectionId, id: PeerId) -> PeerEvent {
    PeerEvent::Connected { connection, claimed_id: Some(id), origin: Origin::Process }
}

fn is_about(event: &PeerEvent, link: ConnectionId) -> bool {
    match event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            *connection == link
        }
        PeerEvent::Packet(packet) => packet.from == link,
        PeerEvent::UniqueId(_) => false,
    }
}
