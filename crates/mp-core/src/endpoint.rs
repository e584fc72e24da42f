//! The actor around a transport: it routes a transport's events to branches in batches and a branch's packets to the
//! transport, and turns a full branch into back-pressure on the links that feed it.

use std::collections::{BTreeMap, VecDeque};

use indexmap::IndexMap;

use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, LINGER, PENDING_BATCHES_MAX};
use crate::{
    BranchId, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, EndpointId,
    Farewell, Instant, MultiplayerPeer, Origin, Outgoing, PeerEvent, PeerId, StateMachine,
};

/// What an endpoint says to a branch. With [`ToEndpoint`] this is the whole protocol of the data path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToBranch {
    /// The endpoint serves the branch from now on. Precedes everything else it says.
    Opened(EndpointId, EndpointInfo),
    /// What happened on the branch's links, in order.
    Events(EndpointId, Vec<PeerEvent>),
    /// The endpoint has ended; a client's session with it. Nothing follows.
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
    /// The branch ends: so do its links, and the endpoint when no branch is left.
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
    /// Packets that the transport did not accept.
    pub rejected_packets: u64,
}

/// A transport with its door and its routes. See [`StateMachine`] for how to run it.
///
/// Bounds: per branch [`PENDING_BATCHES_MAX`] batches of [`BATCH_EVENTS_MAX`] events or [`BATCH_BYTES_MAX`] bytes. Beyond
/// them the branch's links are [held](MultiplayerPeer::hold), so that at most what the transport had already received
/// is added; nothing is dropped here.
#[derive(Debug)]
pub struct Endpoint<P, D = BranchId> {
    id: EndpointId,
    peer: P,
    door: D,
    routes: IndexMap<ConnectionId, BranchId>,
    branches: BTreeMap<BranchId, Lane>,
    status: ConnectionStatus,
    last_reason: Option<DisconnectReason>,
    closing: Option<Closing>,
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
    /// Whether the branch has ended, so that its lane goes with what waits in it.
    left: bool,
}

#[derive(Clone, Copy, Debug)]
struct Closing {
    deadline: Instant,
    reason: DisconnectReason,
}

impl<P: MultiplayerPeer, D: Door> Endpoint<P, D> {
    /// An endpoint around `peer` whose new links pass `door`. It serves nobody until [`serve`](Self::serve).
    pub fn new(id: EndpointId, peer: P, door: D) -> Self {
        Self {
            id,
            status: peer.connection_status(),
            peer,
            door,
            routes: IndexMap::new(),
            branches: BTreeMap::new(),
            last_reason: None,
            closing: None,
            finished: false,
            stats: EndpointStats::default(),
        }
    }

    /// Serves `branch` from now on: it is told with [`ToBranch::Opened`], and the door may lead to it.
    pub fn serve(&mut self, branch: BranchId) {
        let lane = self.branches.entry(branch).or_default();
        lane.waiting.push_back(ToBranch::Opened(self.id, EndpointInfo::of(&self.peer)));
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

    fn take_events(&mut self) {
        while let Some(event) = self.peer.next_event() {
            match event {
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
                    if let Some(&branch) = self.routes.get(&packet.from) {
                        let bytes = packet.payload.len();
                        self.queue(branch, event, bytes);
                    }
                }
                PeerEvent::Disconnected { connection, reason } => {
                    self.last_reason = Some(reason);
                    if let Some(branch) = self.routes.swap_remove(&connection) {
                        self.queue(branch, event, 0);
                    }
                }
            }
        }
    }

    fn admit(&mut self, arrival: &Arrival<'_>) -> Result<BranchId, DisconnectReason> {
        if self.closing.is_some() {
            return Err(DisconnectReason::Refused);
        }
        let branch = self.door.route(arrival)?;
        match self.branches.get(&branch) {
            Some(lane) if !lane.left => Ok(branch),
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
        lane.left = true;
        for (&connection, _) in self.routes.iter().filter(|&(_, &routed)| routed == branch) {
            self.peer.disconnect(connection, reason, farewell);
        }
        if farewell == Farewell::Abrupt {
            self.routes.retain(|_, routed| *routed != branch);
        }
        if self.branches.values().all(|lane| lane.left) && self.closing.is_none() {
            self.peer.set_refuse_new_connections(true);
            self.closing = Some(Closing { deadline: now + LINGER, reason });
        }
    }

    /// Ends when its last links have drained, when it took too long, or when the transport's session ended by itself.
    fn finish_if_done(&mut self, now: Instant) {
        let status = self.peer.connection_status();
        let lost = self.status != ConnectionStatus::Disconnected
            && status == ConnectionStatus::Disconnected;
        self.status = status;
        let reason = match self.closing {
            Some(closing) if lost || self.routes.is_empty() || now >= closing.deadline => {
                closing.reason
            }
            // A client that never got through was given no reason by anybody: nobody answered it.
            None if lost => self.last_reason.unwrap_or(DisconnectReason::Timeout),
            _ => return,
        };
        self.peer.close();
        self.finished = true;
        for (connection, branch) in std::mem::take(&mut self.routes) {
            self.queue(branch, PeerEvent::Disconnected { connection, reason }, 0);
        }
        for lane in self.branches.values_mut() {
            lane.waiting.push_back(ToBranch::Closed(self.id, reason));
        }
    }
}

impl<P: MultiplayerPeer, D: Door> StateMachine for Endpoint<P, D> {
    type Input = ToEndpoint;
    type Output = ToBranch;
    type Destination = BranchId;

    fn handle_input(&mut self, now: Instant, input: ToEndpoint) {
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
                if farewell == Farewell::Abrupt {
                    self.routes.swap_remove(&connection);
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
        self.peer.poll(now);
        self.take_events();
        self.finish_if_done(now);
        self.peer.flush(now);
    }

    fn deliver(&mut self, accept: &mut dyn FnMut(BranchId, ToBranch) -> Result<(), ToBranch>) {
        let mut released = Vec::new();
        for (&branch, lane) in &mut self.branches {
            while let Some(message) = lane.waiting.pop_front() {
                if let Err(message) = accept(branch, message) {
                    lane.waiting.push_front(message);
                    break;
                }
                self.stats.batches += 1;
            }
            if lane.held && lane.waiting.len() <= PENDING_BATCHES_MAX / 2 {
                lane.held = false;
                released.push(branch);
            }
        }
        for branch in released {
            self.hold_links(branch, false);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        let closing = self.closing.map(|closing| closing.deadline);
        [self.peer.poll_timeout(), closing].into_iter().flatten().min()
    }
}
