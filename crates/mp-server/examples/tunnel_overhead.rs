//! Measures a tunnel beside a direct connection to the same game, over ENet on this machine: times
//! of round trips, and the throughput of reliable packets.
//!
//! ```sh
//! cargo build --release -p mp-server && cargo run --release -p mp-server --example tunnel_overhead
//! ```

use std::error::Error;
use std::future::poll_fn;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionId, MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix, TransferMode,
};
use mp_transport_enet::io::TokioUdpSocket;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};
use tokio::time::{Instant, sleep};

type Peer = EnetMultiplayerPeer<TokioUdpSocket>;

fn main() -> Result<(), Box<dyn Error>> {
    let game = start_game();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{:<24} {:>9} {:>9} {:>11}", "", "median", "p99", "throughput");
    runtime.block_on(measure("direct", game))?;
    let rooms = Rooms::start()?;
    for link in ["enet", "ws"] {
        let _tunnel = rooms.tunnel(game, link)?;
        runtime.block_on(measure(&format!("tunnel, link over {link}"), rooms.guests))?;
    }
    Ok(())
}

/// Measures round trips and throughput of a client at `address`, and prints a line.
async fn measure(name: &str, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut peer = Peer::create_async_client(address, ClientOptions::default())?;
    let PeerEvent::Connected { connection, .. } = next_event(&mut peer).await else {
        return Err("not connected".into());
    };
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        send(&mut peer, connection, TransferMode::Reliable, Bytes::from_static(&[3; 64]));
        next_packet(&mut peer).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let payload = Bytes::from(vec![3; 1_024]);
    let (start, mut sent, mut received) = (Instant::now(), 0, 0);
    while received < PACKETS {
        while sent < PACKETS && sent - received < WINDOW {
            send(&mut peer, connection, TransferMode::Reliable, payload.clone());
            sent += 1;
        }
        next_packet(&mut peer).await?;
        received += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let throughput = PACKETS as f64 * payload.len() as f64 / seconds / 1e6;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "{name:<24} {:>6.0} µs {:>6.0} µs {throughput:>6.1} MB/s",
        micros(times[times.len() / 2]),
        micros(times[times.len() * 99 / 100]),
    );
    peer.close();
    peer.flush(SystemClock::new().now());
    Ok(())
}

fn send(peer: &mut Peer, to: ConnectionId, mode: TransferMode, payload: Bytes) {
    let (channel, prefix) = (Channel(0), Prefix::EMPTY);
    let sent = peer.send(OutgoingPacket { to: to.into(), mode, channel, prefix, payload });
    sent.expect("the packet is not too large");
}

async fn next_packet(peer: &mut Peer) -> Result<(), Box<dyn Error>> {
    loop {
        match next_event(peer).await {
            PeerEvent::Packet(_) => return Ok(()),
            PeerEvent::Disconnected { reason, .. } => return Err(reason.to_string().into()),
            _ => {}
        }
    }
}

/// Runs a transport until its next event.
async fn next_event(peer: &mut Peer) -> PeerEvent {
    thread_local! { static CLOCK: SystemClock = SystemClock::new(); }
    let mut timer = pin!(sleep(Duration::ZERO));
    poll_fn(|cx| {
        loop {
            let now = CLOCK.with(SystemClock::now);
            if let Some(event) = peer.next_event() {
                return Poll::Ready(event);
            }
            peer.poll(now);
            peer.flush(now);
            if let Some(event) = peer.next_event() {
                return Poll::Ready(event);
            }
            if peer.poll_ready(cx).is_ready() {
                continue;
            }
            let wait = peer.poll_timeout().map_or(Duration::from_secs(1), |due| due - now);
            timer.as_mut().reset(Instant::now() + wait);
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Starts a game on a thread, which returns each packet to its sender.
fn start_game() -> SocketAddr {
    let (sender, address) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let local = (Ipv4Addr::LOCALHOST, 0).into();
            let game = Peer::create_async_server(local, ServerOptions::default());
            let mut game = game.expect("a port");
            sender.send(game.local_addr().expect("an address")).expect("the program waits");
            loop {
                if let PeerEvent::Packet(packet) = next_event(&mut game).await {
                    send(&mut game, packet.from, packet.mode, packet.payload);
                }
            }
        });
    });
    address.recv().expect("the game starts")
}

/// A server with a room that hosts of tunnels use, and its processes.
struct Rooms {
    _server: Killed,
    _folder: tempfile::TempDir,
    guests: SocketAddr,
    enet: SocketAddr,
    websocket: SocketAddr,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Rooms {
    fn start() -> Result<Self, Box<dyn Error>> {
        let [guests, enet, websocket] = [free()?, free()?, free()?];
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("mp-server.toml");
        let config = format!(
            "[template.default]\nhost = \"tunnel\"\nhost_key = \"{KEY}\"\nhost_grace = 0\n\
            [[listen]]\ntransport = \"enet\"\naddress = \"{guests}\"\nroom = \"game\"\n\
            [[listen]]\ntransport = \"enet\"\naddress = \"{enet}\"\nselect = \"auth\"\n\
            [[listen]]\ntransport = \"websocket\"\naddress = \"{websocket}\"\nselect = \"path\"\n"
        );
        std::fs::write(&file, config)?;
        let mut server = program();
        server.args(["--admin", "off", "--config"]).arg(file).stdout(Stdio::piped());
        let mut server = Killed(server.spawn()?);
        let output = BufReader::new(server.0.stdout.take().expect("a pipe"));
        let printed = output.lines().map_while(Result::ok).any(|line| line.contains("--help"));
        if !printed {
            return Err("mp-server does not start".into());
        }
        Ok(Self { _server: server, _folder: folder, guests, enet, websocket })
    }

    fn tunnel(&self, game: SocketAddr, link: &str) -> Result<Killed, Box<dyn Error>> {
        let to = if link == "enet" { self.enet } else { self.websocket };
        let mut tunnel = program();
        tunnel.args(["tunnel", "--insecure", "--room", "game", "--key", KEY]);
        tunnel.args(["--to", &game.to_string(), "--server", &format!("{link}://{to}")]);
        let mut tunnel = Killed(tunnel.stderr(Stdio::piped()).spawn()?);
        let mut lines = BufReader::new(tunnel.0.stderr.take().expect("a pipe")).lines();
        if !lines.by_ref().map_while(Result::ok).any(|line| line.contains("hosting")) {
            return Err("the tunnel ended".into());
        }
        // It must not block when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(tunnel)
    }
}

/// Returns the command of mp-server, which is beside the folder of this example.
fn program() -> Command {
    let folder = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join("..")));
    Command::new(folder.unwrap_or_default().join("mp-server"))
}

/// Returns an address with a port that is free at present.
fn free() -> std::io::Result<SocketAddr> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

const KEY: &str = "key of a measurement";
const ROUND_TRIPS: usize = 5_000;
const PACKETS: usize = 50_000;
/// Packets that are under way at most.
const WINDOW: usize = 256;
