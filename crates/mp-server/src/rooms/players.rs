//! Players of a room, for lists.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mp_core::{EndpointId, PeerId};
use mp_identity::Identity;
use mp_rooms::RoomId;

use super::handle::{RoomsHandle, ServerEnded};

/// A player of a room.
#[derive(Clone, Debug)]
pub(crate) struct Player {
    pub(crate) id: PeerId,
    /// `None` if the player is anonymous.
    pub(crate) identity: Option<Arc<Identity>>,
    /// `None` if the transport has no addresses.
    pub(crate) address: Option<IpAddr>,
    /// Time for which the place of a player without a connection is still kept; `None` if the
    /// player is connected.
    pub(crate) kept_for: Option<Duration>,
}

impl RoomsHandle {
    /// Returns at most `limit` players of a room whose ids are larger than `after`, by id.
    pub(crate) async fn players(
        &self,
        room: RoomId,
        after: i32,
        limit: usize,
    ) -> Result<Vec<Player>, ServerEnded> {
        self.call(move |host| {
            let ids = host.rooms.peer_ids(room).into_iter().filter(|id| id.get() > after);
            let now = host.now();
            let player = |id| {
                let connection = host.rooms.connection_of(room, id);
                let identity = connection.and_then(|it| host.rooms.identity_of(it)).cloned();
                let address = connection.and_then(|it| host.addresses.get(&it)).copied();
                let kept_for = connection.and_then(|it| host.rooms.kept_for(now, it));
                Player { id, identity, address, kept_for }
            };
            ids.take(limit).map(player).collect()
        })
        .await
    }

    /// Returns the names of at most `limit` players of public rooms. Looks at few rooms and players
    /// only, because it is called once a second.
    pub(crate) async fn player_names(&self, limit: usize) -> Result<Vec<String>, ServerEnded> {
        self.call(move |host| {
            let rooms = &host.rooms;
            let public = rooms.list().filter(|room| !room.is_private).take(NAMED_ROOMS_MAX);
            let players = public.flat_map(|room| {
                rooms.peer_ids(room.id).into_iter().map(move |peer| (room.id, peer))
            });
            let names = players
                .take(NAMED_PLAYERS_MAX)
                .filter_map(|(room, peer)| rooms.identity(room, peer)?.name().map(str::to_owned));
            names.take(limit).collect()
        })
        .await
    }

    /// Returns the transport of an endpoint, as a label of metrics; `None` if there is none.
    pub(crate) fn transport_of(&self, endpoint: EndpointId) -> Option<&'static str> {
        self.metrics.transport_of(endpoint)
    }
}

/// Number of rooms, and of players in them, whose names are looked up at once.
const NAMED_ROOMS_MAX: usize = 64;
const NAMED_PLAYERS_MAX: usize = 1_024;
