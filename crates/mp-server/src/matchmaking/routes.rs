//! The routes and their handlers.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::MatchContext;
use super::refusals::{checked, identified};
use super::requests::{
    SeatRequest, bearer_ticket, body, lobby_query, name, queue_place, seat_request,
};
use super::responses::{
    EnteredResponse, LobbyResponse, QueueResponse, Reachable, SeatResponse, SessionResponse,
};
use crate::http::{ClientAddress, Json, Path, Problem, Query};

pub(super) fn routes() -> Router<MatchContext> {
    let queue = get(queue_state).post(enter_queue).delete(leave_queue);
    Router::new()
        .route("/v1/match/{verb}/{template}", post(request_seat))
        .route("/v1/lobby/{template}", get(lobby))
        .route("/v1/queue/{template}", queue)
        .route("/v1/queue/{template}/confirm", post(confirm_group))
}

async fn request_seat(
    State(context): State<MatchContext>,
    Path((verb, template)): Path<(String, String)>,
    client: ClientAddress,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let request = seat_request(&verb, &template, &body(bytes)?)?;
    let addresses = addresses(&context, &headers);
    let rooms = &context.rooms;
    let seat = match request {
        SeatRequest::Again(ticket) => checked(rooms.reconnect(ticket).await)?,
        SeatRequest::Any(verb, request) => {
            let player = context.credentials(&headers, client, None)?;
            identified(rooms.request_seat(player, verb, request, context.new_ticket()).await)?
        }
        SeatRequest::InRoom(room, request) => {
            let player = context.credentials(&headers, client, Some(&room))?;
            let ticket = context.new_ticket();
            identified(rooms.request_seat_in(player, room, request, ticket).await)?
        }
        SeatRequest::Session(_) if context.is_open => {
            let detail =
                "reconnect needs a token, the ticket of a seat: players have no identities";
            return Err(Problem::bad_request("invalid_body", detail));
        }
        SeatRequest::Session(template) => {
            let player = context.credentials(&headers, client, None)?;
            let session = identified(rooms.resume_session(player, template).await)?;
            let response = SessionResponse::new(session, addresses);
            return Ok(Json(response).into_response());
        }
    };
    Ok(Json(SeatResponse::new(seat.offer, &seat.ticket, addresses)).into_response())
}

async fn lobby(
    State(context): State<MatchContext>,
    Path(template): Path<String>,
    Query(parameters): Query<BTreeMap<String, String>>,
) -> Result<Json<LobbyResponse>, Problem> {
    let query = lobby_query(&template, parameters)?;
    checked(context.rooms.lobby(query).await).map(|lobby| Json(LobbyResponse::new(lobby)))
}

async fn enter_queue(
    State(context): State<MatchContext>,
    Path(template): Path<String>,
    client: ClientAddress,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<EnteredResponse>), Problem> {
    let mut code = context.new_ticket();
    if let Some(tag) = context.rooms.queue_tag(&name(&template)?) {
        code = code.with_tag(tag);
    }
    let place = queue_place(&template, &body(bytes)?, &code)?;
    let opens_party = matches!(place.party, mp_rooms::PartyRequest::Open { .. });
    let player = context.credentials(&headers, client, None)?;
    let queued = identified(context.rooms.enter_queue(player, place, context.new_ticket()).await)?;
    let party = opens_party.then_some(&code);
    let entered = EnteredResponse::new(queued, party, addresses(&context, &headers));
    Ok((StatusCode::CREATED, Json(entered)))
}

async fn queue_state(
    State(context): State<MatchContext>,
    Path(template): Path<String>,
    headers: HeaderMap,
) -> Result<Json<QueueResponse>, Problem> {
    let (template, ticket) = (name(&template)?, bearer_ticket(&headers)?);
    let report = checked(context.rooms.queue_state(template, &ticket).await)?;
    Ok(Json(QueueResponse::new(report, &ticket, addresses(&context, &headers))))
}

async fn confirm_group(
    State(context): State<MatchContext>,
    Path(template): Path<String>,
    headers: HeaderMap,
) -> Result<Json<QueueResponse>, Problem> {
    let (template, ticket) = (name(&template)?, bearer_ticket(&headers)?);
    let report = checked(context.rooms.confirm_group(template, &ticket).await)?;
    Ok(Json(QueueResponse::new(report, &ticket, addresses(&context, &headers))))
}

async fn leave_queue(
    State(context): State<MatchContext>,
    Path(template): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let (template, ticket) = (name(&template)?, bearer_ticket(&headers)?);
    match checked(context.rooms.leave_queue(template, &ticket).await)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            Err(Problem::not_found("unknown_ticket", "the ticket has neither a place nor a seat"))
        }
    }
}

/// Returns the addresses of the server by the name that the request used, and other servers.
fn addresses(context: &MatchContext, headers: &HeaderMap) -> Reachable {
    let host = headers.get(header::HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let host = host.as_ref().map_or("localhost", Authority::host);
    let servers = context.cluster.as_ref().map(|cluster| cluster.servers().others());
    let addresses = context.addresses.for_host(host);
    Reachable { addresses, servers: servers.unwrap_or_default() }
}
