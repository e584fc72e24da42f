//! Node `Main/Ctl`, which synchronizes the steps of a scenario between its sides.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::variant::{Array, Dictionary};
use mp_scene::prelude::*;
use serde_json::json;

use crate::report::Report;
use crate::world::{ScenarioError, ScenarioResult, World};

/// Server side of the control node.
pub(super) struct Ctl {
    node: NodeRef<CtlNode>,
    /// Peer ids by index, including clients that have left.
    pub(super) ids: Vec<PeerId>,
}

/// Client side of the control node.
pub(super) struct ClientCtl {
    node: NodeRef<CtlNode>,
    /// Peer ids by index.
    pub(super) ids: Vec<PeerId>,
}

/// Time limit for joining, and for long work of all clients: longer than one step may take.
pub(super) const LONG: Duration = Duration::from_secs(90);

impl Ctl {
    /// Adds the node, and listens.
    pub(super) fn new(world: &mut World) -> ScenarioResult<Self> {
        let node = CtlNode::add(world)?;
        world.listen()?;
        Ok(Self { node, ids: Vec::new() })
    }

    /// *Opening*: listens, waits for `hello` of every client, and starts them.
    pub(super) fn open(world: &mut World) -> ScenarioResult<Self> {
        let mut ctl = Self::new(world)?;
        ctl.gather(world)?;
        Ok(ctl)
    }

    /// Waits for `hello` of every client, and starts them.
    pub(super) fn gather(&mut self, world: &mut World) -> ScenarioResult {
        self.gather_some(world, world.options.peers())
    }

    /// Waits for `hello` of `count` clients, and starts them.
    pub(super) fn gather_some(&mut self, world: &mut World, count: usize) -> ScenarioResult {
        let (report, node) = (world.report.clone(), self.node);
        world.until_within(LONG, "hello of all", |world| world.get(node).hello.len() == count)?;
        self.ids =
            (0..count).filter_map(|index| world.get(node).hello.get(&index).copied()).collect();
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        report.check("the peers", world.peers(), ids);
        let ids: Array = self.ids.iter().map(|id| id.get()).collect();
        self.go_with(world, "start", &Dictionary::from([("ids", ids)]).into())
    }

    /// Removes the `hello` of a client, which will call it again.
    pub(super) fn forget_hello(&mut self, world: &mut World, index: usize) {
        world.get(self.node).hello.remove(&index);
    }

    /// Returns the peers that have called `hello`, by index.
    pub(super) fn hello(&self, world: &mut World) -> BTreeMap<usize, PeerId> {
        world.get(self.node).hello.clone()
    }

    /// Calls `go(step, null)` on all clients.
    pub(super) fn go(&self, world: &mut World, step: &str) -> ScenarioResult {
        self.go_with(world, step, &Variant::Nil)
    }

    /// Calls `go(step, data)` on all clients.
    pub(super) fn go_with(&self, world: &mut World, step: &str, data: &Variant) -> ScenarioResult {
        for id in self.remaining(world) {
            world.rpc_id(id, self.node, "go", (step, data))?;
        }
        Ok(())
    }

    /// Calls `go(step, null)` on one client.
    pub(super) fn go_for(&self, world: &mut World, id: PeerId, step: &str) -> ScenarioResult {
        world.rpc_id(id, self.node, "go", (step, Variant::Nil))
    }

    /// Waits for `note(step)` of every client.
    pub(super) fn notes(&self, world: &mut World, step: &str) -> ScenarioResult {
        self.notes_of(world, step, &self.ids)
    }

    /// Waits for `note(step)` of some clients.
    pub(super) fn notes_of(&self, world: &mut World, step: &str, ids: &[PeerId]) -> ScenarioResult {
        world.until(&format!("note {step}"), |world| self.has_notes(world, step, ids))
    }

    /// Returns whether all of `ids` have called `note(step)`.
    pub(super) fn has_notes(&self, world: &mut World, step: &str, ids: &[PeerId]) -> bool {
        let ctl = world.get(self.node);
        ids.iter().all(|&id| ctl.notes.contains_key(&(id, step.to_owned())))
    }

    /// *Ending*: waits for the clients' reports, sends the server's, and waits until they have
    /// left.
    pub(super) fn close(self, world: &mut World) -> ScenarioResult {
        let report = world.report.clone();
        let (node, ids) = (self.node, self.remaining(world));
        world.until_within(LONG, "the reports", |world| {
            let ctl = world.get(node);
            ids.iter().all(|id| ctl.reports.contains_key(id))
        })?;
        for (id, why) in world.get(node).reports.clone() {
            if let Err(why) = why {
                report.fail(format!("client {id}: {why}"));
            }
        }
        let why = report.summary();
        world.may_leave(&ids);
        for &id in &ids {
            world.rpc_id(id, node, "finish", (why.is_empty(), why.clone()))?;
        }
        world.until("the clients to leave", |world| world.peers().is_empty())?;
        for id in ids {
            let left = format!("peer_disconnected({id})");
            report.check_that(&left, world.has_seen(&left));
        }
        Ok(())
    }

    fn remaining(&self, world: &mut World) -> Vec<PeerId> {
        let peers = world.peers();
        self.ids.iter().copied().filter(|id| peers.contains(id)).collect()
    }
}

impl ClientCtl {
    /// Adds the node.
    pub(super) fn new(world: &mut World) -> ScenarioResult<Self> {
        Ok(Self { node: CtlNode::add(world)?, ids: Vec::new() })
    }

    /// *Opening*: joins, calls `hello`, and waits for the start.
    pub(super) fn enter(world: &mut World) -> ScenarioResult<Self> {
        let mut ctl = Self::new(world)?;
        ctl.join(world)?;
        Ok(ctl)
    }

    /// Joins (again), calls `hello`, and waits for the start.
    pub(super) fn join(&mut self, world: &mut World) -> ScenarioResult {
        self.forget(world);
        world.join()?;
        self.hello(world)?;
        self.wait_to_start(world)
    }

    /// Resets the received steps before another join.
    pub(super) fn forget(&self, world: &mut World) {
        world.get(self.node).go.clear();
    }

    /// Calls `hello`.
    pub(super) fn hello(&self, world: &mut World) -> ScenarioResult {
        world.rpc_id(PeerId::SERVER, self.node, "hello", (world.options.index as i64,))
    }

    /// Waits for `go("start")`, and stores its ids.
    pub(super) fn wait_to_start(&mut self, world: &mut World) -> ScenarioResult {
        let report = world.report.clone();
        world.until_within(LONG, "go start", |world| self.has_go(world, "start"))?;
        let data = self.go(world, "start")?.to::<Dictionary>()?;
        let ids = data.get(&"ids".into()).cloned().unwrap_or_default().to::<Array>()?;
        self.ids = ids.iter().filter_map(|id| PeerId::new(id.clone().to().ok()?)).collect();
        let mine = self.ids.get(world.options.index).copied();
        report.check("my id at the start", mine, Some(world.me()));
        if mine.is_none() {
            Err(ScenarioError("the ids do not contain my id".into()))
        } else {
            Ok(())
        }
    }

    /// Returns the other clients by index.
    pub(super) fn others(&self, world: &mut World) -> Vec<PeerId> {
        let me = world.me();
        self.ids.iter().copied().filter(|&id| id != me).collect()
    }

    /// Waits until the server and all other clients are peers.
    pub(super) fn settle(&self, world: &mut World) -> ScenarioResult {
        let mut peers = self.others(world);
        peers.push(PeerId::SERVER);
        peers.sort_unstable();
        world.until("the other clients", |world| world.peers() == peers)
    }

    /// Waits for `go(step)`, and returns its data.
    pub(super) fn go(&self, world: &mut World, step: &str) -> ScenarioResult<Variant> {
        world.until(&format!("go {step}"), |world| self.has_go(world, step))?;
        Ok(world.get(self.node).go.get(step).cloned().unwrap_or_default())
    }

    /// Returns whether `go(step)` has been received.
    pub(super) fn has_go(&self, world: &mut World, step: &str) -> bool {
        world.get(self.node).go.contains_key(step)
    }

    /// Calls `note(step, null)`.
    pub(super) fn note(&self, world: &mut World, step: &str) -> ScenarioResult {
        world.rpc_id(PeerId::SERVER, self.node, "note", (step, Variant::Nil))
    }

    /// *Ending*: sends this side's report, waits for the server's, and leaves.
    pub(super) fn close(self, world: &mut World) -> ScenarioResult {
        let (report, others) = (world.report.clone(), self.others(world));
        world.may_leave(&others);
        let why = report.summary();
        world.rpc_id(PeerId::SERVER, self.node, "report", (why.is_empty(), why))?;
        world.until_within(LONG, "finish", |world| world.get(self.node).finish.is_some())?;
        if let Some(Err(why)) = world.get(self.node).finish.clone() {
            report.fail(format!("the server's report: {why}"));
        }
        world.leave();
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct CtlNode {
    report: Report,
    hello: BTreeMap<usize, PeerId>,
    notes: BTreeMap<(PeerId, String), Variant>,
    reports: BTreeMap<PeerId, Result<(), String>>,
    /// Client: data of `go` by step, and the server's report.
    go: BTreeMap<String, Variant>,
    finish: Option<Result<(), String>>,
}

impl CtlNode {
    fn add(world: &mut World) -> ScenarioResult<NodeRef<Self>> {
        let report = world.report.clone();
        world.add("Ctl", Self { report, ..Self::default() })
    }
}

impl Node for CtlNode {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method(
                "finish",
                RpcConfig::authority(),
                |ctl: &mut Self, _cx, sent: (bool, String)| {
                    let (ok, why) = sent;
                    ctl.report.say(&json!({ "event": "finish", "ok": ok, "why": why }));
                    ctl.finish = Some(if ok { Ok(()) } else { Err(why) });
                },
            )
            .method("go", RpcConfig::authority(), |ctl: &mut Self, _cx, go: (String, Variant)| {
                let (step, data) = go;
                ctl.report.say(&json!({ "event": "go", "step": step }));
                ctl.go.insert(step, data);
            })
            .method("hello", RpcConfig::any_peer(), |ctl: &mut Self, cx, (index,): (usize,)| {
                let id = cx.remote_sender();
                ctl.report.say(&json!({ "event": "hello", "id": id.get(), "index": index }));
                let before = ctl.hello.insert(index, id);
                ctl.report.check(&format!("peer of client {index} before {id}"), before, None);
            })
            .method("note", RpcConfig::any_peer(), |ctl: &mut Self, cx, note: (String, Variant)| {
                let (id, (step, data)) = (cx.remote_sender(), note);
                ctl.report.say(&json!({ "event": "note", "id": id.get(), "step": step }));
                let before = ctl.notes.insert((id, step.clone()), data);
                ctl.report.check(&format!("note {step} of {id} before this"), before, None);
            })
            .method("report", RpcConfig::any_peer(), |ctl: &mut Self, cx, sent: (bool, String)| {
                let (id, (ok, why)) = (cx.remote_sender(), sent);
                let line = json!({ "event": "report", "id": id.get(), "ok": ok, "why": why });
                ctl.report.say(&line);
                let before = ctl.reports.insert(id, if ok { Ok(()) } else { Err(why) });
                ctl.report.check(&format!("report of {id} before this"), before, None);
            })
    }
}
