use std::io::Read as _;

use mp_core::host::unix_now;
use mp_identity::{Identity, Subject, TokenIssuer};
use serde_json::{Value, json};

use super::http::Request;
use super::{ALL, AdminServer, PEERS, READ};
use crate::players::RawPlayer;

/// Joins, and waits until the room has admitted the player.
pub(super) fn join(server: &AdminServer) -> RawPlayer {
    let player = RawPlayer::join(server.server.ws);
    let is_listed = || {
        let page = server.ask(READ, "GET", "/v1/rooms/default/peers").json();
        page["peers"].as_array().unwrap().iter().any(|peer| peer["id"] == player.id.get())
    };
    while !is_listed() {}
    player
}

#[test]
fn players_of_a_room_are_listed_by_pages_with_their_traffic() {
    let server = AdminServer::start();
    let players = [(); 3].map(|()| join(&server));
    let mut ids = players.each_ref().map(|player| player.id.get());
    ids.sort_unstable();
    let (mut listed, mut after) = (Vec::new(), Some(0));
    while let Some(last) = after {
        let path = format!("/v1/rooms/default/peers?limit=2&after={last}");
        let page = server.ask(READ, "GET", &path).json();
        for peer in page["peers"].as_array().unwrap() {
            assert!(peer["connection"]["bytes_sent"].is_u64(), "{peer}");
            listed.push(peer["id"].as_i64().unwrap() as i32);
        }
        after = page["next"].as_i64();
    }
    assert_eq!(listed, ids);
}

#[test]
fn addresses_of_players_are_shown_to_tokens_with_the_scope_peers() {
    let server = AdminServer::start();
    let _player = join(&server);
    let peer =
        |token| server.ask(token, "GET", "/v1/rooms/default/peers").json()["peers"][0].take();
    assert_eq!(peer(ALL)["address"], "127.0.0.1");
    assert_eq!(peer(READ)["address"], Value::Null);
    assert_eq!(server.ask(PEERS, "GET", "/v1/rooms/default/peers").status, 403);
}

#[test]
fn kicked_player_is_disconnected_and_the_reason_is_logged() {
    let mut server = AdminServer::start();
    let mut player = join(&server);
    let path = format!("/v1/rooms/default/peers/{}", player.id);
    let kick = Request::new("DELETE", &path).token(PEERS).json(&json!({"reason": "spam\n"}));
    assert_eq!(kick.send(server.address).status, 204);
    let mut rest = Vec::new();
    player.stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.first(), Some(&0x88), "a close frame");
    let line = server.line_with("disconnected a player");
    assert!(line.contains(r#"reason="spam\n""#) && line.contains("room=\"default\""), "{line}");
    let again = server.ask(PEERS, "DELETE", &path).outcome();
    assert_eq!(again, (404, "unknown_peer".to_owned()));
}

#[test]
fn banned_address_is_disconnected_until_the_ban_ends() {
    let server = AdminServer::start();
    let mut player = join(&server);
    let ban = json!({"address": "127.0.0.0/8", "seconds": 3_600});
    let banned = Request::new("POST", "/v1/bans").token(PEERS).json(&ban).send(server.address);
    assert_eq!(banned.json(), json!({"disconnected": 1}));
    player.stream.read_to_end(&mut Vec::new()).unwrap();
    let list = server.ask(PEERS, "GET", "/v1/bans").json();
    assert_eq!(list["bans"][0]["address"], "127.0.0.0/8");
    assert!(list["bans"][0]["ends"].is_u64(), "{list}");

    let unban = |address| server.ask(PEERS, "DELETE", &format!("/v1/bans?address={address}"));
    assert_eq!(unban("127.0.0.1").outcome(), (404, "unknown_ban".to_owned()));
    assert_eq!(unban("none").outcome(), (400, "invalid_address".to_owned()));
    let both = server.ask(PEERS, "DELETE", "/v1/bans?address=::1&sub=kay").outcome();
    assert_eq!(both, (400, "invalid_target".to_owned()));
    assert_eq!(unban("127.0.0.0%2F8").status, 204);
    RawPlayer::join(server.server.ws);
}

#[test]
fn banned_player_is_disconnected_and_refused_until_the_ban_ends() {
    let key = "0123456789abcdef0123456789abcdef";
    let server = AdminServer::configured(&format!(
        "[identity]\nmethod = \"token\"\nsecret = \"{key}\"\n[template.default]\nnotify = true\n"
    ));
    let kay = Identity::new(Subject::new("kay").unwrap()).with_create(true);
    let kay = kay.with_expires(Some(unix_now() + 60));
    let token = TokenIssuer::secret(key.as_bytes()).unwrap().issue(unix_now(), &kay, None).unwrap();
    let join = || RawPlayer::join_with(server.server.ws, &format!("/?token={}", token.as_str()));
    let listed = || server.ask(READ, "GET", "/v1/rooms/default/peers").json()["peers"].clone();
    let mut player = join();
    while listed().as_array().unwrap().is_empty() {}

    let ban = json!({"sub": "kay", "seconds": 3_600});
    let banned = Request::new("POST", "/v1/bans").token(PEERS).json(&ban).send(server.address);
    assert_eq!(banned.json(), json!({"disconnected": 1}));
    let notice = json!({"code": "banned", "text": "you are banned from this server"});
    assert_eq!((player.notice(), player.close_reason()), (notice, "banned".to_owned()));
    assert_eq!(join().close_reason(), "banned");
    for result in ["accepted", "banned"] {
        server.wait_for_metric(&format!("mp_authentications_total{{result=\"{result}\"}}"), 1.0);
    }
    server.wait_for_metric("mp_authentication_duration_seconds_count", 2.0);
    let list = server.ask(PEERS, "GET", "/v1/bans").json();
    assert!(list["bans"][0]["sub"] == "kay" && list["bans"][0]["ends"].is_u64(), "{list}");

    let unban = |sub| server.ask(PEERS, "DELETE", &format!("/v1/bans?sub={sub}"));
    assert_eq!(unban("bob").outcome(), (404, "unknown_ban".to_owned()));
    assert_eq!(unban("").outcome(), (400, "invalid_sub".to_owned()));
    assert_eq!(unban("kay").status, 204);
    let _player = join();
    while listed().as_array().unwrap().is_empty() {}
}
