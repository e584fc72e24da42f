//! The list of rooms for players.

use std::ops::Bound;

use super::Rooms;
use super::info::describe;
use crate::limits::LOBBY_PAGE_MAX;
use crate::matchmaking::{LobbyPage, LobbyQuery, MatchRefusal};
use crate::name::RoomId;

impl Rooms {
    /// Returns a page of the public, unlocked rooms of a template, by age. Full rooms are listed.
    ///
    /// # Errors
    ///
    /// [`MatchRefusal::UnknownTemplate`] and [`MatchRefusal::MatchmakingOff`].
    pub fn lobby(&self, query: &LobbyQuery) -> Result<LobbyPage, MatchRefusal> {
        let template = self.templates.get(&query.template).ok_or(MatchRefusal::UnknownTemplate)?;
        if !template.matchmaking {
            return Err(MatchRefusal::MatchmakingOff);
        }
        let limit = query.limit.clamp(1, LOBBY_PAGE_MAX);
        let later = (Bound::Excluded(RoomId(query.after)), Bound::Unbounded);
        let mut listed = self.rooms.range(later).filter(|(_, room)| {
            room.template.name == query.template
                && !room.is_locked
                && room.code.is_none()
                && query.filter.accepts(&room.metadata)
        });
        let rooms: Vec<_> =
            listed.by_ref().take(limit).map(|(&id, room)| describe(id, room)).collect();
        let next = rooms.last().map(|room| room.id.get()).filter(|_| listed.next().is_some());
        Ok(LobbyPage { rooms, next })
    }
}
