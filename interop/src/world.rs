//! One side of a scenario while it runs: a branch, its transport, and a game's own loop.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionId, DisconnectReason, Farewell, Instant, PeerId, Target, TransferMode,
};
use mp_scene::prelude::*;
use mp_scene::rpc::IntoArgs;
use serde_json::json;

use crate::options::Options;
use crate::report::Report;
use crate::tap::{Tap, TapLog};

/// What a scenario works with. Nothing happens behind its back: the network moves while it waits.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) report: Report,
    branch: Branch,
    peer: Tap,
    watch: Rc<RefCell<Watch>>,
    clock: SystemClock,
    end: Instant,
}

/// Why a scenario cannot go on.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

/// What became of a scenario, or of a step.
pub(crate) type Played<T = ()> = Result<T, Failed>;

/// How long a side waits for what it expects next, unless a scenario says otherwise.
pub(crate) const STEP: Duration = Duration::from_secs(12);

/// How often calls that may be lost are repeated.
pub(crate) const REPEAT: Duration = Duration::from_millis(50);

/// A game's frame.
pub(crate) const FRAME: Duration = Duration::from_micros(16_667);

/// Between two turns of the loop.
const TURN: Duration = Duration::from_millis(2);

/// What the branch's hooks see and do.
#[derive(Default)]
struct Watch {
    signals: Vec<String>,
    may_leave: BTreeSet<PeerId>,
    on_peer_packet: Option<OnPeerPacket>,
}

type OnPeerPacket = Box<dyn FnMut(&mut Scene, PeerId, &[u8])>;

impl World {
    /// A branch with the node `Main` in a world of its own, on `peer`.
    pub(crate) fn new(options: Options, report: Report, peer: Tap) -> Played<Self> {
        let watch = Rc::new(RefCell::new(Watch::default()));
        let branch = Branch::builder("/root")
            .setup(|scene| scene.add("Main", Group).map(drop))
            .on_signal({
                let (watch, report) = (Rc::clone(&watch), report.clone());
                move |scene, signal| on_signal(&watch, &report, scene, signal)
            })
            .build()?;
        let clock = SystemClock::new();
        let end = clock.now() + options.timeout();
        Ok(Self { options, report, branch, peer, watch, clock, end })
    }

    /// Adds a node below `Main`.
    pub(crate) fn add<N: Node>(&mut self, path: &str, node: N) -> Played<NodeRef<N>> {
        Ok(self.scene().add(&format!("Main/{path}"), node)?)
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

    /// What to do with bytes of peers, while their packet is being handled.
    pub(crate) fn on_peer_packet(&mut self, hook: impl FnMut(&mut Scene, PeerId, &[u8]) + 'static) {
        self.watch.borrow_mut().on_peer_packet = Some(Box::new(hook));
    }

    /// From now on `peers` may leave; a leaving of others is a failure.
    pub(crate) fn may_leave(&mut self, peers: &[PeerId]) {
        self.watch.borrow_mut().may_leave.extend(peers);
    }

    /// The signals so far, but for bytes of peers.
    pub(crate) fn signals(&self) -> Vec<String> {
        self.watch.borrow().signals.clone()
    }

    /// Whether this signal has come.
    pub(crate) fn has_seen(&self, signal: &str) -> bool {
        self.watch.borrow().signals.iter().any(|seen| seen == signal)
    }

    /// The peers, sorted.
    pub(crate) fn peers(&mut self) -> Vec<PeerId> {
        let mut peers = self.scene().peers();
        peers.sort_unstable();
        peers
    }

    /// How packets travel.
    pub(crate) fn tap(&self) -> TapLog {
        self.peer.log()
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
        mut done: impl FnMut(&mut Self) -> bool,
        mut action: impl FnMut(&mut Self) -> Played,
    ) -> Played {
        let limit = self.clock.now() + STEP;
        while !done(self) {
            if self.clock.now() >= limit {
                return Err(Failed(format!("waited in vain for {what}")));
            }
            action(self)?;
            let next = self.clock.now() + REPEAT;
            self.until(what, |world| world.clock.now() >= next || done(world))?;
        }
        Ok(())
    }

    /// Lets time pass.
    pub(crate) fn pause(&mut self, time: Duration) -> Played {
        let end = self.clock.now() + time;
        self.until_within(time + STEP, "time to pass", |world| world.clock.now() >= end)
    }

    /// Ends all connections at once.
    pub(crate) fn close(&mut self) {
        self.watch.borrow_mut().may_leave = self.scene().peers().into_iter().collect();
        self.branch.close(DisconnectReason::Closed, Farewell::Polite);
        self.branch.poll(&mut self.peer, self.clock.now());
    }

    /// One turn of the loop.
    fn turn(&mut self, what: &str) -> Played {
        let now = self.clock.now();
        self.branch.poll(&mut self.peer, now);
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

fn on_signal(watch: &RefCell<Watch>, report: &Report, scene: &mut Scene, signal: &Signal) {
    let name = match signal {
        Signal::PeerPacket { from, data } => {
            // Taken out while it runs, as it may do anything with the scene.
            let hook = watch.borrow_mut().on_peer_packet.take();
            match hook {
                Some(mut hook) => {
                    hook(scene, *from, data);
                    watch.borrow_mut().on_peer_packet = Some(hook);
                }
                None => report.fail(format!("{} bytes of {from} came unasked", data.len())),
            }
            return;
        }
        Signal::PeerConnected(peer) => format!("peer_connected({peer})"),
        Signal::PeerDisconnected(peer) => format!("peer_disconnected({peer})"),
        Signal::ServerDisconnected => "server_disconnected".to_owned(),
        other => format!("{other:?}"),
    };
    let peers: Vec<i32> = scene.peers().into_iter().map(PeerId::get).collect();
    report.say(&json!({ "event": "signal", "signal": name, "peers": peers }));
    let mut watch = watch.borrow_mut();
    watch.signals.push(name);
    if let Signal::PeerDisconnected(peer) = signal
        && !watch.may_leave.contains(peer)
    {
        report.fail(format!("peer {peer} has left too early"));
    }
}
