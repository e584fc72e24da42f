//! Peers that move to another branch.

use mp_core::PeerId;

use super::{Context, PeerNumbers, Replication};
use crate::codec::godot::sync::BY_PATH;
use crate::message::Spawn;

impl Replication {
    /// Despawns all entities on a peer, those that entered the tree last first.
    pub(in crate::scene_multiplayer) fn despawn_all_on(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
    ) {
        let shown = self.entities.iter().filter(|(_, it)| it.announced_to.contains(&peer));
        let mut shown: Vec<_> = shown.map(|(&node, entity)| (entity.order, node)).collect();
        shown.sort_unstable();
        for (_, node) in shown.into_iter().rev() {
            // An outer entity may have been despawned with this one below it.
            let entity = self.entities.get(&node);
            if entity.is_some_and(|entity| entity.announced_to.contains(&peer)) {
                self.despawn(cx, node, &[peer]);
            }
        }
    }

    /// Returns the numbers that go on in the next branch of a peer.
    pub(in crate::scene_multiplayer) fn numbers_of(&self, peer: PeerId) -> PeerNumbers {
        if let Some(info) = self.peers.get(&peer) {
            return PeerNumbers { time: info.time, last_net_id: info.last_net_id };
        }
        let new = self.new_peers.iter().find(|(new, _)| *new == peer);
        new.map(|&(_, numbers)| numbers).unwrap_or_default()
    }

    /// Sets the numbers of an admitted peer to which nothing has been announced yet.
    pub(in crate::scene_multiplayer) fn set_numbers(&mut self, peer: PeerId, of: PeerNumbers) {
        if let Some((_, numbers)) = self.new_peers.iter_mut().find(|(new, _)| *new == peer) {
            *numbers = of;
        }
    }

    /// Records the net ids of a SPAWN of `peer`, accepted or not.
    pub(super) fn note_net_ids(&mut self, peer: PeerId, spawn: &Spawn) {
        let ids = spawn.synchronizers.iter().chain([&spawn.net_id]);
        let highest = ids.copied().filter(|id| id & BY_PATH == 0).max();
        if let Some(info) = self.peers.get_mut(&peer) {
            info.last_net_id = info.last_net_id.max(highest.unwrap_or(0));
        }
    }

    /// Records the net ids of a SPAWN that `peer` sent before it moved to this branch.
    pub(in crate::scene_multiplayer) fn note_earlier_spawn(&mut self, peer: PeerId, spawn: &Spawn) {
        self.note_net_ids(peer, spawn);
        if let Some(info) = self.peers.get_mut(&peer) {
            info.earlier_net_id = info.last_net_id;
        }
    }

    /// Returns whether an unknown net id of `peer` is one of an earlier branch. The ids of a peer
    /// count up.
    pub(super) fn is_of_earlier_branch(&self, peer: PeerId, net_id: u32) -> bool {
        self.peers.get(&peer).is_some_and(|info| net_id <= info.earlier_net_id)
    }
}
