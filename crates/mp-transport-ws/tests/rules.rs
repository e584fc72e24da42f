//! What servers and clients do, each rule by itself: handshakes, limits, ends and what happens under load.

mod common;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::*;
use mp_core::{
    ConnectionId, ConnectionStatus, DisconnectReason, Farewell, MultiplayerPeer, Origin, PeerEvent,
    SendError, TransferMode,
};
use mp_transport_ws::io::{ByteStream, StreamSource};
use mp_transport_ws::limits::{HANDSHAKE_TIMEOUT, RELIABLE_PROGRESS_TIMEOUT, WRITE_BYTES};
use mp_transport_ws::testing::{Line, Virtual, VirtualStream};
use mp_transport_ws::{ClientOptions, CreateError, ServerOptions, WebSocketMultiplayerPeer};

/// What a server answers to `said`, and whether it then waits for the end.
fn answer(options: ServerOptions, said: &[u8]) -> String {
    let mut world = World::new(Line::default());
    let mut server = world.server(options);
    let mut stranger = world.stranger();
    stranger.say(said);
    world.turn(&mut server);
    stranger.listen();
    stranger.text()
}

#[test]
fn a_supervisor_is_told_that_the_server_runs_and_other_pages_are_not_there() {
    for (request, status, has_body) in [
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", true),
        ("HEAD /healthz HTTP/1.1\r\n\r\n", "200 OK", false),
        ("GET /healthz?verbose HTTP/1.1\r\n\r\n", "200 OK", true),
        ("GET / HTTP/1.1\r\n\r\n", "404 Not Found", true),
        ("GET /index.html HTTP/1.0\r\n\r\n", "404 Not Found", true),
        ("POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed", true),
    ] {
        let answer = answer(ServerOptions::default(), request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Connection: close"), "{head}");
        assert_eq!(!body.is_empty(), has_body, "{request}");
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .unwrap()
            .parse()
            .unwrap();
        assert!(!has_body || length == body.len(), "{answer}");
    }
}

#[test]
fn a_handshake_that_cannot_be_is_told_why() {
    let without = |header: &str| {
        let text = String::from_utf8(request("/", "")).unwrap();
        let line = text.lines().find(|line| line.starts_with(header)).unwrap().to_owned();
        text.replace(&format!("{line}\r\n"), "")
    };
    let many = (0..70).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    let long = format!("X-Long: {}\r\n", "x".repeat(4_096));
    let text = |more: &str| String::from_utf8(request("/", more)).unwrap();
    for (request, status) in [
        (without("Connection"), "400 "),
        (without("Sec-WebSocket-Key"), "400 "),
        (without("Sec-WebSocket-Version"), "426 "),
        (text("").replace("Version: 13", "Version: 8"), "426 "),
        (text("").replace("GET", "POST"), "400 "),
        (text("Sec-WebSocket-Protocol: unknown\r\n"), "400 "),
        (text(&many), "431 "),
        (text(&long), "431 "),
        (format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(5_000)), "431 "),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{FC}".to_owned(), "400 "),
        ("GET / HTTP/1.1\r\nno header\r\n\r\n".to_owned(), "400 "),
        ("hello\r\n\r\n".to_owned(), "400 "),
    ] {
        let answer = answer(ServerOptions::default(), request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {answer:?}");
    }
}

#[test]
fn what_browsers_and_proxies_add_to_a_handshake_does_no_harm() {
    let added = "Origin: https://game.example\r\nUser-Agent: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie:\r\n";
    let mut request = String::from_utf8(request("/", added)).unwrap();
    request = request.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade");
    request = request.replace("Upgrade: websocket", "upgrade: WebSocket");
    let answer = answer(ServerOptions::default(), request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(!answer.contains("Extensions"), "{answer}");
    // RFC 6455 says what the answer to its key is.
    assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
}

#[test]
fn subprotocols_are_agreed_on_as_godot_does() {
    let options = |supported: &[&str]| {
        let mut options = ServerOptions::default();
        options.web_socket.supported_protocols = supported.iter().map(|&s| s.into()).collect();
        options
    };
    let two = "Sec-WebSocket-Protocol: b, a\r\n";
    for (supported, offered, chosen) in [
        (&["a", "b"][..], two, Some("b")),
        (&["a"], "Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Protocol: a\r\n", Some("a")),
        (&["c"], two, None),
        (&["a"], "", None),
        (&[], two, None),
    ] {
        let answer = answer(options(supported), &request("/", offered));
        match chosen {
            Some(chosen) => {
                let line = format!("\r\nSec-WebSocket-Protocol: {chosen}\r\n");
                assert!(answer.contains(&line), "{answer}");
            }
            None => assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}"),
        }
    }
}

#[test]
fn a_handshake_that_dawdles_is_answered_and_closed_by_its_timeout() {
    for said in [&b""[..], b"GET / HTTP/1.1\r\nHost: "] {
        let mut world = World::new(Line::default());
        let mut server = world.server(ServerOptions::default());
        let mut stranger = world.stranger();
        stranger.say(said);
        world.turn(&mut server);
        let due = server.poll_timeout().unwrap();
        assert_eq!(due - world.now, HANDSHAKE_TIMEOUT);
        world.pass(HANDSHAKE_TIMEOUT - Duration::from_millis(2));
        world.turn(&mut server);
        stranger.listen();
        assert_eq!((stranger.heard.len(), stranger.end), (0, None), "before the time");
        world.pass(Duration::from_millis(2));
        world.turn(&mut server);
        stranger.listen();
        assert!(stranger.text().starts_with("HTTP/1.1 408 "), "{}", stranger.text());
        assert!(stranger.end.is_some() && server.open_handshakes() == 0);
    }
}

#[test]
fn who_says_nothing_over_tls_is_closed_as_well() {
    let made = made_certificate("game");
    let mut options = ServerOptions::default();
    options.tls = Some(made.identity().unwrap().into());
    let mut world = World::new(Line::default());
    let mut server = world.server(options);
    let mut stranger = world.stranger();
    world.turn(&mut server);
    world.pass(HANDSHAKE_TIMEOUT);
    world.turn(&mut server);
    stranger.listen();
    assert!(stranger.end.is_some() && server.open_handshakes() == 0);
    // And so is who speaks no TLS, at once.
    let mut stranger = world.stranger();
    stranger.say(&request("/", ""));
    world.turn(&mut server);
    stranger.listen();
    assert!(stranger.end.is_some() && server.open_handshakes() == 0);
}

#[test]
fn an_answered_request_is_waited_for_until_its_sender_has_read_the_answer() {
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::default());
    let mut stranger = world.stranger();
    stranger.say(b"GET /healthz HTTP/1.1\r\n\r\n");
    world.turn(&mut server);
    stranger.say(b"more that nobody reads");
    world.turn(&mut server);
    stranger.listen();
    assert!(stranger.text().starts_with("HTTP/1.1 200"));
    assert_eq!(stranger.end, Some(true), "it was told that nothing more comes");
    stranger.shut();
    world.turn(&mut server);
    assert_eq!(server.open_handshakes(), 0);
}

#[test]
fn the_url_and_the_address_reach_the_door() {
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::default());
    let mut stranger = world.stranger();
    stranger.say(&request("/rooms/7?seat=2", "X-Forwarded-For: 203.0.113.9\r\n"));
    let events = world.turn(&mut server);
    let [PeerEvent::Connected { connection, origin, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(origin.path(), Some("/rooms/7"));
    assert_eq!(origin.url(), Some("ws://game:7778/rooms/7?seat=2"));
    let socket = origin.address().unwrap();
    assert!(socket.to_string().starts_with("10.0.0."), "nobody is believed by default: {socket}");
    let info = server.peer_info(*connection).unwrap();
    assert_eq!((info.address, info.requested_url), (socket, origin.url().unwrap().to_owned()));
    assert_eq!(info.selected_protocol, None);
}

#[test]
fn a_trusted_proxy_tells_whom_it_acts_for() {
    for (proxies, header, expected) in [
        (1, "X-Forwarded-For: 203.0.113.9\r\n", Some("203.0.113.9:0")),
        (1, "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n", Some("203.0.113.9:0")),
        (2, "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.9.9.9\r\n", Some("203.0.113.9:0")),
        (2, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.9.9.9\r\n", Some("203.0.113.9:0")),
        (1, "X-Forwarded-For: 203.0.113.9:4711\r\n", Some("203.0.113.9:4711")),
        (1, "X-Forwarded-For: 2001:db8::1\r\n", Some("[2001:db8::1]:0")),
        (1, "X-Forwarded-For: ::ffff:203.0.113.9\r\n", Some("203.0.113.9:0")),
        (1, "X-Forwarded-For: unknown\r\n", None),
        (1, "", None),
        (3, "X-Forwarded-For: 203.0.113.9\r\n", None),
    ] {
        let mut world = World::new(Line::default());
        let mut options = ServerOptions::default();
        options.trusted_proxies = proxies;
        let mut server = world.server(options);
        let mut stranger = world.stranger();
        stranger.say(&request("/", header));
        let events = world.turn(&mut server);
        let [PeerEvent::Connected { origin: Origin::Url { address: from, .. }, .. }] = &events[..]
        else {
            panic!("{events:?}")
        };
        match expected {
            Some(expected) => assert_eq!(*from, address(expected), "{header}"),
            None => assert!(from.to_string().starts_with("10.0.0."), "{header}: {from}"),
        }
    }
}

#[test]
fn a_full_server_tells_the_next_client() {
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::with_max_clients(1));
    let (_first, link) = world.joined(&mut server);
    let mut second = world.client(ClientOptions::default());
    for _ in 0..10 {
        world.turn(&mut second);
        world.turn(&mut server);
    }
    assert_eq!(second.connection_status(), ConnectionStatus::Disconnected);
    server.disconnect(link, DisconnectReason::Kicked, Farewell::Abrupt);
    world.joined(&mut server);
}

#[test]
fn the_oldest_handshake_makes_way_for_a_new_one() {
    let mut world = World::new(Line::default());
    let mut options = ServerOptions::default();
    options.max_handshakes = 3;
    let mut server = world.server(options);
    let (mut friend, link) = world.joined(&mut server);
    let mut slow: Vec<_> = (0..4).map(|_| world.stranger()).collect();
    for stranger in &mut slow {
        stranger.say(b"GET");
        world.turn(&mut server);
    }
    let ended: Vec<_> = slow
        .iter_mut()
        .map(|stranger| {
            stranger.listen();
            stranger.end.is_some()
        })
        .collect();
    assert_eq!(ended, [true, false, false, false]);
    assert_eq!((server.open_handshakes(), server.server_stats().replaced), (3, 1));
    server.send(packet(link, TransferMode::Reliable, "still here")).unwrap();
    world.turn(&mut server);
    assert_eq!(frames(&mut friend.take())[0].payload, b"still here");
}

#[test]
fn a_thousand_slow_handshakes_do_not_delay_a_good_one() {
    let mut world = World::new(Line::default());
    let mut server = world.server(ServerOptions::default());
    let mut slow: Vec<_> = (0..1_000).map(|_| world.stranger()).collect();
    for (index, stranger) in slow.iter_mut().enumerate() {
        stranger.say(&request("/", "")[..index % 60]);
    }
    let mut good = world.client(ClientOptions::default());
    let begin = world.now;
    while good.connection_status() != ConnectionStatus::Connected {
        for stranger in slow.iter_mut().step_by(10) {
            stranger.try_say(b"x");
        }
        world.turn(&mut server);
        world.turn(&mut good);
        assert!(world.now - begin < Duration::from_millis(50), "it has to wait");
    }
    assert!(server.open_handshakes() > 900, "the others are still there");
    world.pass(HANDSHAKE_TIMEOUT);
    world.turn(&mut server);
    assert_eq!(server.open_handshakes(), 0);
}

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
fn an_unreliable_packet_for_a_full_socket_is_dropped_and_a_reliable_one_waits() {
    let mut world = World::new(Line { capacity: 10_000, ..Line::default() });
    let mut server = world.server(ServerOptions::default());
    let (mut stranger, link) = world.joined(&mut server);
    server.send(packet(link, TransferMode::Reliable, vec![1; 20_000])).unwrap();
    world.turn(&mut server);
    for mode in [TransferMode::Unreliable, TransferMode::UnreliableOrdered, TransferMode::Reliable]
    {
        server.send(packet(link, mode, format!("{mode:?}"))).unwrap();
    }
    assert_eq!(server.connection_stats(link).unwrap().send_drops, 2);
    let mut heard = Vec::new();
    for _ in 0..10 {
        heard.extend(stranger.take());
        world.turn(&mut server);
    }
    let read = frames(&mut heard);
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].payload.len(), read[1].payload.as_slice()), (20_000, &b"Reliable"[..]));
    assert_eq!(server.connection_stats(link).unwrap().queued_bytes, 0);
    // Once the socket has room they are sent again.
    server.send(packet(link, TransferMode::Unreliable, "there is room")).unwrap();
    world.turn(&mut server);
    assert_eq!(frames(&mut stranger.take())[0].payload, b"there is room");
}

#[test]
fn beyond_the_limit_of_queued_packets_unreliable_ones_are_dropped() {
    let mut world = World::new(Line::default());
    let mut options = ServerOptions::default();
    options.web_socket.max_queued_packets = 10;
    let mut server = world.server(options);
    let (mut stranger, link) = world.joined(&mut server);
    for _ in 0..15 {
        server.send(packet(link, TransferMode::Unreliable, "x")).unwrap();
        server.send(packet(link, TransferMode::Reliable, "y")).unwrap();
    }
    world.turn(&mut server);
    let read = frames(&mut stranger.take());
    assert_eq!(read.iter().filter(|frame| frame.payload == b"y").count(), 15);
    assert_eq!(read.iter().filter(|frame| frame.payload == b"x").count(), 5);
    assert_eq!(server.connection_stats(link).unwrap().send_drops, 10);
}

#[test]
fn a_slow_reader_holds_its_bound_delays_nobody_and_ends_with_a_reason() {
    let mut world = World::new(Line { capacity: 10_000, ..Line::default() });
    let mut options = ServerOptions::default();
    options.web_socket.reliable_queue_bytes = 1 << 20;
    let mut server = world.server(options);
    let (mut slow, slow_link) = world.joined(&mut server);
    let (mut quick, quick_link) = world.joined(&mut server);
    let mut end = None;
    for round in 0..200u32 {
        for link in [slow_link, quick_link] {
            let payload = [&round.to_le_bytes()[..], &[0; 8_000]].concat();
            server.send(packet(link, TransferMode::Reliable, payload)).unwrap();
        }
        let events = world.turn(&mut server);
        end = end.or_else(|| end_of(&events));
        let read = frames(&mut quick.take());
        assert_eq!(read[0].payload[..4], round.to_le_bytes(), "the quick one has it at once");
        if let Some(stats) = server.connection_stats(slow_link) {
            assert!(stats.queued_bytes <= (1 << 20) + 2 * WRITE_BYTES as u64, "{stats:?}");
        }
    }
    // What it was told last does not arrive before it reads: it is forgotten after a while.
    world.pass(Duration::from_secs(3));
    end = end.or_else(|| end_of(&world.turn(&mut server)));
    assert_eq!(end, Some(DisconnectReason::QueueFull));
    slow.listen();
    assert!(slow.end.is_some());
}

#[test]
fn a_socket_that_takes_nothing_for_too_long_ends_its_link() {
    let mut world = World::new(Line { capacity: 1_000, ..Line::default() });
    let mut server = world.server(ServerOptions::default());
    let (_slow, link) = world.joined(&mut server);
    server.send(packet(link, TransferMode::Reliable, vec![0; 5_000])).unwrap();
    world.turn(&mut server);
    assert_eq!(server.poll_timeout(), Some(world.now + RELIABLE_PROGRESS_TIMEOUT));
    world.pass(RELIABLE_PROGRESS_TIMEOUT);
    assert_eq!(end_of(&world.turn(&mut server)), Some(DisconnectReason::QueueFull));
}

#[test]
fn who_sends_pings_and_reads_no_answers_is_not_read_any_more() {
    let mut world = World::new(Line { capacity: 2_000, ..Line::default() });
    let mut server = world.server(ServerOptions::default());
    let (mut stranger, link) = world.joined(&mut server);
    let ping = masked(0x89, &[0; 125]);
    let mut taken = 0;
    for _ in 0..5_000 {
        taken += stranger.try_say(&ping);
        world.turn(&mut server);
    }
    let waiting = server.peer_info(link).unwrap().current_outbound_buffered_amount;
    assert!(waiting < 100_000, "{waiting} bytes of pongs wait");
    assert!(taken < 200_000, "{taken} bytes of pings were taken");
    // Once it reads, it is heard again.
    let mut pongs = 0;
    for _ in 0..300 {
        pongs += stranger.take().len();
        world.turn(&mut server);
    }
    assert!(pongs > 2_000, "{pongs}");
    stranger.listen();
    let mut rest = ping.clone();
    rest.drain(..taken % ping.len());
    stranger.say(&rest);
    stranger.say(&masked(0x82, b"hello"));
    assert_eq!(packets(&world.turn(&mut server)), [b"hello"]);
}

#[test]
fn an_unanswered_ping_ends_the_link_and_an_answered_one_does_not() {
    let mut world = World::new(Line::default());
    let mut options = ServerOptions::default();
    options.web_socket.heartbeat_interval = Duration::from_secs(5);
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

/// What becomes of a client to whom a server says `said`.
fn client_hears(said: &[u8]) -> (ConnectionStatus, Vec<PeerEvent>) {
    let mut world = World::new(Line::default());
    let mut listener = world.network.listener();
    let mut options = ClientOptions::default();
    options.seed = Some([9; 32]);
    let mut client = world.client(options);
    world.turn(&mut client);
    let mut server = Stranger::accepted(&mut listener);
    world.turn(&mut client);
    server.listen();
    let request = server.text();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let said = replace(said, b"ACCEPT", accept.as_bytes());
    server.say(&said);
    let mut events = world.turn(&mut client);
    world.pass(HANDSHAKE_TIMEOUT);
    events.extend(world.turn(&mut client));
    (client.connection_status(), events)
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match text.windows(from.len()).position(|part| part == from) {
        Some(at) => [&text[..at], to, &text[at + from.len()..]].concat(),
        None => text.to_vec(),
    }
}

const OPEN: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";

#[test]
fn a_client_gets_its_id_from_its_server_in_any_form() {
    let id = 123_456_789i32.to_le_bytes();
    let whole = frame(0x82, &id, None);
    let fragments = [frame(0x02, &id[..1], None), frame(0x80, &id[1..], None)].concat();
    let lower = replace(OPEN, b"Upgrade: websocket", b"UPGRADE: WebSocket");
    for said in [
        [OPEN, &whole].concat(),
        [OPEN, &fragments].concat(),
        [&lower, &whole[..]].concat(),
        [OPEN, b"\x89\0", &whole, &frame(0x82, b"and more", None)].concat(),
    ] {
        let (status, events) = client_hears(&said);
        assert_eq!(status, ConnectionStatus::Connected);
        let [PeerEvent::UniqueId(unique_id), PeerEvent::Connected { claimed_id, .. }, ..] =
            &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!((unique_id.get(), claimed_id.unwrap().get()), (123_456_789, 1));
    }
}

#[test]
fn a_client_does_not_connect_to_what_is_no_game_server() {
    let id = |id: i32| frame(0x82, &id.to_le_bytes(), None);
    let other = |from: &[u8], to: &[u8]| [&replace(OPEN, from, to)[..], &id(5)].concat();
    for said in [
        other(b"ACCEPT", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        other(b"101 Switching Protocols", b"200 OK"),
        other(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"),
        other(b"Upgrade: websocket\r\n", b""),
        other(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        other(b"\r\n\r\n", format!("\r\nX: {}\r\n\r\n", "x".repeat(4_096)).as_bytes()),
        [OPEN, &id(1)].concat(),
        [OPEN, &id(-5)].concat(),
        [OPEN, &frame(0x82, b"five!", None)].concat(),
        [OPEN, &masked(0x82, &5i32.to_le_bytes())].concat(),
        OPEN.to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
        Vec::new(),
    ] {
        let (status, events) = client_hears(&said);
        let text = String::from_utf8_lossy(&said);
        assert_eq!((status, &events[..]), (ConnectionStatus::Disconnected, &[][..]), "{text}");
    }
}

#[test]
fn a_client_without_a_server_gives_up() {
    let mut world = World::new(Line::default());
    let mut client = world.client(ClientOptions::default());
    assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
    assert_eq!(world.turn(&mut client), []);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    let nobody = ConnectionId { slot: 0, generation: 0 };
    let sent = client.send(packet(nobody, TransferMode::Reliable, "x"));
    assert_eq!(sent, Err(SendError::NotConnected));
}

#[test]
fn what_cannot_be_used_is_refused_with_the_way_out() {
    let server = |change: fn(&mut ServerOptions)| {
        let mut options = ServerOptions::default();
        change(&mut options);
        let world = World::new(Line::default());
        WebSocketMultiplayerPeer::server(world.network.listener(), options).map(drop).unwrap_err()
    };
    for (error, parts) in [
        (server(|o| o.web_socket.handshake_timeout = Duration::ZERO), &["timeout", "3 s"][..]),
        (server(|o| o.web_socket.inbound_buffer_size = 10), &["10 bytes", "125"]),
        (server(|o| o.web_socket.handshake_headers = vec!["X".into()]), &["\"X\"", "Name: value"]),
        (server(|o| o.web_socket.handshake_headers = vec!["X: a\r\nY: b".into()]), &["one line"]),
        (server(|o| o.web_socket.supported_protocols = vec!["a b".into()]), &["\"a b\""]),
        (server(|o| o.max_clients = 0), &["0 clients"]),
    ] {
        let why = error.to_string();
        assert!(parts.iter().all(|part| why.contains(part)), "{why}");
    }
    let url = WebSocketMultiplayerPeer::create_client("http://game", ClientOptions::default());
    assert!(matches!(url, Err(CreateError::Url(_))));
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let first = WebSocketMultiplayerPeer::create_server(any, ServerOptions::default()).unwrap();
    let taken = first.local_addr().unwrap();
    let second = WebSocketMultiplayerPeer::create_server(taken, ServerOptions::default());
    let why = second.map(drop).unwrap_err().to_string();
    assert!(why.contains(&taken.to_string()) && why.contains("choose another port"), "{why}");
}

/// Counts the writes of its connections.
struct Counting(Virtual, Arc<AtomicUsize>);

struct Counted(VirtualStream, Arc<AtomicUsize>);

impl StreamSource for Counting {
    type Stream = Counted;

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Counted, SocketAddr)>> {
        let count = Arc::clone(&self.1);
        self.0.poll_stream(cx).map_ok(|(stream, address)| (Counted(stream, count), address))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl ByteStream for Counted {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.poll_write(cx, bytes)
    }

    fn shutdown(&mut self) {
        self.0.shutdown();
    }
}

#[test]
fn all_that_a_turn_has_for_a_link_leaves_in_one_write() {
    let mut world = World::new(Line { chunk: 1 << 30, ..Line::default() });
    let writes = Arc::new(AtomicUsize::new(0));
    let source = Counting(world.network.listener(), Arc::clone(&writes));
    let options = seeded(ServerOptions::default());
    let mut server = WebSocketMultiplayerPeer::server(source, options).unwrap();
    let mut stranger = world.stranger();
    stranger.say(&request("/", ""));
    world.pass(Duration::from_millis(1));
    server.poll(world.now);
    let Some(PeerEvent::Connected { connection, .. }) = server.next_event() else { panic!() };
    for number in 0..100u8 {
        server.send(packet(connection, TransferMode::Reliable, vec![number; 200])).unwrap();
    }
    server.flush(world.now);
    // The answer to the handshake, the id and 100 messages.
    let heard = stranger.take();
    let head = heard.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(frames(&mut heard[head..].to_vec()).len(), 1 + 100);
    assert!(writes.load(Ordering::Relaxed) <= 2, "{} writes", writes.load(Ordering::Relaxed));
    server.flush(world.now);
    let before = writes.load(Ordering::Relaxed);
    server.flush(world.now);
    assert_eq!(writes.load(Ordering::Relaxed), before, "a turn without anything writes nothing");
}
