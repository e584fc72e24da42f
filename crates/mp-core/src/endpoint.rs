//! The actor around a transport: it routes a transport's events to branches in batches and a branch's packets to the
//! transport, and turns a full branch into back-pressure on the links that feed it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use indexmap::IndexMap;

use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, LINGER, PENDING_BATCHES_MAX};
use crate::{
    BranchId, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, EndpointId,
    Farewell, Instant, MultiplayerPeer, Origin, Outgoing, Packet, PeerEvent, PeerId, StateMachine,
};

/// What an endpoint says to a branch. With [`ToEndpoint`] this is the whole protocol of the data path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToBranch {
    /// The endpoint serves the branch from now on. Precedes everything else it says.
    Opened(EndpointId, EndpointInfo),
    /// What happened on the branch's links, in order.
    Events(EndpointId, Vec<PeerEvent>),
    /// The endpoint serves the branch no more: the branch [left](ToEndpoint::Leave) and its links have ended, or the
    /// endpoint has ended (a client's session with it). Nothing follows.
    Closed(EndpointId, DisconnectReason),
}

/// What a branch says to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToEndpoint {
    /// Packets to send, in order.
    Send(Vec<Outgoing>),
    /// A link to end.
    Disconnect {
        /// The link.
        connection: ConnectionId,
        /// Why.
        reason: DisconnectReason,
        /// How.
        farewell: Farewell,
    },
    /// Refuse new connections, or stop refusing them.
    RefuseNewConnections(bool),
    /// The branch ends: so do its links, and the endpoint when no branch is left. [`ToBranch::Closed`] answers.
    Leave {
        /// The branch.
        branch: BranchId,
        /// Why.
        reason: DisconnectReason,
        /// How its links end. [`Farewell::Drain`] waits up to [`LINGER`] for what was accepted.
        farewell: Farewell,
    },
}

/// What a branch has to know of an endpoint that serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointInfo {
    /// This side's own id on it.
    pub unique_id: PeerId,
    /// Whether the session stands already (servers) or is being set up (clients).
    pub status: ConnectionStatus,
    /// Whether a server may relay between its clients on it.
    pub relay_supported: bool,
    /// Largest packet in bytes.
    pub max_packet_size: usize,
}

impl EndpointInfo {
    /// What there is to know of `peer` now.
    pub fn of(peer: &(impl MultiplayerPeer + ?Sized)) -> Self {
        Self {
            unique_id: peer.unique_id(),
            status: peer.connection_status(),
            relay_supported: peer.is_server_relay_supported(),
            max_packet_size: peer.max_packet_size(),
        }
    }
}

/// Decides which branch a new link belongs to.
pub trait Door {
    /// The branch for `arrival`.
    ///
    /// # Errors
    ///
    /// Why the link is refused; it is ended with this reason.
    fn route(&mut self, arrival: &Arrival<'_>) -> Result<BranchId, DisconnectReason>;
}

/// A door that leads to one branch: a game with one room.
impl Door for BranchId {
    fn route(&mut self, _arrival: &Arrival<'_>) -> Result<BranchId, DisconnectReason> {
        Ok(*self)
    }
}

/// A new link at the door.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Arrival<'a> {
    /// The peer it says it is.
    pub claimed_id: Option<PeerId>,
    /// Where it comes from.
    pub origin: &'a Origin,
}

/// Counters of an endpoint since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Links now.
    pub connections: usize,
    /// Links that the door turned away.
    pub turned_away: u64,
    /// Batches that branches took.
    pub batches: u64,
    /// Times that a full branch made the endpoint hold its links.
    pub holds: u64,
    /// Packets dropped because a transport does not hold its links.
    pub overflowed_packets: u64,
    /// Packets that the transport did not accept.
    pub rejected_packets: u64,
}

/// A transport with its door and its routes. See [`StateMachine`] for how to run it.
///
/// A turn that brought packets may leave the flush to the one in which branches answer: see
/// [`answer_wait`](MultiplayerPeer::answer_wait).
///
/// Bounds: per branch [`PENDING_BATCHES_MAX`] batches of [`BATCH_EVENTS_MAX`] events or [`BATCH_BYTES_MAX`] bytes. Beyond
/// them the branch's links are [held](MultiplayerPeer::hold), so that at most what the transport had already received
/// is added. Beyond twice that the transport does not hold: unreliable packets are dropped, and a link that brings a reliable
/// one ends with [`QueueFull`](DisconnectReason::QueueFull).
#[derive(Debug)]
pub struct Endpoint<P, D = BranchId> {
    id: EndpointId,
    peer: P,
    door: D,
    routes: IndexMap<ConnectionId, BranchId>,
    branches: BTreeMap<BranchId, Lane>,
    last_reason: Option<DisconnectReason>,
    /// Whether branches have said something since the last flush.
    has_input: bool,
    /// While an answer of the branches is awaited: until when the flush waits for it.
    flush_by: Option<Instant>,
    finished: bool,
    stats: EndpointStats,
}

/// What waits for one branch.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<ToBranch>,
    /// Bytes of the youngest batch.
    open_bytes: usize,
    /// Whether the branch's links are held.
    held: bool,
    /// Once the branch has said that it leaves.
    leaving: Option<Leaving>,
    /// Whether `Closed` is the last message: the lane goes when the branch has taken it.
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    deadline: Instant,
    reason: DisconnectReason,
}

impl<P: MultiplayerPeer, D: Door> Endpoint<P, D> {
    /// An endpoint around `peer` whose new links pass `door`. It serves nobody until [`serve`](Self::serve).
    pub fn new(id: EndpointId, peer: P, door: D) -> Self {
        Self {
            id,
            peer,
            door,
            routes: IndexMap::new(),
            branches: BTreeMap::new(),
            last_reason: None,
            has_input: false,
            flush_by: None,
            finished: false,
            stats: EndpointStats::default(),
        }
    }

    /// Serves `branch` from now on: it is told with [`ToBranch::Opened`], and the door may lead to it. A branch that is
    /// served already is not told again; after [`ToBranch::Closed`] it may be served anew.
    pub fn serve(&mut self, branch: BranchId) {
        self.branches.entry(branch).or_insert_with(|| {
            let opened = ToBranch::Opened(self.id, EndpointInfo::of(&self.peer));
            Lane { waiting: VecDeque::from([opened]), ..Lane::default() }
        });
    }

    /// Whether it has ended: nothing is left to do but to deliver what waits.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether something waits for a branch.
    pub fn has_output(&self) -> bool {
        self.branches.values().any(|lane| !lane.waiting.is_empty())
    }

    /// The transport, for what only it has (its socket address, its readiness).
    pub fn peer(&self) -> &P {
        &self.peer
    }

    /// The transport, to change its settings. Packets and events go through the endpoint.
    pub fn peer_mut(&mut self) -> &mut P {
        &mut self.peer
    }

    /// Its counters.
    pub fn stats(&self) -> EndpointStats {
        EndpointStats { connections: self.routes.len(), ..self.stats }
    }

    /// Figures of one link.
    pub fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.peer.connection_stats(connection)
    }

    /// Whether packets were among them. (Nobody answers links that come and go, and a handshake shall not wait.)
    fn take_events(&mut self) -> bool {
        let mut were_packets = false;
        while let Some(event) = self.peer.next_event() {
            were_packets |= matches!(event, PeerEvent::Packet(_));
            match event {
                PeerEvent::UniqueId(_) => {
                    for branch in self.branches.keys().copied().collect::<Vec<_>>() {
                        self.queue(branch, event.clone(), 0);
                    }
                }
                PeerEvent::Connected { connection, claimed_id, ref origin } => {
                    let arrival = Arrival { claimed_id, origin };
                    match self.admit(&arrival) {
                        Ok(branch) => {
                            self.routes.insert(connection, branch);
                            self.queue(branch, event, 0);
                            if self.branches.get(&branch).is_some_and(|lane| lane.held) {
                                self.peer.hold(connection, true);
                            }
                        }
                        Err(reason) => {
                            tracing::debug!(%connection, %origin, %reason, "turned away");
                            self.stats.turned_away += 1;
                            self.peer.disconnect(connection, reason, Farewell::Polite);
                        }
                    }
                }
                PeerEvent::Packet(ref packet) => {
                    let Some(&branch) = self.routes.get(&packet.from) else { continue };
                    if self.is_overflowing(branch) {
                        self.overflow(branch, packet);
                        continue;
                    }
                    let bytes = packet.payload.len();
                    self.queue(branch, event, bytes);
                }
                PeerEvent::Disconnected { connection, reason } => {
                    self.last_reason = Some(reason);
                    if let Some(branch) = self.routes.swap_remove(&connection) {
                        self.queue(branch, event, 0);
                    }
                }
            }
        }
        were_packets
    }

    fn admit(&mut self, arrival: &Arrival<'_>) -> Result<BranchId, DisconnectReason> {
        let branch = self.door.route(arrival)?;
        match self.branches.get(&branch) {
            Some(lane) if lane.leaving.is_none() => Ok(branch),
            _ => Err(DisconnectReason::Refused),
        }
    }

    /// Appends to the youngest batch of `branch`, or begins one; holds the branch's links when too many wait.
    fn queue(&mut self, branch: BranchId, event: PeerEvent, bytes: usize) {
        let Some(lane) = self.branches.get_mut(&branch) else { return };
        match lane.waiting.back_mut() {
            Some(ToBranch::Events(_, events))
                if events.len() < BATCH_EVENTS_MAX && lane.open_bytes < BATCH_BYTES_MAX =>
            {
                lane.open_bytes += bytes;
                events.push(event);
            }
            _ => {
                lane.open_bytes = bytes;
                lane.waiting.push_back(ToBranch::Events(self.id, vec![event]));
            }
        }
        if !lane.held && lane.waiting.len() >= PENDING_BATCHES_MAX {
            lane.held = true;
            self.stats.holds += 1;
            self.hold_links(branch, true);
        }
    }

    /// Whether the branch's links have brought as much again since they were held: a transport that does not hold.
    fn is_overflowing(&self, branch: BranchId) -> bool {
        let waiting = self.branches.get(&branch).map_or(0, |lane| lane.waiting.len());
        waiting >= 2 * PENDING_BATCHES_MAX
    }

    /// Drops what a branch cannot take; a link that loses a reliable packet ends and says so.
    fn overflow(&mut self, branch: BranchId, packet: &Packet) {
        self.stats.overflowed_packets += 1;
        if packet.mode.is_reliable() {
            let (connection, reason) = (packet.from, DisconnectReason::QueueFull);
            self.routes.swap_remove(&connection);
            self.peer.disconnect(connection, reason, Farewell::Abrupt);
            self.queue(branch, PeerEvent::Disconnected { connection, reason }, 0);
        }
    }

    fn hold_links(&mut self, branch: BranchId, held: bool) {
        for (&connection, _) in self.routes.iter().filter(|&(_, &routed)| routed == branch) {
            self.peer.hold(connection, held);
        }
    }

    fn leave(
        &mut self,
        now: Instant,
        branch: BranchId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        let Some(lane) = self.branches.get_mut(&branch) else { return };
        if lane.closed {
            return;
        }
        lane.leaving.get_or_insert(Leaving { deadline: now + LINGER, reason });
        for (&connection, _) in self.routes.iter().filter(|&(_, &routed)| routed == branch) {
            self.peer.disconnect(connection, reason, farewell);
        }
        if farewell == Farewell::Abrupt {
            self.routes.retain(|_, routed| *routed != branch);
        }
        if self.branches.values().all(|lane| lane.leaving.is_some()) {
            self.peer.stop_accepting();
        }
    }

    /// Closes the lanes of branches whose last links have drained or took too long, and all of them when the transport's
    /// session ended by itself. Without an open lane the endpoint ends.
    fn close_what_is_over(&mut self, now: Instant) {
        let lost = self.peer.connection_status() == ConnectionStatus::Disconnected;
        let mut over = Vec::new();
        for (&branch, lane) in self.branches.iter().filter(|(_, lane)| !lane.closed) {
            match lane.leaving {
                Some(Leaving { deadline, reason })
                    if lost || now >= deadline || !self.has_links(branch) =>
                {
                    over.push((branch, reason));
                }
                // A client that never got through was given no reason by anybody: nobody answered it.
                None if lost => {
                    let reason = self.last_reason.unwrap_or(DisconnectReason::Timeout);
                    over.push((branch, reason));
                }
                _ => {}
            }
        }
        let closes = !over.is_empty();
        for (branch, reason) in over {
            self.close_lane(branch, reason);
        }
        if lost || (closes && self.branches.values().all(|lane| lane.closed)) {
            // What it owes the other side for its goodbye goes first: closing forgets it.
            self.peer.flush(now);
            self.peer.close();
            self.finished = true;
        }
    }

    /// Says the last words to a branch, after the end of each link it still had.
    fn close_lane(&mut self, branch: BranchId, reason: DisconnectReason) {
        let routes = std::mem::take(&mut self.routes);
        let (ended, kept): (IndexMap<_, _>, IndexMap<_, _>) =
            routes.into_iter().partition(|&(_, routed)| routed == branch);
        self.routes = kept;
        for (connection, _) in ended {
            self.peer.disconnect(connection, reason, Farewell::Abrupt);
            self.queue(branch, PeerEvent::Disconnected { connection, reason }, 0);
        }
        if let Some(lane) = self.branches.get_mut(&branch) {
            lane.waiting.push_back(ToBranch::Closed(self.id, reason));
            lane.closed = true;
        }
    }

    fn flush(&mut self, now: Instant) {
        self.has_input = false;
        self.flush_by = None;
        self.peer.flush(now);
    }

    fn has_links(&self, branch: BranchId) -> bool {
        self.routes.values().any(|&routed| routed == branch)
    }
}

impl<P: MultiplayerPeer, D: Door> StateMachine for Endpoint<P, D> {
    type Input = ToEndpoint;
    type Output = ToBranch;
    type Destination = BranchId;

    fn handle_input(&mut self, now: Instant, input: ToEndpoint) {
        self.has_input = true;
        match input {
            ToEndpoint::Send(packets) => {
                for packet in packets {
                    if let Err(error) = self.peer.send(packet) {
                        tracing::debug!(%error, "the transport did not accept a packet");
                        self.stats.rejected_packets += 1;
                    }
                }
            }
            ToEndpoint::Disconnect { connection, reason, farewell } => {
                self.peer.disconnect(connection, reason, farewell);
                if farewell == Farewell::Abrupt && self.routes.swap_remove(&connection).is_some() {
                    // No event will say it, should this end a client's session.
                    self.last_reason = Some(reason);
                }
            }
            ToEndpoint::RefuseNewConnections(refuse) => {
                self.peer.set_refuse_new_connections(refuse);
            }
            ToEndpoint::Leave { branch, reason, farewell } => {
                self.leave(now, branch, reason, farewell);
            }
        }
    }

    fn end_turn(&mut self, now: Instant) {
        if self.finished {
            return;
        }
        let answer_wait = self.peer.answer_wait();
        // What branches have said answers what came before, and takes its acknowledgements along.
        if self.has_input && answer_wait > Duration::ZERO {
            self.flush(now);
        }
        self.peer.poll(now);
        if self.take_events() {
            self.flush_by.get_or_insert(now + answer_wait);
        }
        self.close_what_is_over(now);
        if self.flush_by.is_none_or(|at| now >= at) {
            self.flush(now);
        }
    }

    fn deliver(&mut self, accept: &mut dyn FnMut(BranchId, ToBranch) -> Result<(), ToBranch>) {
        let mut released = Vec::new();
        for (&branch, lane) in &mut self.branches {
            while let Some(message) = lane.waiting.pop_front() {
                let is_batch = matches!(message, ToBranch::Events(..));
                if let Err(message) = accept(branch, message) {
                    lane.waiting.push_front(message);
                    break;
                }
                self.stats.batches += u64::from(is_batch);
            }
            if lane.held && lane.waiting.len() <= PENDING_BATCHES_MAX / 2 {
                lane.held = false;
                released.push(branch);
            }
        }
        self.branches.retain(|_, lane| !lane.closed || !lane.waiting.is_empty());
        for branch in released {
            self.hold_links(branch, false);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        let open = self.branches.values().filter(|lane| !lane.closed);
        let deadlines = open.filter_map(|lane| lane.leaving.map(|leaving| leaving.deadline));
        // While an answer is awaited the transport has things to send, which is why it would be in a hurry.
        let next = self.flush_by.or_else(|| self.peer.poll_timeout());
        deadlines.chain(next).min()
    }
}
