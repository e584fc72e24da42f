//! Errors of the handle of rooms.

use std::fmt;

use mp_rooms::CreateRefusal;

/// The server has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerEnded;

impl fmt::Display for ServerEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server has ended")
    }
}

impl std::error::Error for ServerEnded {}

/// The reason why a room could not be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateRoomError {
    /// The registry refuses it.
    Refused(CreateRefusal),
    /// Its branch could not be started, or it was closed meanwhile. The log has the reason.
    Failed,
    /// The directory of the cluster does not respond.
    Unavailable,
    /// The server has ended.
    Ended,
}

impl fmt::Display for CreateRoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed => f.write_str("the room could not be started"),
            Self::Unavailable => f.write_str("the directory of the cluster does not respond"),
            Self::Ended => ServerEnded.fmt(f),
        }
    }
}

impl std::error::Error for CreateRoomError {}

impl From<ServerEnded> for CreateRoomError {
    fn from(_: ServerEnded) -> Self {
        Self::Ended
    }
}
