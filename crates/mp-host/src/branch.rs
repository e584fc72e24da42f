//! The host of a branch.
#![expect(clippy::exhaustive_enums, reason = "an actor must handle each end")]

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use mp_core::{
    CloseMode, DisconnectReason, EndpointId, Instant, RunningClock, StateMachine, ToBranch,
    ToEndpoint,
};

use crate::budget::TurnBudget;
use crate::limits::{CLOSE_TIMEOUT, DELIVERY_RETRY, QUEUED_PACKETS_HIGH, STALL_TIMEOUT};
use crate::mailbox::{Mailbox, TrySendError};

/// A branch as its host uses it: `mp_scene::Branch`, or a wrapper, for example one that records the
/// input.
pub trait HostedBranch:
    StateMachine<Input = ToBranch, Output = ToEndpoint, Destination = EndpointId>
{
    /// Leaves all endpoints of the branch, after the messages queued for them.
    fn close(&mut self, reason: DisconnectReason, close_mode: CloseMode);

    /// Returns the number of packets queued for the endpoint with the longest queue.
    fn queued_packets(&self) -> usize;

    /// Returns whether an endpoint's mailbox was full at the last delivery.
    fn is_blocked(&self) -> bool;

    /// Removes and returns the next endpoint that the branch has abandoned, with its peers, because
    /// the endpoint accepted nothing.
    fn next_abandoned(&mut self) -> Option<EndpointId>;

    /// Returns the state of the branch between two turns, from which an equal branch sends the same
    /// output for the same input. `None` if it has none, or not now: for example while packets
    /// are queued. Default: `None`.
    fn checkpoint(&self) -> Option<Vec<u8>> {
        None
    }

    /// Restores a [`checkpoint`](Self::checkpoint), which may be any bytes. The branch must be new.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`]; the branch must not be used then. By default it fails.
    fn restore_checkpoint(&mut self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        let _ = checkpoint;
        Err(CheckpointError("this branch has no checkpoints"))
    }
}

/// The reason why a [checkpoint](HostedBranch::checkpoint) cannot be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "state machines construct it")]
pub struct CheckpointError(pub &'static str);

impl std::fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot restore the state of the branch: {}", self.0)
    }
}

impl std::error::Error for CheckpointError {}

/// The host of a branch, which runs it between its mailbox and those of its endpoints.
#[derive(Debug)]
pub struct BranchHost<M> {
    endpoints: BTreeMap<EndpointId, EndpointHandle<M>>,
    budget: TurnBudget,
    /// Clock of `congestion` and `closing`. Time in which the process did not run does not count
    /// against endpoints: they did not run either.
    clock: RunningClock,
    /// Set while every turn leaves at least [`QUEUED_PACKETS_HIGH`] packets queued.
    congestion: Option<Congestion>,
    /// Time until which a closing branch waits for its endpoints, by `clock`.
    closing: Option<Instant>,
    /// Reason of the last `Closed` of an endpoint.
    last_closed: Option<DisconnectReason>,
    events: VecDeque<HostEvent>,
    stats: BranchHostStats,
}

/// An event of a branch host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostEvent {
    /// An endpoint accepted nothing and was abandoned. Its connections end when it runs again.
    EndpointAbandoned(EndpointId),
}

/// The way in which a branch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchEnd {
    /// The branch was closed, and all of its endpoints have closed.
    Closed,
    /// The branch was closed, and an endpoint did not respond within [`CLOSE_TIMEOUT`].
    TimedOut,
    /// The last endpoint closed by itself.
    Disconnected(DisconnectReason),
}

/// Statistics of the host of a branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchHostStats {
    /// Turns in which an endpoint's mailbox was full, so that messages were delayed.
    pub blocked_turns: u64,
    /// Endpoints that the branch abandoned because they accepted nothing.
    pub abandoned_endpoints: u64,
    /// Events of abandoned endpoints, which were dropped.
    pub late_events: u64,
}

/// An endpoint of the branch.
#[derive(Debug)]
struct EndpointHandle<M> {
    mailbox: M,
    /// True if the branch has received `Opened` from the endpoint.
    is_open: bool,
    /// True if the branch has abandoned the endpoint.
    is_abandoned: bool,
    /// True if the host has sent `Leave` to the endpoint.
    has_left: bool,
}

/// A branch whose endpoints do not accept its messages.
#[derive(Clone, Copy, Debug)]
struct Congestion {
    /// Minimum number of packets that were queued for the endpoint with the longest queue.
    queued: usize,
    /// Time of the minimum, by the host's clock.
    since: Instant,
}

impl<M: Mailbox<ToEndpoint>> BranchHost<M> {
    /// Returns the host of a branch without endpoints.
    pub fn new() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            budget: TurnBudget::default(),
            clock: RunningClock::default(),
            congestion: None,
            closing: None,
            last_closed: None,
            events: VecDeque::new(),
            stats: BranchHostStats::default(),
        }
    }

    /// Adds an endpoint that is about to serve the branch. A closing branch leaves the endpoint
    /// immediately.
    pub fn attach(&mut self, endpoint: EndpointId, mailbox: M) {
        self.budget.spend(0);
        let mut handle =
            EndpointHandle { mailbox, is_open: false, is_abandoned: false, has_left: false };
        if self.closing.is_some() {
            handle.leave(DisconnectReason::Closed, CloseMode::Drain);
        }
        self.endpoints.insert(endpoint, handle);
    }

    /// Adds an endpoint that serves the branch already, because the branch was restored with it. It
    /// does not send [`Opened`](ToBranch::Opened).
    pub fn attach_restored(&mut self, endpoint: EndpointId, mailbox: M) {
        self.attach(endpoint, mailbox);
        if let Some(handle) = self.endpoints.get_mut(&endpoint) {
            handle.is_open = true;
        }
    }

    /// Forgets the endpoints without leaving them, because a branch of another process goes on
    /// serving their connections.
    pub fn detach_all(&mut self) {
        self.endpoints.clear();
        // The branch ends when it is closed.
        self.last_closed = None;
    }

    /// Passes a message of an endpoint to the branch. Events of an abandoned endpoint are dropped:
    /// its connections are about to end, and nothing can be sent to them.
    pub fn handle_input(
        &mut self,
        branch: &mut impl HostedBranch,
        now: Instant,
        message: ToBranch,
    ) {
        let mut packets = 0;
        match &message {
            ToBranch::Opened(endpoint, _) => {
                if let Some(handle) = self.endpoints.get_mut(endpoint) {
                    handle.is_open = true;
                }
            }
            ToBranch::Events(endpoint, events) => {
                packets = events.len();
                if self.endpoints.get(endpoint).is_some_and(|handle| handle.is_abandoned) {
                    self.stats.late_events += packets as u64;
                    return;
                }
            }
            ToBranch::Closed(endpoint, reason) => {
                let removed = self.endpoints.remove(endpoint);
                self.last_closed = removed.map(|_| *reason).or(self.last_closed);
            }
            _ => {}
        }
        self.budget.spend(packets);
        branch.handle_input(now, message);
    }

    /// Records that the program called the branch outside its turn, so that a turn has to follow.
    pub fn record_call(&mut self) {
        self.budget.spend(0);
    }

    /// Closes the branch gracefully: its connections deliver accepted packets, its endpoints close,
    /// then the branch has ended. Takes at most [`CLOSE_TIMEOUT`].
    pub fn close(&mut self, branch: &mut impl HostedBranch, now: Instant) {
        self.budget.spend(0);
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(self.advance(now) + CLOSE_TIMEOUT);
        branch.close(DisconnectReason::Closed, CloseMode::Drain);
        for handle in self.endpoints.values_mut().filter(|handle| !handle.is_open) {
            handle.leave(DisconnectReason::Closed, CloseMode::Drain);
        }
    }

    /// Notifies the endpoints that the branch has ended for any reason. They deliver the packets
    /// that they have accepted.
    pub fn leave_all(&mut self, reason: DisconnectReason) {
        for handle in self.endpoints.values_mut() {
            handle.leave(reason, CloseMode::Drain);
        }
    }

    /// Returns whether there was input since the last turn.
    pub fn has_input(&self) -> bool {
        self.budget.is_touched()
    }

    /// Returns whether a turn has to run before more input is handled. Of two state machines that
    /// send to each other, only one may wait while [congested](Self::is_congested); otherwise they
    /// could deadlock.
    pub fn needs_turn(&self, branch: &impl HostedBranch, now: Instant) -> bool {
        self.budget.is_spent() || self.is_congested(branch, now)
    }

    /// Returns whether so many packets are queued for an endpoint that the branch handles no input,
    /// for at most [`STALL_TIMEOUT`].
    pub fn is_congested(&self, branch: &impl HostedBranch, now: Instant) -> bool {
        match self.congestion {
            Some(congestion) => {
                self.clock.peek(now, || self.due()) - congestion.since < STALL_TIMEOUT
            }
            None => branch.queued_packets() >= QUEUED_PACKETS_HIGH,
        }
    }

    /// Ends the turn and delivers the output. Returns the time of the next turn if there is no
    /// input before, or breaks when the branch has ended.
    pub fn turn(
        &mut self,
        branch: &mut impl HostedBranch,
        now: Instant,
    ) -> ControlFlow<BranchEnd, Option<Instant>> {
        self.budget.renew();
        branch.end_turn(now);
        self.deliver(branch);
        let time = self.advance(now);
        self.note_congestion(branch.queued_packets(), time);
        if let Some(end) = self.end(time) {
            return ControlFlow::Break(end);
        }
        let retry = branch.is_blocked().then(|| now + DELIVERY_RETRY);
        let timeout = self.due().map(|due| self.clock.to_program(due));
        let due = [branch.poll_timeout(), retry, timeout];
        ControlFlow::Continue(due.into_iter().flatten().min())
    }

    /// Removes and returns the oldest event. There is at most one for each endpoint.
    pub fn next_event(&mut self) -> Option<HostEvent> {
        self.events.pop_front()
    }

    /// Returns the mailbox of an endpoint that has not closed.
    pub fn mailbox(&self, endpoint: EndpointId) -> Option<&M> {
        self.endpoints.get(&endpoint).map(|handle| &handle.mailbox)
    }

    /// Returns whether the branch was [closed](Self::close).
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Returns the statistics.
    pub fn stats(&self) -> BranchHostStats {
        self.stats
    }

    fn deliver(&mut self, branch: &mut impl HostedBranch) {
        let endpoints = &self.endpoints;
        branch.deliver(&mut |endpoint, message| {
            let Some(handle) = endpoints.get(&endpoint) else { return Ok(()) };
            match handle.mailbox.try_send(message) {
                Err(TrySendError::Full(message)) => Err(message),
                // An endpoint that has ended sends `Closed`.
                Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            }
        });
        self.stats.blocked_turns += u64::from(branch.is_blocked());
        while let Some(endpoint) = branch.next_abandoned() {
            let Some(handle) = self.endpoints.get_mut(&endpoint) else { continue };
            handle.is_abandoned = true;
            handle.leave(DisconnectReason::QueueFull, CloseMode::Immediate);
            self.events.push_back(HostEvent::EndpointAbandoned(endpoint));
            self.stats.abandoned_endpoints += 1;
        }
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let mut clock = self.clock;
        let now = clock.advance(now, || self.due());
        self.clock = clock;
        now
    }

    /// Returns the time by which the next turn is due while a timeout is pending, by the host's
    /// clock. A closing branch has a turn every second, so that a late one is detected.
    fn due(&self) -> Option<Instant> {
        let now = self.clock.now();
        let retry = self.congestion.map(|_| now + DELIVERY_RETRY);
        let close = self.closing.map(|deadline| deadline.min(now + RunningClock::STALL_MIN));
        retry.into_iter().chain(close).min()
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

impl<M: Mailbox<ToEndpoint>> Default for BranchHost<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Mailbox<ToEndpoint>> EndpointHandle<M> {
    fn leave(&mut self, reason: DisconnectReason, close_mode: CloseMode) {
        if !std::mem::replace(&mut self.has_left, true) {
            self.mailbox.send_unbounded(ToEndpoint::Leave { reason, close_mode });
        }
    }
}
