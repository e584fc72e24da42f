//! A room whose code panics.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::{Command, ExitCode, Stdio};

use mp_actor::prelude::*;
use mp_core::DisconnectReason;
use mp_tls::ClientTlsOptions;

use crate::players::{RawPlayer, join, join_by_url, until};
use crate::server::{FREE_PORTS, Server};

/// Environment variable that makes this test run the server.
const IS_SERVER: &str = "MP_TEST_IS_SERVER";
/// WebSocket's close code for an internal error.
const INTERNAL_ERROR: DisconnectReason = DisconnectReason::Remote(1011);

#[test]
fn panicked_room_disconnects_players_and_fails_the_process() {
    if std::env::var_os(IS_SERVER).is_some() {
        serve();
    }
    let mut server = start();
    actix::System::new().block_on(async {
        let room = || Branch::builder("/root").build();
        let by_enet = join(server.enet, room).await;
        let url = format!("ws://{}", server.ws);
        let by_ws = join_by_url(&url, ClientTlsOptions::new()).await.unwrap();
        // The room waits for this player, who does not answer the close frame.
        let silent = RawPlayer::join(server.ws);
        until(|| by_enet.peer(silent.id).is_some()).await;
        send(&by_enet).await;
        assert_eq!(by_enet.closed().await, EndReason::Disconnected(DisconnectReason::Remote(0)));
        assert_eq!(by_ws.closed().await, EndReason::Disconnected(INTERNAL_ERROR));
        let healthz = TcpStream::connect(server.ws);
        assert_eq!(healthz.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
    assert_eq!(server.wait().code(), Some(1));
    let log = std::io::read_to_string(server.stderr()).unwrap();
    let last = log.lines().last().unwrap();
    assert_eq!(last, "mp-server: the room has ended: panicked: a bug of the room");
}

#[test]
fn a_signal_does_not_hide_that_the_room_panicked() {
    let mut server = start();
    // The room waits for this player, who does not answer the close frame.
    let _silent = RawPlayer::join(server.ws);
    actix::System::new().block_on(async {
        let player = join(server.enet, || Branch::builder("/root").build()).await;
        send(&player).await;
        assert!(matches!(player.closed().await, EndReason::Disconnected(_)));
        server.signal("TERM");
    });
    assert_eq!(server.wait().code(), Some(1));
}

/// Starts the program with a room that panics when it receives a packet.
fn start() -> Server {
    let mut this_test = Command::new(std::env::current_exe().unwrap());
    let name = "panic::panicked_room_disconnects_players_and_fails_the_process";
    this_test.args(["--exact", name, "--nocapture"]).env(IS_SERVER, "");
    Server::of(this_test.stderr(Stdio::piped()))
}

/// The server's process.
fn serve() -> ! {
    let args = ["mp-server"].into_iter().chain(FREE_PORTS);
    let buggy = |_: &mp_server::RoomContext| {
        let bug = |_: &mut Scene, _, _: &[u8]| panic!("a bug of the room");
        Branch::builder("/root").on_peer_packet(bug).build()
    };
    let server = mp_server::ServerBuilder::new().room_type("buggy", buggy).default_type("buggy");
    let code = server.run(args);
    // `ExitCode` can only be returned from `main`.
    std::process::exit(if code == ExitCode::FAILURE { 1 } else { 100 });
}

async fn send(player: &BranchRef) {
    let send = |scene: &mut Scene| {
        scene.send_bytes(b"x", PeerId::SERVER, TransferMode::Reliable, Channel(0)).unwrap();
    };
    player.with(send).await.unwrap();
}
