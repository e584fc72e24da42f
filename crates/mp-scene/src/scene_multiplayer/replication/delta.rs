//! DELTA: properties that are sent when they have changed.

use std::fmt;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use mp_core::{Instant, PeerId, Prefix};
use slotmap::DefaultKey as Key;

use super::super::sender::SendOptions;
use super::announce::cannot_read;
use super::errors::Errors;
use super::state::{Synchronizer, Viewer};
use super::step::reserve;
use super::tree_changes::{DELTA, is_own, too_large};
use super::{Context, DeltaCandidate, PeerInfo, Replication, Synchronizers};
use crate::codec::godot::sync::{
    BY_PATH, DELTA_ELEMENT_HEAD, DELTA_HEAD, put_delta_element, put_delta_head,
};

/// The changes and packets of a step. It is kept so that a step takes no memory.
#[derive(Default)]
pub(super) struct Deltas {
    /// Synchronizers whose changes are looked for.
    attention: Vec<Key>,
    /// Synchronizers with a change that some peer lacks.
    changed: Vec<Key>,
    /// What the last peer was sent.
    last: Packets,
    /// What a peer is to be sent.
    elements: Vec<Element>,
    packet: BytesMut,
}

/// What a peer is sent, and the packets of it.
#[derive(Default)]
struct Packets {
    elements: Vec<Element>,
    packets: Vec<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Element {
    key: Key,
    id: u32,
    mask: u64,
    size: usize,
}

impl Deltas {
    /// Sends a peer what has changed. Peers one after the other that are sent the same share its
    /// packets.
    pub(super) fn send(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        info: &mut PeerInfo,
        synchronizers: &mut Synchronizers,
        errors: &mut Errors,
        max: usize,
    ) {
        if info.candidates.is_empty() {
            return;
        }
        info.candidates.sort_unstable_by_key(|candidate| candidate.place);
        self.elements.clear();
        for DeltaCandidate { key, seen, .. } in info.candidates.drain(..) {
            let Some(synchronizer) = synchronizers.get_mut(key) else { continue };
            let id = synchronizer.wire_id(|node| cx.paths.id_of(node));
            if id & BY_PATH != 0 && !cx.paths.is_confirmed(peer, id & !BY_PATH) {
                continue;
            }
            let Some((_, &Viewer { last, .. })) = synchronizer.viewers.get_index(seen) else {
                continue;
            };
            let (mask, size) = synchronizer.changes(last);
            if size > max {
                let error = too_large(cx.tree, synchronizer.node, DELTA, size, max);
                errors.fail(synchronizer, error);
            } else if mask != 0 {
                synchronizer.viewers[seen].last = Some(cx.now);
                synchronizer.viewers_behind -= 1;
                self.elements.push(Element { key, id, mask, size });
            }
        }
        if self.last.elements != self.elements {
            std::mem::swap(&mut self.last.elements, &mut self.elements);
            self.pack(synchronizers, max);
        }
        for packet in &self.last.packets {
            cx.sender.send_to(peer, SendOptions::INTERNAL, Prefix::EMPTY, packet.clone());
        }
    }

    /// Makes the packets of what a peer is sent.
    fn pack(&mut self, synchronizers: &Synchronizers, max: usize) {
        let Self { last: Packets { elements, packets }, packet, .. } = self;
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
    /// Finds what has changed, and for whom.
    pub(super) fn find_changes(&mut self, cx: &mut Context<'_>) {
        self.check_touched(cx);
        let (own, objects) = (cx.own, cx.sender.wire().objects());
        let mut attention = std::mem::take(&mut self.deltas.attention);
        let mut value = std::mem::take(&mut self.value);
        attention.clear();
        self.deltas.changed.clear();
        for key in self.dirty.borrow_mut().drain(..) {
            let Some(synchronizer) = self.synchronizers.get(key) else { continue };
            if let Some(mark) = &synchronizer.mark {
                mark.clear();
            }
            // It stays until everyone was sent what has changed.
            self.lagging.insert(key);
        }
        attention.extend(self.lagging.iter().copied());
        let polled = self.polled.iter().copied();
        attention.extend(polled.filter(|key| !self.lagging.contains(key)));

        for &key in &attention {
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
                note_candidates(synchronizer, key, &mut self.peers, cx.now);
                self.deltas.changed.push(key);
            }
            for (property, error) in failed {
                self.errors.report(cannot_read(cx.tree, node, property, error));
            }
        }
        self.deltas.attention = attention;
        self.value = value;
    }

    /// Settles which synchronizers have changes that somebody lacks, and when the next is due.
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
                let first = synchronizer.viewers.values().map(|seen| seen.last).min().flatten();
                synchronizer.next_delta = first.map(|last| last + synchronizer.delta_interval);
            }
        }
        self.deltas.changed = changed;
    }
}

/// Notes for the peers that lack a change that they are to be sent it. When there is an interval, somebody's is over; whoever comes
/// before that peer and has to wait waits, and whoever comes after it does not, as in Godot.
fn note_candidates(
    synchronizer: &mut Synchronizer,
    key: Key,
    peers: &mut IndexMap<PeerId, PeerInfo>,
    now: Instant,
) {
    let interval = synchronizer.delta_interval;
    let mut first_due = 0;
    if !interval.is_zero() {
        let is_due = |seen: &Viewer| seen.last.is_none_or(|last| now >= last + interval);
        let due = synchronizer.viewers.iter().filter(|(_, seen)| is_due(seen));
        first_due =
            due.filter_map(|(peer, _)| peers.get_index_of(peer)).min().unwrap_or(usize::MAX);
    }
    let mut viewers_behind = 0;
    for (seen, (peer, &Viewer { place, last })) in synchronizer.viewers.iter().enumerate() {
        if !synchronizer.has_changed(last) {
            continue;
        }
        let Some((index, _, info)) = peers.get_full_mut(peer) else { continue };
        debug_assert_eq!(info.synchronizers.get_index(place), Some(&key), "the places are kept");
        viewers_behind += 1;
        if index >= first_due {
            info.candidates.push(DeltaCandidate { place, key, seen });
        }
    }
    synchronizer.viewers_behind = viewers_behind;
}
