//! The state machine around a transport. It routes the transport's events to branches in batches
//! and the branches' packets to the transport. A full branch queue pauses the connections that fill
//! it (back-pressure).

mod intake;
mod protocol;
mod queue;
mod router;

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

pub use self::protocol::{EndpointInfo, ToBranch, ToEndpoint};
use self::queue::{BranchQueue, LeaveRequest};
use self::router::{Candidates, Identity};
pub use self::router::{ConnectionRouter, NewConnection, Route};
use crate::limits::DRAIN_TIMEOUT;
#[cfg(doc)]
use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, PENDING_BATCHES_MAX};
use crate::{
    BranchId, CloseMode, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason,
    EndpointId, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent, RunningClock, StateMachine,
};

/// Statistics of an endpoint since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Current connections, including undecided ones.
    pub connections: usize,
    /// Current connections that are not assigned to a branch yet.
    pub undecided: usize,
    /// Connections rejected by the router, or because their branch did not accept connections.
    pub rejected_connections: u64,
    /// Moves rejected because the other branch did not accept connections.
    pub rejected_moves: u64,
    /// Batches accepted by branches.
    pub batches: u64,
    /// Number of times that a full branch queue paused the branch's connections.
    pub pauses: u64,
    /// Packets dropped because the transport does not pause connections.
    pub dropped_packets: u64,
    /// Packets that the transport did not accept.
    pub rejected_packets: u64,
}

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
    routes: IndexMap<ConnectionId, Routed>,
    undecided: Candidates,
    branches: BTreeMap<BranchId, BranchQueue>,
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
    stats: EndpointStats,
}

/// A connection that is assigned to a branch.
#[derive(Debug)]
struct Routed {
    branch: BranchId,
    identity: Identity,
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
            branches: self.branches,
            clock: self.clock,
            last_reason: self.last_reason,
            interrupted: self.interrupted,
            has_input: self.has_input,
            flush_by: self.flush_by,
            finished: self.finished,
            stats: self.stats,
        }
    }

    /// Returns whether the endpoint is closed. Queued messages remain to be delivered.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Returns whether a message is queued for a branch.
    pub fn has_output(&self) -> bool {
        self.branches.values().any(|queue| !queue.is_empty())
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

    /// Returns the endpoint's statistics.
    pub fn stats(&self) -> EndpointStats {
        let undecided = self.undecided.len();
        EndpointStats { connections: self.routes.len() + undecided, undecided, ..self.stats }
    }

    /// Returns the time of the next turn that does not depend on the transport: of draining
    /// connections, or of undecided ones. It is at most 1 s after the last turn, so that a late
    /// turn is detected.
    pub fn deadline(&self) -> Option<Instant> {
        self.due().map(|due| self.clock.to_program(due))
    }

    /// Returns [`deadline`](Self::deadline) by the endpoint's clock.
    fn due(&self) -> Option<Instant> {
        let open = self.branches.values().filter(|queue| !queue.is_closed());
        let drained = open.filter_map(|queue| queue.leaving().map(|leaving| leaving.deadline));
        let deadline = drained.chain(self.undecided.deadline()).min()?;
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
            routes: IndexMap::new(),
            undecided: Candidates::default(),
            branches: BTreeMap::new(),
            clock: RunningClock::default(),
            last_reason: None,
            interrupted: None,
            has_input: false,
            flush_by: None,
            finished: false,
            stats: EndpointStats::default(),
        }
    }

    /// Starts to serve `branch`: queues [`ToBranch::Opened`] for it and accepts connections for it.
    /// Does nothing if the branch is already served. After [`ToBranch::Closed`] a branch may be
    /// served again.
    pub fn serve(&mut self, branch: BranchId) {
        let queue = || BranchQueue::new(self.id, EndpointInfo::of(&self.peer));
        self.branches.entry(branch).or_insert_with(queue);
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

    fn set_paused(&mut self, branch: BranchId, paused: bool) {
        for (&connection, _) in self.routes.iter().filter(|(_, routed)| routed.branch == branch) {
            self.peer.pause_receiving(connection, paused);
        }
    }

    fn leave(&mut self, branch: BranchId, reason: DisconnectReason, close_mode: CloseMode) {
        let queue = self.branches.get_mut(&branch).filter(|queue| !queue.is_closed());
        let Some(queue) = queue else { return };
        queue.leave(LeaveRequest { deadline: self.clock.now() + DRAIN_TIMEOUT, reason });
        for (&connection, _) in self.routes.iter().filter(|(_, routed)| routed.branch == branch) {
            self.peer.disconnect(connection, reason, close_mode);
        }
        if close_mode == CloseMode::Immediate {
            self.routes.retain(|_, routed| routed.branch != branch);
        }
        if self.branches.values().all(|queue| queue.leaving().is_some()) {
            self.peer.stop_accepting();
        }
    }

    /// Closes the queues of leaving branches whose connections have drained or timed out, and of
    /// all branches if the transport's session ended. Closes the endpoint when no queue is open.
    fn close_drained(&mut self, now: Instant) {
        let session_ended = self.interrupted.is_none()
            && self.peer.connection_status() == ConnectionStatus::Disconnected;
        let (time, mut closing) = (self.clock.now(), Vec::new());
        for (&branch, queue) in self.branches.iter().filter(|(_, queue)| !queue.is_closed()) {
            match queue.leaving() {
                Some(LeaveRequest { deadline, reason })
                    if session_ended || time >= deadline || !self.has_connections(branch) =>
                {
                    closing.push((branch, reason));
                }
                // A client whose server never responded has no reason from a `Disconnected` event.
                None if session_ended => {
                    let reason = self.last_reason.unwrap_or(DisconnectReason::Timeout);
                    closing.push((branch, reason));
                }
                _ => {}
            }
        }
        let closes = !closing.is_empty();
        for (branch, reason) in closing {
            self.close_queue(branch, reason);
        }
        if session_ended || (closes && self.branches.values().all(BranchQueue::is_closed)) {
            // `close` drops pending acknowledgements of a remote disconnect, so flush them before.
            self.peer.flush(now);
            self.peer.close();
            self.finished = true;
        }
    }

    /// Queues `Disconnected` for each connection of the branch that is left, then the last message.
    fn close_queue(&mut self, branch: BranchId, reason: DisconnectReason) {
        let routes = std::mem::take(&mut self.routes);
        let (ended, kept): (IndexMap<_, _>, IndexMap<_, _>) =
            routes.into_iter().partition(|(_, routed)| routed.branch == branch);
        self.routes = kept;
        for (connection, _) in ended {
            self.peer.disconnect(connection, reason, CloseMode::Immediate);
            self.queue(branch, PeerEvent::Disconnected { connection, reason });
        }
        match self.branches.get_mut(&branch) {
            Some(queue) => queue.close(reason),
            None => crate::bug!("{branch:?} is closed, but has no queue"),
        }
    }

    fn flush(&mut self, now: Instant) {
        self.has_input = false;
        self.flush_by = None;
        self.peer.flush(now);
    }

    fn has_connections(&self, branch: BranchId) -> bool {
        self.routes.values().any(|routed| routed.branch == branch)
    }
}

impl<P: MultiplayerPeer, R: ConnectionRouter> StateMachine for Endpoint<P, R> {
    type Input = ToEndpoint;
    type Output = ToBranch;
    type Destination = BranchId;

    fn handle_input(&mut self, now: Instant, input: ToEndpoint) {
        self.has_input = true;
        self.advance(now);
        match input {
            ToEndpoint::Send(packets) => self.send(packets),
            ToEndpoint::Disconnect { connection, reason, close_mode } => {
                self.peer.disconnect(connection, reason, close_mode);
                if close_mode == CloseMode::Immediate
                    && self.routes.swap_remove(&connection).is_some()
                {
                    // No event follows, so remember the reason in case it ends a client's session.
                    self.last_reason = Some(reason);
                }
            }
            ToEndpoint::Move { connection, branch } => self.move_connection(connection, branch),
            ToEndpoint::RefuseNewConnections(refuse) => {
                self.peer.set_refuse_new_connections(refuse);
            }
            ToEndpoint::Leave { branch, reason, close_mode } => {
                self.leave(branch, reason, close_mode);
            }
        }
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
        if self.receive_events(now) {
            self.flush_by.get_or_insert(now + max_ack_delay);
        }
        self.reject_expired();
        self.close_drained(now);
        if self.flush_by.is_none_or(|at| now >= at) {
            self.flush(now);
        }
    }

    fn deliver(&mut self, accept: &mut dyn FnMut(BranchId, ToBranch) -> Result<(), ToBranch>) {
        let mut released = Vec::new();
        for (&branch, queue) in &mut self.branches {
            let (batches, is_released) = queue.deliver(|message| accept(branch, message));
            self.stats.batches += batches;
            if is_released {
                released.push(branch);
            }
        }
        self.branches.retain(|_, queue| !queue.is_closed() || !queue.is_empty());
        for branch in released {
            self.set_paused(branch, false);
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
