//! `GET /v1/rooms/{room}/events`: a room, its players and its nodes as server-sent events.

use axum::extract::{Extension, State};
use mp_rooms::RoomId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::context::AdminContext;
use super::events::each_second;
use super::nodes::{self, is_relay};
use super::peers;
use super::rooms::{PageQuery, Room, find};
use super::token::Token;
use super::viewer::{EventResponse, Viewer};
use crate::http::{Path, Problem, Query};
use crate::rooms::RoomChange;

/// Follow a room, its players, and its nodes, as server-sent events
///
/// `room`: the room, at once and after each change. `peers`: as `GET /v1/rooms/{room}/peers`
/// responds to the same query, at once and then every second. `nodes`: as
/// `GET /v1/rooms/{room}/nodes` responds, at once and then every second, with the traffic since the
/// first viewer of the room. `closed`: the room was closed; it is the last event. A comment is sent
/// every 15 seconds.
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}/events",
    operation_id = "follow_room",
    tag = "rooms",
    security(("token" = ["read"])),
    params(("room" = String, Path, description = "Name of the room", example = "default"), PageQuery),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        Problem,
    )
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
    Extension(token): Extension<Token>,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<EventResponse, Problem> {
    let query = query.checked()?;
    // Before the room is read, so that no change of it is missed.
    let changes = context.rooms().changes().await?;
    let room = find(&context, &name).await?;
    let (room, is_relay) = (room.id, is_relay(&room.room_type));
    let (viewer, response) = Viewer::open(&context)?;
    tokio::spawn(async move {
        let followed = FollowedRoom { room, is_relay, query };
        if follow(&context, &token, changes, &viewer, followed).await {
            viewer.send("closed", &serde_json::json!({"id": room.get()})).await;
        }
    });
    Ok(response)
}

/// The room that a viewer follows.
#[derive(Clone, Copy)]
struct FollowedRoom {
    room: RoomId,
    /// True if it has no nodes of a game.
    is_relay: bool,
    /// Selection of the players.
    query: PageQuery,
}

/// Sends events to a viewer until it leaves, or the server stops. Returns true if the room is
/// closed.
async fn follow(
    context: &AdminContext,
    token: &Token,
    mut changes: broadcast::Receiver<RoomChange>,
    viewer: &Viewer,
    FollowedRoom { room, is_relay, query }: FollowedRoom,
) -> bool {
    if !send_room(context, viewer, room).await {
        return true;
    }
    // The room counts its traffic until this is dropped.
    let mut traffic = None;
    let mut seconds = each_second();
    loop {
        let is_open = tokio::select! {
            change = changes.recv() => match change {
                Ok(RoomChange::Changed(changed)) if changed.id == room => {
                    viewer.send("room", &Room::from(changed)).await
                }
                Ok(RoomChange::Closed(closed)) => closed != room,
                Ok(RoomChange::Changed(_)) => true,
                Err(RecvError::Lagged(_)) => send_room(context, viewer, room).await,
                Err(RecvError::Closed) => false,
            },
            _ = seconds.tick() => {
                if traffic.is_none() {
                    traffic = context.rooms().view_traffic(room).await.ok().flatten();
                }
                send_peers(context, token, viewer, room, query).await
                    && send_nodes(context, viewer, room, is_relay).await
            }
            () = viewer.left() => return false,
        };
        if !is_open {
            return true;
        }
    }
}

/// Sends the players. Returns false if there is no such room any more, or the viewer has left. The
/// players of a busy room are sent a second later.
async fn send_peers(
    context: &AdminContext,
    token: &Token,
    viewer: &Viewer,
    room: RoomId,
    query: PageQuery,
) -> bool {
    match peers::page(context, token, room, query).await {
        Ok(Some(page)) => viewer.send("peers", &page).await,
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Sends the nodes. Returns false if the viewer has left. A busy room is sent a second later.
async fn send_nodes(context: &AdminContext, viewer: &Viewer, room: RoomId, is_relay: bool) -> bool {
    match nodes::inspect(context, room, is_relay).await {
        Ok(Some(nodes)) => viewer.send("nodes", &nodes).await,
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Sends the room. Returns false if there is none any more.
async fn send_room(context: &AdminContext, viewer: &Viewer, room: RoomId) -> bool {
    match context.rooms().get(room).await {
        Ok(Some(info)) => viewer.send("room", &Room::from(info)).await,
        Ok(None) | Err(_) => false,
    }
}
