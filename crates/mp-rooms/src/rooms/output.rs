//! Actions that the registry requests from its host.

use std::sync::Arc;

use mp_core::PeerId;

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
    /// A player whose place was kept has left: it has not resumed its session in time, or was
    /// removed. The host ends the keep of the room's branch, should it last longer.
    Left {
        /// The connection, which has ended before.
        connection: ListenerConnection,
        /// The room.
        room: RoomId,
        /// The player.
        peer: PeerId,
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
    /// The connection enters this room and resumes the session of an earlier connection, which it
    /// replaces.
    Resume {
        /// The room.
        room: RoomId,
        /// The player whose session it resumes.
        peer: PeerId,
        /// The earlier connection. The registry ignores its end.
        of: ListenerConnection,
    },
    /// The connection is rejected.
    Refuse(JoinRefusal),
}
