//! Arbitrary bytes of remote peers: no panic, bounded memory, and no effect on other connections.

mod common;

use std::time::Duration;

use common::*;
use mp_core::{ConnectionId, MultiplayerPeer, PeerEvent, TransferMode};
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{ClientOptions, ServerOptions};
use proptest::collection::vec;
use proptest::prelude::*;

/// An action of a remote peer.
#[derive(Clone, Debug)]
enum Action {
    Send(Vec<u8>),
    Wait(u16),
    Receive,
    Shutdown,
}

/// Returns parts of valid and invalid handshakes and frames.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        "[A-Z]{1,8} [ -~]{0,40} HTTP/1\\.[01]",
        "[A-Za-z-]{1,20}: ?[ -~]{0,60}",
        Just("Upgrade: websocket".to_owned()),
        Just("Connection: Upgrade".to_owned()),
        Just(format!("Sec-WebSocket-Key: {KEY}")),
        Just("Sec-WebSocket-Version: 13".to_owned()),
        "X-Forwarded-For: [0-9a-f.:, ]{0,40}",
    ];
    let head = vec(line, 0..12).prop_map(|lines| lines.join("\r\n").into_bytes());
    let sent = (any::<u8>(), vec(any::<u8>(), 0..300), any::<Option<[u8; 4]>>());
    let lying = (any::<u8>(), any::<u8>(), any::<u64>())
        .prop_map(|(first, second, len)| [&[first, second][..], &len.to_be_bytes()].concat());
    prop_oneof![
        2 => vec(any::<u8>(), 0..200),
        3 => head,
        2 => Just(b"\r\n\r\n".to_vec()),
        3 => Just(request("/", "")),
        6 => sent.prop_map(|(first, payload, mask)| frame(first, &payload, mask)),
        3 => (0..16u8, any::<bool>(), vec(any::<u8>(), 0..140)).prop_map(|(op, fin, payload)| {
            masked(op | if fin { 0x80 } else { 0 }, &payload)
        }),
        2 => lying,
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => bytes().prop_map(Action::Send),
        2 => (0..4_000u16).prop_map(Action::Wait),
        2 => Just(Action::Receive),
        1 => Just(Action::Shutdown),
    ]
}

/// Checks that another client of the server exchanges packets without delay. Returns the number of
/// the server's events.
fn is_served(
    world: &mut World,
    server: &mut Peer,
    friend: &mut RawPeer,
    id: ConnectionId,
) -> usize {
    friend.send(&masked(0x82, b"are you there"));
    let events = world.turn(server);
    let received = events.iter().filter(|event| {
        matches!(event, PeerEvent::Packet(packet) if packet.from == id && packet.payload == "are you there")
    });
    assert_eq!(received.count(), 1, "the friend's packet is received immediately");
    server.send(packet(id, TransferMode::Reliable, "yes")).unwrap();
    world.turn(server);
    assert_eq!(frames(&mut friend.take()).last().unwrap().payload, b"yes");
    events.len()
}

fn options(tls: bool) -> ServerOptions {
    let mut options = ServerOptions::default().trusted_proxies(1);
    if tls {
        options = options.tls(made_certificate("game").identity().unwrap());
    }
    options
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn server_survives_arbitrary_bytes(actions in vec(vec(action(), 1..12), 1..4), opened in any::<bool>()) {
        let mut world = World::new(StreamConditions { capacity: 50_000, chunk: 900, ..StreamConditions::default() });
        let mut server = world.server(options(false));
        let (mut friend, id) = world.joined(&mut server);
        let mut raw_peers: Vec<_> = actions.iter().map(|_| world.raw_peer()).collect();
        if opened {
            raw_peers.iter_mut().for_each(|raw_peer| raw_peer.send(&request("/x", "")));
        }
        for step in 0..12 {
            for (raw_peer, actions) in raw_peers.iter_mut().zip(&actions) {
                match actions.get(step) {
                    Some(Action::Send(bytes)) => { raw_peer.try_send(bytes); }
                    Some(Action::Wait(millis)) => world.pass(Duration::from_millis(u64::from(*millis))),
                    Some(Action::Receive) => raw_peer.receive(),
                    Some(Action::Shutdown) => raw_peer.shutdown(),
                    None => {}
                }
            }
            is_served(&mut world, &mut server, &mut friend, id);
            for raw_peer in 0..raw_peers.len() as u32 {
                let id = ConnectionId { slot: 1 + raw_peer, generation: 0 };
                if let Some(stats) = server.connection_stats(id) {
                    prop_assert!(stats.queued_bytes < 200_000, "{stats:?}");
                }
            }
        }
        // Incomplete handshakes time out, and the next timer is in the future.
        drop(raw_peers);
        world.pass(Duration::from_secs(10));
        world.turn(&mut server);
        world.turn(&mut server);
        prop_assert_eq!(server.open_handshakes(), 0);
        prop_assert!(server.poll_timeout().is_none_or(|due| due > world.now));
    }

    #[test]
    fn tls_server_survives_arbitrary_bytes(actions in vec(action(), 1..12)) {
        let mut world = World::new(StreamConditions::default());
        let mut server = world.server(options(true));
        let mut raw_peer = world.raw_peer();
        for action in &actions {
            match action {
                Action::Send(bytes) => { raw_peer.try_send(bytes); }
                Action::Wait(millis) => world.pass(Duration::from_millis(u64::from(*millis))),
                Action::Receive => raw_peer.receive(),
                Action::Shutdown => raw_peer.shutdown(),
            }
            prop_assert_eq!(world.turn(&mut server), []);
        }
        world.run(&mut server, Duration::from_secs(10));
        prop_assert_eq!(server.open_handshakes(), 0);
    }

    #[test]
    fn client_survives_arbitrary_bytes_of_its_server(actions in vec(action(), 1..12), opened in any::<bool>()) {
        let mut world = World::new(StreamConditions { capacity: 50_000, chunk: 900, ..StreamConditions::default() });
        let mut listener = world.network.listener();
        let mut client = world.client(ClientOptions::default());
        world.turn(&mut client);
        let mut server = RawPeer::accepted(&mut listener);
        world.turn(&mut client);
        if opened {
            server.receive();
            let text = server.text();
            let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
            server.send(format!("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes());
            server.send(&frame(0x82, &7i32.to_le_bytes(), None));
        }
        for action in &actions {
            match action {
                Action::Send(bytes) => { server.try_send(bytes); }
                Action::Wait(millis) => world.pass(Duration::from_millis(u64::from(*millis))),
                Action::Receive => server.receive(),
                Action::Shutdown => server.shutdown(),
            }
            world.turn(&mut client);
        }
        world.pass(Duration::from_secs(10));
        world.turn(&mut client);
        prop_assert!(client.poll_timeout().is_none_or(|due| due > world.now));
    }
}
