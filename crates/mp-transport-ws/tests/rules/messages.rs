//! Messages, and closing of connections.

use std::time::Duration;

use mp_core::{CloseMode, DisconnectReason, MultiplayerPeer, PeerEvent, Rejection, TransferMode};
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{MessageRefusal, ServerOptions};

use crate::common::*;

#[test]
fn protocol_violation_closes_the_connection_with_its_close_code() {
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
        let mut world = World::new(StreamConditions::default());
        let mut server = world.server(ServerOptions::default());
        let (mut raw_peer, id) = world.joined(&mut server);
        raw_peer.send(&said);
        raw_peer.send(&masked(0x82, b"after the violation"));
        let mut events = world.turn(&mut server);
        let read = frames(&mut raw_peer.take());
        let expected = u16::to_be_bytes(code).to_vec();
        assert_eq!((read[0].first, &read[0].payload), (0x88, &expected), "{said:02X?}");
        let refusal = match code {
            1002 => MessageRefusal::InvalidFrame,
            1007 => MessageRefusal::NotUtf8,
            _ => MessageRefusal::TooLong,
        };
        let refused: Vec<_> = server.server_stats().refused_messages.iter().collect();
        assert_eq!(refused, [(refusal, 1)], "{said:02X?}");
        assert_eq!(raw_peer.end, Some(true), "the server shuts the connection down");
        raw_peer.shutdown();
        events.extend(world.turn(&mut server));
        assert_eq!(packets(&events), [] as [Vec<u8>; 0]);
        assert_eq!(end_of(&events), Some(DisconnectReason::ProtocolViolation));
        assert_eq!(server.connection_stats(id), None);
    }
}

#[test]
fn largest_message_is_received() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, _) = world.joined(&mut server);
    raw_peer.send(&masked(0x82, &[7; 65_535]));
    assert_eq!(packets(&world.turn(&mut server)), [vec![7; 65_535]]);
    // In fragments, with a ping between them, and as text.
    raw_peer.send(&masked(0x01, "grüß".as_bytes()));
    raw_peer.send(&masked(0x89, b"payload of the ping"));
    raw_peer.send(&masked(0x80, " dich".as_bytes()));
    assert_eq!(packets(&world.turn(&mut server)), ["grüß dich".as_bytes().to_vec()]);
    let pong = &frames(&mut raw_peer.take())[0];
    assert_eq!((pong.first, pong.payload.as_slice()), (0x8A, &b"payload of the ping"[..]));
}

#[test]
fn empty_message_is_a_packet() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, id) = world.joined(&mut server);
    raw_peer.send(&masked(0x82, b""));
    assert_eq!(packets(&world.turn(&mut server)), [vec![]]);
    server.send(packet(id, TransferMode::Reliable, "")).unwrap();
    world.turn(&mut server);
    assert_eq!(raw_peer.take(), [0x82, 0]);
}

#[test]
fn unanswered_ping_closes_the_connection() {
    let mut world = World::new(StreamConditions::default());
    let options = ServerOptions::default().heartbeat_interval(Duration::from_secs(5));
    let mut server = world.server(options);
    let (mut alive, _) = world.joined(&mut server);
    alive.send(&masked(0x8A, b"")); // the first ping came with the handshake
    let (_dead, dead_id) = world.joined(&mut server);
    let mut ended = Vec::new();
    for _ in 0..12 {
        if alive.take().windows(2).any(|bytes| bytes == [0x89, 0]) {
            alive.send(&masked(0x8A, b""));
        }
        world.pass(Duration::from_secs(1));
        for event in world.turn(&mut server) {
            if let PeerEvent::Disconnected { connection, reason } = event {
                ended.push((connection, reason));
            }
        }
    }
    assert_eq!(ended, [(dead_id, DisconnectReason::Timeout)]);
}

#[test]
fn close_code_is_the_reason_and_last_close_has_its_text() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, id) = world.joined(&mut server);
    raw_peer.send(&masked(0x88, b"\x0F\xA1bye"));
    let events = world.turn(&mut server);
    assert_eq!(end_of(&events), Some(DisconnectReason::Remote(4_001)));
    assert_eq!(raw_peer.take(), b"\x88\x05\x0F\xA1bye", "the close frame is echoed");
    let last = server.last_close().unwrap();
    assert_eq!((last.connection, last.code, last.reason.as_str()), (id, 4_001, "bye"));
    // Without a code, and without a close frame.
    for said in [masked(0x88, b""), Vec::new()] {
        let (mut raw_peer, _) = world.joined(&mut server);
        raw_peer.send(&said);
        raw_peer.shutdown();
        let events = world.turn(&mut server);
        assert_eq!(end_of(&events), Some(DisconnectReason::Remote(0)));
    }
}

const KICKED: DisconnectReason =
    DisconnectReason::Rejected(Rejection::new("kicked", "you were disconnected"));

#[test]
fn close_frame_has_code_and_text_of_the_disconnect_reason() {
    for (reason, expected) in [
        (DisconnectReason::Kicked, &b"\x03\xE8"[..]),
        (DisconnectReason::Closed, b"\x03\xE8"),
        (DisconnectReason::DuplicateId, b"\x03\xF0peer id already in use"),
        (DisconnectReason::BranchPanicked, b"\x03\xF3its branch panicked"),
        (
            DisconnectReason::Rejected(Rejection::new("room_full", "the room is full")),
            b"\x03\xF0room_full",
        ),
    ] {
        let mut world = World::new(StreamConditions::default());
        let mut server = world.server(ServerOptions::default());
        let (mut raw_peer, id) = world.joined(&mut server);
        server.disconnect(id, reason, CloseMode::Graceful);
        world.turn(&mut server);
        assert_eq!(frames(&mut raw_peer.take())[0].payload, expected);
        // The remote peer does not answer the close frame, so the connection times out.
        world.pass(Duration::from_secs(3));
        assert_eq!(end_of(&world.turn(&mut server)), Some(reason));
    }
    for (reason, text, expected) in [
        (KICKED, "kicked: be nice".to_owned(), "kicked: be nice".to_owned()),
        (KICKED, "ü".repeat(100), "ü".repeat(61)),
        (DisconnectReason::DuplicateId, "be nice".to_owned(), "peer id already in use".to_owned()),
    ] {
        for close_mode in [CloseMode::Graceful, CloseMode::Drain] {
            let mut world = World::new(StreamConditions::default());
            let mut server = world.server(ServerOptions::default());
            let (mut raw_peer, id) = world.joined(&mut server);
            server.set_close_text(id, &text);
            server.disconnect(id, reason, close_mode);
            world.turn(&mut server);
            let close = &frames(&mut raw_peer.take())[0];
            assert_eq!(close.payload[2..], *expected.as_bytes(), "{close_mode:?}");
        }
    }
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, id) = world.joined(&mut server);
    server.close_peer(id, 4_002, &"ü".repeat(100));
    world.turn(&mut server);
    let close = &frames(&mut raw_peer.take())[0];
    assert_eq!(close.payload.len(), 124, "the reason is cut between characters");
}
