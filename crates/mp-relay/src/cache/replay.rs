//! [`Replay`]: the packets for a guest that joins while there is no host.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use mp_scene::codec::Objects;
use mp_scene::codec::godot::elements::BY_PATH;
use mp_scene::codec::godot::with_spawner;
use mp_scene::{Codec, SceneMessage};

use super::values::Values;
use super::{CachedNode, PlacedSynchronizer, StateCache};
use crate::ids::{AnnouncedPath, RoomIds};

/// The packets that give a guest the nodes and properties of a cache.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Packets of peer 1, to be sent reliably in this order.
    pub(crate) packets: Vec<Bytes>,
    /// Net ids of the nodes in `packets`.
    pub(crate) nodes: Vec<u32>,
    /// Number of nodes that the guest does not receive.
    pub(crate) withheld: usize,
}

/// The part of a cache that a guest receives that joins without a host.
#[derive(Debug)]
pub(super) struct Public<'c> {
    /// In the order of their announcements.
    pub(super) nodes: Vec<(u32, &'c CachedNode)>,
    pub(super) placed: Vec<&'c PlacedSynchronizer>,
    /// Number of nodes that the guest does not receive.
    withheld: usize,
}

impl StateCache {
    /// Returns the public nodes and placed synchronizers, except those below a node that is not
    /// public.
    pub(super) fn public(&self) -> Public<'_> {
        let mut nodes: Vec<(u32, &CachedNode)> =
            self.nodes.iter().map(|(&id, node)| (id, node)).collect();
        nodes.sort_unstable_by_key(|(_, node)| node.order);
        let mut withheld: Vec<&str> = Vec::new();
        nodes.retain(|(_, node)| {
            let is_below_withheld = withheld.iter().any(|name| node.spawner.contains(name));
            let is_public = node.is_public && !node.spawn.is_empty() && !is_below_withheld;
            if !is_public {
                withheld.push(&node.name);
            }
            is_public
        });
        let is_below_withheld =
            |placed: &PlacedSynchronizer| withheld.iter().any(|name| placed.path.contains(name));
        let placed = self.placed.values().filter(|it| it.is_public && !is_below_withheld(it));
        Public { placed: placed.collect(), nodes, withheld: withheld.len() }
    }

    /// Returns the packets for a guest: each public node with its values, and each public placed
    /// synchronizer. Nodes for which `has_node` returns true are not announced again. Paths get ids
    /// of their own, since a guest accepts each once. `time` is the number of the SYNCs.
    pub(crate) fn replay(
        &self,
        room: &mut RoomIds,
        time: u16,
        has_node: impl Fn(u32) -> bool,
    ) -> Replay {
        let mut replay = Replay::default();
        let mut spawners = BTreeMap::new();
        let Public { nodes, placed, withheld } = self.public();
        for (id, node) in nodes {
            if !has_node(id) {
                let spawner = *spawners
                    .entry(node.spawner.path())
                    .or_insert_with(|| replay.announce(room, &node.spawner));
                let Ok(spawn) = with_spawner(&node.spawn, spawner) else { continue };
                replay.packets.push(spawn);
                replay.nodes.push(id);
            }
            let values = |id: &u32| Some((*id, self.spawned.get(id)?));
            replay.put_values(time, node.synchronizers.iter().filter_map(values));
        }
        for placed in placed {
            let id = replay.announce(room, &placed.path) | BY_PATH;
            replay.put_values(time, [(id, &placed.values)].into_iter());
        }
        replay.withheld = withheld;
        replay
    }
}

impl Replay {
    /// Announces a path; returns its id.
    fn announce(&mut self, room: &mut RoomIds, path: &AnnouncedPath) -> u32 {
        let id = room.next_path();
        self.packets.extend(encode(&path.message(id)));
        id
    }

    /// Adds a DELTA and a SYNC with the values of synchronizers.
    fn put_values<'v>(&mut self, time: u16, values: impl Iterator<Item = (u32, &'v Values)>) {
        let (mut delta, mut sync) = (BytesMut::new(), BytesMut::new());
        values.for_each(|(id, values)| values.put(id, &mut delta, &mut sync));
        if !delta.is_empty() {
            self.packets.extend(encode(&SceneMessage::Delta(delta.freeze())));
        }
        if !sync.is_empty() {
            self.packets.extend(encode(&SceneMessage::Sync { time, elements: sync.freeze() }));
        }
    }
}

fn encode(message: &SceneMessage) -> Option<Bytes> {
    let mut packet = BytesMut::new();
    let encoded = Codec::default().encode(message, Objects::Ids, &mut packet);
    encoded.ok().map(|()| packet.freeze())
}
