//! [`BranchActor`]: hosts a [`Branch`].

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::dev::SendError;
use actix::prelude::*;
use mp_core::{
    ConnectionId, DisconnectReason, EndpointId, Farewell, Instant, PeerId, StateMachine, ToBranch,
    ToEndpoint,
};
use mp_scene::{Branch, SceneMultiplayer, Signal};

use crate::auth::Authenticators;
use crate::branch_ref::{BranchCaller, Shared};
use crate::channel_routes::{ChannelRoutes, split_header};
use crate::error::Ended;
use crate::guarded_log::log_guarded;
use crate::home::Home;
use crate::limits::{CLOSE_TIMEOUT, DELIVERY_RETRY, QUEUED_PACKETS_HIGH, STALL_TIMEOUT};
use crate::mail::{AskLink, Attach, BranchMail, Close, EndpointMail, control_to};
use crate::roster::Roster;
use crate::signals::Subscribers;
use crate::turn::{Pace, Turns, drive, took_input};

/// Hosts a [`Branch`]. Everything of the program's own runs inside [`guarded`](Self::guarded), so that its panics end
/// this branch and nothing else.
pub(crate) struct BranchActor {
    /// Gone once the branch has ended.
    branch: Option<Branch>,
    shared: Arc<Shared>,
    endpoints: BTreeMap<EndpointId, Line>,
    pub(crate) peers: Roster,
    pub(crate) subscribers: Subscribers,
    pub(crate) channels: ChannelRoutes,
    pace: Pace,
    /// Once it closes: how long it waits for its endpoints.
    closing: Option<Instant>,
    /// Since every turn leaves it with [`QUEUED_PACKETS_HIGH`].
    full: Option<Full>,
    /// Dropped last: it may end the thread.
    _home: Home,
}

/// A branch whose endpoints do not take what it has to say.
#[derive(Clone, Copy)]
struct Full {
    /// Packets for the endpoint for which most wait, when they were fewest.
    queued: usize,
    /// When that was.
    since: Instant,
}

/// The way to one endpoint.
struct Line {
    mail: Recipient<EndpointMail>,
    links: Recipient<AskLink>,
    /// Whether the branch knows it.
    opened: bool,
    /// Whether it was told to leave because the branch gave it up.
    given_up: bool,
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
                peers: Roster::new(Arc::clone(&shared), authenticators),
                shared,
                endpoints: BTreeMap::new(),
                subscribers: Subscribers::default(),
                channels: ChannelRoutes::default(),
                pace: Pace::new(),
                closing: None,
                full: None,
                _home: home,
            }
        })
    }

    /// Runs code of the program's own. A panic ends the branch: what its state is worth nobody knows.
    ///
    /// A policy of starting such a branch anew would begin here: its builder is all that is missing.
    pub(crate) fn guarded<R>(
        &mut self,
        ctx: &mut Context<Self>,
        run: impl FnOnce(&mut Branch) -> R,
    ) -> Option<R> {
        #[cfg(debug_assertions)]
        let _turn = crate::watchdog::Turn::begin();
        let branch = self.branch.as_mut()?;
        match catch_unwind(AssertUnwindSafe(|| run(branch))) {
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
        let line = self.endpoints.get(&endpoint)?;
        Some((endpoint, line.links.clone(), connection))
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
        while let Some(signal) = self.branch.as_mut().and_then(Branch::next_signal) {
            match &signal {
                Signal::PeerAuthenticating(peer) => self.peers.begin(*peer, self.caller(ctx)),
                Signal::PeerConnected(peer) => self.peers.admit(*peer, self.caller(ctx)),
                Signal::PeerDisconnected(peer) | Signal::PeerAuthenticationFailed(peer) => {
                    self.peers.remove(*peer);
                }
                Signal::ConnectionFailed | Signal::ServerDisconnected => {
                    self.peers.session_ended();
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
            self.peers.remove(peer);
        }
    }

    /// A branch with a protocol of its own may have none.
    fn multiplayer(&mut self) -> Option<&mut SceneMultiplayer> {
        self.branch.as_mut()?.scene().api_mut().scene_multiplayer_mut()
    }

    fn reconcile_peers(&mut self) {
        let branch = self.branch.as_mut();
        if let Some(multiplayer) = branch.and_then(|it| it.scene().api().scene_multiplayer()) {
            self.peers.reconcile(multiplayer);
        }
    }

    /// Step 3 of the turn. Whether a mailbox was full.
    fn deliver(&mut self, now: Instant) -> bool {
        let Some(branch) = &mut self.branch else { return false };
        let endpoints = &self.endpoints;
        branch.deliver(&mut |endpoint, message| {
            let Some(line) = endpoints.get(&endpoint) else { return Ok(()) };
            match line.mail.try_send(EndpointMail(message)) {
                Err(SendError::Full(EndpointMail(message))) => Err(message),
                // One that has gone says so itself.
                Ok(()) | Err(SendError::Closed(_)) => Ok(()),
            }
        });
        let is_blocked = branch.is_blocked();
        let queued = self.queued_packets();
        self.full = match self.full {
            _ if queued < QUEUED_PACKETS_HIGH => None,
            Some(full) if queued >= full.queued => Some(full),
            _ => Some(Full { queued, since: now }),
        };
        is_blocked
    }

    fn queued_packets(&self) -> usize {
        self.branch.as_ref().map_or(0, Branch::queued_packets)
    }

    /// Leaves the endpoints that the branch gave up because they took nothing.
    fn leave_given_up(&mut self) {
        let branch = self.branch.as_mut();
        let Some(multiplayer) = branch.and_then(|it| it.scene().api().scene_multiplayer()) else {
            return;
        };
        let known = multiplayer.endpoints().len();
        if self.endpoints.values().filter(|line| line.opened && !line.given_up).count() == known {
            return;
        }
        let known: Vec<EndpointId> = multiplayer.endpoints().map(|(id, _)| id).collect();
        for (id, line) in &mut self.endpoints {
            if line.opened && !line.given_up && !known.contains(id) {
                line.given_up = true;
                control_to(
                    &line.mail,
                    leave(&self.shared, DisconnectReason::QueueFull, Farewell::Abrupt),
                );
            }
        }
    }

    /// The one way out: notifies the endpoints, the peers' actors, the directories and the handles, and
    /// logs last, because a subscriber may panic. The caller stops the actor.
    fn end(&mut self, ended: Ended) {
        let Some(branch) = self.branch.take() else { return };
        let reason = match ended {
            Ended::Panicked(_) => DisconnectReason::BranchPanicked,
            _ => DisconnectReason::Closed,
        };
        for line in self.endpoints.values() {
            control_to(&line.mail, leave(&self.shared, reason, Farewell::Drain));
        }
        self.peers.end();
        self.channels.end();
        // Its nodes are the program's own, too.
        let is_dropped = catch_unwind(AssertUnwindSafe(|| drop(branch))).is_ok();
        self.shared.end(ended.clone());
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
        self.guarded(ctx, |branch| branch.end_turn(now))?;
        self.report(ctx);
        self.reconcile_peers();
        let is_blocked = self.deliver(now);
        self.leave_given_up();
        if is_blocked {
            self.shared.blocked_turns.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(deadline) = self.closing
            && (self.endpoints.is_empty() || now >= deadline)
        {
            self.end(Ended::Closed);
            ctx.stop();
            return None;
        }
        let retry = is_blocked.then(|| now + DELIVERY_RETRY);
        let tick = self.branch.as_ref().and_then(Branch::poll_timeout);
        [tick, retry, self.closing].into_iter().flatten().min()
    }

    fn is_full(&self) -> bool {
        match self.full {
            Some(full) => self.pace.now() - full.since < STALL_TIMEOUT,
            None => self.queued_packets() >= QUEUED_PACKETS_HIGH,
        }
    }
}

impl Handler<BranchMail> for BranchActor {
    type Result = ();

    fn handle(&mut self, BranchMail(message): BranchMail, ctx: &mut Context<Self>) {
        let (mut closed, mut packets) = (None, 0);
        match &message {
            ToBranch::Events(_, events) => packets = events.len(),
            ToBranch::Opened(endpoint, _) => {
                if let Some(line) = self.endpoints.get_mut(endpoint) {
                    line.opened = true;
                }
            }
            ToBranch::Closed(endpoint, reason) => {
                closed = self.endpoints.remove(endpoint).map(|_| *reason);
            }
            _ => {}
        }
        let now = self.pace.now();
        if self.guarded(ctx, |branch| branch.handle_input(now, message)).is_none() {
            return;
        }
        self.report(ctx);
        if let Some(reason) = closed
            && self.endpoints.is_empty()
        {
            self.reconcile_peers();
            let is_closing = self.closing.is_some();
            self.end(if is_closing { Ended::Closed } else { Ended::Disconnected(reason) });
            ctx.stop();
            return;
        }
        took_input(self, ctx, packets);
    }
}

impl Handler<Attach> for BranchActor {
    type Result = ();

    fn handle(&mut self, attach: Attach, ctx: &mut Context<Self>) {
        let Attach { endpoint, mail, links } = attach;
        if self.closing.is_some() {
            control_to(&mail, leave(&self.shared, DisconnectReason::Closed, Farewell::Drain));
        }
        self.endpoints.insert(endpoint, Line { mail, links, opened: false, given_up: false });
        took_input(self, ctx, 0);
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
            took_input(self, ctx, 0);
        }
    }
}

impl Handler<Close> for BranchActor {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Context<Self>) {
        if self.closing.is_none()
            && let Some(branch) = &mut self.branch
        {
            branch.close(DisconnectReason::Closed, Farewell::Drain);
            // Those that it does not know yet cannot be told by it.
            for line in self.endpoints.values().filter(|line| !line.opened) {
                control_to(
                    &line.mail,
                    leave(&self.shared, DisconnectReason::Closed, Farewell::Drain),
                );
            }
            self.closing = Some(self.pace.now() + CLOSE_TIMEOUT);
        }
        took_input(self, ctx, 0);
    }
}

/// Whatever becomes of its thread, nobody waits for it in vain.
impl Drop for BranchActor {
    fn drop(&mut self) {
        self.end(Ended::Stopped);
    }
}

fn leave(shared: &Shared, reason: DisconnectReason, farewell: Farewell) -> EndpointMail {
    EndpointMail(ToEndpoint::Leave { branch: shared.id(), reason, farewell })
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
