//! [`EndpointActor`]: the one shell for every transport.

use std::ops::ControlFlow;
use std::task::{self, Poll};

use actix::prelude::*;
use mp_core::{BranchId, Endpoint, EndpointId, EndpointStats, Instant, MultiplayerPeer, Readiness};
use mp_host::EndpointHost;
use tokio::sync::watch;

use crate::error::CallError;
use crate::guarded_log::log_guarded;
use crate::home::Home;
use crate::mail::{AskEndpoint, AskLink, BranchMail, BranchMailbox, EndpointMail};
use crate::turn::{Pace, Turns, drive, took_input};

/// Runs an [`Endpoint`] and its host. It lives on the thread on which its transport was made, and
/// ends with it.
///
/// It holds its branches by addresses that are kept: an address made anew (from a weak one) may always put one message
/// more into a full mailbox, so that the bound would hold nothing.
pub(crate) struct EndpointActor<P: MultiplayerPeer + Unpin + 'static> {
    id: EndpointId,
    endpoint: Endpoint<P>,
    host: EndpointHost<BranchMailbox>,
    pace: Pace,
    /// Tells the branch's handles, when it is dropped, that this endpoint has ended.
    _presence: watch::Receiver<()>,
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
        presence: watch::Receiver<()>,
    ) -> Addr<Self> {
        let mut endpoint = Endpoint::new(id, peer, branch);
        let mut host = EndpointHost::new();
        host.serve(&mut endpoint, branch, BranchMailbox(mail));
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(mailbox);
            Self { id, endpoint, host, pace: Pace::new(), _presence: presence, _home: home }
        })
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
        if self.endpoint.is_finished() || self.endpoint.peer().readiness() != Readiness::Wakes {
            return Poll::Pending;
        }
        self.endpoint.peer_mut().poll_ready(cx)
    }
}

impl<P: MultiplayerPeer + Unpin + 'static> Handler<EndpointMail> for EndpointActor<P> {
    type Result = ();

    fn handle(&mut self, EndpointMail(message): EndpointMail, ctx: &mut Context<Self>) {
        #[cfg(debug_assertions)]
        let _turn = crate::watchdog::Turn::begin();
        self.host.handle_input(&mut self.endpoint, self.pace.now(), message);
        took_input(self, ctx);
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
        if self.host.abort(self.id) {
            log_guarded(|| {
                tracing::error!(endpoint = self.id.0, "an endpoint ended without a goodbye");
            });
        }
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
