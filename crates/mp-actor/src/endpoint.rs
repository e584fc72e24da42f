//! [`EndpointActor`]: the one shell for every transport.

use std::collections::BTreeMap;
use std::task::{self, Poll};

use actix::dev::SendError;
use actix::prelude::*;
use mp_core::{
    BranchId, DisconnectReason, Endpoint, EndpointId, EndpointStats, Farewell, Instant,
    MultiplayerPeer, Readiness, StateMachine, ToBranch, ToEndpoint,
};

use crate::error::CallError;
use crate::guarded_log::log_guarded;
use crate::home::Home;
use crate::limits::DELIVERY_RETRY;
use crate::mail::{AskEndpoint, AskLink, BranchMail, EndpointMail, control_to};
use crate::turn::{Pace, Turns, drive, took_input};

/// Hosts an [`Endpoint`]. It lives on the thread on which its transport was made, and ends with it.
///
/// It holds its branches by addresses that are kept: an address made anew (from a weak one) may always put one message
/// more into a full mailbox, so that the bound would hold nothing.
pub(crate) struct EndpointActor<P: MultiplayerPeer + Unpin + 'static> {
    id: EndpointId,
    endpoint: Endpoint<P>,
    branches: BTreeMap<BranchId, Recipient<BranchMail>>,
    pace: Pace,
    /// Whether its branches know that it has ended.
    said_goodbye: bool,
    /// Dropped last: it may end the thread.
    _home: Home,
}

impl<P: MultiplayerPeer + Unpin + 'static> EndpointActor<P> {
    /// An endpoint around `peer` that serves `branch`.
    pub(crate) fn start(
        id: EndpointId,
        peer: P,
        branch: BranchId,
        mail: Recipient<BranchMail>,
        mailbox: usize,
        home: Home,
    ) -> Addr<Self> {
        let mut endpoint = Endpoint::new(id, peer, branch);
        endpoint.serve(branch);
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(mailbox);
            Self {
                id,
                endpoint,
                branches: BTreeMap::from([(branch, mail)]),
                pace: Pace::new(),
                said_goodbye: false,
                _home: home,
            }
        })
    }

    /// Returns when to go on: a full mailbox is tried again, and a branch that has gone is to be left.
    fn deliver(&mut self, now: Instant) -> Option<Instant> {
        let mut again = None;
        let mut gone = Vec::new();
        let branches = &self.branches;
        self.endpoint.deliver(&mut |branch, message| {
            let Some(mail) = branches.get(&branch) else { return Ok(()) };
            match mail.try_send(BranchMail(message)) {
                Ok(()) => Ok(()),
                Err(SendError::Full(BranchMail(message))) => {
                    again = Some(now + DELIVERY_RETRY);
                    Err(message)
                }
                Err(SendError::Closed(_)) => {
                    gone.push(branch);
                    Ok(())
                }
            }
        });
        for branch in gone {
            // It ended before it knew of this endpoint, or it would have said so.
            if self.branches.remove(&branch).is_some() {
                let (reason, farewell) = (DisconnectReason::Closed, Farewell::Drain);
                self.endpoint.handle_input(now, ToEndpoint::Leave { branch, reason, farewell });
                again = Some(now);
            }
        }
        again
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Actor for EndpointActor<P> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        log_guarded(|| tracing::debug!(endpoint = self.id.0, "endpoint started"));
        drive(ctx);
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Turns for EndpointActor<P> {
    fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    fn turn(&mut self, now: Instant, ctx: &mut Context<Self>) -> Option<Instant> {
        self.endpoint.end_turn(now);
        let again = self.deliver(now);
        if self.endpoint.is_finished() && !self.endpoint.has_output() {
            self.said_goodbye = true;
            ctx.stop();
            log_guarded(|| tracing::debug!(endpoint = self.id.0, "endpoint ended"));
            return None;
        }
        let interval = match self.endpoint.peer().readiness() {
            Readiness::Interval(interval) if !self.endpoint.is_finished() => Some(now + interval),
            _ => None,
        };
        [self.endpoint.poll_timeout(), again, interval].into_iter().flatten().min()
    }

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        if self.endpoint.is_finished() || self.endpoint.peer().readiness() != Readiness::Wakes {
            return Poll::Pending;
        }
        self.endpoint.peer_mut().poll_ready(cx)
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Handler<EndpointMail> for EndpointActor<P> {
    type Result = ();

    fn handle(&mut self, EndpointMail(message): EndpointMail, ctx: &mut Context<Self>) {
        let packets = match &message {
            ToEndpoint::Send(packets) => packets.iter().map(|it| it.to.as_slice().len()).sum(),
            _ => 0,
        };
        #[cfg(debug_assertions)]
        let _turn = crate::watchdog::Turn::begin();
        self.endpoint.handle_input(self.pace.now(), message);
        took_input(self, ctx, packets);
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Handler<AskLink> for EndpointActor<P> {
    type Result = MessageResult<AskLink>;

    fn handle(&mut self, AskLink(connection): AskLink, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.endpoint.connection_stats(connection))
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Handler<AskEndpoint> for EndpointActor<P> {
    type Result = MessageResult<AskEndpoint>;

    fn handle(&mut self, _: AskEndpoint, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.endpoint.stats())
    }
}

/// However it ends, by a panic or with its thread, its branches learn it.
impl<P: MultiplayerPeer + Unpin + 'static> Drop for EndpointActor<P> {
    fn drop(&mut self) {
        if self.said_goodbye {
            return;
        }
        for mail in self.branches.values() {
            control_to(mail, BranchMail(ToBranch::Closed(self.id, DisconnectReason::Closed)));
        }
        log_guarded(|| {
            tracing::error!(endpoint = self.id.0, "an endpoint ended without a goodbye");
        });
    }
}

/// Addresses an endpoint. It does not keep the endpoint alive.
#[derive(Clone, Debug)]
pub struct EndpointRef {
    pub(crate) id: EndpointId,
    pub(crate) ask: Recipient<AskEndpoint>,
}

impl EndpointRef {
    /// Its number.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// Its counters.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn stats(&self) -> Result<EndpointStats, CallError> {
        self.ask.send(AskEndpoint).await.map_err(|_| CallError::Ended)
    }
}
