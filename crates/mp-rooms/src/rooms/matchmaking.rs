//! Matchmaking: requests for seats.

use std::sync::Arc;

use mp_core::Instant;

use super::Rooms;
use crate::matchmaking::{MatchRefusal, MatchRequest, MatchVerb, Reservation, TicketHash};
use crate::name::{RoomId, RoomName};
use crate::refusal::CreateRefusal;
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
        let reserved = self.room_for(verb, request);
        let reserved = reserved.and_then(|room| self.reserve_seat(now, room, ticket));
        if let Err(refusal) = reserved {
            self.match_refused.count(refusal);
        }
        reserved
    }

    /// Returns the seat of a ticket again, for a player who has lost the answer or the connection
    /// before it took the seat. Sessions that have begun cannot be resumed.
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
    ) -> Result<RoomId, MatchRefusal> {
        let template = self.matchmaking_template(&request.template)?;
        match verb {
            MatchVerb::JoinOrCreate => match self.find_fitting(request) {
                Some(room) => Ok(room),
                None => self.create_for(request, &template),
            },
            MatchVerb::Create => self.create_for(request, &template),
            MatchVerb::Join => self.find_fitting(request).ok_or(MatchRefusal::NoRoom),
            MatchVerb::JoinById(room) => self.check_room(room, request),
        }
    }

    /// Returns a template, unless the registry refuses all seats, or those of the template.
    pub(super) fn matchmaking_template(
        &self,
        name: &RoomName,
    ) -> Result<Arc<Template>, MatchRefusal> {
        if let Some(refusal) = self.create_refusal() {
            return Err(refusal.into());
        }
        let template = self.templates.get(name).ok_or(MatchRefusal::UnknownTemplate)?;
        if !template.matchmaking {
            return Err(MatchRefusal::MatchmakingOff);
        }
        match self.seat_refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(Arc::clone(template)),
        }
    }

    /// Returns the oldest room that fits.
    fn find_fitting(&self, request: &MatchRequest) -> Option<RoomId> {
        let fits = self.rooms.iter().find(|(_, room)| {
            room.template.name == request.template
                && room.seat_refusal(request.code.as_ref()).is_none()
                && room.code.is_some() == request.code.is_some()
                && request.filter.accepts(&room.metadata)
        });
        fits.map(|(&id, _)| id)
    }

    fn check_room(&self, id: RoomId, request: &MatchRequest) -> Result<RoomId, MatchRefusal> {
        let room = self.rooms.get(&id).ok_or(MatchRefusal::UnknownRoom)?;
        if room.template.name != request.template {
            return Err(MatchRefusal::UnknownRoom);
        }
        match room.seat_refusal(request.code.as_ref()) {
            None if request.filter.accepts(&room.metadata) => Ok(id),
            None => Err(MatchRefusal::NoRoom),
            Some(refusal) => Err(refusal),
        }
    }

    /// Creates a room that fits.
    fn create_for(
        &mut self,
        request: &MatchRequest,
        template: &Arc<Template>,
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
        Ok(self.create_with(self.free_name(&template.name), Arc::new(own))?)
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

impl From<CreateRefusal> for MatchRefusal {
    fn from(refusal: CreateRefusal) -> Self {
        match refusal {
            CreateRefusal::NameTaken => Self::UnknownRoom,
            CreateRefusal::UnknownTemplate => Self::UnknownTemplate,
            CreateRefusal::TooManyRooms => Self::TooManyRooms,
            CreateRefusal::Overloaded => Self::Overloaded,
            CreateRefusal::OutOfMemory => Self::OutOfMemory,
            CreateRefusal::Draining => Self::Draining,
        }
    }
}
