//! The node `Main/Ctl`: how the sides of a scenario keep in step.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::variant::{Array, Dictionary};
use mp_scene::prelude::*;
use serde_json::json;

use crate::report::Report;
use crate::world::{Played, World};

/// The server's control.
pub(super) struct Ctl {
    node: NodeRef<CtlNode>,
    /// Peer ids by index; those who have left too.
    pub(super) ids: Vec<PeerId>,
}

/// For joining, and for the work of all clients.
pub(super) const LONG: Duration = Duration::from_secs(20);

impl Ctl {
    /// Adds the node.
    pub(super) fn new(world: &mut World) -> Played<Self> {
        let report = world.report.clone();
        let node = world.add("Ctl", CtlNode { report, ..CtlNode::default() })?;
        Ok(Self { node, ids: Vec::new() })
    }

    /// *Opening*: waits for the `hello` of every client, and lets them start.
    pub(super) fn open(world: &mut World) -> Played<Self> {
        let mut ctl = Self::new(world)?;
        ctl.gather(world)?;
        Ok(ctl)
    }

    /// Waits for the `hello` of every client, and lets them start.
    pub(super) fn gather(&mut self, world: &mut World) -> Played {
        let report = world.report.clone();
        let (node, count) = (self.node, world.options.peers());
        world.until_within(LONG, "hello of all", |world| world.get(node).hello.len() == count)?;
        self.ids =
            (0..count).filter_map(|index| world.get(node).hello.get(&index).copied()).collect();
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        report.check("the peers", world.peers(), ids);
        let ids: Array = self.ids.iter().map(|id| id.get()).collect();
        self.go_with(world, "start", &Dictionary::from([("ids", ids)]).into())
    }

    /// All clients will say hello again.
    pub(super) fn forget_hello(&mut self, world: &mut World) {
        world.get(self.node).hello.clear();
    }

    /// Calls `go(step, null)` on every connected client.
    pub(super) fn go(&self, world: &mut World, step: &str) -> Played {
        self.go_with(world, step, &Variant::Nil)
    }

    /// Calls `go(step, data)` on every connected client.
    pub(super) fn go_with(&self, world: &mut World, step: &str, data: &Variant) -> Played {
        for id in self.remaining(world) {
            world.rpc_id(id, self.node, "go", (step, data))?;
        }
        Ok(())
    }

    /// Calls `go(step, null)` on one.
    pub(super) fn go_for(&self, world: &mut World, id: PeerId, step: &str) -> Played {
        world.rpc_id(id, self.node, "go", (step, Variant::Nil))
    }

    /// Waits for the note `step` of every client.
    pub(super) fn notes(&self, world: &mut World, step: &str) -> Played {
        self.notes_of(world, step, &self.ids)
    }

    /// Waits for the note `step` of some.
    pub(super) fn notes_of(&self, world: &mut World, step: &str, ids: &[PeerId]) -> Played {
        world.until(&format!("note {step}"), |world| self.has_notes(world, step, ids))
    }

    /// Whether all of `ids` have noted `step`.
    pub(super) fn has_notes(&self, world: &mut World, step: &str, ids: &[PeerId]) -> bool {
        let ctl = world.get(self.node);
        ids.iter().all(|&id| ctl.notes.contains_key(&(id, step.to_owned())))
    }

    /// *Ending*: waits for the verdicts of those who remain, tells them the server's, and sees them leave.
    pub(super) fn close(self, world: &mut World) -> Played {
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

#[derive(Default)]
pub(super) struct CtlNode {
    report: Report,
    hello: BTreeMap<usize, PeerId>,
    notes: BTreeMap<(PeerId, String), Variant>,
    reports: BTreeMap<PeerId, Result<(), String>>,
}

impl Node for CtlNode {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .remote("finish", RpcConfig::authority())
            .remote("go", RpcConfig::authority())
            .method("hello", RpcConfig::any_peer(), |ctl: &mut Self, cx, (index,): (usize,)| {
                let id = cx.remote_sender();
                ctl.report.say(&json!({ "event": "hello", "id": id.get(), "index": index }));
                let before = ctl.hello.insert(index, id);
                ctl.report.check(&format!("who was client {index} before {id}"), before, None);
            })
            .method("note", RpcConfig::any_peer(), |ctl: &mut Self, cx, note: (String, Variant)| {
                let (id, (step, data)) = (cx.remote_sender(), note);
                ctl.report.say(&json!({ "event": "note", "id": id.get(), "step": step }));
                let before = ctl.notes.insert((id, step.clone()), data);
                ctl.report.check(&format!("note {step} of {id} before this"), before, None);
            })
            .method("report", RpcConfig::any_peer(), |ctl: &mut Self, cx, said: (bool, String)| {
                let (id, (ok, why)) = (cx.remote_sender(), said);
                let line = json!({ "event": "report", "id": id.get(), "ok": ok, "why": why });
                ctl.report.say(&line);
                let before = ctl.reports.insert(id, if ok { Ok(()) } else { Err(why) });
                ctl.report.check(&format!("report of {id} before this"), before, None);
            })
    }
}
