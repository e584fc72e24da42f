//! Handshakes: valid, invalid, slow and many at a time.

use std::time::Duration;

use mp_core::{
    CloseMode, ConnectionGate, ConnectionOrigin, ConnectionStatus, DisconnectReason, GateLimits,
    GateRefusal, MultiplayerPeer, PeerEvent, TransferMode,
};
use mp_transport_ws::limits::HANDSHAKE_TIMEOUT;
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{ClientOptions, RequestRefusal, ServerOptions};

use crate::common::*;

/// Returns the response of a server to `said`.
fn answer(options: ServerOptions, said: &[u8]) -> String {
    answer_and_refusals(options, said).0
}

/// Returns the response of a server to `said`, and the refused requests.
fn answer_and_refusals(
    options: ServerOptions,
    said: &[u8],
) -> (String, Vec<(RequestRefusal, u64)>) {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(options);
    let mut raw_peer = world.raw_peer();
    raw_peer.send(said);
    world.turn(&mut server);
    raw_peer.receive();
    (raw_peer.text(), server.server_stats().refused_requests.iter().collect())
}

#[test]
fn healthz_responds_and_other_pages_do_not_exist() {
    for (request, status, has_body) in [
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", true),
        ("HEAD /healthz HTTP/1.1\r\n\r\n", "200 OK", false),
        ("GET /healthz?verbose HTTP/1.1\r\n\r\n", "200 OK", true),
        ("GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", true),
        ("HEAD HTTPS://a:80/healthz?x HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK", false),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found", true),
        ("GET http:///healthz HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found", true),
        ("GET / HTTP/1.1\r\n\r\n", "404 Not Found", true),
        ("GET /index.html HTTP/1.0\r\n\r\n", "404 Not Found", true),
        ("POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed", true),
    ] {
        let (answer, refused) = answer_and_refusals(ServerOptions::default(), request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
        let expected = match status {
            "404 Not Found" => vec![(RequestRefusal::NotFound, 1)],
            "405 Method Not Allowed" => vec![(RequestRefusal::MethodNotAllowed, 1)],
            _ => vec![],
        };
        assert_eq!(refused, expected, "{request}");
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
fn invalid_handshake_gets_a_response_with_the_reason() {
    let without = |header: &str| {
        let text = String::from_utf8(request("/", "")).unwrap();
        let line = text.lines().find(|line| line.starts_with(header)).unwrap().to_owned();
        text.replace(&format!("{line}\r\n"), "")
    };
    let many = (0..70).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    let long = format!("X-Long: {}\r\n", "x".repeat(4_096));
    let text = |more: &str| String::from_utf8(request("/", more)).unwrap();
    for (request, status, refusal) in [
        (without("Connection"), "400 ", RequestRefusal::NoConnectionUpgrade),
        (without("Sec-WebSocket-Key"), "400 ", RequestRefusal::NoKey),
        (without("Sec-WebSocket-Version"), "426 ", RequestRefusal::UnsupportedVersion),
        (text("").replace("Version: 13", "Version: 8"), "426 ", RequestRefusal::UnsupportedVersion),
        (text("").replace("GET", "POST"), "400 ", RequestRefusal::NotGet),
        (text("Sec-WebSocket-Protocol: unknown\r\n"), "400 ", RequestRefusal::NoSubprotocol),
        (text(&many), "431 ", RequestRefusal::HeadTooLarge),
        (text(&long), "431 ", RequestRefusal::HeadTooLarge),
        (
            format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(5_000)),
            "431 ",
            RequestRefusal::HeadTooLarge,
        ),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{FC}".to_owned(), "400 ", RequestRefusal::NotHttp),
        ("GET / HTTP/1.1\r\nno header\r\n\r\n".to_owned(), "400 ", RequestRefusal::NotHttp),
        ("hello\r\n\r\n".to_owned(), "400 ", RequestRefusal::NotHttp),
    ] {
        let (answer, refused) = answer_and_refusals(ServerOptions::default(), request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {answer:?}");
        assert_eq!(refused, [(refusal, 1)], "{request:?}");
    }
}

#[test]
fn headers_that_browsers_and_proxies_add_are_accepted() {
    let added = "Origin: https://game.example\r\nUser-Agent: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie:\r\n";
    let mut request = String::from_utf8(request("/", added)).unwrap();
    request = request.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade");
    request = request.replace("Upgrade: websocket", "upgrade: WebSocket");
    let answer = answer(ServerOptions::default(), request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(!answer.contains("Extensions"), "{answer}");
    // RFC 6455 has the response to this key.
    assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
}

#[test]
fn subprotocol_is_chosen_as_in_godot() {
    let options = |supported: &[&str]| {
        ServerOptions::default().supported_protocols(supported.iter().copied())
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
fn slow_handshake_gets_a_response_and_is_closed_at_its_timeout() {
    for said in [&b""[..], b"GET / HTTP/1.1\r\nHost: "] {
        let mut world = World::new(StreamConditions::default());
        let mut server = world.server(ServerOptions::default());
        let mut raw_peer = world.raw_peer();
        raw_peer.send(said);
        world.turn(&mut server);
        let due = server.poll_timeout().unwrap();
        assert_eq!(due - world.now, HANDSHAKE_TIMEOUT);
        world.pass(HANDSHAKE_TIMEOUT - Duration::from_millis(2));
        world.turn(&mut server);
        raw_peer.receive();
        assert_eq!((raw_peer.received.len(), raw_peer.end), (0, None), "before the timeout");
        world.pass(Duration::from_millis(2));
        world.turn(&mut server);
        raw_peer.receive();
        assert!(raw_peer.text().starts_with("HTTP/1.1 408 "), "{}", raw_peer.text());
        assert_eq!(server.server_stats().refused_requests.get(RequestRefusal::Timeout), 1);
        assert!(raw_peer.end.is_some() && server.open_handshakes() == 0);
    }
}

#[test]
fn silent_tls_connection_is_closed_at_the_handshake_timeout() {
    let made = made_certificate("game");
    let options = ServerOptions::default().tls(made.identity().unwrap());
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(options);
    let mut raw_peer = world.raw_peer();
    world.turn(&mut server);
    world.pass(HANDSHAKE_TIMEOUT);
    world.turn(&mut server);
    raw_peer.receive();
    assert!(raw_peer.end.is_some() && server.open_handshakes() == 0);
    // A connection without TLS is closed immediately.
    let mut raw_peer = world.raw_peer();
    raw_peer.send(&request("/", ""));
    world.turn(&mut server);
    raw_peer.receive();
    assert!(raw_peer.end.is_some() && server.open_handshakes() == 0);
}

#[test]
fn connection_stays_open_until_its_response_is_read() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let mut raw_peer = world.raw_peer();
    raw_peer.send(b"GET /healthz HTTP/1.1\r\n\r\n");
    world.turn(&mut server);
    raw_peer.send(b"ignored bytes");
    world.turn(&mut server);
    raw_peer.receive();
    assert!(raw_peer.text().starts_with("HTTP/1.1 200"));
    assert_eq!(raw_peer.end, Some(true), "the server shuts the connection down");
    raw_peer.shutdown();
    world.turn(&mut server);
    assert_eq!(server.open_handshakes(), 0);
}

#[test]
fn url_and_address_reach_the_router() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let mut raw_peer = world.raw_peer();
    raw_peer.send(&request("/rooms/7?seat=2", "X-Forwarded-For: 203.0.113.9\r\n"));
    let events = world.turn(&mut server);
    let [PeerEvent::Connected { connection, origin, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(origin.path(), Some("/rooms/7"));
    assert_eq!(origin.url(), Some("ws://game:7778/rooms/7?seat=2"));
    let socket = origin.address().unwrap();
    assert!(
        socket.to_string().starts_with("10.0.0."),
        "the header is ignored by default: {socket}"
    );
    let info = server.peer_info(*connection).unwrap();
    assert_eq!((info.address, info.requested_url), (socket, origin.url().unwrap().to_owned()));
    assert_eq!(info.selected_protocol, None);
}

#[test]
fn request_target_may_be_an_absolute_url() {
    for (target, url) in [
        ("http://b:7801/room?seat=2", "ws://b:7801/room?seat=2"),
        ("WSS://b/room", "ws://b/room"),
        ("ws://b", "ws://b/"),
        ("http://b?seat=2", "ws://b/?seat=2"),
        ("/http://b/room", "ws://game:7778/http://b/room"),
    ] {
        let mut world = World::new(StreamConditions::default());
        let mut server = world.server(ServerOptions::default());
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request(target, ""));
        let events = world.turn(&mut server);
        let [PeerEvent::Connected { origin, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(origin.url(), Some(url), "{target}");
    }
    for target in ["*", "room", "b:7801", "ftp://b/room", "http:///room"] {
        let (answer, refused) = answer_and_refusals(ServerOptions::default(), &request(target, ""));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
        assert_eq!(refused, [(RequestRefusal::InvalidTarget, 1)], "{target}");
    }
}

#[test]
fn address_of_the_client_comes_from_a_trusted_proxy() {
    for (proxies, header, expected) in [
        (1, "X-Forwarded-For: 203.0.113.9\r\n", Some("203.0.113.9:0")),
        (1, "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n", Some("203.0.113.9:0")),
        (2, "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.9.9.9\r\n", Some("203.0.113.9:0")),
        (2, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 10.9.9.9\r\n", Some("203.0.113.9:0")),
        (1, "X-Forwarded-For: 203.0.113.9:4711\r\n", Some("203.0.113.9:4711")),
        (1, "X-Forwarded-For: 2001:db8::1\r\n", Some("[2001:db8::1]:0")),
        (1, "X-Forwarded-For: [2001:db8::1]\r\n", Some("[2001:db8::1]:0")),
        (1, "X-Forwarded-For: 6.6.6.6, [2001:db8::1]:443\r\n", Some("[2001:db8::1]:443")),
        (1, "X-Forwarded-For: [203.0.113.9]\r\n", None),
        (1, "X-Forwarded-For: [2001:db8::1\r\n", None),
        (1, "X-Forwarded-For: ::ffff:203.0.113.9\r\n", Some("203.0.113.9:0")),
        (1, "X-Forwarded-For: [::ffff:203.0.113.9]:443\r\n", Some("203.0.113.9:443")),
        (1, "X-Forwarded-For: unknown\r\n", None),
        (1, "", None),
        (3, "X-Forwarded-For: 203.0.113.9\r\n", None),
    ] {
        let mut world = World::new(StreamConditions::default());
        let options = ServerOptions::default().trusted_proxies(proxies);
        let mut server = world.server(options);
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request("/", header));
        let events = world.turn(&mut server);
        let [PeerEvent::Connected { origin: ConnectionOrigin::Url { address: from, .. }, .. }] =
            &events[..]
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
fn header_of_connections_from_other_networks_than_the_proxies_is_ignored() {
    for (network, is_used) in [("10.0.0.0/24", true), ("192.0.2.0/24", false)] {
        let gate = ConnectionGate::default();
        gate.set_bans(["203.0.113.9".parse().unwrap()]);
        let options = ServerOptions::default().trusted_proxies(1).gate(gate);
        let mut world = World::new(StreamConditions::default());
        let mut server = world.server(options.proxy_networks([network.parse().unwrap()]));
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request("/", "X-Forwarded-For: 203.0.113.9\r\n"));
        world.turn(&mut server);
        let refused = server.server_stats().refused_requests.get(RequestRefusal::Gate);
        assert_eq!(refused, u64::from(is_used), "{network}");
    }
}

#[test]
fn full_server_rejects_new_clients_with_503() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default().max_clients(1));
    let (_first, id) = world.joined(&mut server);
    let mut second = world.client(ClientOptions::default());
    for _ in 0..10 {
        world.turn(&mut second);
        world.turn(&mut server);
    }
    assert_eq!(second.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(server.server_stats().refused_requests.get(RequestRefusal::ServerFull), 1);
    server.disconnect(id, DisconnectReason::Kicked, CloseMode::Immediate);
    world.joined(&mut server);
}

#[test]
fn refusing_server_rejects_new_clients_with_503() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    server.set_refuse_new_connections(true);
    let mut raw_peer = world.raw_peer();
    raw_peer.send(&request("/", ""));
    world.turn(&mut server);
    assert!(raw_peer.take().starts_with(b"HTTP/1.1 503 "));
    let refused: Vec<_> = server.server_stats().refused_requests.iter().collect();
    assert_eq!(refused, [(RequestRefusal::Refusing, 1)]);
}

#[test]
fn new_handshake_replaces_the_oldest() {
    let mut world = World::new(StreamConditions::default());
    let options = ServerOptions::default().max_half_open(3);
    let mut server = world.server(options);
    let (mut friend, id) = world.joined(&mut server);
    let mut slow: Vec<_> = (0..4).map(|_| world.raw_peer()).collect();
    for raw_peer in &mut slow {
        raw_peer.send(b"GET");
        world.turn(&mut server);
    }
    let ended: Vec<_> = slow
        .iter_mut()
        .map(|raw_peer| {
            raw_peer.receive();
            raw_peer.end.is_some()
        })
        .collect();
    assert_eq!(ended, [true, false, false, false]);
    assert_eq!((server.open_handshakes(), server.server_stats().replaced), (3, 1));
    server.send(packet(id, TransferMode::Reliable, "still here")).unwrap();
    world.turn(&mut server);
    assert_eq!(frames(&mut friend.take())[0].payload, b"still here");
}

#[test]
fn a_thousand_slow_handshakes_do_not_delay_a_good_one() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let mut slow: Vec<_> = (0..1_000).map(|_| world.raw_peer()).collect();
    for (index, raw_peer) in slow.iter_mut().enumerate() {
        raw_peer.send(&request("/", "")[..index % 60]);
    }
    let mut good = world.client(ClientOptions::default());
    let begin = world.now;
    while good.connection_status() != ConnectionStatus::Connected {
        for raw_peer in slow.iter_mut().step_by(10) {
            raw_peer.try_send(b"x");
        }
        world.turn(&mut server);
        world.turn(&mut good);
        assert!(world.now - begin < Duration::from_millis(50), "the handshake is delayed");
    }
    assert!(server.open_handshakes() > 900, "the other handshakes are pending");
    world.pass(HANDSHAKE_TIMEOUT);
    world.turn(&mut server);
    assert_eq!(server.open_handshakes(), 0);
}

#[test]
fn gate_closes_connections_of_refused_addresses_before_their_handshake() {
    let gate = ConnectionGate::default();
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default().gate(gate.clone()));
    gate.set_bans(["10.0.0.0/8".parse().unwrap()]);
    let mut raw_peer = world.raw_peer();
    raw_peer.send(&request("/", ""));
    assert_eq!(world.turn(&mut server), []);
    raw_peer.receive();
    assert_eq!(raw_peer.text(), "", "closed without a response");
    assert_eq!(gate.stats().refused.get(GateRefusal::Banned), 1);
    gate.set_bans([]);
    world.joined(&mut server);
}

#[test]
fn gate_counts_a_connection_until_it_ends() {
    let gate = ConnectionGate::default();
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default().gate(gate.clone()));
    let (_first, id) = world.joined(&mut server);
    assert_eq!(gate.stats().connections, 1);
    server.disconnect(id, DisconnectReason::Kicked, CloseMode::Immediate);
    world.turn(&mut server);
    assert_eq!(gate.stats().connections, 0);
}

#[test]
fn gate_refuses_clients_behind_proxies_by_their_forwarded_address() {
    let gate = ConnectionGate::default();
    gate.set_limits(GateLimits { per_address: Some(1), handshakes: None });
    gate.set_bans(["203.0.113.9".parse().unwrap()]);
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default().trusted_proxies(1).gate(gate.clone()));
    let mut peers = Vec::new();
    let mut outcome = |forwarded: &str| {
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request("/", &format!("X-Forwarded-For: {forwarded}\r\n")));
        world.turn(&mut server);
        raw_peer.receive();
        let response = raw_peer.text();
        peers.push(raw_peer);
        response.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let statuses = ["203.0.113.9", "203.0.113.8", "203.0.113.8", "203.0.113.7"].map(&mut outcome);
    assert_eq!(statuses, ["503", "101", "503", "101"]);
    assert_eq!(server.server_stats().refused_requests.get(RequestRefusal::Gate), 2);
}
