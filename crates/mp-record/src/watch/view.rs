//! [`View`]: the nodes and properties that a recorded client has.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use mp_core::PeerId;
use mp_scene::codec::godot::elements::{
    delta_elements, put_delta, put_sync, split_values, sync_elements,
};
use mp_scene::codec::godot::{despawn_id, spawn_ids};
use mp_scene::codec::{Limits, Objects};
use mp_scene::{Codec, PacketKind, SceneMessage};

use crate::limits::{VIEW_BYTES_MAX, VIEW_ENTRIES_MAX};

/// The peers, nodes and last values of properties that a recorded client has received, by the peer
/// that has announced them. Ids are those of the recording.
///
/// Effects of calls are not known. A recording that exceeds the limits has more nodes than a view.
#[derive(Debug, Default)]
pub(super) struct View {
    peers: BTreeSet<PeerId>,
    authors: BTreeMap<PeerId, Announced>,
    bytes: usize,
    entries: usize,
    /// Number of announcements: a path may be in a node that was spawned before.
    announcements: u64,
}

/// The announcements of a peer.
#[derive(Debug, Default)]
struct Announced {
    /// SIMPLIFY_PATH packets by path id, with their numbers.
    paths: BTreeMap<u32, (u64, Bytes)>,
    /// Nodes by the numbers of their SPAWNs.
    nodes: BTreeMap<u64, Node>,
    by_net_id: BTreeMap<u32, u64>,
    values: BTreeMap<u32, Values>,
}

#[derive(Debug)]
struct Node {
    net_id: u32,
    spawn: Bytes,
    synchronizers: Vec<u32>,
}

/// The last values of a synchronizer.
#[derive(Debug, Default)]
struct Values {
    on_change: BTreeMap<u8, Bytes>,
    always: Bytes,
}

impl View {
    pub(super) fn add_peer(&mut self, peer: PeerId) {
        if self.peers.len() < VIEW_ENTRIES_MAX {
            self.peers.insert(peer);
        }
    }

    /// Removes a peer with what it has announced.
    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.authors.remove(&peer);
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.peers.iter().copied()
    }

    /// Records a packet of `author`.
    pub(super) fn receive(&mut self, author: PeerId, packet: &Bytes) {
        let is_full = self.bytes >= VIEW_BYTES_MAX || self.entries >= VIEW_ENTRIES_MAX;
        let kind = Codec::default().kind(packet);
        if is_full && kind != Some(PacketKind::Despawn) {
            return;
        }
        self.bytes += packet.len();
        self.entries += 1;
        let announced = self.authors.entry(author).or_default();
        match kind {
            Some(PacketKind::Path) => {
                if let Some(id) = announced_path(packet) {
                    self.announcements += 1;
                    announced.paths.insert(id, (self.announcements, packet.clone()));
                }
            }
            Some(PacketKind::Spawn) => {
                let Ok((_, net_id, synchronizers)) = spawn_ids(packet) else { return };
                announced.despawn(net_id);
                self.announcements += 1;
                announced.by_net_id.insert(net_id, self.announcements);
                let node = Node { net_id, spawn: packet.clone(), synchronizers };
                announced.nodes.insert(self.announcements, node);
            }
            Some(PacketKind::Despawn) => {
                if let Ok(net_id) = despawn_id(packet) {
                    announced.despawn(net_id);
                }
            }
            Some(PacketKind::Sync) => {
                for (id, values) in sync_elements(packet) {
                    announced.values.entry(id).or_default().always = values;
                }
            }
            Some(PacketKind::Delta) => {
                for (id, mask, values) in delta_elements(packet) {
                    let kept = announced.values.entry(id).or_default();
                    kept.on_change.extend(split_values(mask, &values).into_iter().flatten());
                }
            }
            _ => {}
        }
        self.measure();
    }

    /// Computes the size again when packets that were replaced may be a large part of it.
    fn measure(&mut self) {
        if self.bytes >= VIEW_BYTES_MAX || self.entries >= VIEW_ENTRIES_MAX {
            (self.bytes, self.entries) = self.size();
        }
    }

    /// Returns the size in bytes of the packets and values, and their number.
    pub(super) fn size(&self) -> (usize, usize) {
        let announced = || self.authors.values();
        let values = || announced().flat_map(|it| it.values.values());
        let paths: usize =
            announced().flat_map(|it| it.paths.values()).map(|(_, it)| it.len()).sum();
        let nodes: usize =
            announced().flat_map(|it| it.nodes.values()).map(|node| node.spawn.len()).sum();
        let always: usize = values().map(|it| it.always.len()).sum();
        let on_change: usize = values().flat_map(|it| it.on_change.values()).map(Bytes::len).sum();
        let bytes = paths + nodes + always + on_change;
        let count = |it: &Announced| it.paths.len() + it.nodes.len() + it.values.len();
        let on_change: usize = values().map(|it| it.on_change.len()).sum();
        (bytes, announced().map(count).sum::<usize>() + on_change)
    }

    /// Returns the packets that give a client all nodes with their values, to be sent reliably in
    /// this order.
    pub(super) fn packets(&self) -> impl Iterator<Item = (PeerId, Bytes)> {
        self.authors.iter().flat_map(|(&author, announced)| {
            announced.packets().into_iter().map(move |packet| (author, packet))
        })
    }

    /// Returns the packets that remove all nodes.
    pub(super) fn removals(&self) -> impl Iterator<Item = (PeerId, Bytes)> {
        self.authors.iter().flat_map(|(&author, announced)| {
            let nodes = announced.nodes.values().rev();
            let packets = nodes.filter_map(|node| encode(&SceneMessage::Despawn(node.net_id)));
            packets.map(move |packet| (author, packet))
        })
    }
}

impl Announced {
    fn despawn(&mut self, net_id: u32) {
        let order = self.by_net_id.remove(&net_id);
        if let Some(node) = order.and_then(|order| self.nodes.remove(&order)) {
            for synchronizer in node.synchronizers {
                self.values.remove(&synchronizer);
            }
        }
    }

    fn packets(&self) -> Vec<Bytes> {
        let paths = self.paths.values().map(|(number, packet)| (*number, vec![packet.clone()]));
        let nodes = self.nodes.iter().map(|(number, node)| {
            let values = node.synchronizers.iter().filter_map(|id| self.values.get_key_value(id));
            let values = values.flat_map(|(id, values)| values.packets(*id));
            (*number, std::iter::once(node.spawn.clone()).chain(values).collect())
        });
        let in_order: BTreeMap<u64, Vec<Bytes>> = paths.chain(nodes).collect();
        let mut packets: Vec<Bytes> = in_order.into_values().flatten().collect();
        let spawned: BTreeSet<u32> =
            self.nodes.values().flat_map(|node| node.synchronizers.iter().copied()).collect();
        let placed = self.values.iter().filter(|(id, _)| !spawned.contains(id));
        packets.extend(placed.flat_map(|(id, values)| values.packets(*id)));
        packets
    }
}

impl Values {
    fn packets(&self, id: u32) -> impl Iterator<Item = Bytes> {
        let (mut delta, mut sync) = (BytesMut::new(), BytesMut::new());
        if !self.on_change.is_empty() {
            put_delta(id, self.on_change.iter().map(|(bit, value)| (*bit, &value[..])), &mut delta);
        }
        if !self.always.is_empty() {
            put_sync(id, &self.always, &mut sync);
        }
        let delta = (!delta.is_empty()).then(|| SceneMessage::Delta(delta.freeze()));
        let sync =
            (!sync.is_empty()).then(|| SceneMessage::Sync { time: 0, elements: sync.freeze() });
        [delta, sync].into_iter().flatten().filter_map(|message| encode(&message))
    }
}

/// Returns the id that a SIMPLIFY_PATH announces; `None` if it is a CONFIRM_PATH.
pub(super) fn announced_path(packet: &Bytes) -> Option<u32> {
    match Codec::default().decode(packet, &Limits::default()) {
        Ok(SceneMessage::SimplifyPath { id, .. }) => Some(id),
        _ => None,
    }
}

pub(super) fn encode(message: &SceneMessage) -> Option<Bytes> {
    let mut packet = BytesMut::new();
    let encoded = Codec::default().encode(message, Objects::Ids, &mut packet);
    encoded.ok().map(|()| packet.freeze())
}
