//! A network within the process: a server that clients join, each end in a thread of its own if you like.
//!
//! It is what two branches of one process talk over, and the test bed for everything above a transport: nothing is
//! lost or reordered, nothing is copied ([`Bytes`](bytes::Bytes) are shared), and time plays no part.
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
//! let arrived = turn(&mut server);
//! let [PeerEvent::Connected { connection, .. }] = arrived[..] else { panic!("{arrived:?}") };
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

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use slab::Slab;

use crate::limits::{PACKET_BYTES_MAX, RECEIVE_QUEUE_BYTES_MAX, RECEIVE_QUEUE_PACKETS_MAX};
use crate::{
    Channel, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Origin, Outgoing, Packet, PeerEvent, PeerId, Readiness, SendError, SendQueue,
    TransferMode,
};

/// Clients that may wait for a server's next turn: as many as the largest ENet host takes. Later ones are refused.
const BACKLOG_MAX: usize = 4_095;

/// A server and a client that joins it as `id`. Both are connected after a turn of the server and one of the client.
pub fn pair(id: PeerId) -> (MemoryMultiplayerPeer, MemoryMultiplayerPeer) {
    let server = MemoryMultiplayerPeer::server();
    let client = server.address().connect(id);
    (server, client)
}

/// Where a server within this process is reached.
#[derive(Clone, Debug)]
pub struct MemoryAddress(Arc<Desk>);

impl MemoryAddress {
    /// A client that joins as `id`, as ENet's clients do; see [`PeerId::generate`] for drawing one. When there is no
    /// server any more, or it refuses, the client's status becomes `Disconnected` at a later poll, without an event.
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

/// One end of a network within the process: a server, or a client of one.
///
/// * Bounds, per link and direction: those of [`SendQueue`]. What passes the reliable one ends the link with
///   [`QueueFull`](DisconnectReason::QueueFull) on both sides. [`poll`](MultiplayerPeer::poll) takes in no more than
///   [`RECEIVE_QUEUE_PACKETS_MAX`] and [`RECEIVE_QUEUE_BYTES_MAX`] ahead of `next_event`; the rest stays with its
///   sender, as does what is reliable while a link is [held](MultiplayerPeer::hold).
/// * A goodbye cannot get lost here: `Polite` and `Abrupt` drop what the other side has not taken in, and `Drain` waits
///   until it has. A side that is leaving takes nothing more in. There are no timeouts.
/// * Dropping an end is [`close`](MultiplayerPeer::close): the others see `Disconnected` with `Remote(0)`.
#[derive(Debug)]
pub struct MemoryMultiplayerPeer {
    id: PeerId,
    side: Side,
    desk: Arc<Desk>,
    links: Slab<Link>,
    /// For each slot, how many links have used it.
    generations: Vec<u32>,
    events: VecDeque<PeerEvent>,
    /// Links that ended and whose other side is told at the next flush.
    parting: Vec<Arc<Wire>>,
    status: ConnectionStatus,
    refusing: bool,
}

impl MemoryMultiplayerPeer {
    /// A server without clients; they join at its [`address`](Self::address).
    pub fn server() -> Self {
        Self::new(PeerId::SERVER, Side::Server, ConnectionStatus::Connected)
    }

    /// Where clients join. A client's address leads nowhere: whoever joins it is refused.
    pub fn address(&self) -> MemoryAddress {
        MemoryAddress(Arc::clone(&self.desk))
    }

    fn new(id: PeerId, side: Side, status: ConnectionStatus) -> Self {
        Self {
            id,
            side,
            desk: Arc::new(Desk(Mutex::new(DeskState {
                open: side == Side::Server,
                ..DeskState::default()
            }))),
            links: Slab::new(),
            generations: Vec::new(),
            events: VecDeque::new(),
            parting: Vec::new(),
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
        entry.insert(Link {
            connection,
            wire,
            connected,
            leaving: None,
            dirty: connected,
            ready_packets: 0,
            ready_bytes: 0,
            receive_drops: 0,
        });
        connection
    }

    fn detach(&mut self, connection: ConnectionId) -> Link {
        self.generations[connection.slot as usize] += 1;
        if self.side == Side::Client {
            self.status = ConnectionStatus::Disconnected;
        }
        self.links.remove(connection.slot as usize)
    }

    fn link(&self, connection: ConnectionId) -> Option<&Link> {
        self.links.get(connection.slot as usize).filter(|link| link.connection == connection)
    }

    fn link_mut(&mut self, connection: ConnectionId) -> Option<&mut Link> {
        self.links.get_mut(connection.slot as usize).filter(|link| link.connection == connection)
    }

    /// Takes in the clients that wait at the desk.
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

    /// Hands what is queued to the other sides.
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
        for (_, link) in &mut self.links {
            let was_connected = link.connected;
            if let Some(end) = link.take_in(self.side, &mut self.events) {
                over.push((link.connection, end));
            } else if link.connected && !was_connected {
                self.status = ConnectionStatus::Connected;
            }
        }
        for (connection, end) in over {
            self.detach(connection);
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
        for &connection in outgoing.to.as_slice() {
            if let Some(link) = self.link_mut(connection) {
                link.send(side, Message { mode, channel, payload: payload.clone() });
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Server,
    Client,
}

impl Side {
    const fn index(self) -> usize {
        self as usize
    }

    const fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// One side's view of a link.
#[derive(Debug)]
struct Link {
    connection: ConnectionId,
    wire: Arc<Wire>,
    /// Whether its `Connected` has been reported.
    connected: bool,
    leaving: Option<Leaving>,
    /// Whether the next flush has something for the other side.
    dirty: bool,
    /// Packets taken in and not yet taken from `next_event`.
    ready_packets: usize,
    /// Bytes of those.
    ready_bytes: usize,
    receive_drops: u64,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    /// What this side's `Disconnected` says.
    reason: DisconnectReason,
    /// What the other side's says.
    told: DisconnectReason,
    /// Whether the other side takes in first what was accepted.
    drain: bool,
}

impl Link {
    fn send(&mut self, side: Side, message: Message) {
        if self.leaving.is_some() || !self.connected {
            return;
        }
        let mut pipes = self.wire.lock();
        let (mine, theirs) = split(&mut pipes, side);
        if theirs.goodbye.is_some() {
            return;
        }
        let pushed = mine.queue.push(message.mode, message.payload.len(), message);
        if pushed.is_err() {
            mine.queue.clear();
        }
        drop(pipes);
        self.dirty = true;
        if pushed.is_err() {
            let full = DisconnectReason::QueueFull;
            self.leave(Leaving { reason: full, told: full, drain: false });
        }
    }

    fn leave(&mut self, leaving: Leaving) {
        self.leaving = Some(leaving);
        self.dirty = true;
    }

    fn publish(&mut self, side: Side) {
        let mut pipes = self.wire.lock();
        let (mine, theirs) = split(&mut pipes, side);
        mine.published = mine.queue.mark();
        let opened = !std::mem::replace(&mut mine.open, true);
        if let Some(leaving) = self.leaving {
            mine.goodbye = Some(leaving.told);
            theirs.queue.clear();
        }
        let ring_other = opened || mine.goodbye.is_some() || mine.can_be_taken();
        // The end is this side's news, too, and reported by its next poll.
        let ring_own = mine.goodbye.is_some() && mine.queue.is_empty();
        drop(pipes);
        if ring_other {
            self.wire.ring(side.other());
        }
        if ring_own {
            self.wire.ring(side);
        }
    }

    /// Takes in what the other side published. Says when the link is over, and with what `Disconnected` if any.
    fn take_in(
        &mut self,
        side: Side,
        events: &mut VecDeque<PeerEvent>,
    ) -> Option<Option<DisconnectReason>> {
        let mut pipes = self.wire.lock();
        let (mine, theirs) = split(&mut pipes, side);
        if !self.connected {
            if !theirs.open {
                return theirs.goodbye.map(|_| None);
            }
            self.connected = true;
            events.push_back(connected(self.connection, PeerId::SERVER));
        }
        if let Some(leaving) = self.leaving {
            let told = mine.goodbye.is_some() && mine.queue.is_empty();
            return (told || theirs.goodbye.is_some()).then_some(Some(leaving.reason));
        }
        if theirs.held {
            self.receive_drops += theirs.queue.discard_unreliable_before(theirs.published);
        } else {
            while self.ready_packets < RECEIVE_QUEUE_PACKETS_MAX
                && self.ready_bytes < RECEIVE_QUEUE_BYTES_MAX
                && let Some(Message { mode, channel, payload }) = theirs.take()
            {
                self.ready_packets += 1;
                self.ready_bytes += payload.len();
                let from = self.connection;
                events.push_back(PeerEvent::Packet(Packet { from, mode, channel, payload }));
            }
        }
        let more = theirs.can_be_taken();
        let ended = theirs.goodbye.filter(|_| theirs.queue.is_empty());
        drop(pipes);
        if more {
            self.wire.ring(side);
        }
        if ended.is_some() {
            // The other side may be draining and wait for this.
            self.wire.ring(side.other());
        }
        ended.map(Some)
    }

    fn hold(&mut self, side: Side, held: bool) {
        let mut pipes = self.wire.lock();
        let (_, theirs) = split(&mut pipes, side);
        if theirs.held {
            self.receive_drops += theirs.queue.discard_unreliable_before(theirs.published);
        }
        theirs.held = held;
        let ready = theirs.can_be_taken();
        drop(pipes);
        if ready {
            self.wire.ring(side);
        }
    }

    fn stats(&self, side: Side) -> ConnectionStats {
        let mut pipes = self.wire.lock();
        let (mine, theirs) = split(&mut pipes, side);
        ConnectionStats {
            packets_sent: mine.taken_packets,
            bytes_sent: mine.taken_bytes,
            packets_received: theirs.taken_packets,
            bytes_received: theirs.taken_bytes,
            send_drops: mine.queue.drops(),
            receive_drops: self.receive_drops,
            queued_bytes: mine.queue.bytes() as u64,
            ..ConnectionStats::default()
        }
    }
}

/// What both sides of a link share. Its lock is never held while a desk's is taken.
#[derive(Debug)]
struct Wire {
    /// What the server and the client sent.
    pipes: Mutex<[Pipe; 2]>,
    /// Where the server and the client are called.
    desks: [Arc<Desk>; 2],
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, [Pipe; 2]> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, side: Side) {
        self.desks[side.index()].ring();
    }

    /// Ends the link for `side`, which has forgotten it.
    fn hang_up(&self, side: Side, told: DisconnectReason) {
        let mut pipes = self.lock();
        for pipe in pipes.iter_mut() {
            pipe.queue.clear();
        }
        pipes[side.index()].goodbye = Some(told);
        drop(pipes);
        self.ring(side.other());
    }
}

fn split(pipes: &mut [Pipe; 2], side: Side) -> (&mut Pipe, &mut Pipe) {
    let [server, client] = pipes;
    match side {
        Side::Server => (server, client),
        Side::Client => (client, server),
    }
}

/// What one side sent.
#[derive(Debug, Default)]
struct Pipe {
    queue: SendQueue<Message>,
    /// Where the last flush stood in the queue: the receiver sees nothing beyond.
    published: u64,
    /// Whether this side said that the link stands.
    open: bool,
    /// Whether the receiver takes nothing for now.
    held: bool,
    /// What the receiver's `Disconnected` says when it has taken in the queue.
    goodbye: Option<DisconnectReason>,
    taken_packets: u64,
    taken_bytes: u64,
}

impl Pipe {
    fn take(&mut self) -> Option<Message> {
        let message = self.queue.pop_before(self.published)?;
        self.taken_packets += 1;
        self.taken_bytes += message.payload.len() as u64;
        Some(message)
    }

    fn can_be_taken(&self) -> bool {
        !self.held && self.queue.has_before(self.published)
    }
}

#[derive(Clone, Debug)]
struct Message {
    mode: TransferMode,
    channel: Channel,
    payload: Bytes,
}

/// Where a peer is called from other threads.
#[derive(Debug)]
struct Desk(Mutex<DeskState>);

#[derive(Debug, Default)]
struct DeskState {
    /// Whether clients may knock.
    open: bool,
    /// Those that did since the last poll.
    knocks: VecDeque<(PeerId, Arc<Wire>)>,
    /// Whether there is something to take in.
    rung: bool,
    waker: Option<Waker>,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, DeskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the peer's host, after the lock is released: a waker may do anything.
    fn ring(&self) {
        let waker = {
            let mut desk = self.lock();
            desk.rung = true;
            desk.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn answer(&self) -> VecDeque<(PeerId, Arc<Wire>)> {
        let mut desk = self.lock();
        desk.rung = false;
        std::mem::take(&mut desk.knocks)
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
    }
}
