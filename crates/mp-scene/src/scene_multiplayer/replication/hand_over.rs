//! Sends the last state of a synchronizer whose authority passes to another peer.
//!
//! Receivers accept this state only until they receive the change of authority, which most games
//! send as a call. So it is sent reliably, and before the last call of the turn.

use std::time::Duration;

use bytes::BytesMut;
use slotmap::DefaultKey as Key;

use super::announce::cannot_read;
use super::tree_changes::is_own;
use super::{Context, Replication};
use crate::SceneMessage;
use crate::codec::godot::sync::{BY_PATH, put_delta_element};

impl Replication {
    /// Sends the pending changes of a synchronizer, and its always properties if they differ from
    /// those of the last step. Returns false if a method runs on a node that the synchronizer
    /// reads.
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
        // Later than everything sent in this turn. The times are reset when the authority changes.
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
        for (&peer, viewer) in &synchronizer.viewers {
            if id & BY_PATH != 0 && !cx.paths.is_confirmed(peer, id & !BY_PATH) {
                continue;
            }
            let (mask, size) = synchronizer.changes(viewer.last);
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
