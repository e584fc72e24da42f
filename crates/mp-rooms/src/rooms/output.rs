//! Actions that the registry requests from its host.

use std::sync::Arc;

use crate::join::ListenerConnection;
use crate::name::{RoomId, RoomName};
use crate::notice::NoticeText;
use crate::refusal::{JoinRefusal, Removal};
use crate::template::Template;

/// An action for the host of a [registry](crate::Rooms).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomOutput {
    /// Starts a room. The host calls [`opened`](crate::Rooms::opened) or
    /// [`failed`](crate::Rooms::failed), and [`ended`](crate::Rooms::ended) when a room that has
    /// opened ends for any reason.
    Create {
        /// The room.
        room: RoomId,
        /// Its name.
        name: RoomName,
        /// Its settings.
        template: Arc<Template>,
    },
    /// Decides about a connection that has joined. If it has ended meanwhile, the decision has no
    /// effect.
    Decide {
        /// The connection.
        connection: ListenerConnection,
        /// The decision.
        decision: JoinDecision,
    },
    /// Disconnects a connection that has joined, whether it was admitted or waits. It has left
    /// already: the registry ignores its end.
    Disconnect {
        /// The connection.
        connection: ListenerConnection,
        /// The room that it was admitted to, unless that has ended or closes. `None`: it waits.
        room: Option<RoomId>,
        /// The reason.
        removal: Removal,
        /// Text for the player, in place of that of the reason.
        text: Option<NoticeText>,
    },
    /// Closes a room that has opened.
    Close {
        /// The room.
        room: RoomId,
    },
}

/// The decision about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinDecision {
    /// The connection enters this room.
    Admit(RoomId),
    /// The connection is rejected.
    Refuse(JoinRefusal),
}
