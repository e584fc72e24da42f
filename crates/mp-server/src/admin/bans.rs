//! `/v1/bans`: banned addresses and networks.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use mp_core::AddressPrefix;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::context::AdminContext;
use crate::BanError;
use crate::http::{Json, Problem, ProblemBody, Query};

/// A banned address or network.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Ban {
    /// The address, or the network such as `192.0.2.0/24`.
    pub(crate) address: String,
    /// Time at which the ban ends, in seconds since 1970-01-01 UTC; missing if it does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<u64>,
}

/// All bans, in the order of their addresses.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct BanList {
    /// The bans.
    pub(crate) bans: Vec<Ban>,
}

/// An address to ban.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBan {
    /// The address, or the network such as `192.0.2.0/24`.
    pub(crate) address: String,
    /// Seconds until the ban ends, at least 1; missing: it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub(crate) seconds: Option<u64>,
}

/// The result of a ban.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Banned {
    /// Players who were disconnected.
    pub(crate) disconnected: usize,
}

/// A ban to end.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct BanQuery {
    /// Exactly the address or network that was banned.
    address: String,
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

fn prefix(address: &str) -> Result<AddressPrefix, Problem> {
    let detail = "address must be an IP address or a network such as 192.0.2.0/24";
    address.parse().map_err(|_| Problem::bad_request("invalid_address", detail))
}

/// List the bans
#[utoipa::path(
    get,
    path = "/v1/bans",
    tag = "bans",
    security(("token" = ["peers"])),
    responses((status = 200, body = BanList), (status = "default", body = ProblemBody))
)]
pub(super) async fn list(State(context): State<AdminContext>) -> Json<BanList> {
    let bans = context.rooms().bans().await.into_iter();
    let bans = bans.map(|(prefix, ends)| Ban { address: prefix.to_string(), ends });
    Json(BanList { bans: bans.collect() })
}

/// Ban an address or a network, and disconnect its players
#[utoipa::path(
    post,
    path = "/v1/bans",
    tag = "bans",
    security(("token" = ["peers"])),
    request_body = NewBan,
    responses((status = 200, body = Banned), (status = "default", body = ProblemBody))
)]
pub(super) async fn add(
    State(context): State<AdminContext>,
    Json(NewBan { address, seconds }): Json<NewBan>,
) -> Result<Json<Banned>, Problem> {
    if seconds == Some(0) {
        return Err(Problem::bad_request("invalid_seconds", "seconds must be at least 1"));
    }
    let prefix = prefix(&address)?;
    let disconnected = context.rooms().ban(prefix, seconds.map(Duration::from_secs)).await?;
    tracing::info!(%prefix, seconds, disconnected, "an operator has banned an address");
    Ok(Json(Banned { disconnected }))
}

/// End a ban
#[utoipa::path(
    delete,
    path = "/v1/bans",
    tag = "bans",
    security(("token" = ["peers"])),
    params(BanQuery),
    responses((status = 204), (status = "default", body = ProblemBody))
)]
pub(super) async fn remove(
    State(context): State<AdminContext>,
    Query(BanQuery { address }): Query<BanQuery>,
) -> Result<StatusCode, Problem> {
    let prefix = prefix(&address)?;
    if !context.rooms().unban(prefix).await? {
        let detail = format!("there is no ban of exactly {prefix}");
        return Err(Problem::not_found("unknown_ban", detail));
    }
    tracing::info!(%prefix, "an operator has ended a ban");
    Ok(StatusCode::NO_CONTENT)
}
