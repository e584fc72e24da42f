//! Rooms and players of other nodes of the cluster.

mod guests;
mod limits;
mod rooms;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_cluster::PlayerTicket;
use mp_cluster::directory::NodeContact;
use mp_core::{DisconnectReason, Instant, Reason};
use mp_identity::{Identity, Role, Subject};
use mp_rooms::{
    Join, JoinDecision, JoinRefusal, ListenerConnection, ListenerId, RoomId, RoomName, SamePlayer,
    TicketHash,
};
use serde_json::Value;

use self::limits::LimitChecks;
use super::RoomsHost;
use super::listeners::Listening;
use crate::cluster::{Applicant, ClusterHandle, TicketHolder, ToNode, is_guest};
use crate::rooms::player_socket::PlayerSocket;

/// The cluster of a host.
pub(super) struct Cluster {
    handle: ClusterHandle,
    /// Connections of this node that wait for another one, or are in a room of it.
    elsewhere: BTreeSet<ListenerConnection>,
    /// Numbers of the last joins of players of rooms of this node.
    joins: BTreeMap<Subject, u64>,
    last_join: u64,
    checks: LimitChecks,
    /// Names of the rooms that have opened, until they have ended.
    names: BTreeMap<RoomId, RoomName>,
}

impl Cluster {
    /// Reports that players have joined or left a room.
    pub(super) fn notify_changed(&self, room: RoomId) {
        if let Some(name) = self.names.get(&room) {
            self.handle.send(ToNode::Changed(name.clone()));
        }
    }
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
            checks: LimitChecks::default(),
            names: BTreeMap::new(),
        });
        self.rooms.record_ticket_changes();
    }

    /// Sends a message to the cluster, if the server is a node of one.
    pub(super) fn notify_cluster(&self, message: impl FnOnce() -> ToNode) {
        if let Some(cluster) = &self.cluster {
            cluster.handle.send(message());
        }
    }

    /// Sets the addresses at which players reach this node.
    pub(in crate::rooms) fn advertise(&self, contact: NodeContact) {
        self.notify_cluster(|| ToNode::Advertise(contact));
    }

    /// Returns the servers at which a player connects if its own is lost.
    pub(super) fn servers_for(&self, player: ListenerConnection) -> Vec<Value> {
        let Some(cluster) = &self.cluster else { return Vec::new() };
        let servers = cluster.handle.servers();
        let servers = match is_guest(player.listener) {
            true => servers.all(),
            false => servers.others(),
        };
        servers.iter().filter_map(|server| serde_json::to_value(server).ok()).collect()
    }

    /// Returns the way to the cluster, if the server is a node of one.
    pub(in crate::rooms) fn cluster(&self) -> Option<ClusterHandle> {
        self.cluster.as_ref().map(|cluster| cluster.handle.clone())
    }

    /// Lets a player whose identity is known join a room: here, or on the node that has it.
    pub(super) fn admit(&mut self, now: Instant, join: Join, identity: Arc<Identity>) {
        if let Some(Ok(resume)) = join.resume
            && self.may_be_elsewhere(now, resume.ticket)
        {
            return self.show_ticket(join, identity, PlayerTicket::Resume(resume));
        }
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
            return self.join_at_once(join, identity);
        };
        let template = match has_wrong_key {
            true => Err(JoinRefusal::WrongHostKey),
            false => self.rooms.creation_template(&selection, &identity),
        };
        let connection = join.connection;
        let (room, ticket) = (selection.room, None);
        let applicant = Applicant { join, room, identity, template, host_key, ticket };
        if cluster.handle.send(ToNode::Join(Box::new(applicant))) {
            cluster.elsewhere.insert(connection);
        } else {
            self.decide(connection, JoinDecision::Refuse(JoinRefusal::TooManyWaiting));
        }
    }

    /// Lets a player join a room that is here, or refuses it. If the room ends while other nodes
    /// are asked about the player, its join begins anew.
    fn join_at_once(&mut self, join: Join, identity: Arc<Identity>) {
        let limits = match &self.cluster {
            Some(_) => self.rooms.limits_of_join(&join, &identity),
            None => None,
        };
        let selection = limits.as_ref().and_then(|_| join.selection_of(&identity).ok());
        self.join_within_limits(join.connection, limits, move |host, may_join| {
            let now = host.now();
            let has_ended = selection.is_some_and(|it| host.rooms.find_by_name(&it.room).is_none());
            match (may_join, has_ended) {
                (false, _) => {}
                (true, true) => host.admit(now, join, identity),
                (true, false) => host.rooms.join_as(now, join, identity),
            }
        });
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

    /// Returns whether another node of the cluster may have the room of a ticket.
    pub(in crate::rooms) fn may_be_elsewhere(&self, now: Instant, ticket: TicketHash) -> bool {
        self.cluster.is_some() && self.rooms.ticket_offer(now, ticket).is_none()
    }

    /// Returns the number of players of this node who are in rooms of others, or wait for one.
    pub(super) fn elsewhere(&self) -> usize {
        self.cluster.as_ref().map_or(0, |cluster| cluster.elsewhere.len())
    }

    /// Lets the other nodes disconnect the players of this one from their rooms.
    pub(in crate::rooms) fn redirect_players(&mut self) {
        self.notify_cluster(|| ToNode::Leaving);
    }

    /// Lets the cluster find the room of a ticket, which is not here.
    pub(in crate::rooms) fn show_ticket(
        &mut self,
        join: Join,
        identity: Arc<Identity>,
        ticket: PlayerTicket,
    ) {
        let Some(cluster) = &mut self.cluster else { return };
        let connection = join.connection;
        let holder = Box::new(TicketHolder { join, identity, ticket });
        if cluster.handle.send(ToNode::ShowTicket(holder)) {
            cluster.elsewhere.insert(connection);
        } else {
            self.decide(connection, JoinDecision::Refuse(JoinRefusal::TooManyWaiting));
        }
    }

    /// Reports the tickets that have changed.
    pub(super) fn publish_tickets(&mut self, now: Instant) {
        let Some(cluster) = &self.cluster else { return };
        for ticket in self.rooms.changed_tickets() {
            cluster.handle.send(match self.rooms.ticket_offer(now, ticket) {
                Some(offer) => ToNode::OfferTicket(ticket, offer),
                None => ToNode::WithdrawTicket(ticket),
            });
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
        let Applicant { join, room, identity, host_key, ticket, .. } = applicant;
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        if cluster.elsewhere.remove(&join.connection) {
            match host_key.map(|_| self.rooms.has_host_key(now, &join)) {
                None => return self.join_with(join, identity, room, ticket),
                Some(Some(false)) if self.is_open => {
                    let refusal = JoinDecision::Refuse(JoinRefusal::WrongHostKey);
                    self.decide(join.connection, refusal);
                }
                Some(is_key) => self.rooms.join_as(now, join, key_identity(is_key)),
            }
        } else if let Some(ticket) = ticket {
            self.rooms.mark_ticket(ticket.hash());
        }
        self.settle(room);
    }

    /// Lets a player join a room of this node, and [settles](Self::settle) the room. Its ticket was
    /// used up in the directory; if the registry refuses the player, it is offered again.
    fn join_with(
        &mut self,
        mut join: Join,
        identity: Arc<Identity>,
        room: RoomName,
        ticket: Option<PlayerTicket>,
    ) {
        let (connection, claimed_id) = (join.connection, join.claimed_id);
        if let Some(PlayerTicket::Resume(resume)) = ticket {
            self.rooms.restore_ticket(&room, resume);
            join.resume = Some(Ok(resume));
        }
        let limits = match ticket {
            Some(PlayerTicket::Seat(ticket)) => self.rooms.limits_of_seat(ticket),
            _ => self.rooms.limits_of_join(&join, &identity),
        };
        let existed = self.rooms.find_by_name(&room).is_some();
        self.join_within_limits(connection, limits, move |host, may_join| {
            let now = host.now();
            let has_ended = existed && host.rooms.find_by_name(&room).is_none();
            match ticket {
                _ if !may_join => {}
                // Another node may have it.
                _ if has_ended => host.rooms.refuse(connection, JoinRefusal::Unreachable),
                Some(PlayerTicket::Seat(ticket)) => {
                    host.rooms.join_by_ticket(now, connection, claimed_id, Ok(ticket));
                }
                _ => host.rooms.join_as(now, join, identity),
            }
            if let Some(ticket) = ticket {
                host.rooms.mark_ticket(ticket.hash());
            }
            host.settle(room);
        });
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

    /// Lets the cluster replace other connections of a player who is admitted.
    pub(super) fn report_player(&mut self, connection: ListenerConnection, decision: JoinDecision) {
        match decision {
            JoinDecision::Admit(_) => self.report_join(connection),
            // A session that is resumed was reported when it began, here or on another node.
            JoinDecision::Resume { .. } if !self.has_reported(connection) => {
                self.report_join(connection);
            }
            _ => {}
        }
    }

    fn has_reported(&self, connection: ListenerConnection) -> bool {
        let player = self.rooms.identity_of(connection).and_then(|it| it.subject());
        let joins = self.cluster.as_ref().map(|cluster| &cluster.joins);
        joins.zip(player).is_none_or(|(joins, player)| joins.contains_key(player))
    }

    /// Lets the cluster replace other connections of a player who has a place here. If a second
    /// connection is rejected, these are places that are kept elsewhere.
    fn report_join(&mut self, connection: ListenerConnection) {
        let Some(cluster) = &mut self.cluster else { return };
        let player = self.rooms.identity_of(connection).and_then(|it| it.subject()).cloned();
        let ends_others = self.rooms.same_player() != SamePlayer::Allow;
        let Some(player) = player.filter(|_| ends_others) else { return };
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
