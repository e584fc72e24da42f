//! Matchmaking: requests for seats.

use std::sync::Arc;

use mp_core::Instant;
use mp_identity::Identity;

use super::Rooms;
use super::players::OwnPlaces;
use crate::matchmaking::{MatchRefusal, MatchRequest, MatchVerb, Reservation, TicketHash};
use crate::name::{RoomId, RoomName};
use crate::queue::QueueEnd;
use crate::refusal::{CreateRefusal, JoinRefusal};
use crate::template::Template;

impl Rooms {
    /// Reserves a seat for the owner of a ticket, which the caller has drawn, in the room that
    /// `verb` and `request` describe. A room that is created for the seat is named by its template
    /// and a number. The time is proportional to the number of rooms.
    ///
    /// # Errors
    ///
    /// See [`MatchRefusal`].
    pub fn request_seat(
        &mut self,
        now: Instant,
        verb: MatchVerb,
        request: &MatchRequest,
        ticket: TicketHash,
    ) -> Result<Reservation, MatchRefusal> {
        self.request_seat_as(now, verb, request, ticket, &Arc::new(Identity::anonymous()))
    }

    /// Same as [`request_seat`](Self::request_seat), for a player whose identity is known: it
    /// restricts the room, and limits what the player may create. The player owns a room that is
    /// created. Other seats and places in queues of the same player are treated as
    /// [`RoomsSettings::same_player`](super::RoomsSettings::same_player) says.
    ///
    /// If the identity names a room, the seat is in that room, and a room that is created has its
    /// name.
    ///
    /// # Errors
    ///
    /// See [`MatchRefusal`].
    pub fn request_seat_as(
        &mut self,
        now: Instant,
        verb: MatchVerb,
        request: &MatchRequest,
        ticket: TicketHash,
        identity: &Arc<Identity>,
    ) -> Result<Reservation, MatchRefusal> {
        let own = self.own_places(identity).ok_or(MatchRefusal::AlreadyMatching);
        let reserved = own.and_then(|own| {
            let room = self.room_for(verb, request, identity, &own)?;
            let reservation = self.reserve_seat(now, room, ticket, identity)?;
            self.end_places(now, &own, QueueEnd::Replaced);
            Ok(reservation)
        });
        if let Err(refusal) = reserved {
            self.match_refused.count(refusal);
        }
        reserved
    }

    /// Returns whether a player would get a seat in a room that exists, by [`MatchVerb::Join`] and
    /// the same request. The time is proportional to the number of rooms.
    pub fn has_fitting_room(&self, request: &MatchRequest, identity: &Identity) -> bool {
        let own = self
            .own_places(identity)
            .filter(|own| self.create_refusal().is_none() && self.seat_refusal(own).is_none());
        own.is_some_and(|own| self.find_fitting(request, &own).is_some())
    }

    /// Returns the seat of a ticket again, for a player who has lost the answer or the connection
    /// before it took the seat. [`session_of`](Self::session_of) finds sessions that have begun.
    ///
    /// # Errors
    ///
    /// [`MatchRefusal::NotResumable`].
    pub fn reconnect(
        &mut self,
        now: Instant,
        ticket: TicketHash,
    ) -> Result<Reservation, MatchRefusal> {
        let seat = self.seat(now, ticket).ok_or(MatchRefusal::NotResumable);
        if let Err(refusal) = seat {
            self.match_refused.count(refusal);
        }
        seat
    }

    fn room_for(
        &mut self,
        verb: MatchVerb,
        request: &MatchRequest,
        identity: &Identity,
        own: &OwnPlaces,
    ) -> Result<RoomId, MatchRefusal> {
        let template = self.matchmaking_template(&request.template, own)?;
        match self.restricted(verb, identity)? {
            MatchVerb::JoinOrCreate => match self.find_fitting(request, own) {
                Some(room) => Ok(room),
                None => self.create_for(request, &template, identity),
            },
            MatchVerb::Create => self.create_for(request, &template, identity),
            MatchVerb::Join => self.find_fitting(request, own).ok_or(MatchRefusal::NoRoom),
            MatchVerb::JoinById(room) => self.check_room(room, request, own),
        }
    }

    /// Returns the verb that finds only the room of an identity, if it names one.
    pub(super) fn restricted(
        &self,
        verb: MatchVerb,
        identity: &Identity,
    ) -> Result<MatchVerb, MatchRefusal> {
        let Some(name) = own_room(identity).transpose()? else { return Ok(verb) };
        match (verb, self.find_by_name(&name)) {
            (MatchVerb::JoinById(room), own) if own != Some(room) => Err(MatchRefusal::WrongRoom),
            (MatchVerb::JoinOrCreate | MatchVerb::Join, Some(room)) => {
                Ok(MatchVerb::JoinById(room))
            }
            (MatchVerb::JoinOrCreate, None) => Ok(MatchVerb::Create),
            (MatchVerb::Join, None) => Err(MatchRefusal::NoRoom),
            (verb, _) => Ok(verb),
        }
    }

    /// Returns a template, unless the registry refuses all seats, or those of the template.
    fn matchmaking_template(
        &self,
        name: &RoomName,
        own: &OwnPlaces,
    ) -> Result<Arc<Template>, MatchRefusal> {
        if let Some(refusal) = self.create_refusal() {
            return Err(refusal.into());
        }
        let template = self.templates.get(name).ok_or(MatchRefusal::UnknownTemplate)?;
        if !template.matchmaking {
            return Err(MatchRefusal::MatchmakingOff);
        }
        match self.seat_refusal(own) {
            Some(refusal) => Err(refusal),
            None => Ok(Arc::clone(template)),
        }
    }

    /// Returns the oldest room that fits.
    fn find_fitting(&self, request: &MatchRequest, own: &OwnPlaces) -> Option<RoomId> {
        let fits = self.rooms.iter().find(|(_, room)| {
            room.template.name == request.template
                && !room.is_locked
                && room.code == request.code
                && room.seat_refusal(request.code.as_ref(), own).is_none()
                && request.filter.accepts(&room.metadata)
        });
        fits.map(|(&id, _)| id)
    }

    fn check_room(
        &self,
        id: RoomId,
        request: &MatchRequest,
        own: &OwnPlaces,
    ) -> Result<RoomId, MatchRefusal> {
        let room = self.rooms.get(&id).ok_or(MatchRefusal::UnknownRoom)?;
        if room.template.name != request.template {
            return Err(MatchRefusal::UnknownRoom);
        }
        match room.seat_refusal(request.code.as_ref(), own) {
            None if request.filter.accepts(&room.metadata) => Ok(id),
            None => Err(MatchRefusal::NoRoom),
            Some(refusal) => Err(refusal),
        }
    }

    /// Creates a room that fits, which the player owns.
    fn create_for(
        &mut self,
        request: &MatchRequest,
        template: &Arc<Template>,
        identity: &Identity,
    ) -> Result<RoomId, MatchRefusal> {
        if template.locked {
            return Err(MatchRefusal::RoomLocked);
        }
        if template.code.is_some() && template.code != request.code {
            return Err(MatchRefusal::WrongCode);
        }
        if template.max_players == 0 {
            return Err(MatchRefusal::RoomFull);
        }
        let mut own = Template::clone(template);
        own.code.clone_from(&request.code);
        for (key, text) in request.filter.texts() {
            if own.metadata.get(key) == Some(text) {
                continue;
            }
            if !own.player_metadata.contains(key) {
                return Err(MatchRefusal::FilterNotAllowed);
            }
            own.metadata.insert(key.clone(), text.clone());
        }
        let name = match own_room(identity).transpose()? {
            Some(name) if self.reserved.contains_key(&name) => {
                return Err(MatchRefusal::UnknownRoom);
            }
            Some(name) => name,
            None => self.free_name(&template.name),
        };
        let owner = self.may_create(identity).map_err(|refusal| match refusal {
            JoinRefusal::TooManyRoomsOfPlayer => MatchRefusal::TooManyRoomsOfPlayer,
            _ => MatchRefusal::MayNotCreate,
        })?;
        let room = self.create_with(name, Arc::new(own))?;
        self.set_owner(room, identity, owner);
        Ok(room)
    }

    /// Returns a name for a room that is created next: that of its template, shortened if it is
    /// long, and a number.
    pub(super) fn free_name(&self, template: &RoomName) -> RoomName {
        let mut number = self.next_id;
        loop {
            let name = template.numbered(number);
            if !self.names.contains_key(&name) && !self.reserved.contains_key(&name) {
                return name;
            }
            number = number.wrapping_add(1);
        }
    }
}

/// Returns the only room that a player may join, if its identity names one.
fn own_room(identity: &Identity) -> Option<Result<RoomName, MatchRefusal>> {
    identity.room().map(|room| RoomName::new(room).map_err(|_| MatchRefusal::WrongRoom))
}

impl From<CreateRefusal> for MatchRefusal {
    fn from(refusal: CreateRefusal) -> Self {
        match refusal {
            CreateRefusal::NameTaken => Self::NameTaken,
            CreateRefusal::UnknownTemplate => Self::UnknownTemplate,
            CreateRefusal::TooManyRooms => Self::TooManyRooms,
            CreateRefusal::Overloaded => Self::Overloaded,
            CreateRefusal::OutOfMemory => Self::OutOfMemory,
            CreateRefusal::Draining => Self::Draining,
        }
    }
}
