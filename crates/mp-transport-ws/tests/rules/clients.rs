//! Clients, and invalid options.

use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{
    ConnectionId, ConnectionStatus, MultiplayerPeer, PeerEvent, SendError, TransferMode,
};
use mp_transport_ws::limits::HANDSHAKE_TIMEOUT;
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{
    ClientOptions, CreateError, MessageRefusal, ServerOptions, WebSocketMultiplayerPeer,
};

use crate::common::*;

/// Runs a client whose server sends `said`. Returns the client's status and events.
fn client_after(said: &[u8]) -> (ConnectionStatus, Vec<PeerEvent>) {
    let (client, events) = run_client(said);
    (client.connection_status(), events)
}

/// Runs a client whose server sends `said`. Returns the client and its events.
fn run_client(said: &[u8]) -> (Peer, Vec<PeerEvent>) {
    let mut world = World::new(StreamConditions::default());
    let mut listener = world.network.listener();
    let mut client = world.client(ClientOptions::default());
    world.turn(&mut client);
    let mut server = RawPeer::accepted(&mut listener);
    world.turn(&mut client);
    server.receive();
    let request = server.text();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let said = replace(said, b"ACCEPT", accept.as_bytes());
    server.send(&said);
    let mut events = world.turn(&mut client);
    world.pass(HANDSHAKE_TIMEOUT);
    events.extend(world.turn(&mut client));
    (client, events)
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match text.windows(from.len()).position(|part| part == from) {
        Some(at) => [&text[..at], to, &text[at + from.len()..]].concat(),
        None => text.to_vec(),
    }
}

const OPEN: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";

#[test]
fn client_receives_its_id_in_any_framing() {
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
        let (status, events) = client_after(&said);
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
fn client_connects_through_proxies_that_add_to_the_response() {
    let other = |from: &[u8], to: &[u8]| replace(OPEN, from, to);
    let connection = b"Connection: Upgrade";
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    for said in [
        other(connection, b"Connection: keep-alive, Upgrade"),
        other(connection, b"Connection: keep-alive\r\nConnection: upgrade"),
        other(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions:\r\n\r\n"),
        [&interim[..], OPEN].concat(),
        [b"HTTP/1.1 100 Continue\r\n\r\n", &interim[..], OPEN].concat(),
    ] {
        let id = frame(0x82, &5i32.to_le_bytes(), None);
        let (status, _) = client_after(&[&said[..], &id].concat());
        assert_eq!(status, ConnectionStatus::Connected, "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn first_message_that_is_no_peer_id_is_counted() {
    for message in [frame(0x82, &1i32.to_le_bytes(), None), frame(0x82, b"five!", None)] {
        let (client, _) = run_client(&[OPEN, &message].concat());
        let refused: Vec<_> = client.server_stats().refused_messages.iter().collect();
        assert_eq!(refused, [(MessageRefusal::NoPeerId, 1)]);
    }
}

#[test]
fn client_does_not_connect_to_other_servers() {
    let id = |id: i32| frame(0x82, &id.to_le_bytes(), None);
    let other = |from: &[u8], to: &[u8]| [&replace(OPEN, from, to)[..], &id(5)].concat();
    for said in [
        other(b"ACCEPT", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        other(b"101 Switching Protocols", b"200 OK"),
        other(b"Connection: Upgrade", b"Connection: keep-alive"),
        other(b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
        other(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        [&b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(200)[..], OPEN, &id(5)].concat(),
        [&b"HTTP/1.1 103 Early Hints\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\n\r\n", &id(5)].concat(),
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
        let (status, events) = client_after(&said);
        let text = String::from_utf8_lossy(&said);
        assert_eq!((status, &events[..]), (ConnectionStatus::Disconnected, &[][..]), "{text}");
    }
}

#[test]
fn client_without_a_server_times_out() {
    let mut world = World::new(StreamConditions::default());
    let mut client = world.client(ClientOptions::default());
    assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
    assert_eq!(world.turn(&mut client), []);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    let unknown = ConnectionId { slot: 0, generation: 0 };
    let sent = client.send(packet(unknown, TransferMode::Reliable, "x"));
    assert_eq!(sent, Err(SendError::NotConnected));
}

#[test]
fn error_of_an_invalid_option_shows_a_valid_form() {
    let server = |set: fn(ServerOptions) -> ServerOptions| {
        let options = set(ServerOptions::default());
        let world = World::new(StreamConditions::default());
        WebSocketMultiplayerPeer::server(world.network.listener(), options).map(drop).unwrap_err()
    };
    for (error, parts) in [
        (server(|o| o.handshake_timeout(Duration::ZERO)), &["handshake_timeout 0ns", "1ms"][..]),
        (server(|o| o.inbound_buffer_size(10)), &["inbound_buffer_size 10", "125"]),
        (server(|o| o.handshake_headers(["X"])), &["\"X\"", "Name: value"]),
        (server(|o| o.handshake_headers(["X: a\r\nY: b"])), &["one line"]),
        (server(|o| o.supported_protocols(["a b"])), &["\"a b\""]),
        (server(|o| o.max_clients(0)), &["max_clients 0", "1 to 65535"]),
        (server(|o| o.max_half_open(0)), &["max_half_open 0"]),
        (server(|o| o.reliable_queue_bytes(1 << 30)), &["reliable_queue_bytes", "67108864"]),
    ] {
        let why = error.to_string();
        assert!(parts.iter().all(|part| why.contains(part)), "{why}");
    }
    let url = WebSocketMultiplayerPeer::create_client("http://game", ClientOptions::default());
    assert!(matches!(url, Err(CreateError::Url(_))));
}

#[test]
fn a_server_is_created_with_a_port_and_a_number_of_clients() {
    let server = WebSocketMultiplayerPeer::create_server_on(0, 7).unwrap();
    assert!(server.local_addr().unwrap().ip().is_unspecified());
    let error = WebSocketMultiplayerPeer::create_server_on(0, 0).unwrap_err();
    assert!(matches!(error, CreateError::OutOfRange(_)), "{error:?}");
}

#[test]
fn error_of_a_port_in_use_names_the_port_and_a_way_out() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let first = WebSocketMultiplayerPeer::create_server(any, ServerOptions::default()).unwrap();
    let taken = first.local_addr().unwrap();
    let second = WebSocketMultiplayerPeer::create_server(taken, ServerOptions::default());
    let error = second.map(drop).unwrap_err();
    let why = error.to_string();
    assert!(why.contains(&taken.to_string()) && why.contains("choose another port"), "{why}");
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn unresolved_name_is_reported_with_the_reason() {
    // An invalid name, so that no name server is queried.
    let url = "ws://no_name..invalid:7778";
    let options = ClientOptions::default().handshake_timeout(Duration::from_secs(120));
    let mut client = WebSocketMultiplayerPeer::create_client(url, options).unwrap();
    let clock = mp_core::host::SystemClock::new();
    while client.connection_status() == ConnectionStatus::Connecting {
        client.poll(clock.now());
        assert!(clock.now() < mp_core::Instant::from_millis(120_000), "the lookup does not end");
        std::thread::yield_now();
    }
    let error = client.connect_error().expect("the lookup fails").to_string();
    assert!(error.starts_with("cannot resolve no_name..invalid: "), "{error}");
}
