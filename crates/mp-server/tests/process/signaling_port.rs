//! Signaling of WebRTC players on a port of its own.

use std::net::SocketAddr;
use std::process::Stdio;

use mp_actor::prelude::*;
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};

use crate::players::{connect, join_by_url, until};
use crate::server::{Server, answer_to_healthz, command};
use crate::webrtc::{Session, join_by_webrtc};

/// Starts a room without WebSocket, with `args`. Returns it with its port for signaling.
fn start(args: &[&str]) -> (Server, SocketAddr) {
    let ports = ["--enet", "127.0.0.1:0", "--ws", "off", "--webrtc", "127.0.0.1:0"];
    let signaling = ["--webrtc-signaling", "127.0.0.1:0"];
    let mut command = command();
    let server = Server::of(command.args(ports).args(signaling).args(args).stderr(Stdio::piped()));
    let address = signaling_address(&server);
    (server, address)
}

fn signaling_address(server: &Server) -> SocketAddr {
    let address = server.banner.split(" on TCP ").last().and_then(|rest| rest.split(',').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{}", server.banner))
}

#[test]
fn players_join_a_room_without_websocket() {
    let (mut server, signaling) = start(&[]);
    let line = format!(r#"client.join("ws://{signaling}/webrtc")"#);
    assert!(server.banner.contains(&line), "{}", server.banner);
    answer_to_healthz(&mut connect(signaling));
    actix::System::new().block_on(async {
        let players = [join_by_webrtc(signaling).await, join_by_webrtc(signaling).await];
        let first = players[0].with(|scene| scene.unique_id()).await.unwrap();
        until(|| players[1].peer(first).is_some()).await;
        server.signal("TERM");
        for player in &players {
            assert!(matches!(player.closed().await, EndReason::Disconnected(_)));
        }
    });
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn websocket_players_are_rejected_and_idle_sessions_end() {
    let (_server, signaling) = start(&[]);
    actix::System::new().block_on(async {
        let url = format!("ws://{signaling}/play");
        assert!(join_by_url(&url, ClientTlsOptions::new()).await.is_err());
    });
    let mut idle = Session::open(signaling);
    assert_eq!(idle.end(), (4_000, "Have not joined lobby yet".to_owned()));
}

#[test]
fn both_ports_have_one_lobby_and_one_limit() {
    let arguments = ["--webrtc-signaling", "127.0.0.1:0", "--max-clients-per-address", "2"];
    let server = Server::start(&arguments);
    let signaling = signaling_address(&server);
    assert_ne!(server.ws, signaling);
    let mut first = Session::open(server.ws);
    let mut second = Session::open(signaling);
    assert_ne!(first.join(), second.join());
    for port in [server.ws, signaling] {
        let mut third = Session::open(port);
        assert_eq!(third.end(), (4_000, "Server is full".to_owned()));
    }
}

#[test]
fn the_port_for_signaling_is_encrypted_with_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["room.crt", "room.key"].map(|name| folder.path().join(name));
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
    made.write(&files[0], &files[1]).unwrap();
    let (_server, signaling) = start(&["--tls-cert", &certificate, "--tls-key", &key]);
    let tls = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    let mut session = Session::open_over_tls(signaling, &tls);
    session.join();
}
