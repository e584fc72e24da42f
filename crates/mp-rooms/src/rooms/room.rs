//! The state of a room in the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mp_core::{Instant, PeerId};
use mp_identity::Subject;

use super::host_key::HostKey;
use super::players::OwnPlaces;
use crate::join::ListenerConnection;
use crate::matchmaking::{MatchRefusal, TicketHash};
use crate::name::{Code, RoomName};
use crate::refusal::JoinRefusal;
use crate::template::{Metadata, Template};

/// A room that exists or is being created.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: RoomName,
    pub(super) template: Arc<Template>,
    pub(super) max_players: u16,
    pub(super) code: Option<Code>,
    /// Key of a host of the room.
    pub(super) host_key: Option<HostKey>,
    pub(super) is_locked: bool,
    /// True while its thread does not keep up, so that it refuses players.
    pub(super) is_overloaded: bool,
    pub(super) metadata: Metadata,
    /// Time for which places of lost connections are kept; `None`: they are not.
    pub(super) resume: Option<Duration>,
    /// Player who has created the room by joining it.
    pub(super) owner: Option<Subject>,
    /// Time at which the room closes because it has no players.
    pub(super) deadline: Option<Instant>,
    /// Connections that wait for the room to open, in order; `None` once it is open.
    waiting: Option<Vec<ListenerConnection>>,
    /// Connections of the room, also those that wait, with the ids that they claim.
    places: BTreeMap<ListenerConnection, Option<PeerId>>,
    ids: BTreeSet<PeerId>,
    /// Places that are reserved for the owners of tickets.
    seats: BTreeSet<TicketHash>,
    /// True once a connection has joined the room, or a seat was reserved.
    was_joined: bool,
}

impl Room {
    /// Returns a room that is being created.
    pub(super) fn new(name: RoomName, template: Arc<Template>) -> Self {
        Self {
            name,
            max_players: template.max_players,
            code: template.code.clone(),
            host_key: template.host_key.clone().map(|token| HostKey::new(token, false)),
            is_locked: template.locked,
            is_overloaded: false,
            metadata: template.metadata.clone(),
            resume: template.resume,
            template,
            owner: None,
            deadline: None,
            waiting: Some(Vec::new()),
            places: BTreeMap::new(),
            ids: BTreeSet::new(),
            seats: BTreeSet::new(),
            was_joined: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.waiting.is_none()
    }

    /// Returns the number of connections that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, Vec::len)
    }

    /// Returns the number of connections, including those that wait.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// Returns the connections, with the ids that they claim.
    pub(super) fn connections(&self) -> impl Iterator<Item = (ListenerConnection, Option<PeerId>)> {
        self.places.iter().map(|(&connection, &id)| (connection, id))
    }

    /// Adds a connection that had a place of the same room on another server. It does not wait.
    pub(super) fn restore(&mut self, connection: ListenerConnection, id: Option<PeerId>) {
        self.places.insert(connection, id);
        self.ids.extend(id);
        self.was_joined = true;
    }

    /// Returns the ids that connections of the room claim.
    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> {
        self.ids.iter().copied()
    }

    /// Returns the connection that claims `id`.
    pub(super) fn connection_of(&self, id: PeerId) -> Option<ListenerConnection> {
        let mut places = self.places.iter();
        places.find(|(_, claimed)| **claimed == Some(id)).map(|(&connection, _)| connection)
    }

    /// Returns the id that a connection claims.
    pub(super) fn peer_of(&self, connection: ListenerConnection) -> Option<PeerId> {
        *self.places.get(&connection)?
    }

    /// Returns the number of reserved seats.
    pub(super) fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Returns whether a connection of the room claims this id, unless it is replaced.
    pub(super) fn has_id(&self, id: PeerId, replaced: &[ListenerConnection]) -> bool {
        let is_own = |it: &ListenerConnection| self.places.get(it) == Some(&Some(id));
        self.ids.contains(&id) && !replaced.iter().any(is_own)
    }

    /// Returns whether the room refuses all players, because it is locked, full or
    /// overloaded, and has no reserved seats.
    pub(super) fn is_refusing(&self) -> bool {
        (self.is_locked || self.is_full() || self.is_overloaded) && self.seats.is_empty()
    }

    /// Returns whether all places are occupied or reserved.
    fn is_full(&self) -> bool {
        self.places.len() + self.seats.len() >= usize::from(self.max_players)
    }

    /// Returns the reason why a connection that claims `id` and knows `code` may not join. It takes
    /// over the place of a connection that it replaces, even if the room is locked or private.
    pub(super) fn refusal(
        &self,
        id: Option<PeerId>,
        code: Option<&Code>,
        replaced: &[ListenerConnection],
    ) -> Option<JoinRefusal> {
        let is_taken = |id| self.has_id(id, replaced);
        if replaced.iter().any(|it| self.places.contains_key(it)) {
            id.is_some_and(is_taken).then_some(JoinRefusal::DuplicateId)
        } else if self.is_locked {
            Some(JoinRefusal::RoomLocked)
        } else if self.code.is_some() && self.code.as_ref() != code {
            Some(JoinRefusal::WrongCode)
        } else if self.is_full() {
            Some(JoinRefusal::RoomFull)
        } else if id.is_some_and(is_taken) {
            Some(JoinRefusal::DuplicateId)
        } else if self.is_overloaded {
            Some(JoinRefusal::Overloaded)
        } else {
            None
        }
    }

    /// Returns the reason why no seat can be reserved for a player who knows `code`. It takes over
    /// a place of its own, even if the room is locked or private.
    pub(super) fn seat_refusal(
        &self,
        code: Option<&Code>,
        own: &OwnPlaces,
    ) -> Option<MatchRefusal> {
        if own.seats.iter().any(|ticket| self.seats.contains(ticket)) {
            return None;
        }
        match self.refusal(None, code, &own.connections)? {
            JoinRefusal::RoomLocked => Some(MatchRefusal::RoomLocked),
            JoinRefusal::WrongCode => Some(MatchRefusal::WrongCode),
            JoinRefusal::Overloaded => Some(MatchRefusal::Overloaded),
            _ => Some(MatchRefusal::RoomFull),
        }
    }

    /// Reserves a seat.
    pub(super) fn add_seat(&mut self, ticket: TicketHash) {
        self.seats.insert(ticket);
        self.was_joined = true;
    }

    /// Frees a seat.
    pub(super) fn remove_seat(&mut self, ticket: TicketHash) {
        self.seats.remove(&ticket);
    }

    /// Returns the tickets of the seats.
    pub(super) fn tickets(&self) -> impl Iterator<Item = TicketHash> {
        self.seats.iter().copied()
    }

    /// Adds a connection. It waits unless the room is open.
    pub(super) fn add(&mut self, connection: ListenerConnection, id: Option<PeerId>) {
        self.places.insert(connection, id);
        self.ids.extend(id);
        self.was_joined = true;
        if let Some(waiting) = &mut self.waiting {
            waiting.push(connection);
        }
    }

    /// Removes a connection. Returns whether it was waiting.
    pub(super) fn remove(&mut self, connection: ListenerConnection) -> bool {
        if let Some(Some(id)) = self.places.remove(&connection) {
            self.ids.remove(&id);
        }
        let Some(waiting) = &mut self.waiting else { return false };
        let before = waiting.len();
        waiting.retain(|it| *it != connection);
        waiting.len() < before
    }

    /// Opens the room. Returns the connections that were waiting, in order.
    pub(super) fn open(&mut self) -> Vec<ListenerConnection> {
        self.waiting.take().unwrap_or_default()
    }

    /// Removes and returns the connections that wait.
    pub(super) fn take_waiting(&mut self) -> Vec<ListenerConnection> {
        let waiting = self.waiting.as_mut().map(std::mem::take).unwrap_or_default();
        for connection in &waiting {
            if let Some(Some(id)) = self.places.remove(connection) {
                self.ids.remove(&id);
            }
        }
        waiting
    }

    /// Returns the time after which the room closes, if it is open and has neither players nor
    /// seats.
    pub(super) fn timeout(&self) -> Option<Duration> {
        if !self.is_open() || !self.places.is_empty() || !self.seats.is_empty() {
            None
        } else if self.was_joined {
            self.template.departure_timeout
        } else {
            self.template.empty_timeout
        }
    }
}
