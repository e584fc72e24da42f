//! The last state of a synchronizer that this side hands over.
//!
//! Receivers accept it only until they learn of the new authority, from a call in most games. So it goes
//! reliably, and in front of the call that was made last in the turn.

use std::time::Duration;

use bytes::BytesMut;
use slotmap::DefaultKey as Key;

use super::announce::cannot_read;
use super::tree_changes::is_own;
use super::{Context, Replication};
use crate::SceneMessage;
use crate::codec::godot::sync::{BY_PATH, put_delta_element};

impl Replication {
    /// Sends the pending changes of a synchronizer, and its always properties when they differ from
    /// those of the last step. Returns false when a method runs on a node that it reads.
    pub(super) fn send_last_state(&mut self, cx: &mut Context<'_>, key: Key) -> bool {
        self.check_touched(cx);
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return true };
        if !is_own(cx.own, synchronizer) || synchronizer.viewers.is_empty() {
            return true;
        }
        if synchronizer.is_busy(cx.tree) {
            return false;
        }
        let id = synchronizer.wire_id(|node| cx.paths.id_of(node));
        // Later than what this turn has sent already; the times end with the authority.
        let later = cx.now + Duration::from_micros(1);
        let (node, mut value) = (synchronizer.node, BytesMut::new());
        let failed = synchronizer.watch(later, cx.tree, cx.sender.wire().objects(), &mut value);
        value.clear();
        let sync_max = self.sync_packet_max;
        let sync = synchronizer.encode_element(
            id,
            cx.tree,
            cx.sender.wire().objects(),
            sync_max,
            &mut value,
        );
        let sent = self.syncs.element_of(synchronizer);
        let sync = sync.ok().flatten().filter(|_| value != sent).map(|_| value.freeze());
        let mut packets = Vec::new();
        for (&peer, seen) in &synchronizer.viewers {
            if id & BY_PATH != 0 && !cx.paths.is_confirmed(peer, id & !BY_PATH) {
                continue;
            }
            let (mask, size) = synchronizer.changes(seen.last);
            let mut delta = BytesMut::new();
            if mask != 0 && size <= self.delta_packet_max {
                put_delta_element(id, mask, size, synchronizer.values(mask), &mut delta);
            }
            packets.push((peer, delta.freeze()));
        }
        for (property, error) in failed {
            self.errors.report(cannot_read(cx.tree, node, property, error));
        }
        for (peer, delta) in packets {
            if let (Some(elements), Some(info)) = (sync.clone(), self.peers.get_mut(&peer)) {
                info.time = info.time.wrapping_add(1);
                let packet = SceneMessage::Sync { time: info.time, elements };
                cx.sender.send_before_last_call(&packet, peer);
            }
            if !delta.is_empty() {
                cx.sender.send_before_last_call(&SceneMessage::Delta(delta), peer);
            }
        }
        true
    }
}
