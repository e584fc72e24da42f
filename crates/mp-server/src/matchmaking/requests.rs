//! Requests of players: their paths, queries and bodies.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use mp_identity::{Credentials, Token};
use mp_rooms::{
    Code, Filter, LobbyQuery, MatchRequest, MatchVerb, Metadata, PartyRequest, RoomName, Ticket,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::refusals::Refusal as _;
use crate::http::{Problem, bearer_token};
use crate::rooms::QueuePlace;

/// A request for a seat.
#[derive(Clone, Debug)]
pub(super) enum SeatRequest {
    /// A seat in a room that fits, or in a new one.
    Any(MatchVerb, MatchRequest),
    /// A seat in the room of this name.
    InRoom(RoomName, MatchRequest),
    /// The seat of this ticket again.
    Again(Ticket),
    /// The session of the player in a room of this template.
    Session(RoomName),
}

/// The body of a request for a seat.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeatBody {
    #[serde(default)]
    filter: Metadata,
    code: Option<String>,
    room: Option<String>,
    token: Option<String>,
}

/// The body of a request to enter a queue.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueBody {
    #[serde(default)]
    rank: i32,
    party_size: Option<u16>,
    party: Option<String>,
}

/// Returns the request of the path `/v1/match/{verb}/{template}` with this body.
pub(super) fn seat_request(
    verb: &str,
    template: &str,
    body: &[u8],
) -> Result<SeatRequest, Problem> {
    let any = match verb {
        "join_or_create" => Some(MatchVerb::JoinOrCreate),
        "create" => Some(MatchVerb::Create),
        "join" => Some(MatchVerb::Join),
        "join_by_id" | "reconnect" => None,
        _ => {
            let detail = "use join_or_create, create, join, join_by_id or reconnect";
            return Err(Problem::not_found("unknown_verb", detail));
        }
    };
    let SeatBody { filter, code, room, token } = parse(body)?;
    if room.is_some() != (verb == "join_by_id") {
        return Err(invalid("only join_by_id has a room, the name of the room, and needs it"));
    }
    match token {
        Some(token) if verb == "reconnect" => return Ok(SeatRequest::Again(ticket(&token)?)),
        Some(_) => return Err(invalid("only reconnect has a token, the ticket of a seat")),
        None if verb == "reconnect" => return Ok(SeatRequest::Session(name(template)?)),
        None => {}
    }
    let filter = Filter::new(filter).map_err(|refusal| refusal.problem())?;
    let mut request = MatchRequest::new(name(template)?).filter(filter);
    if let Some(code) = code {
        let code = Code::new(&code).map_err(|e| Problem::bad_request("invalid_code", e))?;
        request = request.code(code);
    }
    Ok(match (any, room) {
        (_, Some(room)) => SeatRequest::InRoom(name(&room)?, request),
        (verb, None) => SeatRequest::Any(verb.unwrap_or(MatchVerb::Join), request),
    })
}

/// Returns the request of the path `/v1/lobby/{template}` with these parameters: `after`, `limit`
/// and `metadata.KEY`.
pub(super) fn lobby_query(
    template: &str,
    parameters: BTreeMap<String, String>,
) -> Result<LobbyQuery, Problem> {
    let mut query = LobbyQuery::new(name(template)?);
    let mut filter = Metadata::new();
    for (key, value) in parameters {
        let number = |value: &str| {
            let detail = format!("{key} takes a number, not {value:?}");
            value.parse::<u64>().map_err(|_| Problem::bad_request("invalid_query", detail))
        };
        match (&*key, key.strip_prefix("metadata.")) {
            ("after", _) => query.after = number(&value)?,
            ("limit", _) => query.limit = usize::try_from(number(&value)?).unwrap_or(usize::MAX),
            (_, Some(text)) => drop(filter.insert(text.to_owned(), value)),
            _ => {
                let detail = format!("unknown {key:?}; use after, limit and metadata.KEY");
                return Err(Problem::bad_request("invalid_query", detail));
            }
        }
    }
    query.filter = Filter::new(filter).map_err(|refusal| refusal.problem())?;
    Ok(query)
}

/// Returns the request to enter a queue. `code` is the secret of a party that it opens.
pub(super) fn queue_place(
    template: &str,
    body: &[u8],
    code: &Ticket,
) -> Result<QueuePlace, Problem> {
    let QueueBody { rank, party_size, party } = parse(body)?;
    let (party, tag) = match (party_size, party) {
        (None, None) => (PartyRequest::Alone, None),
        (Some(size), None) => (PartyRequest::Open { code: code.hash(), size }, Some(code.tag())),
        (None, Some(party)) => {
            let code = ticket(&party)?;
            (PartyRequest::Join { code: code.hash() }, Some(code.tag()))
        }
        _ => return Err(invalid("a request opens a party (party_size) or joins one (party)")),
    };
    Ok(QueuePlace { template: name(template)?, rank, party, tag })
}

/// Returns the ticket in the header `Authorization`.
pub(super) fn bearer_ticket(headers: &HeaderMap) -> Result<Ticket, Problem> {
    let needs = "the request needs the header Authorization: Bearer with the token of the queue";
    match bearer_token(headers)? {
        Some(token) => ticket(token),
        None => Err(Problem::unauthorized("missing_token", needs)),
    }
}

/// Returns the credentials of a player in the header `Authorization`.
pub(super) fn credentials(
    headers: &HeaderMap,
    address: IpAddr,
    room: Option<&RoomName>,
) -> Result<Credentials, Problem> {
    let token = bearer_token(headers)?.map(Token::new).transpose();
    let token = token.map_err(|error| Problem::bad_request("invalid_token", error))?;
    Ok(Credentials { token, address: Some(address), room: room.map(RoomName::to_string) })
}

/// Returns the body of a request, unless it is too large or incomplete.
pub(super) fn body(bytes: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    bytes.map_err(|rejection| {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
            _ => "invalid_body",
        };
        Problem::new(rejection.status(), code, rejection.body_text())
    })
}

/// Returns a name of the path.
pub(super) fn name(text: &str) -> Result<RoomName, Problem> {
    RoomName::new(text).map_err(|error| Problem::bad_request("invalid_name", error))
}

/// Parses a body, which may be empty.
fn parse<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(invalid)
}

fn ticket(text: &str) -> Result<Ticket, Problem> {
    let detail = "a token is mpt_ and 22 letters, digits, hyphens and underscores";
    Ticket::parse(text).ok_or_else(|| Problem::bad_request("invalid_token", detail))
}

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::bad_request("invalid_body", detail)
}

/// Parses any request, and checks that its values are within bounds.
#[cfg(feature = "fuzzing")]
pub(crate) fn check_request(path: &str, query: &str, body: &[u8]) {
    use mp_rooms::limits::{FILTER_BYTES_MAX, FILTER_PAIRS_MAX};

    let check_filter = |filter: &Filter| {
        let texts = filter.texts();
        assert!(texts.len() <= FILTER_PAIRS_MAX);
        assert!(texts.iter().all(|(key, text)| key.len().max(text.len()) <= FILTER_BYTES_MAX));
    };
    let (verb, template) = path.split_once('/').unwrap_or((path, "a"));
    match seat_request(verb, template, body) {
        Ok(SeatRequest::Any(_, request) | SeatRequest::InRoom(_, request)) => {
            check_filter(&request.filter);
        }
        Ok(SeatRequest::Again(ticket)) => {
            let again = Ticket::parse(&ticket.reveal());
            assert_eq!(again.map(|again| again.hash()), Some(ticket.hash()));
        }
        Ok(SeatRequest::Session(_)) | Err(_) => {}
    }
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let parameters = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    if let Ok(query) = lobby_query(template, parameters) {
        check_filter(&query.filter);
    }
    let code = Ticket::random(&mut mp_core::Rng::seed_from_u64(1));
    let _ = queue_place(template, body, &code);
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use axum::response::IntoResponse as _;
    use mp_identity::limits::TOKEN_BYTES_MAX;

    use super::*;

    const TOKEN: &str = "mpt_AAAAAAAAAAAAAAAAAAAAAA";

    /// Returns the status of an error.
    fn status<T: std::fmt::Debug>(result: Result<T, Problem>) -> u16 {
        result.unwrap_err().into_response().status().as_u16()
    }

    #[test]
    fn seat_requests_are_read() {
        let any = seat_request("join_or_create", "arena", b"").unwrap();
        let SeatRequest::Any(MatchVerb::JoinOrCreate, request) = any else { panic!("{any:?}") };
        assert_eq!(request, MatchRequest::new(RoomName::new("arena").unwrap()));
        let body = br#"{"filter":{"mode":"duel"},"code":"1"}"#;
        let SeatRequest::Any(MatchVerb::Create, request) =
            seat_request("create", "arena", body).unwrap()
        else {
            panic!("no room is created");
        };
        assert_eq!(request.filter.texts()["mode"], "duel");
        assert_eq!(request.code, Some(Code::new("1").unwrap()));
        let in_room = seat_request("join_by_id", "arena", br#"{"room":"a"}"#);
        assert!(matches!(in_room, Ok(SeatRequest::InRoom(room, _)) if room.as_str() == "a"));
        let again = format!(r#"{{"token":"{TOKEN}"}}"#);
        let again = seat_request("reconnect", "arena", again.as_bytes());
        assert!(matches!(again, Ok(SeatRequest::Again(ticket)) if ticket.reveal() == TOKEN));
        let session = seat_request("reconnect", "arena", b"{}");
        assert!(matches!(session, Ok(SeatRequest::Session(of)) if of.as_str() == "arena"));
    }

    #[test]
    fn malformed_seat_requests_are_refused() {
        for (verb, template, body, expected) in [
            ("leave", "arena", "", 404),
            ("join", "a b", "", 400),
            ("join", "arena", "{", 400),
            ("join", "arena", "[]", 400),
            ("join", "arena", r#"{"filters":{}}"#, 400),
            ("join", "arena", r#"{"filter":{"a":1}}"#, 400),
            ("join", "arena", r#"{"code":""}"#, 400),
            ("join", "arena", r#"{"room":"a"}"#, 400),
            ("join_by_id", "arena", "", 400),
            ("join_by_id", "arena", r#"{"room":"a/b"}"#, 400),
            ("reconnect", "arena", r#"{"token":"mpt_"}"#, 400),
            ("reconnect", "a b", "", 400),
            ("join", "arena", r#"{"token":"mpt_AAAAAAAAAAAAAAAAAAAAAA"}"#, 400),
        ] {
            let result = seat_request(verb, template, body.as_bytes());
            assert_eq!(status(result), expected, "{verb} {template} {body}");
        }
        let long = format!(r#"{{"filter":{{"a":"{}"}}}}"#, "x".repeat(257));
        assert_eq!(status(seat_request("join", "arena", long.as_bytes())), 400);
    }

    #[test]
    fn lobby_queries_are_read() {
        let query = |pairs: &[(&str, &str)]| {
            let owned = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
            lobby_query("arena", owned.collect())
        };
        let read = query(&[("after", "3"), ("limit", "2"), ("metadata.map", "hill")]).unwrap();
        assert_eq!((read.after, read.limit), (3, 2));
        assert_eq!(read.filter.texts()["map"], "hill");
        for pair in [("after", "x"), ("limit", "-1"), ("map", "hill")] {
            assert_eq!(status(query(&[pair])), 400, "{pair:?}");
        }
    }

    #[test]
    fn places_in_queues_are_read() {
        let code = Ticket::parse(TOKEN).unwrap();
        let place = |body: &str| queue_place("arena", body.as_bytes(), &code);
        assert_eq!(place("").unwrap().party, PartyRequest::Alone);
        let open = place(r#"{"rank":-5,"party_size":2}"#).unwrap();
        let party = PartyRequest::Open { code: code.hash(), size: 2 };
        assert_eq!((open.rank, open.party, open.tag), (-5, party, Some(code.tag())));
        let join = place(&format!(r#"{{"party":"{TOKEN}"}}"#)).unwrap();
        assert_eq!(join.party, PartyRequest::Join { code: code.hash() });
        for body in [r#"{"party":"x"}"#, r#"{"rank":3000000000}"#, r#"{"party_size":-1}"#] {
            assert_eq!(status(place(body)), 400, "{body}");
        }
        let both = format!(r#"{{"party":"{TOKEN}","party_size":2}}"#);
        assert_eq!(status(place(&both)), 400);
    }

    #[test]
    fn ticket_is_read_from_the_header_alone() {
        let of = |value: &str| {
            let value = value.parse().unwrap();
            bearer_ticket(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
        };
        assert_eq!(of(&format!("bearer {TOKEN}")).unwrap().reveal(), TOKEN);
        assert_eq!(status(bearer_ticket(&HeaderMap::new())), 401);
        assert_eq!(status(of(TOKEN)), 401);
        assert_eq!(status(of("Bearer x")), 400);
    }

    #[test]
    fn credentials_are_the_token_of_the_header_the_address_and_the_room() {
        let (address, room) = ([192, 0, 2, 1].into(), RoomName::new("a").unwrap());
        let of = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            credentials(&headers, address, Some(&room))
        };
        let read = of("Bearer a.b.c").unwrap();
        assert_eq!(read.token, Some(Token::new("a.b.c").unwrap()));
        assert_eq!((read.address, read.room.as_deref()), (Some(address), Some("a")));
        let longest = "x".repeat(TOKEN_BYTES_MAX);
        assert!(of(&format!("Bearer {longest}")).unwrap().token.is_some());
        assert_eq!(status(of(&format!("Bearer {longest}x"))), 400);
        let none = credentials(&HeaderMap::new(), address, None).unwrap();
        assert_eq!((none.token, none.room), (None, None));
    }
}
