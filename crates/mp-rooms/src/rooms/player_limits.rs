//! [`PlayerLimits`]: the limits of one player that several servers may have in common.

use mp_identity::{Identity, Subject};

use super::{Rooms, SamePlayer};
use crate::join::Join;
use crate::matchmaking::{MatchRequest, MatchVerb, TicketHash};

/// The limits of a player that a request touches. A registry checks them for itself; a server that
/// shares its players with others asks those before it passes the request to the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlayerLimits {
    /// The player.
    pub player: Subject,
    /// True if the player may have no other connection ([`SamePlayer::Reject`]).
    pub is_single: bool,
    /// Maximum number of rooms that the player has created, if the request creates one
    /// ([`RoomsSettings::max_rooms_per_player`](super::RoomsSettings::max_rooms_per_player)).
    pub max_rooms: Option<usize>,
}

/// The connections and rooms of a player.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlayerUsage {
    /// True if the player has a connection that waits or was admitted, other than a kept place.
    pub is_connected: bool,
    /// Rooms that the player has created.
    pub rooms: usize,
}

impl PlayerLimits {
    /// Returns the limits of a player who has none.
    pub fn new(player: Subject) -> Self {
        Self { player, is_single: false, max_rooms: None }
    }
}

impl Rooms {
    /// Returns the limits of a join that the registry itself does not refuse for them; `None` if
    /// the join touches none, or resumes a session.
    pub fn limits_of_join(&self, join: &Join, identity: &Identity) -> Option<PlayerLimits> {
        let selection = join.selection_of(identity).ok();
        if !matches!(self.resumed_by(join, identity), Ok(None)) {
            return None;
        }
        let room = selection?.room;
        let is_new = !self.names.contains_key(&room) && !self.reserved.contains_key(&room);
        self.limits(identity, self.settings.same_player == SamePlayer::Reject, is_new)
    }

    /// Same as [`limits_of_join`](Self::limits_of_join), of a connection that takes the seat of a
    /// ticket.
    pub fn limits_of_seat(&self, ticket: TicketHash) -> Option<PlayerLimits> {
        let is_single = self.settings.same_player == SamePlayer::Reject;
        self.limits(self.identity_of_seat(ticket)?, is_single, false)
    }

    /// Same as [`limits_of_join`](Self::limits_of_join), of a request for a seat, which may create
    /// a room.
    pub fn limits_of_request(
        &self,
        verb: MatchVerb,
        request: &MatchRequest,
        identity: &Identity,
    ) -> Option<PlayerLimits> {
        self.settings.max_rooms_per_player?;
        let creates = match self.restricted(verb, identity).ok()? {
            MatchVerb::Create => true,
            MatchVerb::JoinOrCreate => !self.has_fitting_room(request, identity),
            MatchVerb::Join | MatchVerb::JoinById(_) => false,
        };
        self.limits(identity, false, creates)
    }

    /// Returns the connections and rooms of a player.
    pub fn usage_of(&self, player: &Subject) -> PlayerUsage {
        let connections = self.players.of(Some(player));
        PlayerUsage {
            is_connected: connections.iter().any(|&it| !self.kept.contains(it)),
            rooms: self.players.owned(player),
        }
    }

    fn limits(&self, identity: &Identity, is_single: bool, creates: bool) -> Option<PlayerLimits> {
        let player = identity.subject()?.clone();
        let max_rooms = self.settings.max_rooms_per_player.filter(|_| creates);
        let usage = self.usage_of(&player);
        let is_refused = is_single && usage.is_connected
            || creates && !identity.may_create()
            || max_rooms.is_some_and(|max| usage.rooms >= max);
        let has_limit = is_single || max_rooms.is_some();
        (has_limit && !is_refused).then_some(PlayerLimits { player, is_single, max_rooms })
    }
}
