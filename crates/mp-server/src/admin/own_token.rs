//! `GET /v1/token`: the token of the request.

use axum::extract::Extension;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::token::{Scope, Token};
use crate::http::{Json, Problem};

/// The token of a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct OwnToken {
    /// Name, as in the log.
    pub(crate) name: String,
    /// Scopes that it has.
    pub(crate) scopes: Vec<Scope>,
}

/// Show the name and the scopes of the token that the request has
#[utoipa::path(
    get,
    path = "/v1/token",
    operation_id = "show_token",
    tag = "server",
    security(("token" = ["read"])),
    responses((status = 200, body = OwnToken), Problem)
)]
pub(super) async fn get(Extension(token): Extension<Token>) -> Json<OwnToken> {
    Json(OwnToken { name: token.name().to_owned(), scopes: token.scopes().to_vec() })
}
