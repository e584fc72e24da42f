//! `/v1/rooms/{room}/peers`: the players of a room.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use mp_actor::PeerStats;
use mp_core::PeerId;
use mp_rooms::{NoticeText, RoomId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::announce::notice_text;
use super::context::AdminContext;
use super::nodes::room_busy;
use super::rooms::{PageQuery, find};
use super::token::{Scope, Token};
use crate::http::{Json, OptionalJson, Path, Problem, Query};

/// A player.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub(crate) struct Peer {
    /// Peer id.
    pub(crate) id: i32,
    /// Subject of its identity; missing if the player is anonymous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// `enet`, `websocket` or `webrtc`; missing if its port is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<String>,
    /// IP address, only for tokens with the scope `peers`; missing if the transport has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// True while the player authenticates.
    pub(crate) authenticating: bool,
    /// Seconds since the player was admitted.
    pub(crate) connected_seconds: u64,
    /// Seconds for which the place of a player who has lost its connection is still kept; missing
    /// if the player is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kept_seconds: Option<u64>,
    /// Traffic of its connection; missing if the transport does not count it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<Connection>,
}

/// Traffic of a player's connection.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub(crate) struct Connection {
    /// Mean round-trip time in seconds; missing if the transport does not measure it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip_seconds: Option<f64>,
    /// Packets sent to the player.
    pub(crate) packets_sent: u64,
    /// Bytes of these packets.
    pub(crate) bytes_sent: u64,
    /// Packets received from the player.
    pub(crate) packets_received: u64,
    /// Bytes of these packets.
    pub(crate) bytes_received: u64,
    /// Unreliable packets that were dropped before they were sent.
    pub(crate) send_drops: u64,
    /// Received packets that were dropped.
    pub(crate) receive_drops: u64,
    /// Reliable packets that were sent again.
    pub(crate) retransmissions: u64,
    /// Bytes that wait to be sent or acknowledged.
    pub(crate) queued_bytes: u64,
}

/// Some players, by id.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub(crate) struct PeerPage {
    /// The players.
    pub(crate) peers: Vec<Peer>,
    /// Value of `after` for the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<i32>,
}

/// The reason of a kick.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kick {
    /// Reason, at most 256 bytes, without control characters other than line feeds and tabs: for
    /// the log, and for the player if the room's template has `notify`.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub(crate) reason: String,
}

impl From<PeerStats> for Peer {
    fn from(stats: PeerStats) -> Self {
        Self {
            id: stats.id.get(),
            subject: None,
            transport: None,
            address: None,
            authenticating: stats.is_authenticating,
            connected_seconds: stats.connected_for.as_secs(),
            kept_seconds: None,
            connection: stats.connection.map(|connection| Connection {
                round_trip_seconds: connection.round_trip_time.map(|time| time.as_secs_f64()),
                packets_sent: connection.packets_sent,
                bytes_sent: connection.bytes_sent,
                packets_received: connection.packets_received,
                bytes_received: connection.bytes_received,
                send_drops: connection.send_drops,
                receive_drops: connection.receive_drops,
                retransmissions: connection.retransmissions,
                queued_bytes: connection.queued_bytes,
            }),
        }
    }
}

/// List the players of a room by id
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}/peers",
    operation_id = "list_peers",
    tag = "peers",
    security(("token" = ["read"])),
    params(("room" = String, Path, description = "Name of the room", example = "default"), PageQuery),
    responses((status = 200, body = PeerPage), Problem)
)]
pub(super) async fn list(
    State(context): State<AdminContext>,
    Extension(token): Extension<Token>,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PeerPage>, Problem> {
    let query = query.checked()?;
    let room = find(&context, &name).await?.id;
    let page = page(&context, &token, room, query).await?;
    page.map(Json).ok_or_else(|| room_busy(&name))
}

/// Returns some players of a room, by id; `None` if the room has ended or is busy. The query is
/// checked. Only a token with the scope `peers` receives their addresses.
pub(super) async fn page(
    context: &AdminContext,
    token: &Token,
    room: RoomId,
    PageQuery { after, limit }: PageQuery,
) -> Result<Option<PeerPage>, Problem> {
    let (rooms, after) = (context.rooms(), i32::try_from(after).unwrap_or(i32::MAX));
    let mut players = rooms.players(room, after, limit + 1).await?;
    let next = players.get(limit - 1).filter(|_| players.len() > limit).map(|it| it.id.get());
    players.truncate(limit);
    let ids: Vec<_> = players.iter().map(|player| player.id).collect();
    let stats = match rooms.branch(room).await? {
        Some(branch) => branch.peer_stats(&ids).await,
        None => Ok(Vec::new()),
    };
    let Ok(stats) = stats else { return Ok(None) };
    let mut stats = stats.into_iter().peekable();
    let shows_addresses = token.scopes().contains(&Scope::Peers);
    let mut peers = Vec::with_capacity(players.len());
    for player in players {
        // Players who leave meanwhile are not listed.
        if let Some(stats) = stats.next_if(|stats| stats.id == player.id) {
            let transport = stats.endpoint.and_then(|endpoint| rooms.transport_of(endpoint));
            peers.push(Peer {
                subject: player.identity.as_ref().and_then(|it| Some(it.subject()?.to_string())),
                transport: transport.map(str::to_owned),
                address: player.address.filter(|_| shows_addresses).map(|it| it.to_string()),
                kept_seconds: player.kept_for.map(|time| time.as_secs()),
                ..stats.into()
            });
        }
    }
    Ok(Some(PeerPage { peers, next }))
}

/// Disconnect a player, who may join again
#[utoipa::path(
    delete,
    path = "/v1/rooms/{room}/peers/{peer}",
    operation_id = "kick_peer",
    tag = "peers",
    security(("token" = ["peers"])),
    params(
        ("room" = String, Path, description = "Name of the room", example = "default"),
        ("peer" = i32, Path, description = "Peer id"),
    ),
    request_body(content = Option<Kick>, description = "Reason"),
    responses((status = 204), Problem)
)]
pub(super) async fn kick(
    State(context): State<AdminContext>,
    Path((name, id)): Path<(String, i32)>,
    OptionalJson(Kick { reason }): OptionalJson<Kick>,
) -> Result<StatusCode, Problem> {
    let text = reason_text(&reason)?;
    let unknown = || Problem::not_found("unknown_peer", format!("{name} has no player {id}"));
    let (room, rooms) = (find(&context, &name).await?.id, context.rooms());
    let id = PeerId::new(id).ok_or_else(unknown)?;
    let is_kicked = match text {
        Some(text) => rooms.kick_with_reason(room, id, text).await?,
        None => rooms.kick(room, id).await?,
    };
    if !is_kicked {
        return Err(unknown());
    }
    tracing::info!(room = name, peer = %id, ?reason, "an operator has disconnected a player");
    Ok(StatusCode::NO_CONTENT)
}

/// Checks a reason for players; `None` if it is blank.
pub(super) fn reason_text(reason: &str) -> Result<Option<NoticeText>, Problem> {
    if reason.len() > REASON_MAX {
        let detail = format!("a reason has at most {REASON_MAX} bytes");
        return Err(Problem::bad_request("invalid_reason", detail));
    }
    match reason.trim() {
        "" => Ok(None),
        _ => notice_text(reason).map(Some),
    }
}

/// Maximum size of a reason in bytes.
const REASON_MAX: usize = 256;
