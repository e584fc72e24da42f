//! `/v1/rooms/{room}/peers/{peer}/move`: moves of players to other rooms.

use axum::extract::State;
use axum::http::StatusCode;
use mp_core::{PeerId, Reason as _};
use mp_rooms::{Code, MoveRefusal, MoveTarget, RoomId, RoomName, Ticket};
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
    /// Code of that room, if it is private, 1 to 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) code: Option<String>,
    /// Ticket of a seat in that room, with which the player enters even if it is locked or private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^mpt_[A-Za-z0-9_-]{22}$")]
    pub(crate) seat: Option<String>,
}

/// Move a player to another room without a new connection
///
/// Both rooms are of templates with `moves = true`. The response follows when the player has
/// arrived. If the move is refused or fails, the player stays. A room that is private needs its
/// code, and one that is locked a seat.
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
    Json(MovePeer { to, code, seat }): Json<MovePeer>,
) -> Result<StatusCode, Problem> {
    let unknown = || Problem::not_found("unknown_peer", format!("{name} has no player {id}"));
    let room = find(&context, &name).await?.id;
    let peer = PeerId::new(id).ok_or_else(unknown)?;
    let mut target = MoveTarget::new(find_target(&context, &to).await?);
    if let Some(code) = code {
        let code = Code::new(&code).map_err(|error| Problem::bad_request("invalid_code", error))?;
        target = target.code(code);
    }
    if let Some(seat) = seat {
        let invalid = || Problem::bad_request("invalid_ticket", "the seat is not a ticket");
        target = target.seat(Ticket::parse(&seat).ok_or_else(invalid)?.hash());
    }
    match context.rooms().move_peer(room, peer, target).await {
        Ok(()) => {
            tracing::info!(room = name, %peer, to, "an operator has moved a player");
            Ok(StatusCode::NO_CONTENT)
        }
        Err(MovePlayerError::Refused(MoveRefusal::UnknownPeer)) => Err(unknown()),
        Err(error) => Err(problem(error, &format!("{id} stays in {name}"))),
    }
}

/// Returns the room to which a player moves, which is not on another server of the cluster.
async fn find_target(context: &AdminContext, name: &str) -> Result<RoomId, Problem> {
    let unknown = match find(context, name).await {
        Ok(room) => return Ok(room.id),
        Err(problem) => problem,
    };
    match RoomName::new(name) {
        Ok(room) if context.rooms().is_elsewhere(&room).await => {
            let detail = format!("{name} is on another server; players move to rooms of their own");
            Err(Problem::new(StatusCode::CONFLICT, "other_server", detail))
        }
        _ => Err(unknown),
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
