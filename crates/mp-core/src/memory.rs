//! A network within the process: a server and its clients, each of which may run in its own thread.
//!
//! Two branches of one process communicate over it, and it is the test bed for everything above a
//! transport. Nothing is lost or reordered, payloads are not copied ([`Bytes`](bytes::Bytes) are
//! shared), and time has no effect.
//!
//! ```
//! use mp_core::{
//!     Instant, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Prefix, TransferMode,
//! };
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
//! server.send(OutgoingPacket {
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

mod connection;
mod wire;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use slab::Slab;

use self::connection::{Closing, ConnectionState, PollBudget};
use self::wire::{Listener, Message, Side, Wire};
use crate::limits::{PACKET_BYTES_MAX, QUEUED_BYTES_MAX, QUEUED_BYTES_SHARE};
use crate::{
    CloseMode, ConnectionId, ConnectionOrigin, ConnectionStats, ConnectionStatus, DisconnectReason,
    Instant, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Readiness, SendError, SharedLimit,
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
pub struct MemoryAddress(Arc<Listener>);

impl MemoryAddress {
    /// Returns a client that joins the server as `id`; see [`PeerId::generate`] for a random id. If
    /// the server is gone, or refuses connections, the client's status becomes `Disconnected` at a
    /// later poll, without an event.
    pub fn connect(&self, id: PeerId) -> MemoryMultiplayerPeer {
        let mut client = MemoryMultiplayerPeer::new(id, Side::Client, ConnectionStatus::Connecting);
        let wire = Arc::new(Wire {
            pipes: Mutex::default(),
            listeners: [Arc::clone(&self.0), Arc::clone(&client.listener)],
        });
        client.add(Arc::clone(&wire), false);
        let accepted = {
            let mut listener = self.0.lock();
            let accepted = listener.open && listener.pending.len() < BACKLOG_MAX;
            if accepted {
                listener.pending.push_back((id, Arc::clone(&wire)));
            }
            accepted
        };
        if accepted {
            self.0.wake_host();
        } else {
            wire.close(Side::Server, DisconnectReason::Refused);
        }
        client
    }
}

/// A server or a client of a network within the process.
///
/// * Send queues have the bounds of [`SendQueue`](crate::SendQueue) for each connection. If the
///   reliable one overflows, the connection is closed with
///   [`QueueFull`](DisconnectReason::QueueFull) on both peers.
/// * All connections together may queue [`QUEUED_BYTES_MAX`] bytes, of which
///   [`QUEUED_BYTES_SHARE`] are guaranteed to each. Beyond that, a reliable packet closes its
///   connection, too; an unreliable one is dropped and counted.
/// * [`poll`](MultiplayerPeer::poll) receives about
///   [`RECEIVE_QUEUE_PACKETS_MAX`](crate::limits::RECEIVE_QUEUE_PACKETS_MAX) packets and
///   [`RECEIVE_QUEUE_BYTES_MAX`](crate::limits::RECEIVE_QUEUE_BYTES_MAX) bytes of all connections
///   together. Other packets stay in their sender's queue, as do reliable packets of a
///   [paused](MultiplayerPeer::pause_receiving) connection.
/// * A disconnect cannot be lost. `Graceful` and `Immediate` drop the packets that the remote peer
///   has not received; `Drain` waits until it has. A peer that disconnects receives nothing more.
///   There are no timeouts.
/// * Dropping a peer [closes](MultiplayerPeer::close) it: remote peers report `Disconnected` with
///   `Remote(0)`.
#[derive(Debug)]
pub struct MemoryMultiplayerPeer {
    id: PeerId,
    side: Side,
    listener: Arc<Listener>,
    connections: Slab<ConnectionState>,
    /// Bytes that the remote peers have not received, as of the last poll or send of each
    /// connection.
    queued: SharedLimit,
    /// Number of earlier connections of each slot.
    generations: Vec<u32>,
    events: VecDeque<PeerEvent>,
    /// Connections that ended here; the remote peer is notified at the next flush.
    closing: Vec<Arc<Wire>>,
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
        MemoryAddress(Arc::clone(&self.listener))
    }

    fn new(id: PeerId, side: Side, status: ConnectionStatus) -> Self {
        Self {
            id,
            side,
            listener: Arc::new(Listener::new(side == Side::Server)),
            connections: Slab::new(),
            queued: SharedLimit::new(QUEUED_BYTES_MAX, QUEUED_BYTES_SHARE),
            generations: Vec::new(),
            events: VecDeque::new(),
            closing: Vec::new(),
            first_slot: 0,
            status,
            refusing: false,
        }
    }

    fn add(&mut self, wire: Arc<Wire>, connected: bool) -> ConnectionId {
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        if self.generations.len() == slot {
            self.generations.push(0);
        }
        let connection = ConnectionId { slot: slot as u32, generation: self.generations[slot] };
        entry.insert(ConnectionState::new(connection, wire, connected));
        connection
    }

    fn remove(&mut self, connection: ConnectionId) -> ConnectionState {
        self.generations[connection.slot as usize] += 1;
        if self.side == Side::Client {
            self.status = ConnectionStatus::Disconnected;
        }
        let state = self.connections.remove(connection.slot as usize);
        self.queued.replace(state.recorded_bytes(), 0);
        state
    }

    fn state(&self, connection: ConnectionId) -> Option<&ConnectionState> {
        self.connections
            .get(connection.slot as usize)
            .filter(|state| state.connection == connection)
    }

    fn state_mut(&mut self, connection: ConnectionId) -> Option<&mut ConnectionState> {
        self.connections
            .get_mut(connection.slot as usize)
            .filter(|state| state.connection == connection)
    }

    /// Accepts the clients that joined since the last poll.
    fn accept(&mut self, pending: VecDeque<(PeerId, Arc<Wire>)>) {
        for (id, wire) in pending {
            if self.refusing {
                self.closing.push(wire);
            } else if wire.lock()[Side::Client.index()].closed.is_none() {
                let connection = self.add(wire, true);
                self.events.push_back(connected(connection, id));
            }
        }
    }

    /// Publishes queued packets and disconnects to the remote peers.
    fn publish(&mut self) {
        let side = self.side;
        for (_, state) in &mut self.connections {
            if std::mem::take(&mut state.dirty) {
                state.publish(side);
            }
        }
        for wire in self.closing.drain(..) {
            wire.close(side, DisconnectReason::Remote(0));
        }
    }
}

impl MultiplayerPeer for MemoryMultiplayerPeer {
    fn poll(&mut self, _now: Instant) {
        let pending = self.listener.take_pending();
        self.accept(pending);
        let mut ended = Vec::new();
        let mut budget = PollBudget::default();
        let slots = self.generations.len();
        let first = std::mem::take(&mut self.first_slot).min(slots);
        for slot in (first..slots).chain(0..first) {
            let Some(state) = self.connections.get_mut(slot) else { continue };
            let was_connected = state.connected;
            if let Some(end) =
                state.receive(self.side, &mut budget, &mut self.queued, &mut self.events)
            {
                ended.push((state.connection, end));
            } else if state.connected && !was_connected {
                self.status = ConnectionStatus::Connected;
            }
            if !budget.has_capacity() && self.first_slot == 0 {
                self.first_slot = slot + 1;
            }
        }
        for (connection, end) in ended {
            // A remote peer that drains its queue waits for this notification.
            let state = self.remove(connection);
            self.closing.push(state.wire);
            if let Some(reason) = end {
                self.events.push_back(PeerEvent::Disconnected { connection, reason });
            }
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        let event = self.events.pop_front()?;
        if let PeerEvent::Packet(packet) = &event
            && let Some(state) = self.state_mut(packet.from)
        {
            state.ready_packets -= 1;
            state.ready_bytes -= packet.payload.len();
        }
        Some(event)
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
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
            let state = self.connections.get_mut(connection.slot as usize);
            if let Some(state) = state.filter(|state| state.connection == connection) {
                let message = Message { mode, channel, payload: payload.clone() };
                state.send(side, message, connections.len(), &mut self.queued);
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
        close_mode: CloseMode,
    ) {
        let side = self.side;
        let Some(state) = self.state_mut(connection) else { return };
        match (close_mode, state.leaving) {
            (CloseMode::Immediate, _) => {
                let state = self.remove(connection);
                self.closing.push(state.wire);
                self.events.retain(|event| !is_about(event, connection));
            }
            (CloseMode::Graceful, None | Some(Closing { drain: true, .. })) => {
                state.wire.lock()[side.index()].queue.clear();
                state.leave(Closing {
                    reason,
                    remote_reason: DisconnectReason::Remote(0),
                    drain: false,
                });
            }
            (CloseMode::Drain, None) => {
                state.leave(Closing {
                    reason,
                    remote_reason: DisconnectReason::Remote(0),
                    drain: true,
                });
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        self.status = ConnectionStatus::Disconnected;
        for connection in
            self.connections.iter().map(|(_, state)| state.connection).collect::<Vec<_>>()
        {
            let state = self.remove(connection);
            self.closing.push(state.wire);
        }
        self.events.clear();
        self.listener.lock().open = false;
        self.closing.extend(self.listener.take_pending().into_iter().map(|(_, wire)| wire));
    }

    fn unique_id(&self) -> PeerId {
        self.id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    fn readiness(&self) -> Readiness {
        Readiness::Waker
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut listener = self.listener.lock();
        if listener.is_ready {
            return Poll::Ready(());
        }
        match &mut listener.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        let side = self.side;
        if let Some(state) = self.state_mut(connection) {
            state.set_paused(side, held);
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
        self.state(connection).map(|state| state.stats(self.side))
    }
}

impl Drop for MemoryMultiplayerPeer {
    fn drop(&mut self) {
        self.close();
        self.publish();
    }
}

fn connected(connection: ConnectionId, id: PeerId) -> PeerEvent {
    PeerEvent::Connected { connection, claimed_id: Some(id), origin: ConnectionOrigin::Process }
}

fn is_about(event: &PeerEvent, state: ConnectionId) -> bool {
    match event {
        PeerEvent::Connected { connection, .. }
        | PeerEvent::Held { connection }
        | PeerEvent::Moved { connection, .. }
        | PeerEvent::Resumed { connection, .. }
        | PeerEvent::Disconnected { connection, .. } => *connection == state,
        PeerEvent::Packet(packet) => packet.from == state,
        PeerEvent::UniqueId(_) => false,
    }
}
