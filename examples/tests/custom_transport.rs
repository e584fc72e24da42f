//! Contract tests of the example `custom_transport` over real sockets, and bounds for
//! unauthenticated peers.
#![allow(missing_docs, reason = "a test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mp::core::conformance::{Capabilities, Rig, suite};
use mp::core::host::SystemClock;
use mp::core::limits::{DRAIN_TIMEOUT, RELIABLE_PROGRESS_TIMEOUT};
use mp::core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer,
    OutgoingPacket, PeerEvent, PeerId, Prefix, TransferMode,
};

use custom_transport::tcp::{CONNECTIONS_MAX, PACKET_BYTES_MAX, TcpMultiplayerPeer};

#[path = "../custom_transport"]
mod custom_transport {
    pub(crate) mod tcp;
}

/// Short sleep, for other processes and the loopback network.
const STEP: Duration = Duration::from_millis(1);

/// Time limit for anything on a loopback network, on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// First frame of a client with id 7, and of the server.
const HELLO: [u8; 10] = [4, 0, 0, 0, 3, 0, 7, 0, 0, 0];
const WELCOME: [u8; 10] = [4, 0, 0, 0, 4, 0, 0, 0, 0, 0];

const PING: [u8; 10] = [4, 0, 0, 0, 5, 0, 1, 0, 0, 0];

struct Loopback {
    clock: SystemClock,
    address: SocketAddr,
    clients: i32,
}

impl Loopback {
    fn new() -> Self {
        Self { clock: SystemClock::new(), address: ([127, 0, 0, 1], 0).into(), clients: 0 }
    }
}

impl Rig for Loopback {
    fn server(&mut self) -> Box<dyn MultiplayerPeer> {
        let server = TcpMultiplayerPeer::create_server(self.address).unwrap();
        self.address = server.local_addr().unwrap();
        Box::new(server)
    }

    fn join(&mut self) -> Box<dyn MultiplayerPeer> {
        self.clients += 1;
        let id = PeerId::new(1 + self.clients).unwrap();
        Box::new(TcpMultiplayerPeer::create_client(self.address, id).unwrap())
    }

    fn step(&mut self) -> Instant {
        std::thread::sleep(STEP);
        self.clock.now()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { quiet: Duration::from_millis(60), ..Capabilities::default() }
    }
}

#[test]
fn the_transport_fulfills_the_contract() {
    suite(Loopback::new);
}

#[test]
fn frames_may_be_received_byte_by_byte() {
    let mut test = TestServer::new();
    let mut client = test.open();
    let frames = [&HELLO[..], &[3, 0, 0, 0, 2, 9, b'a', b'b', b'c'], &[0, 0, 0, 0, 0, 1]].concat();
    for byte in frames {
        client.write_all(&[byte]).unwrap();
        test.turn();
    }
    test.until(|test| test.packets().len() == 2);
    let PeerEvent::Connected { claimed_id, .. } = test.events[0] else {
        panic!("{:?}", test.events)
    };
    assert_eq!(claimed_id, PeerId::new(7));
    let text = (TransferMode::Reliable, Channel(9), b"abc".to_vec());
    let empty = (TransferMode::Unreliable, Channel(1), Vec::new());
    assert_eq!(test.packets(), [text, empty]);
    let mut answer = [0; WELCOME.len()];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(answer, WELCOME);
}

#[test]
fn malformed_first_frames_close_the_connection_without_an_event() {
    let too_early = [4, 0, 0, 0, 2, 0, 7, 0, 0, 0];
    let too_long = [5, 0, 0, 0, 3, 0, 7, 0, 0, 0];
    let no_id = [4, 0, 0, 0, 3, 0, 0, 0, 0, 128];
    let welcome_of_a_client = WELCOME;
    for malformed in [too_early, too_long, no_id, welcome_of_a_client, *b"GET / HTTP"] {
        let mut test = TestServer::new();
        let mut client = test.open();
        client.write_all(&malformed).unwrap();
        test.until(|_| is_closed(&mut client));
        assert_eq!(test.events, [], "{malformed:?}");
    }
}

#[test]
fn an_oversized_frame_ends_the_connection_before_its_body_is_received() {
    let mut test = TestServer::new();
    let mut client = test.join();
    let [a, b, c, d] = (PACKET_BYTES_MAX as u32 + 1).to_le_bytes();
    client.write_all(&[a, b, c, d, 2, 0]).unwrap();
    test.until(|test| test.end().is_some());
    assert_eq!(test.end(), Some(DisconnectReason::ProtocolViolation));
}

#[test]
fn the_largest_packet_is_received_completely() {
    let mut test = TestServer::new();
    let mut client = test.join();
    let len = PACKET_BYTES_MAX;
    let [a, b, c, d] = (len as u32).to_le_bytes();
    let sender = std::thread::spawn(move || {
        client.write_all(&[a, b, c, d, 2, 0]).unwrap();
        client.write_all(&vec![42; len]).unwrap();
        client
    });
    test.until(|test| test.packets().len() == 1);
    let (.., body) = test.packets().remove(0);
    assert!(body.len() == len && body.iter().all(|&byte| byte == 42), "{} bytes", body.len());
    drop(sender.join());
}

#[test]
fn a_connection_without_hello_times_out() {
    let mut test = TestServer::new();
    let mut client = test.open();
    test.until(|test| test.server.poll_timeout().is_some());
    test.now += Duration::from_millis(4_999);
    (0..20).for_each(|_| test.turn());
    assert!(!is_closed(&mut client), "before five seconds have passed");
    test.now += Duration::from_millis(1);
    test.until(|_| is_closed(&mut client));
    assert_eq!(test.events, [], "events of a connection without hello");
}

#[test]
fn silence_ends_a_connection_after_thirty_seconds() {
    let mut test = TestServer::new();
    let client = test.join();
    test.now += Duration::from_millis(29_999);
    test.turn();
    assert_eq!(test.end(), None, "before thirty seconds have passed");
    test.now += Duration::from_millis(1);
    test.turn();
    assert_eq!(test.end(), Some(DisconnectReason::Timeout));
    drop(client);
}

#[test]
fn pings_keep_idle_connections_open() {
    let mut rig = Loopback::new();
    let mut peers = [rig.server(), rig.join()];
    let mut seen = Vec::new();
    let mut turn = |now| {
        for peer in &mut peers {
            peer.poll(now);
            seen.extend(std::iter::from_fn(|| peer.next_event()));
            peer.flush(now);
        }
        seen.len()
    };
    let mut now = rig.step();
    let deadline = now + TIME_LIMIT;
    while turn(now) < 2 {
        now = rig.step();
        assert!(now < deadline, "the client does not connect");
    }
    // Ten minutes without packets.
    for _ in 0..600 {
        rig.step();
        now += Duration::from_secs(1);
        turn(now);
    }
    let connected = |event: &PeerEvent| matches!(event, PeerEvent::Connected { .. });
    assert!(seen.len() == 2 && seen.iter().all(connected), "{seen:?}");
}

#[test]
fn a_peer_that_reads_nothing_is_disconnected_and_its_queue_is_bounded() {
    let mut test = TestServer::new();
    let client = test.join();
    let first_connection = test.first_connection();
    for _ in 0..100 {
        test.send_largest(first_connection);
        let queued = test.server.connection_stats(first_connection).unwrap().queued_bytes;
        assert!(queued <= 66 << 20, "{queued} bytes wait");
    }
    // The remote peer does not answer the shutdown.
    test.turn();
    assert_eq!(test.end(), None);
    test.now += DRAIN_TIMEOUT;
    test.turn();
    assert_eq!(test.end(), Some(DisconnectReason::QueueFull));
    drop(client);
}

#[test]
fn a_draining_close_waits_for_the_remote_peer_without_a_reset() {
    let mut test = TestServer::new();
    let mut client = test.join();
    let first_connection = test.first_connection();
    for _ in 0..4 {
        test.send_largest(first_connection);
    }
    test.server.disconnect(first_connection, DisconnectReason::Closed, CloseMode::Drain);
    let listener = std::thread::spawn(move || {
        // The server discards this input, but reads it.
        for _ in 0..1_000 {
            client.write_all(&[0, 0, 0, 0, 2, 0].repeat(1_000)).unwrap();
        }
        let mut received = Vec::new();
        client.read_to_end(&mut received).map(|_| received.len())
    });
    test.until(|test| test.end().is_some());
    assert_eq!(test.end(), Some(DisconnectReason::Closed));
    assert_eq!(test.packets(), []);
    let received = listener.join().unwrap();
    assert_eq!(received.unwrap(), WELCOME.len() + 4 * (6 + PACKET_BYTES_MAX), "and no reset");
}

#[test]
fn a_queue_without_progress_ends_its_connection_and_is_not_filled_by_pings() {
    let mut test = TestServer::new();
    let mut client = test.join();
    let first_connection = test.first_connection();
    let queued = |test: &TestServer| {
        test.server.connection_stats(first_connection).map_or(0, |stats| stats.queued_bytes)
    };
    (0..40).for_each(|_| test.send_largest(first_connection));
    test.turn();
    // The client sends but does not read. The socket buffers may grow for a while, longer on a busy
    // machine.
    let (mut waiting, mut since) = (queued(&test), test.now);
    while waiting > 0 {
        assert!(test.now - since <= RELIABLE_PROGRESS_TIMEOUT, "still waiting with {waiting} B");
        assert_eq!(test.end(), None);
        test.now += Duration::from_secs(1);
        client.write_all(&PING.repeat(10)).unwrap();
        test.turn();
        let left = queued(&test);
        assert!(left <= waiting, "{left} bytes wait after {waiting}");
        if left == 0 {
            assert_eq!(test.now - since, RELIABLE_PROGRESS_TIMEOUT);
        }
        if left < waiting {
            (waiting, since) = (left, test.now);
        }
    }
    // The remote peer does not answer the shutdown either.
    test.now += DRAIN_TIMEOUT;
    test.turn();
    assert_eq!(test.end(), Some(DisconnectReason::QueueFull));
}

#[test]
fn connections_beyond_the_limit_are_refused() {
    let mut test = TestServer::new();
    let mut clients: Vec<_> = (0..CONNECTIONS_MAX).map(|_| test.open()).collect();
    for client in &mut clients {
        client.write_all(&HELLO).unwrap();
    }
    test.until(|test| test.events.len() == CONNECTIONS_MAX);
    let mut late = test.open();
    test.until(|_| is_closed(&mut late));
    assert_eq!(test.events.len(), CONNECTIONS_MAX);

    drop(clients.pop());
    test.until(|test| test.end().is_some());
    let mut late = test.open();
    late.write_all(&HELLO).unwrap();
    test.until(|test| test.events.len() == CONNECTIONS_MAX + 2);
}

#[test]
fn a_failed_connection_attempt_reports_no_event() {
    let mut gone = Loopback::new();
    drop(gone.server());
    let mut client = gone.join();
    let deadline = gone.step() + TIME_LIMIT;
    while client.connection_status() != ConnectionStatus::Disconnected {
        let now = gone.step();
        assert!(now < deadline, "still connecting");
        client.poll(now);
        assert_eq!(client.next_event(), None);
        client.flush(now);
    }
}

/// A server, and raw TCP clients. Its time only advances when a test advances it.
struct TestServer {
    server: TcpMultiplayerPeer,
    events: Vec<PeerEvent>,
    now: Instant,
}

impl TestServer {
    fn new() -> Self {
        let server = TcpMultiplayerPeer::create_server(([127, 0, 0, 1], 0).into()).unwrap();
        Self { server, events: Vec::new(), now: Instant::from_millis(1_000) }
    }

    /// Connects a raw client, which sends nothing yet.
    fn open(&self) -> TcpStream {
        let client = TcpStream::connect(self.server.local_addr().unwrap()).unwrap();
        // Otherwise data may wait for an acknowledgement in real time.
        client.set_nodelay(true).unwrap();
        client
    }

    /// Connects a raw client, and completes the handshake.
    fn join(&mut self) -> TcpStream {
        let mut client = self.open();
        client.write_all(&HELLO).unwrap();
        self.until(|test| !test.events.is_empty());
        client
    }

    fn turn(&mut self) {
        std::thread::sleep(STEP);
        self.server.poll(self.now);
        self.events.extend(std::iter::from_fn(|| self.server.next_event()));
        self.server.flush(self.now);
    }

    #[track_caller]
    fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let mut turns = TIME_LIMIT.as_millis() / STEP.as_millis();
        while !done(self) {
            assert!(turns > 0, "timed out; last event: {:?}", self.events.last());
            turns -= 1;
            self.turn();
        }
    }

    fn send_largest(&mut self, first_connection: ConnectionId) {
        let (to, mode, channel) = (first_connection.into(), TransferMode::Reliable, Channel(0));
        let (prefix, payload) = (Prefix::EMPTY, vec![0; PACKET_BYTES_MAX].into());
        self.server.send(OutgoingPacket { to, mode, channel, prefix, payload }).unwrap();
    }

    /// Returns the first connection.
    fn first_connection(&self) -> ConnectionId {
        match self.events[0] {
            PeerEvent::Connected { connection, .. } => connection,
            ref other => panic!("{other:?}"),
        }
    }

    fn packets(&self) -> Vec<(TransferMode, Channel, Vec<u8>)> {
        let packets = self.events.iter().filter_map(|event| match event {
            PeerEvent::Packet(p) => Some((p.mode, p.channel, p.payload.to_vec())),
            _ => None,
        });
        packets.collect()
    }

    fn end(&self) -> Option<DisconnectReason> {
        self.events.iter().find_map(|event| match event {
            PeerEvent::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        })
    }
}

/// Returns whether the server has closed the connection of a raw client, without sending anything.
fn is_closed(client: &mut TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    match client.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => panic!("the server sent data"),
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}
