//! Joins, and connections that leave.

use std::sync::Arc;

use mp_core::{Instant, PeerId};
use mp_identity::{Identity, Role, Subject, Token};

use super::host_key::HostKey;
use super::{JoinDecision, Rooms, Shortage};
use crate::join::{Join, ListenerConnection, token_hash};
use crate::limits::{WAITING_MAX, WAITING_PER_ROOM_MAX};
use crate::name::{RoomId, RoomName};
use crate::refusal::{CreateRefusal, JoinRefusal, Removal};
use crate::selection::Selection;
use crate::template::{RoomHost, Template};

impl Rooms {
    /// Handles the request of a connection to join a room. The decision follows as an output, at
    /// the latest when the room has opened or failed.
    pub fn join(&mut self, now: Instant, join: Join) {
        self.join_as(now, join, Arc::new(Identity::anonymous()));
    }

    /// Same as [`join`](Self::join), of a player whose identity is known: it restricts or selects
    /// the room, and limits what the player may create. Other connections of the same player are
    /// treated as [`RoomsSettings::same_player`](super::RoomsSettings::same_player) says.
    ///
    /// A join with a resume ticket, and one of a player whose place in the selected room is
    /// [kept](crate::Template::resume), resumes the session of the earlier connection, which may
    /// still be open. A ticket of a player with an identity is valid for this player only.
    pub fn join_as(&mut self, now: Instant, join: Join, identity: Arc<Identity>) {
        let (connection, claimed_id) = (join.connection, join.claimed_id);
        if self.places.contains_key(&connection) {
            mp_core::bug!("{connection} joins twice");
            return;
        }
        match self.resumed_by(&join, &identity) {
            Ok(Some(of)) => return self.resume(&join, of, identity),
            Ok(None) => {}
            Err(refusal) => return self.refuse(connection, refusal),
        }
        let found = join.selection_of(&identity).and_then(|selection| {
            let replaced = self.replaced_by(&identity)?;
            let room = self.find(&selection, claimed_id, &identity, &replaced)?;
            Ok((room, replaced))
        });
        let (id, replaced) = match found {
            Ok(found) => found,
            Err(refusal) => return self.refuse(connection, refusal),
        };
        for other in replaced {
            self.disconnect(now, other, Removal::Replaced);
        }
        let is_host = identity.role() == Role::Host;
        if is_host && let Some(key) = self.host_key_mut(id) {
            key.host_joined();
        }
        self.players.insert(connection, identity);
        self.enter(now, id, connection, claimed_id);
    }

    /// Returns whether the token of a join is the [host key](Template::host_key) of the selected
    /// room, and is valid; `None` if the room has no key, or the join no token.
    pub fn has_host_key(&self, now: Instant, join: &Join) -> Option<bool> {
        let token = join.credentials.token.as_ref()?;
        let selection = join.selection.as_ref().ok()?;
        self.is_host_key(now, selection, |key| key == token)
    }

    /// Same as [`has_host_key`](Self::has_host_key), of the [hash](Join::token_hash) of a token.
    pub fn has_host_key_hash(
        &self,
        now: Instant,
        selection: &Selection,
        hash: &[u8; 32],
    ) -> Option<bool> {
        self.is_host_key(now, selection, |key| token_hash(key) == *hash)
    }

    fn is_host_key(
        &self,
        now: Instant,
        selection: &Selection,
        is_key: impl Fn(&Token) -> bool,
    ) -> Option<bool> {
        let existing = self.names.get(&selection.room).and_then(|id| self.rooms.get(id));
        if let Some(room) = existing {
            let key = room.host_key.as_ref();
            let key = key.filter(|_| room.template.host == RoomHost::Tunnel)?;
            return Some(key.accepts(now, is_key));
        }
        let template = match self.reserved.get(&selection.room) {
            Some(reserved) => reserved,
            None => {
                let named = selection.template.as_ref().or(self.settings.default_template.as_ref());
                self.templates.get(named?)?
            }
        };
        let key = template.host_key.as_ref().filter(|_| template.host == RoomHost::Tunnel)?;
        Some(is_key(key))
    }

    fn host_key_mut(&mut self, id: RoomId) -> Option<&mut HostKey> {
        self.rooms.get_mut(&id)?.host_key.as_mut()
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
    /// refused. Returns the room that it was admitted to, unless that has ended or closes, or
    /// [keeps](crate::Template::resume) the place: [`RoomOutput::Left`](super::RoomOutput::Left)
    /// then follows unless a connection resumes the session.
    pub fn left(&mut self, now: Instant, connection: ListenerConnection) -> Option<RoomId> {
        if self.keep_place(now, connection) {
            return None;
        }
        self.remove_place(now, connection)
    }

    /// Frees the place of a connection. Returns the room that it was admitted to.
    pub(super) fn remove_place(
        &mut self,
        now: Instant,
        connection: ListenerConnection,
    ) -> Option<RoomId> {
        self.kept.forget(connection);
        let id = self.places.remove(&connection)?;
        let is_host = self.identity_of(connection).is_some_and(|it| it.role() == Role::Host);
        if is_host && let Some(room) = self.rooms.get_mut(&id) {
            let grace = room.template.host_grace;
            room.host_key.iter_mut().for_each(|key| key.host_left(now, grace));
        }
        self.players.remove(connection);
        self.cancel_move(now, connection);
        let was_waiting = self.rooms.get_mut(&id)?.remove(connection);
        self.waiting -= usize::from(was_waiting);
        self.update_deadline(now, id);
        (!was_waiting).then_some(id)
    }

    /// Returns the reason why all joins are refused now.
    pub fn refusal_of_all(&self) -> Option<JoinRefusal> {
        if self.is_draining {
            return Some(JoinRefusal::Draining);
        }
        self.shortage.map(|shortage| match shortage {
            Shortage::Load => JoinRefusal::Overloaded,
            Shortage::Memory => JoinRefusal::OutOfMemory,
        })
    }

    /// Returns whether the server may have `more` players, if `leaving` of the others leave.
    pub(super) fn has_places_for(&self, more: usize, leaving: usize) -> bool {
        let taken = self.places.len() + self.seats.len() + more;
        self.settings.max_players.is_none_or(|max| taken <= max + leaving)
    }

    /// Returns the room that a connection may join, and creates it if necessary.
    fn find(
        &mut self,
        selection: &Selection,
        claimed_id: Option<PeerId>,
        identity: &Identity,
        replaced: &[ListenerConnection],
    ) -> Result<RoomId, JoinRefusal> {
        if let Some(refusal) = self.refusal_of_all() {
            return Err(refusal);
        }
        if !self.has_places_for(1, replaced.len()) {
            return Err(JoinRefusal::ServerFull);
        }
        let existing = self.names.get(&selection.room).copied();
        if let Some((id, room)) = existing.and_then(|id| Some((id, self.rooms.get(&id)?))) {
            let is_of = |template: &RoomName| *template == room.template.name;
            if !selection.template.as_ref().is_none_or(is_of) {
                return Err(JoinRefusal::UnknownRoom);
            }
            if let Some(refusal) = room.refusal(claimed_id, selection.code.as_ref(), replaced) {
                return Err(refusal);
            }
            let is_full = room.waiting() >= WAITING_PER_ROOM_MAX || self.waiting >= WAITING_MAX;
            if !room.is_open() && is_full {
                return Err(JoinRefusal::TooManyWaiting);
            }
            return Ok(id);
        }
        let template = self.template_of(selection)?;
        if template.host == RoomHost::Tunnel && identity.role() != Role::Host {
            // A wrong name and a room that waits for its host have the same reason.
            return Err(JoinRefusal::UnknownRoom);
        }
        if self.waiting >= WAITING_MAX {
            return Err(JoinRefusal::TooManyWaiting);
        }
        let owner = match self.reserved.contains_key(&selection.room) {
            true => None,
            false => self.may_create(identity)?,
        };
        let created = self.create_with(selection.room.clone(), template);
        let id = created.map_err(|refusal| match refusal {
            CreateRefusal::TooManyRooms => JoinRefusal::TooManyRooms,
            CreateRefusal::Overloaded => JoinRefusal::Overloaded,
            CreateRefusal::OutOfMemory => JoinRefusal::OutOfMemory,
            CreateRefusal::Draining => JoinRefusal::Draining,
            CreateRefusal::UnknownTemplate => JoinRefusal::UnknownTemplate,
            CreateRefusal::NameTaken => JoinRefusal::UnknownRoom,
        })?;
        self.set_owner(id, identity, owner);
        Ok(id)
    }

    /// Returns the template from which a join of this player would create the selected room, if the
    /// room does not exist. What the server lacks now is not considered.
    ///
    /// # Errors
    ///
    /// The refusal of a join that would not create it.
    pub fn creation_template(
        &self,
        selection: &Selection,
        identity: &Identity,
    ) -> Result<RoomName, JoinRefusal> {
        let template = self.template_of(selection)?;
        if template.host == RoomHost::Tunnel && identity.role() != Role::Host {
            return Err(JoinRefusal::UnknownRoom);
        }
        if !self.reserved.contains_key(&selection.room) {
            self.may_create(identity)?;
        }
        Ok(template.name.clone())
    }

    /// Records that a player has created a room, and limits the room as its identity does.
    pub(super) fn set_owner(&mut self, id: RoomId, identity: &Identity, owner: Option<Subject>) {
        if let (Some(owner), Some(room)) = (owner, self.rooms.get_mut(&id)) {
            let max = identity.max_players().unwrap_or(room.max_players).max(1);
            room.max_players = room.max_players.min(max);
            room.owner = Some(owner.clone());
            self.players.add_room(owner);
        }
    }

    /// Returns the owner of a room that a player creates; `None` if it has no subject.
    pub(super) fn may_create(&self, identity: &Identity) -> Result<Option<Subject>, JoinRefusal> {
        if !identity.may_create() {
            return Err(JoinRefusal::MayNotCreate);
        }
        let Some(owner) = identity.subject() else { return Ok(None) };
        match self.settings.max_rooms_per_player {
            Some(max) if self.players.owned(owner) >= max => Err(JoinRefusal::TooManyRoomsOfPlayer),
            _ => Ok(Some(owner.clone())),
        }
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
