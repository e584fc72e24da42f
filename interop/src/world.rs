//! One side of a running scenario: a branch, its transport, and a main loop.

use std::fmt;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer,
    PeerId, Target, TransferMode,
};
use mp_scene::prelude::*;
use mp_scene::rpc::IntoArgs;
use mp_transport_enet::proto::TimeoutConfig;
use serde_json::json;

use crate::options::Options;
use crate::report::Report;
use crate::signal_recorder::SignalRecorder;
use crate::tap::{Tap, TapLog};
use crate::transport;

/// One side of a scenario. The network makes progress only while a method waits.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) report: Report,
    /// Timeouts for silent peers, from the next [`listen`](Self::listen) or
    /// [`connect`](Self::connect) on.
    pub(crate) timeout: TimeoutConfig,
    branch: Branch,
    /// Transport; `None` before listening or connecting, and after leaving.
    peer: Option<Tap>,
    tap: TapLog,
    recorder: SignalRecorder,
    clock: SystemClock,
    end: Instant,
}

/// Reason why a scenario cannot continue.
#[derive(Debug)]
pub(crate) struct ScenarioError(pub(crate) String);

/// Result of a scenario, or of one step.
pub(crate) type ScenarioResult<T = ()> = Result<T, ScenarioError>;

/// Default time limit for the next expectation. Generous, so that a slow or busy machine does not
/// fail; an idle machine needs milliseconds.
pub(crate) const STEP: Duration = Duration::from_secs(60);

/// Time limit of joining, of one attempt, and delay between attempts.
const JOIN: Duration = Duration::from_secs(90);
const ATTEMPT: Duration = Duration::from_secs(10);
pub(crate) const REJOIN: Duration = Duration::from_millis(100);

/// Scenario in which all peers connect to each other over WebRTC; its server is one of them.
const MESH: &str = "mesh";

/// Interval of repeated unreliable calls.
pub(crate) const REPEAT: Duration = Duration::from_millis(50);

/// Frame time.
pub(crate) const FRAME: Duration = Duration::from_micros(16_667);

/// Maximum packets that one turn handles.
const PACKETS_PER_TURN: usize = 4_096;

/// Time between two turns.
const TURN: Duration = Duration::from_millis(2);

impl World {
    /// Creates a branch with the node `Main`, not connected yet.
    pub(crate) fn new(options: Options, report: Report) -> ScenarioResult<Self> {
        let mut world = Self::rooted("/root", options, report)?;
        world.scene().add("Main", Group)?;
        Ok(world)
    }

    /// Creates an empty branch with the multiplayer root `root`, not connected yet.
    pub(crate) fn rooted(root: &str, options: Options, report: Report) -> ScenarioResult<Self> {
        let recorder = SignalRecorder::new(report.clone());
        let (hook, frames) = (recorder.clone(), recorder.clone());
        let branch = Branch::builder(root)
            .on_signal(move |scene, signal| hook.note(scene, signal))
            .on_process(move |scene, _delta| frames.frame(scene))
            .build()?;
        let clock = SystemClock::new();
        let end = clock.now() + options.timeout();
        let (timeout, tap) = (TimeoutConfig::default(), TapLog::new(options.transport));
        Ok(Self { options, report, timeout, branch, peer: None, tap, recorder, clock, end })
    }

    /// Accepts clients, and prints `listening`.
    pub(crate) fn listen(&mut self) -> ScenarioResult {
        let peer = match self.options.scenario == MESH {
            true => transport::mesh(&self.options)?,
            false => transport::server(&self.options, self.timeout)?,
        };
        self.open(peer);
        self.report.say(&json!({
            "event": "listening",
            "transport": self.options.transport.name(),
            "port": self.options.port,
            "scenario": self.options.scenario,
        }));
        Ok(())
    }

    /// Connects to the server; retries for a while.
    pub(crate) fn join(&mut self) -> ScenarioResult {
        let limit = self.clock.now() + JOIN;
        while !self.try_join()? {
            if self.clock.now() >= limit {
                return Err(ScenarioError("cannot connect".into()));
            }
            self.leave();
            self.pause(REJOIN)?;
        }
        Ok(())
    }

    /// Tries to connect once. Returns whether it succeeded.
    pub(crate) fn try_join(&mut self) -> ScenarioResult<bool> {
        self.connect()?;
        let limit = self.clock.now() + ATTEMPT;
        // The status of a mesh is `Connected` from the start.
        let is_mesh = self.options.scenario == MESH;
        self.until("a connection attempt", |world| {
            let is_over = world.status() != ConnectionStatus::Connecting && !is_mesh;
            is_over || world.has_seen("connected_to_server") || world.clock.now() >= limit
        })?;
        Ok(self.has_seen("connected_to_server"))
    }

    /// Starts to connect, and clears the signals.
    pub(crate) fn connect(&mut self) -> ScenarioResult {
        self.leave();
        let peer = transport::client(&self.options, self.timeout)?;
        self.recorder.join();
        self.open(peer);
        Ok(())
    }

    /// Closes all connections gracefully, and ignores signals from then on.
    pub(crate) fn leave(&mut self) {
        let Some(mut peer) = self.peer.take() else { return };
        self.recorder.leave();
        self.branch.close(DisconnectReason::Closed, CloseMode::Immediate);
        self.branch.poll(&mut peer, self.clock.now());
    }

    /// Drops all connections without sending a packet.
    pub(crate) fn vanish(&mut self) {
        let Some(mut peer) = self.peer.take() else { return };
        self.recorder.leave();
        peer.cut();
        self.branch.poll(&mut peer, self.clock.now());
    }

    /// Adds a node below `Main`.
    pub(crate) fn add<N: Node>(&mut self, path: &str, node: N) -> ScenarioResult<NodeRef<N>> {
        Ok(self.scene().add(&format!("Main/{path}"), node)?)
    }

    /// Adds an instance under the node at `parent` below `Main`.
    pub(crate) fn add_instance(
        &mut self,
        parent: &str,
        instance: Instance,
    ) -> ScenarioResult<NodeId> {
        Ok(self.scene().add_instance(&format!("Main/{parent}"), instance)?)
    }

    /// Returns the object of the node at `path` below `Main`.
    pub(crate) fn at<N: Node>(&mut self, path: &str) -> ScenarioResult<&mut N> {
        let node = self.scene().node(&format!("Main/{path}"))?;
        Ok(self.scene().get_mut(node)?)
    }

    /// Returns whether a node exists at `path` below `Main`.
    pub(crate) fn has(&mut self, path: &str) -> bool {
        self.scene().find(&format!("Main/{path}")).is_ok()
    }

    /// Removes the node at `path` below `Main`.
    pub(crate) fn remove(&mut self, path: &str) -> ScenarioResult {
        let node = self.scene().find(&format!("Main/{path}"))?;
        self.scene().remove(node)?;
        Ok(())
    }

    /// Returns the names of the children of `path` below `Main`, in order.
    pub(crate) fn children(&mut self, path: &str) -> Vec<String> {
        let scene = self.scene();
        let Ok(node) = scene.find(&format!("Main/{path}")) else { return Vec::new() };
        let tree = scene.tree();
        tree.children(node).filter_map(|child| tree.name(child).map(str::to_owned)).collect()
    }

    /// Returns the object of a node.
    pub(crate) fn get<N: Node>(&mut self, node: NodeRef<N>) -> &mut N {
        self.scene()
            .get_mut(node)
            .expect("scenarios access nodes between turns, and do not remove them")
    }

    /// Returns the scene.
    pub(crate) fn scene(&mut self) -> &mut Scene {
        self.branch.scene()
    }

    /// Calls a method on remote peers.
    pub(crate) fn rpc_id(
        &mut self,
        target: impl Into<Target>,
        node: impl Into<NodeId>,
        method: &str,
        args: impl IntoArgs,
    ) -> ScenarioResult {
        Ok(self.scene().rpc_id(target, node, method, args)?)
    }

    /// Calls a method on all remote peers.
    pub(crate) fn rpc(
        &mut self,
        node: impl Into<NodeId>,
        method: &str,
        args: impl IntoArgs,
    ) -> ScenarioResult {
        self.rpc_id(Target::All, node, method, args)
    }

    /// Sends bytes, reliable on channel 0.
    pub(crate) fn send_bytes(&mut self, data: &[u8], target: impl Into<Target>) -> ScenarioResult {
        Ok(self.scene().send_bytes(data, target, TransferMode::Reliable, Channel(0))?)
    }

    /// Sets the hook for every signal.
    pub(crate) fn on_signal(&mut self, hook: impl FnMut(&mut Scene, &Signal) + 'static) {
        self.recorder.set_hook(hook);
    }

    /// Sets the hook for every frame, 60 times per second, before replication.
    pub(crate) fn on_frame(&mut self, hook: impl FnMut(&mut Scene) + 'static) {
        self.recorder.set_frame(hook);
    }

    /// Sets the hook for received bytes.
    pub(crate) fn on_peer_packet(
        &mut self,
        mut hook: impl FnMut(&mut Scene, PeerId, &[u8]) + 'static,
    ) {
        self.on_signal(move |scene, signal| {
            if let Signal::PeerPacket { from, data } = signal {
                hook(scene, *from, data);
            }
        });
    }

    /// Allows `peers` to leave from now on; any other disconnect fails the scenario. For a client,
    /// the server is one of them.
    pub(crate) fn may_leave(&mut self, peers: &[PeerId]) {
        self.recorder.may_leave(peers);
    }

    /// Returns the recorder of signals and failures.
    pub(crate) fn recorder(&self) -> &SignalRecorder {
        &self.recorder
    }

    /// Returns the signals so far, without packets. A client's are cleared when it joins.
    pub(crate) fn signals(&self) -> Vec<String> {
        self.recorder.signals()
    }

    /// Returns whether a signal was received.
    pub(crate) fn has_seen(&self, signal: &str) -> bool {
        self.signals().iter().any(|seen| seen == signal)
    }

    /// Returns the own peer id.
    pub(crate) fn me(&mut self) -> PeerId {
        self.scene().unique_id()
    }

    /// Returns the current time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Returns the connection status.
    pub(crate) fn status(&mut self) -> ConnectionStatus {
        self.scene().multiplayer().connection_status()
    }

    /// Returns whether the transport refuses new connections.
    pub(crate) fn is_refusing_new_connections(&self) -> bool {
        self.peer.as_ref().is_some_and(Tap::is_refusing_new_connections)
    }

    /// Returns the connected peers, sorted.
    pub(crate) fn peers(&mut self) -> Vec<PeerId> {
        let mut peers = self.scene().peers();
        peers.sort_unstable();
        peers
    }

    /// Returns the log of packets.
    pub(crate) fn tap(&self) -> TapLog {
        self.tap.clone()
    }

    /// Checks that the relay has forwarded exactly the packets of clients for others, in order,
    /// with mode, channel and bytes.
    pub(crate) fn check_relay(&mut self) {
        let links: Vec<(PeerId, ConnectionId)> = self
            .peers()
            .into_iter()
            .filter_map(|peer| Some((peer, self.scene().multiplayer().connection(peer)?.1)))
            .collect();
        for (peer, due, got) in self.tap().relayed(&links) {
            self.report.check_that(&format!("the relay had packets for {peer}"), !due.is_empty());
            self.report.check(&format!("packets relayed to {peer}"), got.len(), due.len());
            if let Some((got, due)) = got.into_iter().zip(due).find(|(got, due)| got != due) {
                self.report.check(&format!("a packet relayed to {peer}"), got, due);
            }
        }
    }

    /// Waits until `done` returns true.
    pub(crate) fn until(
        &mut self,
        what: &str,
        done: impl FnMut(&mut Self) -> bool,
    ) -> ScenarioResult {
        self.until_within(STEP, what, done)
    }

    /// Waits until `done` returns true, at most for `limit`.
    pub(crate) fn until_within(
        &mut self,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> ScenarioResult {
        let limit = self.clock.now() + limit;
        while !done(self) {
            if self.clock.now() >= limit {
                let signals = self.signals().join(", ");
                return Err(ScenarioError(format!(
                    "timed out waiting for {what}; signals so far: {signals}"
                )));
            }
            self.turn(what)?;
        }
        Ok(())
    }

    /// Calls `action` now and every 50 ms until `done` returns true.
    pub(crate) fn repeat_until(
        &mut self,
        what: &str,
        done: impl FnMut(&mut Self) -> bool,
        action: impl FnMut(&mut Self) -> ScenarioResult,
    ) -> ScenarioResult {
        self.repeat_every(REPEAT, what, done, action)
    }

    /// Calls `action` now and every `interval` until `done` returns true.
    pub(crate) fn repeat_every(
        &mut self,
        interval: Duration,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
        mut action: impl FnMut(&mut Self) -> ScenarioResult,
    ) -> ScenarioResult {
        let limit = self.clock.now() + STEP;
        while !done(self) {
            if self.clock.now() >= limit {
                return Err(ScenarioError(format!("timed out waiting for {what}")));
            }
            action(self)?;
            let next = self.clock.now() + interval;
            self.until(what, |world| world.clock.now() >= next || done(world))?;
        }
        Ok(())
    }

    /// Waits for a duration.
    pub(crate) fn pause(&mut self, time: Duration) -> ScenarioResult {
        let end = self.clock.now() + time;
        self.until_within(time + STEP, "time to pass", |world| world.clock.now() >= end)
    }

    /// Runs one turn of the loop.
    pub(crate) fn turn(&mut self, what: &str) -> ScenarioResult {
        let now = self.clock.now();
        if let Some(peer) = &mut self.peer {
            for _ in 0..PACKETS_PER_TURN {
                self.branch.poll(peer, now);
                if !peer.has_more() {
                    break;
                }
            }
        }
        if self.options.suite.fails_at_once() && self.report.has_failed() {
            return Err(ScenarioError(format!("a check failed before {what}")));
        }
        if now >= self.end {
            let seconds = self.options.timeout().as_secs_f64();
            return Err(ScenarioError(format!(
                "time limit of {seconds} s exceeded; waiting for {what}"
            )));
        }
        std::thread::sleep(TURN);
        Ok(())
    }

    /// Opens `peer` at once instead of in the next turn.
    fn open(&mut self, peer: Box<dyn MultiplayerPeer>) {
        let mut peer = Tap::new(peer, self.tap());
        self.branch.poll(&mut peer, self.clock.now());
        self.peer = Some(peer);
    }
}

impl<E: std::error::Error> From<E> for ScenarioError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
