//! Connections that read slowly, and the number of writes per turn.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{DisconnectReason, MultiplayerPeer, PeerEvent, TransferMode};
use mp_transport_ws::io::{ByteStream, StreamSource};
use mp_transport_ws::limits::{RELIABLE_PROGRESS_TIMEOUT, WRITE_BYTES};
use mp_transport_ws::testing::{StreamConditions, VirtualSource, VirtualStream};
use mp_transport_ws::{ServerOptions, WebSocketMultiplayerPeer};

use crate::common::*;

#[test]
fn an_unreliable_packet_for_a_full_socket_is_dropped_and_a_reliable_one_waits() {
    let mut world =
        World::new(StreamConditions { capacity: 10_000, ..StreamConditions::default() });
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, id) = world.joined(&mut server);
    server.send(packet(id, TransferMode::Reliable, vec![1; 20_000])).unwrap();
    world.turn(&mut server);
    for mode in [TransferMode::Unreliable, TransferMode::UnreliableOrdered, TransferMode::Reliable]
    {
        server.send(packet(id, mode, format!("{mode:?}"))).unwrap();
    }
    assert_eq!(server.connection_stats(id).unwrap().send_drops, 2);
    let mut received = Vec::new();
    for _ in 0..10 {
        received.extend(raw_peer.take());
        world.turn(&mut server);
    }
    let read = frames(&mut received);
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].payload.len(), read[1].payload.as_slice()), (20_000, &b"Reliable"[..]));
    assert_eq!(server.connection_stats(id).unwrap().queued_bytes, 0);
    // Unreliable packets are sent again once the socket accepts bytes.
    server.send(packet(id, TransferMode::Unreliable, "the socket accepts bytes")).unwrap();
    world.turn(&mut server);
    assert_eq!(frames(&mut raw_peer.take())[0].payload, b"the socket accepts bytes");
}

#[test]
fn beyond_the_limit_of_queued_packets_unreliable_ones_are_dropped() {
    let mut world = World::new(StreamConditions::default());
    let options = ServerOptions::default().max_queued_packets(10);
    let mut server = world.server(options);
    let (mut raw_peer, id) = world.joined(&mut server);
    for _ in 0..15 {
        server.send(packet(id, TransferMode::Unreliable, "x")).unwrap();
        server.send(packet(id, TransferMode::Reliable, "y")).unwrap();
    }
    world.turn(&mut server);
    let read = frames(&mut raw_peer.take());
    assert_eq!(read.iter().filter(|frame| frame.payload == b"y").count(), 15);
    assert_eq!(read.iter().filter(|frame| frame.payload == b"x").count(), 5);
    assert_eq!(server.connection_stats(id).unwrap().send_drops, 10);
}

#[test]
fn slow_reader_is_bounded_delays_no_other_and_is_closed_with_a_reason() {
    let mut world =
        World::new(StreamConditions { capacity: 10_000, ..StreamConditions::default() });
    let options = ServerOptions::default().reliable_queue_bytes(1 << 20);
    let mut server = world.server(options);
    let (mut slow, slow_id) = world.joined(&mut server);
    let (mut quick, quick_id) = world.joined(&mut server);
    let mut end = None;
    for round in 0..200u32 {
        for id in [slow_id, quick_id] {
            let payload = [&round.to_le_bytes()[..], &[0; 8_000]].concat();
            server.send(packet(id, TransferMode::Reliable, payload)).unwrap();
        }
        let events = world.turn(&mut server);
        end = end.or_else(|| end_of(&events));
        let read = frames(&mut quick.take());
        assert_eq!(
            read[0].payload[..4],
            round.to_le_bytes(),
            "the fast client receives it immediately"
        );
        if let Some(stats) = server.connection_stats(slow_id) {
            assert!(stats.queued_bytes <= (1 << 20) + 2 * WRITE_BYTES as u64, "{stats:?}");
        }
    }
    // The client does not read the close frame, so the connection times out.
    world.pass(Duration::from_secs(3));
    end = end.or_else(|| end_of(&world.turn(&mut server)));
    assert_eq!(end, Some(DisconnectReason::QueueFull));
    slow.receive();
    assert!(slow.end.is_some());
}

#[test]
fn socket_that_accepts_nothing_closes_its_connection_after_a_timeout() {
    let mut world = World::new(StreamConditions { capacity: 1_000, ..StreamConditions::default() });
    let mut server = world.server(ServerOptions::default());
    let (_slow, id) = world.joined(&mut server);
    server.send(packet(id, TransferMode::Reliable, vec![0; 5_000])).unwrap();
    world.turn(&mut server);
    assert_eq!(server.poll_timeout(), Some(world.now + RELIABLE_PROGRESS_TIMEOUT));
    world.pass(RELIABLE_PROGRESS_TIMEOUT);
    assert_eq!(end_of(&world.turn(&mut server)), Some(DisconnectReason::QueueFull));
}

#[test]
fn connection_that_sends_pings_and_reads_no_pongs_is_paused() {
    let mut world = World::new(StreamConditions { capacity: 2_000, ..StreamConditions::default() });
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, id) = world.joined(&mut server);
    let ping = masked(0x89, &[0; 125]);
    let mut taken = 0;
    for _ in 0..5_000 {
        taken += raw_peer.try_send(&ping);
        world.turn(&mut server);
    }
    let waiting = server.peer_info(id).unwrap().current_outbound_buffered_amount;
    assert!(waiting < 100_000, "{waiting} bytes of pongs wait");
    assert!(taken < 200_000, "{taken} bytes of pings were taken");
    // The server reads again once the client reads.
    let mut pongs = 0;
    for _ in 0..300 {
        pongs += raw_peer.take().len();
        world.turn(&mut server);
    }
    assert!(pongs > 2_000, "{pongs}");
    raw_peer.receive();
    let mut rest = ping.clone();
    rest.drain(..taken % ping.len());
    raw_peer.send(&rest);
    raw_peer.send(&masked(0x82, b"hello"));
    assert_eq!(packets(&world.turn(&mut server)), [b"hello"]);
}

/// A source that counts the writes of its connections.
struct Counting(VirtualSource, Arc<AtomicUsize>);

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
fn packets_of_a_turn_are_sent_in_one_write() {
    let mut world = World::new(StreamConditions { chunk: 1 << 30, ..StreamConditions::default() });
    let writes = Arc::new(AtomicUsize::new(0));
    let source = Counting(world.network.listener(), Arc::clone(&writes));
    let options = seeded(ServerOptions::default());
    let mut server = WebSocketMultiplayerPeer::server(source, options).unwrap();
    let mut raw_peer = world.raw_peer();
    raw_peer.send(&request("/", ""));
    world.pass(Duration::from_millis(1));
    server.poll(world.now);
    let Some(PeerEvent::Connected { connection, .. }) = server.next_event() else { panic!() };
    for number in 0..100u8 {
        server.send(packet(connection, TransferMode::Reliable, vec![number; 200])).unwrap();
    }
    server.flush(world.now);
    // The response to the handshake, the id and 100 messages.
    let received = raw_peer.take();
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(frames(&mut received[head..].to_vec()).len(), 1 + 100);
    assert!(writes.load(Ordering::Relaxed) <= 2, "{} writes", writes.load(Ordering::Relaxed));
    server.flush(world.now);
    let before = writes.load(Ordering::Relaxed);
    server.flush(world.now);
    assert_eq!(writes.load(Ordering::Relaxed), before, "a turn without output writes nothing");
}
