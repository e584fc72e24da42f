//! The host of a branch.
#![expect(clippy::exhaustive_enums, reason = "an actor must handle each end")]

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use mp_core::{
    BranchId, DisconnectReason, EndpointId, Farewell, Instant, StateMachine, ToBranch, ToEndpoint,
};

use crate::budget::TurnBudget;
use crate::limits::{CLOSE_TIMEOUT, DELIVERY_RETRY, QUEUED_PACKETS_HIGH, STALL_TIMEOUT};
use crate::mailbox::{Mailbox, TrySendError};

/// A branch as its host sees it: `mp_scene::Branch`, or a machine that wraps one to record its
/// input, say.
pub trait HostedBranch:
    StateMachine<Input = ToBranch, Output = ToEndpoint, Destination = EndpointId>
{
    /// Leaves the endpoints that it knows, in order behind what it has to say to them.
    fn close(&mut self, reason: DisconnectReason, farewell: Farewell);

    /// Packets queued for the endpoint with the longest queue.
    fn queued_packets(&self) -> usize;

    /// Returns whether an endpoint's mailbox was full at the last delivery.
    fn is_blocked(&self) -> bool;

    /// Takes the next endpoint that the branch has abandoned, with its peers, because it accepted
    /// nothing.
    fn next_abandoned(&mut self) -> Option<EndpointId>;
}

/// Runs a branch between its mailbox and those of its endpoints.
#[derive(Debug)]
pub struct BranchHost<M> {
    id: BranchId,
    endpoints: BTreeMap<EndpointId, Line<M>>,
    budget: TurnBudget,
    /// Since every turn leaves at least [`QUEUED_PACKETS_HIGH`] packets.
    congestion: Option<Congestion>,
    /// Once it closes: how long it waits for its endpoints.
    closing: Option<Instant>,
    /// Why the last of the endpoints closed that have.
    last_closed: Option<DisconnectReason>,
    events: VecDeque<HostEvent>,
    stats: BranchHostStats,
}

/// An event of a branch host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostEvent {
    /// An endpoint accepted nothing, and was left: its connections end when it runs again.
    EndpointAbandoned(EndpointId),
}

/// The end of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchEnd {
    /// It was closed, and its endpoints have closed too.
    Closed,
    /// It was closed, and an endpoint has not answered within [`CLOSE_TIMEOUT`].
    TimedOut,
    /// Its last endpoint has closed by itself.
    Disconnected(DisconnectReason),
}

/// Counters of the host of a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchHostStats {
    /// Turns in which an endpoint's mailbox was full, so that what was for it had to wait.
    pub blocked_turns: u64,
    /// Endpoints that the branch abandoned because they accepted nothing.
    pub abandoned_endpoints: u64,
    /// Events of abandoned endpoints, which were dropped.
    pub late_events: u64,
}

/// The way to one endpoint.
#[derive(Debug)]
struct Line<M> {
    mailbox: M,
    /// True if the branch knows the endpoint.
    is_open: bool,
    /// True if the branch has abandoned the endpoint, and does not know it any more.
    is_abandoned: bool,
    /// True if the host itself has sent its last message to the endpoint.
    has_left: bool,
}

/// A branch whose endpoints do not accept what it has to say.
#[derive(Clone, Copy, Debug)]
struct Congestion {
    /// The fewest packets that were queued for the endpoint with the longest queue.
    queued: usize,
    /// Time at which that was.
    since: Instant,
}

impl<M: Mailbox<ToEndpoint>> BranchHost<M> {
    /// The host of the branch that endpoints know as `id`.
    pub fn new(id: BranchId) -> Self {
        Self {
            id,
            endpoints: BTreeMap::new(),
            budget: TurnBudget::default(),
            congestion: None,
            closing: None,
            last_closed: None,
            events: VecDeque::new(),
            stats: BranchHostStats::default(),
        }
    }

    /// Adds an endpoint that is about to serve the branch. A closing branch leaves it at once.
    pub fn attach(&mut self, endpoint: EndpointId, mailbox: M) {
        self.budget.spend(0);
        let mut line = Line { mailbox, is_open: false, is_abandoned: false, has_left: false };
        if self.closing.is_some() {
            line.leave(self.id, DisconnectReason::Closed, Farewell::Drain);
        }
        self.endpoints.insert(endpoint, line);
    }

    /// Hands a message of an endpoint to the branch. Events of an endpoint that the branch has
    /// abandoned are dropped: its connections are about to end, and nothing can be sent to them.
    pub fn handle_input(
        &mut self,
        branch: &mut impl HostedBranch,
        now: Instant,
        message: ToBranch,
    ) {
        let mut packets = 0;
        match &message {
            ToBranch::Opened(endpoint, _) => {
                if let Some(line) = self.endpoints.get_mut(endpoint) {
                    line.is_open = true;
                }
            }
            ToBranch::Events(endpoint, events) => {
                packets = events.len();
                if self.endpoints.get(endpoint).is_some_and(|line| line.is_abandoned) {
                    self.stats.late_events += packets as u64;
                    return;
                }
            }
            ToBranch::Closed(endpoint, reason) => {
                let known = self.endpoints.remove(endpoint);
                self.last_closed = known.map(|_| *reason).or(self.last_closed);
            }
            _ => {}
        }
        self.budget.spend(packets);
        branch.handle_input(now, message);
    }

    /// Notes that the branch was used outside its turn, by a call of the program's: a turn has to
    /// follow.
    pub fn note_call(&mut self) {
        self.budget.spend(0);
    }

    /// Ends the branch in an orderly way: its connections deliver what was accepted, its endpoints
    /// close, then it has ended. Takes no longer than [`CLOSE_TIMEOUT`].
    pub fn close(&mut self, branch: &mut impl HostedBranch, now: Instant) {
        self.budget.spend(0);
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(now + CLOSE_TIMEOUT);
        branch.close(DisconnectReason::Closed, Farewell::Drain);
        for line in self.endpoints.values_mut().filter(|line| !line.is_open) {
            line.leave(self.id, DisconnectReason::Closed, Farewell::Drain);
        }
    }

    /// Notifies the endpoints of the branch's end, however it came about. They deliver what they
    /// have accepted.
    pub fn leave_all(&mut self, reason: DisconnectReason) {
        for line in self.endpoints.values_mut() {
            line.leave(self.id, reason, Farewell::Drain);
        }
    }

    /// Returns whether there was input since the last turn.
    pub fn has_input(&self) -> bool {
        self.budget.is_touched()
    }

    /// Returns whether the turn comes before more input. Of two machines that send to each other
    /// only one may ever be [congested](Self::is_congested), or they would wait for each other.
    pub fn needs_turn(&self, branch: &impl HostedBranch, now: Instant) -> bool {
        self.budget.is_spent() || self.is_congested(branch, now)
    }

    /// Returns whether so much is queued for an endpoint that the branch takes nothing in, for
    /// [`STALL_TIMEOUT`] at most.
    pub fn is_congested(&self, branch: &impl HostedBranch, now: Instant) -> bool {
        match self.congestion {
            Some(congestion) => now - congestion.since < STALL_TIMEOUT,
            None => branch.queued_packets() >= QUEUED_PACKETS_HIGH,
        }
    }

    /// Ends the turn and delivers. Returns when the next turn is due without input, or breaks when
    /// the branch has ended.
    pub fn turn(
        &mut self,
        branch: &mut impl HostedBranch,
        now: Instant,
    ) -> ControlFlow<BranchEnd, Option<Instant>> {
        self.budget.renew();
        branch.end_turn(now);
        self.deliver(branch);
        self.note_congestion(branch.queued_packets(), now);
        if let Some(end) = self.end(now) {
            return ControlFlow::Break(end);
        }
        let retry = branch.is_blocked().then(|| now + DELIVERY_RETRY);
        let due = [branch.poll_timeout(), retry, self.closing];
        ControlFlow::Continue(due.into_iter().flatten().min())
    }

    /// Takes the oldest event: at most one for each endpoint.
    pub fn next_event(&mut self) -> Option<HostEvent> {
        self.events.pop_front()
    }

    /// The mailbox of an endpoint that has not closed.
    pub fn mailbox(&self, endpoint: EndpointId) -> Option<&M> {
        self.endpoints.get(&endpoint).map(|line| &line.mailbox)
    }

    /// Returns whether it was [closed](Self::close).
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Counters.
    pub fn stats(&self) -> BranchHostStats {
        self.stats
    }

    fn deliver(&mut self, branch: &mut impl HostedBranch) {
        let endpoints = &self.endpoints;
        branch.deliver(&mut |endpoint, message| {
            let Some(line) = endpoints.get(&endpoint) else { return Ok(()) };
            match line.mailbox.try_send(message) {
                Err(TrySendError::Full(message)) => Err(message),
                // One that has ended reports it itself.
                Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            }
        });
        self.stats.blocked_turns += u64::from(branch.is_blocked());
        while let Some(endpoint) = branch.next_abandoned() {
            let Some(line) = self.endpoints.get_mut(&endpoint) else { continue };
            line.is_abandoned = true;
            line.leave(self.id, DisconnectReason::QueueFull, Farewell::Abrupt);
            self.events.push_back(HostEvent::EndpointAbandoned(endpoint));
            self.stats.abandoned_endpoints += 1;
        }
    }

    fn note_congestion(&mut self, queued: usize, now: Instant) {
        self.congestion = match self.congestion {
            _ if queued < QUEUED_PACKETS_HIGH => None,
            Some(congestion) if queued >= congestion.queued => Some(congestion),
            _ => Some(Congestion { queued, since: now }),
        };
    }

    fn end(&self, now: Instant) -> Option<BranchEnd> {
        match self.closing {
            Some(_) if self.endpoints.is_empty() => Some(BranchEnd::Closed),
            Some(deadline) => (now >= deadline).then_some(BranchEnd::TimedOut),
            None if self.endpoints.is_empty() => self.last_closed.map(BranchEnd::Disconnected),
            None => None,
        }
    }
}

impl<M: Mailbox<ToEndpoint>> Line<M> {
    fn leave(&mut self, branch: BranchId, reason: DisconnectReason, farewell: Farewell) {
        if !std::mem::replace(&mut self.has_left, true) {
            self.mailbox.send_last(ToEndpoint::Leave { branch, reason, farewell });
        }
    }
}
