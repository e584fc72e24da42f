//! [`RelayedNames`]: the nodes that packets between clients announce.

use std::collections::BTreeMap;

use bytes::Bytes;
use mp_core::PeerId;

use super::super::sender::Wire;
use super::table::stored_name;
use crate::codec::godot::sync::BY_PATH;
use crate::limits::RELAYED_NAMES_MAX;
use crate::{PacketKind, SceneMessage};

/// Names of nodes by their sender and its id for them: the path of a path id, with bit 31 set, and
/// the name of a spawned node, also for the net ids of its synchronizers.
///
/// A peer announces an id once, so names are recorded also while no operator views the branch. At
/// most [`RELAYED_NAMES_MAX`] are kept: a further one replaces the lowest id of the same sender, or
/// is dropped if the sender has none.
#[derive(Debug, Default)]
pub(super) struct RelayedNames(BTreeMap<(PeerId, u32), Box<str>>);

impl RelayedNames {
    /// Records the names in a packet of `author`. Returns whether there are any.
    #[inline]
    pub(super) fn record(&mut self, wire: &Wire, author: PeerId, packet: &Bytes) -> bool {
        let kind = wire.kind(packet);
        matches!(kind, Some(PacketKind::Path | PacketKind::Spawn))
            && self.record_announcement(wire, author, packet)
    }

    fn record_announcement(&mut self, wire: &Wire, author: PeerId, packet: &Bytes) -> bool {
        match wire.decode(packet) {
            Ok(SceneMessage::SimplifyPath { id, path, .. }) => {
                self.insert(author, id | BY_PATH, &path);
                true
            }
            Ok(SceneMessage::Spawn(spawn)) => {
                for id in spawn.synchronizers.iter().chain([&spawn.net_id]) {
                    if id & BY_PATH == 0 {
                        self.insert(author, *id, &spawn.name);
                    }
                }
                true
            }
            _ => false,
        }
    }

    fn insert(&mut self, author: PeerId, id: u32, name: &str) {
        let key = (author, id);
        if self.0.len() >= RELAYED_NAMES_MAX && !self.0.contains_key(&key) {
            let lowest = self.0.range((author, 0)..=(author, u32::MAX)).next();
            let Some(lowest) = lowest.map(|(&key, _)| key) else { return };
            self.0.remove(&lowest);
        }
        self.0.insert(key, stored_name(name).into());
    }

    /// Returns the name of a node, or a text with its id.
    pub(super) fn name_of(&self, author: PeerId, id: u32) -> String {
        match self.0.get(&(author, id)) {
            Some(name) => name.to_string(),
            None if id & BY_PATH != 0 => format!("path id {} of peer {author}", id & !BY_PATH),
            None => format!("net id {id} of peer {author}"),
        }
    }

    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        self.0.retain(|(author, _), _| *author != peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_sender_do_not_replace_those_of_others() {
        let peer = |id| PeerId::new(id).unwrap();
        let mut names = RelayedNames::default();
        names.insert(peer(2), BY_PATH | 1, "Ann");
        for id in 0..RELAYED_NAMES_MAX as u32 + 1 {
            names.insert(peer(3), id, "Bob");
        }
        names.insert(peer(4), 1, "Cem");
        assert_eq!(names.0.len(), RELAYED_NAMES_MAX);
        assert_eq!(names.name_of(peer(2), BY_PATH | 1), "Ann");
        assert_eq!(names.name_of(peer(3), 0), "net id 0 of peer 3");
        assert_eq!(names.name_of(peer(3), RELAYED_NAMES_MAX as u32), "Bob");
        assert_eq!(names.name_of(peer(4), BY_PATH | 1), "path id 1 of peer 4");
        names.remove_peer(peer(3));
        assert_eq!(names.0.len(), 1);
    }
}
