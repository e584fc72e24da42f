//! The routes of the admin API, and their description as OpenAPI.

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::routing::get;
use mp_core::bug;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authorize::require;
use super::context::AdminContext;
use super::token::Scope;
use super::{
    announce, bans, bots, cluster, events, host_key, join, link, moves, nodes, own_token, peers,
    playback, recordings, room_events, rooms, server, setup, status,
};
use crate::ServerEnded;
use crate::http::{Problem, ProblemBody};

/// Operations of an mp-server.
#[derive(OpenApi)]
#[openapi(
    info(title = "mp-server admin API", version = "1", license(name = "MIT OR Apache-2.0")),
    components(schemas(ProblemBody)),
    modifiers(&Bearer)
)]
struct Description;

/// Adds the tokens to the description.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let scheme = scheme.description(Some("A token with the scope that the operation lists"));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// Returns the routes under `/v1`.
pub(super) fn routes(context: &AdminContext) -> Router<AdminContext> {
    let read = OpenApiRouter::new()
        .routes(routes!(status::get))
        .routes(routes!(cluster::get))
        .routes(routes!(rooms::list))
        .routes(routes!(rooms::get))
        .routes(routes!(peers::list))
        .routes(routes!(nodes::get))
        .routes(routes!(events::get))
        .routes(routes!(room_events::get))
        .routes(routes!(recordings::list))
        .routes(routes!(playback::get))
        .routes(routes!(join::get))
        .routes(routes!(own_token::get));
    let of_rooms = OpenApiRouter::new()
        .routes(routes!(rooms::create))
        .routes(routes!(rooms::change, rooms::close))
        .routes(routes!(host_key::post))
        .routes(routes!(recordings::start, recordings::stop))
        .routes(routes!(playback::change))
        .routes(routes!(announce::to_room))
        .routes(routes!(announce::to_all));
    let of_peers = OpenApiRouter::new()
        .routes(routes!(peers::kick))
        .routes(routes!(moves::post))
        .routes(routes!(bots::add, bots::end))
        .routes(routes!(link::get, link::put, link::delete))
        .routes(routes!(bans::list, bans::add, bans::remove));
    let of_server = OpenApiRouter::new()
        .routes(routes!(server::drain))
        .routes(routes!(server::reload))
        .routes(routes!(server::config));
    let (router, openapi) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(setup::post))
        .merge(require(read, context, Scope::Read))
        .merge(require(of_rooms, context, Scope::Rooms))
        .merge(require(of_peers, context, Scope::Peers))
        .merge(require(of_server, context, Scope::Server))
        .split_for_parts();
    // As text it needs a tenth of the memory.
    let openapi = openapi.to_json().unwrap_or_else(|error| {
        bug!("the description of the admin API has no JSON: {error}");
        String::new()
    });
    let openapi = Bytes::from(openapi);
    let describe = move || async move { ([(header::CONTENT_TYPE, "application/json")], openapi) };
    router.route("/v1/openapi.json", get(describe))
}

impl From<ServerEnded> for Problem {
    fn from(ended: ServerEnded) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_ended", ended)
    }
}
