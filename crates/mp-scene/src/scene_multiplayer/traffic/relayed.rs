//! Counts packets that a branch forwards between clients.

use bytes::Bytes;
use mp_core::PeerId;

use super::super::sender::Wire;
use super::accounts::{Accounts, CACHED_ROWS_MAX};
use super::names::RelayedNames;
use super::report::TrafficCount;
use super::table::{Direction, KeyRef, RowId, stored_name};
use crate::codec::godot::sync::{
    BY_PATH, DELTA_ELEMENT_HEAD, SYNC_ELEMENT_HEAD, next_delta_element, next_sync_element,
};
use crate::message::CallNode;
use crate::{PacketKind, SceneMessage};

/// A node or method of a sender, by its ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RelayedKey {
    author: PeerId,
    kind: PacketKind,
    /// The sender's id for the node, with bit 31 set for a path id.
    id: u32,
    method: Option<u16>,
}

impl Accounts {
    /// Counts a packet of `author` that `receivers` clients are sent. A malformed one counts by its
    /// kind.
    pub(super) fn count_relayed(
        &mut self,
        wire: &Wire,
        names: &RelayedNames,
        author: PeerId,
        packet: &Bytes,
        receivers: usize,
    ) {
        let Some(kind) = wire.kind(packet) else { return };
        let key = |id, method| RelayedKey { author, kind, id, method };
        let row = match wire.decode(packet) {
            Ok(SceneMessage::RemoteCall(call)) => match call.node {
                CallNode::Id { id, .. } => {
                    self.relayed_row(names, key(id | BY_PATH, Some(call.method)))
                }
                CallNode::Path(path) => self.named_row(kind, &path, &method_name(call.method)),
            },
            Ok(SceneMessage::SimplifyPath { path, .. }) => self.named_row(kind, &path, ""),
            Ok(SceneMessage::Spawn(spawn)) => self.named_row(kind, &spawn.name, ""),
            Ok(SceneMessage::Despawn(id)) => self.relayed_row(names, key(id, None)),
            Ok(SceneMessage::Sync { mut elements, .. }) => {
                while let Some(Ok((id, values))) = next_sync_element(&mut elements) {
                    let row = self.relayed_row(names, key(id, None));
                    self.count_forwarded(row, receivers, SYNC_ELEMENT_HEAD + values.len());
                }
                return;
            }
            Ok(SceneMessage::Delta(mut elements)) => {
                while let Some(Ok((id, _, values))) = next_delta_element(&mut elements) {
                    let row = self.relayed_row(names, key(id, None));
                    self.count_forwarded(row, receivers, DELTA_ELEMENT_HEAD + values.len());
                }
                return;
            }
            _ => self.named_row(kind, "", ""),
        };
        self.count_forwarded(row, receivers, packet.len());
    }

    /// Looks up the rows of a sender's ids again, because they have new names.
    pub(super) fn forget_relayed(&mut self, author: PeerId) {
        self.relayed.retain(|key, _| key.author != author);
    }

    fn count_forwarded(&mut self, row: RowId, receivers: usize, bytes: usize) {
        self.count(row, Direction::Received, TrafficCount::each(1, bytes));
        self.count(row, Direction::Sent, TrafficCount::each(receivers, bytes));
    }

    fn relayed_row(&mut self, names: &RelayedNames, key: RelayedKey) -> RowId {
        if let Some(row) = self.relayed.get(&key) {
            return *row;
        }
        let member = key.method.map(method_name).unwrap_or_default();
        let row = self.named_row(key.kind, &names.name_of(key.author, key.id), &member);
        if self.relayed.len() >= CACHED_ROWS_MAX {
            self.relayed.clear();
        }
        self.relayed.insert(key, row);
        row
    }

    fn named_row(&mut self, kind: PacketKind, node: &str, member: &str) -> RowId {
        let node = stored_name(node);
        self.table_mut().row(&KeyRef { kind, is_relayed: true, node: &node, member })
    }
}

fn method_name(id: u16) -> String {
    format!("method {id}")
}
