//! [`BranchActor`]: runs a [`Branch`].

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::prelude::*;
use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_host::{BranchEnd, BranchHost, Recorded};
use mp_scene::{Branch, BranchEvent, SceneMultiplayer, Signal};
use tracing::Span;

use crate::arbiter_guard::ArbiterGuard;
use crate::auth::Authenticators;
use crate::branch_ref::{BranchCaller, Shared};
use crate::channel_routes::{ChannelRoutes, split_header};
use crate::conditions::Conditions;
use crate::error::EndReason;
use crate::guarded_log::log_guarded;
use crate::mail::{Attach, BranchMail, Close, EndpointMailbox, GetConnectionStats, Serve};
use crate::peer_actors::PeerActors;
use crate::signals::Subscribers;
use crate::stats::BranchReporter;
use crate::turn::{TurnActor, TurnTimer, after_input, run_turns};

/// The actor that runs a [`Branch`] and its host. All code of the program runs inside
/// [`guarded`](Self::guarded), so that its panics end only this branch.
pub(crate) struct BranchActor {
    /// `None` after the branch has ended.
    branch: Option<Recorded<Branch>>,
    host: BranchHost<EndpointMailbox>,
    shared: Arc<Shared>,
    pub(crate) peers: PeerActors,
    pub(crate) subscribers: Subscribers,
    pub(crate) channels: ChannelRoutes,
    pub(crate) conditions: Conditions,
    timer: TurnTimer,
    /// `None` if the statistics of the branch are not collected.
    reporter: Option<BranchReporter>,
    /// The span of the branch in logs.
    span: Span,
    /// Dropped last: it may end the thread.
    guard: ArbiterGuard,
}

/// A closure that runs inside a branch's turn.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct BranchCall(pub(crate) Box<CallBody>);

pub(crate) type CallBody = dyn FnOnce(&mut BranchActor, &mut Context<BranchActor>) + Send;

impl BranchActor {
    pub(crate) fn start(
        branch: Recorded<Branch>,
        authenticators: Authenticators,
        shared: Arc<Shared>,
        reporter: Option<BranchReporter>,
        span: Span,
        guard: ArbiterGuard,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(shared.mailbox());
            Self {
                branch: Some(branch),
                host: BranchHost::new(),
                peers: PeerActors::new(Arc::clone(&shared), authenticators),
                shared,
                subscribers: Subscribers::default(),
                channels: ChannelRoutes::default(),
                conditions: Conditions::default(),
                timer: TurnTimer::new(),
                reporter,
                span,
                guard,
            }
        })
    }

    /// Runs code of the program. A panic ends the branch, since its state may be inconsistent.
    ///
    /// A policy to restart such a branch could start here; it would only need the branch's builder.
    pub(crate) fn guarded<R>(
        &mut self,
        ctx: &mut Context<Self>,
        run: impl FnOnce(&mut Recorded<Branch>, &mut BranchHost<EndpointMailbox>) -> R,
    ) -> Option<R> {
        #[cfg(debug_assertions)]
        let _turn = crate::watchdog::Turn::begin();
        let (branch, span) = (self.branch.as_mut()?, &self.span);
        let run = || span.in_scope(|| run(branch, &mut self.host));
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(result) => Some(result),
            Err(panic) => {
                self.end(EndReason::Panicked(panic_message(&*panic)));
                ctx.stop();
                None
            }
        }
    }

    /// Returns the connection to a peer and its endpoint; `None` for a peer behind the server or
    /// another process.
    pub(crate) fn connection(
        &mut self,
        peer: PeerId,
    ) -> Option<(EndpointId, Recipient<GetConnectionStats>, ConnectionId)> {
        let (endpoint, connection) = self.multiplayer()?.connection(peer)?;
        let mailbox = self.host.mailbox(endpoint)?;
        Some((endpoint, mailbox.connection_stats()?.clone(), connection))
    }

    /// Returns the recipient of branches that the endpoint of a peer is to serve; `None` for a peer
    /// without a connection of its own.
    pub(crate) fn serve_of(&mut self, peer: PeerId) -> Option<Recipient<Serve>> {
        let (endpoint, _) = self.multiplayer()?.connection(peer)?;
        self.host.mailbox(endpoint)?.serve().cloned()
    }

    /// Returns the API for a response to a peer, unless its session has ended.
    pub(crate) fn multiplayer_for(
        &mut self,
        peer: PeerId,
        session: u64,
    ) -> Option<&mut SceneMultiplayer> {
        let is_current = self.peers.is_current(peer, session);
        self.multiplayer().filter(|_| is_current)
    }

    pub(crate) fn caller(&self, ctx: &Context<Self>) -> BranchCaller {
        BranchCaller::new(ctx.address(), Arc::clone(&self.shared))
    }

    /// Passes the branch's events to peers, channels and subscribers, in order.
    fn report(&mut self, ctx: &mut Context<Self>) {
        while let Some(event) = self.branch.as_mut().and_then(|it| it.machine().next_event()) {
            let signal = match event {
                BranchEvent::Signal(signal) => signal,
                BranchEvent::PeerGone(peer) => {
                    self.peers.remove(peer);
                    continue;
                }
                BranchEvent::PeerResumed { old, new } => {
                    if old != new {
                        self.peers.remove(old);
                        self.peers.admit(new, self.caller(ctx));
                    }
                    continue;
                }
                _ => continue,
            };
            match &signal {
                Signal::PeerAuthenticating(peer) => self.peers.begin(*peer, self.caller(ctx)),
                Signal::PeerConnected(peer) => self.peers.admit(*peer, self.caller(ctx)),
                Signal::PeerDisconnected(peer) | Signal::PeerAuthenticationFailed(peer) => {
                    self.peers.remove(*peer);
                }
                Signal::PeerAuth { from, data } if self.peers.has_authenticator() => {
                    self.peers.authenticate(*from, data);
                    continue;
                }
                Signal::PeerPacket { from, data } => {
                    if let Some((name, message)) = split_header(data)
                        && self.channels.push(name, *from, message)
                    {
                        continue;
                    }
                }
                _ => {}
            }
            self.subscribers.send(&signal);
        }
        self.channels.flush();
        for peer in self.peers.take_overflowed() {
            if let Some(multiplayer) = self.multiplayer() {
                multiplayer.disconnect_peer(peer);
            }
        }
    }

    /// Evaluates the conditions for which callers wait. They are code of the program.
    pub(crate) fn evaluate_conditions(&mut self, ctx: &mut Context<Self>) {
        if self.conditions.is_empty() {
            return;
        }
        let mut conditions = std::mem::take(&mut self.conditions);
        let evaluated = self.guarded(ctx, |branch, _| {
            conditions.evaluate(branch.machine().scene());
            conditions
        });
        self.conditions = evaluated.unwrap_or_default();
    }

    /// Records that the branch handles input at `now`.
    fn begin_input(&mut self, now: Instant) {
        if let Some(reporter) = &mut self.reporter {
            reporter.begin_input(now);
        }
    }

    /// Records a turn that began at `began`, and reports the statistics if they are due. Returns
    /// the time by which another turn has to follow.
    fn report_stats(&mut self, began: Instant) -> Option<Instant> {
        let reporter = self.reporter.as_mut()?;
        if reporter.end_turn(began, self.timer.now())
            && let Some(branch) = &mut self.branch
        {
            reporter.report(branch.machine());
        }
        reporter.due()
    }

    /// Returns the branch's SceneMultiplayer, unless the branch has ended.
    fn multiplayer(&mut self) -> Option<&mut SceneMultiplayer> {
        Some(self.branch.as_mut()?.machine().scene().multiplayer_mut())
    }

    /// Ends the branch in the only way: notifies the endpoints, the peers' actors, the directories
    /// and the handles. Logs last, because a subscriber may panic. The caller stops the actor.
    fn end(&mut self, ended: EndReason) {
        let Some(mut branch) = self.branch.take() else { return };
        let reason = match ended {
            EndReason::Panicked(_) => DisconnectReason::BranchPanicked,
            _ => DisconnectReason::Closed,
        };
        self.host.leave_all(reason);
        self.peers.end();
        self.channels.end();
        self.conditions = Conditions::default();
        if let Some(mut reporter) = self.reporter.take() {
            // A protocol of the program may panic.
            let _ = catch_unwind(AssertUnwindSafe(|| reporter.report(branch.machine())));
        }
        // Dropping nodes runs code of the program, too.
        let is_dropped = catch_unwind(AssertUnwindSafe(|| drop(branch))).is_ok();
        self.shared.end(ended.clone());
        self.shared.close_after_endpoints(self.guard.arbiter());
        log_guarded(|| {
            let root = self.shared.root_path();
            match &ended {
                EndReason::Panicked(message) => tracing::error!(root, message, "branch panicked"),
                ended => tracing::debug!(root, %ended, "branch ended"),
            }
            if !is_dropped {
                tracing::error!(root, "branch panicked while it was dropped");
            }
        });
    }
}

impl Actor for BranchActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        log_guarded(|| tracing::debug!(root = self.shared.root_path(), "branch started"));
        run_turns(ctx);
    }
}

impl TurnActor for BranchActor {
    fn timer(&mut self) -> &mut TurnTimer {
        &mut self.timer
    }

    fn turn(&mut self, now: Instant, ctx: &mut Context<Self>) -> Option<Instant> {
        let turned = self.guarded(ctx, |branch, host| host.turn(branch, now))?;
        self.report(ctx);
        self.evaluate_conditions(ctx);
        self.shared.blocked_turns.store(self.host.stats().blocked_turns, Ordering::Relaxed);
        while let Some(event) = self.host.next_event() {
            let root = self.shared.root_path();
            log_guarded(|| {
                tracing::error!(root, ?event, "branch abandoned an endpoint that accepted nothing")
            });
        }
        match turned {
            ControlFlow::Continue(next) => {
                let report = self.report_stats(now);
                next.into_iter().chain(report).min()
            }
            ControlFlow::Break(end) => {
                self.end(match end {
                    BranchEnd::Closed | BranchEnd::TimedOut => EndReason::Closed,
                    BranchEnd::Disconnected(reason) => EndReason::Disconnected(reason),
                });
                ctx.stop();
                None
            }
        }
    }

    fn has_input(&self) -> bool {
        self.host.has_input()
    }

    fn needs_turn(&self) -> bool {
        let branch = self.branch.as_ref();
        branch.is_some_and(|branch| self.host.needs_turn(branch, self.timer.now()))
    }

    fn is_congested(&self) -> bool {
        let branch = self.branch.as_ref();
        branch.is_some_and(|branch| self.host.is_congested(branch, self.timer.now()))
    }
}

impl Handler<BranchMail> for BranchActor {
    type Result = ();

    fn handle(&mut self, BranchMail(message): BranchMail, ctx: &mut Context<Self>) {
        let now = self.timer.now();
        self.begin_input(now);
        if self.guarded(ctx, |branch, host| host.handle_input(branch, now, message)).is_some() {
            self.report(ctx);
            after_input(self, ctx);
        }
    }
}

impl Handler<Attach> for BranchActor {
    type Result = ();

    fn handle(&mut self, attach: Attach, ctx: &mut Context<Self>) {
        let Attach { endpoint, mailbox, is_restored } = attach;
        match is_restored {
            true => self.host.attach_restored(endpoint, mailbox),
            false => self.host.attach(endpoint, mailbox),
        }
        after_input(self, ctx);
    }
}

impl Handler<BranchCall> for BranchActor {
    type Result = ();

    fn handle(&mut self, BranchCall(run): BranchCall, ctx: &mut Context<Self>) {
        if let Some(branch) = &mut self.branch {
            let now = self.timer.now();
            branch.call(now).scene().set_now(now);
            self.begin_input(now);
            run(self, ctx);
        }
        if self.branch.is_some() {
            self.host.record_call();
            after_input(self, ctx);
        }
    }
}

impl Handler<Close> for BranchActor {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Context<Self>) {
        let now = self.timer.now();
        if let Some(branch) = &mut self.branch {
            self.host.close(branch, now);
        }
        after_input(self, ctx);
    }
}

/// Notifies all waiting handles even if the thread is stopped.
impl Drop for BranchActor {
    fn drop(&mut self) {
        self.end(EndReason::Stopped);
    }
}

/// Returns the message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "panic without a message".to_owned()
    }
}

#[cfg(test)]
mod tests;
