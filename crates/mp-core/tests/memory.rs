//! Behavior of the memory network beyond the transport contract.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use mp_core::limits::{
    PACKET_BYTES_MAX, QUEUED_BYTES_MAX, QUEUED_BYTES_SHARE, RECEIVE_QUEUE_BYTES_MAX,
    RECEIVE_QUEUE_PACKETS_MAX, RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX,
};
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Instant,
    MemoryMultiplayerPeer, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Prefix,
    TransferMode,
};
use mp_core::{SendError, memory};

fn id(raw: i32) -> PeerId {
    PeerId::new(raw).expect("positive")
}

fn events(peer: &mut MemoryMultiplayerPeer) -> Vec<PeerEvent> {
    std::iter::from_fn(|| peer.next_event()).collect()
}

fn turn(peer: &mut MemoryMultiplayerPeer) -> Vec<PeerEvent> {
    peer.poll(Instant::ZERO);
    let events = events(peer);
    peer.flush(Instant::ZERO);
    events
}

fn payloads(events: &[PeerEvent]) -> Vec<Bytes> {
    let packets = events.iter().map(|event| match event {
        PeerEvent::Packet(packet) => packet.payload.clone(),
        other => panic!("not a packet: {other:?}"),
    });
    packets.collect()
}

fn send(
    peer: &mut MemoryMultiplayerPeer,
    to: ConnectionId,
    mode: TransferMode,
    payload: impl Into<Bytes>,
) {
    let (to, payload) = (to.into(), payload.into());
    let outgoing = OutgoingPacket { to, mode, channel: Channel(0), prefix: Prefix::EMPTY, payload };
    peer.send(outgoing).expect("packet accepted");
}

fn disconnected(events: &[PeerEvent]) -> DisconnectReason {
    match events {
        [PeerEvent::Disconnected { reason, .. }] => *reason,
        other => panic!("not one Disconnected: {other:?}"),
    }
}

struct Connected {
    server: MemoryMultiplayerPeer,
    client: MemoryMultiplayerPeer,
    at_server: ConnectionId,
    at_client: ConnectionId,
}

fn connected() -> Connected {
    let (mut server, mut client) = memory::pair(id(2));
    let [PeerEvent::Connected { connection: at_server, .. }] = turn(&mut server)[..] else {
        panic!("the server is not connected")
    };
    let [PeerEvent::Connected { connection: at_client, .. }] = turn(&mut client)[..] else {
        panic!("the client is not connected")
    };
    Connected { server, client, at_server, at_client }
}

/// Returns whether `peer` is ready; `calls` counts the wake-ups.
fn is_ready(peer: &mut MemoryMultiplayerPeer, calls: &Arc<Calls>) -> bool {
    let waker = Waker::from(Arc::clone(calls));
    peer.poll_ready(&mut Context::from_waker(&waker)).is_ready()
}

#[derive(Default)]
struct Calls(AtomicUsize);

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn payload_is_shared_not_copied() {
    let mut c = connected();
    let payload = Bytes::from(vec![7; 1_000]);
    send(&mut c.server, c.at_server, TransferMode::Reliable, payload.clone());
    turn(&mut c.server);
    let received = payloads(&turn(&mut c.client));
    assert_eq!(received, std::slice::from_ref(&payload));
    assert_eq!(received[0].as_ptr(), payload.as_ptr());
}

#[test]
fn packets_are_sent_by_the_flush() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, "hello");
    assert_eq!(turn(&mut c.client), []);
    c.server.flush(Instant::ZERO);
    assert_eq!(payloads(&turn(&mut c.client)), ["hello"]);
}

#[test]
fn flush_wakes_the_remote_peer() {
    let mut c = connected();
    let calls = Arc::default();
    assert!(!is_ready(&mut c.client, &calls), "nothing to receive");
    send(&mut c.server, c.at_server, TransferMode::Reliable, "hello");
    assert_eq!(calls.count(), 0, "not flushed yet");
    c.server.flush(Instant::ZERO);
    assert_eq!(calls.count(), 1);
    assert!(is_ready(&mut c.client, &calls));
    turn(&mut c.client);
    assert!(!is_ready(&mut c.client, &calls), "everything is received");
}

#[test]
fn joining_wakes_the_server_and_accepting_wakes_the_client() {
    let mut server = MemoryMultiplayerPeer::server();
    let (at_server, at_client) = (Arc::default(), Arc::default());
    assert!(!is_ready(&mut server, &at_server));
    let mut client = server.address().connect(id(2));
    assert_eq!(at_server.count(), 1);
    assert!(!is_ready(&mut client, &at_client));
    turn(&mut server);
    assert_eq!(at_client.count(), 1);
    assert_eq!(turn(&mut client).len(), 1);
}

#[test]
fn paused_connection_wakes_when_it_resumes() {
    let mut c = connected();
    let calls = Arc::default();
    c.client.pause_receiving(c.at_client, true);
    assert!(!is_ready(&mut c.client, &calls));
    send(&mut c.server, c.at_server, TransferMode::Reliable, "hello");
    turn(&mut c.server);
    assert_eq!(calls.count(), 0);
    assert_eq!(turn(&mut c.client), []);
    c.client.pause_receiving(c.at_client, false);
    assert!(is_ready(&mut c.client, &calls));
    assert_eq!(payloads(&turn(&mut c.client)), ["hello"]);
}

#[test]
fn paused_connection_drops_and_counts_unreliable_packets() {
    let mut c = connected();
    c.client.pause_receiving(c.at_client, true);
    for payload in ["reliable", "polled", "not polled"] {
        let mode =
            if payload == "reliable" { TransferMode::Reliable } else { TransferMode::Unreliable };
        send(&mut c.server, c.at_server, mode, payload);
        turn(&mut c.server);
        if payload == "polled" {
            turn(&mut c.client);
        }
    }
    c.client.pause_receiving(c.at_client, false);
    assert_eq!(payloads(&turn(&mut c.client)), ["reliable"]);
    let stats = c.client.connection_stats(c.at_client).expect("a connection");
    assert_eq!((stats.receive_drops, stats.packets_received), (2, 1));
}

#[test]
fn full_queue_drops_and_counts_the_oldest_unreliable_packets() {
    let mut c = connected();
    let size = 1_024;
    let count = UNRELIABLE_QUEUE_BYTES_MAX / size * 2;
    for number in 0..count {
        let payload = vec![number as u8; size];
        send(&mut c.server, c.at_server, TransferMode::Unreliable, payload);
    }
    turn(&mut c.server);
    let drops = c.server.connection_stats(c.at_server).expect("a connection").send_drops as usize;
    let received = payloads(&turn(&mut c.client));
    assert!(drops > 0 && drops + received.len() == count, "{drops} of {count} dropped");
    assert!(received.len() * size <= UNRELIABLE_QUEUE_BYTES_MAX);
    assert_eq!(received[0][0], drops as u8, "the oldest are dropped");
}

#[test]
fn full_reliable_queue_closes_the_connection_on_both_peers() {
    let mut c = connected();
    let payload = Bytes::from(vec![0; PACKET_BYTES_MAX]);
    for _ in 0..RELIABLE_QUEUE_BYTES_MAX / PACKET_BYTES_MAX {
        send(&mut c.server, c.at_server, TransferMode::Reliable, payload.clone());
    }
    turn(&mut c.server);
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::QueueFull);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::QueueFull);
    assert_eq!(c.client.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(c.server.connection_stats(c.at_server), None);
}

#[test]
fn poll_receives_a_bounded_number_of_packets() {
    let mut c = connected();
    let count = RECEIVE_QUEUE_PACKETS_MAX + 10;
    for _ in 0..count {
        send(&mut c.client, c.at_client, TransferMode::Reliable, "x");
    }
    turn(&mut c.client);
    c.server.poll(Instant::ZERO);
    c.server.poll(Instant::ZERO);
    assert_eq!(events(&mut c.server).len(), RECEIVE_QUEUE_PACKETS_MAX);
    assert!(is_ready(&mut c.server, &Arc::default()), "there is more to receive");
    assert_eq!(turn(&mut c.server).len(), 10);
}

#[test]
fn poll_receives_a_bounded_number_of_bytes() {
    let mut c = connected();
    let payload = Bytes::from(vec![0; RECEIVE_QUEUE_BYTES_MAX - 1]);
    for _ in 0..4 {
        send(&mut c.client, c.at_client, TransferMode::Reliable, payload.clone());
    }
    turn(&mut c.client);
    assert_eq!(turn(&mut c.server).len(), 2);
    assert_eq!(turn(&mut c.server).len(), 2);
}

#[test]
fn immediate_disconnect_discards_pending_events() {
    let mut c = connected();
    let mut other = c.server.address().connect(id(3));
    turn(&mut c.server);
    let [PeerEvent::Connected { connection, .. }] = turn(&mut other)[..] else {
        panic!("not connected")
    };
    send(&mut c.client, c.at_client, TransferMode::Reliable, "forgotten");
    send(&mut other, connection, TransferMode::Reliable, "kept");
    turn(&mut c.client);
    turn(&mut other);
    c.server.poll(Instant::ZERO);
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, CloseMode::Immediate);
    assert_eq!(payloads(&events(&mut c.server)), ["kept"]);
}

#[test]
fn graceful_disconnect_wakes_the_local_peer() {
    let mut c = connected();
    let calls = Arc::default();
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, CloseMode::Graceful);
    assert!(!is_ready(&mut c.server, &calls));
    c.server.flush(Instant::ZERO);
    assert_eq!(calls.count(), 1);
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Kicked);
}

#[test]
fn packets_to_a_disconnecting_peer_are_not_queued() {
    let mut c = connected();
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, CloseMode::Graceful);
    turn(&mut c.server);
    send(&mut c.client, c.at_client, TransferMode::Reliable, "after disconnect");
    assert_eq!(c.client.connection_stats(c.at_client).expect("a connection").queued_bytes, 0);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::Remote(0));
}

#[test]
fn dropping_a_peer_disconnects_the_remote_peer() {
    let c = connected();
    let (mut server, client) = (c.server, c.client);
    let calls = Arc::default();
    assert!(!is_ready(&mut server, &calls));
    drop(client);
    assert_eq!(calls.count(), 1);
    assert_eq!(disconnected(&turn(&mut server)), DisconnectReason::Remote(0));

    let mut c = connected();
    drop(c.server);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::Remote(0));
    assert_eq!(c.client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn joining_a_closed_server_fails_without_an_event() {
    let mut server = MemoryMultiplayerPeer::server();
    let address = server.address();
    let mut pending = address.connect(id(2));
    server.close();
    server.flush(Instant::ZERO);
    let mut late = address.connect(id(3));
    drop(server);
    let mut later = address.connect(id(4));
    for client in [&mut pending, &mut late, &mut later] {
        assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
        assert_eq!(turn(client), []);
        assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    }
}

#[test]
fn refused_client_becomes_disconnected_without_an_event() {
    let mut server = MemoryMultiplayerPeer::server();
    server.set_refuse_new_connections(true);
    let mut client = server.address().connect(id(2));
    assert_eq!(turn(&mut server), []);
    assert_eq!(turn(&mut client), []);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn clients_beyond_the_backlog_are_rejected() {
    let mut server = MemoryMultiplayerPeer::server();
    let address = server.address();
    let mut clients: Vec<_> = (0..4_096).map(|number| address.connect(id(2 + number))).collect();
    assert_eq!(turn(&mut server).len(), 4_095);
    let last = clients.last_mut().expect("clients");
    assert_eq!(turn(last), []);
    assert_eq!(last.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(turn(&mut clients[0]).len(), 1);
}

#[test]
fn client_dropped_before_the_server_polls_is_not_reported() {
    let mut server = MemoryMultiplayerPeer::server();
    let client = server.address().connect(id(2));
    drop(client);
    assert_eq!(turn(&mut server), []);
}

#[test]
fn connecting_client_cannot_send() {
    let (_server, mut client) = memory::pair(id(2));
    let to = ConnectionId { slot: 0, generation: 0 }.into();
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let outgoing = OutgoingPacket { to, mode, channel, prefix: Prefix::EMPTY, payload: "x".into() };
    assert_eq!(client.send(outgoing), Err(SendError::NotConnected));
}

#[test]
fn reused_slot_has_a_new_generation() {
    let mut c = connected();
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, CloseMode::Immediate);
    let _client = c.server.address().connect(id(3));
    let [PeerEvent::Connected { connection, .. }] = turn(&mut c.server)[..] else {
        panic!("not connected")
    };
    assert_eq!(connection, ConnectionId { slot: 0, generation: 1 });
}

#[test]
fn peers_that_drain_simultaneously_both_close() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, "down");
    send(&mut c.client, c.at_client, TransferMode::Reliable, "up");
    c.server.disconnect(c.at_server, DisconnectReason::Closed, CloseMode::Drain);
    c.client.disconnect(c.at_client, DisconnectReason::Closed, CloseMode::Drain);
    turn(&mut c.server);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::Closed);
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Closed);
}

#[test]
fn draining_peer_is_woken_when_it_has_drained() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, "last packet");
    c.server.disconnect(c.at_server, DisconnectReason::Closed, CloseMode::Drain);
    turn(&mut c.server);
    assert_eq!(turn(&mut c.server), [], "the client has not received the packet");
    let calls = Arc::default();
    assert!(!is_ready(&mut c.server, &calls));
    assert_eq!(turn(&mut c.client).len(), 2);
    assert_eq!(calls.count(), 1);
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Closed);
}

#[test]
fn stuck_drain_can_be_replaced_by_a_graceful_disconnect() {
    let mut c = connected();
    c.client.pause_receiving(c.at_client, true);
    send(&mut c.server, c.at_server, TransferMode::Reliable, "never read");
    c.server.disconnect(c.at_server, DisconnectReason::Closed, CloseMode::Drain);
    turn(&mut c.server);
    turn(&mut c.client);
    assert_eq!(turn(&mut c.server), []);
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, CloseMode::Graceful);
    assert_eq!(turn(&mut c.server), [], "the disconnect is sent by the flush");
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Kicked);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::Remote(0));
}

#[test]
fn stats_count_packets_received_by_the_remote_peer() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, vec![0; 300]);
    turn(&mut c.server);
    let before = c.server.connection_stats(c.at_server).expect("a connection");
    assert_eq!((before.packets_sent, before.queued_bytes), (0, 300));
    turn(&mut c.client);
    let sent = c.server.connection_stats(c.at_server).expect("a connection");
    let received = c.client.connection_stats(c.at_client).expect("a connection");
    assert_eq!((sent.packets_sent, sent.bytes_sent, sent.queued_bytes), (1, 300, 0));
    assert_eq!((received.packets_received, received.bytes_received), (1, 300));
}

/// Both peers sleep until they are woken.
#[test]
fn peers_in_two_threads_wake_each_other() {
    const PACKETS: usize = 2_000;
    let (server, client) = memory::pair(id(2));
    let ends = [server, client].map(|peer| std::thread::spawn(move || echo_until(peer, PACKETS)));
    for end in ends {
        let numbers = end.join().expect("no panic");
        assert!(numbers.into_iter().eq(0..PACKETS as u32), "every packet is received in order");
    }
}

/// Sends `count` numbered packets, one per turn, and returns the numbers that were received.
fn echo_until(mut peer: MemoryMultiplayerPeer, count: usize) -> Vec<u32> {
    let thread_waker = Arc::new(ThreadWaker::default());
    let waker = Waker::from(Arc::clone(&thread_waker));
    let mut cx = Context::from_waker(&waker);
    let (mut current, mut sent, mut numbers) = (None, 0, Vec::new());
    loop {
        peer.poll(Instant::ZERO);
        while let Some(event) = peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => current = Some(connection),
                PeerEvent::Packet(packet) => {
                    let number = packet.payload[..].try_into().expect("four bytes");
                    numbers.push(u32::from_le_bytes(number));
                }
                // The remote peer finished first.
                PeerEvent::Disconnected { .. } => return numbers,
                other => panic!("unknown event {other:?}"),
            }
        }
        if let Some(current) = current
            && sent < count
        {
            let payload = (sent as u32).to_le_bytes().to_vec();
            send(&mut peer, current, TransferMode::Reliable, payload);
            sent += 1;
            peer.flush(Instant::ZERO);
            continue;
        }
        if numbers.len() == count && sent == count {
            let current = current.expect("connected");
            peer.disconnect(current, DisconnectReason::Closed, CloseMode::Drain);
        }
        peer.flush(Instant::ZERO);
        while peer.poll_ready(&mut cx) == Poll::Pending {
            thread_waker.wait();
        }
    }
}

/// Returns a server, its clients and their connections.
fn server_with_clients(
    clients: usize,
) -> (MemoryMultiplayerPeer, Vec<MemoryMultiplayerPeer>, Vec<ConnectionId>) {
    let mut server = MemoryMultiplayerPeer::server();
    let clients: Vec<_> =
        (0..clients).map(|number| server.address().connect(id(number as i32 + 2))).collect();
    let connection = |event| match event {
        PeerEvent::Connected { connection, .. } => connection,
        other => panic!("not connected: {other:?}"),
    };
    let connections = turn(&mut server).into_iter().map(connection).collect();
    (server, clients, connections)
}

#[test]
fn queued_bytes_of_all_connections_are_bounded() {
    let (mut server, mut clients, connections) = server_with_clients(40);
    // The limit of all connections admits fifteen of these packets.
    let packet = Bytes::from(vec![7; PACKET_BYTES_MAX]);
    let (server_with_clients, few) = connections.split_at(39);
    for &connection in server_with_clients {
        send(&mut server, connection, TransferMode::Reliable, packet.clone());
    }
    let queued = |server: &MemoryMultiplayerPeer| -> u64 {
        connections
            .iter()
            .filter_map(|&connection| server.connection_stats(connection))
            .map(|it| it.queued_bytes)
            .sum()
    };
    assert!(queued(&server) > QUEUED_BYTES_MAX as u64 / 2);
    assert!(queued(&server) <= QUEUED_BYTES_MAX as u64);
    server.flush(Instant::ZERO);
    let ends = turn(&mut server);
    let is_full = |end: &PeerEvent| {
        matches!(end, PeerEvent::Disconnected { reason: DisconnectReason::QueueFull, .. })
    };
    assert!(ends.iter().all(is_full));
    assert_eq!(ends.len(), 39 - 15);
    let left = QUEUED_BYTES_MAX - queued(&server) as usize - 10_000;
    send(&mut server, connections[0], TransferMode::Reliable, packet.slice(..left));
    // A connection below its share may queue up to it; an unreliable packet beyond the share is
    // dropped.
    let share = QUEUED_BYTES_SHARE - 1_000;
    send(&mut server, few[0], TransferMode::Reliable, packet.slice(..share));
    send(&mut server, few[0], TransferMode::Unreliable, packet.slice(..2_000));
    let stats = server.connection_stats(few[0]).unwrap();
    assert_eq!((stats.queued_bytes as usize, stats.send_drops), (share, 1));

    // Packets that the clients receive free capacity.
    for client in &mut clients {
        turn(client);
    }
    turn(&mut server);
    send(&mut server, few[0], TransferMode::Unreliable, packet.slice(..2_000));
    assert_eq!(server.connection_stats(few[0]).unwrap().send_drops, 1);
}

#[test]
fn payload_for_many_connections_counts_once() {
    let (mut server, _clients, connections) = server_with_clients(40);
    let payload = Bytes::from(vec![7; PACKET_BYTES_MAX]);
    for _ in 0..3 {
        server
            .send(OutgoingPacket {
                to: Connections::Many(connections.clone().into()),
                mode: TransferMode::Reliable,
                channel: Channel(0),
                prefix: Prefix::EMPTY,
                payload: payload.clone(),
            })
            .unwrap();
    }
    server.flush(Instant::ZERO);
    assert_eq!(turn(&mut server), []);
}

/// A waker of a sleeping thread.
#[derive(Default)]
struct ThreadWaker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl ThreadWaker {
    fn wait(&self) {
        let woken = self.woken.lock().expect("no panic");
        let timeout = Duration::from_secs(120);
        let woken = self.changed.wait_timeout_while(woken, timeout, |woken| !*woken);
        let (mut woken, timeout) = woken.expect("no panic");
        assert!(!timeout.timed_out(), "timed out waiting for a wake-up");
        *woken = false;
    }
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().expect("no panic") = true;
        self.changed.notify_one();
    }
}
