//! Places that are kept for players whose connection was lost.
//!
//! The place stays under the connection that has ended, with the player's id and identity, until
//! another connection resumes the session or the time of the template is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mp_core::{Instant, PeerId};
use mp_identity::Identity;

use super::offers::TicketChanges;
use super::players::SamePlayer;
use super::{JoinDecision, RoomOutput, Rooms};
use crate::join::{Join, ListenerConnection};
use crate::matchmaking::{MatchRefusal, TicketHash};
use crate::name::{RoomId, RoomName};
use crate::refusal::JoinRefusal;
use crate::resume::{PlayerSession, Resume};

/// The tickets of players, and the kept places.
#[derive(Debug, Default)]
pub(super) struct KeptPlaces {
    connections: BTreeMap<TicketHash, ListenerConnection>,
    tickets: BTreeMap<ListenerConnection, TicketHash>,
    kept: BTreeMap<ListenerConnection, Instant>,
    /// Connections without a ticket whose room was on another server. The tickets of that server
    /// resume their sessions.
    restored: BTreeSet<ListenerConnection>,
    expiries: BTreeSet<(Instant, ListenerConnection)>,
    pub(super) changes: TicketChanges,
    /// Sessions resumed so far.
    pub(super) resumed: u64,
    /// Kept places that expired so far.
    pub(super) expired: u64,
}

impl KeptPlaces {
    /// Returns the number of kept places.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn contains(&self, connection: ListenerConnection) -> bool {
        self.kept.contains_key(&connection)
    }

    /// Returns the time at which the next place is free.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|&(due, _)| due)
    }

    /// Forgets the ticket of a connection, and that its place is kept.
    pub(super) fn forget(&mut self, connection: ListenerConnection) {
        self.restored.remove(&connection);
        if let Some(ticket) = self.tickets.remove(&connection) {
            self.connections.remove(&ticket);
            self.changes.mark(ticket);
        }
        if let Some(due) = self.kept.remove(&connection) {
            self.expiries.remove(&(due, connection));
        }
    }

    /// Returns the ticket of a connection.
    pub(super) fn ticket_of(&self, connection: ListenerConnection) -> Option<TicketHash> {
        self.tickets.get(&connection).copied()
    }

    /// Sets the ticket of a connection, in place of an earlier one.
    pub(super) fn set_ticket(&mut self, connection: ListenerConnection, ticket: TicketHash) {
        self.restored.remove(&connection);
        if let Some(earlier) = self.tickets.insert(connection, ticket) {
            self.connections.remove(&earlier);
            self.changes.mark(earlier);
        }
        self.connections.insert(ticket, connection);
        self.changes.mark(ticket);
    }

    /// Returns the connection whose session a ticket resumes.
    pub(super) fn connection_of(&self, ticket: TicketHash) -> Option<ListenerConnection> {
        self.connections.get(&ticket).copied()
    }

    /// Records that the tickets of another server resume the session of a connection.
    pub(super) fn restore(&mut self, connection: ListenerConnection) {
        self.restored.insert(connection);
    }

    /// Returns whether a connection has a ticket here, or may have one of an earlier server.
    fn has_ticket(&self, connection: ListenerConnection) -> bool {
        self.tickets.contains_key(&connection) || self.restored.contains(&connection)
    }

    /// Returns the connections whose places are kept, or that had their place on another server.
    pub(super) fn kept_or_restored(&self) -> impl Iterator<Item = ListenerConnection> {
        self.kept.keys().chain(&self.restored).copied()
    }

    /// Keeps the place of a connection until a time.
    pub(super) fn keep(&mut self, connection: ListenerConnection, until: Instant) {
        self.kept.insert(connection, until);
        self.expiries.insert((until, connection));
    }
}

impl Rooms {
    /// Sets the ticket with which a player of a room can resume its session, in place of an earlier
    /// one. It is valid until it was used, or the player has left and its place is not kept any
    /// more. Returns the time for which the place is kept after the connection was lost; `None` if
    /// the player is not connected, or the room keeps no places
    /// ([`Template::resume`](crate::Template::resume)).
    pub fn offer_resume(
        &mut self,
        room: RoomId,
        connection: ListenerConnection,
        ticket: TicketHash,
    ) -> Option<Duration> {
        // A player who moves has a place of both rooms.
        let of = self.rooms.get(&room).filter(|of| of.peer_of(connection).is_some())?;
        let time = of.resume?;
        if self.kept.contains(connection) {
            return None;
        }
        self.kept.set_ticket(connection, ticket);
        Some(time)
    }

    /// Returns the session that a player can resume in a room of a template: its place is kept, or
    /// its connection is open and a newer one replaces it ([`SamePlayer::Replace`]).
    ///
    /// # Errors
    ///
    /// [`MatchRefusal::NotResumable`].
    pub fn session_of(
        &mut self,
        now: Instant,
        template: &RoomName,
        identity: &Identity,
    ) -> Result<PlayerSession, MatchRefusal> {
        let mut connections = self.players.of(identity.subject());
        connections.sort_by_key(|&it| !self.kept.contains(it));
        let mut sessions = connections.into_iter();
        let session = sessions.find_map(|of| self.resumable(now, template, of));
        session.ok_or(MatchRefusal::NotResumable).inspect_err(|&it| self.match_refused.count(it))
    }

    /// Sets the ticket of a session, in place of an earlier one.
    pub fn set_resume_ticket(&mut self, session: &PlayerSession, ticket: TicketHash) {
        self.kept.set_ticket(session.connection, ticket);
    }

    /// Returns the session of a connection, if a player with an identity can resume it.
    fn resumable(
        &self,
        now: Instant,
        template: &RoomName,
        connection: ListenerConnection,
    ) -> Option<PlayerSession> {
        let id = *self.places.get(&connection)?;
        let room = self.rooms.get(&id).filter(|room| room.is_open())?;
        let kept_until = self.kept.kept.get(&connection);
        let replaces = self.settings.same_player == SamePlayer::Replace;
        let is_of_template = room.template.name == *template;
        if !is_of_template || !(kept_until.is_some() || replaces) || self.is_moving(connection) {
            return None;
        }
        let (peer, time) = (room.peer_of(connection)?, room.resume?);
        let time = kept_until.map_or(time, |&until| until - now);
        let (name, template) = (room.name.clone(), template.clone());
        Some(PlayerSession { connection, peer, room: id, name, template, time })
    }

    /// Returns the time for which the place of a player is still kept; `None` if the player is
    /// connected, or unknown.
    pub fn kept_for(&self, now: Instant, connection: ListenerConnection) -> Option<Duration> {
        self.kept.kept.get(&connection).map(|&until| until - now)
    }

    /// Forgets the ticket of a player who has moved to a room that keeps no places.
    pub(super) fn check_ticket_of_moved(&mut self, connection: ListenerConnection, to: RoomId) {
        if self.rooms.get(&to).is_none_or(|room| room.resume.is_none()) {
            self.kept.forget(connection);
        } else if let Some(&ticket) = self.kept.tickets.get(&connection) {
            self.kept.changes.mark(ticket);
        }
    }

    /// Sets whether a room keeps the places of players whose connection was lost (default: as its
    /// template says). Returns false if there is no such room.
    pub fn set_resume(&mut self, room: RoomId, time: Option<Duration>) -> bool {
        self.rooms.get_mut(&room).map(|room| room.resume = time).is_some()
    }

    /// Keeps the place of a connection that has ended. Returns false if it is to be freed.
    pub(super) fn keep_place(&mut self, now: Instant, connection: ListenerConnection) -> bool {
        let Some(room) = self.places.get(&connection).and_then(|id| self.rooms.get(id)) else {
            return false;
        };
        let Some(time) = room.resume.filter(|_| room.is_open()) else { return false };
        let can_return = self.kept.has_ticket(connection) || self.identity_of(connection).is_some();
        if !can_return || self.is_moving(connection) || self.peer_of(connection).is_none() {
            return false;
        }
        self.kept.keep(connection, now + time);
        true
    }

    /// Frees the kept places whose time is over.
    pub(super) fn expire_kept(&mut self, now: Instant) {
        while let Some(&(due, connection)) = self.kept.expiries.first()
            && now >= due
        {
            self.kept.expired += 1;
            self.dismiss(now, connection);
        }
    }

    /// Frees the kept place of a player.
    pub(super) fn dismiss(&mut self, now: Instant, connection: ListenerConnection) {
        let peer = self.peer_of(connection);
        if let Some((room, peer)) = self.remove_place(now, connection).zip(peer) {
            self.outputs.push_back(RoomOutput::Left { connection, room, peer });
        }
    }

    /// Forgets the kept places of a room that has ended.
    pub(super) fn forget_kept_of(&mut self, room: RoomId) {
        let kept = self.kept.kept.keys().filter(|it| self.places.get(it) == Some(&room));
        for connection in kept.copied().collect::<Vec<_>>() {
            self.places.remove(&connection);
            self.players.remove(connection);
            self.kept.forget(connection);
        }
    }

    /// Returns the connection whose session a join resumes; `None` if the join is another one.
    pub(super) fn resumed_by(
        &self,
        join: &Join,
        identity: &Identity,
    ) -> Result<Option<ListenerConnection>, JoinRefusal> {
        match join.resume {
            Some(resume) => self.resumed_by_ticket(resume?, join.claimed_id, identity).map(Some),
            None => Ok(self.resumed_by_identity(join, identity)),
        }
    }

    fn resumed_by_ticket(
        &self,
        Resume { ticket, peer }: Resume,
        claimed_id: Option<PeerId>,
        identity: &Identity,
    ) -> Result<ListenerConnection, JoinRefusal> {
        let of = self.kept.connections.get(&ticket).copied().ok_or(JoinRefusal::InvalidResume)?;
        if self.peer_of(of) != Some(peer) || self.is_moving(of) {
            return Err(JoinRefusal::InvalidResume);
        }
        let owner = self.identity_of(of).and_then(|owner| owner.subject());
        if owner.is_some() && owner != identity.subject() {
            return Err(JoinRefusal::WrongPlayer);
        }
        let room = self.places.get(&of).and_then(|room| self.rooms.get(room));
        let room = room.ok_or(JoinRefusal::InvalidResume)?;
        if claimed_id.is_some_and(|id| room.has_id(id, &[of])) {
            return Err(JoinRefusal::DuplicateId);
        }
        Ok(of)
    }

    /// Returns the connection of a player in the room that its new connection selects, if the
    /// place is kept, or the new connection replaces the earlier one.
    fn resumed_by_identity(&self, join: &Join, identity: &Identity) -> Option<ListenerConnection> {
        identity.subject()?;
        let selection = join.selection_of(identity).ok()?;
        let id = *self.names.get(&selection.room)?;
        let room = self.rooms.get(&id).filter(|room| room.resume.is_some() && room.is_open())?;
        let replaces = self.settings.same_player == SamePlayer::Replace;
        let of_player = self.players.of(identity.subject()).into_iter();
        let mut here = of_player.filter(|it| self.places.get(it) == Some(&id));
        let of = here.find(|&it| self.kept.contains(it) || replaces)?;
        let is_taken = join.claimed_id.is_some_and(|claimed| room.has_id(claimed, &[of]));
        (!is_taken && self.peer_of(of).is_some() && !self.is_moving(of)).then_some(of)
    }

    /// Gives the place of a connection to another one, which resumes its session.
    pub(super) fn resume(&mut self, join: &Join, of: ListenerConnection, identity: Arc<Identity>) {
        let (connection, peer) = (join.connection, self.peer_of(of));
        let Some((id, peer)) = self.places.remove(&of).zip(peer) else { return };
        self.players.remove(of);
        self.kept.forget(of);
        self.kept.resumed += 1;
        self.players.insert(connection, identity);
        self.places.insert(connection, id);
        if let Some(room) = self.rooms.get_mut(&id) {
            room.remove(of);
            room.add(connection, join.claimed_id);
        }
        self.decide(connection, JoinDecision::Resume { room: id, peer, of });
    }
}
