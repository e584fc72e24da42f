//! The state machine around a transport. It routes the transport's events to branches in batches
//! and the branches' packets to the transport. A full branch queue pauses the connections that fill
//! it (back-pressure).

mod carried;
mod closing;
mod conditions;
mod intake;
mod lingering;
mod moves;
mod protocol;
mod queue;
mod rates;
mod requests;
mod router;
mod stats;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustc_hash::FxHashMap;

pub use self::carried::{AnnouncedId, AssignedId, CarriedSession};
use self::conditions::InitialConditions;
pub use self::lingering::DisconnectRequest;
use self::lingering::Lingering;
use self::moves::HeldEvents;
pub use self::protocol::{EndpointInfo, ToBranch, ToEndpoint};
use self::queue::BranchQueue;
use self::rates::ConnectionRate;
pub use self::rates::{BranchRate, ReceiveLimits};
use self::router::{Candidates, Identity};
pub use self::router::{ConnectionRouter, NewConnection, Route};
pub use self::stats::EndpointStats;
#[cfg(doc)]
use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, DRAIN_TIMEOUT, PENDING_BATCHES_MAX};
use crate::{
    BranchId, CloseMode, ConnectionId, ConnectionStats, DisconnectReason, EndpointId, Instant,
    MultiplayerPeer, OutgoingPacket, RunningClock, StateMachine, TransportStats,
};

/// A transport with its router and the branches of its connections. See [`StateMachine`] for how to
/// run it.
///
/// A turn that receives packets may leave the flush to the turn in which branches reply: see
/// [`max_ack_delay`](MultiplayerPeer::max_ack_delay).
///
/// Queues are bounded: per branch [`PENDING_BATCHES_MAX`] batches of [`BATCH_EVENTS_MAX`] events or
/// [`BATCH_BYTES_MAX`] bytes. At the limit the branch's connections are
/// [paused](MultiplayerPeer::pause_receiving), so that only events which the transport had already
/// received are added. At twice the limit the transport evidently does not pause. Unreliable
/// packets are then dropped, and a connection that receives a reliable one is closed with
/// [`QueueFull`](DisconnectReason::QueueFull).
#[derive(Debug)]
pub struct Endpoint<P, R = BranchId> {
    id: EndpointId,
    peer: P,
    router: R,
    /// Each received packet is looked up here. Remote peers do not choose the keys.
    routes: FxHashMap<ConnectionId, Routed>,
    undecided: Candidates,
    lingering: Lingering,
    branches: BTreeMap<BranchId, BranchQueue>,
    /// Branches for which messages are queued. A turn handles only these, [leaving](Self::leaving)
    /// ones, and those with events.
    pending: BTreeSet<BranchId>,
    /// Branches that leave.
    leaving: BTreeSet<BranchId>,
    /// True if the endpoint stays open without branches.
    is_shared: bool,
    /// True if the endpoint is closed when all of its branches have left.
    is_closing: bool,
    /// Clock of undecided and draining connections. Time in which the process did not run does not
    /// count against them: their packets could not be received or sent.
    clock: RunningClock,
    last_reason: Option<DisconnectReason>,
    /// Time at which reading events was interrupted, so that a queue that became full is delivered
    /// first; `None` when all events were read.
    interrupted: Option<Instant>,
    /// True if branches sent messages since the last flush.
    has_input: bool,
    /// Latest time of the flush that is delayed for replies of the branches.
    flush_by: Option<Instant>,
    finished: bool,
    /// Limits of each connection.
    receive_limits: ReceiveLimits,
    /// True if a connection or a branch may have limits.
    is_metered: bool,
    /// Connections that are paused because of their rate, by the time at which they resume.
    rate_pauses: BTreeSet<(Instant, ConnectionId)>,
    initial_conditions: Option<Box<InitialConditions>>,
    stats: EndpointStats,
}

/// A connection that is assigned to a branch.
#[derive(Debug)]
struct Routed {
    branch: BranchId,
    identity: Identity,
    /// Events received since the branch [holds](ToEndpoint::Hold) the connection.
    held: Option<HeldEvents>,
    /// `None` if it has no limits.
    rate: Option<Box<ConnectionRate>>,
}

impl<P, R> Endpoint<P, R> {
    /// Replaces the transport with the result of `map` and keeps all other state, for example to
    /// lend the transport for a turn.
    pub fn map_peer<Q>(self, map: impl FnOnce(P) -> Q) -> Endpoint<Q, R> {
        Endpoint {
            id: self.id,
            peer: map(self.peer),
            router: self.router,
            routes: self.routes,
            undecided: self.undecided,
            lingering: self.lingering,
            branches: self.branches,
            pending: self.pending,
            leaving: self.leaving,
            is_shared: self.is_shared,
            is_closing: self.is_closing,
            clock: self.clock,
            last_reason: self.last_reason,
            interrupted: self.interrupted,
            has_input: self.has_input,
            flush_by: self.flush_by,
            finished: self.finished,
            receive_limits: self.receive_limits,
            is_metered: self.is_metered,
            rate_pauses: self.rate_pauses,
            initial_conditions: self.initial_conditions,
            stats: self.stats,
        }
    }

    /// Returns whether the endpoint is closed. Queued messages remain to be delivered.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Returns whether a message is queued for a branch.
    pub fn has_output(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Returns the transport, for methods that only it has, such as its socket address.
    pub fn peer(&self) -> &P {
        &self.peer
    }

    /// Returns the transport, to change its settings. Packets and events have to go through the
    /// endpoint.
    pub fn peer_mut(&mut self) -> &mut P {
        &mut self.peer
    }

    /// Returns whether the endpoint serves `branch`: it has not delivered the branch's last
    /// message.
    pub fn serves(&self, branch: BranchId) -> bool {
        self.branches.contains_key(&branch)
    }

    /// Returns the number of branches that the endpoint serves.
    pub fn served(&self) -> usize {
        self.branches.len()
    }

    /// Returns the endpoint's statistics.
    pub fn stats(&self) -> EndpointStats {
        let (undecided, lingering) = (self.undecided.len(), self.lingering.len());
        let connections = self.routes.len() + undecided + lingering;
        EndpointStats { connections, undecided, lingering, ..self.stats }
    }

    /// Returns the time of the next turn that does not depend on the transport: of connections that
    /// drain, linger, are undecided, or are paused because of their rate. Except for the last it is
    /// at most 1 s after the last turn, so that a late turn is detected.
    pub fn deadline(&self) -> Option<Instant> {
        let resumed = self.rate_pauses.first().map(|&(until, _)| until);
        resumed.into_iter().chain(self.due().map(|due| self.clock.to_program(due))).min()
    }

    /// Returns [`deadline`](Self::deadline) by the endpoint's clock.
    fn due(&self) -> Option<Instant> {
        let leaving = self.leaving.iter().filter_map(|branch| self.branches.get(branch)?.leaving());
        let drained = leaving.map(|leaving| leaving.deadline);
        let others = [self.undecided.deadline(), self.lingering.deadline()];
        let deadline = drained.chain(others.into_iter().flatten()).min()?;
        Some(deadline.min(self.clock.now() + RunningClock::STALL_MIN))
    }

    fn advance(&mut self, now: Instant) {
        let mut clock = self.clock;
        clock.advance(now, || self.due());
        self.clock = clock;
    }
}

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// Returns an endpoint around `peer` whose new connections are routed by `router`. It serves no
    /// branch until [`serve`](Self::serve).
    pub fn new(id: EndpointId, peer: P, router: R) -> Self {
        Self {
            id,
            peer,
            router,
            routes: FxHashMap::default(),
            undecided: Candidates::default(),
            lingering: Lingering::default(),
            branches: BTreeMap::new(),
            pending: BTreeSet::new(),
            leaving: BTreeSet::new(),
            is_shared: false,
            is_closing: false,
            clock: RunningClock::default(),
            last_reason: None,
            interrupted: None,
            has_input: false,
            flush_by: None,
            finished: false,
            receive_limits: ReceiveLimits::default(),
            is_metered: false,
            rate_pauses: BTreeSet::new(),
            initial_conditions: None,
            stats: EndpointStats::default(),
        }
    }

    /// Keeps the endpoint open while it serves no branch, until [`close`](Self::close). For a
    /// server whose branches come and go.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }

    /// Starts to serve `branch`: queues [`ToBranch::Opened`] for it and accepts connections for it.
    /// Does nothing if the branch is already served. After [`ToBranch::Closed`] a branch may be
    /// served again.
    pub fn serve(&mut self, branch: BranchId) {
        let (id, peer, pending) = (self.id, &self.peer, &mut self.pending);
        self.branches.entry(branch).or_insert_with(|| {
            pending.insert(branch);
            BranchQueue::new(id, EndpointInfo::of(peer))
        });
    }

    /// Closes the endpoint: rejects undecided connections and closes those of all branches. It is
    /// [finished](Self::is_finished) when they have drained, or after [`DRAIN_TIMEOUT`].
    pub fn close(&mut self, now: Instant, reason: DisconnectReason) {
        self.has_input = true;
        self.advance(now);
        for connection in self.undecided.connections() {
            self.undecided.remove(connection);
            self.reject(connection, reason);
        }
        self.close_all_lingering();
        for branch in self.branches.keys().copied().collect::<Vec<_>>() {
            self.leave(branch, reason, CloseMode::Drain);
        }
        self.stop_accepting();
    }

    /// Returns statistics of the transport. Visits all connections.
    pub fn transport_stats(&self) -> TransportStats {
        self.peer.transport_stats()
    }

    /// Returns statistics of one connection.
    pub fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.peer.connection_stats(connection)
    }

    /// Polls the transport and queues its events. This is the first half of
    /// [`end_turn`](StateMachine::end_turn), for a host whose branches reply within the turn;
    /// [`finish_turn`](Self::finish_turn) is the second. Returns whether there are more events to
    /// receive after the queued ones are delivered.
    pub fn receive(&mut self, now: Instant) -> bool {
        if !self.finished {
            self.advance(now);
            self.receive_events(now);
        }
        self.interrupted.is_some()
    }

    /// Flushes the branches' replies to [received](Self::receive) events, and closes expired
    /// connections and branches.
    pub fn finish_turn(&mut self, now: Instant) {
        if !self.finished {
            self.advance(now);
            self.reject_expired();
            self.close_lingering();
            self.close_drained(now);
            self.flush(now);
        }
    }

    fn send(&mut self, packets: Vec<OutgoingPacket>) {
        for packet in packets {
            if let Err(error) = self.peer.send(packet) {
                tracing::debug!(%error, "the transport did not accept a packet");
                self.stats.rejected_packets += 1;
            }
        }
    }

    /// Removes a connection that has ended from its branch, and returns the branch.
    fn forget_route(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
    ) -> Option<BranchId> {
        let branch = self.remove_route(connection, reason)?;
        self.router.forget(connection);
        if let Some(queue) = self.branches.get_mut(&branch) {
            queue.connections.swap_remove(&connection);
        }
        Some(branch)
    }

    fn remove_route(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
    ) -> Option<BranchId> {
        let Routed { branch, rate, .. } = self.routes.remove(&connection)?;
        self.stats.ended_connections.count(reason);
        if let Some(until) = rate.and_then(|rate| rate.paused_until) {
            self.rate_pauses.remove(&(until, connection));
        }
        Some(branch)
    }

    /// Pauses receiving on the connections of a branch whose queue is full.
    fn pause_all(&mut self, branch: BranchId) {
        let queue = self.branches.get(&branch);
        for &connection in queue.iter().flat_map(|queue| &queue.connections) {
            self.peer.pause_receiving(connection, true);
        }
    }

    /// Resumes receiving on the connections of a branch whose queue is no longer full. Those that
    /// are paused for another reason resume later.
    fn resume_all(&mut self, branch: BranchId) {
        let queue = self.branches.get(&branch);
        let connections: Vec<_> =
            queue.iter().flat_map(|queue| &queue.connections).copied().collect();
        connections.into_iter().for_each(|connection| self.resume_receiving(connection));
    }

    fn flush(&mut self, now: Instant) {
        self.has_input = false;
        self.flush_by = None;
        self.peer.flush(now);
    }
}

impl<P: MultiplayerPeer, R: ConnectionRouter> StateMachine for Endpoint<P, R> {
    /// The branch that sends, and its message.
    type Input = (BranchId, ToEndpoint);
    type Output = ToBranch;
    type Destination = BranchId;

    fn handle_input(&mut self, now: Instant, (branch, input): (BranchId, ToEndpoint)) {
        self.has_input = true;
        self.advance(now);
        self.handle_request(branch, input);
    }

    fn end_turn(&mut self, now: Instant) {
        if self.finished {
            return;
        }
        self.advance(now);
        let max_ack_delay = self.peer.max_ack_delay();
        // The branches' messages reply to packets received before. Acknowledgements share their
        // datagrams.
        if self.has_input && max_ack_delay > Duration::ZERO {
            self.flush(now);
        }
        // Packets that elicit nothing from the transport need no further turn.
        if self.receive_events(now) && self.peer.poll_timeout().is_some_and(|due| due <= now) {
            self.flush_by.get_or_insert(now + max_ack_delay);
        }
        self.reject_expired();
        self.close_lingering();
        self.close_drained(now);
        if self.flush_by.is_none_or(|at| now >= at) {
            self.flush(now);
        }
    }

    fn deliver(&mut self, accept: &mut dyn FnMut(BranchId, ToBranch) -> Result<(), ToBranch>) {
        let mut released = Vec::new();
        self.pending.retain(|&branch| {
            let Some(queue) = self.branches.get_mut(&branch) else { return false };
            let (batches, is_released) = queue.deliver(|message| accept(branch, message));
            self.stats.batches += batches;
            if is_released {
                released.push(branch);
            }
            if queue.is_closed() && queue.is_empty() {
                self.branches.remove(&branch);
                return false;
            }
            !queue.is_empty()
        });
        for branch in released {
            self.resume_all(branch);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        // While replies are expected, ignore the transport's timeout: it is due at once, since its
        // acknowledgements are pending.
        let next = self.flush_by.or_else(|| self.peer.poll_timeout());
        let due = [next, self.deadline(), self.interrupted];
        due.into_iter().flatten().min()
    }
}
