//! The machine around a transport: it routes a transport's events to branches in batches and a
//! branch's packets to the transport, and turns a full branch queue into back-pressure on the
//! connections that feed it.

mod intake;
mod protocol;
mod queue;
mod router;

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

pub use self::protocol::{EndpointInfo, ToBranch, ToEndpoint};
use self::queue::{BranchQueue, Leaving};
use self::router::{Candidates, Identity};
pub use self::router::{ConnectionRouter, NewConnection, Route};
use crate::limits::LINGER;
#[cfg(doc)]
use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, PENDING_BATCHES_MAX};
use crate::{
    BranchId, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, EndpointId,
    Farewell, Instant, MultiplayerPeer, Outgoing, PeerEvent, StateMachine,
};

/// Counters of an endpoint since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Links now.
    pub connections: usize,
    /// Connections that are not assigned to a branch yet.
    pub undecided: usize,
    /// Connections that the router rejected, or whose branch could not take them.
    pub turned_away: u64,
    /// Connections that were not moved, because the other branch could not take them.
    pub rejected_moves: u64,
    /// Batches that branches took.
    pub batches: u64,
    /// Times that a full branch made the endpoint hold its links.
    pub holds: u64,
    /// Packets dropped because a transport does not hold its links.
    pub overflowed_packets: u64,
    /// Packets that the transport did not accept.
    pub rejected_packets: u64,
}

/// A transport with its router and its routes. See [`StateMachine`] for how to run it.
///
/// A turn that brought packets may leave the flush to the one in which branches answer: see
/// [`answer_wait`](MultiplayerPeer::answer_wait).
///
/// Bounds: per branch [`PENDING_BATCHES_MAX`] batches of [`BATCH_EVENTS_MAX`] events or
/// [`BATCH_BYTES_MAX`] bytes. Beyond them the branch's connections are
/// [paused](MultiplayerPeer::hold), so that at most what the transport had already received is
/// added. Beyond twice that the transport does not pause: unreliable packets are dropped, and a
/// connection that brings a reliable one ends with [`QueueFull`](DisconnectReason::QueueFull).
#[derive(Debug)]
pub struct Endpoint<P, R = BranchId> {
    id: EndpointId,
    peer: P,
    router: R,
    routes: IndexMap<ConnectionId, Routed>,
    undecided: Candidates,
    branches: BTreeMap<BranchId, BranchQueue>,
    last_reason: Option<DisconnectReason>,
    /// Since when the transport has events that were left to it, so that a queue that became full
    /// is delivered first.
    interrupted: Option<Instant>,
    /// True if branches have said something since the last flush.
    has_input: bool,
    /// While an answer of the branches is awaited: until when the flush waits for it.
    flush_by: Option<Instant>,
    finished: bool,
    stats: EndpointStats,
}

/// A connection that a branch knows, or is about to.
#[derive(Debug)]
struct Routed {
    branch: BranchId,
    identity: Identity,
}

impl<P, R> Endpoint<P, R> {
    /// The same endpoint around another value in place of its transport. A transport can be lent
    /// for a turn that way.
    pub fn map_peer<Q>(self, map: impl FnOnce(P) -> Q) -> Endpoint<Q, R> {
        Endpoint {
            id: self.id,
            peer: map(self.peer),
            router: self.router,
            routes: self.routes,
            undecided: self.undecided,
            branches: self.branches,
            last_reason: self.last_reason,
            interrupted: self.interrupted,
            has_input: self.has_input,
            flush_by: self.flush_by,
            finished: self.finished,
            stats: self.stats,
        }
    }

    /// Returns whether it has ended: nothing is left to do but to deliver what is queued.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Returns whether something is queued for a branch.
    pub fn has_output(&self) -> bool {
        self.branches.values().any(|queue| !queue.is_empty())
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
        let undecided = self.undecided.len();
        EndpointStats { connections: self.routes.len() + undecided, undecided, ..self.stats }
    }

    /// Returns the time at which something is due that does not depend on the transport:
    /// connections have drained for long enough, or were undecided for too long.
    pub fn deadline(&self) -> Option<Instant> {
        let open = self.branches.values().filter(|queue| !queue.is_closed());
        let drained =
            open.filter_map(|queue| queue.leaving().map(|leaving| leaving.deadline)).min();
        drained.into_iter().chain(self.undecided.deadline()).min()
    }
}

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// An endpoint around `peer` whose new connections are routed by `router`. It serves no branch
    /// until [`serve`](Self::serve).
    pub fn new(id: EndpointId, peer: P, router: R) -> Self {
        Self {
            id,
            peer,
            router,
            routes: IndexMap::new(),
            undecided: Candidates::default(),
            branches: BTreeMap::new(),
            last_reason: None,
            interrupted: None,
            has_input: false,
            flush_by: None,
            finished: false,
            stats: EndpointStats::default(),
        }
    }

    /// Serves `branch` from now on: it is notified with [`ToBranch::Opened`], and connections may
    /// be routed to it. A branch that is served already is not notified again; after
    /// [`ToBranch::Closed`] it may be served anew.
    pub fn serve(&mut self, branch: BranchId) {
        let queue = || BranchQueue::new(self.id, EndpointInfo::of(&self.peer));
        self.branches.entry(branch).or_insert_with(queue);
    }

    /// Statistics of one connection.
    pub fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.peer.connection_stats(connection)
    }

    /// Polls the transport and queues its events: the first half of
    /// [`end_turn`](StateMachine::end_turn), for a host whose branches answer within the turn.
    /// [`finish_turn`](Self::finish_turn) is the second. Returns whether there are more events to
    /// receive once these are delivered.
    pub fn receive(&mut self, now: Instant) -> bool {
        if !self.finished {
            self.take_events(now);
        }
        self.interrupted.is_some()
    }

    /// Flushes what branches answered to what was [received](Self::receive), and ends what is over.
    pub fn finish_turn(&mut self, now: Instant) {
        if !self.finished {
            self.reject_expired(now);
            self.close_what_is_over(now);
            self.flush(now);
        }
    }

    fn send(&mut self, packets: Vec<Outgoing>) {
        for packet in packets {
            if let Err(error) = self.peer.send(packet) {
                tracing::debug!(%error, "the transport did not accept a packet");
                self.stats.rejected_packets += 1;
            }
        }
    }

    fn hold_links(&mut self, branch: BranchId, held: bool) {
        for (&connection, _) in self.routes.iter().filter(|(_, routed)| routed.branch == branch) {
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
        let queue = self.branches.get_mut(&branch).filter(|queue| !queue.is_closed());
        let Some(queue) = queue else { return };
        queue.leave(Leaving { deadline: now + LINGER, reason });
        for (&connection, _) in self.routes.iter().filter(|(_, routed)| routed.branch == branch) {
            self.peer.disconnect(connection, reason, farewell);
        }
        if farewell == Farewell::Abrupt {
            self.routes.retain(|_, routed| routed.branch != branch);
        }
        if self.branches.values().all(|queue| queue.leaving().is_some()) {
            self.peer.stop_accepting();
        }
    }

    /// Closes the queues of branches whose last connections have drained or took too long, and all
    /// of them when the transport's session ended by itself. Without an open queue the endpoint
    /// ends.
    fn close_what_is_over(&mut self, now: Instant) {
        let lost = self.interrupted.is_none()
            && self.peer.connection_status() == ConnectionStatus::Disconnected;
        let mut over = Vec::new();
        for (&branch, queue) in self.branches.iter().filter(|(_, queue)| !queue.is_closed()) {
            match queue.leaving() {
                Some(Leaving { deadline, reason })
                    if lost || now >= deadline || !self.has_links(branch) =>
                {
                    over.push((branch, reason));
                }
                // A client that was never answered has no reason from anybody.
                None if lost => {
                    let reason = self.last_reason.unwrap_or(DisconnectReason::Timeout);
                    over.push((branch, reason));
                }
                _ => {}
            }
        }
        let closes = !over.is_empty();
        for (branch, reason) in over {
            self.close_queue(branch, reason);
        }
        if lost || (closes && self.branches.values().all(BranchQueue::is_closed)) {
            // What it owes the remote peer for its disconnect goes first: closing forgets it.
            self.peer.flush(now);
            self.peer.close();
            self.finished = true;
        }
    }

    /// Queues the last message for a branch, after the end of each connection it still had.
    fn close_queue(&mut self, branch: BranchId, reason: DisconnectReason) {
        let routes = std::mem::take(&mut self.routes);
        let (ended, kept): (IndexMap<_, _>, IndexMap<_, _>) =
            routes.into_iter().partition(|(_, routed)| routed.branch == branch);
        self.routes = kept;
        for (connection, _) in ended {
            self.peer.disconnect(connection, reason, Farewell::Abrupt);
            self.queue(branch, PeerEvent::Disconnected { connection, reason });
        }
        if let Some(queue) = self.branches.get_mut(&branch) {
            queue.close(reason);
        }
    }

    fn flush(&mut self, now: Instant) {
        self.has_input = false;
        self.flush_by = None;
        self.peer.flush(now);
    }

    fn has_links(&self, branch: BranchId) -> bool {
        self.routes.values().any(|routed| routed.branch == branch)
    }
}

impl<P: MultiplayerPeer, R: ConnectionRouter> StateMachine for Endpoint<P, R> {
    type Input = ToEndpoint;
    type Output = ToBranch;
    type Destination = BranchId;

    fn handle_input(&mut self, now: Instant, input: ToEndpoint) {
        self.has_input = true;
        match input {
            ToEndpoint::Send(packets) => self.send(packets),
            ToEndpoint::Disconnect { connection, reason, farewell } => {
                self.peer.disconnect(connection, reason, farewell);
                if farewell == Farewell::Abrupt && self.routes.swap_remove(&connection).is_some() {
                    // No event will report it, should this end a client's session.
                    self.last_reason = Some(reason);
                }
            }
            ToEndpoint::Move { connection, branch } => self.move_connection(connection, branch),
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
        // What branches have said answers what was received before, and takes its acknowledgements
        // along.
        if self.has_input && answer_wait > Duration::ZERO {
            self.flush(now);
        }
        if self.take_events(now) {
            self.flush_by.get_or_insert(now + answer_wait);
        }
        self.reject_expired(now);
        self.close_what_is_over(now);
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
            self.hold_links(branch, false);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        // While an answer is awaited the transport has things to send, which is why it would be in
        // a hurry.
        let next = self.flush_by.or_else(|| self.peer.poll_timeout());
        let due = [next, self.deadline(), self.interrupted];
        due.into_iter().flatten().min()
    }
}
