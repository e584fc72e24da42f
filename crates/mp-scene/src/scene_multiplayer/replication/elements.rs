//! Receiving SYNC and DELTA. All of them are untrusted input: they are checked in Godot 4.6.3's
//! order, and refused without a reply.

use bytes::Bytes;
use mp_core::PeerId;
use slotmap::DefaultKey as Key;

use super::super::paths::{Awaited, MessageKind};
use super::super::{NotAccepted, Refusal, refusal};
use super::state::set_state;
use super::{Context, Replication};
use crate::SceneMessage;
use crate::codec::godot::sync::{BY_PATH, next_delta_element, next_sync_element};
use crate::codec::godot::variant::Decoder;
use crate::signal::Signal;

impl Replication {
    pub(in crate::scene_multiplayer) fn receive_sync(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        time: u16,
        elements: Bytes,
    ) {
        // Paths must be resolved in the current tree.
        self.apply_tree_changes(cx);
        if let Err(refusal) = self.apply_sync(cx, sender, time, elements) {
            self.refuse_element(sender, refusal);
        }
    }

    fn apply_sync(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        time: u16,
        mut elements: Bytes,
    ) -> Result<(), Refusal> {
        while let Some(element) = next_sync_element(&mut elements) {
            let (id, values) = element.map_err(|_| Refusal::TruncatedElement)?;
            let key = match self.find_synchronizer(cx, sender, id) {
                Ok(key) => key,
                Err(Unknown::NotYet) => {
                    self.defer_sync(cx, sender, time, id, &values);
                    continue;
                }
                Err(Unknown::Never(refusal)) => {
                    self.refuse_element(sender, refusal);
                    continue;
                }
            };
            let Some(synchronizer) = self.synchronizers.get_mut(key) else { continue };
            if synchronizer.received_time.is_some_and(|last| is_old(time, last)) {
                self.stats.old_syncs += 1;
                continue;
            }
            synchronizer.received_time = Some(time);
            let node = synchronizer.node;
            if let Some(accounts) = cx.traffic.accounts() {
                let wire = cx.sender.wire();
                synchronizer.count_received(accounts, cx.tree, wire, None, &values);
            }
            let mut decoder = Decoder::new(&values, cx.sender.wire().limits());
            let mut read = std::mem::take(&mut self.values);
            read.clear();
            let result = synchronizer.synced.iter().try_for_each(|_| {
                read.push(decoder.compressed()?);
                Ok::<_, crate::codec::godot::VariantError>(())
            });
            let mut ran_setter = false;
            if result.is_ok() {
                let state = synchronizer.synced.iter().zip(read.drain(..));
                ran_setter = set_state(cx.tree, cx.own, synchronizer.entity, state);
            }
            let signals = synchronizer.signals;
            read.clear();
            self.values = read;
            result.map_err(|_| Refusal::UnreadableValues)?;
            if signals {
                cx.events.emit(Signal::Synchronized(node));
            }
            if ran_setter {
                self.apply_tree_changes(cx);
            }
        }
        Ok(())
    }

    pub(in crate::scene_multiplayer) fn receive_delta(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        elements: Bytes,
    ) {
        // Paths must be resolved in the current tree.
        self.apply_tree_changes(cx);
        if let Err(refusal) = self.apply_delta(cx, sender, elements) {
            self.refuse_element(sender, refusal);
        }
    }

    fn apply_delta(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        mut elements: Bytes,
    ) -> Result<(), Refusal> {
        while let Some(element) = next_delta_element(&mut elements) {
            let (id, mask, values) = element.map_err(|_| Refusal::TruncatedElement)?;
            let key = match self.find_synchronizer(cx, sender, id) {
                Ok(key) => key,
                Err(Unknown::NotYet) => {
                    self.defer_delta(cx, sender, id, mask, &values);
                    continue;
                }
                Err(Unknown::Never(refusal)) => {
                    self.refuse_element(sender, refusal);
                    continue;
                }
            };
            let Some(synchronizer) = self.synchronizers.get_mut(key) else { continue };
            if let Some(accounts) = cx.traffic.accounts() {
                let wire = cx.sender.wire();
                synchronizer.count_received(accounts, cx.tree, wire, Some(mask), &values);
            }
            let (node, signals) = (synchronizer.node, synchronizer.signals);
            let watched = synchronizer.watched.iter().enumerate();
            let changed = watched.filter(|(bit, _)| *bit < 64 && mask & (1 << bit) != 0);
            let changed: Vec<_> = changed.map(|(_, watched)| &watched.property).collect();
            if changed.is_empty() {
                return Err(Refusal::NoProperty);
            }
            let mut decoder = Decoder::new(&values, cx.sender.wire().limits());
            let (read, error) = decoder.compressed_list(changed.len());
            if error.is_some() || !decoder.rest().is_empty() {
                return Err(Refusal::UnreadableValues);
            }
            let state = changed.into_iter().zip(read);
            let ran_setter = set_state(cx.tree, cx.own, synchronizer.entity, state);
            if signals {
                cx.events.emit(Signal::DeltaSynchronized(node));
            }
            if ran_setter {
                self.apply_tree_changes(cx);
            }
        }
        Ok(())
    }

    /// Returns the synchronizer that `sender` calls `id`, if the sender has authority over it.
    fn find_synchronizer(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        id: u32,
    ) -> Result<Key, Unknown> {
        let key = if id & BY_PATH != 0 {
            let node = self.resolve_number(cx, sender, id & !BY_PATH);
            let node = node.map_err(|refusal| match refusal {
                NotAccepted::Refused(Refusal::EarlierBranch) => {
                    Unknown::Never(Refusal::EarlierBranch)
                }
                _ => Unknown::Never(Refusal::UnknownPathId),
            })?;
            self.by_node.get(&node).copied()
        } else {
            let info = self.peers.get(&sender);
            let by_net_id = info.and_then(|info| info.by_net_id.get(&id)).copied();
            if by_net_id.is_none() && self.is_of_earlier_branch(sender, id) {
                return Err(Unknown::Never(Refusal::EarlierBranch));
            }
            Some(by_net_id.ok_or(Unknown::NotYet)?)
        };
        let synchronizer = key.and_then(|key| self.synchronizers.get(key).map(|s| (key, s)));
        let (key, synchronizer) = synchronizer.ok_or(Unknown::Never(Refusal::NoSynchronizer))?;
        if synchronizer.authority != sender || synchronizer.refused {
            return Err(Unknown::Never(Refusal::SynchronizerAuthority));
        }
        Ok(key)
    }

    /// Defers an element whose synchronizer was not announced yet. Only the newest one is stored.
    fn defer_sync(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        time: u16,
        id: u32,
        values: &Bytes,
    ) {
        let mut elements = bytes::BytesMut::new();
        let put = crate::codec::godot::sync::put_sync_element(id, &mut elements, |out| {
            out.extend_from_slice(values);
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(()) = put;
        let message = SceneMessage::Sync { time, elements: elements.freeze() };
        let Some(packet) = cx.sender.encode(&message, &[sender]) else { return };
        let of = Awaited::Sync(sender, id);
        if cx.paths.has_departed(cx.now, sender, &of) {
            return self.refuse_element(sender, Refusal::NodeLeft);
        }
        self.defer_element(cx, of, MessageKind::Sync, sender, &packet);
    }

    fn defer_delta(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        id: u32,
        mask: u64,
        values: &Bytes,
    ) {
        let mut elements = bytes::BytesMut::new();
        let value = std::iter::once(&values[..]);
        crate::codec::godot::sync::put_delta_element(id, mask, values.len(), value, &mut elements);
        let message = SceneMessage::Delta(elements.freeze());
        let Some(packet) = cx.sender.encode(&message, &[sender]) else { return };
        self.defer_element(
            cx,
            Awaited::Delta(sender, id),
            MessageKind::Delta(mask),
            sender,
            &packet,
        );
    }

    fn defer_element(
        &mut self,
        cx: &mut Context<'_>,
        of: Awaited,
        kind: MessageKind,
        sender: PeerId,
        packet: &Bytes,
    ) {
        if !cx.paths.defer(cx.sender, cx.quirks, cx.now, sender, of, kind, packet) {
            self.refuse_element(sender, Refusal::NoSynchronizer);
        }
    }

    fn refuse_element(&mut self, sender: PeerId, refusal: Refusal) {
        if refusal == Refusal::EarlierBranch {
            self.stats.moved_packets += 1;
        } else {
            self.stats.refused_elements += 1;
        }
        refusal::count(&mut self.refusals, sender, refusal);
    }
}

/// The reason why the synchronizer of an element was not found.
enum Unknown {
    /// The synchronizer may be announced later.
    NotYet,
    /// The element can never be accepted.
    Never(Refusal),
}

/// Returns whether `time` is not after `last`, in 16-bit serial arithmetic.
fn is_old(time: u16, last: u16) -> bool {
    time <= last && last - time < 32_767
}
