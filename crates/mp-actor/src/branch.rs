//! [`BranchActor`]: hosts a [`Branch`].

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::prelude::*;
use mp_core::{ConnectionId, DisconnectReason, EndpointId, Instant, PeerId};
use mp_host::{BranchEnd, BranchHost};
use mp_scene::{Branch, BranchEvent, SceneMultiplayer, Signal};

use crate::auth::Authenticators;
use crate::branch_ref::{BranchCaller, Shared};
use crate::channel_routes::{ChannelRoutes, split_header};
use crate::error::Ended;
use crate::guarded_log::log_guarded;
use crate::home::Home;
use crate::mail::{AskLink, Attach, BranchMail, Close, EndpointMailbox};
use crate::roster::Roster;
use crate::signals::Subscribers;
use crate::turn::{Pace, Turns, drive, took_input};

/// Runs a [`Branch`] and its host. Everything of the program's own runs inside
/// [`guarded`](Self::guarded), so that its panics end this branch and nothing else.
pub(crate) struct BranchActor {
    /// Gone once the branch has ended.
    branch: Option<Branch>,
    host: BranchHost<EndpointMailbox>,
    shared: Arc<Shared>,
    pub(crate) peers: Roster,
    pub(crate) subscribers: Subscribers,
    pub(crate) channels: ChannelRoutes,
    pace: Pace,
    /// Dropped last: it may end the thread.
    home: Home,
}

/// A closure that runs inside a branch's turn.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Call(pub(crate) Box<CallBody>);

pub(crate) type CallBody = dyn FnOnce(&mut BranchActor, &mut Context<BranchActor>) + Send;

impl BranchActor {
    pub(crate) fn start(
        branch: Branch,
        authenticators: Authenticators,
        shared: Arc<Shared>,
        home: Home,
    ) -> Addr<Self> {
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(shared.mailbox());
            Self {
                branch: Some(branch),
                host: BranchHost::new(shared.id()),
                peers: Roster::new(Arc::clone(&shared), authenticators),
                shared,
                subscribers: Subscribers::default(),
                channels: ChannelRoutes::default(),
                pace: Pace::new(),
                home,
            }
        })
    }

    /// Runs code of the program's own. A panic ends the branch: what its state is worth nobody knows.
    ///
    /// A policy of starting such a branch anew would begin here: its builder is all that is missing.
    pub(crate) fn guarded<R>(
        &mut self,
        ctx: &mut Context<Self>,
        run: impl FnOnce(&mut Branch, &mut BranchHost<EndpointMailbox>) -> R,
    ) -> Option<R> {
        #[cfg(debug_assertions)]
        let _turn = crate::watchdog::Turn::begin();
        let branch = self.branch.as_mut()?;
        match catch_unwind(AssertUnwindSafe(|| run(branch, &mut self.host))) {
            Ok(result) => Some(result),
            Err(panic) => {
                self.end(Ended::Panicked(panic_message(&*panic)));
                ctx.stop();
                None
            }
        }
    }

    /// The link to a peer and the endpoint that has it; `None` for one behind the server.
    pub(crate) fn link(
        &mut self,
        peer: PeerId,
    ) -> Option<(EndpointId, Recipient<AskLink>, ConnectionId)> {
        let (endpoint, connection) = self.multiplayer()?.link(peer)?;
        let mailbox = self.host.mailbox(endpoint)?;
        Some((endpoint, mailbox.links.clone(), connection))
    }

    /// What can be done to a peer, unless this presence of it has ended.
    pub(crate) fn present(&mut self, peer: PeerId, presence: u64) -> Option<&mut SceneMultiplayer> {
        let is_present = self.peers.is_present(peer, presence);
        self.multiplayer().filter(|_| is_present)
    }

    pub(crate) fn caller(&self, ctx: &Context<Self>) -> BranchCaller {
        BranchCaller::new(ctx.address(), Arc::clone(&self.shared))
    }

    /// Hands out what the branch reported, in order.
    fn report(&mut self, ctx: &mut Context<Self>) {
        while let Some(event) = self.branch.as_mut().and_then(Branch::next_event) {
            let signal = match event {
                BranchEvent::Signal(signal) => signal,
                BranchEvent::PeerGone(peer) => {
                    self.peers.remove(peer);
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
                        && self.channels.take(name, *from, message)
                    {
                        continue;
                    }
                }
                _ => {}
            }
            self.subscribers.tell(&signal);
        }
        self.channels.flush();
        for peer in self.peers.take_flooding() {
            if let Some(multiplayer) = self.multiplayer() {
                multiplayer.disconnect_peer(peer);
            }
        }
    }

    /// The SceneMultiplayer, unless the branch has ended.
    fn multiplayer(&mut self) -> Option<&mut SceneMultiplayer> {
        Some(self.branch.as_mut()?.scene().multiplayer_mut())
    }

    /// The one way out: notifies the endpoints, the peers' actors, the directories and the handles, and
    /// logs last, because a subscriber may panic. The caller stops the actor.
    fn end(&mut self, ended: Ended) {
        let Some(branch) = self.branch.take() else { return };
        let reason = match ended {
            Ended::Panicked(_) => DisconnectReason::BranchPanicked,
            _ => DisconnectReason::Closed,
        };
        self.host.leave_all(reason);
        self.peers.end();
        self.channels.end();
        // Its nodes are the program's own, too.
        let is_dropped = catch_unwind(AssertUnwindSafe(|| drop(branch))).is_ok();
        self.shared.end(ended.clone());
        self.shared.close_after_endpoints(self.home.arbiter());
        log_guarded(|| {
            let root = self.shared.root_path();
            match &ended {
                Ended::Panicked(message) => tracing::error!(root, message, "a branch panicked"),
                ended => tracing::debug!(root, %ended, "branch ended"),
            }
            if !is_dropped {
                tracing::error!(root, "a branch panicked while it was dropped");
            }
        });
    }
}

impl Actor for BranchActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        log_guarded(|| tracing::debug!(root = self.shared.root_path(), "branch started"));
        drive(ctx);
    }
}

impl Turns for BranchActor {
    fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    fn turn(&mut self, now: Instant, ctx: &mut Context<Self>) -> Option<Instant> {
        let turned = self.guarded(ctx, |branch, host| host.turn(branch, now))?;
        self.report(ctx);
        self.shared.blocked_turns.store(self.host.stats().blocked_turns, Ordering::Relaxed);
        while let Some(event) = self.host.next_event() {
            let root = self.shared.root_path();
            log_guarded(|| tracing::error!(root, ?event, "the branch lost an endpoint"));
        }
        match turned {
            ControlFlow::Continue(next) => next,
            ControlFlow::Break(end) => {
                self.end(match end {
                    BranchEnd::Closed | BranchEnd::TimedOut => Ended::Closed,
                    BranchEnd::Disconnected(reason) => Ended::Disconnected(reason),
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
        branch.is_some_and(|branch| self.host.needs_turn(branch, self.pace.now()))
    }

    fn is_congested(&self) -> bool {
        let branch = self.branch.as_ref();
        branch.is_some_and(|branch| self.host.is_congested(branch, self.pace.now()))
    }
}

impl Handler<BranchMail> for BranchActor {
    type Result = ();

    fn handle(&mut self, BranchMail(message): BranchMail, ctx: &mut Context<Self>) {
        let now = self.pace.now();
        if self.guarded(ctx, |branch, host| host.handle_input(branch, now, message)).is_some() {
            self.report(ctx);
            took_input(self, ctx);
        }
    }
}

impl Handler<Attach> for BranchActor {
    type Result = ();

    fn handle(&mut self, Attach { endpoint, mailbox }: Attach, ctx: &mut Context<Self>) {
        self.host.attach(endpoint, mailbox);
        took_input(self, ctx);
    }
}

impl Handler<Call> for BranchActor {
    type Result = ();

    fn handle(&mut self, Call(run): Call, ctx: &mut Context<Self>) {
        if let Some(branch) = &mut self.branch {
            branch.scene().set_now(self.pace.now());
            run(self, ctx);
        }
        if self.branch.is_some() {
            self.host.note_call();
            took_input(self, ctx);
        }
    }
}

impl Handler<Close> for BranchActor {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Context<Self>) {
        let now = self.pace.now();
        if let Some(branch) = &mut self.branch {
            self.host.close(branch, now);
        }
        took_input(self, ctx);
    }
}

/// Whatever becomes of its thread, nobody waits for it in vain.
impl Drop for BranchActor {
    fn drop(&mut self) {
        self.end(Ended::Stopped);
    }
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

#[cfg(test)]
mod tests;
