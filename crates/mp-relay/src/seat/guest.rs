//! The guests of a room, and their packets.

use std::collections::BTreeSet;

use bytes::Bytes;
use mp_core::{Packet, PeerId, Target};
use mp_scene::codec::Limits;
use mp_scene::{Codec, ConfirmedNode, PacketKind, RelayContext, RelayDecision, SceneMessage};

use super::{HostSeat, INTERNAL};
use crate::SeatStats;
use crate::limits::{WAITING_PATH_BYTES_MAX, WAITING_PATHS_MAX};

/// The state of a guest.
#[derive(Debug, Default)]
pub(super) struct Guest {
    /// The host's net ids of the nodes that were announced to the guest.
    nodes: BTreeSet<u32>,
    /// SIMPLIFY_PATHs for peer 1 that wait for a host. A guest does not repeat them.
    waiting_paths: Vec<Bytes>,
    waiting_bytes: usize,
    is_announced: bool,
}

impl Guest {
    /// Returns whether a node was announced to the guest.
    pub(super) fn has_node(&self, net_id: u32) -> bool {
        self.nodes.contains(&net_id)
    }

    pub(super) fn add_node(&mut self, net_id: u32) {
        self.nodes.insert(net_id);
    }

    /// Removes a node; returns whether the guest had it.
    pub(super) fn remove_node(&mut self, net_id: u32) -> bool {
        self.nodes.remove(&net_id)
    }

    pub(super) fn into_nodes(self) -> BTreeSet<u32> {
        self.nodes
    }

    /// Returns whether the other guests know the guest.
    pub(super) fn is_announced(&self) -> bool {
        self.is_announced
    }

    pub(super) fn set_announced(&mut self) {
        self.is_announced = true;
    }

    pub(super) fn take_waiting_paths(&mut self) -> Vec<Bytes> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting_paths)
    }

    /// Keeps a SIMPLIFY_PATH until there is a host.
    fn keep_path(&mut self, stats: &mut SeatStats, packet: &Bytes) {
        let bytes = self.waiting_bytes + packet.len();
        if self.waiting_paths.len() >= WAITING_PATHS_MAX || bytes > WAITING_PATH_BYTES_MAX {
            stats.refused_announcements += 1;
            return;
        }
        self.waiting_bytes = bytes;
        // A copy, so that no larger buffer of the transport is kept.
        self.waiting_paths.push(Bytes::copy_from_slice(packet));
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
                match (self.occupant, self.guests.get_mut(&from)) {
                    (Some(host), _) => cx.forward(from, &[host], INTERNAL, &packet.payload),
                    (None, Some(guest)) => guest.keep_path(&mut self.stats, &packet.payload),
                    (None, None) => {}
                }
            }
            _ => return RelayDecision::Malformed,
        }
        RelayDecision::Handled
    }
}
