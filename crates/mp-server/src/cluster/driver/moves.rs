//! Rooms that move to another node, because this one is about to end.
//!
//! 1. *Freeze*: this node receives the messages of its own endpoints for the branch, and the nodes
//!    of the other endpoints keep theirs. The branch handles what it has received.
//! 2. *Hand over*: the branch returns its peers and leaves its endpoints, which receive what it has
//!    sent before.
//! 3. The state is stored, and the directory names the next node, which restores the room.
//! 4. Each near gateway opens a link to that node, and sends what it has kept. Players who were
//!    admitted before, and whose connection was not in the branch, are expected there.

use std::sync::Arc;
use std::time::Duration;

use mp_actor::RemoteBranch;
use mp_cluster::bus::Bus;
use mp_cluster::directory::Directory;
use mp_cluster::{
    ClusterNodeId, FarLink, NodeRequest, SnapshotStoreError, StoredPlayer, StoredRoom, adopter,
    place,
};
use mp_core::bytes::Bytes;
use mp_core::{ConnectionId, EndpointId, Instant};
use mp_rooms::{ListenerId, RoomName, TicketHash};

use super::Driver;
use crate::cluster::requests::RouteKey;
use crate::cluster::snapshots::CapturedRoom;

/// A room that moves to another node.
#[derive(Debug)]
pub(super) struct RoomMove {
    to: ClusterNodeId,
    template: RoomName,
    deadline: Instant,
    /// Tickets of the players and seats, which the next node offers.
    tickets: Vec<TicketHash>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// The endpoints stop to send to the branch. `redirects`: endpoints of this node that have not
    /// responded.
    Freezing {
        redirects: usize,
        endpoints: Vec<(ListenerId, RemoteBranch)>,
    },
    /// The branch returns its peers.
    HandingOver(Vec<(ListenerId, RemoteBranch)>),
    /// The endpoints receive what the branch has sent. `links`: those of other nodes, with the id
    /// of the endpoint here, that have not received everything.
    Flushing {
        state: Box<StoredRoom>,
        links: Vec<(FarLink, EndpointId)>,
    },
    Storing,
    /// The directory is to name the next node.
    Claiming,
}

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    /// Begins to move the rooms that can be moved.
    pub(super) fn move_rooms(&mut self) {
        if self.snapshots.settings.storage.is_none() {
            return;
        }
        for room in self.here.names() {
            if let Some(of) = self.here.get(&room) {
                self.movable.insert(room.clone());
                self.snapshots.check_movable(room, of, self.rooms.clone(), Duration::ZERO);
            }
        }
    }

    /// Returns whether a room moves to another node, or is about to.
    pub(super) fn is_moving(&self, room: &RoomName) -> bool {
        self.moves.contains_key(room) || self.movable.contains(room)
    }

    /// Begins to move a room if it is a relay with players or seats, and there is a node for it.
    pub(super) fn begin_move(
        &mut self,
        now: Instant,
        room: RoomName,
        captured: Option<CapturedRoom>,
    ) {
        self.movable.remove(&room);
        let (Some(captured), Some(of)) = (captured, self.here.get(&room)) else { return };
        if captured.handover.is_none() {
            return;
        }
        let template = captured.description.template.clone();
        let Some((state, _)) = self.state_of(&room, captured) else {
            // A node that serves it has not opened its link here.
            self.movable.insert(room.clone());
            return self.snapshots.check_movable(room, of, self.rooms.clone(), CHECK_RETRY);
        };
        let mut others = self.claims.members().clone();
        others.remove(&self.node);
        let to = place(&others, self.node).or_else(|| adopter(&others, &room));
        let is_empty = state.players.is_empty() && state.seats.is_empty();
        let (Some(to), false, (_, branch)) = (to, is_empty, of) else { return };
        tracing::info!(%room, node = %to, "a room moves to another node");
        for (&listener, endpoint) in &self.listeners {
            let (of, wake) = ((listener, endpoint.clone()), Arc::clone(&self.wake));
            self.snapshots.redirect(room.clone(), of, branch.id(), wake);
        }
        self.far.freeze(&mut self.gateways, &room);
        let step = Step::Freezing { redirects: self.listeners.len(), endpoints: Vec::new() };
        let (deadline, tickets) = (now + STEP_TIMEOUT, Vec::new());
        self.moves.insert(room, RoomMove { to, template, deadline, tickets, step });
    }

    /// Handles that the messages of an endpoint of this node are received here.
    pub(super) fn redirected(
        &mut self,
        room: &RoomName,
        listener: ListenerId,
        remote: Option<RemoteBranch>,
    ) {
        if let Some(RoomMove { step: Step::Freezing { redirects, endpoints }, .. }) =
            self.moves.get_mut(room)
        {
            *redirects -= 1;
            endpoints.extend(remote.map(|remote| (listener, remote)));
        }
    }

    /// Continues the moves whose next step is due.
    pub(super) fn advance_moves(&mut self, now: Instant) {
        for room in self.moves.keys().cloned().collect::<Vec<_>>() {
            let Some(RoomMove { to, template, deadline, tickets, step }) = self.moves.remove(&room)
            else {
                continue;
            };
            let is_late = now >= deadline;
            let step = match step {
                Step::Freezing { redirects: 0, endpoints } => {
                    match self.far.is_frozen(&mut self.gateways, &room, is_late) {
                        true => self.hand_over(&room, endpoints),
                        false => Some(Step::Freezing { redirects: 0, endpoints }),
                    }
                }
                Step::Flushing { mut state, mut links } => {
                    self.flush(&mut state, &mut links, is_late);
                    // An earlier snapshot may be on its way to the store.
                    match links.is_empty() && !self.snapshots.is_busy(&room) {
                        true => self.store_last(now, &room, state.encode(self.cluster)),
                        false => Some(Step::Flushing { state, links }),
                    }
                }
                Step::Claiming => {
                    // Does nothing while the room is being located.
                    self.claims.hand_over(&room, to, template.clone());
                    Some(Step::Claiming)
                }
                step => Some(step),
            };
            match step {
                Some(step) => {
                    self.moves.insert(room, RoomMove { to, template, deadline, tickets, step });
                }
                None => self.abandon_move(room),
            }
        }
    }

    fn hand_over(
        &mut self,
        room: &RoomName,
        endpoints: Vec<(ListenerId, RemoteBranch)>,
    ) -> Option<Step> {
        let of = self.here.get(room)?;
        // Before the branch leaves its endpoints.
        self.far.hand_over(room);
        self.snapshots.hand_over(room.clone(), of, self.rooms.clone());
        Some(Step::HandingOver(endpoints))
    }

    /// Handles that the branch has left its endpoints: holds the connections of this node.
    pub(super) fn handed_over(
        &mut self,
        now: Instant,
        room: RoomName,
        captured: Option<CapturedRoom>,
    ) {
        let Some(RoomMove { to, template, step: Step::HandingOver(endpoints), .. }) =
            self.moves.remove(&room)
        else {
            return;
        };
        let epoch = self.claims.epoch_of(&room);
        let handover = captured.as_ref().and_then(|captured| captured.handover.clone());
        let (Some(captured), Some(handover), Some(epoch)) = (captured, handover, epoch) else {
            return self.abandon_move(room);
        };
        for (listener, remote) in endpoints {
            let endpoint = self.listeners.get(&listener).map(|it| it.id());
            let info = endpoint.and_then(|id| Some((id, handover.endpoint_info(id)?)));
            let Some((id, info)) = info else { continue };
            let of = handover.connections().filter(|(endpoint, ..)| *endpoint == id);
            let connections: Vec<ConnectionId> = of.map(|(_, connection, _)| connection).collect();
            let of_room = (room.clone(), epoch);
            let link = self.gateways.freeze(now, of_room, remote.id(), (id, info), connections);
            let key = RouteKey { listener, room: room.clone() };
            self.near.insert_frozen(link, key, remote);
        }
        let Some((state, _)) = self.state_of(&room, captured) else {
            return self.abandon_move(room);
        };
        let of_players = state.players.iter().filter_map(|player| player.ticket);
        let tickets = of_players.chain(state.seats.iter().map(|seat| seat.ticket)).collect();
        let (state, links) = (Box::new(state), self.far.links_of(&self.gateways, &room));
        let (deadline, step) = (now + STEP_TIMEOUT, Step::Flushing { state, links });
        self.moves.insert(room, RoomMove { to, template, deadline, tickets, step });
    }

    /// Forgets the links whose endpoint has received everything that the branch has sent. The next
    /// node ends the connections of those whose link has ended before, or is late.
    fn flush(&self, state: &mut StoredRoom, links: &mut Vec<(FarLink, EndpointId)>, is_late: bool) {
        links.retain(|&(link, endpoint)| match self.far.is_flushed(&self.gateways, link) {
            Some(true) => false,
            Some(false) if !is_late => true,
            _ => {
                lose_endpoint(state, endpoint);
                false
            }
        });
    }

    fn store_last(&mut self, now: Instant, room: &RoomName, bytes: Bytes) -> Option<Step> {
        let epoch = self.epoch_of(now, room)?;
        self.snapshots.store_last(room.clone(), epoch, bytes);
        Some(Step::Storing)
    }

    /// Handles whether the last state of a room was stored.
    pub(super) fn stored_last(&mut self, room: &RoomName, result: Result<(), SnapshotStoreError>) {
        match (self.moves.get_mut(room), result) {
            (Some(moving), Ok(())) => moving.step = Step::Claiming,
            (Some(_), Err(error)) => {
                tracing::error!(%room, %error, "the state of a room that moves cannot be stored");
                self.abandon_move(room.clone());
            }
            (None, _) => {}
        }
    }

    /// Handles that another node has a room that this one has moved.
    pub(super) fn moved(&mut self, room: RoomName) {
        self.far.end_own(&mut self.gateways, self.node, &room);
        if let Some(RoomMove { to, tickets, .. }) = self.moves.remove(&room) {
            tickets.into_iter().for_each(|ticket| self.tickets.offers.hand_over(ticket));
            self.send(to, &NodeRequest::RoomMoved(room.clone()));
        }
        self.refuse_early(&room);
        self.snapshots.ended(&room);
        self.call(move |host| host.moved_away(&room));
    }

    /// Ends a room that cannot be moved any more.
    fn abandon_move(&mut self, room: RoomName) {
        tracing::error!(%room, "a room could not be moved to another node; it ends");
        self.moves.remove(&room);
        self.gateways.abandon(&room);
        self.far.abandon(&mut self.gateways, &room);
        self.call(move |host| host.close_lost(&room));
    }
}

/// Records that no node has the connections of an endpoint, as if its node had died.
fn lose_endpoint(state: &mut StoredRoom, id: EndpointId) {
    let Some(endpoint) = state.endpoints.iter_mut().find(|it| it.id == id) else { return };
    let of = (endpoint.node, endpoint.there);
    (endpoint.node, endpoint.there) = (NO_NODE, id);
    let is_of = |it: &&mut StoredPlayer| (it.node, it.join.endpoint) == of;
    for player in state.players.iter_mut().filter(is_of) {
        (player.node, player.join.endpoint) = (NO_NODE, id);
    }
}

/// A node that does not exist.
const NO_NODE: ClusterNodeId = ClusterNodeId::new(0);
/// Time for which a step waits for other nodes. The links of those that have not responded end.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// Time after which a room is tried again whose peers are not all here.
const CHECK_RETRY: Duration = Duration::from_millis(100);
