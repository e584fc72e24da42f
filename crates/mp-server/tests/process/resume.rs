//! Players who resume their session after their connection was lost, by tickets of the server.

use std::time::Duration;

use mp_core::host::SystemClock;
use serde_json::Value;

use crate::matchmaking::MatchServer;
use crate::players::RawPlayer;

const CONFIG: &str = r#"
    [[listen]]
    transport = "enet"
    address = "127.0.0.1:0"
    select = "auth"

    [[listen]]
    transport = "websocket"
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

/// Returns the code with which a player who joins with `path` is rejected.
fn refusal(server: &MatchServer, path: &str) -> String {
    RawPlayer::join_with(server.server.ws, path).close_reason()
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
fn wrong_used_and_expired_tickets_are_refused_with_a_reason() {
    let server = start();
    let (ann, ticket) = join(&server, "/a");
    drop(ann);
    let wrong = format!("mpr_AAAAAAAAAAAAAAAAAAAAAA.{}", ticket.split_once('.').unwrap().1);
    for path in ["/?resume=x".to_owned(), format!("/a?resume={wrong}")] {
        assert_eq!(refusal(&server, &path), "invalid_resume", "{path}");
    }
    let (_ann, _) = join(&server, &format!("/a?resume={ticket}"));
    assert_eq!(refusal(&server, &format!("/a?resume={ticket}")), "invalid_resume");

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
    assert_eq!(refusal(&server, &format!("/?resume={ticket}")), "invalid_resume");
}
