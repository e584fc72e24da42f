//! One side of a scenario while it runs: a branch, its transport, and a game's own loop.

use std::fmt;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, Farewell, Instant, MultiplayerPeer,
    PeerId, Target, TransferMode,
};
use mp_scene::prelude::*;
use mp_scene::rpc::IntoArgs;
use mp_transport_enet::proto::Patience;
use serde_json::json;

use crate::options::Options;
use crate::report::Report;
use crate::tap::{Tap, TapLog};
use crate::transport;
use crate::watch::Watch;

/// What a scenario works with. Nothing happens behind its back: the network moves while it waits.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) report: Report,
    /// When silent peers are given up, from the next [`listen`](Self::listen) or [`connect`](Self::connect) on.
    pub(crate) patience: Patience,
    branch: Branch,
    /// None before it listens or connects, and after it has left.
    peer: Option<Tap>,
    tap: TapLog,
    watch: Watch,
    clock: SystemClock,
    end: Instant,
}

/// Why a scenario cannot go on.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

/// What became of a scenario, or of a step.
pub(crate) type Played<T = ()> = Result<T, Failed>;

/// How long a side waits for what it expects next, unless a scenario says otherwise. It takes some
/// milliseconds on an idle machine; a slow or busy one must not fail.
pub(crate) const STEP: Duration = Duration::from_secs(60);

/// How long a client tries to join, how long one attempt may take, and the time between attempts.
const JOIN: Duration = Duration::from_secs(90);
const ATTEMPT: Duration = Duration::from_secs(10);
pub(crate) const REJOIN: Duration = Duration::from_millis(100);

/// How often calls that may be lost are repeated.
pub(crate) const REPEAT: Duration = Duration::from_millis(50);

/// A game's frame.
pub(crate) const FRAME: Duration = Duration::from_micros(16_667);

/// Packets that one turn handles.
const PACKETS_PER_TURN: usize = 4_096;

/// Between two turns of the loop.
const TURN: Duration = Duration::from_millis(2);

impl World {
    /// A branch of its own with the node `Main`, which is not on the network yet.
    pub(crate) fn new(options: Options, report: Report) -> Played<Self> {
        let mut world = Self::rooted("/root", options, report)?;
        world.scene().add("Main", Group)?;
        Ok(world)
    }

    /// An empty branch whose multiplayer root is at `root`, which is not on the network yet.
    pub(crate) fn rooted(root: &str, options: Options, report: Report) -> Played<Self> {
        let watch = Watch::new(report.clone());
        let (hook, frames) = (watch.clone(), watch.clone());
        let branch = Branch::builder(root)
            .on_signal(move |scene, signal| hook.note(scene, signal))
            .on_process(move |scene, _delta| frames.frame(scene))
            .build()?;
        let clock = SystemClock::new();
        let end = clock.now() + options.timeout();
        let (patience, tap) = (Patience::default(), TapLog::new(options.transport.has_modes()));
        Ok(Self { options, report, patience, branch, peer: None, tap, watch, clock, end })
    }

    /// Lets clients join, and says so.
    pub(crate) fn listen(&mut self) -> Played {
        let peer = transport::server(&self.options, self.patience)?;
        self.open(peer);
        self.report.say(&json!({
            "event": "listening",
            "transport": self.options.transport.name(),
            "port": self.options.port,
            "scenario": self.options.scenario,
        }));
        Ok(())
    }

    /// Joins the server; tries again for a while when it cannot be reached.
    pub(crate) fn join(&mut self) -> Played {
        let limit = self.clock.now() + JOIN;
        while !self.try_join()? {
            if self.clock.now() >= limit {
                return Err(Failed("could not connect".into()));
            }
            self.leave();
            self.pause(REJOIN)?;
        }
        Ok(())
    }

    /// Tries to join once; whether that worked.
    pub(crate) fn try_join(&mut self) -> Played<bool> {
        self.connect()?;
        let limit = self.clock.now() + ATTEMPT;
        self.until("the end of an attempt to connect", |world| {
            world.status() != ConnectionStatus::Connecting || world.clock.now() >= limit
        })?;
        Ok(self.has_seen("connected_to_server"))
    }

    /// Begins to join, with no signals so far.
    pub(crate) fn connect(&mut self) -> Played {
        self.leave();
        let peer = transport::client(&self.options, self.patience)?;
        self.watch.join();
        self.open(peer);
        Ok(())
    }

    /// Ends all connections at once, and says goodbye. Signals of this are not noted.
    pub(crate) fn leave(&mut self) {
        let Some(mut peer) = self.peer.take() else { return };
        self.watch.leave();
        self.branch.close(DisconnectReason::Closed, Farewell::Abrupt);
        self.branch.poll(&mut peer, self.clock.now());
    }

    /// As [`leave`](Self::leave) without a goodbye: not a single packet goes out any more.
    pub(crate) fn vanish(&mut self) {
        let Some(mut peer) = self.peer.take() else { return };
        self.watch.leave();
        peer.cut();
        self.branch.poll(&mut peer, self.clock.now());
    }

    /// Adds a node below `Main`.
    pub(crate) fn add<N: Node>(&mut self, path: &str, node: N) -> Played<NodeRef<N>> {
        Ok(self.scene().add(&format!("Main/{path}"), node)?)
    }

    /// Adds a node with all below it under the node at `parent`, which is below `Main`.
    pub(crate) fn add_instance(&mut self, parent: &str, instance: Instance) -> Played<NodeId> {
        Ok(self.scene().add_instance(&format!("Main/{parent}"), instance)?)
    }

    /// The object of the node at `path` below `Main`.
    pub(crate) fn at<N: Node>(&mut self, path: &str) -> Played<&mut N> {
        let node = self.scene().node(&format!("Main/{path}"))?;
        Ok(self.scene().get_mut(node)?)
    }

    /// Whether there is a node at `path` below `Main`.
    pub(crate) fn has(&mut self, path: &str) -> bool {
        self.scene().find(&format!("Main/{path}")).is_ok()
    }

    /// Removes the node at `path` below `Main`.
    pub(crate) fn remove(&mut self, path: &str) -> Played {
        let node = self.scene().find(&format!("Main/{path}"))?;
        self.scene().remove(node)?;
        Ok(())
    }

    /// The names of the nodes below `path`, which is below `Main`, in order.
    pub(crate) fn children(&mut self, path: &str) -> Vec<String> {
        let scene = self.scene();
        let Ok(node) = scene.find(&format!("Main/{path}")) else { return Vec::new() };
        let tree = scene.tree();
        tree.children(node).filter_map(|child| tree.name(child).map(str::to_owned)).collect()
    }

    /// The object of a node.
    pub(crate) fn get<N: Node>(&mut self, node: NodeRef<N>) -> &mut N {
        self.scene().get_mut(node).expect("scenarios look between turns and remove no nodes")
    }

    /// The scene.
    pub(crate) fn scene(&mut self) -> &mut Scene {
        self.branch.scene()
    }

    /// Calls a method of others.
    pub(crate) fn rpc_id(
        &mut self,
        target: impl Into<Target>,
        node: impl Into<NodeId>,
        method: &str,
        args: impl IntoArgs,
    ) -> Played {
        Ok(self.scene().rpc_id(target, node, method, args)?)
    }

    /// Calls a method of all others.
    pub(crate) fn rpc(
        &mut self,
        node: impl Into<NodeId>,
        method: &str,
        args: impl IntoArgs,
    ) -> Played {
        self.rpc_id(Target::All, node, method, args)
    }

    /// Sends bytes, reliable on channel 0.
    pub(crate) fn send_bytes(&mut self, data: &[u8], target: impl Into<Target>) -> Played {
        Ok(self.scene().send_bytes(data, target, TransferMode::Reliable, Channel(0))?)
    }

    /// What to do on every signal, at once.
    pub(crate) fn on_signal(&mut self, hook: impl FnMut(&mut Scene, &Signal) + 'static) {
        self.watch.set_hook(hook);
    }

    /// What to do in every frame, 60 times per second, before synchronizers are looked at.
    pub(crate) fn on_frame(&mut self, hook: impl FnMut(&mut Scene) + 'static) {
        self.watch.set_frame(hook);
    }

    /// What to do with bytes of peers, while their packet is being handled.
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

    /// From now on `peers` may leave; a leaving of others is a failure. For a client the server is one of them.
    pub(crate) fn may_leave(&mut self, peers: &[PeerId]) {
        self.watch.may_leave(peers);
    }

    /// Returns the signals and failures so far.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The signals so far, but for bytes of peers. A client's start afresh when it joins.
    pub(crate) fn signals(&self) -> Vec<String> {
        self.watch.signals()
    }

    /// Whether this signal has come.
    pub(crate) fn has_seen(&self, signal: &str) -> bool {
        self.signals().iter().any(|seen| seen == signal)
    }

    /// This side's own id.
    pub(crate) fn me(&mut self) -> PeerId {
        self.scene().unique_id()
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Whether this side takes part in a session.
    pub(crate) fn status(&mut self) -> ConnectionStatus {
        self.scene().multiplayer().connection_status()
    }

    /// Whether the transport turns new connections away.
    pub(crate) fn is_refusing_new_connections(&self) -> bool {
        self.peer.as_ref().is_some_and(Tap::is_refusing_new_connections)
    }

    /// The peers, sorted.
    pub(crate) fn peers(&mut self) -> Vec<PeerId> {
        let mut peers = self.scene().peers();
        peers.sort_unstable();
        peers
    }

    /// How packets travel.
    pub(crate) fn tap(&self) -> TapLog {
        self.tap.clone()
    }

    /// The relay has passed on exactly what clients sent for others, in order, as it came: mode, channel and bytes.
    pub(crate) fn check_relay(&mut self) {
        let links: Vec<(PeerId, ConnectionId)> = self
            .peers()
            .into_iter()
            .filter_map(|peer| Some((peer, self.scene().multiplayer().link(peer)?.1)))
            .collect();
        for (peer, due, got) in self.tap().relayed(&links) {
            self.report.check_that(&format!("the relay had something for {peer}"), !due.is_empty());
            self.report.check(&format!("packets relayed to {peer}"), got.len(), due.len());
            if let Some((got, due)) = got.into_iter().zip(due).find(|(got, due)| got != due) {
                self.report.check(&format!("a packet relayed to {peer}"), got, due);
            }
        }
    }

    /// Waits until `done`.
    pub(crate) fn until(&mut self, what: &str, done: impl FnMut(&mut Self) -> bool) -> Played {
        self.until_within(STEP, what, done)
    }

    /// Waits until `done`, at most for `limit`.
    pub(crate) fn until_within(
        &mut self,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Played {
        let limit = self.clock.now() + limit;
        while !done(self) {
            if self.clock.now() >= limit {
                let signals = self.signals().join(", ");
                return Err(Failed(format!(
                    "waited in vain for {what}; signals so far: {signals}"
                )));
            }
            self.turn(what)?;
        }
        Ok(())
    }

    /// Does `action` now and every 50 ms until `done`.
    pub(crate) fn repeat_until(
        &mut self,
        what: &str,
        done: impl FnMut(&mut Self) -> bool,
        action: impl FnMut(&mut Self) -> Played,
    ) -> Played {
        self.repeat_every(REPEAT, what, done, action)
    }

    /// Does `action` now and after every `interval` until `done`.
    pub(crate) fn repeat_every(
        &mut self,
        interval: Duration,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
        mut action: impl FnMut(&mut Self) -> Played,
    ) -> Played {
        let limit = self.clock.now() + STEP;
        while !done(self) {
            if self.clock.now() >= limit {
                return Err(Failed(format!("waited in vain for {what}")));
            }
            action(self)?;
            let next = self.clock.now() + interval;
            self.until(what, |world| world.clock.now() >= next || done(world))?;
        }
        Ok(())
    }

    /// Lets time pass.
    pub(crate) fn pause(&mut self, time: Duration) -> Played {
        let end = self.clock.now() + time;
        self.until_within(time + STEP, "time to pass", |world| world.clock.now() >= end)
    }

    /// One turn of the loop.
    pub(crate) fn turn(&mut self, what: &str) -> Played {
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
            return Err(Failed(format!("a check failed before {what}")));
        }
        if now >= self.end {
            let seconds = self.options.timeout().as_secs_f64();
            return Err(Failed(format!("not done after {seconds} s; waiting for {what}")));
        }
        std::thread::sleep(TURN);
        Ok(())
    }

    /// Takes part through `peer`, from now on rather than from the next turn.
    fn open(&mut self, peer: Box<dyn MultiplayerPeer>) {
        let mut peer = Tap::new(peer, self.tap());
        self.branch.poll(&mut peer, self.clock.now());
        self.peer = Some(peer);
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
