//! `/v1/rooms/{room}/peers/{peer}/move`: moves of players to other rooms.

use axum::extract::State;
use axum::http::StatusCode;
use mp_core::{PeerId, Reason as _};
use mp_rooms::MoveRefusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::rooms::find;
use crate::MovePlayerError;
use crate::http::{Json, Path, Problem};

/// The destination of a player.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MovePeer {
    /// Name of the room to which the player moves.
    pub(crate) to: String,
}

/// Move a player to another room without a new connection
///
/// Both rooms are of templates with `moves = true`. The response follows when the player has
/// arrived. If the move is refused or fails, the player stays.
#[utoipa::path(
    post,
    path = "/v1/rooms/{room}/peers/{peer}/move",
    operation_id = "move_peer",
    tag = "peers",
    security(("token" = ["peers"])),
    params(
        ("room" = String, Path, description = "Name of the room", example = "default"),
        ("peer" = i32, Path, description = "Peer id"),
    ),
    request_body = MovePeer,
    responses((status = 204), Problem)
)]
pub(super) async fn post(
    State(context): State<AdminContext>,
    Path((name, id)): Path<(String, i32)>,
    Json(MovePeer { to }): Json<MovePeer>,
) -> Result<StatusCode, Problem> {
    let unknown = || Problem::not_found("unknown_peer", format!("{name} has no player {id}"));
    let room = find(&context, &name).await?.id;
    let peer = PeerId::new(id).ok_or_else(unknown)?;
    let target = find(&context, &to).await?.id;
    match context.rooms().move_peer(room, peer, target).await {
        Ok(()) => {
            tracing::info!(room = name, %peer, to, "an operator has moved a player");
            Ok(StatusCode::NO_CONTENT)
        }
        Err(MovePlayerError::Refused(MoveRefusal::UnknownPeer)) => Err(unknown()),
        Err(error) => Err(problem(error, &format!("{id} stays in {name}"))),
    }
}

/// Returns the response for a player who has not moved.
fn problem(error: MovePlayerError, stays: &str) -> Problem {
    let detail = format!("{stays}: {error}");
    match error {
        MovePlayerError::Refused(MoveRefusal::UnknownRoom) => {
            Problem::not_found("unknown_room", detail)
        }
        MovePlayerError::Refused(refusal) => {
            Problem::new(StatusCode::CONFLICT, refusal.label(), detail)
        }
        MovePlayerError::Failed(error) => Problem::new(StatusCode::CONFLICT, "move_failed", error),
        MovePlayerError::Ended => Problem::unavailable("server_ended", detail),
    }
}
