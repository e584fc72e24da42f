//! Rooms and players of other nodes of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_cluster::RemoteJoin;
use mp_core::{DisconnectReason, Instant, Reason, Rejection};
use mp_identity::{AuthRefusal, Identity, Role, Subject};
use mp_rooms::{
    Join, JoinDecision, JoinRefusal, ListenerConnection, ListenerId, RoomId, RoomName, SamePlayer,
};

use super::RoomsHost;
use super::listeners::Listening;
use crate::cluster::{Applicant, ClusterHandle, ToNode, is_guest};
use crate::rooms::player_socket::PlayerSocket;

/// The cluster of a host.
pub(super) struct Cluster {
    handle: ClusterHandle,
    /// Connections of this node that wait for another one, or are in a room of it.
    elsewhere: BTreeSet<ListenerConnection>,
    /// Numbers of the last joins of players of rooms of this node.
    joins: BTreeMap<Subject, u64>,
    last_join: u64,
    /// Names of the rooms that have opened, until they have ended.
    names: BTreeMap<RoomId, RoomName>,
}

impl RoomsHost {
    /// Makes the server a node of a cluster, before it has players.
    pub(in crate::rooms) fn join_cluster(&mut self, handle: ClusterHandle) {
        for (&id, listening) in &self.listeners {
            handle.send(ToNode::Listening(id, listening.endpoint.clone()));
        }
        self.rooms.set_first_id(handle.node().first_room());
        self.cluster = Some(Cluster {
            handle,
            elsewhere: BTreeSet::new(),
            joins: BTreeMap::new(),
            last_join: 0,
            names: BTreeMap::new(),
        });
    }

    /// Sends a message to the cluster, if the server is a node of one.
    pub(super) fn notify_cluster(&self, message: impl FnOnce() -> ToNode) {
        if let Some(cluster) = &self.cluster {
            cluster.handle.send(message());
        }
    }

    /// Lets a player whose identity is known join a room: here, or on the node that has it.
    pub(super) fn admit(&mut self, now: Instant, join: Join, identity: Arc<Identity>) {
        self.admit_with(now, join, identity, None);
    }

    /// Same as [`admit`](Self::admit). The node of the room checks the host key.
    fn admit_with(
        &mut self,
        now: Instant,
        join: Join,
        identity: Arc<Identity>,
        host_key: Option<[u8; 32]>,
    ) {
        let selection = match &self.cluster {
            Some(_) if join.resume.is_none() => join.selection_of(&identity).ok(),
            _ => None,
        };
        let elsewhere = selection.filter(|it| self.rooms.find_by_name(&it.room).is_none());
        let has_wrong_key =
            host_key.is_some() && self.rooms.has_host_key(now, &join) == Some(false);
        let (Some(selection), Some(cluster)) = (elsewhere, &mut self.cluster) else {
            return self.rooms.join_as(now, join, identity);
        };
        let template = match has_wrong_key {
            true => Err(JoinRefusal::WrongHostKey),
            false => self.rooms.creation_template(&selection, &identity),
        };
        let connection = join.connection;
        let applicant = Applicant { join, room: selection.room, identity, template, host_key };
        if cluster.handle.send(ToNode::Join(Box::new(applicant))) {
            cluster.elsewhere.insert(connection);
        } else {
            self.decide(connection, JoinDecision::Refuse(JoinRefusal::TooManyWaiting));
        }
    }

    /// Lets a player whose token may be the host key of a room join the room on another node, which
    /// checks the key. Returns false if the room is here, or the token has another meaning.
    pub(super) fn admit_by_key(&mut self, now: Instant, join: &Join) -> bool {
        let Ok(selection) = &join.selection else { return false };
        let is_here = self.rooms.find_by_name(&selection.room).is_some();
        let is_refused = join.resume.is_some() || self.rooms.refusal_of_all().is_some();
        let host_key = join.token_hash().filter(|_| !is_here && !is_refused);
        let is_key = self.rooms.has_host_key(now, join);
        let may_be_key = self.is_open || is_key == Some(true);
        if self.cluster.is_none() || host_key.is_none() || !may_be_key {
            return false;
        }
        self.admit_with(now, join.clone(), key_identity(is_key), host_key);
        true
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
        let Applicant { join, room, identity, host_key, .. } = applicant;
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        if cluster.elsewhere.remove(&join.connection) {
            match host_key.map(|_| self.rooms.has_host_key(now, &join)) {
                None => self.rooms.join_as(now, join, identity),
                Some(Some(false)) if self.is_open => {
                    let refusal = JoinDecision::Refuse(JoinRefusal::WrongHostKey);
                    self.decide(join.connection, refusal);
                }
                Some(is_key) => self.rooms.join_as(now, join, key_identity(is_key)),
            }
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
        let room = join.selection.room.clone();
        if let Err(reason) = self.enter_guest(guest, join)
            && let Some(socket) = self.socket_of(guest.listener)
        {
            socket.reject(guest, reason);
        }
        self.settle(room);
    }

    fn enter_guest(
        &mut self,
        guest: ListenerConnection,
        join: RemoteJoin,
    ) -> Result<(), DisconnectReason> {
        let RemoteJoin { claimed_id, selection, mut identity, host_key, .. } = join;
        let now = self.now();
        // A node that repeats a connection is not to be trusted.
        if self.rooms.has_place(guest) {
            return Err(DisconnectReason::Refused);
        }
        if let Some(hash) = host_key {
            let is_key = self.rooms.has_host_key_hash(now, &selection, &hash);
            if is_key == Some(false) && (self.is_open || identity.role() == Role::Host) {
                return Err(JoinRefusal::WrongHostKey.disconnect_reason());
            }
            identity = key_identity(is_key);
        }
        if self.is_banned(&identity) {
            return Err(DisconnectReason::Rejected(Rejection::from(AuthRefusal::Banned)));
        }
        self.rooms.join_as(now, Join::new(guest, claimed_id, Ok(selection)), identity);
        Ok(())
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

    /// Lets the cluster replace other connections of a player who is admitted.
    pub(super) fn report_player(&mut self, connection: ListenerConnection, decision: JoinDecision) {
        let Some(cluster) = &mut self.cluster else { return };
        let player = self.rooms.identity_of(connection).and_then(|it| it.subject()).cloned();
        let (Some(player), SamePlayer::Replace) = (player, self.rooms.same_player()) else {
            return;
        };
        // A session that is resumed was reported when it began.
        if !matches!(decision, JoinDecision::Admit(_)) {
            return;
        }
        if cluster.joins.len() > 2 * self.rooms.players() + JOINS_MIN {
            let rooms = &self.rooms;
            cluster.joins.retain(|player, _| rooms.has_player(player));
        }
        cluster.last_join += 1;
        let number = cluster.last_join;
        cluster.joins.insert(player.clone(), number);
        cluster.handle.send(ToNode::PlayerJoined { player, number });
    }

    /// Disconnects a player who was admitted elsewhere, unless it has joined again since the join
    /// with this number.
    pub(crate) fn replace_player(&mut self, player: &Subject, number: u64) {
        let Some(cluster) = &mut self.cluster else { return };
        if cluster.joins.get(player).is_some_and(|&last| last <= number) {
            cluster.joins.remove(player);
            let now = self.now();
            self.rooms.replace_player(now, player);
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

/// Numbers of joins that are kept although their players may have left.
const JOINS_MIN: usize = 1_024;

/// Returns the identity of a player by a host key.
fn key_identity(is_key: Option<bool>) -> Arc<Identity> {
    let identity = Identity::anonymous();
    Arc::new(if is_key == Some(true) { identity.with_role(Role::Host) } else { identity })
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
