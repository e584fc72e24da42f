//! Servers with several rooms: selection, isolation, refusals, failures of one room, and drain.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::DisconnectReason;
use mp_server::{RoomContext, RoomsHandle, ServerBuilder};
use mp_tls::ClientTlsOptions;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

use crate::players::{join, join_by_url, until};
use crate::server::Server;
use crate::webrtc::join_room_by_webrtc;

/// Environment variable with the path of the configuration, which makes this test run the server.
const CONFIG: &str = "MP_TEST_CONFIG";
/// Time for which a packet to the server occupies the thread of a busy room: less than a turn that
/// aborts debug builds.
const BUSY_TIME: Duration = Duration::from_secs(8);

/// Time of a turn of a slow room.
const SLOW_TURN: Duration = Duration::from_secs(1);

/// A server with several rooms, and the address at which ENet clients join the room `lobby`.
pub(crate) struct Rooms {
    pub(crate) server: Server,
    pub(crate) lobby: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Rooms {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts the server with settings from the environment.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let lobby = unused_address();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mp-server.toml");
        std::fs::write(&file, config(lobby)).unwrap();
        let mut this_test = Command::new(std::env::current_exe().unwrap());
        let name = "several_rooms::players_meet_only_in_the_room_that_they_select";
        this_test.args(["--exact", name, "--nocapture"]).env(CONFIG, file);
        this_test.envs(settings.iter().copied()).stdin(Stdio::piped());
        let server = Server::of(this_test.stderr(Stdio::piped()));
        Self { server, lobby, _folder: folder }
    }

    /// Joins over WebSocket with a path and query.
    pub(crate) async fn by_url(&self, path: &str) -> Result<BranchRef, StartError> {
        join_by_url(&format!("ws://{}{path}", self.server.ws), ClientTlsOptions::new()).await
    }

    /// Joins over WebSocket at the port that selects by the query.
    async fn by_query(&self, query: &str) -> Result<BranchRef, StartError> {
        // TCP and UDP ports are separate.
        join_by_url(&format!("ws://{}/{query}", self.lobby), ClientTlsOptions::new()).await
    }

    /// Joins over ENet with an authentication packet.
    async fn by_auth(&self, data: &'static [u8]) -> Result<BranchRef, StartError> {
        let address = self.server.enet;
        let make =
            move || EnetMultiplayerPeer::create_async_client(address, ClientOptions::default());
        let branch = mp_actor::branch(|| Branch::builder("/root").build());
        let branch = branch.on_peer_authenticating(move |request| async move {
            request.send(data).await?;
            request.complete().await
        });
        branch.connect(make).await
    }
}

fn config(lobby: SocketAddr) -> String {
    format!(
        r#"
        [[listen]]
        transport = "enet"
        address = "127.0.0.1:0"
        select = "auth"

        [[listen]]
        transport = "enet"
        address = "{lobby}"
        room = "lobby"

        [[listen]]
        transport = "websocket"
        address = "127.0.0.1:0"
        select = "path"

        [[listen]]
        transport = "websocket"
        address = "{lobby}"
        select = "query"

        [[listen]]
        transport = "webrtc"
        address = "127.0.0.1:0"
        select = "path"

        [template.default]
        max_players = 2

        [template.locked]
        locked = true

        [template.private]
        private = true
        code = "1234"

        [template.fixed]
        auto_create = false

        [template.panicking]
        type = "panicking"

        [template.busy]
        type = "busy"

        [template.guarded]
        type = "guarded"

        [template.slow]
        type = "slow"

        [[room]]
        name = "lobby"
        max_players = 100

        [log]
        filter = "debug"
        "#
    )
}

/// Returns an address of this machine that no other test uses: on Linux all of 127.0.0.0/8 belong
/// to it.
fn unused_address() -> SocketAddr {
    static TESTS: AtomicU8 = AtomicU8::new(1);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    let ip = Ipv4Addr::new(127, 1 + (a ^ b) % 250, c, test);
    SocketAddr::from((ip, 7_777))
}

/// The server's process.
fn serve(config: &str) -> ! {
    let server = ServerBuilder::new()
        .room_type("panicking", panicking)
        .room_type("busy", busy)
        .room_type("guarded", guarded)
        .room_type("slow", slow)
        .threads(2)
        .on_start(|rooms| drop(actix::spawn(obey(rooms))));
    let code = server.run(["mp-server", "--config", config]);
    // `ExitCode` can only be returned from `main`.
    std::process::exit(if code == std::process::ExitCode::SUCCESS { 0 } else { 100 });
}

/// Bans the addresses and networks on standard input, and logs how many players were disconnected.
async fn obey(rooms: RoomsHandle) {
    let (sender, mut lines) = tokio::sync::mpsc::channel(1);
    // Detached, because the process does not end while a thread of the runtime reads.
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|it| sender.blocking_send(it))
    });
    while let Some(line) = lines.recv().await {
        let banned = rooms.ban(line.parse().unwrap(), None).await;
        eprintln!("banned {line}: {banned:?}");
    }
}

fn panicking(_: &RoomContext) -> Result<Branch, BuildError> {
    let bug = |_: &mut Scene, _, _: &[u8]| panic!("a bug of the room");
    Branch::builder("/root").on_peer_packet(bug).build()
}

fn busy(_: &RoomContext) -> Result<Branch, BuildError> {
    let work = |scene: &mut Scene, from: PeerId, _: &[u8]| {
        std::thread::sleep(BUSY_TIME);
        scene.send_bytes(b"done", from, TransferMode::Reliable, Channel(0)).unwrap();
    };
    Branch::builder("/root").on_peer_packet(work).build()
}

/// Has slow turns while the number of packets to the server is odd.
fn slow(_: &RoomContext) -> Result<Branch, BuildError> {
    let is_slow = Rc::new(Cell::new(false));
    let toggled = Rc::clone(&is_slow);
    let toggle = move |_: &mut Scene, _, _: &[u8]| toggled.set(!toggled.get());
    let work = move |_: &mut Scene, _| {
        if is_slow.get() {
            std::thread::sleep(SLOW_TURN);
        }
    };
    Branch::builder("/root").on_peer_packet(toggle).on_process(work).build()
}

/// Admits players who send the password.
fn guarded(_: &RoomContext) -> Result<Branch, BuildError> {
    let check = |scene: &mut Scene, signal: &Signal| {
        if let Signal::PeerAuth { from, data } = signal {
            match data.ends_with(b"password=yes") {
                true => scene.multiplayer_mut().complete_auth(*from).unwrap(),
                false => scene.multiplayer_mut().disconnect_peer(*from),
            }
        }
    };
    let mut branch = Branch::builder("/root").on_signal(check).build()?;
    branch.scene().multiplayer_mut().set_authentication(true);
    Ok(branch)
}

async fn id(player: &BranchRef) -> PeerId {
    player.with(|scene| scene.unique_id()).await.unwrap()
}

/// Waits until each of the players sees exactly the others.
pub(crate) async fn meet(players: &[&BranchRef]) {
    for player in players {
        until(|| players.iter().all(|it| it.ended().is_none())).await;
        for other in players.iter().filter(|it| it.id() != player.id()) {
            let other = id(other).await;
            until(|| player.peer(other).is_some()).await;
        }
        assert_eq!(player.peers().await.unwrap().len(), players.len(), "and the server");
    }
}

pub(crate) async fn send_to_server(player: &BranchRef) {
    let send = |scene: &mut Scene| {
        scene.send_bytes(b"x", PeerId::SERVER, TransferMode::Reliable, Channel(0)).unwrap();
    };
    player.with(send).await.unwrap();
}

/// Checks that a client is refused: it fails to connect, or is disconnected. A client that does not
/// authenticate counts itself as connected until then.
pub(crate) async fn assert_refused(joined: Result<BranchRef, StartError>) {
    match joined {
        Ok(player) => {
            let ended = player.closed().await;
            assert!(matches!(ended, EndReason::Disconnected(_)), "{ended}");
        }
        Err(error) => assert!(matches!(error, StartError::ConnectionFailed(_)), "{error}"),
    }
}

#[test]
fn players_meet_only_in_the_room_that_they_select() {
    if let Ok(config) = std::env::var(CONFIG) {
        serve(&config);
    }
    let rooms = Rooms::start();
    actix::System::new().block_on(async {
        let by_path = rooms.by_url("/a").await.unwrap();
        let by_query = rooms.by_query("?room=a").await.unwrap();
        let by_auth = rooms.by_auth(b"b").await.unwrap();
        let by_template = rooms.by_url("/default/b").await.unwrap();
        let by_port = join(rooms.lobby, || Branch::builder("/root").build()).await;
        meet(&[&by_path, &by_query]).await;
        meet(&[&by_auth, &by_template]).await;
        meet(&[&by_port]).await;
        // Packets stay in their room, too.
        let mut signals = by_auth.signals().await.unwrap();
        let ids = (id(&by_auth).await, id(&by_template).await);
        for (player, text) in [(&by_path, &b"of a"[..]), (&by_template, b"of b")] {
            let send = move |scene: &mut Scene| {
                scene.send_bytes(text, Target::All, TransferMode::Reliable, Channel(0)).unwrap();
            };
            player.with(send).await.unwrap();
        }
        let packet = Signal::PeerPacket { from: ids.1, data: b"of b"[..].into() };
        assert_eq!(signals.next().await, Some(packet));
    });
}

#[test]
fn webrtc_players_select_a_room_by_the_name_of_the_lobby() {
    let rooms = Rooms::start();
    let by_lobby = |name| join_room_by_webrtc(rooms.server.ws, name);
    actix::System::new().block_on(async {
        let a = [by_lobby("a").await.unwrap(), rooms.by_url("/a").await.unwrap()];
        let b = [by_lobby("default/b").await.unwrap(), rooms.by_auth(b"b").await.unwrap()];
        let private = by_lobby("private/c?code=1234").await.unwrap();
        meet(&[&a[0], &a[1]]).await;
        meet(&[&b[0], &b[1]]).await;
        meet(&[&private]).await;
        assert_refused(by_lobby("a").await).await;
        assert_refused(by_lobby("private/c").await).await;
        assert_refused(by_lobby("a b").await).await;
    });
}

#[test]
fn full_locked_private_and_unknown_rooms_refuse_players() {
    let rooms = Rooms::start();
    actix::System::new().block_on(async {
        let first = rooms.by_url("/a").await.unwrap();
        let second = rooms.by_auth(b"a").await.unwrap();
        assert_refused(rooms.by_url("/a").await).await;
        assert_refused(rooms.by_auth(b"a").await).await;
        let second_id = id(&second).await;
        second.close().await;
        until(|| first.peer(second_id).is_none()).await;
        let third = rooms.by_url("/a").await.unwrap();
        meet(&[&first, &third]).await;

        assert_refused(rooms.by_url("/locked/b").await).await;
        assert_refused(rooms.by_url("/private/c").await).await;
        assert_refused(rooms.by_url("/private/c?code=1235").await).await;
        let _by_url = rooms.by_url("/private/c?code=1234").await.unwrap();
        let _by_auth = rooms.by_auth(b"template=private&room=c&code=1234").await.unwrap();

        assert_refused(rooms.by_url("/fixed/d").await).await;
        assert_refused(rooms.by_url("/none/d").await).await;
        assert_refused(rooms.by_url("/a%20b").await).await;
        assert_refused(rooms.by_auth(b"a b").await).await;
    });
}

#[test]
fn players_of_all_rooms_and_transports_count_for_the_limit_of_the_server() {
    let rooms = Rooms::start_with(&[("MP_LIMITS__MAX_CLIENTS", "2")]);
    actix::System::new().block_on(async {
        let first = rooms.by_url("/a").await.unwrap();
        let second = rooms.by_auth(b"b").await.unwrap();
        assert_refused(rooms.by_url("/c").await).await;
        assert_refused(rooms.by_auth(b"a").await).await;
        meet(&[&first]).await;
        second.close().await;
        while rooms.by_auth(b"a").await.is_err() {}
    });
}

#[test]
fn room_that_authenticates_receives_the_packet_that_selects_it() {
    let rooms = Rooms::start();
    actix::System::new().block_on(async {
        assert_refused(rooms.by_auth(b"template=guarded&room=a&password=no").await).await;
        let player = rooms.by_auth(b"template=guarded&room=a&password=yes").await.unwrap();
        meet(&[&player]).await;
    });
}

#[test]
fn panic_in_a_room_ends_only_this_room() {
    let mut rooms = Rooms::start();
    actix::System::new().block_on(async {
        let victim = rooms.by_url("/panicking/a").await.unwrap();
        let other = rooms.by_url("/b").await.unwrap();
        send_to_server(&victim).await;
        // WebSocket's close code for an internal error.
        let internal_error = DisconnectReason::Remote(1011);
        assert_eq!(victim.closed().await, EndReason::Disconnected(internal_error));
        let again = rooms.by_url("/panicking/a").await.unwrap();
        let guest = rooms.by_url("/b").await.unwrap();
        meet(&[&again]).await;
        meet(&[&other, &guest]).await;
        rooms.server.signal("INT");
    });
    assert_eq!(rooms.server.wait().code(), Some(0));
}

#[test]
fn busy_room_does_not_delay_the_others() {
    let rooms = Rooms::start();
    actix::System::new().block_on(async {
        let busy = rooms.by_url("/busy/a").await.unwrap();
        let mut signals = busy.signals().await.unwrap();
        send_to_server(&busy).await;
        let players = [rooms.by_url("/b").await.unwrap(), rooms.by_url("/b").await.unwrap()];
        meet(&[&players[0], &players[1]]).await;
        let done = tokio::time::timeout(Duration::ZERO, signals.next()).await;
        assert!(done.is_err(), "{done:?}");
        assert!(matches!(signals.next().await, Some(Signal::PeerPacket { .. })));
    });
}

#[test]
fn draining_server_refuses_players_and_ends_when_the_last_has_left() {
    let mut rooms = Rooms::start();
    let mut logs = BufReader::new(rooms.server.stderr());
    actix::System::new().block_on(async {
        let players = [rooms.by_url("/a").await.unwrap(), rooms.by_url("/a").await.unwrap()];
        meet(&[&players[0], &players[1]]).await;
        rooms.server.signal("TERM");
        let mut line = String::new();
        while !line.contains("waiting for players to leave") {
            line.clear();
            assert!(logs.read_line(&mut line).unwrap() > 0, "the server has ended");
        }
        assert!(line.contains("players=2"), "{line}");
        assert!(rooms.by_url("/a").await.is_err());
        for player in players {
            assert_eq!(player.ended(), None);
            player.close().await;
        }
    });
    std::thread::spawn(move || std::io::copy(&mut logs, &mut std::io::sink()));
    assert_eq!(rooms.server.wait().code(), Some(0));
}
