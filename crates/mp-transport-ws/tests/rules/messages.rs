//! Messages, and how links end.

use std::time::Duration;

use mp_core::{DisconnectReason, Farewell, MultiplayerPeer, PeerEvent, TransferMode};
use mp_transport_ws::ServerOptions;
use mp_transport_ws::testing::Line;

use crate::common::*;

#[test]
fn who_breaks_the_rules_gets_the_close_code_and_is_gone() {
    for (said, code) in [
        (frame(0x82, b"no mask", None), 1002),
        (masked(0x83, b""), 1002),
        (masked(0xC2, b"reserved"), 1002),
        (masked(0x89, &[0; 126]), 1002),
        (masked(0x80, b"continues nothing"), 1002),
        (masked(0x81, &[0xC0, 0xAF]), 1007),
        (masked(0x82, &[0; 65_536]), 1009),
        (vec![0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0], 1009),
        (masked(0x88, &[3]), 1002),
    ] {
        let mut world = World::new(Line::default());
        let mut server = world.server(ServerOptions::default());
        let (mut stranger, link) = world.joined(&mut server);
        stranger.say(&said);
        stranger.say(&masked(0x82, b"never heard"));
        let mut events = world.turn(&mut server);
        let read = frames(&mut stranger.take());
        let expected = u16::to_be_bytes(code).to_vec();
        assert_eq!((read[0].first, &read[0].payload), (0x88, &expected), "{said:02X?}");
        assert_eq!(stranger.end, Some(true), "nothing more comes");
        stranger.shut();
        events.extend(world.turn(&mut server));
        assert_eq!(packets(&events), [] as [Vec<u8>; 0]);
        assert_eq!(end_of(&events), Some(DisconnectReason::Misbehaved));
        assert_eq!(server.connection_stats(link), None);
    }
}

#[test]
fn the_largest_message_is_taken() {
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::default());
    let (mut stranger, _) = world.joined(&mut server);
    stranger.say(&masked(0x82, &[7; 65_535]));
    assert_eq!(packets(&world.turn(&mut server)), [vec![7; 65_535]]);
    // In pieces, with a ping in between, and as text.
    stranger.say(&masked(0x01, "grüß".as_bytes()));
    stranger.say(&masked(0x89, b"are you there"));
    stranger.say(&masked(0x80, " dich".as_bytes()));
    assert_eq!(packets(&world.turn(&mut server)), ["grüß dich".as_bytes().to_vec()]);
    let pong = &frames(&mut stranger.take())[0];
    assert_eq!((pong.first, pong.payload.as_slice()), (0x8A, &b"are you there"[..]));
}

#[test]
fn an_empty_message_is_a_packet() {
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::default());
    let (mut stranger, link) = world.joined(&mut server);
    stranger.say(&masked(0x82, b""));
    assert_eq!(packets(&world.turn(&mut server)), [vec![]]);
    server.send(packet(link, TransferMode::Reliable, "")).unwrap();
    world.turn(&mut server);
    assert_eq!(stranger.take(), [0x82, 0]);
}

#[test]
fn an_unanswered_ping_ends_the_link_and_an_answered_one_does_not() {
    let mut world = World::new(Line::default());
    let options = ServerOptions::default().heartbeat_interval(Duration::from_secs(5));
    let mut server = world.server(options);
    let (mut alive, _) = world.joined(&mut server);
    alive.say(&masked(0x8A, b"")); // the first ping came with the handshake
    let (_dead, dead_link) = world.joined(&mut server);
    let mut ended = Vec::new();
    for _ in 0..12 {
        if alive.take().windows(2).any(|bytes| bytes == [0x89, 0]) {
            alive.say(&masked(0x8A, b""));
        }
        world.pass(Duration::from_secs(1));
        for event in world.turn(&mut server) {
            if let PeerEvent::Disconnected { connection, reason } = event {
                ended.push((connection, reason));
            }
        }
    }
    assert_eq!(ended, [(dead_link, DisconnectReason::Timeout)]);
}

#[test]
fn a_close_code_is_the_reason_and_its_text_can_be_asked_for() {
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::default());
    let (mut stranger, link) = world.joined(&mut server);
    stranger.say(&masked(0x88, b"\x0F\xA1bye"));
    let events = world.turn(&mut server);
    assert_eq!(end_of(&events), Some(DisconnectReason::Remote(4_001)));
    assert_eq!(stranger.take(), b"\x88\x05\x0F\xA1bye", "it is echoed");
    let last = server.last_close().unwrap();
    assert_eq!((last.connection, last.code, last.reason.as_str()), (link, 4_001, "bye"));
    // Without a code, and without a goodbye at all.
    for said in [masked(0x88, b""), Vec::new()] {
        let (mut stranger, _) = world.joined(&mut server);
        stranger.say(&said);
        stranger.shut();
        let events = world.turn(&mut server);
        assert_eq!(end_of(&events), Some(DisconnectReason::Remote(0)));
    }
}

#[test]
fn the_end_of_a_link_for_a_cause_is_told_with_the_cause() {
    for (reason, expected) in [
        (DisconnectReason::Kicked, &b"\x03\xE8"[..]),
        (DisconnectReason::Closed, b"\x03\xE8"),
        (DisconnectReason::DuplicateId, b"\x03\xF0peer id already in use"),
        (DisconnectReason::BranchPanicked, b"\x03\xF3its branch panicked"),
    ] {
        let mut world = World::new(Line::default());
        let mut server = world.server(ServerOptions::default());
        let (mut stranger, link) = world.joined(&mut server);
        server.disconnect(link, reason, Farewell::Polite);
        world.turn(&mut server);
        assert_eq!(frames(&mut stranger.take())[0].payload, expected);
        // It does not answer: it is not waited for for ever.
        world.pass(Duration::from_secs(3));
        assert_eq!(end_of(&world.turn(&mut server)), Some(reason));
    }
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::default());
    let (mut stranger, link) = world.joined(&mut server);
    server.close_peer(link, 4_002, &"ü".repeat(100));
    world.turn(&mut server);
    let close = &frames(&mut stranger.take())[0];
    assert_eq!(close.payload.len(), 124, "a reason is cut off between letters");
}
