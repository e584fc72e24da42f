//! The host of an endpoint.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use mp_core::{
    BranchId, CloseMode, ConnectionRouter, DisconnectReason, Endpoint, EndpointId, Instant,
    MultiplayerPeer, Readiness, StateMachine, ToBranch, ToEndpoint,
};

use crate::budget::TurnBudget;
use crate::limits::DELIVERY_RETRY;
use crate::mailbox::{Mailbox, TrySendError};

/// An endpoint as its host uses it: [`Endpoint`], or a wrapper, for example one that records the
/// input.
pub trait HostedEndpoint:
    StateMachine<Input = (BranchId, ToEndpoint), Output = ToBranch, Destination = BranchId>
{
    /// Starts to serve `branch`.
    fn serve(&mut self, branch: BranchId);

    /// Returns whether the endpoint is closed. Queued output remains to be delivered.
    fn is_finished(&self) -> bool;

    /// Returns whether output is queued.
    fn has_output(&self) -> bool;

    /// Returns how the host learns that there is something to receive.
    fn readiness(&self) -> Readiness;
}

impl<P: MultiplayerPeer, R: ConnectionRouter> HostedEndpoint for Endpoint<P, R> {
    fn serve(&mut self, branch: BranchId) {
        Self::serve(self, branch);
    }

    fn is_finished(&self) -> bool {
        Self::is_finished(self)
    }

    fn has_output(&self) -> bool {
        Self::has_output(self)
    }

    fn readiness(&self) -> Readiness {
        self.peer().readiness()
    }
}

/// The host of an endpoint, which runs it between its transport and the mailboxes of its branches.
#[derive(Debug)]
pub struct EndpointHost<M> {
    /// The branches that have not received `Closed` yet.
    branches: BTreeMap<BranchId, M>,
    budget: TurnBudget,
}

impl<M: Mailbox<ToBranch>> EndpointHost<M> {
    /// Returns the host of an endpoint that serves no branch yet.
    pub fn new() -> Self {
        Self { branches: BTreeMap::new(), budget: TurnBudget::default() }
    }

    /// Makes `endpoint` serve `branch`, which receives its messages from `mailbox`.
    pub fn serve(&mut self, endpoint: &mut impl HostedEndpoint, branch: BranchId, mailbox: M) {
        self.branches.insert(branch, mailbox);
        endpoint.serve(branch);
    }

    /// Sends further messages for `branch` to another mailbox, because the branch moves to another
    /// process. Returns false, and drops the mailbox, if the endpoint does not serve the branch.
    pub fn redirect(&mut self, branch: BranchId, mailbox: M) -> bool {
        self.branches.get_mut(&branch).map(|current| *current = mailbox).is_some()
    }

    /// Passes a message of `branch` to the endpoint.
    pub fn handle_input(
        &mut self,
        endpoint: &mut impl HostedEndpoint,
        now: Instant,
        branch: BranchId,
        message: ToEndpoint,
    ) {
        let packets = match &message {
            ToEndpoint::Send(packets) => packets.iter().map(|it| it.to.as_slice().len()).sum(),
            _ => 0,
        };
        self.budget.spend(packets);
        endpoint.handle_input(now, (branch, message));
    }

    /// Records that the program called the endpoint outside its turn, so that a turn has to follow.
    pub fn record_call(&mut self) {
        self.budget.spend(0);
    }

    /// Returns whether there was input since the last turn.
    pub fn has_input(&self) -> bool {
        self.budget.is_touched()
    }

    /// Returns whether a turn has to run before more input is handled.
    pub fn needs_turn(&self) -> bool {
        self.budget.is_spent()
    }

    /// Ends the turn and delivers the output. Returns the time of the next turn if there is no
    /// input before, or breaks when the endpoint is closed and its branches have received `Closed`.
    pub fn turn(
        &mut self,
        endpoint: &mut impl HostedEndpoint,
        now: Instant,
    ) -> ControlFlow<(), Option<Instant>> {
        self.budget.renew();
        endpoint.end_turn(now);
        let has_ended_branch = self.deliver(endpoint, now);
        let retry = endpoint.has_output().then(|| now + DELIVERY_RETRY);
        if endpoint.is_finished() {
            return match retry {
                Some(_) => ControlFlow::Continue(retry),
                None => ControlFlow::Break(()),
            };
        }
        let immediately = has_ended_branch.then_some(now);
        let interval = match endpoint.readiness() {
            Readiness::Interval(interval) => Some(now + interval),
            Readiness::Waker => None,
        };
        let due = [endpoint.poll_timeout(), retry, immediately, interval];
        ControlFlow::Continue(due.into_iter().flatten().min())
    }

    /// Offers the endpoint's output to its branches. Returns whether one of them has ended without
    /// leaving; the endpoint then handles a `Leave` of it.
    pub fn deliver(&mut self, endpoint: &mut impl HostedEndpoint, now: Instant) -> bool {
        let branches = &mut self.branches;
        let mut ended = Vec::new();
        endpoint.deliver(&mut |branch, message| {
            // Output for a branch that has ended is dropped.
            let Some(mailbox) = branches.get(&branch) else { return Ok(()) };
            let mut is_last = matches!(message, ToBranch::Closed(..));
            match mailbox.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => return Err(message),
                Err(TrySendError::Closed(_)) => {
                    is_last = true;
                    ended.push(branch);
                }
            }
            if is_last {
                branches.remove(&branch);
            }
            Ok(())
        });
        for &branch in &ended {
            let (reason, close_mode) = (DisconnectReason::Closed, CloseMode::Drain);
            endpoint.handle_input(now, (branch, ToEndpoint::Leave { reason, close_mode }));
        }
        !ended.is_empty()
    }

    /// Sends `Closed` of the endpoint `id` to the branches that have not received it, because the
    /// endpoint panicked or its thread stops. Returns whether there were any.
    pub fn abort(&mut self, id: EndpointId) -> bool {
        let branches = std::mem::take(&mut self.branches);
        for mailbox in branches.values() {
            mailbox.send_unbounded(ToBranch::Closed(id, DisconnectReason::Closed));
        }
        !branches.is_empty()
    }
}

impl<M: Mailbox<ToBranch>> Default for EndpointHost<M> {
    fn default() -> Self {
        Self::new()
    }
}
