//! `GET /v1/rooms/{room}/join`: how players join a room.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::rooms::find;
use crate::addresses::Listeners;
use crate::config::{Config, IdentityMethod, ListenConfig, RoomSelection};
use crate::http::{Json, Path, Problem};
use crate::join_script::{JoinScript, Reached};

/// Ways to join a room.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JoinLines {
    /// A line for each transport over which the room can be joined.
    pub(crate) lines: Vec<JoinLine>,
}

/// A way to join a room.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JoinLine {
    /// `enet`, `websocket` or `webrtc`.
    pub(crate) transport: String,
    /// GDScript. `CODE` and `TOKEN` stand for what only the player has.
    pub(crate) gdscript: String,
}

/// Show the GDScript with which a player joins a room
///
/// The lines are those of the first listener of each transport. Their host is `match.public_host`,
/// else the address of the listener, else the host of the request.
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}/join",
    operation_id = "show_join_lines",
    tag = "rooms",
    security(("token" = ["read"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 200, body = JoinLines), Problem)
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<JoinLines>, Problem> {
    let room = find(&context, &name).await?;
    let config = context.config();
    let listeners =
        Listeners::new(&config).map_err(|error| Problem::unavailable("config", error))?;
    let bound = context.listening().copied().unwrap_or_default();
    let requested = requested_host(&headers);
    let (name, needs_code) = (room.name.as_str(), room.is_private);
    let line = |transport: &str,
                listener: Option<&ListenConfig>,
                address: Option<SocketAddr>,
                is_secure: bool,
                write: fn(&JoinScript<'_>) -> String| {
        let (selection, address) = (selection(listener?, name, transport)?, address?);
        let host = host(&config, address, &requested);
        let listener = Reached { host: &host, port: address.port(), is_secure };
        let needs_token = config.identity.method != IdentityMethod::Open;
        let script = JoinScript { listener, selection, room: name, needs_code, needs_token };
        Some(JoinLine { transport: transport.to_owned(), gdscript: write(&script) })
    };
    let [enet, ws] = [&listeners.enet, &listeners.ws].map(|all| all.first().copied());
    let [enet_tls, ws_tls] = [enet, listeners.tcp()].map(|it| it.is_some_and(|it| it.tls));
    let signaling = bound.webrtc.and_then(|_| bound.signaling.or(bound.ws));
    let lines = [
        line("enet", enet, bound.enet, enet_tls, |it| it.enet()),
        line("websocket", ws, bound.ws, ws_tls, |it| it.websocket()),
        line("webrtc", listeners.webrtc, signaling, ws_tls, |it| it.webrtc()),
    ];
    Ok(Json(JoinLines { lines: lines.into_iter().flatten().collect() }))
}

/// Returns how a player selects the room on a listener; `None` if the listener does not let it.
pub(super) fn selection(
    listener: &ListenConfig,
    room: &str,
    transport: &str,
) -> Option<RoomSelection> {
    // The script for WebRTC selects no room.
    let is_fixed = listener.select == RoomSelection::Fixed || transport == "webrtc";
    match is_fixed {
        true if listener.room.as_deref().unwrap_or(DEFAULT) != room => None,
        true => Some(RoomSelection::Fixed),
        false => Some(listener.select),
    }
}

/// Returns the host at which a player reaches a listener.
fn host(config: &Config, bound: SocketAddr, requested: &str) -> String {
    match &config.matchmaking.public_host {
        Some(host) => host.clone(),
        None if bound.ip().is_unspecified() => requested.to_owned(),
        None => bound.ip().to_string(),
    }
}

/// Returns the host in the request, which the guard of the port has checked, without brackets.
fn requested_host(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.map_or_else(String::new, |host| host.host().trim_matches(['[', ']']).to_owned())
}

/// Room of listeners that name none.
const DEFAULT: &str = "default";
