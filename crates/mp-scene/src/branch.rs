//! A branch: a scene with its hooks, run by a host or by a game's own loop.

mod checkpoint;
mod handover;
mod moves;
mod resume;
mod snapshot;

use std::collections::VecDeque;
use std::time::Duration;

use mp_core::{
    CloseMode, ConnectionStatus, DisconnectReason, EndpointId, EndpointStats, Instant,
    MultiplayerPeer, PeerEvent, PeerId, StateMachine, ToBranch, ToEndpoint,
};
use mp_host::{CheckpointError, HostedBranch};

use crate::api::ApiEvent;
use crate::builder::{BranchBuilder, Hooks};
use crate::limits::{SIGNAL_BYTES_MAX, SIGNALS_MAX};
use crate::polled::Polled;
use crate::{Scene, Signal};

/// A scene with its peers and hooks: everything under one multiplayer root.
///
/// It is a [`StateMachine`] for hosts with mailboxes, and has [`poll`](Self::poll) for a game's own
/// loop. Nodes need not be `Send`, so a branch stays on the thread that built it.
#[derive(Debug)]
pub struct Branch {
    scene: Scene,
    hooks: Hooks,
    events: VecDeque<BranchEvent>,
    /// Number of events in `events`, except [`BranchEvent::PeerGone`].
    signals: usize,
    /// Bytes that peers sent, in the signals in `events`.
    signal_bytes: usize,
    dropped_signals: u64,
    /// Abandoned endpoints that the host has not taken yet.
    abandoned: VecDeque<EndpointId>,
    next_tick: Option<Instant>,
    last_tick: Option<Instant>,
    /// The session on the transport that [`poll`](Self::poll) received last.
    polled: Option<Polled>,
}

/// An event of a branch for the surrounding program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BranchEvent {
    /// A signal, after the hooks of the branch have run with it.
    Signal(Signal),
    /// A peer has left without a signal, as in Godot: the program disconnected the peer, or
    /// [cleared](crate::SceneMultiplayer::clear) the session.
    PeerGone(PeerId),
    /// A peer has resumed the session of a peer that was kept, after the hooks of the branch have
    /// run. If it is another peer, `new` is connected and `old` has left, without signals.
    PeerResumed {
        /// The peer that was kept.
        old: PeerId,
        /// The peer that has resumed its session.
        new: PeerId,
    },
}

impl Branch {
    /// Creates a builder of a branch whose multiplayer root is at `root_path` (`"/root"`,
    /// `"/root/Game"`).
    pub fn builder(root_path: &str) -> BranchBuilder {
        BranchBuilder::new(root_path)
    }

    pub(crate) fn new(scene: Scene, hooks: Hooks) -> Self {
        Self {
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

    /// Runs one turn with `peer` as the only transport: receives, runs calls, signal hooks and the
    /// tick that is due, and sends. All hooks and methods of the program run inside, as in Godot.
    ///
    /// Another transport may be passed once the last one is disconnected, or after
    /// [`replace_peer`](Self::replace_peer).
    pub fn poll(&mut self, peer: &mut dyn MultiplayerPeer, now: Instant) {
        let is_open = peer.connection_status() != ConnectionStatus::Disconnected;
        let polled = self.polled.take().or_else(|| is_open.then(|| Polled::new(peer)));
        if let Some(polled) = polled {
            self.polled = polled.turn(self, peer, now);
            return;
        }
        // The transport is disconnected; only final packets of its session may remain to be sent.
        peer.poll(now);
        self.end_turn(now);
        peer.flush(now);
    }

    /// Prepares the next [`poll`](Self::poll) for another transport, as assigning
    /// `multiplayer_peer` does in Godot. Peers and node ids are discarded without signals. The
    /// program closes the old transport.
    #[doc(alias = "set_multiplayer_peer")]
    pub fn replace_peer(&mut self) {
        if self.polled.take().is_some() {
            self.scene.api_mut().handle_replaced(Polled::ENDPOINT);
        }
    }

    /// Closes the branch and its connections.
    ///
    /// With [`CloseMode::Drain`] a connection closes when the data that it accepted is delivered,
    /// or after [`DRAIN_TIMEOUT`](mp_core::limits::DRAIN_TIMEOUT). The output must still be
    /// [delivered](StateMachine::deliver), or the branch be [`poll`](Self::poll)ed until the
    /// transport is disconnected.
    ///
    /// The order is: packets that were sent before are delivered; each connection ends, and the
    /// hooks for [`PeerDisconnected`](Signal::PeerDisconnected) run; ticks and timers continue
    /// meanwhile. In all of them [`is_closing`](crate::SceneMultiplayer::is_closing) is true, and
    /// calls and packets that the program sends are not accepted: they fail with
    /// [`NotConnected`](crate::RpcError::NotConnected) and are not logged. `exit_tree` of the nodes
    /// does not run.
    pub fn close(&mut self, reason: DisconnectReason, close_mode: CloseMode) {
        let leave = ToEndpoint::Leave { reason, close_mode };
        self.scene.api_mut().handle_leave(&leave);
    }

    /// Removes and returns the oldest signal, and discards other [events](Self::next_event) before
    /// it.
    ///
    /// At most [`SIGNALS_MAX`] signals and [`SIGNAL_BYTES_MAX`] bytes are kept. Beyond that the
    /// oldest signal is dropped and counted in [`dropped_signals`](Self::dropped_signals).
    pub fn next_signal(&mut self) -> Option<Signal> {
        loop {
            if let BranchEvent::Signal(signal) = self.next_event()? {
                return Some(signal);
            }
        }
    }

    /// Removes and returns the oldest event: a [signal](Self::next_signal), or an event for which
    /// Godot has no signal. A program uses either this or [`next_signal`](Self::next_signal).
    pub fn next_event(&mut self) -> Option<BranchEvent> {
        let event = self.events.pop_front()?;
        match &event {
            BranchEvent::Signal(signal) => {
                self.signals -= 1;
                self.signal_bytes -= signal.data_len();
            }
            BranchEvent::PeerResumed { .. } => self.signals -= 1,
            BranchEvent::PeerGone(_) => {}
        }
        Some(event)
    }

    /// Returns the scene.
    pub fn scene(&mut self) -> &mut Scene {
        &mut self.scene
    }

    /// Returns the number of signals that were dropped because the program did not take them in
    /// time.
    pub fn dropped_signals(&self) -> u64 {
        self.dropped_signals
    }

    /// Returns the counters of the session on the transport that [`poll`](Self::poll) received
    /// last; `None` once that session has ended.
    pub fn endpoint_stats(&self) -> Option<EndpointStats> {
        self.polled.as_ref().map(Polled::stats)
    }

    /// Returns whether an endpoint refused a message at the last delivery.
    pub fn is_blocked(&self) -> bool {
        self.scene.api().is_blocked()
    }

    /// Returns the number of packets in the longest endpoint queue. A host delivers them before
    /// there are [`OUTBOX_PACKETS_MAX`](mp_core::limits::OUTBOX_PACKETS_MAX), and accepts less
    /// input while it cannot.
    pub fn queued_packets(&self) -> usize {
        self.scene.api().queued_packets()
    }

    /// Runs hooks and calls for pending events in order, including events that they cause.
    fn run_events(&mut self) {
        loop {
            self.scene.free_queued();
            self.scene.flush_changes();
            let Some(event) = self.scene.api_mut().next_event() else { return };
            match event {
                ApiEvent::Call(call) => self.scene.call_remote(call),
                ApiEvent::Signal(signal) => {
                    self.hooks.run_signal(&mut self.scene, &signal);
                    self.signal_bytes += signal.data_len();
                    self.keep_event(BranchEvent::Signal(signal));
                }
                // Bounded: at most one for each signal that was kept, and for each peer connected
                // before.
                ApiEvent::PeerGone(peer) => self.events.push_back(BranchEvent::PeerGone(peer)),
                ApiEvent::PeerHeld(peer) => self.release_peer(peer),
                ApiEvent::PeerDropped { peer, reason } => self.decide_keep(peer, reason),
                ApiEvent::PeerResumed { old, new } => self.finish_resume(old, new),
                ApiEvent::EndpointAbandoned(endpoint) => self.abandoned.push_back(endpoint),
            }
        }
    }

    /// Keeps an event for the program. At a limit the oldest signal is dropped.
    fn keep_event(&mut self, event: BranchEvent) {
        self.signals += 1;
        self.events.push_back(event);
        while self.signals > SIGNALS_MAX
            || (self.signal_bytes > SIGNAL_BYTES_MAX && self.signals > 1)
        {
            if self.next_signal().is_none() {
                break;
            }
            self.dropped_signals += 1;
        }
    }

    fn handle_event(&mut self, endpoint: EndpointId, event: PeerEvent) {
        let now = self.scene.now();
        let (tree, api) = self.scene.parts();
        api.handle_event(now, tree, endpoint, event);
        self.run_events();
    }

    /// Returns the time between ticks; `None` if neither hooks nor the protocol need them.
    fn tick_period(&self) -> Option<Duration> {
        let wanted = self.has_regular_ticks() || self.scene.has_processing();
        wanted.then(|| self.hooks.tick_period())
    }

    /// Returns whether hooks or the protocol need ticks, apart from nodes.
    fn has_regular_ticks(&self) -> bool {
        self.hooks.has_process() || self.scene.api().wants_ticks()
    }

    /// Runs the timers that are due, in order. Those that are created meanwhile run in a later
    /// turn.
    fn run_timers(&mut self) {
        let last = self.scene.last_timer();
        while self.scene.run_timer(last) {
            self.run_events();
        }
    }

    /// Runs the tick that is due: first the program's hooks, then the nodes, then the protocol.
    /// Missed ticks are skipped; the next one receives the whole elapsed time.
    fn tick(&mut self, now: Instant) {
        let Some(period) = self.tick_period() else {
            self.last_tick = None;
            return;
        };
        if self.next_tick.is_some_and(|due| now < due) {
            return;
        }
        let delta = self.last_tick.map_or(Duration::ZERO, |last| now - last);
        let is_regular = self.has_regular_ticks();
        self.hooks.run_process(&mut self.scene, delta);
        self.scene.process_nodes(delta);
        self.run_events();
        if !is_regular && !self.scene.has_processing() {
            // The new nodes have no `process` method, as is known now: there was no tick.
            return;
        }
        let due = self.next_tick.map_or(now, |due| due + period);
        self.next_tick = Some(if due > now { due } else { now + period });
        self.last_tick = Some(now);
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
            other => tracing::debug!(?other, "ignored an unknown message"),
        }
        self.run_events();
    }

    fn end_turn(&mut self, now: Instant) {
        self.scene.set_now(now);
        let (tree, api) = self.scene.parts();
        api.process(now, tree);
        self.run_events();
        self.scene.run_answers();
        self.run_timers();
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
        [
            tick,
            timeout,
            self.scene.next_request_timeout(),
            self.scene.next_timer(),
            self.polled.as_ref().and_then(Polled::poll_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl HostedBranch for Branch {
    fn close(&mut self, reason: DisconnectReason, close_mode: CloseMode) {
        Self::close(self, reason, close_mode);
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

    fn checkpoint(&self) -> Option<Vec<u8>> {
        Self::checkpoint(self)
    }

    fn restore_checkpoint(&mut self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        Self::restore_checkpoint(self, checkpoint)
    }
}
