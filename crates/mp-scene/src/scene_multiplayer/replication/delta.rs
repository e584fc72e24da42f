//! Sending DELTA: properties that are sent when they change.

use std::fmt;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use mp_core::{Instant, PeerId, Prefix, bug};
use slotmap::DefaultKey as Key;

use super::super::sender::SendOptions;
use super::announce::cannot_read;
use super::state::{Synchronizer, Viewer};
use super::step::{PeerStep, reserve};
use super::tree_changes::{DELTA, is_own, too_large};
use super::{Context, DeltaCandidate, PeerInfo, Replication, Synchronizers};
use crate::codec::godot::sync::{
    BY_PATH, DELTA_ELEMENT_HEAD, DELTA_HEAD, put_delta_element, put_delta_head,
};

/// The changes and packets of a step. The buffers are reused, so that a step does not allocate.
#[derive(Default)]
pub(super) struct Deltas {
    /// Synchronizers to check for changes.
    to_check: Vec<Key>,
    /// Synchronizers with a change that some viewer lacks.
    changed: Vec<Key>,
    /// The packets of the last peer.
    last: Packets,
    /// The elements for the next peer.
    elements: Vec<Element>,
    packet: BytesMut,
}

/// Elements, and the packets that contain them.
#[derive(Default)]
struct Packets {
    elements: Vec<Element>,
    packets: Vec<Bytes>,
    /// The peers that the packets are for and that were not sent them yet.
    receivers: Vec<PeerId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Element {
    key: Key,
    id: u32,
    mask: u64,
    size: usize,
}

impl Deltas {
    /// Adds a peer to the receivers of its changes. Consecutive peers with the same changes share
    /// the packets, which are sent before those of the next peer with others, and by
    /// [`flush`](Self::flush).
    pub(super) fn send(&mut self, cx: &mut Context<'_>, step: &mut PeerStep<'_>) {
        let PeerStep { peer, info, synchronizers, errors, delta_packet_max: max, .. } = step;
        let (peer, max) = (*peer, *max);
        if info.candidates.is_empty() {
            return;
        }
        info.candidates.sort_unstable_by_key(|candidate| candidate.position);
        self.elements.clear();
        let has_unconfirmed = info.unconfirmed;
        for DeltaCandidate { key, viewer, .. } in info.candidates.drain(..) {
            let Some(synchronizer) = synchronizers.get_mut(key) else {
                cx.sender.fail(peer);
                continue;
            };
            let id = synchronizer.wire_id(|node| cx.paths.id_of(node));
            let is_unconfirmed =
                || id & BY_PATH != 0 && !cx.paths.is_confirmed(peer, id & !BY_PATH);
            debug_assert!(
                has_unconfirmed || !is_unconfirmed(),
                "the plan of {peer} has an unconfirmed path"
            );
            if has_unconfirmed && is_unconfirmed() {
                continue;
            }
            let Some((_, &Viewer { last, .. })) = synchronizer.viewers.get_index(viewer) else {
                bug!("{peer} is sent a change of {key:?}, but does not view it");
                cx.sender.fail(peer);
                continue;
            };
            let (mask, size) = synchronizer.changes(last);
            if size > max {
                let error = too_large(cx.tree, synchronizer.node, DELTA, size, max);
                errors.fail(&mut synchronizer.change_reported, error);
            } else if mask != 0 {
                synchronizer.change_reported = false;
                synchronizer.viewers[viewer].last = Some(cx.now);
                synchronizer.viewers_behind -= 1;
                self.elements.push(Element { key, id, mask, size });
            }
        }
        if self.last.elements != self.elements {
            self.flush(cx, synchronizers);
            std::mem::swap(&mut self.last.elements, &mut self.elements);
            self.pack(synchronizers, max);
        }
        self.last.receivers.push(peer);
    }

    /// Sends the packets of the last peers, and counts them.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, synchronizers: &mut Synchronizers) {
        let Packets { elements, packets, receivers } = &mut self.last;
        if receivers.is_empty() {
            return;
        }
        for packet in &*packets {
            cx.sender.send_packet(receivers, SendOptions::INTERNAL, Prefix::EMPTY, packet);
        }
        if let Some(accounts) = cx.traffic.accounts() {
            for &Element { key, mask, .. } in &*elements {
                if let Some(synchronizer) = synchronizers.get_mut(key) {
                    synchronizer.count_delta(accounts, cx.tree, mask, receivers.len());
                }
            }
        }
        receivers.clear();
    }

    /// Encodes the packets of the last peer's elements.
    fn pack(&mut self, synchronizers: &Synchronizers, max: usize) {
        let Self { last: Packets { elements, packets, .. }, packet, .. } = self;
        packets.clear();
        for &Element { key, id, mask, size } in &*elements {
            let Some(synchronizer) = synchronizers.get(key) else { continue };
            let len = DELTA_ELEMENT_HEAD + size;
            if packet.len() > DELTA_HEAD && packet.len() + len > max {
                packets.push(packet.split().freeze());
            }
            if packet.is_empty() {
                reserve(packet, DELTA_HEAD + len);
                put_delta_head(packet);
            }
            put_delta_element(id, mask, size, synchronizer.values(mask), packet);
        }
        if !packet.is_empty() {
            packets.push(packet.split().freeze());
        }
    }
}

impl fmt::Debug for Deltas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deltas").finish_non_exhaustive()
    }
}

impl Replication {
    /// Finds changes, and the peers that lack them.
    pub(super) fn find_changes(&mut self, cx: &mut Context<'_>) {
        self.check_touched(cx);
        let (own, objects) = (cx.own, cx.sender.wire().objects());
        let mut to_check = std::mem::take(&mut self.deltas.to_check);
        let mut value = std::mem::take(&mut self.value);
        to_check.clear();
        self.deltas.changed.clear();
        for key in self.dirty.borrow_mut().drain(..) {
            // A synchronizer may leave after its field has changed.
            let Some(synchronizer) = self.synchronizers.find(key) else { continue };
            if let Some(mark) = &synchronizer.mark {
                mark.clear();
            }
            // The synchronizer stays in the set until all viewers have been sent the change.
            self.lagging.insert(key);
        }
        to_check.extend(self.lagging.iter().copied());
        let polled = self.polled.iter().copied();
        to_check.extend(polled.filter(|key| !self.lagging.contains(key)));

        for &key in &to_check {
            let Some(synchronizer) = self.synchronizers.get_mut(key) else {
                self.lagging.swap_remove(&key);
                continue;
            };
            if !is_own(own, synchronizer)
                || synchronizer.watched.is_empty()
                || synchronizer.viewers.is_empty()
            {
                self.lagging.swap_remove(&key);
                continue;
            }
            if synchronizer.next_delta.is_some_and(|due| cx.now < due) {
                continue;
            }
            let node = synchronizer.node;
            let failed = synchronizer.watch(cx.now, cx.tree, objects, &mut value);
            if synchronizer.last_change == Some(cx.now) || self.lagging.contains(&key) {
                add_candidates(synchronizer, key, &mut self.peers, cx.now);
                self.deltas.changed.push(key);
            }
            for (property, error) in failed {
                self.errors.report(cannot_read(cx.tree, node, property, error));
            }
        }
        self.deltas.to_check = to_check;
        self.value = value;
    }

    /// Updates which synchronizers have changes that a viewer lacks, and when the next DELTA is
    /// due.
    pub(super) fn update_lagging(&mut self) {
        self.deltas.last.elements.clear();
        self.deltas.last.packets.clear();
        let mut changed = std::mem::take(&mut self.deltas.changed);
        for key in changed.drain(..) {
            let Some(synchronizer) = self.synchronizers.get_mut(key) else { continue };
            if synchronizer.viewers_behind > 0 {
                self.lagging.insert(key);
            } else {
                self.lagging.swap_remove(&key);
            }
            synchronizer.next_delta = None;
            if !synchronizer.delta_interval.is_zero() {
                // `None` sorts first: a peer that was never sent a DELTA is due now.
                let first = synchronizer.viewers.values().map(|viewer| viewer.last).min().flatten();
                synchronizer.next_delta = first.map(|last| last + synchronizer.delta_interval);
            }
        }
        self.deltas.changed = changed;
    }
}

/// Adds the synchronizer to the candidates of the peers that lack a change. With an interval, the
/// first peer for which it has expired and all peers after that one are sent the change, as in
/// Godot; earlier peers are not.
fn add_candidates(
    synchronizer: &mut Synchronizer,
    key: Key,
    peers: &mut IndexMap<PeerId, PeerInfo>,
    now: Instant,
) {
    let interval = synchronizer.delta_interval;
    let mut first_due = 0;
    if !interval.is_zero() {
        let is_due = |viewer: &Viewer| viewer.last.is_none_or(|last| now >= last + interval);
        let due = synchronizer.viewers.iter().filter(|(_, viewer)| is_due(viewer));
        first_due =
            due.filter_map(|(peer, _)| peers.get_index_of(peer)).min().unwrap_or(usize::MAX);
    }
    let (mut viewers_behind, mut next) = (0, 0);
    for (viewer, (peer, &Viewer { position, last })) in synchronizer.viewers.iter().enumerate() {
        if !synchronizer.has_changed(last) {
            continue;
        }
        // Viewers usually have the order of the peers.
        let is_next = peers.get_index(next).is_some_and(|(at, _)| at == peer);
        let index = if is_next { Some(next) } else { peers.get_index_of(peer) };
        let Some((index, info)) =
            index.and_then(|index| Some((index, peers.get_index_mut(index)?.1)))
        else {
            bug!("{peer} views {key:?}, but is no peer");
            continue;
        };
        next = index + 1;
        debug_assert_eq!(
            info.synchronizers.get_index(position),
            Some(&key),
            "positions of synchronizers are out of date"
        );
        viewers_behind += 1;
        if index >= first_due {
            info.candidates.push(DeltaCandidate { position, key, viewer });
        }
    }
    synchronizer.viewers_behind = viewers_behind;
}
