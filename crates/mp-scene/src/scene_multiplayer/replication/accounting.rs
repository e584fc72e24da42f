//! Counts what synchronizers and spawned nodes send and receive while the branch has a viewer.

use mp_core::PeerId;
use slotmap::DefaultKey as Key;

use super::super::sender::Wire;
use super::super::traffic::{Accounts, Direction, SynchronizerRows, TrafficCount};
use super::state::{Property, Synchronizer};
use super::{Context, Replication, Synchronizers};
use crate::PacketKind;
use crate::codec::godot::variant::Decoder;
use crate::tree::{NodeId, NodeTree};

impl Synchronizer {
    /// Returns the rows of the properties.
    pub(super) fn rows(
        &mut self,
        accounts: &mut Accounts,
        tree: &dyn NodeTree,
    ) -> &mut SynchronizerRows {
        let Self { rows, node, spawned, synced, watched, .. } = self;
        rows.get_or_insert_with(|| {
            let path = |property: &Property| property.path().to_string();
            let paths = [
                spawned.iter().map(path).collect(),
                synced.iter().map(path).collect(),
                watched.iter().map(|watched| path(&watched.property)).collect(),
            ];
            Box::new(SynchronizerRows::new(accounts, tree, *node, paths))
        })
    }

    /// Counts the element of the last SYNC, which `receivers` peers are sent.
    pub(super) fn count_sync(&self, accounts: &mut Accounts, receivers: usize) {
        if let Some(rows) = &self.rows {
            rows.count_sync(accounts, receivers);
        }
    }

    /// Counts an element of a DELTA with the properties in `mask`, which `receivers` peers are
    /// sent.
    pub(super) fn count_delta(
        &mut self,
        accounts: &mut Accounts,
        tree: &dyn NodeTree,
        mask: u64,
        receivers: usize,
    ) {
        self.rows(accounts, tree);
        if let Some(rows) = &self.rows {
            rows.count_delta(accounts, mask, self.values(mask), receivers);
        }
    }

    /// Counts a received element of a SYNC, or with a mask one of a DELTA.
    pub(super) fn count_received(
        &mut self,
        accounts: &mut Accounts,
        tree: &dyn NodeTree,
        wire: &Wire,
        mask: Option<u64>,
        values: &[u8],
    ) {
        let rows = self.rows(accounts, tree);
        match mask {
            None => rows.count_received_sync(accounts, values, wire.limits()),
            Some(mask) => rows.count_received_delta(accounts, mask, values, wire.limits()),
        }
    }
}

/// Counts a SPAWN of `node` with `len` bytes, which `packets` packets contain. `state` has the
/// values of the synchronizers `keys`.
pub(super) fn count_spawn(
    cx: &mut Context<'_>,
    synchronizers: &mut Synchronizers,
    direction: Direction,
    (node, keys): (NodeId, &[Key]),
    (len, state): (usize, &[u8]),
    packets: usize,
) {
    let Some(accounts) = cx.traffic.accounts() else { return };
    let spawn = (PacketKind::Spawn, node);
    let head = TrafficCount::each(packets, len - state.len());
    accounts.count_node(cx.tree, direction, spawn, head);
    let mut state = Decoder::new(state, cx.sender.wire().limits());
    for &key in keys {
        let Some(synchronizer) = synchronizers.get_mut(key) else { continue };
        let rows = synchronizer.rows(accounts, cx.tree);
        rows.count_spawned(accounts, direction, &mut state, packets);
    }
}

impl Replication {
    /// Returns the entity's synchronizers over which `peer` has authority.
    fn synchronizers_of(&self, node: NodeId, peer: PeerId) -> Vec<Key> {
        let entity = self.entities.get(&node);
        let keys = entity.map(|entity| entity.synchronizers.as_slice()).unwrap_or_default();
        let is_of_peer =
            |key: &Key| self.synchronizers.get(*key).is_some_and(|it| it.authority == peer);
        keys.iter().copied().filter(is_of_peer).collect()
    }

    /// Counts a SPAWN that was sent to `receivers` peers.
    pub(super) fn count_sent_spawn(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeId,
        (len, state): (usize, &[u8]),
        receivers: usize,
    ) {
        if cx.traffic.accounts().is_none() {
            return;
        }
        let keys = self.synchronizers_of(node, cx.own);
        let (direction, entity) = (Direction::Sent, (node, &*keys));
        count_spawn(cx, &mut self.synchronizers, direction, entity, (len, state), receivers);
    }

    /// Counts a received SPAWN, whose node is in the tree.
    pub(in super::super) fn count_received_spawn(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        net_id: u32,
        (len, state): (usize, &[u8]),
    ) {
        if cx.traffic.accounts().is_none() {
            return;
        }
        let info = self.peers.get(&sender);
        let Some(&node) = info.and_then(|info| info.entities.get(&net_id)) else { return };
        let keys = self.synchronizers_of(node, sender);
        let (direction, entity) = (Direction::Received, (node, &*keys));
        count_spawn(cx, &mut self.synchronizers, direction, entity, (len, state), 1);
    }
}
