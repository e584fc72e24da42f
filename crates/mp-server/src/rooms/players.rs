//! Players of a room, for lists.

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
            let identity = |id| host.rooms.identity(room, id).cloned();
            ids.take(limit).map(|id| Player { id, identity: identity(id) }).collect()
        })
        .await
    }

    /// Returns the transport of an endpoint, as a label of metrics; `None` if there is none.
    pub(crate) fn transport_of(&self, endpoint: EndpointId) -> Option<&'static str> {
        self.metrics.transport_of(endpoint)
    }
}
