//! Changes of a room's settings.

use mp_identity::Token;

use super::Rooms;
use super::host_key::HostKey;
use crate::name::{Code, RoomId};
use crate::template::{Metadata, RoomHost};

impl Rooms {
    /// Sets whether the thread of a room does not keep up: the room refuses joins and new
    /// seats meanwhile, and keeps its players. Joins that wait stay. Returns false if there is no
    /// such room.
    pub fn set_overloaded(&mut self, id: RoomId, is_overloaded: bool) -> bool {
        self.rooms.get_mut(&id).map(|room| room.is_overloaded = is_overloaded).is_some()
    }

    /// Sets whether a room is locked. Returns false if there is no such room.
    pub fn set_locked(&mut self, id: RoomId, locked: bool) -> bool {
        self.rooms.get_mut(&id).map(|room| room.is_locked = locked).is_some()
    }

    /// Sets the code of a room; `None`: the room is public. Returns false if there is no such room.
    pub fn set_code(&mut self, id: RoomId, code: Option<Code>) -> bool {
        self.rooms.get_mut(&id).map(|room| room.code = code).is_some()
    }

    /// Sets the [host key](crate::Template::host_key) of a room, in place of the former one. A key
    /// for one host expires when its host has left and not returned within the
    /// [grace](crate::Template::host_grace). Returns false if there is no such room, or it has no
    /// host of a tunnel.
    pub fn set_host_key(&mut self, id: RoomId, key: Token, is_for_one_host: bool) -> bool {
        let room = self.rooms.get_mut(&id).filter(|it| it.template.host == RoomHost::Tunnel);
        room.map(|room| room.host_key = Some(HostKey::new(key, is_for_one_host))).is_some()
    }

    /// Sets the maximum number of players of a room. Players beyond it stay. Returns false if there
    /// is no such room.
    pub fn set_max_players(&mut self, id: RoomId, max: u16) -> bool {
        self.rooms.get_mut(&id).map(|room| room.max_players = max).is_some()
    }

    /// Sets the metadata of a room. Returns false if there is no such room.
    pub fn set_metadata(&mut self, id: RoomId, metadata: Metadata) -> bool {
        self.rooms.get_mut(&id).map(|room| room.metadata = metadata).is_some()
    }
}
