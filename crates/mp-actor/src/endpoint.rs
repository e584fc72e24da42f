//! [`EndpointActor`]: runs an endpoint with any transport.

use std::ops::ControlFlow;
use std::task::{self, Poll};

use actix::prelude::*;
use mp_core::{BranchId, Endpoint, EndpointId, EndpointStats, Instant, MultiplayerPeer, Readiness};
use mp_host::EndpointHost;
use tokio::sync::watch;

use crate::arbiter_guard::ArbiterGuard;
use crate::error::CallError;
use crate::guarded_log::log_guarded;
use crate::mail::{BranchMail, BranchMailbox, EndpointMail, GetConnectionStats, GetEndpointStats};
use crate::turn::{TurnActor, TurnTimer, after_input, run_turns};

/// The actor that runs an [`Endpoint`] and its host, on the thread on which the transport was
/// created.
///
/// It keeps the addresses of its branches. A new address (from a weak one) may always put one more
/// message into a full mailbox, so creating one per message would defeat the mailbox's limit.
pub(crate) struct EndpointActor<P: MultiplayerPeer + Unpin + 'static> {
    id: EndpointId,
    endpoint: Endpoint<P>,
    host: EndpointHost<BranchMailbox>,
    timer: TurnTimer,
    /// Notifies the branch's handles of the end of this endpoint by being dropped.
    _alive: watch::Receiver<()>,
    /// Dropped last: it may end the thread.
    _guard: ArbiterGuard,
}

impl<P: MultiplayerPeer + Unpin + 'static> EndpointActor<P> {
    /// Starts an endpoint around `peer` that serves `branch`.
    pub(crate) fn start(
        id: EndpointId,
        peer: P,
        branch: BranchId,
        mail: Recipient<BranchMail>,
        mailbox: usize,
        guard: ArbiterGuard,
        alive: watch::Receiver<()>,
    ) -> Addr<Self> {
        let mut endpoint = Endpoint::new(id, peer, branch);
        let mut host = EndpointHost::new();
        host.serve(&mut endpoint, branch, BranchMailbox(mail));
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(mailbox);
            Self { id, endpoint, host, timer: TurnTimer::new(), _alive: alive, _guard: guard }
        })
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Actor for EndpointActor<P> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        log_guarded(|| tracing::debug!(endpoint = self.id.0, "endpoint started"));
        run_turns(ctx);
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> TurnActor for EndpointActor<P> {
    fn timer(&mut self) -> &mut TurnTimer {
        &mut self.timer
    }

    fn turn(&mut self, now: Instant, ctx: &mut Context<Self>) -> Option<Instant> {
        match self.host.turn(&mut self.endpoint, now) {
            ControlFlow::Continue(next) => next,
            ControlFlow::Break(()) => {
                ctx.stop();
                log_guarded(|| tracing::debug!(endpoint = self.id.0, "endpoint ended"));
                None
            }
        }
    }

    fn has_input(&self) -> bool {
        self.host.has_input()
    }

    fn needs_turn(&self) -> bool {
        self.host.needs_turn()
    }

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        if self.endpoint.is_finished() || self.endpoint.peer().readiness() != Readiness::Waker {
            return Poll::Pending;
        }
        self.endpoint.peer_mut().poll_ready(cx)
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Handler<EndpointMail> for EndpointActor<P> {
    type Result = ();

    fn handle(&mut self, EndpointMail(branch, message): EndpointMail, ctx: &mut Context<Self>) {
        #[cfg(debug_assertions)]
        let _turn = crate::watchdog::Turn::begin();
        self.host.handle_input(&mut self.endpoint, self.timer.now(), branch, message);
        after_input(self, ctx);
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Handler<GetConnectionStats> for EndpointActor<P> {
    type Result = MessageResult<GetConnectionStats>;

    fn handle(
        &mut self,
        GetConnectionStats(connection): GetConnectionStats,
        _: &mut Context<Self>,
    ) -> Self::Result {
        MessageResult(self.endpoint.connection_stats(connection))
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Handler<GetEndpointStats> for EndpointActor<P> {
    type Result = MessageResult<GetEndpointStats>;

    fn handle(&mut self, _: GetEndpointStats, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.endpoint.stats())
    }
}

/// Notifies the branches if the actor ends by a panic or with its thread.
impl<P: MultiplayerPeer + Unpin + 'static> Drop for EndpointActor<P> {
    fn drop(&mut self) {
        if self.host.abort(self.id) {
            log_guarded(|| {
                tracing::error!(
                    endpoint = self.id.0,
                    "endpoint ended without closing its connections"
                );
            });
        }
    }
}

/// A handle to an endpoint. It does not keep the endpoint alive.
#[derive(Clone, Debug)]
pub struct EndpointRef {
    pub(crate) id: EndpointId,
    pub(crate) ask: Recipient<GetEndpointStats>,
}

impl EndpointRef {
    /// Returns the endpoint's id.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// Returns the endpoint's statistics.
    ///
    /// # Errors
    ///
    /// [`CallError::Ended`].
    pub async fn stats(&self) -> Result<EndpointStats, CallError> {
        self.ask.send(GetEndpointStats).await.map_err(|_| CallError::Ended)
    }
}
