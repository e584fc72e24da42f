//! Rooms that move to another node, as those of a server that is drained.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_cluster::{ClusterNodeId, FarGateway, FarLink, GatewayEnd};
use mp_core::{ConnectionId, EndpointId, Instant, Rng};
use mp_rooms::RoomName;

use super::ledger::{Ledger, Serial};
use super::node::Node;
use crate::rng_ext::RngExt;

/// The players of a room that moves: of each endpoint, by its node and its id there.
pub(super) type StoredRoom = BTreeMap<(ClusterNodeId, EndpointId), BTreeMap<ConnectionId, Serial>>;

/// The states of rooms that nodes have stored and no node has restored.
pub(super) type Store = BTreeMap<RoomName, StoredRoom>;

/// A room that moves to another node.
#[derive(Debug)]
pub(super) struct RoomMove {
    to: ClusterNodeId,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The sockets stop to send to the room. Links that have not responded at this time end.
    Freezing(Instant),
    /// The sockets receive what the room has sent. With the links of those that have not received
    /// everything, and the ids of their endpoints.
    Flushing(StoredRoom, Vec<(FarLink, EndpointId)>),
    /// The state is stored, and the directory is to name the next node.
    Claiming,
}

/// Time in which the nodes of a room's players have to respond.
const FREEZE_TIME: Duration = Duration::from_secs(3);

impl RoomMove {
    /// Closes the connections of a room whose move ends with its node, unless they are stored.
    pub(super) fn end(self, ledger: &mut Ledger) {
        if let Step::Flushing(stored, _) = self.step {
            end_stored(stored, ledger);
        }
    }
}

/// Closes the connections of a room that no node restores.
pub(super) fn end_stored(stored: StoredRoom, ledger: &mut Ledger) {
    stored.into_values().flatten().for_each(|(_, serial)| ledger.leave(serial));
}

impl Node {
    /// Begins to move a room to another node, now and then.
    pub(super) fn begin_move(&mut self, local: Instant, rng: &mut Rng) {
        if !self.may_move || !rng.chance(3) {
            return;
        }
        let is_opening = |room: &RoomName| self.opening.iter().any(|(_, of)| of == room);
        let is_movable = |room: &&RoomName| {
            let is_complete = !self.rooms[*room].is_restoring() && !is_opening(room);
            let speaks = self.claims.speaks(local, &self.lease, room).is_some();
            is_complete && speaks && !self.moves.contains_key(*room)
        };
        let movable: Vec<_> = self.rooms.keys().filter(is_movable).cloned().collect();
        let others: Vec<_> = self.claims.members().keys().filter(|it| **it != self.id).collect();
        let (Some(room), Some(&&to)) = (rng.pick(&movable), rng.pick(&others)) else { return };
        for link in self.rooms[room].links() {
            if let Some(far) = self.gateways.far_mut(link) {
                far.freeze();
            }
        }
        let step = Step::Freezing(local + FREEZE_TIME);
        self.moves.insert(room.clone(), RoomMove { to, step });
    }

    /// Continues the moves of rooms.
    pub(super) fn advance_moves(&mut self, local: Instant, ledger: &mut Ledger, store: &mut Store) {
        let Self { moves, rooms, gateways, claims, lease, .. } = self;
        for (name, RoomMove { to, step }) in moves {
            let Some(room) = rooms.get_mut(name) else { continue };
            match step {
                Step::Freezing(until) => {
                    let mut is_frozen = true;
                    for link in room.links() {
                        if gateways.far(link).is_none_or(FarGateway::is_frozen) {
                            continue;
                        }
                        is_frozen = false;
                        if local >= *until
                            && link.0 != self.id
                            && let Some(far) = gateways.far_mut(link)
                        {
                            far.end(GatewayEnd::NodeLost);
                        }
                    }
                    if is_frozen {
                        let there = |link| gateways.far(link)?.remote_endpoint();
                        let (stored, links) = room.hand_over(there);
                        *step = Step::Flushing(stored, links);
                    }
                }
                Step::Flushing(stored, links) => {
                    links.retain(|&(link, there)| {
                        let far = gateways.far(link).filter(|far| far.ended().is_none());
                        let is_behind = |far: &FarGateway| far.backlog() != (0, 0);
                        if far.is_some_and(|far| is_behind(far) || !room.has_sent_all(link)) {
                            return true;
                        }
                        if far.is_none()
                            && let Some(lost) = stored.remove(&(link.0, there))
                        {
                            // They have not received everything.
                            end_stored([((link.0, there), lost)].into(), ledger);
                        }
                        false
                    });
                    if links.is_empty() && claims.speaks(local, lease, name).is_some() {
                        store.insert(name.clone(), std::mem::take(stored));
                        *step = Step::Claiming;
                    }
                }
                Step::Claiming => {
                    // Does nothing while the room is being located, or has no owner.
                    claims.hand_over(name, *to, name.clone());
                }
            }
        }
    }
}
