//! Remote hosts that vanish from the network, in network namespaces.

#![cfg(target_os = "linux")]

mod machines;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{
    Channel, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent,
    Prefix, TransferMode,
};
use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};

use machines::{Orders, PlayersMachine, SERVER};

const TCP_TIMEOUT: Duration = Duration::from_secs(3);
/// Longer than TCP's timers take on a busy machine, and much shorter than TCP's default timeout.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn connections_of_a_vanished_host_time_out_in_every_state() {
    let name = "connections_of_a_vanished_host_time_out_in_every_state";
    machines::on_two_machines(name, serve, play);
}

/// The server's part: three players join. One is sent nothing, one a packet every 200 ms, and the
/// socket of one is full. Then their machine vanishes.
fn serve(mut machine: PlayersMachine) {
    let options = ServerOptions::default().tcp_timeout(TCP_TIMEOUT);
    let address: SocketAddr = format!("{SERVER}:0").parse().unwrap();
    let mut server = WebSocketMultiplayerPeer::create_server(address, options).unwrap();
    let address = server.local_addr().unwrap();
    machine.order(&address.to_string());

    let clock = SystemClock::new();
    let mut players = Vec::new();
    run(&mut server, &clock, Duration::from_secs(120), |_, event| {
        if let PeerEvent::Connected { connection, .. } = event {
            players.push(connection);
        }
        players.len() < 3
    });
    let [_, fed, full] = players[..] else { panic!("{} players", players.len()) };
    // More than both socket buffers hold: the player reads nothing.
    for _ in 0..200 {
        send(&mut server, full, vec![0; 60_000]);
    }
    run(&mut server, &clock, Duration::from_millis(300), |_, _| true);
    machine.vanish();

    let gone = clock.now();
    let mut next = gone;
    let mut ends = BTreeMap::new();
    run(&mut server, &clock, LIMIT, |server, event| {
        if let PeerEvent::Disconnected { connection, reason } = event {
            ends.insert(connection, (reason, clock.now() - gone));
        }
        if clock.now() >= next && !ends.contains_key(&fed) {
            next += Duration::from_millis(200);
            send(server, fed, b"news".to_vec());
        }
        ends.len() < 3
    });
    for player in players {
        let (reason, _) = ends.get(&player).unwrap_or_else(|| panic!("{player}: {ends:?}"));
        assert_eq!(*reason, DisconnectReason::Timeout, "{ends:?}");
    }
}

/// Runs `server` until `goes_on` returns false, for at most `limit`. `goes_on` is also called when
/// there is no event.
fn run(
    server: &mut WebSocketMultiplayerPeer,
    clock: &SystemClock,
    limit: Duration,
    mut goes_on: impl FnMut(&mut WebSocketMultiplayerPeer, PeerEvent) -> bool,
) {
    let end: Instant = clock.now() + limit;
    while clock.now() < end {
        server.poll(clock.now());
        let mut events: Vec<_> = std::iter::from_fn(|| server.next_event()).collect();
        events.push(PeerEvent::UniqueId(server.unique_id()));
        for event in events {
            if !goes_on(server, event) {
                return;
            }
        }
        server.flush(clock.now());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(server: &mut WebSocketMultiplayerPeer, to: ConnectionId, payload: Vec<u8>) {
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let (to, payload) = (to.into(), payload.into());
    server.send(OutgoingPacket { to, mode, channel, prefix: Prefix::EMPTY, payload }).unwrap();
}

/// The players' part: three players connect, then their machine vanishes.
fn play(mut orders: Orders) {
    let server = orders.next();
    let _players = [0; 3].map(|_| {
        let mut player = TcpStream::connect(&server).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        player.write_all(request.as_bytes()).unwrap();
        player
    });
    orders.vanish();
}
