//! Node `Main/Desk`, which synchronizes the steps of a scenario between its sides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mp_core::variant::Array;
use mp_scene::prelude::*;
use serde_json::json;

use crate::report::Report;
use crate::world::{ScenarioError, ScenarioResult, World};

/// Server side of the desk.
pub(super) struct Desk {
    node: NodeRef<DeskNode>,
    /// Peer ids by index.
    pub(super) ids: Vec<PeerId>,
}

/// Client side of the desk.
pub(super) struct ClientDesk {
    node: NodeRef<DeskNode>,
    /// Peer ids by index.
    pub(super) ids: Vec<PeerId>,
}

const JOIN: Duration = Duration::from_secs(90);

impl Desk {
    /// *Opening*: listens, waits for `join` of every client, and calls `begin`.
    pub(super) fn open(world: &mut World) -> ScenarioResult<Self> {
        let report = world.report.clone();
        let node = world.add("Desk", DeskNode { report, ..DeskNode::default() })?;
        world.listen()?;
        let mut desk = Self { node, ids: Vec::new() };
        desk.gather(world)?;
        Ok(desk)
    }

    /// Resets all steps, and the `join` of all clients but `staying`, before clients rejoin.
    pub(super) fn reset(&mut self, world: &mut World, staying: usize) {
        let desk = world.get(self.node);
        desk.joined.retain(|&index, _| index == staying);
        desk.done.clear();
    }

    /// Waits for `join` of every client, and calls `begin`.
    pub(super) fn gather(&mut self, world: &mut World) -> ScenarioResult {
        let report = world.report.clone();
        let (node, count) = (self.node, world.options.peers());
        world.until_within(JOIN, "join of all", |world| world.get(node).joined.len() == count)?;
        self.ids =
            (0..count).filter_map(|index| world.get(node).joined.get(&index).copied()).collect();
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        report.check("the peers", world.peers(), ids);
        let ids: Array = self.ids.iter().map(|id| id.get()).collect();
        world.rpc(node, "begin", (ids,))
    }

    /// Waits for `done(step)` of every client.
    pub(super) fn wait_for_all(&self, world: &mut World, step: &str) -> ScenarioResult {
        world.until(&format!("done {step}"), |world| self.is_done(world, step))
    }

    /// Returns whether every client has called `done(step)`.
    pub(super) fn is_done(&self, world: &mut World, step: &str) -> bool {
        let done = world.get(self.node).done.get(step);
        done.is_some_and(|done| self.ids.iter().all(|id| done.contains(id)))
    }

    /// Calls `next(step)` on all.
    pub(super) fn next(&self, world: &mut World, step: &str) -> ScenarioResult {
        world.rpc(self.node, "next", (step,))
    }

    /// Calls `next(step)` on one client.
    pub(super) fn next_for(&self, world: &mut World, id: PeerId, step: &str) -> ScenarioResult {
        world.rpc_id(id, self.node, "next", (step,))
    }

    /// *Ending*: waits for `done("all")`, calls `end`, and waits until all clients have left.
    pub(super) fn close(self, world: &mut World) -> ScenarioResult {
        let report = world.report.clone();
        self.wait_for_all(world, "all")?;
        world.may_leave(&self.ids);
        world.rpc(self.node, "end", ())?;
        world.until("the clients to leave", |world| world.peers().is_empty())?;
        for id in self.ids {
            let signal = format!("peer_disconnected({id})");
            report.check(
                &signal,
                world.signals().iter().filter(|seen| **seen == signal).count(),
                1,
            );
        }
        Ok(())
    }
}

impl ClientDesk {
    /// *Opening*: connects, calls `join`, and waits for `begin`.
    pub(super) fn enter(world: &mut World) -> ScenarioResult<Self> {
        let report = world.report.clone();
        let node = world.add("Desk", DeskNode { report, ..DeskNode::default() })?;
        let mut desk = Self { node, ids: Vec::new() };
        desk.join(world)?;
        Ok(desk)
    }

    /// Connects (again), calls `join`, and waits for `begin`.
    pub(super) fn join(&mut self, world: &mut World) -> ScenarioResult {
        let desk = world.get(self.node);
        (desk.begun, desk.wait_for_next) = (None, BTreeSet::new());
        world.join()?;
        world.rpc_id(PeerId::SERVER, self.node, "join", (world.options.index as i64,))?;
        self.wait_to_begin(world)
    }

    /// Resets the received `begin`.
    pub(super) fn reset_begin(&self, world: &mut World) {
        world.get(self.node).begun = None;
    }

    /// Waits for `begin`, and stores its ids.
    pub(super) fn wait_to_begin(&mut self, world: &mut World) -> ScenarioResult {
        let (report, node) = (world.report.clone(), self.node);
        world.until_within(JOIN, "begin", |world| world.get(node).begun.is_some())?;
        self.ids = world.get(node).begun.clone().unwrap_or_default();
        report.check("the number of ids", self.ids.len(), world.options.peers());
        let mine = self.ids.get(world.options.index).copied();
        report.check("my id in begin", mine, Some(world.me()));
        if report.has_failed() {
            return Err(ScenarioError("begin does not contain my id".into()));
        }
        Ok(())
    }

    /// Returns the other client in a scenario of two.
    pub(super) fn other(&self, world: &World) -> PeerId {
        self.ids[1 - world.options.index]
    }

    /// Waits until the server and the other client are the peers.
    pub(super) fn settle(&self, world: &mut World) -> ScenarioResult {
        let peers = vec![PeerId::SERVER, self.other(world)];
        world.until("the server and the other client", |world| world.peers() == peers)
    }

    /// Calls `done(step)`, and waits for `next(step)`.
    pub(super) fn step(&self, world: &mut World, step: &str) -> ScenarioResult {
        self.done(world, step)?;
        self.wait_for_next(world, step)
    }

    /// Calls `done(step)`.
    pub(super) fn done(&self, world: &mut World, step: &str) -> ScenarioResult {
        world.rpc_id(PeerId::SERVER, self.node, "done", (step,))
    }

    /// Waits for `next(step)`.
    pub(super) fn wait_for_next(&self, world: &mut World, step: &str) -> ScenarioResult {
        world.until(&format!("next {step}"), |world| self.has_next(world, step))
    }

    /// Returns whether `next(step)` has been received.
    pub(super) fn has_next(&self, world: &mut World, step: &str) -> bool {
        world.get(self.node).wait_for_next.contains(step)
    }

    /// *Ending*: calls `done("all")`, waits for `end`, and leaves.
    pub(super) fn close(self, world: &mut World) -> ScenarioResult {
        let others: Vec<_> = self.ids.iter().copied().filter(|&id| id != world.me()).collect();
        world.may_leave(&others);
        self.done(world, "all")?;
        world.until("end", |world| world.get(self.node).has_ended)?;
        world.leave();
        Ok(())
    }
}

#[derive(Default)]
struct DeskNode {
    report: Report,
    joined: BTreeMap<usize, PeerId>,
    done: BTreeMap<String, BTreeSet<PeerId>>,
    /// Client: ids of `begin`, steps of `next`, and whether `end` was received.
    begun: Option<Vec<PeerId>>,
    wait_for_next: BTreeSet<String>,
    has_ended: bool,
}

impl Node for DeskNode {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("begin", RpcConfig::authority(), |desk: &mut Self, _cx, (ids,): (Array,)| {
                let ids = ids.iter().filter_map(|id| PeerId::new(id.clone().to().ok()?));
                desk.begun = Some(ids.collect());
            })
            .method("done", RpcConfig::any_peer(), |desk: &mut Self, cx, (step,): (String,)| {
                let id = cx.remote_sender();
                desk.report.say(&json!({ "event": "done", "step": step, "id": id.get() }));
                let is_new = desk.done.entry(step.clone()).or_default().insert(id);
                desk.report.check_that(&format!("done({step}) of {id} was received once"), is_new);
            })
            .method("end", RpcConfig::authority(), |desk: &mut Self, _cx, (): ()| {
                desk.has_ended = true;
            })
            .method("join", RpcConfig::any_peer(), |desk: &mut Self, cx, (index,): (usize,)| {
                let id = cx.remote_sender();
                desk.report.say(&json!({ "event": "join", "index": index, "id": id.get() }));
                let before = desk.joined.insert(index, id);
                desk.report.check(&format!("peer of client {index} before {id}"), before, None);
            })
            .method("next", RpcConfig::authority(), |desk: &mut Self, _cx, (step,): (String,)| {
                desk.report.say(&json!({ "event": "next", "step": step }));
                desk.wait_for_next.insert(step);
            })
    }
}
