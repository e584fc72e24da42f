//! `/v1/rooms/{room}/peers/{peer}/link`: simulated link conditions of a player, for development.

use axum::extract::State;
use axum::http::StatusCode;
use mp_core::host::os_seed;
use mp_core::link_shaper::LinkConditions;
use mp_core::{ConditionsError, ConnectionConditions, PeerId, Rng};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::rooms::find;
use crate::http::{Json, Path, Problem, object, whole_number};
use crate::link;

/// The simulated link of a player.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    /// Conditions of what the server sends to the player.
    #[serde(default, deserialize_with = "object")]
    pub(crate) to_player: Direction,
    /// Conditions of what the server receives from the player.
    #[serde(default, deserialize_with = "object")]
    pub(crate) from_player: Direction,
}

/// Conditions of one direction. What is missing is not simulated. WebSocket has a latency and a
/// rate only.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Direction {
    /// Delay in seconds, 0 to 10. That of both directions adds to the round trip.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10)]
    pub(crate) latency_seconds: f64,
    /// Maximum further delay in seconds, 0 to 10, drawn for each datagram.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 10)]
    pub(crate) jitter_seconds: f64,
    /// Probability that a datagram is lost, in steps of 0.001. The protocol repeats reliable data.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) loss: f64,
    /// Probability that a datagram arrives twice, in steps of 0.001.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) duplication: f64,
    /// Probability that a datagram is delayed by up to twice the latency more, so that later ones
    /// overtake it, in steps of 0.001.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) reordering: f64,
    /// Bytes per second; 0: no limit.
    #[serde(default, deserialize_with = "whole_number")]
    #[schema(maximum = 9007199254740991_u64)]
    pub(crate) bytes_per_second: u64,
}

/// The simulated link of a player, and its counters since the conditions were set.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub(crate) struct LinkStatus {
    /// Conditions of what the server sends to the player.
    pub(crate) to_player: Direction,
    /// Conditions of what the server receives from the player.
    pub(crate) from_player: Direction,
    /// Datagrams that the link has lost, in both directions.
    pub(crate) lost: u64,
    /// Datagrams dropped because more than 1 MiB were on their way.
    pub(crate) overflowed: u64,
    /// Bytes on their way.
    pub(crate) queued_bytes: usize,
}

impl Direction {
    /// Returns the conditions. `direction` is its name in errors.
    fn conditions(self, direction: &str) -> Result<LinkConditions, Problem> {
        let invalid = |name: &str, takes: &str| {
            let detail = format!("{direction}.{name} must be {takes}");
            Problem::bad_request("invalid_link", detail)
        };
        let delay = |name, seconds| {
            let delay = link::delay_of_seconds(seconds);
            delay.ok_or_else(|| invalid(name, "a number of seconds between 0 and 10"))
        };
        let permille = |name, probability| {
            let permille = link::permille(probability);
            permille.ok_or_else(|| invalid(name, "a probability between 0 and 1"))
        };
        Ok(LinkConditions {
            delay: delay("latency_seconds", self.latency_seconds)?,
            jitter: delay("jitter_seconds", self.jitter_seconds)?,
            loss_permille: permille("loss", self.loss)?,
            duplication_permille: permille("duplication", self.duplication)?,
            reordering_permille: permille("reordering", self.reordering)?,
            bytes_per_second: self.bytes_per_second,
            ..LinkConditions::default()
        })
    }
}

impl From<LinkConditions> for Direction {
    fn from(conditions: LinkConditions) -> Self {
        let probability = |permille: u32| f64::from(permille) / 1_000.0;
        Self {
            latency_seconds: conditions.delay.as_secs_f64(),
            jitter_seconds: conditions.jitter.as_secs_f64(),
            loss: probability(conditions.loss_permille),
            duplication: probability(conditions.duplication_permille),
            reordering: probability(conditions.reordering_permille),
            bytes_per_second: conditions.bytes_per_second,
        }
    }
}

impl Link {
    fn conditions(self) -> Result<ConnectionConditions, Problem> {
        Ok(ConnectionConditions {
            outgoing: self.to_player.conditions("to_player")?,
            incoming: self.from_player.conditions("from_player")?,
        })
    }
}

impl From<ConnectionConditions> for Link {
    fn from(conditions: ConnectionConditions) -> Self {
        let ConnectionConditions { outgoing, incoming } = conditions;
        Self { to_player: outgoing.into(), from_player: incoming.into() }
    }
}

/// Show the simulated link of a player
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}/peers/{peer}/link",
    operation_id = "show_link",
    tag = "link",
    security(("token" = ["peers"])),
    params(
        ("room" = String, Path, description = "Name of the room", example = "default"),
        ("peer" = i32, Path, description = "Peer id"),
    ),
    responses((status = 200, body = LinkStatus), Problem)
)]
pub(super) async fn get(
    State(context): State<AdminContext>,
    Path((name, id)): Path<(String, i32)>,
) -> Result<Json<LinkStatus>, Problem> {
    check_dev(&context)?;
    let room = find(&context, &name).await?.id;
    let peer = PeerId::new(id).ok_or_else(|| unknown(&name, id))?;
    let found = context.rooms().link(room, peer).await?;
    let (conditions, stats) = found.ok_or_else(|| unknown(&name, id))?;
    let Link { to_player, from_player } = conditions.into();
    Ok(Json(LinkStatus {
        to_player,
        from_player,
        lost: stats.lost,
        overflowed: stats.overflowed,
        queued_bytes: stats.queued_bytes,
    }))
}

/// Simulate a bad link to a player, in place of the previous conditions
#[utoipa::path(
    put,
    path = "/v1/rooms/{room}/peers/{peer}/link",
    operation_id = "simulate_link",
    tag = "link",
    security(("token" = ["peers"])),
    params(
        ("room" = String, Path, description = "Name of the room", example = "default"),
        ("peer" = i32, Path, description = "Peer id"),
    ),
    request_body = Link,
    responses((status = 204), Problem)
)]
pub(super) async fn put(
    State(context): State<AdminContext>,
    Path((name, id)): Path<(String, i32)>,
    Json(link): Json<Link>,
) -> Result<StatusCode, Problem> {
    let conditions = link.conditions()?;
    set(&context, &name, id, Some(conditions)).await?;
    let Link { to_player, from_player } = link;
    tracing::info!(
        room = name,
        peer = id,
        ?to_player,
        ?from_player,
        "an operator simulates a bad link"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Stop simulating a bad link to a player
#[utoipa::path(
    delete,
    path = "/v1/rooms/{room}/peers/{peer}/link",
    operation_id = "end_link",
    tag = "link",
    security(("token" = ["peers"])),
    params(
        ("room" = String, Path, description = "Name of the room", example = "default"),
        ("peer" = i32, Path, description = "Peer id"),
    ),
    responses((status = 204), Problem)
)]
pub(super) async fn delete(
    State(context): State<AdminContext>,
    Path((name, id)): Path<(String, i32)>,
) -> Result<StatusCode, Problem> {
    set(&context, &name, id, None).await?;
    tracing::info!(room = name, peer = id, "an operator has ended the simulation of a bad link");
    Ok(StatusCode::NO_CONTENT)
}

async fn set(
    context: &AdminContext,
    name: &str,
    id: i32,
    conditions: Option<ConnectionConditions>,
) -> Result<(), Problem> {
    check_dev(context)?;
    let room = find(context, name).await?.id;
    let peer = PeerId::new(id).ok_or_else(|| unknown(name, id))?;
    let seed = os_seed().map_err(|error| {
        let detail = format!("cannot draw a random seed: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", detail)
    })?;
    let set = context.rooms().set_link(room, peer, conditions, Rng::from_seed(seed)).await?;
    set.map_err(|error| match error {
        ConditionsError::UnknownConnection => unknown(name, id),
        ConditionsError::Unsupported | ConditionsError::DatagramsOnly => {
            Problem::new(StatusCode::CONFLICT, "unsupported_link", error)
        }
    })
}

/// Refuses the request unless the server is in development.
fn check_dev(context: &AdminContext) -> Result<(), Problem> {
    if context.config().dev {
        return Ok(());
    }
    let detail = "bad links are simulated in development only; start the server with --dev";
    Err(Problem::new(StatusCode::FORBIDDEN, "not_in_development", detail))
}

fn unknown(name: &str, id: i32) -> Problem {
    Problem::not_found("unknown_peer", format!("{name} has no player {id}"))
}
