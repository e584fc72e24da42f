//! Matchmaking over HTTP: seats, lists of rooms, queues, and players who join by their tickets.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use mp_actor::prelude::*;
use mp_tls::ClientTlsOptions;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};
use serde_json::{Value, json};

use crate::admin::http::{Request, Response};
use crate::players::{join_by_url, until};
use crate::server::{Server, command};

/// A server with matchmaking.
pub(crate) struct MatchServer {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl MatchServer {
    fn start() -> Self {
        Self::with(&[("MP_MATCH__REQUESTS_PER_SECOND", "0")])
    }

    /// Starts a server with settings from the environment.
    fn with(settings: &[(&str, &str)]) -> Self {
        Self::of(CONFIG, settings)
    }

    /// Starts a server with a configuration, and settings from the environment.
    pub(crate) fn of(config: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mp-server.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = command();
        command.arg("--config").arg(&file).env("MP_MATCH__ADDRESS", "127.0.0.1:0");
        command.envs(settings.iter().copied()).stderr(Stdio::piped());
        let mut server = Server::of(&mut command);
        let mut log = BufReader::new(server.stderr());
        let mut line = String::new();
        while !line.contains("matchmaking address=") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server has no matchmaking");
        }
        std::thread::spawn(move || log.lines().for_each(drop));
        let address = line.split("address=").nth(1).unwrap().trim().parse().unwrap();
        Self { server, address, _folder: folder }
    }

    fn post(&self, path: &str, body: &Value) -> Response {
        Request::new("POST", path).json(body).send(self.address)
    }

    /// Requests a seat that the server has.
    fn seat(&self, verb: &str, template: &str, body: &Value) -> Value {
        let response = self.post(&format!("/v1/match/{verb}/{template}"), body);
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// Returns the status and the code of the refusal of a seat.
    fn refusal(&self, verb: &str, template: &str, body: &Value) -> (u16, String) {
        self.post(&format!("/v1/match/{verb}/{template}"), body).outcome()
    }

    fn lobby(&self, query: &str) -> Value {
        let response = Request::new("GET", &format!("/v1/lobby/{query}")).send(self.address);
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    fn enter(&self, body: &Value) -> Value {
        let response = self.post("/v1/queue/duel", body);
        assert_eq!(response.status, 201, "{response:?}");
        response.json()
    }

    /// Sends a request about a place in the queue.
    fn ask(&self, method: &str, path: &str, token: &str) -> Response {
        Request::new(method, path).token(token).send(self.address)
    }

    /// Waits until a place in the queue has this status.
    fn wait_for(&self, token: &str, status: &str) -> Value {
        loop {
            let response = self.ask("GET", "/v1/queue/duel", token);
            assert_eq!(response.status, 200, "{response:?}");
            if response.json()["status"] == status {
                return response.json();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Joins over WebSocket with a ticket.
    pub(crate) async fn by_url(&self, token: &str) -> Result<BranchRef, StartError> {
        let url = format!("ws://{}/?token={token}", self.server.ws);
        join_by_url(&url, ClientTlsOptions::new()).await
    }

    /// Joins over ENet with a ticket.
    pub(crate) async fn by_auth(&self, token: &str) -> Result<BranchRef, StartError> {
        let address = self.server.enet;
        let make =
            move || EnetMultiplayerPeer::create_async_client(address, ClientOptions::default());
        let data = format!("token={token}").into_bytes();
        let branch = mp_actor::branch(|| Branch::builder("/root").build());
        let branch = branch.on_peer_authenticating(move |request| {
            let data = data.clone();
            async move {
                request.send(&data).await?;
                request.complete().await
            }
        });
        branch.connect(make).await
    }
}

pub(crate) const CONFIG: &str = r#"
    [[listen]]
    transport = "enet"
    address = "127.0.0.1:0"
    select = "auth"

    [[listen]]
    transport = "websocket"
    address = "127.0.0.1:0"
    select = "path"

    [template.arena]
    max_players = 2
    player_metadata = ["mode"]
    metadata = { region = "eu" }

    [template.brief]
    seat_timeout = 1
    max_players = 1

    [template.duel]
    max_players = 2
    queue_players = 2
    queue_rank_window = 100
    queue_confirm_timeout = 60

    [template.invited]
    auto_create = false
"#;

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn players_meet_in_the_room_of_their_tickets_over_websocket_and_enet() {
    let server = MatchServer::start();
    let first = server.seat("join_or_create", "arena", &json!({}));
    let second = server.seat("join_or_create", "arena", &json!({}));
    assert_eq!(first["room"], second["room"]);
    assert_ne!(first["token"], second["token"]);
    let addresses = &first["addresses"];
    assert_eq!(addresses["websocket"], format!("ws://{}/", server.server.ws));
    let enet = json!({ "host": "127.0.0.1", "port": server.server.enet.port(), "dtls": false });
    assert_eq!(addresses["enet"], enet);
    assert!((10..=15).contains(&first["expires_in"].as_u64().unwrap()), "{first}");
    actix::System::new().block_on(async {
        let by_url = server.by_url(text(&first["token"])).await.unwrap();
        let by_auth = server.by_auth(text(&second["token"])).await.unwrap();
        let id = by_auth.with(|scene| scene.unique_id()).await.unwrap();
        until(|| by_url.peer(id).is_some()).await;
        let used = server.by_auth(text(&second["token"])).await;
        assert!(matches!(used, Err(StartError::ConnectionFailed(_))), "{used:?}");
    });
}

#[test]
fn seats_are_occupied_places_until_they_expire() {
    let server = MatchServer::start();
    let seat = server.seat("create", "brief", &json!({}));
    let in_room = json!({ "room": seat["room"] });
    let refused = server.refusal("join_by_id", "brief", &in_room);
    assert_eq!(refused, (409, "room_full".to_owned()));
    let again = loop {
        let response = server.post("/v1/match/join_by_id/brief", &in_room);
        if response.status == 200 {
            break response.json();
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let reconnect = |token: &Value| {
        server.post("/v1/match/reconnect/brief", &json!({ "token": token })).outcome()
    };
    assert_eq!(reconnect(&again["token"]), (200, String::new()));
    assert_eq!(reconnect(&seat["token"]), (410, "not_resumable".to_owned()));
    actix::System::new().block_on(async {
        let expired = server.by_auth(text(&seat["token"])).await;
        assert!(matches!(expired, Err(StartError::ConnectionFailed(_))), "{expired:?}");
    });
}

#[test]
fn refusals_have_a_status_and_a_stable_code() {
    let server = MatchServer::start();
    for (verb, template, body, status, code) in [
        ("join", "arena", json!({}), 404, "no_room"),
        ("join", "none", json!({}), 404, "unknown_template"),
        ("join", "invited", json!({}), 403, "matchmaking_off"),
        ("join_by_id", "arena", json!({ "room": "a" }), 404, "unknown_room"),
        ("create", "arena", json!({ "filter": { "region": "us" } }), 403, "filter_not_allowed"),
        ("create", "arena", json!({ "filters": {} }), 400, "invalid_body"),
        ("leave", "arena", json!({}), 404, "unknown_verb"),
    ] {
        let expected = (status, code.to_owned());
        assert_eq!(server.refusal(verb, template, &body), expected, "{verb} {template}");
    }
    let get = Request::new("GET", "/v1/match/join/arena").send(server.address);
    assert_eq!(get.outcome(), (405, "unknown_method".to_owned()));
}

#[test]
fn lobby_lists_the_rooms_that_fit() {
    let server = MatchServer::start();
    let duel = server.seat("create", "arena", &json!({ "filter": { "mode": "duel" } }));
    let race = server.seat("create", "arena", &json!({ "filter": { "mode": "race" } }));
    server.seat("create", "arena", &json!({ "code": "1234" }));
    let all = server.lobby("arena");
    let names: Vec<_> = all["rooms"].as_array().unwrap().iter().map(|it| &it["room"]).collect();
    assert_eq!(names, [&duel["room"], &race["room"]], "the private room is not listed");
    let listed = json!({
        "room": race["room"],
        "room_id": race["room_id"],
        "players": 0,
        "seats": 1,
        "max_players": 2,
        "metadata": { "mode": "race", "region": "eu" },
    });
    assert_eq!(server.lobby("arena?metadata.mode=race"), json!({ "rooms": [listed] }));
    let page = server.lobby("arena?limit=1");
    assert_eq!(page["next"], duel["room_id"]);
    let next = server.lobby(&format!("arena?limit=1&after={}", page["next"]));
    assert_eq!((&next["rooms"][0]["room"], next.get("next")), (&race["room"], None));
}

#[test]
fn players_of_a_queue_confirm_and_meet() {
    let server = MatchServer::start();
    let opened = server.enter(&json!({ "rank": 10, "party_size": 2 }));
    assert_eq!((&opened["status"], &opened["present"]), (&json!("gathering"), &json!(1)));
    let joined = server.enter(&json!({ "rank": 900, "party": opened["party"] }));
    assert!(joined.get("party").is_none());
    let tokens = [text(&opened["token"]), text(&joined["token"])];
    for token in tokens {
        server.wait_for(token, "confirming");
        let confirmed = server.ask("POST", "/v1/queue/duel/confirm", token);
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
    }
    let [first, second] = tokens.map(|token| server.wait_for(token, "seated"));
    assert_eq!(first["room"], second["room"]);
    assert_eq!(first["token"], opened["token"], "the ticket of the queue is that of the seat");
    actix::System::new().block_on(async {
        let by_url = server.by_url(tokens[0]).await.unwrap();
        let by_auth = server.by_auth(tokens[1]).await.unwrap();
        let id = by_auth.with(|scene| scene.unique_id()).await.unwrap();
        until(|| by_url.peer(id).is_some()).await;
    });
    let gone = server.ask("GET", "/v1/queue/duel", tokens[0]).outcome();
    assert_eq!(gone, (404, "unknown_ticket".to_owned()));
}

#[test]
fn players_leave_a_queue() {
    let server = MatchServer::start();
    let place = server.enter(&json!({}));
    let token = text(&place["token"]);
    let early = server.ask("POST", "/v1/queue/duel/confirm", token).outcome();
    assert_eq!(early, (409, "nothing_to_confirm".to_owned()));
    assert_eq!(server.ask("DELETE", "/v1/queue/duel", token).status, 204);
    assert_eq!(server.wait_for(token, "ended")["code"], "left");
    let again = server.ask("DELETE", "/v1/queue/duel", token).outcome();
    assert_eq!(again, (404, "unknown_ticket".to_owned()));
    let without = Request::new("GET", "/v1/queue/duel").send(server.address).outcome();
    assert_eq!(without, (401, "missing_token".to_owned()));
    let no_queue = server.post("/v1/queue/arena", &json!({})).outcome();
    assert_eq!(no_queue, (404, "no_queue".to_owned()));
}

#[test]
fn requests_of_an_address_are_limited() {
    let server = MatchServer::with(&[("MP_MATCH__REQUESTS_PER_SECOND", "1")]);
    let outcomes: Vec<_> = (0..12)
        .map(|_| Request::new("GET", "/v1/lobby/arena").send(server.address).outcome())
        .collect();
    assert_eq!(outcomes[..10], vec![(200, String::new()); 10]);
    let limited = (429, "too_many_requests".to_owned());
    assert!(outcomes[10..].contains(&limited), "{outcomes:?}");
}

#[test]
fn bodies_are_bounded() {
    let server = MatchServer::start();
    let body = json!({ "code": "x".repeat(17 << 10) });
    let refused = server.refusal("create", "arena", &body);
    assert_eq!(refused, (413, "body_too_large".to_owned()));
}

#[test]
fn pages_of_listed_origins_alone_may_use_matchmaking() {
    let server = MatchServer::with(&[("MP_MATCH__ALLOWED_ORIGINS", "https://game.example")]);
    let from = |origin: &str| {
        Request::new("GET", "/v1/lobby/arena").header("origin", origin).send(server.address)
    };
    let listed = from("https://game.example");
    assert_eq!(listed.status, 200);
    assert_eq!(listed.header("access-control-allow-origin"), Some("https://game.example"));
    let other = from("https://other.example").outcome();
    assert_eq!(other, (403, "origin_not_allowed".to_owned()));
}

#[test]
fn stopping_server_refuses_seats() {
    let mut server = MatchServer::with(&[
        ("MP_SHUTDOWN__DRAIN_TIMEOUT", "60"),
        ("MP_MATCH__REQUESTS_PER_SECOND", "0"),
    ]);
    let seat = server.seat("create", "arena", &json!({}));
    actix::System::new().block_on(async {
        let player = server.by_url(text(&seat["token"])).await.unwrap();
        server.server.signal("TERM");
        let draining = (503, "draining".to_owned());
        while server.refusal("create", "arena", &json!({})) != draining {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drop(player);
    });
    assert_eq!(server.server.wait().code(), Some(0));
}

#[test]
fn rates_are_those_of_clients_behind_a_trusted_proxy() {
    let rate = ("MP_MATCH__REQUESTS_PER_SECOND", "1");
    let ask = |server: &MatchServer, client: &str| {
        let request = Request::new("GET", "/v1/lobby/arena").header("X-Forwarded-For", client);
        request.send(server.address).status
    };
    let proxied = MatchServer::with(&[rate, ("MP_MATCH__TRUSTED_PROXIES", "1")]);
    let clients = || (0..100).map(|number| format!("203.0.113.{number}"));
    assert!(clients().all(|client| ask(&proxied, &client) == 200));
    while ask(&proxied, "203.0.113.1, 203.0.113.200") == 200 {}

    let networks = ("MP_MATCH__PROXY_NETWORKS", "192.0.2.1");
    let elsewhere = MatchServer::with(&[rate, ("MP_MATCH__TRUSTED_PROXIES", "1"), networks]);
    assert!(clients().any(|client| ask(&elsewhere, &client) == 429));
}
