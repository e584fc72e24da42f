//! Players of a room, for lists.

use std::net::IpAddr;
use std::sync::Arc;

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
            let player = |id| {
                let connection = host.rooms.connection_of(room, id);
                let identity = connection.and_then(|it| host.rooms.identity_of(it)).cloned();
                let address = connection.and_then(|it| host.addresses.get(&it)).copied();
                Player { id, identity, address }
            };
            ids.take(limit).map(player).collect()
        })
        .await
    }

    /// Returns the transport of an endpoint, as a label of metrics; `None` if there is none.
    pub(crate) fn transport_of(&self, endpoint: EndpointId) -> Option<&'static str> {
        self.metrics.transport_of(endpoint)
    }
}
