//! Joins, and connections that leave.

use std::sync::Arc;

use mp_core::{Instant, PeerId};

use super::{JoinDecision, Rooms, Shortage};
use crate::join::{Join, ListenerConnection};
use crate::limits::{WAITING_MAX, WAITING_PER_ROOM_MAX};
use crate::name::{RoomId, RoomName};
use crate::refusal::{CreateRefusal, JoinRefusal};
use crate::selection::Selection;
use crate::template::Template;

impl Rooms {
    /// Handles the request of a connection to join a room. The decision follows as an output, at
    /// the latest when the room has opened or failed.
    pub fn join(&mut self, now: Instant, join: Join) {
        let Join { connection, claimed_id, selection } = join;
        if self.places.contains_key(&connection) {
            mp_core::bug!("{connection} joins twice");
            return;
        }
        let room = selection.and_then(|selection| self.find(&selection, claimed_id));
        let id = match room {
            Ok(room) => room,
            Err(refusal) => return self.refuse(connection, refusal),
        };
        self.enter(now, id, connection, claimed_id);
    }

    /// Adds a connection to a room that does not refuse it.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        id: RoomId,
        connection: ListenerConnection,
        claimed_id: Option<PeerId>,
    ) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.add(connection, claimed_id);
        self.places.insert(connection, id);
        if room.is_open() {
            self.joined += 1;
            self.decide(connection, JoinDecision::Admit(id));
            self.update_deadline(now, id);
        } else {
            self.waiting += 1;
        }
    }

    /// Handles the end of a connection that has joined, whether it was admitted, waits, or was
    /// refused. Returns the room that it was admitted to, unless that has ended or closes.
    pub fn left(&mut self, now: Instant, connection: ListenerConnection) -> Option<RoomId> {
        let id = self.places.remove(&connection)?;
        let was_waiting = self.rooms.get_mut(&id)?.remove(connection);
        self.waiting -= usize::from(was_waiting);
        self.update_deadline(now, id);
        (!was_waiting).then_some(id)
    }

    /// Returns the room that a connection may join, and creates it if necessary.
    fn find(
        &mut self,
        selection: &Selection,
        claimed_id: Option<PeerId>,
    ) -> Result<RoomId, JoinRefusal> {
        if self.is_draining {
            return Err(JoinRefusal::Draining);
        }
        match self.shortage {
            None => {}
            Some(Shortage::Load) => return Err(JoinRefusal::Overloaded),
            Some(Shortage::Memory) => return Err(JoinRefusal::OutOfMemory),
        }
        let existing = self.names.get(&selection.room).copied();
        if let Some((id, room)) = existing.and_then(|id| Some((id, self.rooms.get(&id)?))) {
            let is_of = |template: &RoomName| *template == room.template.name;
            if !selection.template.as_ref().is_none_or(is_of) {
                return Err(JoinRefusal::UnknownRoom);
            }
            if let Some(refusal) = room.refusal(claimed_id, selection.code.as_ref()) {
                return Err(refusal);
            }
            let is_full = room.waiting() >= WAITING_PER_ROOM_MAX || self.waiting >= WAITING_MAX;
            if !room.is_open() && is_full {
                return Err(JoinRefusal::TooManyWaiting);
            }
            return Ok(id);
        }
        let template = self.template_of(selection)?;
        if self.waiting >= WAITING_MAX {
            return Err(JoinRefusal::TooManyWaiting);
        }
        self.create_with(selection.room.clone(), template).map_err(|refusal| match refusal {
            CreateRefusal::TooManyRooms => JoinRefusal::TooManyRooms,
            CreateRefusal::Overloaded => JoinRefusal::Overloaded,
            CreateRefusal::OutOfMemory => JoinRefusal::OutOfMemory,
            CreateRefusal::Draining => JoinRefusal::Draining,
            CreateRefusal::UnknownTemplate => JoinRefusal::UnknownTemplate,
            CreateRefusal::NameTaken => JoinRefusal::UnknownRoom,
        })
    }

    /// Returns the settings with which a join may create the selected room.
    fn template_of(&self, selection: &Selection) -> Result<Arc<Template>, JoinRefusal> {
        let selected = selection.template.as_ref();
        let template = match self.reserved.get(&selection.room) {
            Some(reserved) if selected.is_none_or(|name| *name == reserved.name) => reserved,
            Some(_) => return Err(JoinRefusal::UnknownRoom),
            None => {
                // Without a template there is only the room itself to look for.
                let name = selected.or(self.settings.default_template.as_ref());
                let name = name.ok_or(JoinRefusal::UnknownRoom)?;
                let template = self.templates.get(name).ok_or(JoinRefusal::UnknownTemplate)?;
                if !template.auto_create {
                    return Err(JoinRefusal::UnknownRoom);
                }
                template
            }
        };
        if template.locked {
            return Err(JoinRefusal::RoomLocked);
        }
        if template.code.is_some() && template.code != selection.code {
            return Err(JoinRefusal::WrongCode);
        }
        if template.max_players == 0 {
            return Err(JoinRefusal::RoomFull);
        }
        Ok(Arc::clone(template))
    }
}
