//! [`Ledger`]: what the owners of a game have shown to whom.

use std::collections::BTreeSet;

use mp_core::{Packet, PeerId};
use mp_scene::codec::Limits;
use mp_scene::{Codec, PacketKind, SceneMessage};

/// A record of the nodes of a game, and of the peers to which owners have shown them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Number of the last node.
    last: i64,
    /// Secret units with the peers to which an owner has shown them.
    shown: BTreeSet<(String, PeerId)>,
}

impl Ledger {
    /// Returns a number that no other node has.
    pub(super) fn next(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Returns whether `peer` may receive a node: it is public, or was shown to the peer.
    fn may_have(&self, node: &str, peer: PeerId) -> bool {
        let unit = unit_of(node);
        !is_secret(unit) || self.shown.contains(&(unit.to_owned(), peer))
    }

    /// Records that a secret unit is shown to a peer.
    pub(crate) fn show(&mut self, unit: &str, peer: PeerId) {
        self.shown.insert((unit_of(unit).to_owned(), peer));
    }

    /// Records that everything that was shown to `old` is shown to `new`.
    pub(crate) fn show_as(&mut self, old: PeerId, new: PeerId) {
        let shown: Vec<_> = self.shown.iter().filter(|(_, peer)| *peer == old).cloned().collect();
        self.shown.extend(shown.into_iter().map(|(unit, _)| (unit, new)));
    }

    /// Checks that a node that a packet announces to `peer` is not hidden from it. The error is a
    /// violation.
    pub(crate) fn check_packet(&self, peer: PeerId, packet: &Packet) -> Result<(), String> {
        if Codec::default().kind(&packet.payload) != Some(PacketKind::Spawn) {
            return Ok(());
        }
        match Codec::default().decode(&packet.payload, &Limits::default()) {
            Ok(SceneMessage::Spawn(spawn)) if !self.may_have(&spawn.name, peer) => {
                Err(format!("{peer} receives {:?}, which is hidden from it", spawn.name))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the unit to which a node belongs: itself, unless it is a part.
fn unit_of(node: &str) -> &str {
    node.split('p').next().unwrap_or(node)
}

/// Returns whether a unit is hidden unless it is shown to a peer.
pub(super) fn is_secret(unit: &str) -> bool {
    unit.starts_with(SECRET)
}

/// First letter of the names of units that are hidden unless they are shown to a peer.
pub(super) const SECRET: char = 's';
