//! Bytes from anybody: no panic, bounded memory, and the others do not notice.

mod common;

use std::time::Duration;

use common::*;
use mp_core::{ConnectionId, MultiplayerPeer, PeerEvent, TransferMode};
use mp_transport_ws::testing::Line;
use mp_transport_ws::{ClientOptions, ServerOptions};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a stranger does.
#[derive(Clone, Debug)]
enum Act {
    Say(Vec<u8>),
    Wait(u16),
    Listen,
    Shut,
}

/// Pieces of handshakes and frames, right and wrong.
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

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => bytes().prop_map(Act::Say),
        2 => (0..4_000u16).prop_map(Act::Wait),
        2 => Just(Act::Listen),
        1 => Just(Act::Shut),
    ]
}

/// A friend who has an echo of what it says each time, whatever others do.
fn is_served(
    world: &mut World,
    server: &mut Peer,
    friend: &mut Stranger,
    link: ConnectionId,
) -> usize {
    friend.say(&masked(0x82, b"are you there"));
    let events = world.turn(server);
    let heard = events.iter().filter(|event| {
        matches!(event, PeerEvent::Packet(packet) if packet.from == link && packet.payload == "are you there")
    });
    assert_eq!(heard.count(), 1, "the friend is heard at once");
    server.send(packet(link, TransferMode::Reliable, "yes")).unwrap();
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
    fn a_server_survives_strangers(acts in vec(vec(act(), 1..12), 1..4), opened in any::<bool>()) {
        let mut world = World::new(Line { capacity: 50_000, chunk: 900, ..Line::default() });
        let mut server = world.server(options(false));
        let (mut friend, link) = world.joined(&mut server);
        let mut strangers: Vec<_> = acts.iter().map(|_| world.stranger()).collect();
        if opened {
            strangers.iter_mut().for_each(|stranger| stranger.say(&request("/x", "")));
        }
        for step in 0..12 {
            for (stranger, acts) in strangers.iter_mut().zip(&acts) {
                match acts.get(step) {
                    Some(Act::Say(bytes)) => { stranger.try_say(bytes); }
                    Some(Act::Wait(millis)) => world.pass(Duration::from_millis(u64::from(*millis))),
                    Some(Act::Listen) => stranger.listen(),
                    Some(Act::Shut) => stranger.shut(),
                    None => {}
                }
            }
            is_served(&mut world, &mut server, &mut friend, link);
            for stranger in 0..strangers.len() as u32 {
                let id = ConnectionId { slot: 1 + stranger, generation: 0 };
                if let Some(stats) = server.connection_stats(id) {
                    prop_assert!(stats.queued_bytes < 200_000, "{stats:?}");
                }
            }
        }
        // Those who have not got anywhere are gone after a while, and time does not stand still.
        drop(strangers);
        world.pass(Duration::from_secs(10));
        world.turn(&mut server);
        world.turn(&mut server);
        prop_assert_eq!(server.open_handshakes(), 0);
        prop_assert!(server.poll_timeout().is_none_or(|due| due > world.now));
    }

    #[test]
    fn a_server_over_tls_survives_strangers(acts in vec(act(), 1..12)) {
        let mut world = World::new(Line::default());
        let mut server = world.server(options(true));
        let mut stranger = world.stranger();
        for act in &acts {
            match act {
                Act::Say(bytes) => { stranger.try_say(bytes); }
                Act::Wait(millis) => world.pass(Duration::from_millis(u64::from(*millis))),
                Act::Listen => stranger.listen(),
                Act::Shut => stranger.shut(),
            }
            prop_assert_eq!(world.turn(&mut server), []);
        }
        world.run(&mut server, Duration::from_secs(10));
        prop_assert_eq!(server.open_handshakes(), 0);
    }

    #[test]
    fn a_client_survives_its_server(acts in vec(act(), 1..12), opened in any::<bool>()) {
        let mut world = World::new(Line { capacity: 50_000, chunk: 900, ..Line::default() });
        let mut listener = world.network.listener();
        let mut client = world.client(ClientOptions::default());
        world.turn(&mut client);
        let mut server = Stranger::accepted(&mut listener);
        world.turn(&mut client);
        if opened {
            server.listen();
            let text = server.text();
            let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
            server.say(format!("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes());
            server.say(&frame(0x82, &7i32.to_le_bytes(), None));
        }
        for act in &acts {
            match act {
                Act::Say(bytes) => { server.try_say(bytes); }
                Act::Wait(millis) => world.pass(Duration::from_millis(u64::from(*millis))),
                Act::Listen => server.listen(),
                Act::Shut => server.shut(),
            }
            world.turn(&mut client);
        }
        world.pass(Duration::from_secs(10));
        world.turn(&mut client);
        prop_assert!(client.poll_timeout().is_none_or(|due| due > world.now));
    }
}
