//! `/v1/rooms/{room}/playback`: pause, speed and time of the recording that a room shows.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use mp_record::limits::SPEEDS;
use mp_record::{WatchControl, WatchStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::nodes::room_busy;
use super::rooms::find;
use crate::http::{Json, Path, Problem};

/// The recording that a room shows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub(crate) struct Playback {
    /// Time since the start of the recording, in seconds. During a seek, the time to which it goes.
    pub(crate) position_seconds: f64,
    /// True if the recording is paused. It pauses by itself at its end.
    pub(crate) paused: bool,
    /// Multiple of the recorded speed.
    pub(crate) speed: f64,
    /// True until the players have the state of the time to which a seek goes.
    pub(crate) seeking: bool,
    /// True if the recording was played to its end. A seek continues it.
    pub(crate) ended: bool,
}

/// Changes of a playback. What is missing stays as it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaybackChange {
    /// True to pause the recording, false to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<bool>,
    /// Multiple of the recorded speed, 0.1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.1, maximum = 100)]
    pub(crate) speed: Option<f64>,
    /// Time at which the recording continues: seconds since its start, 0 to 31536000 (a year).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 31_536_000)]
    pub(crate) seek_seconds: Option<f64>,
}

impl From<WatchStatus> for Playback {
    fn from(status: WatchStatus) -> Self {
        Self {
            position_seconds: status.position.as_secs_f64(),
            paused: status.is_paused,
            speed: status.speed,
            seeking: status.is_seeking,
            ended: status.is_ended,
        }
    }
}

impl PlaybackChange {
    /// Makes the changes, if all of them are valid.
    fn apply(self, control: &WatchControl) -> Result<(), Problem> {
        if let Some(speed) = self.speed.filter(|speed| !SPEEDS.contains(speed)) {
            let detail = format!("speed must be between 0.1 and 100, not {speed}");
            return Err(Problem::bad_request("invalid_speed", detail));
        }
        if let Some(seconds) = self.seek_seconds.filter(|it| !(0.0..=SEEK_MAX).contains(it)) {
            let detail = format!("seek_seconds must be between 0 and {SEEK_MAX}, not {seconds}");
            return Err(Problem::bad_request("invalid_seek_seconds", detail));
        }
        if let Some(is_paused) = self.paused {
            control.set_paused(is_paused);
        }
        if let Some(speed) = self.speed {
            control.set_speed(speed);
        }
        if let Some(seconds) = self.seek_seconds {
            control.seek(Duration::from_secs_f64(seconds));
        }
        Ok(())
    }
}

/// Show where the recording is that a room plays
///
/// The room is that of `mp-server watch`.
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}/playback",
    operation_id = "show_playback",
    tag = "rooms",
    security(("token" = ["read"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 200, body = Playback), Problem)
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
) -> Result<Json<Playback>, Problem> {
    let control = control(&context, &name).await?;
    Ok(Json(control.status().into()))
}

/// Pause, speed up or seek the recording that a room plays
///
/// The room is that of `mp-server watch`. A seek removes all spawned nodes of the players, and
/// spawns those of the new time; `seeking` is true until then.
#[utoipa::path(
    patch,
    path = "/v1/rooms/{room}/playback",
    operation_id = "change_playback",
    tag = "rooms",
    security(("token" = ["rooms"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    request_body = PlaybackChange,
    responses((status = 200, body = Playback), Problem)
)]
pub(super) async fn change(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
    Json(change): Json<PlaybackChange>,
) -> Result<Json<Playback>, Problem> {
    let control = control(&context, &name).await?;
    change.apply(&control)?;
    tracing::info!(room = name, ?change, "an operator has changed the playback of a recording");
    Ok(Json(control.status().into()))
}

/// Returns the controls of the recording that a room plays.
async fn control(context: &AdminContext, name: &str) -> Result<WatchControl, Problem> {
    let room = find(context, name).await?.id;
    let control = context.rooms().watch_control(room).await?.ok_or_else(|| room_busy(name))?;
    control.ok_or_else(|| {
        let detail = format!("{name} plays no recording; mp-server watch opens a room that does");
        Problem::new(StatusCode::CONFLICT, "no_recording", detail)
    })
}

/// Largest time of a seek in seconds: a year.
const SEEK_MAX: f64 = 31_536_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_as_a_whole_or_not_at_all() {
        let control = WatchControl::new();
        let before = control.status();
        let invalid = [
            PlaybackChange { speed: Some(0.0), ..PlaybackChange::default() },
            PlaybackChange { seek_seconds: Some(-1.0), ..PlaybackChange::default() },
            PlaybackChange { paused: Some(true), speed: Some(4.0), seek_seconds: Some(1e12) },
        ];
        for change in invalid {
            change.apply(&control).unwrap_err();
            assert_eq!(control.status(), before);
        }
        let change =
            PlaybackChange { paused: Some(true), speed: None, seek_seconds: Some(SEEK_MAX) };
        change.apply(&control).unwrap();
        let status = control.status();
        assert!(status.is_paused && status.is_seeking);
        assert_eq!(status.position, Duration::from_secs(31_536_000));
    }
}
