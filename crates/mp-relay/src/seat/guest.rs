//! The guests of a room, and their packets.

use std::collections::BTreeMap;

use bytes::Bytes;
use mp_core::serde::list_of_at_most;
use mp_core::{Packet, PeerId, Target};
use mp_scene::codec::Limits;
use mp_scene::{
    CheckpointError, Codec, ConfirmedNode, PacketKind, RelayContext, RelayDecision, SceneMessage,
};
use serde::{Deserialize, Serialize};

use super::checkpoint::copied;
use super::{HostSeat, INTERNAL};
use crate::SeatStats;
use crate::clock::SyncClock;
use crate::limits::{ANNOUNCED_NODES_MAX, GUEST_PATH_BYTES_MAX, GUEST_PATHS_MAX};

/// The state of a guest.
#[derive(Debug, Default)]
pub(super) struct Guest {
    /// The nodes of the guest by the room's net id. True: the present host has announced the node;
    /// false: an earlier one, or the room itself.
    nodes: BTreeMap<u32, bool>,
    clock: SyncClock,
    /// Guests with a lower number joined earlier.
    number: u64,
    /// SIMPLIFY_PATHs for peer 1 that the next host receives. A guest does not repeat them.
    paths: Vec<Bytes>,
    path_bytes: usize,
    is_announced: bool,
}

/// A [`Guest`] in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GuestState {
    #[serde(deserialize_with = "list_of_at_most::<_, _, ANNOUNCED_NODES_MAX>")]
    nodes: Vec<(u32, bool)>,
    clock: SyncClock,
    number: u64,
    #[serde(deserialize_with = "list_of_at_most::<_, _, GUEST_PATHS_MAX>")]
    paths: Vec<Vec<u8>>,
    is_announced: bool,
}

impl Guest {
    /// Returns the state for a checkpoint.
    pub(super) fn state(&self) -> GuestState {
        GuestState {
            nodes: self.nodes.iter().map(|(&id, &is_of_host)| (id, is_of_host)).collect(),
            clock: self.clock,
            number: self.number,
            paths: copied(&self.paths),
            is_announced: self.is_announced,
        }
    }

    /// Returns the guest of a checkpoint.
    pub(super) fn restore(state: GuestState) -> Result<Self, CheckpointError> {
        let path_bytes = state.paths.iter().map(Vec::len).sum();
        if path_bytes > GUEST_PATH_BYTES_MAX {
            return Err(CheckpointError("the paths of a guest exceed the limit"));
        }
        Ok(Self {
            nodes: state.nodes.into_iter().collect(),
            clock: state.clock,
            number: state.number,
            paths: state.paths.into_iter().map(Bytes::from).collect(),
            path_bytes,
            is_announced: state.is_announced,
        })
    }

    /// Returns the nodes that the present host has announced.
    pub(super) fn nodes_of_host(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().filter(|(_, is_of_host)| **is_of_host).map(|(&id, _)| id)
    }

    /// Returns the number of nodes.
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn clock_mut(&mut self) -> &mut SyncClock {
        &mut self.clock
    }

    /// Returns whether the guest has a node.
    pub(super) fn has_node(&self, id: u32) -> bool {
        self.nodes.contains_key(&id)
    }

    /// Returns whether the present host has announced a node to the guest.
    pub(super) fn has_node_of_host(&self, id: u32) -> bool {
        self.nodes.get(&id) == Some(&true)
    }

    /// Adds a node that the present host has announced. Returns whether the guest had it before.
    pub(super) fn add_node(&mut self, id: u32) -> bool {
        self.nodes.insert(id, true).is_some()
    }

    /// Adds a node that the room has announced.
    pub(super) fn add_node_of_room(&mut self, id: u32) {
        self.nodes.insert(id, false);
    }

    /// Removes a node. Returns whether the present host has announced it; `None` if the guest does
    /// not have it.
    pub(super) fn remove_node(&mut self, id: u32) -> Option<bool> {
        self.nodes.remove(&id)
    }

    pub(super) fn into_nodes(self) -> BTreeMap<u32, bool> {
        self.nodes
    }

    /// Returns the nodes that the present host has not announced.
    pub(super) fn nodes_of_others(&self) -> Vec<u32> {
        self.nodes.iter().filter(|(_, of_host)| !**of_host).map(|(&id, _)| id).collect()
    }

    /// Begins to record the nodes of another host.
    pub(super) fn change_host(&mut self) {
        self.nodes.values_mut().for_each(|of_host| *of_host = false);
        self.clock.change_host();
    }

    /// Returns whether the other guests know the guest.
    pub(super) fn is_announced(&self) -> bool {
        self.is_announced
    }

    pub(super) fn set_announced(&mut self) {
        self.is_announced = true;
    }

    pub(super) fn paths(&self) -> &[Bytes] {
        &self.paths
    }

    pub(super) fn forget_paths(&mut self) {
        self.path_bytes = 0;
        self.paths.clear();
    }

    /// Keeps a SIMPLIFY_PATH for the next host.
    fn keep_path(&mut self, stats: &mut SeatStats, packet: &Bytes) {
        let bytes = self.path_bytes + packet.len();
        if self.paths.len() >= GUEST_PATHS_MAX || bytes > GUEST_PATH_BYTES_MAX {
            stats.refused_announcements += 1;
            return;
        }
        self.path_bytes = bytes;
        // A copy, so that no larger buffer of the transport is kept.
        self.paths.push(Bytes::copy_from_slice(packet));
    }
}

impl HostSeat {
    pub(super) fn receive_from_guest(
        &mut self,
        cx: &mut RelayContext<'_>,
        from: PeerId,
        packet: &Packet,
    ) -> RelayDecision {
        let options = (packet.mode, packet.channel);
        match Codec::default().kind(&packet.payload) {
            Some(PacketKind::Relay) => {
                let message = Codec::default().decode(&packet.payload, &Limits::default());
                let Ok(SceneMessage::Relay { peer, inner }) = message else {
                    return RelayDecision::Malformed;
                };
                self.relay_of_guest(cx, from, Target::from_raw(peer), packet, &inner);
                RelayDecision::Handled
            }
            Some(PacketKind::Path) => self.path_of_guest(cx, from, packet),
            _ => {
                match self.occupant {
                    Some(host) => cx.forward(from, &[host], options, &packet.payload),
                    None => self.stats.unhosted_packets += 1,
                }
                RelayDecision::Handled
            }
        }
    }

    /// Forwards a packet of a guest to other guests and, as peer 1, to the host.
    fn relay_of_guest(
        &mut self,
        cx: &mut RelayContext<'_>,
        from: PeerId,
        target: Target,
        packet: &Packet,
        inner: &Bytes,
    ) {
        let knows = |peer: PeerId| self.is_announced(from) && self.is_announced(peer);
        let to: Vec<PeerId> = match target {
            Target::Peer(peer) => Some(peer).filter(|&peer| knows(peer)).into_iter().collect(),
            Target::All | Target::AllExcept(_) => {
                let guests = self.guests.keys().copied();
                let guests =
                    guests.filter(|&peer| peer != from && target.includes(peer) && knows(peer));
                guests.chain(self.occupant.filter(|_| target.includes(PeerId::SERVER))).collect()
            }
        };
        self.stats.stray_packets += u64::from(to.is_empty() && matches!(target, Target::Peer(_)));
        cx.forward(from, &to, (packet.mode, packet.channel), inner);
    }

    /// Handles a path that a guest announces to the host, or confirms.
    fn path_of_guest(
        &mut self,
        cx: &mut RelayContext<'_>,
        from: PeerId,
        packet: &Packet,
    ) -> RelayDecision {
        match Codec::default().decode(&packet.payload, &Limits::default()) {
            Ok(SceneMessage::ConfirmPath { node: ConfirmedNode::Id(id), checksum_ok }) => {
                // Other ids are those of the room itself, which probes silent connections.
                let (Some(host), Some(id)) = (self.occupant, self.ids.host_path(id)) else {
                    return RelayDecision::Pass;
                };
                let node = ConfirmedNode::Id(id);
                cx.send_message(from, host, &SceneMessage::ConfirmPath { node, checksum_ok });
            }
            Ok(SceneMessage::SimplifyPath { .. }) => {
                let is_kept = self.occupant.is_none() || self.succession.is_some();
                if let Some(guest) = self.guests.get_mut(&from).filter(|_| is_kept) {
                    guest.keep_path(&mut self.stats, &packet.payload);
                }
                if let Some(host) = self.occupant {
                    cx.forward(from, &[host], INTERNAL, &packet.payload);
                }
            }
            _ => return RelayDecision::Malformed,
        }
        RelayDecision::Handled
    }
}
