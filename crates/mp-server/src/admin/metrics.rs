//! `/metrics`: the statistics of the server as OpenMetrics text.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;

use super::authorize::require;
use super::context::AdminContext;
use super::token::Scope;
use crate::metrics::OPENMETRICS;

/// Returns the route. If other machines reach the port, it needs a token with the scope `read`.
pub(super) fn routes(context: &AdminContext, is_public: bool) -> Router<AdminContext> {
    let routes = OpenApiRouter::new().route("/metrics", get(metrics));
    match is_public {
        true => require(routes, context, Scope::Read).into(),
        false => routes.into(),
    }
}

/// Responds with all statistics. Waits for no other thread.
async fn metrics(State(context): State<AdminContext>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], context.rooms().metrics())
}
