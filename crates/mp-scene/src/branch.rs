//! A branch: a scene with its program, run by an actor, a simulator or a game's own loop.

use std::collections::VecDeque;
use std::time::Duration;

use mp_core::{
    BranchId, ConnectionStatus, DisconnectReason, EndpointId, EndpointStats, Farewell, Instant,
    MultiplayerPeer, PeerEvent, PeerId, StateMachine, ToBranch, ToEndpoint,
};
use mp_host::HostedBranch;

use crate::api::ApiEvent;
use crate::builder::{BranchBuilder, Hooks};
use crate::limits::{SIGNAL_BYTES_MAX, SIGNALS_MAX};
use crate::polled::Polled;
use crate::{Scene, Signal};

/// Everything under one root path: nodes, peers and the program's hooks.
///
/// It is a [`StateMachine`] for hosts with mailboxes, and has [`poll`](Self::poll) for a game's own loop. It may hold nodes
/// that are not `Send`, so that it stays on the thread on which it was built.
#[derive(Debug)]
pub struct Branch {
    id: BranchId,
    scene: Scene,
    hooks: Hooks,
    events: VecDeque<BranchEvent>,
    /// Number of the events that are signals.
    signals: usize,
    /// What peers have said in them.
    signal_bytes: usize,
    dropped_signals: u64,
    /// Endpoints that were abandoned and that the host has not left yet.
    abandoned: VecDeque<EndpointId>,
    next_tick: Option<Instant>,
    last_tick: Option<Instant>,
    /// The session on the transport that [`poll`](Self::poll) was last given.
    polled: Option<Polled>,
}

/// An event of a branch for the program around it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BranchEvent {
    /// A signal, which the hooks of the branch have seen.
    Signal(Signal),
    /// A peer has left without a signal, as in Godot: the program disconnected it, or the session
    /// was [cleared](crate::SceneMultiplayer::clear).
    PeerGone(PeerId),
}

impl Branch {
    /// How to make a branch whose multiplayer root stands at `root_path` (`"/root"`, `"/root/Game"`).
    pub fn builder(root_path: &str) -> BranchBuilder {
        BranchBuilder::new(root_path)
    }

    pub(crate) fn new(scene: Scene, hooks: Hooks) -> Self {
        Self {
            id: BranchId(0),
            scene,
            hooks,
            events: VecDeque::new(),
            signals: 0,
            signal_bytes: 0,
            dropped_signals: 0,
            abandoned: VecDeque::new(),
            next_tick: None,
            last_tick: None,
            polled: None,
        }
    }

    /// The number by which endpoints know it (default: 0); a host that runs several branches gives each its own.
    pub fn set_id(&mut self, id: BranchId) {
        self.id = id;
    }

    /// Runs one turn with `peer` as its only transport: takes in what the network brought, runs calls, signals and the tick
    /// that is due, and sends what came of it. Everything of the program's runs inside, as in Godot.
    ///
    /// Another transport can take the place of one that is disconnected, or after [`replace_peer`](Self::replace_peer).
    pub fn poll(&mut self, peer: &mut dyn MultiplayerPeer, now: Instant) {
        let is_open = peer.connection_status() != ConnectionStatus::Disconnected;
        let polled = self.polled.take().or_else(|| is_open.then(|| Polled::new(self.id, peer)));
        if let Some(polled) = polled {
            self.polled = polled.turn(self, peer, now);
            return;
        }
        // Only the last words of an earlier session may be left to send.
        peer.poll(now);
        self.end_turn(now);
        peer.flush(now);
    }

    /// Says that the next [`poll`](Self::poll) is with another transport, as assigning `multiplayer_peer` does in Godot: peers and the
    /// numbers of nodes are forgotten, without signals. The old transport is the program's to close.
    #[doc(alias = "set_multiplayer_peer")]
    pub fn replace_peer(&mut self) {
        if self.polled.take().is_some() {
            self.scene.api_mut().handle_replaced(Polled::ENDPOINT);
        }
    }

    /// Ends the branch: its links close, with [`Farewell::Drain`] when what they accepted has
    /// arrived, or took longer than [`LINGER`](mp_core::limits::LINGER). What it still has to say
    /// must be [delivered](StateMachine::deliver), or [`poll`](Self::poll)ed until the transport is
    /// disconnected. What the program calls and sends from now on, in a method that a last packet
    /// calls say, is refused as not connected.
    pub fn close(&mut self, reason: DisconnectReason, farewell: Farewell) {
        let leave = ToEndpoint::Leave { branch: self.id, reason, farewell };
        self.scene.api_mut().handle_leave(&leave);
    }

    /// The oldest signal not yet taken. At most [`SIGNALS_MAX`] are kept, and [`SIGNAL_BYTES_MAX`]; the oldest make way, and are
    /// counted. Other [events](Self::next_event) before it are dropped.
    pub fn next_signal(&mut self) -> Option<Signal> {
        loop {
            if let BranchEvent::Signal(signal) = self.next_event()? {
                return Some(signal);
            }
        }
    }

    /// The oldest event not yet taken: [signals](Self::next_signal), and what Godot has no signal
    /// for. A program takes either these or signals.
    pub fn next_event(&mut self) -> Option<BranchEvent> {
        let event = self.events.pop_front()?;
        if let BranchEvent::Signal(signal) = &event {
            self.signals -= 1;
            self.signal_bytes -= signal.data_len();
        }
        Some(event)
    }

    /// The scene.
    pub fn scene(&mut self) -> &mut Scene {
        &mut self.scene
    }

    /// Signals that nobody took in time.
    pub fn dropped_signals(&self) -> u64 {
        self.dropped_signals
    }

    /// Counters of the session on the transport that [`poll`](Self::poll) was last given; `None`
    /// once it has ended.
    pub fn endpoint_stats(&self) -> Option<EndpointStats> {
        self.polled.as_ref().map(Polled::stats)
    }

    /// Whether an endpoint could not take what it was offered last.
    pub fn is_blocked(&self) -> bool {
        self.scene.api().is_blocked()
    }

    /// Packets that wait for the endpoint for which most do. A host delivers before they reach
    /// [`OUTBOX_PACKETS_MAX`](mp_core::limits::OUTBOX_PACKETS_MAX), and takes in less when it cannot.
    pub fn queued_packets(&self) -> usize {
        self.scene.api().queued_packets()
    }

    /// Lets the program see signals and calls in order, those that it causes itself too.
    fn run_events(&mut self) {
        loop {
            self.scene.flush_changes();
            let Some(event) = self.scene.api_mut().next_event() else { return };
            match event {
                ApiEvent::Call(call) => self.scene.call_remote(call),
                ApiEvent::Signal(signal) => {
                    self.hooks.run_signal(&mut self.scene, &signal);
                    self.keep_signal(signal);
                }
                // At most one for each signal that was kept, and for each peer that was there
                // before.
                ApiEvent::PeerGone(peer) => self.events.push_back(BranchEvent::PeerGone(peer)),
                ApiEvent::EndpointAbandoned(endpoint) => self.abandoned.push_back(endpoint),
            }
        }
    }

    fn keep_signal(&mut self, signal: Signal) {
        self.signals += 1;
        self.signal_bytes += signal.data_len();
        self.events.push_back(BranchEvent::Signal(signal));
        while self.signals > SIGNALS_MAX
            || (self.signal_bytes > SIGNAL_BYTES_MAX && self.signals > 1)
        {
            self.next_signal();
            self.dropped_signals += 1;
        }
    }

    fn handle_event(&mut self, endpoint: EndpointId, event: PeerEvent) {
        let now = self.scene.now();
        let (tree, api) = self.scene.parts();
        api.handle_event(now, tree, endpoint, event);
        self.run_events();
    }

    /// Time between ticks; `None` when nobody has a use for them.
    fn tick_period(&self) -> Option<Duration> {
        let wanted = self.hooks.has_process() || self.scene.api().wants_ticks();
        wanted.then(|| self.hooks.tick_period())
    }

    /// Runs the tick that is due: the program's, and then what is sent at each. Ticks that were missed are not made up for: the next
    /// one gets the whole time.
    fn tick(&mut self, now: Instant) {
        let Some(period) = self.tick_period() else { return };
        if self.next_tick.is_some_and(|due| now < due) {
            return;
        }
        let delta = self.last_tick.map_or(Duration::ZERO, |last| now - last);
        let due = self.next_tick.map_or(now, |due| due + period);
        self.next_tick = Some(if due > now { due } else { now + period });
        self.last_tick = Some(now);
        self.hooks.run_process(&mut self.scene, delta);
        self.run_events();
        let (tree, api) = self.scene.parts();
        api.tick(now, tree);
    }
}

impl StateMachine for Branch {
    type Input = ToBranch;
    type Output = ToEndpoint;
    type Destination = EndpointId;

    fn handle_input(&mut self, now: Instant, input: ToBranch) {
        self.scene.set_now(now);
        match input {
            ToBranch::Opened(endpoint, info) => {
                self.scene.api_mut().handle_opened(endpoint, info);
            }
            ToBranch::Events(endpoint, events) => {
                for event in events {
                    self.handle_event(endpoint, event);
                }
            }
            ToBranch::Closed(endpoint, reason) => {
                self.scene.api_mut().handle_closed(endpoint, reason);
            }
            other => tracing::debug!(?other, "a message that this version does not know"),
        }
        self.run_events();
    }

    fn end_turn(&mut self, now: Instant) {
        self.scene.set_now(now);
        let (tree, api) = self.scene.parts();
        api.process(now, tree);
        self.run_events();
        self.tick(now);
        self.run_events();
    }

    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>,
    ) {
        self.scene.api_mut().deliver(accept);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let tick = self.tick_period().map(|_| self.next_tick.unwrap_or(Instant::ZERO));
        let timeout = self.scene.api().poll_timeout();
        [tick, timeout, self.polled.as_ref().and_then(Polled::poll_timeout)]
            .into_iter()
            .flatten()
            .min()
    }
}

impl HostedBranch for Branch {
    fn close(&mut self, reason: DisconnectReason, farewell: Farewell) {
        Self::close(self, reason, farewell);
    }

    fn queued_packets(&self) -> usize {
        Self::queued_packets(self)
    }

    fn is_blocked(&self) -> bool {
        Self::is_blocked(self)
    }

    fn next_abandoned(&mut self) -> Option<EndpointId> {
        self.abandoned.pop_front()
    }
}
