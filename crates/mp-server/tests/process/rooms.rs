//! Behavior of rooms towards players, and their shutdown.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::host::SystemClock;
use mp_core::{ConnectionStatus, MultiplayerPeer};
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};
use mp_transport_enet::{ClientOptions, DtlsClientOptions, EnetMultiplayerPeer};

use crate::players::{RawPlayer, join, join_by_url, until};
use crate::server::{PATIENCE, Server};

#[test]
fn addresses_are_printed_and_sigterm_stops_the_program() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&[]);
        let line = format!(
            r#"var peer = ENetMultiplayerPeer.new(); peer.create_client("127.0.0.1", {}); multiplayer.multiplayer_peer = peer"#,
            server.enet.port()
        );
        assert!(server.banner.contains(&line), "{}", server.banner);
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn logs_are_json_lines_on_request() {
    let mut server = Server::start(&["--log-format", "json"]);
    server.signal("TERM");
    server.wait();
    let mut logs = String::new();
    server.stderr().read_to_string(&mut logs).unwrap();
    let is_object = |line: &str| line.starts_with('{') && line.ends_with('}');
    assert!(logs.lines().count() >= 2 && logs.lines().all(is_object), "{logs}");
    assert!(logs.contains(r#""cause":"SIGTERM""#), "{logs}");
}

#[test]
fn json_lines_of_a_room_name_it_if_the_filter_includes_debug() {
    let mut server = Server::start(&["--log-format", "json", "--log", "debug"]);
    let mut logs = BufReader::new(server.stderr());
    let _player = RawPlayer::join(server.ws);
    let mut line = String::new();
    // The room's own line, not that of a transport.
    while !line.contains(r#""message":"connected","connection""#) || !line.contains("mp_scene") {
        line.clear();
        assert!(logs.read_line(&mut line).unwrap() > 0, "no line of the room");
    }
    assert!(line.contains(r#""spans":[{"#) && line.contains(r#""room":"default""#), "{line}");
}

#[test]
fn players_meet_and_are_notified_when_the_room_closes() {
    players_meet(Server::start(&[]));
}

#[test]
fn players_on_several_threads_meet() {
    players_meet(Server::start(&["--shards", "4"]));
}

fn players_meet(mut server: Server) {
    let address = server.enet;
    actix::System::new().block_on(async {
        let (sender, mut told) = tokio::sync::mpsc::channel(8);
        let a = join(address, || {
            Branch::builder("/root").setup(|scene| scene.add("Chat", Chat(None))).build()
        })
        .await;
        let b = join(address, move || {
            Branch::builder("/root").setup(|scene| scene.add("Chat", Chat(Some(sender)))).build()
        });
        let b = b.await;
        let a_id = a.with(|scene| scene.unique_id()).await.unwrap();
        let b_id = b.with(|scene| scene.unique_id()).await.unwrap();
        until(|| a.peer(b_id).is_some() && b.peer(a_id).is_some()).await;

        // A call and bytes, both relayed.
        let mut signals = b.signals().await.unwrap();
        let say = move |scene: &mut Scene| {
            let chat = scene.find("Chat").unwrap();
            scene.rpc_id(b_id, chat, "say", ("hello",)).unwrap();
            scene.send_bytes(b"raw", b_id, TransferMode::Reliable, Channel(2)).unwrap();
        };
        a.with(say).await.unwrap();
        assert_eq!(told.recv().await, Some((a_id, "hello".to_owned())));
        let packet = Signal::PeerPacket { from: a_id, data: b"raw"[..].into() };
        assert_eq!(signals.next().await, Some(packet));

        server.signal("TERM");
        assert!(matches!(a.closed().await, EndReason::Disconnected(_)));
        while signals.next().await.expect("a signal") != Signal::ServerDisconnected {}
    });
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn full_room_rejects_the_next_player() {
    let server = Server::start(&["--max-clients", "1"]);
    actix::System::new().block_on(async {
        let build = || Branch::builder("/root").build();
        let _first = join(server.enet, build).await;
        let address = server.enet;
        let second = mp_actor::branch(build).connect(move || {
            EnetMultiplayerPeer::create_async_client(address, ClientOptions::default())
        });
        let second = second.await.err();
        assert!(matches!(second, Some(StartError::ConnectionFailed(_))), "{second:?}");
    });
}

#[test]
fn players_on_different_transports_are_in_one_room() {
    let mut server = Server::start(&[]);
    let ws = format!("ws://{}", server.ws);
    let line = format!(r#"WebSocketMultiplayerPeer.new(); peer.create_client("{ws}");"#);
    assert!(server.banner.contains(&line), "{}", server.banner);
    actix::System::new().block_on(async {
        let by_enet = join(server.enet, || Branch::builder("/root").build()).await;
        let by_ws = join_by_url(&ws, ClientTlsOptions::new()).await.unwrap();
        let [enet_id, ws_id] = [&by_enet, &by_ws].map(|side| {
            let side = side.clone();
            async move { side.with(|scene| scene.unique_id()).await.unwrap() }
        });
        let (enet_id, ws_id) = (enet_id.await, ws_id.await);
        until(|| by_enet.peer(ws_id).is_some() && by_ws.peer(enet_id).is_some()).await;
        let mut signals = by_enet.signals().await.unwrap();
        let say = move |scene: &mut Scene| {
            scene.send_bytes(b"hello", enet_id, TransferMode::Unreliable, Channel(1)).unwrap();
        };
        by_ws.with(say).await.unwrap();
        let packet = Signal::PeerPacket { from: ws_id, data: b"hello"[..].into() };
        assert_eq!(signals.next().await, Some(packet));
        server.signal("TERM");
        assert!(matches!(by_ws.closed().await, EndReason::Disconnected(_)));
        assert!(matches!(by_enet.closed().await, EndReason::Disconnected(_)));
    });
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_limit_of_players_counts_all_transports() {
    let server = Server::start(&["--max-clients", "1"]);
    actix::System::new().block_on(async {
        let first = join(server.enet, || Branch::builder("/root").build()).await;
        let second = join_by_url(&format!("ws://{}", server.ws), ClientTlsOptions::new()).await;
        // Two players may join at the same moment; the room disconnects the later one.
        let ended = match second {
            Err(StartError::ConnectionFailed(_)) => return,
            Err(error) => panic!("{error}"),
            Ok(second) => tokio::select! {
                ended = first.closed() => ended,
                ended = second.closed() => ended,
                () = tokio::time::sleep(PATIENCE) => panic!("both players are in a room for one"),
            },
        };
        assert!(matches!(ended, EndReason::Disconnected(_)), "{ended}");
    });
}

#[test]
fn certificate_is_reloaded_without_disconnecting_players() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["room.crt", "room.key"].map(|name| folder.path().join(name));
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    let made = [(); 2].map(|()| DevelopmentCertificate::new(&["localhost"]).unwrap());
    made[0].write(&files[0], &files[1]).unwrap();
    let server = Server::start(&["--tls-cert", &certificate, "--tls-key", &key]);
    let url = format!("wss://localhost:{}", server.ws.port());
    actix::System::new().block_on(async {
        let trusting = |made: &DevelopmentCertificate| {
            ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap()
        };
        let first = join_by_url(&url, trusting(&made[0])).await.unwrap();
        assert!(
            join_by_url(&url, trusting(&made[1])).await.is_err(),
            "the new certificate is not in use yet"
        );
        for file in &files {
            std::fs::remove_file(file).unwrap();
        }
        made[1].write(&files[0], &files[1]).unwrap();
        let (clock, mut second) = (SystemClock::new(), None);
        let limit = clock.now() + PATIENCE;
        while second.is_none() {
            assert!(clock.now() < limit, "the new certificate is not loaded");
            second = join_by_url(&url, trusting(&made[1])).await.ok();
        }
        let second = second.expect("a second player");
        let id = second.with(|scene| scene.unique_id()).await.unwrap();
        // The first player is still connected and is notified of the second.
        until(|| first.peer(id).is_some()).await;
    });
}

#[test]
fn enet_players_connect_over_dtls() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["room.crt", "room.key"].map(|name| folder.path().join(name));
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
    made.write(&files[0], &files[1]).unwrap();
    let server = Server::start(&["--dtls", "--tls-cert", &certificate, "--tls-key", &key]);
    let address = server.enet;
    let encrypted = move || {
        let tls = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
        let dtls = DtlsClientOptions { hostname: "localhost".into(), tls };
        ClientOptions::default().dtls(dtls)
    };
    actix::System::new().block_on(async {
        let mut players = Vec::new();
        for options in [encrypted(), encrypted()] {
            let make = move || EnetMultiplayerPeer::create_async_client(address, options);
            let room = || Branch::builder("/root").build();
            players.push(mp_actor::branch(room).connect(make).await.expect("a connection"));
        }
        let second = players[1].with(|scene| scene.unique_id()).await.unwrap();
        until(|| players[0].peer(second).is_some()).await;
    });
}

#[test]
fn silent_player_does_not_keep_the_room_open() {
    let mut server = Server::start(&[]);
    let _silent = silent_player(server.enet);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn second_signal_exits_immediately() {
    let mut server = Server::start(&[]);
    // The room waits for this player.
    let _silent = silent_player(server.enet);
    server.signal("TERM");
    let mut logs = BufReader::new(server.stderr());
    let mut line = String::new();
    while !line.contains("closing") {
        line.clear();
        assert!(logs.read_line(&mut line).unwrap() > 0, "the server did not log that it closes");
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(130));
    let mut rest = String::new();
    logs.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("exiting without disconnecting"), "the last line is lost: {rest}");
}

/// A player that is in the room and does nothing more.
fn silent_player(address: SocketAddr) -> EnetMultiplayerPeer {
    let mut player = EnetMultiplayerPeer::create_client(address, ClientOptions::default()).unwrap();
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    while player.connection_status() != ConnectionStatus::Connected {
        assert!(clock.now() < limit, "the player does not connect");
        player.poll(clock.now());
        player.flush(clock.now());
        std::thread::sleep(Duration::from_millis(1));
    }
    player
}

/// A node whose method forwards its arguments to the test.
struct Chat(Option<tokio::sync::mpsc::Sender<(PeerId, String)>>);

impl Node for Chat {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "say",
            RpcConfig::any_peer(),
            |chat: &mut Self, cx, (text,): (String,)| {
                if let Some(sender) = &chat.0 {
                    sender.try_send((cx.remote_sender(), text)).expect("the test listens");
                }
            },
        )
    }
}
