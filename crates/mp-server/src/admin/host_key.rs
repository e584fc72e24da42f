//! `/v1/rooms/{room}/host-key`: keys of hosts of tunnels.

use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use mp_core::Rng;
use mp_identity::Token;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::rooms::find;
use crate::http::{Json, Path, Problem, Query};

/// The key of a host.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct HostKey {
    /// The key: 128 random bits. It is not shown again.
    pub(crate) key: String,
}

/// The use of a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostKeyQuery {
    /// True for a key of one host.
    #[serde(default)]
    once: bool,
}

/// Make a key with which `mp-server tunnel` hosts a room
///
/// The room is of a template with `host = "tunnel"`. The key is valid for this room until the room
/// closes or has another key, and replaces that of the template.
#[utoipa::path(
    post,
    path = "/v1/rooms/{room}/host-key",
    operation_id = "make_host_key",
    tag = "rooms",
    security(("token" = ["rooms"])),
    params(
        ("room" = String, Path, description = "Name of the room", example = "default"),
        (
            "once" = Option<bool>,
            Query,
            description = "True for a key of one host, which expires when the host has left and \
                not returned within host_grace. Default: false"
        )
    ),
    responses((status = 201, body = HostKey), Problem)
)]
pub(super) async fn post(
    State(context): State<AdminContext>,
    Path(name): Path<String>,
    Query(HostKeyQuery { once }): Query<HostKeyQuery>,
) -> Result<(StatusCode, Json<HostKey>), Problem> {
    let room = find(&context, &name).await?.id;
    let failed =
        |error: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", error);
    let seed = mp_core::host::os_seed().map_err(|error| failed(error.to_string()))?;
    let mut rng = Rng::from_seed(seed);
    let bits = [rng.next_u64().to_le_bytes(), rng.next_u64().to_le_bytes()].concat();
    let key = BASE64URL_NOPAD.encode(&bits);
    let token = Token::new(&key).map_err(|error| failed(error.to_string()))?;
    if !context.rooms().set_host_key(room, token, once).await? {
        let detail = format!("the template of {name} has not host = \"tunnel\"");
        return Err(Problem::new(StatusCode::CONFLICT, "no_tunnel", detail));
    }
    tracing::info!(room = name, "an operator has made a host key");
    Ok((StatusCode::CREATED, Json(HostKey { key })))
}
