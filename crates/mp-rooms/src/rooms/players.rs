//! Players: the identities of connections, and the rooms that they have created.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_core::{ConnectionId, Instant, PeerId};
use mp_identity::{Identity, Role, Subject};

use super::{RoomOutput, Rooms};
use crate::join::{ListenerConnection, ListenerId};
use crate::matchmaking::TicketHash;
use crate::name::RoomId;
use crate::notice::NoticeText;
use crate::queue::QueueEnd;
use crate::refusal::{JoinRefusal, Removal};

/// The treatment of a player who is connected already and connects again, to any room; and of one
/// who has a seat or a place in a queue, and requests another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SamePlayer {
    /// The new connection, or request, is refused.
    Reject,
    /// The earlier connections are disconnected, if the new one may join. A new seat or place in a
    /// queue ends the earlier ones. The default.
    #[default]
    Replace,
    /// Both stay.
    Allow,
}

/// The identities of the connections that have one with a subject, or another role than that of a
/// player.
#[derive(Debug, Default)]
pub(super) struct Players {
    identities: BTreeMap<ListenerConnection, Arc<Identity>>,
    connections: BTreeMap<Subject, BTreeSet<ListenerConnection>>,
    /// Numbers of rooms by the players who have created them.
    owned: BTreeMap<Subject, usize>,
}

/// The places of a player that a new seat or place in a queue replaces.
#[derive(Debug, Default)]
pub(super) struct OwnPlaces {
    /// Its connections. They are replaced when the seat is taken.
    pub(super) connections: Vec<ListenerConnection>,
    /// Tickets of its seats.
    pub(super) seats: Vec<TicketHash>,
    /// Tickets of its places in queues.
    pub(super) queued: Vec<TicketHash>,
}

impl Players {
    pub(super) fn insert(&mut self, connection: ListenerConnection, identity: Arc<Identity>) {
        if let Some(subject) = identity.subject() {
            self.connections.entry(subject.clone()).or_default().insert(connection);
        } else if identity.role() == Role::Player {
            return;
        }
        self.identities.insert(connection, identity);
    }

    pub(super) fn remove(&mut self, connection: ListenerConnection) {
        let identity = self.identities.remove(&connection);
        let Some(subject) = identity.as_ref().and_then(|identity| identity.subject()) else {
            return;
        };
        if let Some(connections) = self.connections.get_mut(subject) {
            connections.remove(&connection);
            if connections.is_empty() {
                self.connections.remove(subject);
            }
        }
    }

    /// Returns the connections of a player.
    pub(super) fn of(&self, subject: Option<&Subject>) -> Vec<ListenerConnection> {
        let connections = subject.and_then(|subject| self.connections.get(subject));
        connections.into_iter().flatten().copied().collect()
    }

    pub(super) fn owned(&self, owner: &Subject) -> usize {
        self.owned.get(owner).copied().unwrap_or_default()
    }

    pub(super) fn add_room(&mut self, owner: Subject) {
        *self.owned.entry(owner).or_default() += 1;
    }

    pub(super) fn remove_room(&mut self, owner: &Subject) {
        if let Some(owned) = self.owned.get_mut(owner) {
            *owned -= 1;
            if *owned == 0 {
                self.owned.remove(owner);
            }
        }
    }
}

impl Rooms {
    /// Returns the connections that a new connection of a player replaces.
    pub(super) fn replaced_by(
        &self,
        identity: &Identity,
    ) -> Result<Vec<ListenerConnection>, JoinRefusal> {
        let others = self.players.of(identity.subject());
        let is_connected = others.iter().any(|&it| !self.kept.contains(it));
        match self.settings.same_player {
            SamePlayer::Reject if is_connected => Err(JoinRefusal::AlreadyConnected),
            SamePlayer::Replace | SamePlayer::Reject => Ok(others),
            SamePlayer::Allow => Ok(Vec::new()),
        }
    }

    /// Returns the places of a player that a new seat or place in a queue replaces; `None` if the
    /// player may have no other.
    pub(super) fn own_places(&self, identity: &Identity) -> Option<OwnPlaces> {
        let (Some(subject), SamePlayer::Replace | SamePlayer::Reject) =
            (identity.subject(), self.settings.same_player)
        else {
            return Some(OwnPlaces::default());
        };
        let mut own = OwnPlaces {
            connections: Vec::new(),
            seats: self.seats.of(subject).collect(),
            queued: self.queues.of(subject),
        };
        if self.settings.same_player == SamePlayer::Replace {
            own.connections = self.players.of(Some(subject));
        } else if !own.seats.is_empty() || !own.queued.is_empty() {
            return None;
        }
        Some(own)
    }

    /// Frees seats and ends places in queues, those of the whole parties.
    pub(super) fn end_places(&mut self, now: Instant, places: &OwnPlaces, reason: QueueEnd) {
        for &ticket in &places.seats {
            self.cancel_seat(now, ticket);
        }
        for &ticket in &places.queued {
            self.queues.end_place(now, ticket, reason);
        }
    }

    /// Returns the identity of a player of a room; `None` if there is no such player, or if it has
    /// no subject.
    pub fn identity(&self, room: RoomId, peer: PeerId) -> Option<&Arc<Identity>> {
        self.identity_of(self.connection_of(room, peer)?)
    }

    /// Returns the identity of a connection that waits or was admitted; `None` if it is a
    /// player without a subject.
    pub fn identity_of(&self, connection: ListenerConnection) -> Option<&Arc<Identity>> {
        self.players.identities.get(&connection)
    }

    /// Returns whether a connection waits, was admitted, or has a kept place.
    pub fn has_place(&self, connection: ListenerConnection) -> bool {
        self.places.contains_key(&connection)
    }

    /// Returns the connections of a listener that have joined rooms or wait, with their rooms.
    pub fn connections_of(&self, listener: ListenerId) -> Vec<(ListenerConnection, RoomId)> {
        let connection = ConnectionId { slot: 0, generation: 0 };
        let of_listener = self.places.range(ListenerConnection { listener, connection }..);
        let of_listener = of_listener.take_while(|(it, _)| it.listener == listener);
        of_listener.map(|(&connection, &room)| (connection, room)).collect()
    }

    /// Returns the connection of a room that claims a peer id.
    pub fn connection_of(&self, room: RoomId, peer: PeerId) -> Option<ListenerConnection> {
        self.rooms.get(&room)?.connection_of(peer)
    }

    /// Returns the peer id that a connection claims, if it waits or was admitted.
    pub fn peer_of(&self, connection: ListenerConnection) -> Option<PeerId> {
        self.rooms.get(self.places.get(&connection)?)?.peer_of(connection)
    }

    /// Disconnects a connection that waits or was admitted. Returns false if there is none.
    pub fn disconnect(
        &mut self,
        now: Instant,
        connection: ListenerConnection,
        removal: Removal,
    ) -> bool {
        self.disconnect_with(now, connection, removal, None)
    }

    /// Disconnects the player of a room, for the reason [`Removal::Kicked`]. `text` is for the
    /// player, in place of the reason's. Returns false if there is no such player.
    pub fn kick(
        &mut self,
        now: Instant,
        room: RoomId,
        peer: PeerId,
        text: Option<NoticeText>,
    ) -> bool {
        let connection = self.connection_of(room, peer);
        connection.is_some_and(|it| self.disconnect_with(now, it, Removal::Kicked, text))
    }

    /// Same as [`disconnect`](Self::disconnect). `text` is for the player, in place of the
    /// reason's.
    pub fn disconnect_with(
        &mut self,
        now: Instant,
        connection: ListenerConnection,
        removal: Removal,
        text: Option<NoticeText>,
    ) -> bool {
        if !self.places.contains_key(&connection) {
            return false;
        }
        if self.kept.contains(connection) {
            self.dismiss(now, connection);
            return true;
        }
        let room = self.remove_place(now, connection);
        self.outputs.push_back(RoomOutput::Disconnect { connection, room, removal, text });
        true
    }

    /// Returns the treatment of players who are connected already.
    pub fn same_player(&self) -> SamePlayer {
        self.settings.same_player
    }

    /// Returns whether a player has connections, or kept places.
    pub fn has_player(&self, subject: &Subject) -> bool {
        self.players.connections.contains_key(subject)
    }

    /// Disconnects all connections of a player who has joined a room of another server, for the
    /// reason [`Removal::Replaced`].
    pub fn replace_player(&mut self, now: Instant, subject: &Subject) {
        for connection in self.players.of(Some(subject)) {
            self.disconnect(now, connection, Removal::Replaced);
        }
    }

    /// Disconnects all connections of a player, frees its seats and ends its places in queues.
    /// `text` is for the player, in place of the reason's. Returns the number of connections.
    pub fn disconnect_player(
        &mut self,
        now: Instant,
        subject: &Subject,
        removal: Removal,
        text: Option<&NoticeText>,
    ) -> usize {
        let connections = self.players.of(Some(subject));
        let seats = self.seats.of(subject).collect();
        let places = OwnPlaces { connections: Vec::new(), seats, queued: self.queues.of(subject) };
        self.end_places(now, &places, QueueEnd::Removed);
        for &connection in &connections {
            self.disconnect_with(now, connection, removal, text.cloned());
        }
        connections.len()
    }
}
