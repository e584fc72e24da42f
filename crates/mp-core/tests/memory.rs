//! What the memory network promises beyond the contract.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use mp_core::limits::{
    PACKET_BYTES_MAX, QUEUED_BYTES_MAX, QUEUED_BYTES_OF_EACH, RECEIVE_QUEUE_BYTES_MAX,
    RECEIVE_QUEUE_PACKETS_MAX, RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX,
};
use mp_core::{
    Channel, ConnectionId, ConnectionStatus, Connections, DisconnectReason, Farewell, Instant,
    MemoryMultiplayerPeer, MultiplayerPeer, Outgoing, PeerEvent, PeerId, Prefix, TransferMode,
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
    let outgoing = Outgoing { to, mode, channel: Channel(0), prefix: Prefix::EMPTY, payload };
    peer.send(outgoing).expect("a packet is accepted");
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

/// Whether `peer` would wake its host; `calls` counts the wake-ups.
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
fn a_payload_is_shared_not_copied() {
    let mut c = connected();
    let payload = Bytes::from(vec![7; 1_000]);
    send(&mut c.server, c.at_server, TransferMode::Reliable, payload.clone());
    turn(&mut c.server);
    let arrived = payloads(&turn(&mut c.client));
    assert_eq!(arrived, std::slice::from_ref(&payload));
    assert_eq!(arrived[0].as_ptr(), payload.as_ptr());
}

#[test]
fn nothing_leaves_before_the_flush() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, "hello");
    assert_eq!(turn(&mut c.client), []);
    c.server.flush(Instant::ZERO);
    assert_eq!(payloads(&turn(&mut c.client)), ["hello"]);
}

#[test]
fn a_flush_wakes_the_other_side() {
    let mut c = connected();
    let calls = Arc::default();
    assert!(!is_ready(&mut c.client, &calls), "nothing to take in");
    send(&mut c.server, c.at_server, TransferMode::Reliable, "hello");
    assert_eq!(calls.count(), 0, "not flushed yet");
    c.server.flush(Instant::ZERO);
    assert_eq!(calls.count(), 1);
    assert!(is_ready(&mut c.client, &calls));
    turn(&mut c.client);
    assert!(!is_ready(&mut c.client, &calls), "taken in");
}

#[test]
fn joining_wakes_the_server_and_its_answer_the_client() {
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
fn a_held_link_does_not_wake_until_it_is_released() {
    let mut c = connected();
    let calls = Arc::default();
    c.client.hold(c.at_client, true);
    assert!(!is_ready(&mut c.client, &calls));
    send(&mut c.server, c.at_server, TransferMode::Reliable, "hello");
    turn(&mut c.server);
    assert_eq!(calls.count(), 0);
    assert_eq!(turn(&mut c.client), []);
    c.client.hold(c.at_client, false);
    assert!(is_ready(&mut c.client, &calls));
    assert_eq!(payloads(&turn(&mut c.client)), ["hello"]);
}

#[test]
fn unreliable_packets_at_a_held_link_are_dropped_and_counted() {
    let mut c = connected();
    c.client.hold(c.at_client, true);
    for payload in ["reliable", "polled", "not polled"] {
        let mode =
            if payload == "reliable" { TransferMode::Reliable } else { TransferMode::Unreliable };
        send(&mut c.server, c.at_server, mode, payload);
        turn(&mut c.server);
        if payload == "polled" {
            turn(&mut c.client);
        }
    }
    c.client.hold(c.at_client, false);
    assert_eq!(payloads(&turn(&mut c.client)), ["reliable"]);
    let stats = c.client.connection_stats(c.at_client).expect("a link");
    assert_eq!((stats.receive_drops, stats.packets_received), (2, 1));
}

#[test]
fn the_oldest_unreliable_packets_are_dropped_and_counted() {
    let mut c = connected();
    let size = 1_024;
    let count = UNRELIABLE_QUEUE_BYTES_MAX / size * 2;
    for number in 0..count {
        let payload = vec![number as u8; size];
        send(&mut c.server, c.at_server, TransferMode::Unreliable, payload);
    }
    turn(&mut c.server);
    let drops = c.server.connection_stats(c.at_server).expect("a link").send_drops as usize;
    let arrived = payloads(&turn(&mut c.client));
    assert!(drops > 0 && drops + arrived.len() == count, "{drops} of {count} dropped");
    assert!(arrived.len() * size <= UNRELIABLE_QUEUE_BYTES_MAX);
    assert_eq!(arrived[0][0], drops as u8, "the oldest went");
}

#[test]
fn a_link_whose_reliable_queue_is_full_ends_on_both_sides() {
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
fn a_poll_takes_in_no_more_than_its_bound_and_asks_for_another() {
    let mut c = connected();
    let count = RECEIVE_QUEUE_PACKETS_MAX + 10;
    for _ in 0..count {
        send(&mut c.client, c.at_client, TransferMode::Reliable, "x");
    }
    turn(&mut c.client);
    c.server.poll(Instant::ZERO);
    c.server.poll(Instant::ZERO);
    assert_eq!(events(&mut c.server).len(), RECEIVE_QUEUE_PACKETS_MAX);
    assert!(is_ready(&mut c.server, &Arc::default()), "the rest waits");
    assert_eq!(turn(&mut c.server).len(), 10);
}

#[test]
fn a_poll_takes_in_no_more_bytes_than_its_bound_and_one_packet() {
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
fn an_abrupt_end_takes_back_what_was_not_yet_taken_from_next_event() {
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
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, Farewell::Abrupt);
    assert_eq!(payloads(&events(&mut c.server)), ["kept"]);
}

#[test]
fn a_polite_goodbye_wakes_its_own_side_which_has_the_end_to_report() {
    let mut c = connected();
    let calls = Arc::default();
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, Farewell::Polite);
    assert!(!is_ready(&mut c.server, &calls));
    c.server.flush(Instant::ZERO);
    assert_eq!(calls.count(), 1);
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Kicked);
}

#[test]
fn what_is_sent_to_a_side_that_leaves_is_not_queued() {
    let mut c = connected();
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, Farewell::Polite);
    turn(&mut c.server);
    send(&mut c.client, c.at_client, TransferMode::Reliable, "too late");
    assert_eq!(c.client.connection_stats(c.at_client).expect("a link").queued_bytes, 0);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::Remote(0));
}

#[test]
fn dropping_an_end_is_a_goodbye() {
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
fn whoever_joins_a_server_that_has_gone_becomes_disconnected_without_an_event() {
    let mut server = MemoryMultiplayerPeer::server();
    let address = server.address();
    let mut waiting = address.connect(id(2));
    server.close();
    server.flush(Instant::ZERO);
    let mut late = address.connect(id(3));
    drop(server);
    let mut later = address.connect(id(4));
    for client in [&mut waiting, &mut late, &mut later] {
        assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
        assert_eq!(turn(client), []);
        assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    }
}

#[test]
fn a_refused_client_becomes_disconnected_without_an_event() {
    let mut server = MemoryMultiplayerPeer::server();
    server.set_refuse_new_connections(true);
    let mut client = server.address().connect(id(2));
    assert_eq!(turn(&mut server), []);
    assert_eq!(turn(&mut client), []);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn clients_beyond_the_backlog_are_refused() {
    let mut server = MemoryMultiplayerPeer::server();
    let address = server.address();
    let mut clients: Vec<_> = (0..4_096).map(|number| address.connect(id(2 + number))).collect();
    assert_eq!(turn(&mut server).len(), 4_095);
    let last = clients.last_mut().expect("many");
    assert_eq!(turn(last), []);
    assert_eq!(last.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(turn(&mut clients[0]).len(), 1);
}

#[test]
fn a_client_that_gave_up_before_the_server_looked_is_not_reported() {
    let mut server = MemoryMultiplayerPeer::server();
    let client = server.address().connect(id(2));
    drop(client);
    assert_eq!(turn(&mut server), []);
}

#[test]
fn a_client_that_is_not_connected_yet_cannot_send() {
    let (_server, mut client) = memory::pair(id(2));
    let to = ConnectionId { slot: 0, generation: 0 }.into();
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    let outgoing = Outgoing { to, mode, channel, prefix: Prefix::EMPTY, payload: "x".into() };
    assert_eq!(client.send(outgoing), Err(SendError::NotConnected));
}

#[test]
fn a_slot_is_used_again_by_another_generation() {
    let mut c = connected();
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, Farewell::Abrupt);
    let _client = c.server.address().connect(id(3));
    let [PeerEvent::Connected { connection, .. }] = turn(&mut c.server)[..] else {
        panic!("not connected")
    };
    assert_eq!(connection, ConnectionId { slot: 0, generation: 1 });
}

#[test]
fn two_sides_that_drain_at_once_both_end() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, "down");
    send(&mut c.client, c.at_client, TransferMode::Reliable, "up");
    c.server.disconnect(c.at_server, DisconnectReason::Closed, Farewell::Drain);
    c.client.disconnect(c.at_client, DisconnectReason::Closed, Farewell::Drain);
    turn(&mut c.server);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::Closed);
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Closed);
}

#[test]
fn a_side_that_drains_is_woken_when_it_is_done() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, "last words");
    c.server.disconnect(c.at_server, DisconnectReason::Closed, Farewell::Drain);
    turn(&mut c.server);
    assert_eq!(turn(&mut c.server), [], "the client has not taken it in");
    let calls = Arc::default();
    assert!(!is_ready(&mut c.server, &calls));
    assert_eq!(turn(&mut c.client).len(), 2);
    assert_eq!(calls.count(), 1);
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Closed);
}

#[test]
fn a_drain_that_nobody_takes_in_can_be_cut_short() {
    let mut c = connected();
    c.client.hold(c.at_client, true);
    send(&mut c.server, c.at_server, TransferMode::Reliable, "never read");
    c.server.disconnect(c.at_server, DisconnectReason::Closed, Farewell::Drain);
    turn(&mut c.server);
    turn(&mut c.client);
    assert_eq!(turn(&mut c.server), []);
    c.server.disconnect(c.at_server, DisconnectReason::Kicked, Farewell::Polite);
    assert_eq!(turn(&mut c.server), [], "the goodbye leaves with the flush");
    assert_eq!(disconnected(&turn(&mut c.server)), DisconnectReason::Kicked);
    assert_eq!(disconnected(&turn(&mut c.client)), DisconnectReason::Remote(0));
}

#[test]
fn stats_count_what_the_other_side_took_in() {
    let mut c = connected();
    send(&mut c.server, c.at_server, TransferMode::Reliable, vec![0; 300]);
    turn(&mut c.server);
    let waiting = c.server.connection_stats(c.at_server).expect("a link");
    assert_eq!((waiting.packets_sent, waiting.queued_bytes), (0, 300));
    turn(&mut c.client);
    let sent = c.server.connection_stats(c.at_server).expect("a link");
    let received = c.client.connection_stats(c.at_client).expect("a link");
    assert_eq!((sent.packets_sent, sent.bytes_sent, sent.queued_bytes), (1, 300, 0));
    assert_eq!((received.packets_received, received.bytes_received), (1, 300));
}

/// Both ends sleep until they are woken.
#[test]
fn two_threads_talk_and_wake_each_other() {
    const PACKETS: usize = 2_000;
    let (server, client) = memory::pair(id(2));
    let ends = [server, client].map(|peer| std::thread::spawn(move || echo_until(peer, PACKETS)));
    for end in ends {
        let numbers = end.join().expect("no panic");
        assert!(numbers.into_iter().eq(0..PACKETS as u32), "every packet, in order");
    }
}

/// Sends `count` numbered packets, one per turn, and returns the numbers that arrived.
fn echo_until(mut peer: MemoryMultiplayerPeer, count: usize) -> Vec<u32> {
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut cx = Context::from_waker(&waker);
    let (mut link, mut sent, mut numbers) = (None, 0, Vec::new());
    loop {
        peer.poll(Instant::ZERO);
        while let Some(event) = peer.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => link = Some(connection),
                PeerEvent::Packet(packet) => {
                    let number = packet.payload[..].try_into().expect("four bytes");
                    numbers.push(u32::from_le_bytes(number));
                }
                // The other side was done first.
                PeerEvent::Disconnected { .. } => return numbers,
                other => panic!("unknown event {other:?}"),
            }
        }
        if let Some(link) = link
            && sent < count
        {
            let payload = (sent as u32).to_le_bytes().to_vec();
            send(&mut peer, link, TransferMode::Reliable, payload);
            sent += 1;
            peer.flush(Instant::ZERO);
            continue;
        }
        if numbers.len() == count && sent == count {
            let link = link.expect("connected");
            peer.disconnect(link, DisconnectReason::Closed, Farewell::Drain);
        }
        peer.flush(Instant::ZERO);
        while peer.poll_ready(&mut cx) == Poll::Pending {
            alarm.wait();
        }
    }
}

/// A server with clients, and its links.
fn crowd(clients: usize) -> (MemoryMultiplayerPeer, Vec<MemoryMultiplayerPeer>, Vec<ConnectionId>) {
    let mut server = MemoryMultiplayerPeer::server();
    let clients: Vec<_> =
        (0..clients).map(|number| server.address().connect(id(number as i32 + 2))).collect();
    let link = |event| match event {
        PeerEvent::Connected { connection, .. } => connection,
        other => panic!("not connected: {other:?}"),
    };
    let links = turn(&mut server).into_iter().map(link).collect();
    (server, clients, links)
}

#[test]
fn packets_for_all_links_together_are_bounded() {
    let (mut server, mut clients, links) = crowd(40);
    // All together may have fifteen of these.
    let packet = Bytes::from(vec![7; PACKET_BYTES_MAX]);
    let (crowd, few) = links.split_at(39);
    for &link in crowd {
        send(&mut server, link, TransferMode::Reliable, packet.clone());
    }
    let queued = |server: &MemoryMultiplayerPeer| -> u64 {
        links
            .iter()
            .filter_map(|&link| server.connection_stats(link))
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
    send(&mut server, links[0], TransferMode::Reliable, packet.slice(..left));
    // A link that has little may have its share; an unreliable packet beyond it is dropped.
    let share = QUEUED_BYTES_OF_EACH - 1_000;
    send(&mut server, few[0], TransferMode::Reliable, packet.slice(..share));
    send(&mut server, few[0], TransferMode::Unreliable, packet.slice(..2_000));
    let stats = server.connection_stats(few[0]).unwrap();
    assert_eq!((stats.queued_bytes as usize, stats.send_drops), (share, 1));

    // What the clients take in makes room.
    for client in &mut clients {
        turn(client);
    }
    turn(&mut server);
    send(&mut server, few[0], TransferMode::Unreliable, packet.slice(..2_000));
    assert_eq!(server.connection_stats(few[0]).unwrap().send_drops, 1);
}

#[test]
fn a_payload_for_many_links_counts_once() {
    let (mut server, _clients, links) = crowd(40);
    let payload = Bytes::from(vec![7; PACKET_BYTES_MAX]);
    for _ in 0..3 {
        server
            .send(Outgoing {
                to: Connections::Many(links.clone().into()),
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

/// Wakes a thread.
#[derive(Default)]
struct Alarm {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Alarm {
    fn wait(&self) {
        let rung = self.rung.lock().expect("no panic");
        let patience = Duration::from_secs(20);
        let woken = self.changed.wait_timeout_while(rung, patience, |rung| !*rung);
        let (mut rung, timeout) = woken.expect("no panic");
        assert!(!timeout.timed_out(), "a wake-up was missed");
        *rung = false;
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().expect("no panic") = true;
        self.changed.notify_one();
    }
}
