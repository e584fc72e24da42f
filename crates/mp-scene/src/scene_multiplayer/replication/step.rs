//! The replication step: SYNC and DELTA, as often as the branch ticks.
//!
//! 1. Filters are asked again where that is wanted.
//! 2. What has changed is found: fields that say so by themselves, and plain ones by comparing what they encode to.
//! 3. Each peer, in one walk over them, gets its SYNCs and then its DELTAs. A property that is always sent is encoded for the first
//!    peer that is sent it, and packets for the first peer of those who are sent the same; SYNCs differ in their time only.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use mp_core::{Channel, Instant, PeerId, Prefix, TransferMode};
use rustc_hash::FxBuildHasher;
use slotmap::DefaultKey as Key;

use super::super::sender::SendOptions;
use super::announce::cannot_read;
use super::follow::{DELTA, SYNC, is_own, too_large};
use super::state::{Seen, Synchronizer};
use super::{Candidate, Context, PeerInfo, Replication};
use crate::codec::godot::sync::{
    BY_PATH, DELTA_ELEMENT_HEAD, DELTA_HEAD, SYNC_ELEMENT_HEAD, SYNC_HEAD, put_delta_element,
    put_delta_head, put_sync_element, sync_prefix,
};
use crate::tree::NodeTree;

/// The synchronizers that a peer is always sent, in order. Peers that are sent the same share one.
#[derive(Debug)]
pub(super) struct Plan {
    keys: Vec<Key>,
    hash: u64,
}

/// What a step works with. It is kept so that a step takes no memory.
#[derive(Default)]
pub(super) struct Scratch {
    /// Counts the steps.
    pub(super) step: u64,
    /// The elements of this step.
    pub(super) elements: BytesMut,
    /// The packets of this step, one after the other, until they are sent.
    packets: BytesMut,
    /// One value.
    pub(super) value: BytesMut,
    /// The packets of the plans that were encoded in this step, by the plan's hash: which of `ready`.
    plans: HashMap<u64, Range<usize>, FxBuildHasher>,
    ready: Vec<Bytes>,
    /// Synchronizers of which changes are looked for.
    attention: Vec<Key>,
    /// Those of which there were some for somebody.
    changed: Vec<Key>,
    /// What the last peer was sent of changes.
    delta: Delta,
    delta_elements: Vec<DeltaElement>,
}

/// What a peer is sent of changes, and the packets of it.
#[derive(Default)]
struct Delta {
    elements: Vec<DeltaElement>,
    packets: Vec<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct DeltaElement {
    key: Key,
    id: u32,
    mask: u64,
    size: usize,
}

/// Packets are cut from blocks of this size.
const PACKETS_BLOCK: usize = 64 * 1024;

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("step", &self.step).finish_non_exhaustive()
    }
}

const UNRELIABLE: SendOptions = SendOptions { mode: TransferMode::Unreliable, channel: Channel(0) };

impl Replication {
    /// Sends what is due.
    pub(in crate::scene_multiplayer) fn replicate(&mut self, cx: &mut Context<'_>) {
        self.ask_filters(cx);
        if !self.peers.is_empty() {
            self.step(cx);
        }
        self.emit_errors(cx);
    }

    fn step(&mut self, cx: &mut Context<'_>) {
        self.begin_step();
        self.find_changes(cx);
        for index in 0..self.peers.len() {
            let Some((&peer, info)) = self.peers.get_index(index) else { break };
            let needs_plan = info.plan.is_none() && !info.synchronizers.is_empty();
            if cx.sender.accepts_properties(peer) {
                if needs_plan {
                    self.make_plan(cx, index, peer);
                }
                self.send_syncs(cx, index, peer);
                self.send_deltas(cx, index, peer);
            } else if let Some((_, info)) = self.peers.get_index_mut(index) {
                // It is sent the newest state when it takes something again.
                info.candidates.clear();
                self.stats.skipped_steps += 1;
            }
        }
        self.settle_lag();
    }

    /// Settles what a peer is always sent, and announces the paths of synchronizers that have no net
    /// id.
    fn make_plan(&mut self, cx: &mut Context<'_>, index: usize, peer: PeerId) {
        let Some((_, info)) = self.peers.get_index(index) else { return };
        let seen: Vec<_> = info.synchronizers.iter().copied().collect();
        let (mut keys, mut unconfirmed) = (Vec::new(), false);
        for key in seen {
            let Some(synchronizer) = self.synchronizers.get_mut(key) else { continue };
            let (node, is_named) = (synchronizer.node, synchronizer.is_named());
            let is_synced = !synchronizer.synced.is_empty();
            if is_named || cx.paths.announce(cx.sender, cx.tree, peer, node) {
                if is_synced {
                    keys.push(key);
                }
                continue;
            }
            unconfirmed = true;
            if let Some(synchronizer) = self.synchronizers.get_mut(key) {
                // Its interval begins although nothing is sent, as in Godot.
                synchronizer.is_due(cx.now);
            }
        }
        self.set_plan(index, keys, unconfirmed);
    }

    /// Sends a peer the packets of its plan, which the first peer with that plan in a step encodes.
    fn send_syncs(&mut self, cx: &mut Context<'_>, index: usize, peer: PeerId) {
        let Some((_, info)) = self.peers.get_index_mut(index) else { return };
        let Some(plan) = info.plan.clone().filter(|_| !info.synchronizers.is_empty()) else {
            return;
        };
        info.time = info.time.wrapping_add(1);
        let prefix = sync_prefix(info.time);
        let packets = match self.scratch.plans.get(&plan.hash) {
            Some(packets) => packets.clone(),
            None => self.encode_plan(cx, &plan),
        };
        for packet in packets {
            let payload = self.scratch.ready[packet].clone();
            cx.sender.send_to(peer, UNRELIABLE, prefix, payload);
        }
    }

    /// Encodes the elements of a plan that are due and not encoded yet in this step, and packs them.
    /// Returns the places of the packets in `Scratch::ready`.
    fn encode_plan(&mut self, cx: &mut Context<'_>, plan: &Plan) -> Range<usize> {
        let objects = cx.sender.wire().objects();
        let Self { synchronizers, scratch, sync_packet_max, .. } = self;
        let (sync_packet_max, step) = (*sync_packet_max, scratch.step);
        let mut failures = Vec::new();
        let first = scratch.ready.len();
        let mut len = SYNC_HEAD;
        make_room(&mut scratch.packets, sync_packet_max);
        for &key in &plan.keys {
            let Some(synchronizer) = synchronizers.get_mut(key) else { continue };
            if synchronizer.element.0 != step {
                let elements = &mut scratch.elements;
                let id = synchronizer.wire_id(|node| cx.paths.id_of(node));
                let element = if !synchronizer.is_due(cx.now) {
                    None
                } else {
                    synchronizer
                        .encode_element(id, cx.tree, objects, sync_packet_max, elements)
                        .unwrap_or_else(|error| {
                            failures.push((key, error));
                            None
                        })
                };
                synchronizer.element = (step, element);
            }
            let Some(range) = synchronizer.element.1.clone() else { continue };
            if len > SYNC_HEAD && len + range.len() > sync_packet_max {
                scratch.ready.push(scratch.packets.split().freeze());
                len = SYNC_HEAD;
                make_room(&mut scratch.packets, sync_packet_max);
            }
            len += range.len();
            scratch.packets.extend_from_slice(&scratch.elements[range]);
        }
        if len > SYNC_HEAD {
            scratch.ready.push(scratch.packets.split().freeze());
        }
        let packets = first..scratch.ready.len();
        scratch.plans.insert(plan.hash, packets.clone());
        for (key, error) in failures {
            self.fail(key, error);
        }
        packets
    }

    /// Finds what has changed, and for whom.
    fn find_changes(&mut self, cx: &mut Context<'_>) {
        self.follow_touched(cx);
        let (own, objects) = (cx.own, cx.sender.wire().objects());
        let mut attention = std::mem::take(&mut self.scratch.attention);
        let mut value = std::mem::take(&mut self.scratch.value);
        attention.clear();
        self.scratch.changed.clear();
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
                || synchronizer.seen_by.is_empty()
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
                self.scratch.changed.push(key);
            }
            for (property, error) in failed {
                self.report(cannot_read(cx.tree, node, property, error));
            }
        }
        self.scratch.attention = attention;
        self.scratch.value = value;
    }

    /// Sends a peer what has changed. Peers one after the other that are sent the same share its packets.
    fn send_deltas(&mut self, cx: &mut Context<'_>, index: usize, peer: PeerId) {
        let Some((_, info)) = self.peers.get_index_mut(index) else { return };
        if info.candidates.is_empty() {
            return;
        }
        let mut candidates = std::mem::take(&mut info.candidates);
        candidates.sort_unstable_by_key(|candidate| candidate.place);
        let mut delta = std::mem::take(&mut self.scratch.delta);
        let mut elements = std::mem::take(&mut self.scratch.delta_elements);
        elements.clear();
        for &Candidate { key, seen, .. } in &candidates {
            let Some(synchronizer) = self.synchronizers.get_mut(key) else { continue };
            let id = synchronizer.wire_id(|node| cx.paths.id_of(node));
            if id & BY_PATH != 0 && !cx.paths.is_confirmed(peer, id & !BY_PATH) {
                continue;
            }
            let Some((_, &Seen { last, .. })) = synchronizer.seen_by.get_index(seen) else {
                continue;
            };
            let (mask, size) = synchronizer.changes(last);
            if size > self.delta_packet_max {
                let (node, max) = (synchronizer.node, self.delta_packet_max);
                self.fail(key, too_large(cx.tree, node, DELTA, size, max));
            } else if mask != 0 {
                synchronizer.seen_by[seen].last = Some(cx.now);
                synchronizer.lacking -= 1;
                elements.push(DeltaElement { key, id, mask, size });
            }
        }
        if delta.elements != elements {
            std::mem::swap(&mut delta.elements, &mut elements);
            self.pack(&mut delta);
        }
        for packet in &delta.packets {
            cx.sender.send_to(peer, SendOptions::INTERNAL, Prefix::EMPTY, packet.clone());
        }
        candidates.clear();
        if let Some((_, info)) = self.peers.get_index_mut(index) {
            info.candidates = candidates;
        }
        self.scratch.delta = delta;
        self.scratch.delta_elements = elements;
    }
}

impl Replication {
    fn begin_step(&mut self) {
        self.plans.retain(|_, plan| Rc::strong_count(plan) > 1);
        self.scratch.step += 1;
        self.scratch.elements.clear();
        self.scratch.plans.clear();
    }

    /// Gives the peer at `index` a plan, that of others when it is the same.
    fn set_plan(&mut self, index: usize, keys: Vec<Key>, unconfirmed: bool) {
        let Some((_, info)) = self.peers.get_index_mut(index) else { return };
        info.unconfirmed = unconfirmed;
        let mut hasher = DefaultHasher::new();
        keys.hash(&mut hasher);
        let mut hash = hasher.finish();
        // Another plan of the same hash is not shared.
        while self.plans.get(&hash).is_some_and(|plan| plan.keys != keys) {
            hash = hash.wrapping_add(1);
        }
        let plan = self.plans.entry(hash).or_insert_with(|| Rc::new(Plan { keys, hash }));
        info.plan = Some(Rc::clone(plan));
    }

    /// Makes the packets of what a peer is sent of changes.
    fn pack(&mut self, delta: &mut Delta) {
        delta.packets.clear();
        let packet = &mut self.scratch.packets;
        for &DeltaElement { key, id, mask, size } in &delta.elements {
            let Some(synchronizer) = self.synchronizers.get(key) else { continue };
            let len = DELTA_ELEMENT_HEAD + size;
            if packet.len() > DELTA_HEAD && packet.len() + len > self.delta_packet_max {
                delta.packets.push(packet.split().freeze());
            }
            if packet.is_empty() {
                make_room(packet, DELTA_HEAD + len);
                put_delta_head(packet);
            }
            put_delta_element(id, mask, size, synchronizer.values(mask), packet);
        }
        if !packet.is_empty() {
            delta.packets.push(packet.split().freeze());
        }
    }

    /// Settles which synchronizers have changes that somebody lacks, and when the next is due.
    fn settle_lag(&mut self) {
        self.scratch.ready.clear();
        self.scratch.delta.elements.clear();
        self.scratch.delta.packets.clear();
        let mut changed = std::mem::take(&mut self.scratch.changed);
        for key in changed.drain(..) {
            let Some(synchronizer) = self.synchronizers.get_mut(key) else { continue };
            if synchronizer.lacking > 0 {
                self.lagging.insert(key);
            } else {
                self.lagging.swap_remove(&key);
            }
            synchronizer.next_delta = None;
            if !synchronizer.delta_interval.is_zero() {
                // No time is before any time: one that was never sent anything is due at once.
                let first = synchronizer.seen_by.values().map(|seen| seen.last).min().flatten();
                synchronizer.next_delta = first.map(|last| last + synchronizer.delta_interval);
            }
        }
        self.scratch.changed = changed;
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
        let is_due = |seen: &Seen| seen.last.is_none_or(|last| now >= last + interval);
        let due = synchronizer.seen_by.iter().filter(|(_, seen)| is_due(seen));
        first_due =
            due.filter_map(|(peer, _)| peers.get_index_of(peer)).min().unwrap_or(usize::MAX);
    }
    let mut lacking = 0;
    for (seen, (peer, &Seen { place, last })) in synchronizer.seen_by.iter().enumerate() {
        if !synchronizer.has_changed(last) {
            continue;
        }
        let Some((index, _, info)) = peers.get_full_mut(peer) else { continue };
        debug_assert_eq!(info.synchronizers.get_index(place), Some(&key), "the places are kept");
        lacking += 1;
        if index >= first_due {
            info.candidates.push(Candidate { place, key, seen });
        }
    }
    synchronizer.lacking = lacking;
}

/// Lets `len` bytes be appended without moving what others hold. What they hold no more is used again.
fn make_room(packets: &mut BytesMut, len: usize) {
    if packets.capacity() - packets.len() < len {
        packets.reserve(len.max(PACKETS_BLOCK));
    }
}

impl Synchronizer {
    /// Whether it is sent in this step, which begins its interval anew.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.last_sync.is_none_or(|last| last == now || now >= last + self.interval);
        if is_due {
            self.last_sync = Some(now);
        }
        is_due
    }

    /// The number by which peers know it.
    pub(super) fn wire_id(&mut self, path_id: impl FnOnce(crate::tree::NodeId) -> u32) -> u32 {
        if self.net_id == 0 {
            self.net_id = BY_PATH | path_id(self.node);
        }
        self.net_id
    }

    /// Whether it has a number from an announcement, which needs no confirmation.
    fn is_named(&self) -> bool {
        self.net_id != 0 && self.net_id & BY_PATH == 0
    }

    /// Appends its element; where it lies.
    pub(super) fn encode_element(
        &mut self,
        id: u32,
        tree: &mut dyn NodeTree,
        objects: crate::codec::Objects,
        max: usize,
        out: &mut BytesMut,
    ) -> Result<Option<Range<usize>>, crate::replication::ReplicationError> {
        let start = out.len();
        let mut failed = None;
        let result = put_sync_element(id, out, |out| {
            self.synced.iter().try_for_each(|property| {
                property.encode(tree, objects, out).inspect_err(|_| {
                    failed = Some(property.path().to_string());
                })
            })
        });
        if let Err(error) = result {
            return Err(cannot_read(tree, self.node, failed.unwrap_or_default(), error));
        }
        let size = out.len() - start - SYNC_ELEMENT_HEAD;
        if size > max {
            out.truncate(start);
            return Err(too_large(tree, self.node, SYNC, size, max));
        }
        self.reported = false;
        Ok((size > 0).then_some(start..out.len()))
    }
}
