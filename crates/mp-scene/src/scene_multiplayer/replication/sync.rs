//! Sending SYNC: properties that are always sent.
//!
//! A synchronizer is encoded once per step, and the packets of a plan are encoded once for all
//! peers with that plan. Packets for several peers differ only in their time, which is a prefix.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use mp_core::{Channel, Instant, PeerId, TransferMode, bug};
use rustc_hash::FxBuildHasher;
use slotmap::DefaultKey as Key;

use super::super::sender::SendOptions;
use super::announce::cannot_read;
use super::delta::Deltas;
use super::state::Synchronizer;
use super::step::{PeerStep, reserve};
use super::tree_changes::{SYNC, too_large};
use super::{Context, PeerInfo, Synchronizers};
use crate::codec::Objects;
use crate::codec::godot::sync::{
    BY_PATH, SYNC_ELEMENT_HEAD, SYNC_HEAD, put_sync_element, sync_prefix,
};
use crate::replication::ReplicationError;
use crate::tree::{NodeId, NodeTree};

const UNRELIABLE: SendOptions = SendOptions { mode: TransferMode::Unreliable, channel: Channel(0) };

/// The synchronizers that a peer is always sent, in order. Peers with the same synchronizers share
/// a plan.
#[derive(Debug)]
pub(super) struct Plan {
    keys: Vec<Key>,
    hash: u64,
}

/// The elements and packets of a step. The buffers are reused, so that a step does not allocate.
#[derive(Default)]
pub(super) struct Syncs {
    /// Number of steps.
    step: u64,
    /// The elements of this step.
    elements: BytesMut,
    /// The packet that is being built.
    packets: BytesMut,
    /// The plans that were encoded in this step, by their hashes.
    plans: HashMap<u64, EncodedPlan, FxBuildHasher>,
    ready: Vec<Bytes>,
}

/// A plan that was encoded in this step.
struct EncodedPlan {
    plan: Rc<Plan>,
    /// The packets, as indices of [`Syncs::ready`].
    packets: Range<usize>,
    /// Number of peers that are sent the packets.
    receivers: usize,
}

impl Syncs {
    pub(super) fn begin(&mut self) {
        self.step += 1;
        self.elements.clear();
    }

    /// Counts the packets of the step, which have been queued, and drops them.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, synchronizers: &Synchronizers) {
        if let Some(accounts) = cx.traffic.accounts() {
            for EncodedPlan { plan, receivers, .. } in self.plans.values() {
                let sent = plan.keys.iter().filter_map(|&key| synchronizers.get(key));
                let sent =
                    sent.filter(|it| matches!(it.element, (step, Some(_)) if step == self.step));
                sent.for_each(|synchronizer| synchronizer.count_sync(accounts, *receivers));
            }
        }
        self.plans.clear();
        self.ready.clear();
    }

    /// Returns the element of a synchronizer in the last step; empty if it was not encoded.
    pub(super) fn element_of(&self, synchronizer: &Synchronizer) -> &[u8] {
        match &synchronizer.element {
            (step, Some(range)) if *step == self.step => {
                self.elements.get(range.clone()).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Sends a peer the packets of its plan, after the DELTAs of the peers before it, as in Godot.
    pub(super) fn send(
        &mut self,
        cx: &mut Context<'_>,
        step: &mut PeerStep<'_>,
        deltas: &mut Deltas,
    ) {
        let PeerStep { peer, info, .. } = step;
        let peer = *peer;
        if info.synchronizers.is_empty() {
            return;
        }
        let Some(plan) = info.plan.clone() else {
            bug!("{peer} has synchronizers, but no plan");
            return cx.sender.fail(peer);
        };
        info.time = info.time.wrapping_add(1);
        let prefix = sync_prefix(info.time);
        let packets = match self.plans.get_mut(&plan.hash) {
            Some(encoded) => {
                encoded.receivers += 1;
                encoded.packets.clone()
            }
            None => self.encode(cx, plan, step),
        };
        if !packets.is_empty() {
            deltas.flush(cx, step.synchronizers);
        }
        for packet in packets {
            cx.sender.send_to(peer, UNRELIABLE, prefix, self.ready[packet].clone());
        }
    }

    /// Encodes the elements of a plan that are due and not yet encoded in this step, and packs
    /// them. Returns the indices of the packets in `ready`.
    fn encode(
        &mut self,
        cx: &mut Context<'_>,
        plan: Rc<Plan>,
        step: &mut PeerStep<'_>,
    ) -> Range<usize> {
        let PeerStep { synchronizers, errors, sync_packet_max: max, .. } = step;
        let max = *max;
        let first = self.ready.len();
        let mut len = SYNC_HEAD;
        reserve(&mut self.packets, max);
        for &key in &plan.keys {
            let Some(synchronizer) = synchronizers.get_mut(key) else { continue };
            if synchronizer.element.0 != self.step {
                let element = synchronizer.due_element(cx, max, &mut self.elements);
                let element = element.unwrap_or_else(|error| {
                    errors.fail(&mut synchronizer.reported, error);
                    None
                });
                synchronizer.element = (self.step, element);
            }
            let Some(range) = synchronizer.element.1.clone() else { continue };
            if len > SYNC_HEAD && len + range.len() > max {
                self.ready.push(self.packets.split().freeze());
                len = SYNC_HEAD;
                reserve(&mut self.packets, max);
            }
            len += range.len();
            self.packets.extend_from_slice(&self.elements[range]);
        }
        if len > SYNC_HEAD {
            self.ready.push(self.packets.split().freeze());
        }
        let packets = first..self.ready.len();
        let encoded = EncodedPlan { plan, packets: packets.clone(), receivers: 1 };
        self.plans.insert(encoded.plan.hash, encoded);
        packets
    }
}

impl fmt::Debug for Syncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syncs").field("step", &self.step).finish_non_exhaustive()
    }
}

impl PeerInfo {
    /// Updates the peer's plan if necessary, and announces the paths of synchronizers without a net
    /// id.
    pub(super) fn update_plan(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        synchronizers: &mut Synchronizers,
        plans: &mut BTreeMap<u64, Rc<Plan>>,
    ) {
        if self.plan.is_some() || self.synchronizers.is_empty() {
            return;
        }
        let mut keys = Vec::new();
        self.unconfirmed = false;
        for &key in &self.synchronizers {
            let Some(synchronizer) = synchronizers.get_mut(key) else { continue };
            let is_known = synchronizer.has_net_id()
                || cx.paths.announce(cx.sender, cx.tree, peer, synchronizer.node);
            if !is_known {
                self.unconfirmed = true;
                // The interval begins although nothing is sent, as in Godot.
                synchronizer.is_due(cx.now);
            } else if !synchronizer.synced.is_empty() {
                keys.push(key);
            }
        }
        let mut hasher = DefaultHasher::new();
        keys.hash(&mut hasher);
        let mut hash = hasher.finish();
        // Another plan with the same hash is not shared.
        while plans.get(&hash).is_some_and(|plan| plan.keys != keys) {
            hash = hash.wrapping_add(1);
        }
        let plan = plans.entry(hash).or_insert_with(|| Rc::new(Plan { keys, hash }));
        self.plan = Some(Rc::clone(plan));
    }
}

impl Synchronizer {
    /// Returns whether the synchronizer is sent in this step, which restarts its interval.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.last_sync.is_none_or(|last| last == now || now >= last + self.interval);
        if is_due {
            self.last_sync = Some(now);
        }
        is_due
    }

    /// Returns the id by which peers know the synchronizer.
    pub(super) fn wire_id(&mut self, path_id: impl FnOnce(NodeId) -> u32) -> u32 {
        if self.net_id == 0 {
            self.net_id = BY_PATH | path_id(self.node);
        }
        self.net_id
    }

    /// Returns whether the synchronizer has a net id, which needs no confirmation.
    fn has_net_id(&self) -> bool {
        self.net_id != 0 && self.net_id & BY_PATH == 0
    }

    /// Appends the element if it is due; returns its position.
    fn due_element(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
        out: &mut BytesMut,
    ) -> Result<Option<Range<usize>>, ReplicationError> {
        let id = self.wire_id(|node| cx.paths.id_of(node));
        if !self.is_due(cx.now) {
            return Ok(None);
        }
        if let Some(accounts) = cx.traffic.accounts() {
            self.rows(accounts, cx.tree);
        }
        self.encode_element(id, cx.tree, cx.sender.wire().objects(), max, out)
    }

    /// Appends the element; returns its position.
    pub(super) fn encode_element(
        &mut self,
        id: u32,
        tree: &mut dyn NodeTree,
        objects: Objects,
        max: usize,
        out: &mut BytesMut,
    ) -> Result<Option<Range<usize>>, ReplicationError> {
        let start = out.len();
        let mut sizes = self.rows.as_mut().map(|rows| rows.sizes_mut());
        let mut failed = None;
        let result = put_sync_element(id, out, |out| {
            self.synced.iter().try_for_each(|property| {
                let before = out.len();
                property.encode(tree, objects, out).inspect_err(|_| {
                    failed = Some(property.path().to_string());
                })?;
                if let Some(size) = sizes.as_mut().and_then(Iterator::next) {
                    *size = (out.len() - before) as u32;
                }
                Ok(())
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
