//! [`EndpointActor`]: runs an endpoint with any transport.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::task::{self, Poll};

use actix::prelude::*;
use mp_core::{
    BranchId, ConnectionRouter, DisconnectReason, Endpoint, EndpointId, EndpointStats, Instant,
    MultiplayerPeer, Readiness, Route,
};
use mp_host::EndpointHost;
use tokio::sync::watch;

use crate::arbiter_guard::ArbiterGuard;
use crate::branch_ref::BranchCaller;
use crate::error::CallError;
use crate::guarded_log::log_guarded;
use crate::mail::{
    Assign, Attach, BranchMailbox, CloseEndpoint, Decide, DisconnectAddresses,
    DisconnectConnection, EndpointMail, EndpointMailbox, GetConnectionStats, GetEndpointStats,
    Redirect, RefuseConnections, Serve, ServeRemote, SetReceiveLimits, control,
};
use crate::stats::{EndpointReporter, SharedSnapshot};
use crate::turn::{TurnActor, TurnTimer, after_input, run_turns};

/// The actor that runs an [`Endpoint`] and its host, on the thread on which the transport was
/// created.
///
/// It keeps the addresses of its branches. A new address (from a weak one) may always put one more
/// message into a full mailbox, so creating one per message would defeat the mailbox's limit.
pub(crate) struct EndpointActor<P, R = BranchId>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    id: EndpointId,
    endpoint: Endpoint<P, R>,
    host: EndpointHost<BranchMailbox>,
    timer: TurnTimer,
    /// `None` for the endpoint of one branch.
    reporter: Option<EndpointReporter>,
    /// A receiver per served branch. It notifies the branch's handles, by being dropped,
    /// that the endpoint has disconnected the branch's peers. `None` for a branch of another
    /// process.
    alive: BTreeMap<BranchId, Option<watch::Receiver<()>>>,
    /// Notifies the handles of a shared endpoint of its end, by being dropped.
    _ended: Option<watch::Sender<()>>,
    /// Dropped last: it may end the thread.
    _guard: ArbiterGuard,
}

/// The use of an endpoint.
pub(crate) enum EndpointUse<'a> {
    /// By one branch.
    Of(&'a BranchCaller),
    /// By branches that come and go. Dropping the sender reports the endpoint's end. Statistics are
    /// published in the snapshot.
    Shared(watch::Sender<()>, SharedSnapshot),
}

impl<P, R> EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    /// Starts an endpoint.
    pub(crate) fn start(
        id: EndpointId,
        endpoint: Endpoint<P, R>,
        used: EndpointUse<'_>,
        mailbox: usize,
        guard: ArbiterGuard,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(mailbox);
            let (branch, ended, reporter) = match used {
                EndpointUse::Of(branch) => (Some(branch), None, None),
                EndpointUse::Shared(ended, snapshot) => {
                    (None, Some(ended), Some(EndpointReporter::new(snapshot)))
                }
            };
            let (host, timer, alive) = (EndpointHost::new(), TurnTimer::new(), BTreeMap::new());
            let mut actor =
                Self { id, endpoint, host, timer, reporter, alive, _ended: ended, _guard: guard };
            if let Some(branch) = branch {
                actor.serve(branch, ctx);
            }
            actor
        })
    }

    pub(crate) fn endpoint_mut(&mut self) -> &mut Endpoint<P, R> {
        &mut self.endpoint
    }

    fn serve(&mut self, branch: &BranchCaller, ctx: &Context<Self>) {
        let id = branch.id();
        if self.endpoint.serves(id) || self.endpoint.is_finished() {
            return;
        }
        let (mail, connection_stats) = (ctx.address().recipient(), ctx.address().recipient());
        let serve = ctx.address().recipient();
        let mailbox = EndpointMailbox::Actor { branch: id, mail, connection_stats, serve };
        // `Attach` is in the branch's mailbox before the endpoint's first message.
        let attach = Attach { endpoint: self.id, mailbox, is_restored: false };
        control(branch.address(), attach);
        self.alive.insert(id, Some(branch.alive()));
        let mailbox = BranchMailbox::Actor(branch.address().clone().recipient());
        self.host.serve(&mut self.endpoint, id, mailbox);
        self.endpoint.set_branch_rate(id, branch.rate());
    }
}

impl<P, R> Actor for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        log_guarded(|| tracing::debug!(endpoint = self.id.0, "endpoint started"));
        run_turns(ctx);
    }
}

impl<P, R> TurnActor for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    fn timer(&mut self) -> &mut TurnTimer {
        &mut self.timer
    }

    fn turn(&mut self, now: Instant, ctx: &mut Context<Self>) -> Option<Instant> {
        let turned = self.host.turn(&mut self.endpoint, now);
        let report = match &mut self.reporter {
            Some(reporter) => reporter.end_turn(&self.endpoint, now, self.timer.now()),
            None => None,
        };
        if self.alive.len() > self.endpoint.served() {
            self.alive.retain(|&branch, _| self.endpoint.serves(branch));
        }
        match turned {
            ControlFlow::Continue(next) => next.into_iter().chain(report).min(),
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

impl<P, R> Handler<EndpointMail> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(&mut self, EndpointMail(branch, message): EndpointMail, ctx: &mut Context<Self>) {
        #[cfg(debug_assertions)]
        let _turn = crate::watchdog::Turn::begin();
        let now = self.timer.now();
        if let Some(reporter) = &mut self.reporter {
            reporter.begin_input(now);
        }
        self.host.handle_input(&mut self.endpoint, now, branch, message);
        after_input(self, ctx);
    }
}

impl<P, R> Handler<GetConnectionStats> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = MessageResult<GetConnectionStats>;

    fn handle(
        &mut self,
        GetConnectionStats(connections): GetConnectionStats,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let stats = connections.into_iter().map(|it| self.endpoint.connection_stats(it));
        MessageResult(stats.collect())
    }
}

impl<P, R> Handler<GetEndpointStats> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = MessageResult<GetEndpointStats>;

    fn handle(&mut self, _: GetEndpointStats, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.endpoint.stats())
    }
}

impl<P, R> Handler<Serve> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(&mut self, Serve(branch): Serve, ctx: &mut Context<Self>) {
        self.serve(&branch, ctx);
        self.host.record_call();
        after_input(self, ctx);
    }
}

impl<P, R> Handler<ServeRemote> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = MessageResult<ServeRemote>;

    fn handle(
        &mut self,
        ServeRemote(branch, mailbox): ServeRemote,
        ctx: &mut Context<Self>,
    ) -> Self::Result {
        if !self.endpoint.is_finished() {
            self.alive.insert(branch, None);
            self.host.serve(&mut self.endpoint, branch, mailbox);
        }
        self.host.record_call();
        after_input(self, ctx);
        MessageResult(ctx.address().recipient())
    }
}

impl<P, R> Handler<Redirect> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = MessageResult<Redirect>;

    fn handle(
        &mut self,
        Redirect(branch, mailbox): Redirect,
        ctx: &mut Context<Self>,
    ) -> Self::Result {
        let is_redirected = self.host.redirect(branch, mailbox);
        if is_redirected {
            self.alive.insert(branch, None);
        }
        self.host.record_call();
        after_input(self, ctx);
        MessageResult(is_redirected.then(|| ctx.address().recipient()))
    }
}

impl<P, R> Handler<Assign> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(&mut self, assign: Assign, ctx: &mut Context<Self>) {
        let Assign { connection, branch, resumed } = assign;
        self.serve(&branch, ctx);
        let decision = match (branch.authenticates(), resumed) {
            (_, Some(peer)) => Route::Resume(branch.id(), peer),
            (true, None) => Route::Branch(branch.id()),
            (false, None) => Route::Admit(branch.id()),
        };
        self.endpoint.decide(connection, decision);
        self.host.record_call();
        after_input(self, ctx);
    }
}

impl<P, R> Handler<RefuseConnections> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(&mut self, RefuseConnections(refuse): RefuseConnections, _: &mut Context<Self>) {
        self.endpoint.peer_mut().set_refuse_new_connections(refuse);
    }
}

impl<P, R> Handler<SetReceiveLimits> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(&mut self, SetReceiveLimits(limits): SetReceiveLimits, _: &mut Context<Self>) {
        self.endpoint.set_receive_limits(limits);
    }
}

impl<P, R> Handler<DisconnectAddresses> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = usize;

    fn handle(
        &mut self,
        DisconnectAddresses(prefix): DisconnectAddresses,
        ctx: &mut Context<Self>,
    ) -> usize {
        let (now, reason) = (self.timer.now(), DisconnectReason::Kicked);
        let disconnected = self.endpoint.disconnect_addresses(now, prefix, reason);
        self.host.record_call();
        after_input(self, ctx);
        disconnected
    }
}

impl<P, R> Handler<DisconnectConnection> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(
        &mut self,
        DisconnectConnection(connection, request): DisconnectConnection,
        ctx: &mut Context<Self>,
    ) {
        self.endpoint.disconnect(self.timer.now(), connection, request);
        self.host.record_call();
        after_input(self, ctx);
    }
}

impl<P, R> Handler<Decide> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(&mut self, Decide(connection, route): Decide, ctx: &mut Context<Self>) {
        self.endpoint.decide(connection, route);
        self.host.record_call();
        after_input(self, ctx);
    }
}

impl<P, R> Handler<CloseEndpoint> for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
    type Result = ();

    fn handle(&mut self, _: CloseEndpoint, ctx: &mut Context<Self>) {
        self.endpoint.close(self.timer.now(), DisconnectReason::Closed);
        self.host.record_call();
        after_input(self, ctx);
    }
}

/// Notifies the branches if the actor ends by a panic or with its thread.
impl<P, R> Drop for EndpointActor<P, R>
where
    P: MultiplayerPeer + Unpin + 'static,
    R: ConnectionRouter + Unpin + 'static,
{
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
