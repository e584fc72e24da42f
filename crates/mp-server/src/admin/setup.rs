//! `POST /v1/setup`: makes the first token, with the code of the link that the server prints.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::context::AdminContext;
use super::tokens::SetupError;
use crate::http::{ClientAddress, Json, Problem};

/// A request for the first token.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct SetupRequest {
    /// The part of the link after `#`.
    pub(crate) code: String,
    /// Name of the token in logs: letters, digits, hyphens, underscores and dots. Default: `admin`.
    #[serde(default = "default_name")]
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub(crate) name: String,
}

/// The first token. It is shown once.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct SetupResponse {
    /// The token.
    pub(crate) token: String,
}

fn default_name() -> String {
    "admin".to_owned()
}

/// Make the first token with the code of the link that the server prints
#[utoipa::path(
    post,
    path = "/v1/setup",
    operation_id = "set_up",
    tag = "server",
    request_body = SetupRequest,
    responses((status = 200, body = SetupResponse), Problem)
)]
pub(super) async fn post(
    State(context): State<AdminContext>,
    ClientAddress(client): ClientAddress,
    Json(request): Json<SetupRequest>,
) -> Result<Json<SetupResponse>, Problem> {
    let (now, limiter) = (context.now(), context.wrong_tokens());
    limiter.check(now, client.ip()).map_err(Problem::too_many_requests)?;
    match context.tokens().finish_setup(now, &request.code, &request.name) {
        Ok(token) => {
            tracing::info!(token = request.name, %client, "the first token of the admin API was made");
            Ok(Json(SetupResponse { token }))
        }
        Err(SetupError::WrongCode) => {
            limiter.charge(now, client.ip());
            let detail = "the link is wrong, was used, or is older than ten minutes; restart the server for another one";
            Err(Problem::new(StatusCode::FORBIDDEN, "wrong_code", detail))
        }
        Err(SetupError::InvalidName) => {
            let detail = "a name has 1 to 64 letters, digits, hyphens, underscores and dots";
            Err(Problem::bad_request("invalid_name", detail))
        }
        Err(SetupError::NotSaved(error)) => {
            tracing::error!(%error, "cannot write the file of tokens");
            let detail = "the server cannot write its file of tokens; see its log";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not_saved", detail))
        }
    }
}
