//! [`Witness`]: what a room has sent to its guests.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::{OutgoingPacket, PeerId};
use mp_scene::codec::Limits;
use mp_scene::{Codec, PacketKind, SceneMessage};

use crate::game::Ledger;

/// A record of the nodes that a room has sent to each guest, and of the guests that receive nodes
/// while there is no host.
#[derive(Debug, Default)]
pub(super) struct Witness {
    guests: BTreeMap<PeerId, Sent>,
    /// Nodes that the room has sent in this turn, and to whom.
    spawned: Vec<(PeerId, String)>,
    /// The guests with which the game was paused. `None`: there is a host, or there was none yet.
    paused: Option<BTreeSet<PeerId>>,
}

/// The nodes and calls that a room has sent to a guest.
#[derive(Debug, Default)]
struct Sent {
    /// Names of nodes by net id.
    nodes: BTreeMap<u32, String>,
    /// Calls of hosts. A host calls a guest after the room has announced it to the other guests.
    calls: u64,
}

impl Witness {
    /// Records a packet.
    pub(super) fn observe(&mut self, to: PeerId, packet: &OutgoingPacket) {
        if !packet.prefix.as_slice().is_empty() {
            return;
        }
        let sent = self.guests.entry(to).or_default();
        match Codec::default().kind(&packet.payload) {
            Some(PacketKind::Rpc) => sent.calls += 1,
            Some(PacketKind::Spawn | PacketKind::Despawn) => {
                match Codec::default().decode(&packet.payload, &Limits::default()) {
                    Ok(SceneMessage::Spawn(spawn)) => {
                        sent.nodes.insert(spawn.net_id, spawn.name.clone());
                        self.spawned.push((to, spawn.name));
                    }
                    Ok(SceneMessage::Despawn(id)) => {
                        sent.nodes.remove(&id);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Ends a turn of the room with these peers, among which there is a host or not. Checks that
    /// guests without a host receive only what all earlier guests have, and records in `ledger`
    /// what they receive. The error is a violation.
    pub(super) fn end_turn(
        &mut self,
        peers: &[PeerId],
        has_host: bool,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        self.guests.retain(|guest, _| peers.contains(guest));
        let spawned = std::mem::take(&mut self.spawned);
        if self.paused.is_none() && (has_host || self.guests.is_empty()) {
            return Ok(());
        }
        let guests = self.guests.iter().filter(|(_, sent)| sent.calls >= SURE_CALLS);
        let guests = guests.map(|(&guest, _)| guest);
        let has_just_ended = self.paused.is_none();
        let paused = self.paused.get_or_insert_with(|| guests.collect());
        paused.retain(|guest| self.guests.contains_key(guest));
        let earlier: Vec<PeerId> = paused.iter().copied().collect();
        for (to, name) in spawned.into_iter().filter(|(to, _)| !earlier.contains(to)) {
            let has_node = |guest: &PeerId| self.names_of(*guest).any(|it| *it == name);
            // A host that has ended in this turn may have shown it before.
            if !has_just_ended && let Some(guest) = earlier.iter().find(|guest| !has_node(guest)) {
                return Err(format!("{to} receives {name:?}, which {guest} does not have"));
            }
            ledger.show(&name, to);
        }
        // A guest may join and be the next host in one turn.
        if has_host || self.guests.is_empty() {
            self.paused = None;
        }
        Ok(())
    }

    /// Returns the names of the nodes that a guest has received and not lost.
    pub(super) fn names_of(&self, guest: PeerId) -> impl Iterator<Item = &String> {
        self.guests.get(&guest).into_iter().flat_map(|sent| sent.nodes.values())
    }
}

/// Number of calls after which a guest was announced to the others for sure.
const SURE_CALLS: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_may_receive_a_hidden_node_from_a_host_and_not_without_one() {
        let [earlier, later] = [2, 3].map(|id| PeerId::new(id).expect("an id"));
        let mut witness = Witness::default();
        witness.guests.insert(earlier, Sent { calls: SURE_CALLS, ..Sent::default() });
        witness.guests.insert(later, Sent::default());
        let mut receive = |has_host| {
            witness.spawned.push((later, "hidden".to_owned()));
            witness.end_turn(&[earlier, later], has_host, &mut Ledger::default())
        };
        assert_eq!(receive(true), Ok(()));
        // The host has ended in this turn.
        assert_eq!(receive(false), Ok(()));
        assert!(receive(false).is_err());
    }
}
