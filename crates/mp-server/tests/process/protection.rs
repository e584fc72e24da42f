//! Bans, and limits that refuse newcomers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};

use mp_actor::StartError;
use mp_actor::prelude::*;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

use crate::players::{RawPlayer, connect, join_by_url};
use crate::server::{FREE_PORTS, Server, ask_healthz, command};

/// Starts a server with settings from the environment.
fn start(settings: &[(&str, &str)]) -> Server {
    let mut command = command();
    command.args(FREE_PORTS).envs(settings.iter().copied());
    Server::of(command.stderr(std::process::Stdio::piped()))
}

/// Returns whether the server refuses a player over ENet.
fn refuses_enet(server: &Server) -> bool {
    let address = server.enet;
    let make = move || EnetMultiplayerPeer::create_async_client(address, ClientOptions::default());
    let build = || Branch::builder("/root").build();
    let joined =
        actix::System::new().block_on(async { mp_actor::branch(build).connect(make).await });
    matches!(joined, Err(StartError::ConnectionFailed(_)))
}

/// Returns whether the server closes a TCP connection without a response.
fn refuses_tcp(server: &Server) -> bool {
    let mut stream = connect(server.ws);
    // The server may have closed it already.
    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut response = String::new();
    let _ = stream.read_to_string(&mut response);
    response.is_empty()
}

#[test]
fn banned_players_are_refused_over_all_transports() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bans");
    fs::write(&path, "mp-server bans 1\n127.0.0.0/8 never\nend 1\n").unwrap();
    let server = start(&[("MP_LIMITS__BAN_FILE", path.to_str().unwrap())]);
    assert!(refuses_enet(&server));
    assert!(refuses_tcp(&server));
}

#[test]
fn damaged_file_of_bans_is_set_aside_with_a_warning_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bans");
    fs::write(&path, "mp-server bans 1\n127.0.0.0/8 nev").unwrap();
    let mut server = start(&[("MP_LIMITS__BAN_FILE", path.to_str().unwrap())]);
    let mut lines = BufReader::new(server.stderr()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("damaged")).unwrap();
    assert!(line.contains("WARN") && line.contains("bans.damaged-1"), "{line}");
    assert!(path.with_extension("damaged-1").exists() && !path.exists());
    RawPlayer::join(server.ws);
}

#[cfg(target_os = "linux")]
#[test]
fn server_above_its_memory_limit_refuses_newcomers_and_is_healthy() {
    let mut server = start(&[("MP_LIMITS__MAX_MEMORY", "1")]);
    let mut lines = BufReader::new(server.stderr()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("shortage")).unwrap();
    assert!(line.contains("Memory"), "{line}");
    assert!(refuses_enet(&server));
    let url = format!("ws://{}", server.ws);
    let joined = actix::System::new().block_on(join_by_url(&url, mp_tls::ClientTlsOptions::new()));
    assert!(matches!(joined, Err(StartError::ConnectionFailed(_))));
    ask_healthz(server.ws);
}

#[test]
fn players_of_one_address_are_limited_over_all_transports() {
    let server = start(&[("MP_LIMITS__MAX_CLIENTS_PER_ADDRESS", "1")]);
    let player = RawPlayer::join(server.ws);
    assert!(refuses_enet(&server));
    drop(player);
}
