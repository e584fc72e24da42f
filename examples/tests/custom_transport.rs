//! The transport of the example `custom_transport` keeps the contract, over real sockets, and bounds what a stranger can do.
#![allow(missing_docs, reason = "a test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mp_core::conformance::{Capabilities, Rig, suite};
use mp_core::host::SystemClock;
use mp_core::limits::{LINGER, RELIABLE_PROGRESS_TIMEOUT};
use mp_core::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, Farewell, Instant, MultiplayerPeer,
    Outgoing, PeerEvent, PeerId, Prefix, TransferMode,
};

use custom_transport::tcp::{LINKS_MAX, PACKET_BYTES_MAX, TcpMultiplayerPeer};

#[path = "../custom_transport"]
mod custom_transport {
    pub(crate) mod tcp;
}

/// As short as a sleep reasonably is. Other processes and the network within this machine run meanwhile.
const STEP: Duration = Duration::from_millis(1);

/// How long something that has to happen on a loopback may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client's first words, with id 7, and the server's.
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
fn it_keeps_the_contract() {
    suite(Loopback::new);
}

#[test]
fn frames_may_come_byte_by_byte() {
    let mut table = Table::new();
    let mut stranger = table.knock();
    let frames = [&HELLO[..], &[3, 0, 0, 0, 2, 9, b'a', b'b', b'c'], &[0, 0, 0, 0, 0, 1]].concat();
    for byte in frames {
        stranger.write_all(&[byte]).unwrap();
        table.turn();
    }
    table.until(|table| table.packets().len() == 2);
    let PeerEvent::Connected { claimed_id, .. } = table.events[0] else {
        panic!("{:?}", table.events)
    };
    assert_eq!(claimed_id, PeerId::new(7));
    let text = (TransferMode::Reliable, Channel(9), b"abc".to_vec());
    let empty = (TransferMode::Unreliable, Channel(1), Vec::new());
    assert_eq!(table.packets(), [text, empty]);
    let mut answer = [0; WELCOME.len()];
    stranger.read_exact(&mut answer).unwrap();
    assert_eq!(answer, WELCOME);
}

#[test]
fn a_stranger_that_talks_nonsense_is_cut_off_unmentioned() {
    let too_early = [4, 0, 0, 0, 2, 0, 7, 0, 0, 0];
    let too_long = [5, 0, 0, 0, 3, 0, 7, 0, 0, 0];
    let no_id = [4, 0, 0, 0, 3, 0, 0, 0, 0, 128];
    let welcome_of_a_client = WELCOME;
    for nonsense in [too_early, too_long, no_id, welcome_of_a_client, *b"GET / HTTP"] {
        let mut table = Table::new();
        let mut stranger = table.knock();
        stranger.write_all(&nonsense).unwrap();
        table.until(|_| is_closed(&mut stranger));
        assert_eq!(table.events, [], "{nonsense:?}");
    }
}

#[test]
fn a_frame_beyond_the_bound_ends_the_link_before_its_body_comes() {
    let mut table = Table::new();
    let mut stranger = table.greet();
    let [a, b, c, d] = (PACKET_BYTES_MAX as u32 + 1).to_le_bytes();
    stranger.write_all(&[a, b, c, d, 2, 0]).unwrap();
    table.until(|table| table.end().is_some());
    assert_eq!(table.end(), Some(DisconnectReason::Misbehaved));
}

#[test]
fn the_largest_packet_arrives_whole() {
    let mut table = Table::new();
    let mut stranger = table.greet();
    let len = PACKET_BYTES_MAX;
    let [a, b, c, d] = (len as u32).to_le_bytes();
    let sender = std::thread::spawn(move || {
        stranger.write_all(&[a, b, c, d, 2, 0]).unwrap();
        stranger.write_all(&vec![42; len]).unwrap();
        stranger
    });
    table.until(|table| table.packets().len() == 1);
    let (.., body) = table.packets().remove(0);
    assert!(body.len() == len && body.iter().all(|&byte| byte == 42), "{} bytes", body.len());
    drop(sender.join());
}

#[test]
fn who_says_no_hello_is_cut_off_in_time() {
    let mut table = Table::new();
    let mut stranger = table.knock();
    table.until(|table| table.server.poll_timeout().is_some());
    table.now += Duration::from_millis(4_999);
    (0..20).for_each(|_| table.turn());
    assert!(!is_closed(&mut stranger), "before five seconds have passed");
    table.now += Duration::from_millis(1);
    table.until(|_| is_closed(&mut stranger));
    assert_eq!(table.events, [], "of somebody who was never connected");
}

#[test]
fn silence_ends_a_link_after_thirty_seconds() {
    let mut table = Table::new();
    let stranger = table.greet();
    table.now += Duration::from_millis(29_999);
    table.turn();
    assert_eq!(table.end(), None, "before thirty seconds have passed");
    table.now += Duration::from_millis(1);
    table.turn();
    assert_eq!(table.end(), Some(DisconnectReason::Timeout));
    drop(stranger);
}

#[test]
fn idle_links_live_on_pings() {
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
    let deadline = now + PATIENCE;
    while turn(now) < 2 {
        now = rig.step();
        assert!(now < deadline, "the client has not met the server");
    }
    // Ten minutes in which nobody says anything.
    for _ in 0..600 {
        rig.step();
        now += Duration::from_secs(1);
        turn(now);
    }
    let connected = |event: &PeerEvent| matches!(event, PeerEvent::Connected { .. });
    assert!(seen.len() == 2 && seen.iter().all(connected), "{seen:?}");
}

#[test]
fn who_reads_nothing_loses_its_link_and_the_queue_is_bounded() {
    let mut table = Table::new();
    let stranger = table.greet();
    let link = table.link();
    for _ in 0..100 {
        table.send_largest(link);
        let queued = table.server.connection_stats(link).unwrap().queued_bytes;
        assert!(queued <= 66 << 20, "{queued} bytes wait");
    }
    // A goodbye, which is not answered.
    table.turn();
    assert_eq!(table.end(), None);
    table.now += LINGER;
    table.turn();
    assert_eq!(table.end(), Some(DisconnectReason::QueueFull));
    drop(stranger);
}

#[test]
fn a_draining_goodbye_waits_for_who_still_talks_and_resets_nobody() {
    let mut table = Table::new();
    let mut stranger = table.greet();
    let link = table.link();
    for _ in 0..4 {
        table.send_largest(link);
    }
    table.server.disconnect(link, DisconnectReason::Closed, Farewell::Drain);
    let listener = std::thread::spawn(move || {
        // The server takes these for nothing, but it takes them.
        for _ in 0..1_000 {
            stranger.write_all(&[0, 0, 0, 0, 2, 0].repeat(1_000)).unwrap();
        }
        let mut heard = Vec::new();
        stranger.read_to_end(&mut heard).map(|_| heard.len())
    });
    table.until(|table| table.end().is_some());
    assert_eq!(table.end(), Some(DisconnectReason::Closed));
    assert_eq!(table.packets(), []);
    let heard = listener.join().unwrap();
    assert_eq!(heard.unwrap(), WELCOME.len() + 4 * (6 + PACKET_BYTES_MAX), "and no reset");
}

#[test]
fn a_queue_without_progress_ends_its_link_after_thirty_seconds_and_pings_do_not_fill_it() {
    let mut table = Table::new();
    let mut stranger = table.greet();
    let link = table.link();
    let queued =
        |table: &Table| table.server.connection_stats(link).map_or(0, |stats| stats.queued_bytes);
    (0..40).for_each(|_| table.send_largest(link));
    table.turn();
    // It talks, but does not listen. What the operating system keeps for it may grow for a while, more so on a busy machine.
    let (mut waiting, mut since) = (queued(&table), table.now);
    while waiting > 0 {
        assert!(table.now - since <= RELIABLE_PROGRESS_TIMEOUT, "still waiting with {waiting} B");
        assert_eq!(table.end(), None);
        table.now += Duration::from_secs(1);
        stranger.write_all(&PING.repeat(10)).unwrap();
        table.turn();
        let left = queued(&table);
        assert!(left <= waiting, "{left} bytes wait after {waiting}");
        if left == 0 {
            assert_eq!(table.now - since, RELIABLE_PROGRESS_TIMEOUT);
        }
        if left < waiting {
            (waiting, since) = (left, table.now);
        }
    }
    // The goodbye is not answered either.
    table.now += LINGER;
    table.turn();
    assert_eq!(table.end(), Some(DisconnectReason::QueueFull));
}

#[test]
fn more_links_than_there_may_be_are_refused() {
    let mut table = Table::new();
    let mut strangers: Vec<_> = (0..LINKS_MAX).map(|_| table.knock()).collect();
    for stranger in &mut strangers {
        stranger.write_all(&HELLO).unwrap();
    }
    table.until(|table| table.events.len() == LINKS_MAX);
    let mut late = table.knock();
    table.until(|_| is_closed(&mut late));
    assert_eq!(table.events.len(), LINKS_MAX);

    drop(strangers.pop());
    table.until(|table| table.end().is_some());
    let mut late = table.knock();
    late.write_all(&HELLO).unwrap();
    table.until(|table| table.events.len() == LINKS_MAX + 2);
}

#[test]
fn a_server_that_is_not_there_leaves_a_client_disconnected_without_an_event() {
    let mut gone = Loopback::new();
    drop(gone.server());
    let mut client = gone.join();
    let deadline = gone.step() + PATIENCE;
    while client.connection_status() != ConnectionStatus::Disconnected {
        let now = gone.step();
        assert!(now < deadline, "still waiting");
        client.poll(now);
        assert_eq!(client.next_event(), None);
        client.flush(now);
    }
}

/// A server with strangers, who speak bytes. Its time stands still unless a test moves it.
struct Table {
    server: TcpMultiplayerPeer,
    events: Vec<PeerEvent>,
    now: Instant,
}

impl Table {
    fn new() -> Self {
        let server = TcpMultiplayerPeer::create_server(([127, 0, 0, 1], 0).into()).unwrap();
        Self { server, events: Vec::new(), now: Instant::from_millis(1_000) }
    }

    /// Somebody who connects and says nothing yet.
    fn knock(&self) -> TcpStream {
        let stranger = TcpStream::connect(self.server.local_addr().unwrap()).unwrap();
        // Otherwise what it says may wait for an acknowledgement, in real time.
        stranger.set_nodelay(true).unwrap();
        stranger
    }

    /// Somebody who is connected.
    fn greet(&mut self) -> TcpStream {
        let mut stranger = self.knock();
        stranger.write_all(&HELLO).unwrap();
        self.until(|table| !table.events.is_empty());
        stranger
    }

    fn turn(&mut self) {
        std::thread::sleep(STEP);
        self.server.poll(self.now);
        self.events.extend(std::iter::from_fn(|| self.server.next_event()));
        self.server.flush(self.now);
    }

    #[track_caller]
    fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let mut turns = PATIENCE.as_millis() / STEP.as_millis();
        while !done(self) {
            assert!(turns > 0, "waited in vain: {:?}", self.events.last());
            turns -= 1;
            self.turn();
        }
    }

    fn send_largest(&mut self, link: ConnectionId) {
        let (to, mode, channel) = (link.into(), TransferMode::Reliable, Channel(0));
        let (prefix, payload) = (Prefix::EMPTY, vec![0; PACKET_BYTES_MAX].into());
        self.server.send(Outgoing { to, mode, channel, prefix, payload }).unwrap();
    }

    /// The first link.
    fn link(&self) -> ConnectionId {
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

/// Whether the server has closed a stranger's connection. It has not said anything before.
fn is_closed(stranger: &mut TcpStream) -> bool {
    stranger.set_nonblocking(true).unwrap();
    match stranger.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => panic!("the server said something"),
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}
