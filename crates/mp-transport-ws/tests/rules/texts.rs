//! Text sessions beside the multiplayer peer, and the origins of web pages.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mp_core::{ConnectionId, ConnectionStatus, Instant, MultiplayerPeer, PeerEvent};
use mp_transport_ws::limits::{CLOSE_FRAME_TIMEOUT, TEXT_QUEUE_BYTES_MAX};
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{
    AllowedOrigins, ClientOptions, MessageRefusal, RequestRefusal, ServerOptions, TextAction,
    TextOptions, TextService,
};

use crate::common::*;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Opened(IpAddr),
    Message(String),
    Closed,
    Timeout,
}

/// A service that records its calls and executes the actions of a test.
#[derive(Clone, Debug, Default)]
struct Script(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    seen: Vec<Seen>,
    session: Option<ConnectionId>,
    actions: VecDeque<TextAction>,
    due: Option<Instant>,
}

impl Script {
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap().seen)
    }

    /// Returns the newest session.
    fn session(&self) -> ConnectionId {
        self.0.lock().unwrap().session.unwrap()
    }

    fn send(&self, text: impl Into<String>) {
        let (session, text) = (self.session(), text.into());
        self.0.lock().unwrap().actions.push_back(TextAction::Send { session, text });
    }

    fn close(&self, code: u16, reason: &str) {
        let (session, reason) = (self.session(), reason.to_owned());
        self.0.lock().unwrap().actions.push_back(TextAction::Close { session, code, reason });
    }
}

impl TextService for Script {
    fn handle_opened(&mut self, _now: Instant, session: ConnectionId, address: IpAddr) {
        let mut lines = self.0.lock().unwrap();
        lines.session = Some(session);
        lines.seen.push(Seen::Opened(address));
    }

    fn handle_message(&mut self, _now: Instant, _session: ConnectionId, text: &str) {
        self.0.lock().unwrap().seen.push(Seen::Message(text.to_owned()));
    }

    fn handle_closed(&mut self, _now: Instant, _session: ConnectionId) {
        self.0.lock().unwrap().seen.push(Seen::Closed);
    }

    fn handle_timeout(&mut self, now: Instant) {
        let mut lines = self.0.lock().unwrap();
        if lines.due.take_if(|due| *due <= now).is_some() {
            lines.seen.push(Seen::Timeout);
        }
    }

    fn next_action(&mut self) -> Option<TextAction> {
        self.0.lock().unwrap().actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.lock().unwrap().due
    }
}

fn serving(world: &World, options: ServerOptions, text: TextOptions) -> (Peer, Script) {
    let mut server = world.server(options);
    let script = Script::default();
    server.serve_text(text, Box::new(script.clone()));
    (server, script)
}

/// Opens a text session.
fn opened(world: &mut World, server: &mut Peer) -> RawPeer {
    let mut raw_peer = world.raw_peer();
    raw_peer.send(&request("/webrtc", ""));
    assert_eq!(world.turn(server), [], "text sessions are not reported as connections");
    let answer = String::from_utf8(raw_peer.take()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "no message follows: {answer}");
    raw_peer
}

#[test]
fn requests_for_the_text_path_open_text_sessions_and_others_multiplayer_connections() {
    let mut world = World::new(StreamConditions::default());
    let text = TextOptions::new("/webrtc");
    let (mut server, script) = serving(&world, ServerOptions::default(), text);
    let mut raw_peers = Vec::new();
    for (path, is_text) in [
        ("/webrtc", true),
        ("/webrtc?lobby=a", true),
        ("http://game:7778/webrtc", true),
        ("/", false),
        ("/webrtc/", false),
        ("/webrtc2", false),
        ("/?/webrtc", false),
    ] {
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request(path, ""));
        let events = world.turn(&mut server);
        let is_reported = matches!(events[..], [PeerEvent::Connected { .. }]);
        assert_eq!(is_reported, !is_text, "{path}: {events:?}");
        assert_eq!(matches!(script.seen()[..], [Seen::Opened(_)]), is_text, "{path}");
        let has_greeting = !raw_peer.take().ends_with(b"\r\n\r\n");
        assert_eq!(has_greeting, !is_text, "{path}");
        raw_peers.push(raw_peer);
    }
}

#[test]
fn messages_go_both_ways_as_text_frames() {
    let mut world = World::new(StreamConditions::default());
    let text = TextOptions::new("/webrtc");
    let (mut server, script) = serving(&world, ServerOptions::default(), text);
    let mut raw_peer = opened(&mut world, &mut server);
    raw_peer.send(&masked(0x81, "gr\u{fc}\u{df}e".as_bytes()));
    script.send("hello");
    assert_eq!(world.turn(&mut server), []);
    assert_eq!(script.seen()[1..], [Seen::Message("gr\u{fc}\u{df}e".to_owned())]);
    let [frame] = &frames(&mut raw_peer.take())[..] else { panic!("one frame") };
    assert_eq!((frame.first, &frame.payload[..]), (0x81, &b"hello"[..]));
}

#[test]
fn binary_and_too_long_messages_close_a_text_session() {
    let long = vec![b'x'; 101];
    for (said, code, refusal) in [
        (masked(0x82, b"ab"), 1003_u16, MessageRefusal::NotText),
        (masked(0x81, &long), 1009, MessageRefusal::TooLong),
    ] {
        let mut world = World::new(StreamConditions::default());
        let text = TextOptions::new("/webrtc").max_message_bytes(100);
        let (mut server, script) = serving(&world, ServerOptions::default(), text);
        let mut raw_peer = opened(&mut world, &mut server);
        raw_peer.send(&said);
        world.turn(&mut server);
        let [frame] = &frames(&mut raw_peer.take())[..] else { panic!("one frame") };
        assert_eq!((frame.first, &frame.payload[..2]), (0x88, &code.to_be_bytes()[..]));
        let refused: Vec<_> = server.server_stats().refused_messages.iter().collect();
        assert_eq!(refused, [(refusal, 1)]);
        world.run(&mut server, CLOSE_FRAME_TIMEOUT * 2);
        assert_eq!(script.seen()[1..], [Seen::Closed], "{code}");
    }
}

#[test]
fn a_service_closes_a_session_with_a_code_and_a_reason() {
    let mut world = World::new(StreamConditions::default());
    let text = TextOptions::new("/webrtc");
    let (mut server, script) = serving(&world, ServerOptions::default(), text);
    let mut raw_peer = opened(&mut world, &mut server);
    script.close(4_000, "Lobby is full");
    world.turn(&mut server);
    let [frame] = &frames(&mut raw_peer.take())[..] else { panic!("one frame") };
    assert_eq!(frame.payload, [&4_000_u16.to_be_bytes()[..], b"Lobby is full"].concat());
    raw_peer.send(&masked(0x81, b"too late"));
    raw_peer.send(&masked(0x88, &4_000_u16.to_be_bytes()));
    world.turn(&mut server);
    assert_eq!(script.seen()[1..], [Seen::Closed]);
}

#[test]
fn sessions_beyond_the_limit_are_rejected_until_one_ends() {
    let mut world = World::new(StreamConditions::default());
    let text = TextOptions::new("/webrtc").max_sessions(2);
    let (mut server, _script) = serving(&world, ServerOptions::default(), text);
    let first = opened(&mut world, &mut server);
    let _second = opened(&mut world, &mut server);
    let mut third = world.raw_peer();
    third.send(&request("/webrtc", ""));
    world.turn(&mut server);
    assert!(third.take().starts_with(b"HTTP/1.1 503"));
    assert_eq!(server.server_stats().refused_requests.get(RequestRefusal::ServerFull), 1);
    assert_eq!(server.text_sessions(), 2);
    drop(first);
    world.turn(&mut server);
    opened(&mut world, &mut server);
}

#[test]
fn text_sessions_and_clients_have_separate_limits() {
    let mut world = World::new(StreamConditions::default());
    let options = ServerOptions::default().max_clients(1);
    let (mut server, _script) = serving(&world, options, TextOptions::new("/webrtc"));
    let _session = opened(&mut world, &mut server);
    let _client = world.joined(&mut server);
    let _other = opened(&mut world, &mut server);
    server.set_refuse_new_connections(true);
    let _third = opened(&mut world, &mut server);
    assert_eq!(server.server_stats().text_sessions, 3);
}

#[test]
fn a_session_that_reads_nothing_ends_when_its_queue_is_full() {
    let mut world =
        World::new(StreamConditions { capacity: 16 * 1_024, ..StreamConditions::default() });
    let text = TextOptions::new("/webrtc");
    let (mut server, script) = serving(&world, ServerOptions::default(), text);
    let _raw_peer = opened(&mut world, &mut server);
    let message = "x".repeat(64 * 1_024);
    for _ in 0..TEXT_QUEUE_BYTES_MAX / message.len() + 4 {
        script.send(&message);
        world.turn(&mut server);
    }
    world.run(&mut server, CLOSE_FRAME_TIMEOUT * 2);
    assert_eq!(script.seen()[1..], [Seen::Closed]);
    assert_eq!(server.text_sessions(), 0);
}

#[test]
fn service_runs_when_its_timer_expires() {
    let mut world = World::new(StreamConditions::default());
    let text = TextOptions::new("/webrtc");
    let (mut server, script) = serving(&world, ServerOptions::default(), text);
    world.turn(&mut server);
    let due = world.now + Duration::from_millis(700);
    script.0.lock().unwrap().due = Some(due);
    assert_eq!(server.poll_timeout(), Some(due));
    world.run(&mut server, Duration::from_millis(699));
    assert_eq!(script.seen(), []);
    world.run(&mut server, Duration::from_millis(2));
    assert_eq!(script.seen(), [Seen::Timeout]);
}

#[test]
fn web_pages_of_other_origins_are_rejected_and_counted() {
    for (origin, is_allowed) in [
        ("Origin: https://game.example\r\n", true),
        ("Origin: HTTPS://game.example\r\n", true),
        ("", true),
        ("Origin: https://evil.example\r\n", false),
        ("Origin: https://game.example:444\r\n", false),
        ("Origin: null\r\n", false),
        ("Origin: https://game.example\r\nOrigin: https://evil.example\r\n", false),
    ] {
        for path in ["/", "/webrtc"] {
            let mut world = World::new(StreamConditions::default());
            let options = ServerOptions::default().allowed_origins(["https://game.example"]);
            let (mut server, _script) = serving(&world, options, TextOptions::new("/webrtc"));
            let mut raw_peer = world.raw_peer();
            raw_peer.send(&request(path, origin));
            world.turn(&mut server);
            let status: &[u8] = if is_allowed { b"HTTP/1.1 101" } else { b"HTTP/1.1 403" };
            assert!(raw_peer.take().starts_with(status), "{origin}");
            let refused = server.server_stats().refused_requests;
            assert_eq!(refused.get(RequestRefusal::ForbiddenOrigin), u64::from(!is_allowed));
        }
    }
}

#[test]
fn origins_can_be_replaced_while_the_server_runs() {
    let mut world = World::new(StreamConditions::default());
    let origins = AllowedOrigins::new(["https://a.example"]);
    let mut server = world.server(ServerOptions::default().shared_origins(origins.clone()));
    for (allowed, status) in [("https://a.example", "101"), ("https://b.example", "403")] {
        origins.set([allowed]);
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request("/", "Origin: https://a.example\r\n"));
        world.turn(&mut server);
        let answer = String::from_utf8_lossy(&raw_peer.take()).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{allowed}: {answer}");
    }
}

#[test]
fn without_a_list_of_origins_every_web_page_may_connect() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let mut raw_peer = world.raw_peer();
    raw_peer.send(&request("/", "Origin: https://any.example\r\n"));
    assert_eq!(world.turn(&mut server).len(), 1);
}

/// Creates a server whose only listener is that of text sessions.
fn serving_only_texts(world: &World, options: ServerOptions) -> (Peer, Script) {
    let mut server = Peer::text_server(world.network.listener(), seeded(options)).unwrap();
    let script = Script::default();
    server.serve_text(TextOptions::new("/webrtc").max_sessions(2), Box::new(script.clone()));
    (server, script)
}

#[test]
fn a_listener_of_text_sessions_accepts_nothing_else() {
    let mut world = World::new(StreamConditions::default());
    let (mut server, script) = serving_only_texts(&world, ServerOptions::default());
    assert!(server.local_addr().is_err() && server.text_local_addr().is_ok());
    let mut raw_peers = Vec::new();
    for (path, is_text) in [("/webrtc", true), ("/?lobby=a", true), ("/game", false)] {
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request(path, ""));
        assert_eq!(world.turn(&mut server), [], "{path}");
        let answer = String::from_utf8(raw_peer.take()).unwrap();
        let status = if is_text { "HTTP/1.1 101" } else { "HTTP/1.1 404" };
        assert!(answer.starts_with(status), "{path}: {answer}");
        assert_eq!(answer.contains("text sessions on the path /webrtc"), !is_text, "{answer}");
        assert_eq!(matches!(script.seen()[..], [Seen::Opened(_)]), is_text, "{path}");
        raw_peers.push(raw_peer);
    }
    assert_eq!(server.server_stats().refused_requests.get(RequestRefusal::TextOnly), 1);
}

#[test]
fn a_multiplayer_client_does_not_connect_to_a_listener_of_text_sessions() {
    let mut world = World::new(StreamConditions::default());
    let (mut server, script) = serving_only_texts(&world, ServerOptions::default());
    let dialer = world.network.dialer();
    let mut client = Peer::client(dialer, "ws://game/play", ClientOptions::default()).unwrap();
    while client.connection_status() == ConnectionStatus::Connecting {
        assert_eq!(world.turn(&mut client), []);
        assert_eq!(world.turn(&mut server), []);
    }
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(server.server_stats().refused_requests.get(RequestRefusal::TextOnly), 1);
    assert_eq!(script.seen(), []);
}

#[test]
fn a_listener_of_text_sessions_has_the_options_of_the_server() {
    let mut world = World::new(StreamConditions::default());
    let options =
        ServerOptions::default().allowed_origins(["https://game.example"]).trusted_proxies(1);
    let (mut server, script) = serving_only_texts(&world, options);
    let forwarded = "X-Forwarded-For: 192.0.2.7\r\n";
    let mut raw_peers = Vec::new();
    for (headers, status) in [
        ("Origin: https://evil.example\r\n", "HTTP/1.1 403"),
        (forwarded, "HTTP/1.1 101"),
        (forwarded, "HTTP/1.1 101"),
        (forwarded, "HTTP/1.1 503"),
    ] {
        let mut raw_peer = world.raw_peer();
        raw_peer.send(&request("/", headers));
        world.turn(&mut server);
        let answer = String::from_utf8(raw_peer.take()).unwrap();
        assert!(answer.starts_with(status), "{headers}: {answer}");
        raw_peers.push(raw_peer);
    }
    let address = "192.0.2.7".parse().unwrap();
    assert_eq!(script.seen(), [Seen::Opened(address), Seen::Opened(address)]);
}

#[test]
fn a_server_listens_for_clients_and_for_text_sessions() {
    let mut world = World::new(StreamConditions::default());
    let (mut server, script) =
        serving(&world, ServerOptions::default(), TextOptions::new("/webrtc"));
    world.turn(&mut server);
    let signaling = World::new(StreamConditions::default());
    server.listen_text(signaling.network.listener());
    let mut client = world.raw_peer();
    client.send(&request("/", ""));
    let mut session = World::raw_peer(&signaling);
    session.send(&request("/", ""));
    signaling.network.advance(world.now);
    let events = world.turn(&mut server);
    assert!(matches!(events[..], [PeerEvent::Connected { .. }]), "{events:?}");
    assert!(matches!(script.seen()[..], [Seen::Opened(_)]));
    server.stop_accepting();
    assert!(server.local_addr().is_err() && server.text_local_addr().is_err());
    assert!(signaling.network.connect().is_err());
}
