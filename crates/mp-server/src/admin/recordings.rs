//! `/v1/recordings` and `/v1/rooms/{room}/recording`: recordings of rooms.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::rooms::find;
use crate::http::{Json, Path, Problem};
use crate::record::{ControlError, RecordingEntry, end_label};

/// A recording of a room.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RecordingOfRoom {
    /// Name of the room.
    pub(crate) room: String,
    /// Path of the file at the server.
    pub(crate) file: String,
    /// Size of the file, without the last second.
    pub(crate) bytes: u64,
    /// Recorded time in the file, in seconds.
    pub(crate) seconds: u64,
    /// Minutes that are kept; missing if everything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept_minutes: Option<u64>,
    /// `recording`, or why it has ended: `room_ended`, `stopped`, `writer_slow`, `quota_reached` or
    /// `write_failed`.
    pub(crate) state: String,
}

/// The recordings that go on, and the last 100 that have ended since the server has started, the
/// oldest first.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RecordingsOfRooms {
    /// The recordings.
    pub(crate) recordings: Vec<RecordingOfRoom>,
}

impl From<RecordingEntry> for RecordingOfRoom {
    fn from(entry: RecordingEntry) -> Self {
        Self {
            room: entry.room.as_str().to_owned(),
            file: entry.file.display().to_string(),
            bytes: entry.bytes,
            seconds: entry.time.as_secs(),
            kept_minutes: entry.ring.map(|time| time.as_secs() / 60),
            state: entry.end.map_or("recording", end_label).to_owned(),
        }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let code = match &error {
            ControlError::NotRecordable => "not_recordable",
            ControlError::Recorded => "recorded",
            ControlError::NotRecorded => "not_recorded",
            ControlError::Failed(_) => return Self::unavailable("recording_failed", error),
        };
        Self::new(StatusCode::CONFLICT, code, error)
    }
}

/// List the recordings of rooms
#[utoipa::path(
    get,
    path = "/v1/recordings",
    operation_id = "list_recordings",
    tag = "rooms",
    security(("token" = ["read"])),
    responses((status = 200, body = RecordingsOfRooms), Problem)
)]
pub(super) async fn list(State(context): State<AdminContext>) -> Json<RecordingsOfRooms> {
    let recordings = context.recordings().list().all();
    Json(RecordingsOfRooms { recordings: recordings.into_iter().map(Into::into).collect() })
}

/// Start to record a room
///
/// The template of the room has `record`. The recording begins after the next packet or timeout of
/// the room.
#[utoipa::path(
    post,
    path = "/v1/rooms/{room}/recording",
    operation_id = "start_recording",
    tag = "rooms",
    security(("token" = ["rooms"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 204, description = "The recording begins"), Problem)
)]
pub(super) async fn start(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let room = find(&context, &name).await?;
    context.recordings().start_room(&room.name)?;
    tracing::info!(room = name, "an operator has started a recording");
    Ok(StatusCode::NO_CONTENT)
}

/// End the recording of a room
#[utoipa::path(
    delete,
    path = "/v1/rooms/{room}/recording",
    operation_id = "stop_recording",
    tag = "rooms",
    security(("token" = ["rooms"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 204, description = "The recording has ended"), Problem)
)]
pub(super) async fn stop(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let room = find(&context, &name).await?;
    context.recordings().stop_room(&room.name)?;
    tracing::info!(room = name, "an operator has ended a recording");
    Ok(StatusCode::NO_CONTENT)
}
