use serde_json::json;

use super::http::Request;
use super::{AdminServer, SERVER};
use crate::players::RawPlayer;

fn drain(server: &AdminServer, seconds: u64) -> (u16, String) {
    let body = json!({"timeout_seconds": seconds});
    Request::new("POST", "/v1/drain").token(SERVER).json(&body).send(server.address).outcome()
}

#[test]
fn drained_server_ends_when_the_last_player_has_left() {
    let mut server = AdminServer::start();
    let player = RawPlayer::join(server.server.ws);
    assert_eq!(drain(&server, 86_401), (400, "invalid_timeout".to_owned()));
    assert_eq!(drain(&server, 600).0, 202);
    server.line_with("waiting for players to leave");
    assert_eq!(drain(&server, 600), (409, "draining".to_owned()));
    assert_eq!(Request::new("GET", "/readyz").send(server.address).body, "draining\n");
    drop(player);
    assert_eq!(server.server.wait().code(), Some(0));
}

#[test]
fn drain_without_a_body_waits_for_the_time_of_the_settings() {
    let mut server = AdminServer::start(); // drain_timeout is 0
    let _player = RawPlayer::join(server.server.ws);
    assert_eq!(server.ask(SERVER, "POST", "/v1/drain").status, 202);
    assert_eq!(server.server.wait().code(), Some(0));
}

#[test]
fn reload_returns_what_it_applies_and_errors_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mp-server.toml");
    std::fs::write(&file, "").unwrap();
    let server = AdminServer::with(|command| {
        command.env("MP_CONFIG", &file);
    });
    let reload = || server.ask(SERVER, "POST", "/v1/reload");
    std::fs::write(&file, "[log]\nfilter = \"warn\"\n[enet]\nshards = 2\n").unwrap();
    let expected = json!({"applied": ["log.filter"], "needs_restart": ["enet.shards"]});
    assert_eq!(reload().json(), expected);
    std::fs::write(&file, "[limits]\nmax_clinets = 1\n").unwrap();
    let refused = reload();
    assert_eq!(refused.outcome(), (409, "invalid_config".to_owned()));
    assert!(refused.body.contains("did you mean"), "{refused:?}");
    let config = server.ask(SERVER, "GET", "/v1/config").body;
    assert!(config.contains(r#"{"path":"log.filter","value":"\"warn\"""#), "{config}");
}

#[test]
fn configuration_is_shown_without_secrets() {
    let server = AdminServer::with(|command| {
        command
            .env("MP_TEMPLATE__DUEL__CODE", "hidden-code")
            .env("MP_TEMPLATE__DUEL__PRIVATE", "1");
    });
    let config = server.ask(SERVER, "GET", "/v1/config");
    for secret in ["hidden-code", SERVER] {
        assert!(!config.body.contains(secret), "{}", config.body);
    }
    let settings = config.json()["settings"].as_array().unwrap().clone();
    let of = |path: &str| settings.iter().find(|it| it["path"] == path).unwrap().clone();
    assert_eq!(of("template.duel.code")["value"], "\"***\"");
    assert_eq!(of("admin.tokens")["value"], "\"***\"");
    assert_eq!(of("admin.tokens")["origin"], "environment MP_ADMIN__TOKENS");
}
