//! `/v1/bans`: banned addresses, networks and players.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use mp_identity::Subject;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::context::AdminContext;
use super::peers::reason_text;
use crate::BanError;
use crate::bans::BanTarget;
use crate::http::{Json, Problem, Query, optional_whole_number};

/// A banned address, network or player.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Ban {
    /// The address, or the network such as `192.0.2.0/24`; missing if a player is banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// The player's subject (`sub` of its token); missing if an address is banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sub: Option<String>,
    /// Time at which the ban ends, in seconds since 1970-01-01 UTC; missing if it does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<u64>,
}

/// All bans: addresses in their order, then players by subject.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct BanList {
    /// The bans.
    pub(crate) bans: Vec<Ban>,
}

/// An address or a player to ban.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBan {
    /// The address, or the network such as `192.0.2.0/24`. Either this or `sub` is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// The player's subject (`sub` of its token), 1 to 128 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    pub(crate) sub: Option<String>,
    /// Seconds until the ban ends, at least 1; missing: it does not end.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_whole_number"
    )]
    #[schema(minimum = 1, maximum = 9007199254740991_u64)]
    pub(crate) seconds: Option<u64>,
    /// Reason, at most 256 bytes, without control characters other than line feeds and tabs: for
    /// the log, and for the players who are disconnected: as the close reason of WebSocket, and in
    /// a packet if the room's template has `notify`. It is not kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 256)]
    pub(crate) reason: String,
}

/// The result of a ban.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Banned {
    /// Players who were disconnected.
    pub(crate) disconnected: usize,
}

/// A ban to end.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct BanQuery {
    /// Exactly the address or network that was banned. Either this or `sub` is required.
    #[serde(default)]
    address: Option<String>,
    /// The subject of the player who was banned.
    #[serde(default)]
    #[param(min_length = 1, max_length = 128)]
    sub: Option<String>,
}

impl From<BanError> for Problem {
    fn from(error: BanError) -> Self {
        match error {
            BanError::NotSaved(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "not_saved", error)
            }
            error => Self::new(StatusCode::CONFLICT, "too_many_bans", error),
        }
    }
}

/// Returns the target of a ban, which is an address or a player.
fn target(address: Option<&str>, sub: Option<&str>) -> Result<BanTarget, Problem> {
    match (address, sub) {
        (Some(address), None) => {
            let detail = "address must be an IP address or a network such as 192.0.2.0/24";
            let prefix = address.parse().map(BanTarget::Address);
            prefix.map_err(|_| Problem::bad_request("invalid_address", detail))
        }
        (None, Some(sub)) => {
            let subject = Subject::new(sub).map(BanTarget::Player);
            subject.map_err(|error| Problem::bad_request("invalid_sub", error))
        }
        _ => {
            let detail = "either address or sub is required";
            Err(Problem::bad_request("invalid_target", detail))
        }
    }
}

/// List the bans
#[utoipa::path(
    get,
    path = "/v1/bans",
    operation_id = "list_bans",
    tag = "bans",
    security(("token" = ["peers"])),
    responses((status = 200, body = BanList), Problem)
)]
pub(super) async fn list(State(context): State<AdminContext>) -> Json<BanList> {
    let (addresses, players) =
        (context.rooms().bans().await, context.rooms().banned_players().await);
    let addresses = addresses.into_iter();
    let addresses =
        addresses.map(|(it, ends)| Ban { address: Some(it.to_string()), sub: None, ends });
    let players = players.into_iter();
    let players = players.map(|(it, ends)| Ban { address: None, sub: Some(it.to_string()), ends });
    Json(BanList { bans: addresses.chain(players).collect() })
}

/// Ban an address, a network or a player, and disconnect the players
#[utoipa::path(
    post,
    path = "/v1/bans",
    operation_id = "add_ban",
    tag = "bans",
    security(("token" = ["peers"])),
    request_body = NewBan,
    responses((status = 200, body = Banned), Problem)
)]
pub(super) async fn add(
    State(context): State<AdminContext>,
    Json(NewBan { address, sub, seconds, reason }): Json<NewBan>,
) -> Result<Json<Banned>, Problem> {
    if seconds == Some(0) {
        return Err(Problem::bad_request("invalid_seconds", "seconds must be at least 1"));
    }
    let (rooms, time) = (context.rooms(), seconds.map(Duration::from_secs));
    let target = target(address.as_deref(), sub.as_deref())?;
    let disconnected = rooms.ban_target(target, time, reason_text(&reason)?).await?;
    tracing::info!(address, sub, seconds, ?reason, disconnected, "an operator has added a ban");
    Ok(Json(Banned { disconnected }))
}

/// End a ban
#[utoipa::path(
    delete,
    path = "/v1/bans",
    operation_id = "remove_ban",
    tag = "bans",
    security(("token" = ["peers"])),
    params(BanQuery),
    responses((status = 204), Problem)
)]
pub(super) async fn remove(
    State(context): State<AdminContext>,
    Query(BanQuery { address, sub }): Query<BanQuery>,
) -> Result<StatusCode, Problem> {
    let is_ended = match target(address.as_deref(), sub.as_deref())? {
        BanTarget::Address(prefix) => context.rooms().unban(prefix).await?,
        BanTarget::Player(subject) => context.rooms().unban_player(subject).await?,
    };
    if !is_ended {
        let target = address.or(sub).unwrap_or_default();
        let detail = format!("there is no ban of exactly {target:?}");
        return Err(Problem::not_found("unknown_ban", detail));
    }
    tracing::info!(address, sub, "an operator has ended a ban");
    Ok(StatusCode::NO_CONTENT)
}
