//! Players who resume their session after their connection was lost, by tickets of the server.

use std::time::Duration;

use mp_core::host::SystemClock;
use mp_identity::{Identity, Subject};
use serde_json::{Value, json};

use crate::admin::http::{Request, Response};
use crate::identity::{SECRET, issuer, join_by_auth, kay, token};
use crate::matchmaking::MatchServer;
use crate::players::{RawPlayer, until};
use crate::webrtc::LobbyPlayer;

const CONFIG: &str = r#"
    [[listen]]
    transport = "enet"
    address = "127.0.0.1:0"
    select = "auth"

    [[listen]]
    transport = "websocket"
    address = "127.0.0.1:0"
    select = "path"

    [[listen]]
    transport = "webrtc"
    address = "127.0.0.1:0"
    select = "path"

    [template.default]
    resume = 600

    [template.brief]
    resume = 1
"#;

/// Messages of the server about other players.
const ADD_PEER: [u8; 2] = [7, 1];
const DEL_PEER: [u8; 2] = [7, 2];

fn start() -> MatchServer {
    MatchServer::of(CONFIG, &[])
}

/// Starts a server whose players have tokens that [`SECRET`] signs.
fn start_with_identities() -> MatchServer {
    MatchServer::of(CONFIG, &[("MP_IDENTITY__METHOD", "token"), ("MP_IDENTITY__SECRET", SECRET)])
}

/// Joins, and returns the player and its ticket.
fn join(server: &MatchServer, path: &str) -> (RawPlayer, String) {
    let mut player = RawPlayer::join_with(server.server.ws, path);
    let ticket = ticket_of(&player.notice());
    (player, ticket)
}

fn ticket_of(notice: &Value) -> String {
    assert_eq!(notice["code"], "resume");
    notice["ticket"].as_str().unwrap().to_owned()
}

/// Checks the code with which players with this query are rejected, over each transport.
async fn expect_refusals(server: &MatchServer, query: &str, code: &str) {
    let path = format!("/?{query}");
    let by_websocket = RawPlayer::join_with(server.server.ws, &path).close_reason();
    assert_eq!(by_websocket, code, "WebSocket, {query}");
    let by_enet = join_by_auth(server.server.enet, query).await.map(drop).unwrap_err();
    let by_enet: Value = serde_json::from_str(&by_enet).unwrap();
    assert_eq!(by_enet["code"], code, "ENet, {query}");
    let by_webrtc = LobbyPlayer::join(server.server.ws, &format!("?{query}")).await;
    let notice = by_webrtc.notice().await;
    assert_eq!((&notice["code"], &notice["text"]), (&json!(code), &by_enet["text"]), "{query}");
    if let Ok(branch) = by_webrtc.branch {
        until(|| branch.ended().is_some()).await;
    }
}

#[test]
fn player_resumes_with_its_id_by_a_ticket_and_the_other_notices_nothing() {
    let server = start();
    let (ann, ticket) = join(&server, "/a");
    let (mut bob, _) = join(&server, "/a");
    let id = ann.id;
    assert!(ticket.ends_with(&format!(".{id}")));
    drop(ann);
    bob.ping();
    let (mut again, newer) = join(&server, &format!("/?resume={ticket}"));
    assert_eq!(again.id, id);
    assert_ne!(newer, ticket);
    again.ping();
    bob.ping();
    let about: Vec<_> = bob.messages();
    assert!(about.iter().all(|message| !message.starts_with(&DEL_PEER)), "{about:?}");
    assert!(again.messages().iter().any(|message| message.starts_with(&ADD_PEER)));

    // A valid ticket closes a connection that is still open, with a reason.
    let (newest, _) = join(&server, &format!("/?resume={newer}"));
    assert_eq!(newest.id, id);
    assert_eq!(again.close_reason(), "resumed");
    bob.ping();
    assert!(bob.messages().iter().all(|message| !message.starts_with(&DEL_PEER)));
}

#[test]
fn player_resumes_with_its_id_over_webrtc_also_while_its_connection_is_open() {
    let server = start();
    let (mut bob, _) = join(&server, "/a");
    actix::System::new().block_on(async {
        let ann = LobbyPlayer::join(server.server.ws, "a").await;
        let ticket = ticket_of(&ann.notice().await);
        let again = LobbyPlayer::join(server.server.ws, &format!("?resume={ticket}")).await;
        assert_eq!(again.id, ann.id);
        let (before, now) = (ann.branch.unwrap(), again.branch.as_ref().unwrap());
        until(|| before.ended().is_some()).await;
        until(|| now.peer(bob.id).is_some()).await;

        // The player goes on over another transport, and returns to WebRTC.
        let ticket = ticket_of(&again.notice().await);
        let path = format!("/?resume={ticket}");
        let mut by_websocket = RawPlayer::join_with(server.server.ws, &path);
        assert_eq!(by_websocket.id, ann.id);
        let ticket = ticket_of(&by_websocket.notice());
        drop(by_websocket);
        let back = LobbyPlayer::join(server.server.ws, &format!("?resume={ticket}")).await;
        assert_eq!(back.id, ann.id);
        ticket_of(&back.notice().await);
    });
    bob.ping();
    let about = bob.messages();
    let added = about.iter().filter(|message| message.starts_with(&ADD_PEER)).count();
    assert!(about.iter().all(|message| !message.starts_with(&DEL_PEER)), "{about:?}");
    assert_eq!(added, 1, "the player joins once: {about:?}");
}

#[test]
fn wrong_and_used_tickets_are_refused_with_a_reason_over_all_transports() {
    let server = start();
    let (ann, ticket) = join(&server, "/a");
    drop(ann);
    let wrong = format!("mpr_AAAAAAAAAAAAAAAAAAAAAA.{}", ticket.split_once('.').unwrap().1);
    actix::System::new().block_on(async {
        for ticket in ["x", &wrong] {
            expect_refusals(&server, &format!("resume={ticket}"), "invalid_resume").await;
        }
        let (_ann, _) = join(&server, &format!("/a?resume={ticket}"));
        expect_refusals(&server, &format!("resume={ticket}"), "invalid_resume").await;
    });
}

#[test]
fn expired_ticket_is_refused_with_a_reason_over_all_transports() {
    let server = start();
    let (brief, ticket) = join(&server, "/brief/b");
    let (mut other, _) = join(&server, "/brief/b");
    let id = brief.id;
    drop(brief);
    // The other player is notified when the time is over.
    let clock = SystemClock::new();
    let limit = clock.now() + Duration::from_secs(60);
    let gone = [&DEL_PEER[..], &id.get().to_le_bytes()].concat();
    while !other.messages().contains(&gone) {
        assert!(clock.now() < limit, "the player stays");
        other.ping();
    }
    let query = format!("resume={ticket}");
    actix::System::new().block_on(expect_refusals(&server, &query, "invalid_resume"));
}

/// Returns the query with the token of a player.
fn token_of(identity: Identity) -> String {
    token(&issuer(), identity, 600)
}

fn bob() -> Identity {
    Identity::new(Subject::new("bob").unwrap()).with_create(true)
}

#[test]
fn stolen_ticket_is_refused_over_all_transports_and_stays_valid_for_its_owner() {
    let server = start_with_identities();
    let (mut owner, ticket) = join(&server, &format!("/a?{}", token_of(kay())));
    let stolen = format!("{}&resume={ticket}", token_of(bob()));
    actix::System::new().block_on(async {
        expect_refusals(&server, &stolen, "wrong_player").await;
        owner.ping();
        let own = format!("?{}&resume={ticket}", token_of(kay()));
        let again = LobbyPlayer::join(server.server.ws, &own).await;
        assert_eq!(again.id, owner.id);
        ticket_of(&again.notice().await);
    });
    assert_eq!(owner.close_reason(), "resumed");
}

/// Requests the session of a player in a room of a template.
fn reconnect(server: &MatchServer, template: &str, identity: Identity) -> Response {
    let token = token_of(identity);
    let token = token.strip_prefix("token=").unwrap();
    let path = format!("/v1/match/reconnect/{template}");
    Request::new("POST", &path).token(token).send(server.address)
}

#[test]
fn identified_player_receives_the_address_and_a_new_ticket_of_the_room_that_keeps_it() {
    let server = start_with_identities();
    let (player, lost) = join(&server, &format!("/a?{}", token_of(kay())));
    let id = player.id;
    drop(player);
    let outcome = |template, identity| reconnect(&server, template, identity).outcome();
    assert_eq!(outcome("default", bob()), (410, "not_resumable".to_owned()));
    assert_eq!(outcome("brief", kay()), (410, "not_resumable".to_owned()));
    let response = reconnect(&server, "default", kay());
    assert_eq!(response.status, 200, "{response:?}");
    let session = response.json();
    assert_eq!((&session["room"], &session["template"]), (&json!("a"), &json!("default")));
    assert_eq!(session["addresses"]["websocket"], format!("ws://{}/", server.server.ws));
    assert!(session["expires_in"].as_u64().is_some_and(|time| time <= 600), "{session}");
    let ticket = session["resume"].as_str().unwrap();
    let by = |ticket: &str| format!("/?{}&resume={ticket}", token_of(kay()));
    let refused = RawPlayer::join_with(server.server.ws, &by(&lost)).close_reason();
    assert_eq!(refused, "invalid_resume", "the earlier ticket was replaced");
    let (again, _) = join(&server, &by(ticket));
    assert_eq!(again.id, id);

    // Over ENet the player has another id.
    let session = reconnect(&server, "default", kay()).json();
    let query = format!("{}&resume={}", token_of(kay()), session["resume"].as_str().unwrap());
    actix::System::new().block_on(async {
        let by_enet = join_by_auth(server.server.enet, &query).await.unwrap();
        assert_ne!(by_enet.with(|scene| scene.unique_id()).await.unwrap(), id);
    });
}

#[test]
fn reconnect_without_a_ticket_needs_an_identity() {
    let server = start();
    let request = |body: &Value| {
        let request = Request::new("POST", "/v1/match/reconnect/default").json(body);
        request.send(server.address).outcome()
    };
    assert_eq!(request(&json!({})), (400, "invalid_body".to_owned()));
    let server = start_with_identities();
    let request = Request::new("POST", "/v1/match/reconnect/default").json(&json!({}));
    assert_eq!(request.send(server.address).outcome(), (401, "missing_token".to_owned()));
}
