//! Players whose machine vanishes from the network.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mp_actor::prelude::*;
use mp_core::host::SystemClock;
use mp_core::{ConnectionStatus, MultiplayerPeer};
use mp_tls::ClientTlsOptions;
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer};

#[path = "../../../mp-transport-ws/tests/machines/mod.rs"]
mod machines;

use crate::players::{RawPlayer, join, join_by_url, until};
use crate::server::{HEALTHZ_TIME, PATIENCE, Server, ask_healthz, command};
use machines::{Orders, PlayersMachine, SERVER, answer, on_two_machines};

/// Activity of the players of the busy room when they vanish: first those over WebSocket.
const BUSY: [&str; 6] = ["fed", "full", "half-closed", "refused", "idle ENet", "fed ENet"];
const WEB_SOCKETS: usize = 4;
/// The players of the quiet room, over WebSocket: one is sent nothing, the other one packet after
/// it has vanished.
const QUIET: [&str; 2] = ["idle", "woken"];
/// Time until a vanished player times out: 35 s over WebSocket, 30 s over ENet. A busy machine
/// reports it later.
const LIMIT: Duration = Duration::from_secs(40);
/// Time after which the woken player is sent its packet.
const WAKING: Duration = Duration::from_secs(20);
/// More packets than the buffers of two sockets hold.
const TOO_MANY: usize = 300;

#[test]
fn vanished_players_time_out_in_every_state() {
    let name = "liveness::vanished_players_time_out_in_every_state";
    on_two_machines(name, serve, play);
}

/// Three rooms: a busy one, a quiet one whose players stay before the end, and one that is stopped
/// before it has noticed that its player vanished.
fn serve(mut machine: PlayersMachine) {
    let any = format!("{SERVER}:0");
    let [mut busy, quiet, mut ending] = [(); 3]
        .map(|()| ["--enet", &any, "--ws", &any, "--webrtc", "off"])
        .map(|args| Server::of(command().args(args).stderr(Stdio::null())));
    for address in [busy.enet, busy.ws, quiet.ws, ending.ws] {
        machine.order(&address.to_string());
    }
    let ids = machine.answer("players");
    let ids = ids.split(' ').map(|id| PeerId::new(id.parse().unwrap()).unwrap());
    let ids: BTreeMap<_, _> = BUSY.into_iter().chain(QUIET).zip(ids).collect();

    actix::System::new().block_on(async {
        let room = || Branch::builder("/root").build();
        let by_enet = join(busy.enet, room).await;
        let url = format!("ws://{}", busy.ws);
        let by_ws = join_by_url(&url, ClientTlsOptions::new()).await.unwrap();
        let in_quiet = join(quiet.enet, room).await;
        let mut awaited = Vec::new();
        for (states, observer) in [(&BUSY[..], &by_enet), (&BUSY, &by_ws), (&QUIET, &in_quiet)] {
            awaited.extend(states.iter().map(|&state| (state, ids[state], observer)));
        }
        until(|| awaited.iter().all(|(_, id, observer)| observer.peer(*id).is_some())).await;
        fill(&by_ws, ids["full"], &by_enet).await;

        let health = Health::watch([busy.ws, quiet.ws]);
        machine.order("close");
        machine.vanish();
        let clock = SystemClock::new();
        let gone = clock.now();
        ending.signal("TERM");
        let mut is_awake = false;
        let mut ends = BTreeMap::new();
        while !awaited.is_empty() && clock.now() - gone < LIMIT {
            let elapsed = clock.now() - gone;
            if elapsed > WAKING && !std::mem::replace(&mut is_awake, true) {
                send(&in_quiet, ids["woken"], 4).await;
            }
            send(&by_enet, ids["fed"], 4).await;
            send(&by_ws, ids["fed ENet"], 4).await;
            awaited.retain(|(state, id, observer)| {
                let ended = observer.peer(*id).is_none();
                if ended {
                    ends.insert(*state, elapsed);
                }
                !ended
            });
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let awaited: Vec<_> = awaited.iter().map(|(state, id, _)| (state, id)).collect();
        assert!(awaited.is_empty(), "not noticed: {awaited:?}; noticed after: {ends:?}");
        eprintln!("{ends:?}");
        health.assert_good();
        assert_eq!(ending.wait().code(), Some(0));
        busy.signal("TERM");
        assert!(matches!(by_ws.closed().await, EndReason::Disconnected(_)));
        assert!(matches!(by_enet.closed().await, EndReason::Disconnected(_)));
    });
    assert_eq!(busy.wait().code(), Some(0));
}

/// Sends `to` more than its socket holds. Returns when the server has received all of it.
async fn fill(from: &BranchRef, to: PeerId, witness: &BranchRef) {
    let mut signals = witness.signals().await.unwrap();
    for _ in 0..TOO_MANY {
        send(from, to, 60_000).await;
    }
    let witness = witness.with(|scene| scene.unique_id()).await.unwrap();
    send(from, witness, 4).await;
    while !matches!(signals.next().await, Some(Signal::PeerPacket { .. })) {}
}

/// Sends a reliable packet of `bytes` bytes, unless `to` has left.
async fn send(from: &BranchRef, to: PeerId, bytes: usize) {
    let call = move |scene: &mut Scene| {
        let _ = scene.send_bytes(&vec![1; bytes], to, TransferMode::Reliable, Channel(0));
    };
    from.with(call).await.unwrap();
}

/// A thread that requests `/healthz` of rooms ten times per second.
struct Health {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Health {
    fn watch(rooms: [SocketAddr; 2]) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                times.extend(rooms.map(ask_healthz));
                thread::sleep(Duration::from_millis(100));
            }
            times
        });
        Self { is_over, thread }
    }

    /// Checks that the responses came in time. A busy machine delays some of them.
    fn assert_good(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let times = self.thread.join().expect("each response is 200");
        let slow: Vec<_> = times.iter().filter(|&&time| time >= HEALTHZ_TIME).collect();
        assert!(slow.len() * 20 <= times.len(), "{} of {}: {slow:?}", slow.len(), times.len());
    }
}

/// The players' machine.
fn play(mut orders: Orders) {
    let [enet, ws, quiet, ending] = [(); 4].map(|()| orders.next().parse().unwrap());
    let players = [(); WEB_SOCKETS].map(|()| RawPlayer::join(ws));
    let clock = SystemClock::new();
    let enet_players = [(); BUSY.len() - WEB_SOCKETS].map(|()| join_over_enet(enet, &clock));
    let quiet = QUIET.map(|_| RawPlayer::join(quiet));
    let _ending = RawPlayer::join(ending);
    let mut ids: Vec<_> = players.iter().map(|player| player.id).collect();
    ids.extend(enet_players.iter().map(MultiplayerPeer::unique_id));
    ids.extend(quiet.iter().map(|player| player.id));
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    answer(&format!("players {}", ids.join(" ")));

    thread::spawn(move || keep_alive(enet_players, &clock));
    let [mut fed, _full, half_closed, mut refused] = players;
    thread::spawn(move || while fed.stream.read(&mut [0; 1_000]).is_ok_and(|read| read > 0) {});
    assert_eq!(orders.next(), "close");
    half_closed.stream.shutdown(Shutdown::Write).unwrap();
    // A client's frame without a mask.
    refused.stream.write_all(&[0x82, 0]).unwrap();
    orders.vanish();
}

fn join_over_enet(address: SocketAddr, clock: &SystemClock) -> EnetMultiplayerPeer {
    let mut player = EnetMultiplayerPeer::create_client(address, ClientOptions::default()).unwrap();
    let limit = clock.now() + PATIENCE;
    while player.connection_status() != ConnectionStatus::Connected {
        assert!(clock.now() < limit, "the player does not connect");
        player.poll(clock.now());
        player.flush(clock.now());
        thread::sleep(Duration::from_millis(1));
    }
    player
}

fn keep_alive<const N: usize>(mut players: [EnetMultiplayerPeer; N], clock: &SystemClock) {
    loop {
        for player in &mut players {
            player.poll(clock.now());
            while player.next_event().is_some() {}
            player.flush(clock.now());
        }
        thread::sleep(Duration::from_millis(5));
    }
}
