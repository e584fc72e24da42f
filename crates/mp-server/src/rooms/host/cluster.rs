//! Rooms and players of other nodes of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_cluster::RemoteJoin;
use mp_core::{DisconnectReason, Instant, Reason, Rejection};
use mp_identity::{AuthRefusal, Identity};
use mp_rooms::{Join, JoinDecision, JoinRefusal, ListenerConnection, ListenerId, RoomId, RoomName};

use super::RoomsHost;
use super::listeners::Listening;
use crate::cluster::{Applicant, ClusterHandle, ToNode, is_guest};
use crate::rooms::player_socket::PlayerSocket;

/// The cluster of a host.
pub(super) struct Cluster {
    handle: ClusterHandle,
    /// Connections of this node that wait for another one, or are in a room of it.
    elsewhere: BTreeSet<ListenerConnection>,
    /// Names of the rooms that have opened, until they have ended.
    names: BTreeMap<RoomId, RoomName>,
}

impl RoomsHost {
    /// Makes the server a node of a cluster, before it has players.
    pub(in crate::rooms) fn join_cluster(&mut self, handle: ClusterHandle) {
        for (&id, listening) in &self.listeners {
            handle.send(ToNode::Listening(id, listening.endpoint.clone()));
        }
        let (elsewhere, names) = (BTreeSet::new(), BTreeMap::new());
        self.cluster = Some(Cluster { handle, elsewhere, names });
    }

    /// Sends a message to the cluster, if the server is a node of one.
    pub(super) fn notify_cluster(&self, message: impl FnOnce() -> ToNode) {
        if let Some(cluster) = &self.cluster {
            cluster.handle.send(message());
        }
    }

    /// Returns the way to the cluster, if the server is a node of one.
    pub(in crate::rooms) fn cluster(&self) -> Option<ClusterHandle> {
        self.cluster.as_ref().map(|cluster| cluster.handle.clone())
    }

    /// Lets a player whose identity is known join a room: here, or on the node that has it.
    pub(super) fn admit(&mut self, now: Instant, join: Join, identity: Arc<Identity>) {
        let selection = match &self.cluster {
            Some(_) if join.resume.is_none() => join.selection_of(&identity).ok(),
            _ => None,
        };
        let elsewhere = selection.filter(|it| self.rooms.find_by_name(&it.room).is_none());
        let (Some(selection), Some(cluster)) = (elsewhere, &mut self.cluster) else {
            return self.rooms.join_as(now, join, identity);
        };
        let template = self.rooms.creation_template(&selection, &identity);
        let connection = join.connection;
        let applicant = Applicant { join, room: selection.room, identity, template };
        if cluster.handle.send(ToNode::Join(Box::new(applicant))) {
            cluster.elsewhere.insert(connection);
        } else {
            self.decide(connection, JoinDecision::Refuse(JoinRefusal::TooManyWaiting));
        }
    }

    /// Forgets a connection that has ended.
    pub(super) fn forget_elsewhere(&mut self, connection: ListenerConnection) {
        if let Some(cluster) = &mut self.cluster
            && cluster.elsewhere.remove(&connection)
        {
            cluster.handle.send(ToNode::Left(connection));
        }
    }

    /// Lets a player join a room that this node owns now.
    pub(crate) fn join_here(&mut self, applicant: Applicant) {
        let Applicant { join, room, identity, .. } = applicant;
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        if cluster.elsewhere.remove(&join.connection) {
            self.rooms.join_as(now, join, identity);
        }
        self.settle(room);
    }

    /// Refuses a player whose room is on no node, or whose node refuses it.
    pub(crate) fn refuse_applicant(
        &mut self,
        connection: ListenerConnection,
        reason: DisconnectReason,
    ) {
        let Some(cluster) = &mut self.cluster else { return };
        if !cluster.elsewhere.remove(&connection) {
            return;
        }
        tracing::debug!(%connection, %reason, "join refused");
        if let DisconnectReason::Rejected(rejection) = reason
            && let Some(refusal) = JoinRefusal::ALL.iter().find(|it| it.label() == rejection.code())
        {
            self.count_failed_join(connection, *refusal);
        }
        if let Some(socket) = self.socket_of(connection.listener) {
            socket.reject(connection, reason);
        }
    }

    /// Lets a player of another node join a room. The decision follows as for players of this node.
    pub(crate) fn guest_joins(&mut self, guest: ListenerConnection, join: RemoteJoin) {
        let RemoteJoin { claimed_id, selection, identity, .. } = join;
        let room = selection.room.clone();
        // A node that repeats a connection is not to be trusted.
        let refusal = match self.rooms.has_place(guest) {
            true => Some(DisconnectReason::Refused),
            false => self
                .is_banned(&identity)
                .then(|| DisconnectReason::Rejected(Rejection::from(AuthRefusal::Banned))),
        };
        match refusal.zip(self.socket_of(guest.listener)) {
            Some((reason, socket)) => socket.reject(guest, reason),
            None => {
                let join = Join::new(guest, claimed_id, Ok(selection));
                self.rooms.join_as(self.now(), join, identity);
            }
        }
        self.settle(room);
    }

    /// Handles the end of a connection of another node.
    pub(crate) fn guest_left(&mut self, guest: ListenerConnection) {
        self.leave(self.now(), guest);
    }

    /// Creates a room of a node that has died.
    pub(crate) fn open_claimed(&mut self, room: RoomName, template: &RoomName) {
        let created = match self.rooms.reserved(&room).cloned() {
            Some(reserved) => self.rooms.create_with(room.clone(), reserved),
            None => self.rooms.create(room.clone(), template),
        };
        if let Err(refusal) = created {
            tracing::warn!(%room, %refusal, "the room of another node is not created anew");
        }
        self.settle(room);
    }

    /// Closes a room that another node has now.
    pub(crate) fn close_lost(&mut self, room: &RoomName) {
        if let Some(id) = self.rooms.find_by_name(room) {
            self.rooms.close(id);
        }
    }

    /// Reports that a call of the cluster about a room was handled.
    fn settle(&self, name: RoomName) {
        let exists = self.rooms.find_by_name(&name).is_some();
        self.notify_cluster(|| ToNode::Settled { name, exists });
    }

    /// Reports that a room has opened.
    pub(super) fn notify_opened(&mut self, room: RoomId, branch: &mp_actor::BranchRef) {
        let name = self.rooms.get(room).map(|info| info.name);
        if let (Some(cluster), Some(name)) = (&mut self.cluster, name) {
            cluster.names.insert(room, name.clone());
            cluster.handle.send(ToNode::Opened { room, name, branch: branch.clone() });
        }
    }

    /// Reports that a room has ended that had opened.
    pub(super) fn notify_ended(&mut self, room: RoomId) {
        if let Some(cluster) = &mut self.cluster
            && let Some(name) = cluster.names.remove(&room)
        {
            let exists = self.rooms.find_by_name(&name).is_some();
            cluster.handle.send(ToNode::Ended { room, name, exists });
        }
    }

    /// Reports that a room of this name could not be created.
    pub(super) fn notify_failed(&self, room: RoomId, name: Option<RoomName>) {
        if let Some(name) = name {
            let exists = self.rooms.find_by_name(&name).is_some();
            self.notify_cluster(|| ToNode::Ended { room, name, exists });
        }
    }

    /// Returns the socket of the players of a listener.
    pub(super) fn socket_of(&self, listener: ListenerId) -> Option<PlayerSocket<'_>> {
        socket_of(&self.listeners, self.cluster.as_ref(), listener)
    }
}

/// Same as [`RoomsHost::socket_of`], for a host whose other fields are borrowed.
pub(super) fn socket_of<'a>(
    listeners: &'a BTreeMap<ListenerId, Listening>,
    cluster: Option<&'a Cluster>,
    listener: ListenerId,
) -> Option<PlayerSocket<'a>> {
    if is_guest(listener) {
        return cluster.map(|cluster| PlayerSocket::Elsewhere(&cluster.handle));
    }
    listeners.get(&listener).map(|listening| PlayerSocket::Here(&listening.endpoint))
}
