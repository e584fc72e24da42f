//! `/v1/rooms/{room}/bots`: bots of this process that join a room, for tests by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use mp_bots::scenario::{BotTransport, ServerAddress};
use mp_core::PeerId;
use mp_rooms::RoomInfo;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Receiver;
use utoipa::ToSchema;

use super::context::AdminContext;
use super::join::selection;
use super::rooms::find;
use crate::addresses::Listeners;
use crate::config::{Config, IdentityMethod, RoomSelection};
use crate::http::{Json, Path, Problem, whole_number};
use crate::join_script::{JoinScript, Reached};
use crate::resident_bots::{BOTS_MAX, BotEntry, BotGroup, JOIN_TIME, StartError};

/// Bots that join a room.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBots {
    /// Number of bots, 1 to 16. Default: 1. The whole server has at most 16 at a time.
    #[serde(default = "default_count", deserialize_with = "whole_number")]
    #[schema(minimum = 1, maximum = 16)]
    pub(crate) count: u32,
    /// Seconds after which they leave, 1 to 3600. Default: 60.
    #[serde(default = "default_seconds", deserialize_with = "whole_number")]
    #[schema(minimum = 1, maximum = 3600)]
    pub(crate) seconds: u64,
    /// True if each sends 8 random bytes to all others every second, as `send_bytes` does. Default:
    /// false, they are idle.
    #[serde(default)]
    pub(crate) send: bool,
}

/// Bots that have joined.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JoinedBots {
    /// Peer ids of the bots.
    pub(crate) ids: Vec<i32>,
}

/// Bots that leave.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EndedBots {
    /// Number of the bots.
    pub(crate) count: u32,
}

fn default_count() -> u32 {
    1
}

fn default_seconds() -> u64 {
    60
}

impl NewBots {
    fn checked(self) -> Result<BotGroup, Problem> {
        let Self { count, seconds, send } = self;
        if !(1..=BOTS_MAX).contains(&count) {
            let detail = format!("count must be between 1 and {BOTS_MAX}, not {count}");
            return Err(Problem::bad_request("invalid_count", detail));
        }
        if !(1..=SECONDS_MAX).contains(&seconds) {
            let detail = format!("seconds must be between 1 and {SECONDS_MAX}, not {seconds}");
            return Err(Problem::bad_request("invalid_seconds", detail));
        }
        Ok(BotGroup { count, stay: Duration::from_secs(seconds), sends: send })
    }
}

/// Let bots join a room
///
/// A bot is a Godot client without a game: it joins over a listener of the server, and confirms
/// what it receives. The response follows when all have joined, after five seconds at the latest.
/// Bots also leave when the server drains.
#[utoipa::path(
    post,
    path = "/v1/rooms/{room}/bots",
    operation_id = "add_bots",
    tag = "peers",
    security(("token" = ["peers"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    request_body = NewBots,
    responses(
        (status = 201, body = JoinedBots, links(
            ("link" = (operation_id = "simulate_link", parameters(
                ("room" = "$request.path.room"), ("peer" = "$response.body#/ids/0")
            ))),
            ("conditions" = (operation_id = "show_link", parameters(
                ("room" = "$request.path.room"), ("peer" = "$response.body#/ids/0")
            ))),
            ("kick" = (operation_id = "kick_peer", parameters(
                ("room" = "$request.path.room"), ("peer" = "$response.body#/ids/0")
            ))),
        )),
        Problem,
    )
)]
pub(super) async fn add(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
    Json(given): Json<NewBots>,
) -> Result<(StatusCode, Json<JoinedBots>), Problem> {
    let group = given.checked()?;
    let room = find(&context, &name).await?;
    let entry = entry(&context, &room)?;
    let mut started = context.bots().start(room.id, entry, group).map_err(|error| match error {
        StartError::TooMany => {
            let detail = format!("the server has at most {BOTS_MAX} bots; end others first");
            Problem::new(StatusCode::CONFLICT, "too_many_bots", detail)
        }
        StartError::NoThread => Problem::unavailable("no_thread", "the system has no more threads"),
    })?;
    let ids = joined(&mut started.admitted, group.count).await;
    tokio::spawn(end_with_server(context.clone()));
    if ids.is_empty() {
        started.end();
        let detail = format!("no bot could join {name} within {JOIN_TIME:?}");
        return Err(Problem::new(StatusCode::CONFLICT, "bots_refused", detail));
    }
    let (count, seconds) = (ids.len(), group.stay.as_secs());
    tracing::info!(room = name, count, seconds, "bots of an operator have joined");
    Ok((StatusCode::CREATED, Json(JoinedBots { ids })))
}

/// Let the bots of a room leave
#[utoipa::path(
    delete,
    path = "/v1/rooms/{room}/bots",
    operation_id = "end_bots",
    tag = "peers",
    security(("token" = ["peers"])),
    params(("room" = String, Path, description = "Name of the room", example = "default")),
    responses((status = 200, body = EndedBots), Problem)
)]
pub(super) async fn end(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
) -> Result<Json<EndedBots>, Problem> {
    let room = find(&context, &name).await?.id;
    let count = context.bots().end(room);
    tracing::info!(room = name, count, "an operator has ended bots");
    Ok(Json(EndedBots { count }))
}

/// Returns the ids of bots that are admitted in time.
async fn joined(admitted: &mut Receiver<PeerId>, count: u32) -> Vec<i32> {
    let mut ids = Vec::new();
    let all = async {
        while ids.len() < count as usize
            && let Some(id) = admitted.recv().await
        {
            ids.push(id.get());
        }
    };
    let _ = tokio::time::timeout(JOIN_TIME, all).await;
    ids
}

/// Lets bots leave when the server drains, so that it does not wait for them.
async fn end_with_server(context: AdminContext) {
    let mut seconds = tokio::time::interval(CHECK_INTERVAL);
    while !context.bots().is_empty() {
        tokio::select! {
            _ = seconds.tick() => {}
            () = context.stopping().cancelled() => return context.bots().end_all(),
        }
        if context.rooms().is_draining().await.unwrap_or(true) {
            context.bots().end_all();
        }
    }
}

/// Returns the first listener over which bots can join the room.
fn entry(context: &AdminContext, room: &RoomInfo) -> Result<BotEntry, Problem> {
    let refused = |code, detail| Err(Problem::new(StatusCode::CONFLICT, code, detail));
    let config = context.config();
    if config.identity.method != IdentityMethod::Open {
        return refused("needs_token", "bots have no tokens; players of this server need one");
    }
    if room.is_locked {
        return refused("room_locked", "the room refuses new players; unlock it first");
    }
    if room.players >= usize::from(room.max_players) {
        return refused("room_full", "the room is full");
    }
    if room.is_private {
        return refused("needs_code", "bots do not know the code of this room; remove it first");
    }
    match of_enet(context, &config, room).or_else(|| of_websocket(context, &config, room)) {
        Some(entry) => Ok(entry),
        None => refused("no_listener", "no listener for ENet or WebSocket leads to this room"),
    }
}

fn of_enet(context: &AdminContext, config: &Config, room: &RoomInfo) -> Option<BotEntry> {
    let listeners = Listeners::new(config).ok()?;
    let (listener, bound) = (*listeners.enet.first()?, context.listening()?.enet?);
    let selection = selection(listener, room.name.as_str(), "enet")?;
    let (scheme, transport) = match listener.tls {
        true => ("enets", BotTransport::EnetDtls),
        false => ("enet", BotTransport::Enet),
    };
    let (host, port) = (local(bound), bound.port());
    let url = format!("{scheme}://{}", SocketAddr::new(host, port));
    let server = ServerAddress { url, transport, host: host.to_string(), port };
    Some(BotEntry { server, auth: auth(selection, room) })
}

fn of_websocket(context: &AdminContext, config: &Config, room: &RoomInfo) -> Option<BotEntry> {
    let listeners = Listeners::new(config).ok()?;
    let (listener, bound) = (*listeners.ws.first()?, context.listening()?.ws?);
    let selection = selection(listener, room.name.as_str(), "websocket")?;
    let (host, port) = (local(bound).to_string(), bound.port());
    let is_secure = listeners.tcp().is_some_and(|it| it.tls);
    let listener = Reached { host: &host, port, is_secure };
    let (needs_code, needs_token) = (false, false);
    let room_name = room.name.as_str();
    let script = JoinScript { listener, selection, room: room_name, needs_code, needs_token };
    let (url, transport) = (script.websocket_url(), BotTransport::WebSocket);
    let server = ServerAddress { url, transport, host, port };
    Some(BotEntry { server, auth: auth(selection, room) })
}

/// Returns the packet that selects the room on a listener that reads one.
fn auth(selection: RoomSelection, room: &RoomInfo) -> Option<String> {
    (selection == RoomSelection::Auth).then(|| room.name.to_string())
}

/// Returns the address at which this machine reaches a listener.
fn local(bound: SocketAddr) -> IpAddr {
    match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// Maximum time for which bots stay, in seconds.
const SECONDS_MAX: u64 = 3_600;
/// Interval at which bots notice that the server drains.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
