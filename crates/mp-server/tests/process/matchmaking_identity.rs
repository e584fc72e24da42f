//! Matchmaking of players who authenticate: their requests have the credentials of the game.

use std::time::Duration;

use mp_actor::prelude::*;
use mp_identity::{Attributes, Identity, Subject, TokenIssuer};
use serde_json::{Value, json};

use crate::admin::http::{Request, Response};
use crate::identity::{SECRET, issuer, join_by_auth, kay, service, token};
use crate::matchmaking::{CONFIG, MatchServer, text};
use crate::players::{RawPlayer, until};
use crate::webrtc::join_room_by_webrtc;

/// Starts a server whose players have tokens that [`SECRET`] signs, with further settings.
fn with_tokens(more: &[(&str, &str)]) -> MatchServer {
    with_tokens_and_config(CONFIG, more)
}

fn with_tokens_and_config(config: &str, more: &[(&str, &str)]) -> MatchServer {
    let own = [
        ("MP_MATCH__REQUESTS_PER_SECOND", "0"),
        ("MP_IDENTITY__METHOD", "token"),
        ("MP_IDENTITY__SECRET", SECRET),
    ];
    MatchServer::of(config, &[&own, more].concat())
}

/// Starts a server whose players are decided about by the service at this address.
fn with_call_out(address: &str) -> MatchServer {
    let url = format!("http://{address}/");
    MatchServer::of(CONFIG, &[("MP_IDENTITY__METHOD", "call-out"), ("MP_IDENTITY__URL", &url)])
}

/// Returns a token of an identity that expires after a minute.
fn jwt(identity: Identity) -> String {
    token_by(&issuer(), identity, 60)
}

fn token_by(issuer: &TokenIssuer, identity: Identity, seconds: i64) -> String {
    token(issuer, identity, seconds).strip_prefix("token=").unwrap().to_owned()
}

fn player(subject: &str) -> Identity {
    Identity::new(Subject::new(subject).unwrap()).with_create(true)
}

/// Requests a seat with a token.
fn request(server: &MatchServer, path: &str, jwt: &str, body: &Value) -> Response {
    Request::new("POST", path).token(jwt).json(body).send(server.address)
}

/// Requests a seat in the template `arena` that the server has.
fn seat(server: &MatchServer, jwt: &str) -> Value {
    let response = request(server, "/v1/match/join_or_create/arena", jwt, &json!({}));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

#[test]
fn player_takes_its_seat_as_itself_and_without_its_token() {
    let server = with_tokens(&[]);
    let seat = seat(&server, &jwt(kay()));
    let path = format!("/?token={}", text(&seat["token"]));
    let mut by_ticket = RawPlayer::join_with(server.server.ws, &path);
    actix::System::new().block_on(async {
        let used = server.by_auth(text(&seat["token"])).await;
        assert!(used.is_err(), "a ticket is valid once");
        // The same player connects again: it is known by its subject.
        let data = format!("room=other&{}", token(&issuer(), kay(), 60));
        let _again = join_by_auth(server.server.enet, &data).await.unwrap();
        assert_eq!(by_ticket.close_reason(), "replaced");
    });
}

#[test]
fn ticket_admits_over_enet_and_replaces_the_connection_of_its_player() {
    let server = with_tokens(&[]);
    let query = token(&issuer(), kay(), 60);
    let mut lobby = RawPlayer::join_with(server.server.ws, &format!("/lobby?{query}"));
    let seat = seat(&server, &jwt(kay()));
    actix::System::new().block_on(async {
        let _player = server.by_auth(text(&seat["token"])).await.unwrap();
    });
    assert_eq!(lobby.close_reason(), "replaced");
}

#[test]
fn ticket_in_the_name_of_a_lobby_admits_over_webrtc() {
    let webrtc =
        "[[listen]]\ntransport = \"webrtc\"\naddress = \"127.0.0.1:0\"\nselect = \"path\"\n";
    let server = with_tokens_and_config(&format!("{CONFIG}\n{webrtc}"), &[]);
    let seat = seat(&server, &jwt(kay()));
    let ws = server.server.ws;
    assert_eq!(seat["addresses"]["webrtc"], format!("ws://{ws}/webrtc"));
    let lobby = format!("?token={}", text(&seat["token"]));
    actix::System::new().block_on(async {
        let by_ticket = join_room_by_webrtc(ws, &lobby).await.unwrap();
        assert_eq!(by_ticket.peers().await.unwrap(), [PeerId::SERVER]);
        // The same player connects again: it is known by its subject.
        let data = format!("room=other&{}", token(&issuer(), kay(), 60));
        let _again = join_by_auth(server.server.enet, &data).await.unwrap();
        until(|| by_ticket.ended().is_some()).await;
    });
}

#[test]
fn requests_without_valid_credentials_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bans = folder.path().join("bans");
    std::fs::write(&bans, "mp-server bans 2\nplayer never bob\nend 1\n").unwrap();
    let server = with_tokens(&[("MP_LIMITS__BAN_FILE", bans.to_str().unwrap())]);
    let valid = jwt(kay());
    let bearer = |token: &str| format!("Bearer {token}");
    for (value, status, code) in [
        (bearer(&valid), 200, ""),
        (format!("bEARER  {valid}"), 200, ""),
        (String::new(), 401, "missing_token"),
        ("Bearer".to_owned(), 401, "missing_token"),
        ("Bearer  ".to_owned(), 401, "missing_token"),
        (format!("Basic {valid}"), 401, "missing_token"),
        (valid.clone(), 401, "missing_token"),
        (bearer("a.b.c"), 401, "malformed_token"),
        (bearer("mpt_AAAAAAAAAAAAAAAAAAAAAA"), 401, "malformed_token"),
        (bearer(&token_by(&issuer(), kay(), -60)), 401, "expired"),
        (bearer(&token_by(&issuer().audience("other"), kay(), 60)), 401, "wrong_audience"),
        (bearer(&jwt(player("bob"))), 403, "banned"),
        (bearer(&"x".repeat(4 * 1024 + 1)), 400, "invalid_token"),
    ] {
        for path in ["/v1/match/join_or_create/arena", "/v1/queue/duel"] {
            let response =
                Request::new("POST", path).header("authorization", &value).send(server.address);
            let status = if path.contains("queue") && status == 200 { 201 } else { status };
            assert_eq!(response.outcome(), (status, code.to_owned()), "{value} {path}");
            let asks = response.header("www-authenticate").map(str::to_owned);
            assert_eq!(asks, (status == 401).then(|| "Bearer".to_owned()));
        }
    }
    let path = format!("/v1/match/join_or_create/arena?token={valid}");
    let in_url = Request::new("POST", &path).send(server.address).outcome();
    assert_eq!(in_url, (401, "missing_token".to_owned()), "URLs are logged");
    let twice = Request::new("POST", "/v1/match/join_or_create/arena").token(&valid).token(&valid);
    assert_eq!(twice.send(server.address).outcome(), (400, "repeated_header".to_owned()));
    // The list of rooms is public.
    let lobby = Request::new("GET", "/v1/lobby/arena").send(server.address);
    assert_eq!(lobby.status, 200);
}

#[test]
fn claims_restrict_rooms_and_their_creation() {
    let server = with_tokens(&[("MP_LIMITS__MAX_ROOMS_PER_OWNER", "1")]);
    let no_right = jwt(kay().with_create(false));
    let create = |jwt: &str| request(&server, "/v1/match/create/arena", jwt, &json!({}));
    assert_eq!(create(&no_right).outcome(), (403, "may_not_create".to_owned()));

    let of_cave = jwt(kay().with_room("cave").unwrap().with_max_players(Some(1)));
    let cave = seat(&server, &of_cave);
    assert_eq!(cave["room"], "cave");
    assert_eq!(create(&jwt(kay())).outcome(), (409, "too_many_rooms_of_player".to_owned()));
    let other = seat(&server, &jwt(player("ann")));
    assert_ne!(other["room"], "cave", "it has one place");
    let by_id = json!({ "room": other["room"] });
    let refused = request(&server, "/v1/match/join_by_id/arena", &of_cave, &by_id).outcome();
    assert_eq!(refused, (403, "wrong_room".to_owned()));
    let queued = request(&server, "/v1/queue/duel", &of_cave, &json!({})).outcome();
    assert_eq!(queued, (403, "wrong_room".to_owned()));
}

#[test]
fn player_has_one_seat_as_the_setting_says() {
    let server = with_tokens(&[]);
    let first = seat(&server, &jwt(kay()));
    let second = seat(&server, &jwt(kay()));
    assert_eq!(first["room"], second["room"]);
    let reconnect = |seat: &Value| {
        let body = json!({ "token": seat["token"] });
        request(&server, "/v1/match/reconnect/arena", "unused", &body).outcome()
    };
    assert_eq!(reconnect(&first), (410, "not_resumable".to_owned()));
    assert_eq!(reconnect(&second), (200, String::new()));

    let server = with_tokens(&[("MP_IDENTITY__SAME_PLAYER", "reject")]);
    seat(&server, &jwt(kay()));
    let second = request(&server, "/v1/match/join_or_create/arena", &jwt(kay()), &json!({}));
    assert_eq!(second.outcome(), (409, "already_matching".to_owned()));
}

#[test]
fn service_decides_about_requests() {
    let (address, requests) = service("200 OK", r#"{"sub": "kay", "mp": {"create": true}}"#);
    let server = with_call_out(&address.to_string());
    seat(&server, "session");
    let asked: Value = serde_json::from_str(&requests.try_recv().unwrap()).unwrap();
    assert_eq!(asked, json!({ "token": "session", "address": "127.0.0.1" }));
    let body = json!({ "room": "cave" });
    let unknown = request(&server, "/v1/match/join_by_id/arena", "session", &body).outcome();
    assert_eq!(unknown, (404, "unknown_room".to_owned()));
    let asked: Value = serde_json::from_str(&requests.try_recv().unwrap()).unwrap();
    assert_eq!(asked["room"], "cave");

    let (address, _requests) =
        service("403 Forbidden", r#"{"code": "too_young", "text": "Sorry"}"#);
    let server = with_call_out(&address.to_string());
    let refused = request(&server, "/v1/match/create/arena", "session", &json!({}));
    assert_eq!(refused.outcome(), (403, "too_young".to_owned()));
    assert_eq!(refused.json()["detail"], "Sorry");
}

#[test]
fn requests_have_a_code_if_credentials_cannot_be_checked() {
    let server = with_call_out("127.0.0.1:1");
    let refused = request(&server, "/v1/match/create/arena", "session", &json!({})).outcome();
    assert_eq!(refused, (503, "call_out_unavailable".to_owned()));

    let settings =
        [("MP_IDENTITY__METHOD", "token"), ("MP_IDENTITY__JWKS", "http://127.0.0.1:1/keys")];
    let server = MatchServer::of(CONFIG, &settings);
    let refused = request(&server, "/v1/match/create/arena", &jwt(kay()), &json!({})).outcome();
    assert_eq!(refused, (503, "keys_unavailable".to_owned()));
}

#[test]
fn guesses_of_an_address_are_limited_in_requests_and_joins_together() {
    let server = MatchServer::of(
        CONFIG,
        &[
            ("MP_IDENTITY__METHOD", "secret"),
            ("MP_IDENTITY__SECRET", "sesame"),
            ("MP_IDENTITY__FAILURES_PER_MINUTE", "1"),
        ],
    );
    let ask = |secret| request(&server, "/v1/match/create/arena", secret, &json!({}));
    assert_eq!(ask("sesame").status, 200);
    assert_eq!(ask("guess").outcome(), (401, "wrong_secret".to_owned()));
    let limited = ask("sesame");
    assert_eq!(limited.outcome(), (429, "too_many_attempts".to_owned()));
    assert!(limited.header("retry-after").is_some(), "{limited:?}");
    actix::System::new().block_on(async {
        let said = join_by_auth(server.server.enet, "room=a&token=sesame").await.unwrap_err();
        assert!(said.contains("too_many_attempts"), "{said}");
    });
}

#[test]
fn ranks_of_a_queue_are_those_of_the_tokens() {
    let config =
        CONFIG.replace("queue_rank_window", "queue_rank_attribute = \"elo\"\nqueue_rank_window");
    let server = with_tokens_and_config(&config, &[("MP_IDENTITY__SAME_PLAYER", "replace")]);
    let ranked = |subject: &str, elo: i32| {
        let attributes = [("elo".to_owned(), elo.into())].into_iter().collect();
        jwt(player(subject).with_attributes(Attributes::new(attributes).unwrap()))
    };
    // All claim the same rank.
    let enter = |jwt: &str| request(&server, "/v1/queue/duel", jwt, &json!({ "rank": 1 }));
    assert_eq!(enter(&jwt(kay())).outcome(), (403, "no_rank".to_owned()));
    let [ann, bob, kay] = [("ann", 1_000), ("bob", 2_000), ("kay", 1_050)]
        .map(|(subject, elo)| enter(&ranked(subject, elo)).json());
    let state = |place: &Value| {
        let queue = Request::new("GET", "/v1/queue/duel").token(text(&place["token"]));
        queue.send(server.address).json()["status"].clone()
    };
    while state(&ann) != "confirming" {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!([state(&kay), state(&bob)], ["confirming", "waiting"]);

    let again = enter(&ranked("bob", 2_000)).json();
    assert_eq!([state(&bob), state(&again)], ["ended", "waiting"]);
}

#[test]
fn open_server_reads_no_credentials() {
    let server = MatchServer::of(CONFIG, &[]);
    for value in ["Basic a:b", "Bearer anything"] {
        let create = Request::new("POST", "/v1/match/create/arena");
        let response = create.header("authorization", value).header("authorization", value);
        assert_eq!(response.send(server.address).status, 200, "{value}");
    }
}

#[test]
fn pages_of_listed_origins_may_send_their_token() {
    let server = with_tokens(&[("MP_MATCH__ALLOWED_ORIGINS", "https://game.example")]);
    let origin = |request: Request| request.header("origin", "https://game.example");
    let preflight = origin(Request::new("OPTIONS", "/v1/match/create/arena"))
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization")
        .send(server.address);
    assert_eq!(preflight.status, 204);
    let allowed = preflight.header("access-control-allow-headers").unwrap();
    assert!(allowed.split(", ").any(|name| name == "authorization"), "{allowed}");
    let create = origin(Request::new("POST", "/v1/match/create/arena").token(&jwt(kay())));
    let created = create.send(server.address);
    assert_eq!(created.status, 200);
    assert_eq!(created.header("access-control-allow-origin"), Some("https://game.example"));
}
