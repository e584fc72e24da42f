//! `mp-server tunnel`: a game that listens on this machine, and players who join it through a room.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::host::SystemClock;
use mp_tls::{ClientTlsOptions, DevelopmentCertificate};
use mp_transport_enet::{EnetMultiplayerPeer, ServerOptions};

use crate::players::{RawPlayer, join, join_by_url, until};
use crate::server::{FREE_PORTS, Server, command};
use crate::webrtc::join_by_webrtc;

const KEY: &str = "0123456789abcdef/+";

/// A game that knows nothing of mp-server: an ENet server that returns bytes to their sender.
struct Game {
    address: SocketAddr,
    peers: Arc<Mutex<Vec<PeerId>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Game {
    fn start() -> Self {
        let local = (Ipv4Addr::LOCALHOST, 0).into();
        let mut server =
            EnetMultiplayerPeer::create_server(local, ServerOptions::default()).unwrap();
        let address = server.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let peers = Arc::<Mutex<Vec<PeerId>>>::default();
        let (is_stopped, known) = (Arc::clone(&stop), Arc::clone(&peers));
        let run = move || {
            let echo = |scene: &mut Scene, from, data: &[u8]| {
                scene.send_bytes(data, from, TransferMode::Reliable, Channel(1)).unwrap();
            };
            let mut branch = Branch::builder("/root").on_peer_packet(echo).build().unwrap();
            let clock = SystemClock::new();
            while !is_stopped.load(Ordering::Relaxed) {
                branch.poll(&mut server, clock.now());
                *known.lock().unwrap() = branch.scene().peers();
                std::thread::sleep(Duration::from_millis(1));
            }
            mp_core::MultiplayerPeer::close(&mut server);
            mp_core::MultiplayerPeer::flush(&mut server, clock.now());
        };
        Self { address, peers, stop, thread: Some(std::thread::spawn(run)) }
    }

    fn peers(&self) -> Vec<PeerId> {
        self.peers.lock().unwrap().clone()
    }
}

impl Drop for Game {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The program beside the game, killed when dropped.
struct Tunnel {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Tunnel {
    fn start(game: SocketAddr, server: &str, args: &[&str]) -> Self {
        let mut command = tunnel(&game.to_string(), server, args);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines }
    }

    /// Waits for a line with `text`.
    fn expect(&mut self, text: &str) {
        let mut all = String::new();
        while !all.lines().any(|line| line.contains(text)) {
            assert!(self.lines.read_line(&mut all).unwrap() > 0, "no line {text:?}: {all}");
        }
    }

    /// Returns its exit code and what it prints.
    fn ended(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tunnel(game: &str, server: &str, args: &[&str]) -> Command {
    let mut command = command();
    command.args(["tunnel", "--to", game, "--server", server]).args(args).stderr(Stdio::piped());
    command
}

/// Starts a server with `config` behind its rooms, whose template is `default`.
fn server(config: &str, args: &[&str]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mp-server.toml");
    let config = format!("[template.default]\nhost = \"tunnel\"\nhost_key = \"{KEY}\"\n{config}");
    std::fs::write(&file, config).unwrap();
    let mut command = command();
    command.args(args).arg("--config").arg(file).stderr(Stdio::piped());
    (Server::of(&mut command), folder)
}

fn builder() -> Result<Branch, BuildError> {
    Branch::builder("/root").build()
}

async fn id_of(player: &BranchRef) -> PeerId {
    player.with(|scene| scene.unique_id()).await.unwrap()
}

/// Waits until the game returns bytes that a player sends.
async fn expect_echo(player: &BranchRef, text: &'static [u8]) {
    let mut signals = player.signals().await.unwrap();
    let send = move |scene: &mut Scene| {
        scene.send_bytes(text, PeerId::SERVER, TransferMode::Reliable, Channel(0)).unwrap();
    };
    player.with(send).await.unwrap();
    let echo = Signal::PeerPacket { from: PeerId::SERVER, data: text.into() };
    while signals.next().await.expect("a signal") != echo {}
}

#[test]
fn players_of_all_transports_join_a_game_that_listens_on_this_machine() {
    let (server, _folder) = server("host_grace = 1\n", &FREE_PORTS);
    let game = Game::start();
    let url = format!("ws://{}", server.ws);
    let args = ["--insecure", "--key", KEY];
    let mut tunnel = Tunnel::start(game.address, &url, &args);
    tunnel.expect("hosting");
    actix::System::new().block_on(async {
        let by_enet = join(server.enet, builder).await;
        let by_ws = join_by_url(&url, ClientTlsOptions::new()).await.unwrap();
        let by_webrtc = join_by_webrtc(server.ws).await;
        let (enet, ws) = (id_of(&by_enet).await, id_of(&by_ws).await);
        let webrtc = id_of(&by_webrtc).await;
        // The game itself announces them to each other, by their own ids.
        for (player, others) in
            [(&by_enet, [ws, webrtc]), (&by_ws, [enet, webrtc]), (&by_webrtc, [enet, ws])]
        {
            until(|| others.iter().all(|&other| player.peer(other).is_some())).await;
        }
        let mut expected = vec![enet, ws, webrtc];
        expected.sort_unstable();
        let mut peers = game.peers();
        peers.sort_unstable();
        assert_eq!(peers, expected);
        expect_echo(&by_enet, b"enet").await;
        expect_echo(&by_ws, b"ws").await;
        expect_echo(&by_webrtc, b"webrtc").await;

        by_enet.close().await;
        until(|| by_ws.peer(enet).is_none()).await;
        by_webrtc.close().await;
        until(|| game.peers() == [ws]).await;

        // Its connections to the game end only after a timeout of ENet.
        drop(tunnel); // SIGKILL
        assert!(matches!(by_ws.closed().await, EndReason::Disconnected(_)));
        let mut tunnel = Tunnel::start(game.address, &url, &args);
        tunnel.expect("hosting");
        let again = join_by_url(&url, ClientTlsOptions::new()).await.unwrap();
        expect_echo(&again, b"again").await;

        drop(game);
        assert!(matches!(again.closed().await, EndReason::Disconnected(_)));
        tunnel.expect("the game has closed the connection");
    });
}

#[test]
fn players_stay_in_the_game_while_the_server_of_the_room_restarts_its_connection() {
    // A proxy whose connections the test cuts.
    let (server, _folder) = server("", &FREE_PORTS);
    let game = Game::start();
    let proxy = Proxy::start(server.ws);
    let args = ["--insecure", "--key", KEY];
    let mut tunnel = Tunnel::start(game.address, &format!("ws://{}", proxy.address), &args);
    tunnel.expect("hosting");
    actix::System::new().block_on(async {
        let player = join(server.enet, builder).await;
        expect_echo(&player, b"before").await;
        proxy.cut();
        tunnel.expect("not connected to");
        tunnel.expect("connected again, with its players");
        expect_echo(&player, b"after").await;
        assert_eq!(game.peers(), [id_of(&player).await]);
    });
}

#[test]
fn links_are_encrypted_over_websocket_and_enet() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["room.crt", "room.key"].map(|name| folder.path().join(name));
    let [certificate, key] = files.each_ref().map(|file| file.display().to_string());
    let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
    made.write(&files[0], &files[1]).unwrap();
    let config = format!(
        r#"
        [tls]
        cert = "{certificate}"
        key = "{key}"
        [[listen]]
        transport = "enet"
        address = "127.0.0.1:0"
        select = "auth"
        tls = true
        [[listen]]
        transport = "websocket"
        address = "127.0.0.1:0"
        select = "path"
        tls = true"#
    );
    let (server, _folder) = server(&config, &[]);
    let game = Game::start();
    let trusted = ClientTlsOptions::new().trusted_chain(made.certificate_pem()).unwrap();
    for (scheme, port) in [("wss", server.ws.port()), ("enets", server.enet.port())] {
        let address = format!("{scheme}://localhost:{port}");
        let args = ["--ca", &certificate, "--key", KEY, "--room", scheme];
        let mut tunnel = Tunnel::start(game.address, &address, &args);
        tunnel.expect("hosting");
        actix::System::new().block_on(async {
            let url = format!("wss://localhost:{}/{scheme}", server.ws.port());
            let player = join_by_url(&url, trusted.clone()).await.unwrap();
            expect_echo(&player, b"hello").await;
        });
    }
    let address = format!("wss://localhost:{}", server.ws.port());
    let mut untrusting = Tunnel::start(game.address, &address, &["--key", KEY]);
    untrusting.expect("not connected to");
}

#[test]
fn hosts_are_refused_with_the_reason_and_help() {
    let more = r#"
        [template.plain]
        [[listen]]
        transport = "websocket"
        address = "127.0.0.1:0"
        select = "path"
        [[listen]]
        transport = "enet"
        address = "127.0.0.1:0""#;
    let (server, _folder) = server(more, &[]);
    let url = format!("ws://{}", server.ws);
    for (args, reason, help) in [
        (&["--key", "0123456789abcdef"][..], "(wrong_host_key)", "as --key"),
        (&[], "(unknown_room)", "only a host with --key creates a room"),
        (&["--key", KEY, "--template", "none"], "(unknown_template)", "check --room"),
        (&["--key", KEY, "--template", "plain"], "the room has not host", "check --room"),
    ] {
        let args = [&["--insecure", "--room", "a"], args].concat();
        let (code, text) = Tunnel::start(([127, 0, 0, 1], 9).into(), &url, &args).ended();
        assert!(text.contains(reason) && text.contains(help), "{args:?}: {text}");
        assert_eq!(code, Some(1), "{text}");
    }
    for (args, text) in [
        (["--to", "127.0.0.1:9", "--server", &url[..]], "is not encrypted"),
        (["--to", "192.0.2.1:9", "--server", "wss://localhost"], "is not on this machine"),
    ] {
        let output = command().arg("tunnel").args(args).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(printed.contains(text), "{printed}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn address_that_guesses_names_of_rooms_is_refused_for_a_while() {
    let listen =
        "[[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:0\"\nselect = \"path\"\n";
    let enet = "[[listen]]\ntransport = \"enet\"\naddress = \"127.0.0.1:0\"\n";
    let (server, _folder) = server(&format!("{listen}{enet}"), &[]);
    let mut reasons = (0..200)
        .map(|number| RawPlayer::join_with(server.ws, &format!("/guess-{number}")).close_reason());
    assert_eq!(reasons.next().as_deref(), Some("unknown_room"));
    assert!(reasons.any(|reason| reason == "too_many_attempts"));
}

/// A proxy of TCP connections.
struct Proxy {
    address: SocketAddr,
    streams: Arc<Mutex<Vec<std::net::TcpStream>>>,
}

impl Proxy {
    fn start(to: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let streams: Arc<Mutex<Vec<_>>> = Arc::default();
        let open = Arc::clone(&streams);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let client = stream.unwrap();
                let server = std::net::TcpStream::connect(to).unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
                open.lock().unwrap().extend([client, server]);
            }
        });
        Self { address, streams }
    }

    /// Closes all connections.
    fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}
