//! `/v1/announce` and `/v1/rooms/{room}/announce`: texts for players.

use axum::extract::State;
use axum::http::StatusCode;
use mp_rooms::NoticeText;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::rooms::find;
use crate::http::{Json, Path, Problem};

/// A text for players.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announcement {
    /// Text, 1 to 1024 bytes, without control characters other than line feeds and tabs.
    #[schema(min_length = 1, max_length = 1024)]
    pub(crate) text: String,
}

/// The players that a text was sent to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Announced {
    /// Rooms that have sent it: those whose template has `notify`.
    pub(crate) rooms: usize,
    /// Players of these rooms.
    pub(crate) players: usize,
}

/// Returns a text for players, checked.
pub(super) fn notice_text(text: &str) -> Result<NoticeText, Problem> {
    NoticeText::new(text).map_err(|error| Problem::bad_request("invalid_text", error))
}

/// Send a text to the players of a room
#[utoipa::path(
    post,
    path = "/v1/rooms/{room}/announce",
    operation_id = "announce_to_room",
    tag = "rooms",
    security(("token" = ["rooms"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    request_body = Announcement,
    responses((status = 200, body = Announced), Problem)
)]
pub(super) async fn to_room(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
    Json(Announcement { text }): Json<Announcement>,
) -> Result<Json<Announced>, Problem> {
    let text = notice_text(&text)?;
    let room = find(&context, &name).await?.id;
    let Some(players) = context.rooms().announce(room, &text).await? else {
        let detail = format!(
            "the players of {name} receive no announcements: its template has no notify = true, or the room does not respond"
        );
        return Err(Problem::new(StatusCode::CONFLICT, "not_announced", detail));
    };
    let text = text.as_str();
    tracing::info!(room = name, players, text, "an operator has announced");
    Ok(Json(Announced { rooms: 1, players }))
}

/// Send a text to the players of all rooms whose template has `notify`
#[utoipa::path(
    post,
    path = "/v1/announce",
    operation_id = "announce_to_all",
    tag = "rooms",
    security(("token" = ["rooms"])),
    request_body = Announcement,
    responses((status = 200, body = Announced), Problem)
)]
pub(super) async fn to_all(
    State(context): State<AdminContext>,
    Json(Announcement { text }): Json<Announcement>,
) -> Result<Json<Announced>, Problem> {
    let text = notice_text(&text)?;
    let announced = context.rooms().announce_to_all(&text).await?;
    let (rooms, players, text) = (announced.rooms, announced.players, text.as_str());
    tracing::info!(rooms, players, text, "an operator has announced to all rooms");
    Ok(Json(Announced { rooms, players }))
}
