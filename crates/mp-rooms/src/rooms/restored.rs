//! Players and seats of a room that another registry goes on with.

use std::sync::Arc;
use std::time::Duration;

use mp_core::{Instant, PeerId};
use mp_identity::Identity;

use super::{CreateRefusal, Rooms};
use crate::join::ListenerConnection;
use crate::matchmaking::TicketHash;
use crate::name::{Code, RoomId, RoomName};

/// A player with a place in an open room, from which the registry of another server
/// [goes on](Rooms::restore_player).
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "servers construct it")]
pub struct RestoredPlayer {
    /// The connection, which has ended if the place is kept.
    pub connection: ListenerConnection,
    /// The peer id that the connection claims.
    pub peer: Option<PeerId>,
    /// The player.
    pub identity: Arc<Identity>,
    /// Hash of the ticket with which it can resume its session; `None`: none, or one that the other
    /// server has offered in the directory of a cluster ([`Rooms::restore_ticket`]).
    pub ticket: Option<TicketHash>,
    /// Time for which the place is still kept; `None`: the player is connected.
    pub kept_for: Option<Duration>,
}

/// A seat of an open room, from which the registry of another server
/// [goes on](Rooms::restore_seat).
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "servers construct it")]
pub struct RestoredSeat {
    /// Hash of the ticket with which its owner takes it.
    pub ticket: TicketHash,
    /// Player for whom it is reserved.
    pub identity: Arc<Identity>,
    /// Time for which it is still reserved.
    pub time: Duration,
}

impl Rooms {
    /// Creates a room that another registry had, from its reserved settings or a template, although
    /// this server may refuse newcomers: its players are there already.
    ///
    /// # Errors
    ///
    /// See [`CreateRefusal`].
    pub fn create_restored(
        &mut self,
        name: RoomName,
        template: &RoomName,
    ) -> Result<RoomId, CreateRefusal> {
        let template = self.reserved.get(&name).or_else(|| self.templates.get(template));
        let template = template.ok_or(CreateRefusal::UnknownTemplate)?;
        self.insert(name, Arc::clone(template))
    }

    /// Returns the players of an open room; none if there is no such room.
    pub fn players_of(&self, now: Instant, room: RoomId) -> Vec<RestoredPlayer> {
        let room = self.rooms.get(&room).filter(|room| room.is_open());
        let connections = room.into_iter().flat_map(|room| room.connections());
        let anonymous = Arc::new(Identity::anonymous());
        let player = |(connection, peer)| RestoredPlayer {
            connection,
            peer,
            identity: self.identity_of(connection).unwrap_or(&anonymous).clone(),
            ticket: self.kept.ticket_of(connection),
            kept_for: self.kept_for(now, connection),
        };
        connections.map(player).collect()
    }

    /// Returns the code that players of a room need; `None` if there is none.
    pub fn code_of(&self, room: RoomId) -> Option<&Code> {
        self.rooms.get(&room)?.code.as_ref()
    }

    /// Returns whether a connection has a ticket with which its session can be resumed.
    pub fn has_ticket(&self, connection: ListenerConnection) -> bool {
        self.kept.ticket_of(connection).is_some()
    }

    /// Frees the place of a player whose room goes on elsewhere. Returns the room.
    pub fn release_player(
        &mut self,
        now: Instant,
        connection: ListenerConnection,
    ) -> Option<RoomId> {
        self.remove_place(now, connection)
    }

    /// Gives a place of a room to a player that had one in the same room on another server,
    /// whatever the limits of this one. The place is not announced as an output. Returns false, and
    /// does nothing, if there is no such room, or its id or connection has a place.
    pub fn restore_player(&mut self, now: Instant, id: RoomId, player: RestoredPlayer) -> bool {
        let RestoredPlayer { connection, peer, identity, ticket, kept_for } = player;
        let Some(room) = self.rooms.get_mut(&id) else { return false };
        let is_taken = peer.is_some_and(|peer| room.has_id(peer, &[]));
        if is_taken || self.places.contains_key(&connection) {
            return false;
        }
        room.restore(connection, peer);
        self.places.insert(connection, id);
        self.players.insert(connection, identity);
        match ticket {
            Some(ticket) => self.kept.set_ticket(connection, ticket),
            None => self.kept.restore(connection),
        }
        if let Some(time) = kept_for {
            self.kept.keep(connection, now + time);
        }
        true
    }
}
