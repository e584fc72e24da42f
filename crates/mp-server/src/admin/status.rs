//! `GET /v1/status`: the server as a whole.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::extract::State;
use mp_core::Reason;
use mp_rooms::JoinRefusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::health;
use crate::http::{Json, Problem};
use crate::memory;

/// The server as a whole.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Status {
    /// Version of the program.
    pub(crate) version: String,
    /// True if the server accepts players.
    pub(crate) ready: bool,
    /// Reasons for which it does not.
    pub(crate) reasons: Vec<String>,
    /// Seconds since the start.
    pub(crate) uptime_seconds: u64,
    /// Players in rooms.
    pub(crate) players: usize,
    /// Clients that wait for a room to open.
    pub(crate) waiting: usize,
    /// Numbers of rooms.
    pub(crate) rooms: RoomCounts,
    /// Clients that have joined since the start.
    pub(crate) joined: u64,
    /// Clients that were refused since the start, by reason.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Resident memory of the process in bytes; missing except on Linux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
    /// Addresses on which the server listens, by transport.
    pub(crate) listening: BTreeMap<String, String>,
}

/// Numbers of rooms.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RoomCounts {
    /// Rooms that are open.
    pub(crate) open: usize,
    /// Rooms that are being created.
    pub(crate) creating: usize,
    /// Rooms that close.
    pub(crate) closing: usize,
    /// Rooms created since the start.
    pub(crate) created: u64,
    /// Rooms that could not be created since the start.
    pub(crate) failed: u64,
}

/// Show the server as a whole
#[utoipa::path(
    get,
    path = "/v1/status",
    operation_id = "show_status",
    tag = "server",
    security(("token" = ["read"])),
    responses((status = 200, body = Status), Problem)
)]
pub(super) async fn get(State(context): State<AdminContext>) -> Result<Json<Status>, Problem> {
    read(&context).await.map(Json)
}

/// Returns the state of the server.
pub(super) async fn read(context: &AdminContext) -> Result<Status, Problem> {
    let reasons = health::reasons(context).await;
    let stats = context.rooms().stats().await?;
    let counts = JoinRefusal::ALL.iter().map(|&it| (it.label().to_owned(), stats.refused.get(it)));
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: reasons.is_empty(),
        reasons: reasons.into_iter().map(str::to_owned).collect(),
        uptime_seconds: context.uptime().as_secs(),
        players: stats.players,
        waiting: stats.waiting,
        rooms: RoomCounts {
            open: stats.open,
            creating: stats.creating,
            closing: stats.closing,
            created: stats.created_rooms,
            failed: stats.failed_rooms,
        },
        joined: stats.joined,
        refused: counts.filter(|&(_, count)| count > 0).collect(),
        memory_bytes: memory::resident_bytes(),
        listening: listening(context),
    })
}

fn listening(context: &AdminContext) -> BTreeMap<String, String> {
    let Some(addresses) = context.listening() else { return BTreeMap::new() };
    let all = [
        ("enet", addresses.enet),
        ("websocket", addresses.ws),
        ("webrtc", addresses.webrtc),
        ("signaling", addresses.signaling),
    ];
    let known = |(name, address): (&str, Option<SocketAddr>)| {
        address.map(|address| (name.to_owned(), address.to_string()))
    };
    all.into_iter().filter_map(known).collect()
}
