//! The states of rooms: stored by their node, and restored by the node that adopts them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_cluster::bus::Bus;
use mp_cluster::directory::Directory;
use mp_cluster::limits::HOLD_TIME;
use mp_cluster::{
    ClusterNodeId, Epoch, RemoteJoin, SnapshotStoreError, StoredContent, StoredEndpoint,
    StoredPlayer, StoredRoom, StoredSeat, StoredSnapshot,
};
use mp_core::{ConnectionId, EndpointId, Instant};
use mp_rooms::{ListenerConnection, ListenerId, RestoredPlayer, RestoredSeat, RoomName, Selection};
use mp_scene::{Handover, Snapshot};

use super::{Driver, LoadingRoom};
use crate::cluster::node::WithoutSnapshot;
use crate::cluster::restored::RestoredEndpoint;
use crate::cluster::snapshots::{CapturedRoom, SnapshotOutcome};
use crate::rooms::{BranchRestore, RoomDescription, RoomRestore};

/// A connection of a branch.
type At = (EndpointId, ConnectionId);

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    /// Begins the snapshots that are due, of rooms for which this node may speak.
    pub(super) fn snapshot(&mut self, now: Instant) {
        for room in self.snapshots.due(now) {
            if self.moves.contains_key(&room) {
                self.snapshots.skip(now, &room);
                continue;
            }
            match self.here.get(&room).zip(self.epoch_of(now, &room)) {
                Some((of, epoch)) => self.snapshots.capture(room, epoch, of, self.rooms.clone()),
                None => self.snapshots.skip(now, &room),
            }
        }
    }

    pub(super) fn handle_snapshot(&mut self, outcome: SnapshotOutcome) {
        let now = self.clock.now();
        match outcome {
            // Its last state is stored by the move.
            SnapshotOutcome::Captured(room, ..) if self.moves.contains_key(&room) => {
                self.snapshots.skip(now, &room);
            }
            SnapshotOutcome::Captured(room, epoch, captured) => {
                match captured.and_then(|captured| self.state_of(&room, captured)) {
                    Some((state, is_last)) => {
                        let bytes = state.encode(self.cluster);
                        self.snapshots.store(now, room, epoch, bytes, is_last);
                    }
                    None => self.snapshots.skip(now, &room),
                }
            }
            SnapshotOutcome::Stored(room, bytes, result) => {
                self.snapshots.stored(&room, bytes, result);
            }
            SnapshotOutcome::Loaded(room, epoch, result) => {
                self.loaded(now, &room, epoch, result);
            }
            SnapshotOutcome::Removed => {}
            SnapshotOutcome::Movable(room, captured) => self.begin_move(now, room, captured),
            SnapshotOutcome::Redirected(room, listener, remote) => {
                self.redirected(&room, listener, remote);
            }
            SnapshotOutcome::HandedOver(room, captured) => self.handed_over(now, room, captured),
            SnapshotOutcome::Moved(room, result) => self.stored_last(&room, result),
        }
    }

    /// Returns the state of a room, with the nodes of its players; `None` while the branch has
    /// peers of a link that has ended. False: a player is not in the branch yet, or not any more.
    pub(super) fn state_of(
        &mut self,
        room: &RoomName,
        captured: CapturedRoom,
    ) -> Option<(StoredRoom, bool)> {
        let CapturedRoom { description, content, handover } = captured;
        let RoomDescription { template, code, is_locked, max_players, players, metadata, seats } =
            description;
        let mut nodes = self.far.endpoints_of(&self.gateways, room);
        let here = self.listeners.values().map(|it| (it.id(), (self.node, it.id())));
        nodes.extend(here);
        let origins = self.guests.origins();
        let origin = |listener: ListenerId| {
            let here = || self.listeners.get(&listener).map(|it| (self.node, it.id()));
            origins.get(&listener).copied().or_else(here)
        };
        let mut endpoints = Vec::new();
        let mut connected = BTreeSet::new();
        if let Some(handover) = &handover {
            if handover.connections().any(|(endpoint, ..)| !nodes.contains_key(&endpoint)) {
                return None;
            }
            let of = |id| nodes.get(&id).map(|&(node, there)| StoredEndpoint { id, node, there });
            endpoints.extend(handover.endpoints().filter_map(of));
            let at = |(endpoint, connection, _): (EndpointId, ConnectionId, _)| {
                nodes.get(&endpoint).map(|&(node, there)| (node, there, connection))
            };
            connected.extend(handover.connections().filter_map(at));
        }
        let mut is_last = true;
        let mut of_state = Vec::new();
        for player in players {
            let RestoredPlayer { connection, peer, identity, ticket, kept_for } = player;
            // The endpoint of a kept player may be forgotten. No other one here has this number.
            let of_kept = || kept_for.map(|_| (self.node, EndpointId(connection.listener.0)));
            let origin = origin(connection.listener).or_else(of_kept);
            let Some((node, endpoint)) = origin else { continue };
            let connection = connection.connection;
            let is_connected = connected.contains(&(node, endpoint, connection));
            is_last &= handover.is_none() || is_connected != kept_for.is_some();
            let selection = Selection::new(room.clone());
            let join = RemoteJoin {
                endpoint,
                connection,
                claimed_id: peer,
                selection,
                identity,
                host_key: None,
                ticket: None,
            };
            of_state.push(StoredPlayer { node, join, ticket, kept_for });
        }
        let players = of_state;
        let seat = |seat| {
            let RestoredSeat { ticket, identity, time } = seat;
            StoredSeat { ticket, identity, time }
        };
        let seats = seats.into_iter().map(seat).collect();
        let state = StoredRoom {
            template,
            code,
            is_locked,
            max_players,
            endpoints,
            players,
            content,
            metadata,
            seats,
        };
        Some((state, is_last))
    }

    /// Returns whether a room goes on here soon, with its players. Others join it afterwards.
    pub(super) fn is_restoring(&self, room: &RoomName) -> bool {
        self.loading.contains_key(room) || self.restoring.contains(room)
    }

    /// Begins to read the state of a room that this node has adopted. Returns whether the room is
    /// being restored: no player joins it before.
    pub(super) fn loads(
        &mut self,
        room: &RoomName,
        epoch: Epoch,
        is_adopted: bool,
        loading: LoadingRoom,
    ) -> bool {
        if self.is_restoring(room) {
            return true;
        }
        let loads =
            is_adopted && !self.here.is_used(room) && self.snapshots.load(room.clone(), epoch);
        if loads {
            self.here.begin_call(room);
            self.loading.insert(room.clone(), loading);
        }
        loads
    }

    fn loaded(
        &mut self,
        now: Instant,
        room: &RoomName,
        epoch: Epoch,
        result: Result<Option<StoredSnapshot>, SnapshotStoreError>,
    ) {
        let Some(LoadingRoom { template, is_moved }) = self.loading.remove(room) else { return };
        if self.claims.epoch_of(room) != Some(epoch) {
            return self.here.end_call(room, false);
        }
        let ends = self.snapshots.settings.without_snapshot == WithoutSnapshot::End;
        let stored = result.unwrap_or_else(|error| {
            self.snapshots.stats.failed += 1;
            tracing::error!(%room, %error, "cannot read the state of a room of another node");
            None
        });
        let moved = is_moved.then_some(epoch);
        let restore = stored.and_then(|stored| self.restore(now, room, &stored, moved));
        let is_nothing = |it: &RoomRestore| matches!(it.branch, BranchRestore::Nothing);
        let restore = restore.filter(|it| !(ends && is_nothing(it)));
        let room = room.clone();
        match (restore, template) {
            (Some(restore), _) => {
                let players = restore.description.players.len();
                tracing::info!(%room, players, "a room of another node goes on from its snapshot");
                self.snapshots.stats.restored += 1;
                self.restoring.insert(room);
                self.call(move |host| host.open_restored(restore));
            }
            (None, Some(template)) if !ends => {
                tracing::info!(%room, "a room of a node that has died is created anew");
                self.snapshots.stats.missing += 1;
                self.call(move |host| host.open_claimed(room, &template));
            }
            (None, _) => {
                tracing::info!(%room, "a room of another node ends: no snapshot is stored");
                self.snapshots.stats.missing += 1;
                self.here.end_call(&room, false);
            }
        }
    }

    /// Returns the room of a snapshot, and expects its players; `None` if it cannot be used.
    /// `moved`: the epoch here, if the former node has moved it.
    fn restore(
        &mut self,
        now: Instant,
        room: &RoomName,
        stored: &StoredSnapshot,
        moved: Option<Epoch>,
    ) -> Option<RoomRestore> {
        let refuse = |error: &dyn std::fmt::Display| {
            tracing::warn!(%room, %error, "the snapshot of a room cannot be used");
        };
        let state = match StoredRoom::decode(self.cluster, &stored.bytes) {
            Ok(state) => state,
            Err(error) => {
                self.snapshots.stats.refused += 1;
                refuse(&error);
                return None;
            }
        };
        let StoredRoom {
            template,
            code,
            is_locked,
            max_players,
            endpoints,
            players,
            content,
            metadata,
            seats,
        } = state;
        // Otherwise the snapshot may be older than the last use of a ticket. Valid ones are in the
        // directory.
        let without_ticket = |player| StoredPlayer { ticket: None, ..player };
        let players = match moved {
            Some(_) => players,
            None => players.into_iter().map(without_ticket).collect(),
        };
        let mut restored = Vec::new();
        let branch = match &content {
            StoredContent::Nothing => Ok(BranchRestore::Nothing),
            StoredContent::Program(bytes) => Snapshot::decode(bytes)
                .map(BranchRestore::Program)
                .map_err(|error| mp_core::ErrorChain::new(&error).to_string()),
            StoredContent::Peers(bytes) => {
                Handover::decode(bytes).map_err(|error| error.to_string()).map(|handover| {
                    let of = (room, moved, &endpoints[..]);
                    let ids = self.expect(now, of, &handover, players, &mut restored);
                    BranchRestore::Peers(handover, ids)
                })
            }
        };
        match branch {
            Ok(branch) => {
                let seat = |seat| {
                    let StoredSeat { ticket, identity, time } = seat;
                    RestoredSeat { ticket, identity, time }
                };
                let description = RoomDescription {
                    template,
                    code,
                    is_locked,
                    max_players,
                    players: restored,
                    metadata,
                    seats: seats.into_iter().map(seat).collect(),
                };
                let (name, wake) = (room.clone(), Arc::clone(&self.wake));
                Some(RoomRestore { name, description, branch, is_moved: moved.is_some(), wake })
            }
            Err(error) => {
                self.snapshots.stats.refused += 1;
                refuse(&error);
                None
            }
        }
    }

    /// Expects the endpoints of a relay that was on another node, and their connections. Returns
    /// the ids of these endpoints here.
    fn expect(
        &mut self,
        now: Instant,
        (room, moved, endpoints): (&RoomName, Option<Epoch>, &[StoredEndpoint]),
        handover: &Handover,
        players: Vec<StoredPlayer>,
        restored: &mut Vec<RestoredPlayer>,
    ) -> BTreeMap<EndpointId, EndpointId> {
        let connections: BTreeSet<At> = handover
            .connections()
            .map(|(endpoint, connection, _)| (endpoint, connection))
            .collect();
        let mut with_player = BTreeSet::new();
        for StoredPlayer { node, join, ticket, kept_for } in players {
            let RemoteJoin { endpoint, connection, claimed_id: peer, identity, .. } = join;
            let is_of = |it: &&StoredEndpoint| (it.node, it.there) == (node, endpoint);
            let mut at = endpoints.iter().filter(is_of).map(|it| (it.id, connection));
            let at = at.find(|at| connections.contains(at));
            let Some(listener) = self.guests.listener(node, endpoint) else { continue };
            let connection = ListenerConnection { listener, connection };
            match (at, moved) {
                (Some(at), _) if kept_for.is_none() => {
                    with_player.insert(at);
                    self.guests.restore(connection);
                }
                (None, _) if kept_for.is_some() => {}
                // It was admitted, and its node sends the connection here.
                (None, Some(epoch)) => self.guests.expect(now, connection, epoch),
                // The branch has not received it, or its end.
                _ => continue,
            }
            restored.push(RestoredPlayer { connection, peer, identity, ticket, kept_for });
        }
        let mut ids = BTreeMap::new();
        for &StoredEndpoint { id: before, node, there } in endpoints {
            let Some(listener) = self.guests.listener(node, there) else { continue };
            let id = self.gateways.reserve_endpoint();
            ids.insert(before, id);
            let of = connections.iter().copied().filter(|(endpoint, _)| *endpoint == before);
            let (known, gone): (Vec<At>, Vec<At>) = of.partition(|at| with_player.contains(at));
            let connection = |(_, connection): At| connection;
            let until = if self.is_alive(node) { now + HOLD_TIME } else { now };
            let endpoint = RestoredEndpoint {
                id,
                listener,
                connections: known.into_iter().map(connection).collect(),
                gone: gone.into_iter().map(connection).collect(),
                until,
                remote: None,
            };
            self.restored.insert((room.clone(), node, there, id), endpoint);
        }
        ids
    }

    fn is_alive(&self, node: ClusterNodeId) -> bool {
        node == self.node || self.claims.members().contains_key(&node)
    }

    /// Reports the ends of connections whose node has died or not opened its link in time.
    pub(super) fn expire_restored(&mut self, now: Instant) {
        for guest in self.restored.handle_timeout(now) {
            self.guests.remove(guest);
            self.call(move |host| host.guest_left(guest));
        }
    }

    /// Forgets the players of a restored room that has ended.
    pub(super) fn end_restored(&mut self, room: &RoomName) {
        for guest in self.restored.end_room(room) {
            self.guests.remove(guest);
            self.call(move |host| host.guest_left(guest));
        }
    }

    /// Opens links to the next node of a room, for players of this node whose room was on another.
    pub(super) fn reopen(&mut self, now: Instant, room: &RoomName, owner: (ClusterNodeId, Epoch)) {
        let links = self.gateways.reopen(now, room, owner);
        if !links.is_empty() {
            tracing::info!(%room, node = %owner.0, "the players of a room go on with its next node");
            self.near.reopened(owner, links);
        }
    }
}
