//! Recorded sessions of Godot's client and server, replayed with mp in place of either: mp sends
//! the same bytes. Only ids, keys and masks, which are random, differ.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{Peer, RawPeer, Read, World, frames, packet, turn};
use mp_core::{
    CloseMode, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, PeerEvent, TransferMode,
};
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{ClientOptions, ServerOptions, WebSocketMultiplayerPeer};
use serde_json::Value;

/// A recorded transmission of one end.
#[derive(Clone, Debug)]
struct Recorded {
    at: Duration,
    by_client: bool,
    what: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    /// A request or a response.
    Head(String),
    /// A complete frame without its mask, and its bytes as recorded.
    Frame(Read, Vec<u8>),
    /// The end of the connection.
    Fin,
}

fn read(name: &str) -> Vec<Recorded> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/ws").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let capture: Value = serde_json::from_str(&text).unwrap();
    let mut recorded = Vec::new();
    // A frame's header is a separate segment.
    let mut pending = [Vec::new(), Vec::new()];
    for segment in capture["datagrams"].as_array().unwrap() {
        let by_client = segment["dir"] == "C>S";
        let at = Duration::from_secs_f64(segment["t_ms"].as_f64().unwrap() / 1_000.0);
        let mut push = |what| recorded.push(Recorded { at, by_client, what });
        let decoded = &segment["decoded"];
        if let Some(flags) = decoded["tcp"].as_array() {
            if flags.iter().any(|flag| flag == "FIN") {
                push(Content::Fin);
            }
        } else if let Some(lines) = decoded["http"].as_array() {
            let lines = lines.iter().map(|line| format!("{}\r\n", line.as_str().unwrap()));
            let head = lines.collect::<String>() + "\r\n";
            assert_eq!(segment["len"].as_u64(), Some(head.len() as u64));
            push(Content::Head(head));
        } else {
            let len = segment["len"].as_u64().unwrap() as usize;
            let pending = &mut pending[usize::from(by_client)];
            let begin = pending.len();
            pending.extend(hex(segment["hex"].as_str().unwrap().trim_end_matches('…')));
            fill(pending, begin + len);
            let mut bytes = pending.clone();
            for frame in frames(&mut bytes) {
                let taken = pending.len() - bytes.len();
                push(Content::Frame(frame, pending[..taken].to_vec()));
            }
            *pending = bytes;
        }
    }
    recorded
}

/// Adds bytes that a capture omits: payloads count up, under the mask of the frame that `bytes`
/// starts.
fn fill(bytes: &mut Vec<u8>, len: usize) {
    if bytes.len() == len {
        return;
    }
    // Cut-off frames are longer than 125 bytes and shorter than 65,536.
    let mask: Option<[u8; 4]> = (bytes[1] & 0x80 != 0).then(|| bytes[4..8].try_into().unwrap());
    let header = if mask.is_some() { 8 } else { 4 };
    for index in bytes.len()..len {
        let place = index - header;
        bytes.push(place as u8 ^ mask.map_or(0, |mask| mask[place % 4]));
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

/// An action of the recorded script besides responses.
type Act = fn(&mut Peer, ConnectionId, Instant);

/// Runs mp as the server of the recorded client.
fn serve(name: &str, options: ServerOptions, echoes: bool, acts: &[(u64, Act)]) {
    let recorded = read(name);
    let mut world = World::new(StreamConditions::default());
    let start = world.now;
    let mut server = world.server(options);
    let mut client = world.raw_peer();
    let mut id = None;
    let mut acts = acts.iter().peekable();
    let end = recorded.last().unwrap().at + Duration::from_millis(100);
    let mut script = recorded.iter().filter(|recorded| recorded.by_client).peekable();
    while world.now < start + end {
        world.pass(Duration::from_millis(1));
        let time = world.now - start;
        while let Some(recorded) = script.next_if(|recorded| recorded.at <= time) {
            match &recorded.what {
                Content::Head(head) => client.send(head.as_bytes()),
                Content::Frame(_, bytes) => client.send(bytes),
                Content::Fin => client.shutdown(),
            }
        }
        server.poll(world.now);
        while let Some(event) = server.next_event() {
            match &event {
                PeerEvent::Connected { connection, .. } => id = Some(*connection),
                PeerEvent::Packet(received) if echoes => {
                    let payload = received.payload.clone();
                    server.send(packet(received.from, TransferMode::Reliable, payload)).unwrap();
                }
                _ => {}
            }
        }
        while let Some((_, act)) = acts.next_if(|(at, _)| Duration::from_millis(*at) <= time) {
            act(&mut server, id.expect("a connection"), world.now);
        }
        server.flush(world.now);
        client.receive();
    }
    compare(name, &recorded, false, client.received);
    assert_eq!(client.end.is_some(), ends(&recorded, false), "{name}: the end of the connection");
    assert!(script.next().is_none() && acts.next().is_none());
}

/// Runs mp as the client of the recorded server.
fn join(name: &str, url: &str, options: ClientOptions, acts: &[(u64, Act)]) {
    let recorded = read(name);
    let mut world = World::new(StreamConditions::default());
    let start = world.now;
    let mut listener = world.network.listener();
    let dialer = world.network.dialer();
    let mut client = WebSocketMultiplayerPeer::client(dialer, url, options).unwrap();
    turn(&mut client, world.now);
    let mut server = RawPeer::accepted(&mut listener);
    let mut id = None;
    let mut acts = acts.iter().peekable();
    let end = recorded.last().unwrap().at + Duration::from_millis(100);
    let key = |head: &str| {
        let line = head.lines().find(|line| line.starts_with("Sec-WebSocket-Key")).unwrap();
        line.to_owned()
    };
    let Content::Head(request) = &recorded.iter().find(|recorded| recorded.by_client).unwrap().what
    else {
        panic!("the client does not start with a request")
    };
    let recorded_key = key(request);
    let mut script = recorded.iter().filter(|recorded| !recorded.by_client).peekable();
    while world.now < start + end {
        world.pass(Duration::from_millis(1));
        let time = world.now - start;
        server.receive();
        while let Some(recorded) = script.next_if(|recorded| recorded.at <= time) {
            match &recorded.what {
                // The response to the recorded key, for the key that mp has drawn.
                Content::Head(head) => {
                    let accept = tungstenite::handshake::derive_accept_key(
                        key(&server.text()).split_once(": ").unwrap().1.as_bytes(),
                    );
                    let line = head.lines().find(|line| line.contains("Accept")).unwrap();
                    let new = format!("Sec-WebSocket-Accept: {accept}");
                    server.send(head.replace(line, &new).as_bytes());
                }
                Content::Frame(_, bytes) => server.send(bytes),
                Content::Fin => server.shutdown(),
            }
        }
        client.poll(world.now);
        while let Some(event) = client.next_event() {
            if let PeerEvent::Connected { connection, .. } = event {
                id = Some(connection);
            }
        }
        while let Some((_, act)) = acts.next_if(|(at, _)| Duration::from_millis(*at) <= time) {
            act(&mut client, id.expect("a connection"), world.now);
        }
        client.flush(world.now);
    }
    server.receive();
    let received = String::from_utf8_lossy(&server.received).into_owned();
    let drawn = key(&received);
    let at = received.find(&drawn).unwrap();
    server.received.splice(at..at + drawn.len(), recorded_key.bytes());
    compare(name, &recorded, true, server.received);
    assert!(script.next().is_none() && acts.next().is_none());
    assert_eq!(client.connection_status(), mp_core::ConnectionStatus::Disconnected, "{name}");
}

/// Compares the recorded transmissions of one end with those of mp in its place.
fn compare(name: &str, recorded: &[Recorded], by_client: bool, mut received: Vec<u8>) {
    let mut recorded = recorded.iter().filter(|recorded| recorded.by_client == by_client);
    let Some(Recorded { what: Content::Head(head), .. }) = recorded.next() else {
        panic!("{name}: no head")
    };
    let got = String::from_utf8_lossy(&received[..head.len().min(received.len())]).into_owned();
    assert_eq!(got, *head, "{name}");
    received.drain(..head.len());
    let got = frames(&mut received);
    assert!(received.is_empty(), "{name}: half a frame");
    let mut recorded: Vec<_> = recorded
        .filter_map(|recorded| match &recorded.what {
            Content::Frame(frame, _) => Some(frame.clone()),
            _ => None,
        })
        .collect();
    for text in recorded.iter_mut().filter(|frame| by_client && frame.first == 0x81) {
        // The script requested it; packets are never text.
        text.first = 0x82;
    }
    if !by_client {
        assert_eq!((recorded[0].first, recorded[0].payload.len()), (0x82, 4), "{name}: the id");
        assert_eq!(got[0].payload.len(), 4);
        recorded[0].payload = got[0].payload.clone();
    }
    assert_eq!(got, recorded, "{name}");
}

fn ends(recorded: &[Recorded], by_client: bool) -> bool {
    recorded.iter().any(|recorded| recorded.by_client == by_client && recorded.what == Content::Fin)
}

fn send(payload: Vec<u8>) -> impl Fn(&mut Peer, ConnectionId) {
    move |peer, id| peer.send(packet(id, TransferMode::Reliable, payload.clone())).unwrap()
}

fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|index| index as u8).collect()
}

fn close(peer: &mut Peer, _: ConnectionId, _: Instant) {
    peer.close();
}

fn leave(peer: &mut Peer, id: ConnectionId, _: Instant) {
    peer.disconnect(id, DisconnectReason::Kicked, CloseMode::Graceful);
}

fn client(url: &str, name: &str, acts: &[(u64, Act)]) {
    join(name, url, ClientOptions::default(), acts);
}

#[test]
fn packets_both_ways() {
    serve("ws_basic.json", ServerOptions::default(), true, &[]);
    let text: Act = |peer, id, _| send(b"hello".to_vec())(peer, id);
    let acts: [(u64, Act); 4] = [
        (411, |peer, id, _| send(counting(5))(peer, id)),
        (494, |peer, id, _| send(counting(300))(peer, id)),
        (660, text),
        (860, close),
    ];
    client("ws://127.0.0.1:27150/game", "ws_basic.json", &acts);
}

#[test]
fn a_large_packet() {
    serve("ws_large.json", ServerOptions::default(), false, &[]);
    let acts: [(u64, Act); 4] = [
        (395, |peer, id, _| send(counting(60_000))(peer, id)),
        (602, |peer, id, _| {
            let large = packet(id, TransferMode::Reliable, counting(70_000));
            peer.send(large).unwrap_err();
        }),
        (804, |peer, id, _| send(counting(5))(peer, id)),
        (1_003, close),
    ];
    client("ws://127.0.0.1:27157", "ws_large.json", &acts);
}

#[test]
fn subprotocols_and_headers() {
    let options =
        ServerOptions::default().supported_protocols(["demo"]).handshake_headers(["X-Srv:1"]);
    serve("ws_protocols.json", options, false, &[]);
    let options = ClientOptions::default()
        .supported_protocols(["other", "demo"])
        .handshake_headers(["X-Cli:2"]);
    join("ws_protocols.json", "ws://127.0.0.1:27151", options, &[(596, close)]);
}

#[test]
fn a_client_is_disconnected() {
    serve("ws_disc_server.json", ServerOptions::default(), false, &[(653, leave)]);
    client("ws://127.0.0.1:27152", "ws_disc_server.json", &[]);
}

#[test]
fn a_client_is_disconnected_at_once() {
    let act: Act = |peer, id, _| {
        peer.disconnect(id, DisconnectReason::Kicked, CloseMode::Immediate);
    };
    let recorded = read("ws_disc_server_force.json");
    assert!(
        recorded.iter().all(|recorded| !recorded.by_client || recorded.what != Content::Fin),
        "the connection was reset"
    );
    serve("ws_disc_server_force.json", ServerOptions::default(), false, &[(595, act)]);
}

#[test]
fn a_client_leaves() {
    serve("ws_disc_client.json", ServerOptions::default(), false, &[]);
    client("ws://127.0.0.1:27154", "ws_disc_client.json", &[(570, leave)]);
}

#[test]
fn a_close_code_and_a_reason() {
    let act: Act = |peer, id, _| peer.close_peer(id, 4_001, "bye");
    serve("ws_close_code.json", ServerOptions::default(), false, &[(685, act)]);
    client("ws://127.0.0.1:27155", "ws_close_code.json", &[]);
}

#[test]
fn heartbeats() {
    let act: Act = |peer, id, _| peer.set_heartbeat_interval(id, Duration::from_millis(309));
    serve("ws_heartbeat.json", ServerOptions::default(), false, &[(298, act)]);
    client("ws://127.0.0.1:27156", "ws_heartbeat.json", &[(1_194, close)]);
}

/// Godot leaves its client waiting; mp responds. See DEVIATIONS.md.
#[test]
fn client_of_a_refusing_server_receives_an_immediate_response() {
    let recorded = read("ws_refuse.json");
    let Content::Head(request) = &recorded[0].what else { panic!("{recorded:?}") };
    assert!(recorded.iter().all(|recorded| recorded.by_client), "Godot's server recorded nothing");
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    server.set_refuse_new_connections(true);
    let mut client = world.raw_peer();
    client.send(request.as_bytes());
    assert_eq!(world.turn(&mut server), []);
    client.receive();
    assert!(client.text().starts_with("HTTP/1.1 503 "), "{}", client.text());
}
