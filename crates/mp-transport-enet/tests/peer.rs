//! `EnetMultiplayerPeer` over virtual and real sockets: ids, channels and modes, rejections,
//! disconnecting, blocked sockets.

mod common;

use std::future::poll_fn;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use common::{SERVER, address, pattern};
use mp_core::{
    Channel, CloseMode, ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason,
    Instant, MultiplayerPeer, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, Readiness, Rng,
    SendError, TransferMode,
};
use mp_transport_enet::io::{DatagramSocket, TokioUdpSocket, UdpSocket};
use mp_transport_enet::proto::CompressionMode;
use mp_transport_enet::testing::{Link, Network, Socket};
use mp_transport_enet::{ClientOptions, CreateError, EnetMultiplayerPeer, ServerOptions};

const CLIENT: &str = "10.0.0.2:5000";

type Peer = EnetMultiplayerPeer<Socket>;

struct World {
    network: Network,
    now: Instant,
}

fn client_options() -> ClientOptions {
    ClientOptions::default().seed([2; 32])
}

impl World {
    fn new() -> Self {
        let link = Link { latency: Duration::from_millis(3), ..Link::default() };
        let network = Network::new(Rng::seed_from_u64(1), link);
        let now = Instant::from_millis(1_000);
        network.advance(now);
        Self { network, now }
    }

    fn server(&self, mut options: ServerOptions) -> Peer {
        options = options.seed([1; 32]);
        EnetMultiplayerPeer::server(self.network.socket(address(SERVER)), options).unwrap()
    }

    fn client(&self, from: &str, options: ClientOptions) -> Peer {
        let socket = self.network.socket(address(from));
        EnetMultiplayerPeer::client(socket, address(SERVER), options).unwrap()
    }

    /// Returns a connected pair, each with its connection to the other.
    fn pair(&mut self) -> (Peer, ConnectionId, Peer, ConnectionId) {
        self.pair_with(ServerOptions::default(), client_options())
    }

    fn pair_with(
        &mut self,
        server: ServerOptions,
        client: ClientOptions,
    ) -> (Peer, ConnectionId, Peer, ConnectionId) {
        let mut server = self.server(server);
        let mut client = self.client(CLIENT, client);
        let (at_server, at_client) = self.run(&mut server, &mut client, 50);
        let link = |events: &[PeerEvent]| match events {
            [PeerEvent::Connected { connection, .. }] => *connection,
            other => panic!("{other:?}"),
        };
        (server, link(&at_server), client, link(&at_client))
    }

    /// Runs turns of both for `millis`. Returns the events of each.
    fn run(
        &mut self,
        server: &mut Peer,
        client: &mut Peer,
        millis: u64,
    ) -> (Vec<PeerEvent>, Vec<PeerEvent>) {
        let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
        for _ in 0..millis {
            self.now += Duration::from_millis(1);
            self.network.advance(self.now);
            turn(server, self.now, &mut at_server);
            turn(client, self.now, &mut at_client);
        }
        (at_server, at_client)
    }
}

fn turn<S: DatagramSocket>(
    peer: &mut EnetMultiplayerPeer<S>,
    now: Instant,
    events: &mut Vec<PeerEvent>,
) {
    peer.poll(now);
    events.extend(std::iter::from_fn(|| peer.next_event()));
    peer.flush(now);
}

fn outgoing(to: ConnectionId, mode: TransferMode, channel: u8, payload: &[u8]) -> OutgoingPacket {
    OutgoingPacket {
        to: to.into(),
        mode,
        channel: Channel(channel),
        prefix: Prefix::EMPTY,
        payload: Bytes::copy_from_slice(payload),
    }
}

fn packets(events: &[PeerEvent]) -> Vec<&Packet> {
    let mut packets = Vec::new();
    for event in events {
        if let PeerEvent::Packet(packet) = event {
            packets.push(packet);
        }
    }
    packets
}

#[test]
fn client_with_a_unique_id_connects_with_it() {
    let mut world = World::new();
    let id = PeerId::new(4_711).unwrap();
    let mut server = world.server(ServerOptions::default());
    let mut client = world.client(CLIENT, client_options().unique_id(id));
    assert_eq!(client.unique_id(), id);
    let (at_server, _) = world.run(&mut server, &mut client, 50);
    let [PeerEvent::Connected { claimed_id, .. }] = at_server[..] else { panic!("{at_server:?}") };
    assert_eq!(claimed_id, Some(id));
}

#[test]
fn a_client_has_an_id_of_its_own_from_the_beginning() {
    let mut world = World::new();
    let mut server = world.server(ServerOptions::default());
    let mut client = world.client(CLIENT, client_options());
    assert_eq!(server.unique_id(), PeerId::SERVER);
    assert_eq!(server.connection_status(), ConnectionStatus::Connected);
    assert!(client.unique_id().get() > 1);
    assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
    let packet = outgoing(ConnectionId { slot: 0, generation: 0 }, TransferMode::Reliable, 0, b"x");
    assert_eq!(client.send(packet), Err(SendError::NotConnected));

    let (at_server, at_client) = world.run(&mut server, &mut client, 50);
    let [PeerEvent::Connected { claimed_id, origin, .. }] = &at_server[..] else {
        panic!("{at_server:?}")
    };
    assert_eq!(*claimed_id, Some(client.unique_id()));
    assert_eq!(*origin, ConnectionOrigin::Address(address(CLIENT)));
    let [PeerEvent::Connected { claimed_id, .. }] = &at_client[..] else { panic!("{at_client:?}") };
    assert_eq!(*claimed_id, Some(PeerId::SERVER));
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
    assert!(server.is_server_relay_supported());
}

#[test]
fn modes_and_channels_arrive_as_they_were_sent() {
    let mut world = World::new();
    let (mut server, to_client, mut client, to_server) = world.pair();
    for mode in TransferMode::ALL {
        for channel in [0, 1, 2, 253] {
            for (peer, to) in [(&mut server, to_client), (&mut client, to_server)] {
                peer.send(outgoing(to, mode, channel, b"small")).unwrap();
            }
        }
    }
    let (at_server, at_client) = world.run(&mut server, &mut client, 50);
    for events in [at_server, at_client] {
        let arrived: Vec<_> =
            packets(&events).iter().map(|packet| (packet.mode, packet.channel.0)).collect();
        let mut expected = Vec::new();
        for mode in TransferMode::ALL {
            for channel in [0, 1, 2, 253] {
                expected.push((mode, channel));
            }
        }
        assert_eq!(arrived.len(), 12);
        assert!(expected.iter().all(|expected| arrived.contains(expected)), "{arrived:?}");
    }
}

#[test]
fn a_large_unreliable_packet_arrives_as_ordered() {
    let mut world = World::new();
    let (mut server, to_client, mut client, _) = world.pair();
    for mode in TransferMode::ALL {
        server.send(outgoing(to_client, mode, 5, &pattern(0, 3_000))).unwrap();
    }
    let (_, at_client) = world.run(&mut server, &mut client, 50);
    let modes: Vec<_> = packets(&at_client).iter().map(|packet| packet.mode).collect();
    let ordered = TransferMode::UnreliableOrdered;
    assert_eq!(modes, [ordered, ordered, TransferMode::Reliable]);
}

#[test]
fn a_prefix_and_a_payload_are_received_as_one_packet_even_if_fragmented() {
    let mut world = World::new();
    let (mut server, to_client, mut client, _) = world.pair();
    let mut packet = outgoing(to_client, TransferMode::Reliable, 0, &pattern(6, 100_000));
    packet.prefix = Prefix::new(&pattern(0, 6));
    server.send(packet).unwrap();
    let (_, at_client) = world.run(&mut server, &mut client, 200);
    assert!(packets(&at_client)[0].payload == pattern(0, 100_006));
}

#[test]
fn packets_that_cannot_be_sent_are_rejected_with_the_reason() {
    let mut world = World::new();
    let options = client_options().channels(3);
    let (mut server, to_client, mut client, to_server) =
        world.pair_with(ServerOptions::default(), options);
    let reliable = TransferMode::Reliable;
    let error = client.send(outgoing(to_server, reliable, 254, b"x"));
    assert_eq!(error, Err(SendError::Channel { channel: 254, last: 253 }));
    let error = client.send(outgoing(to_server, reliable, 4, b"x"));
    assert_eq!(error, Err(SendError::Channel { channel: 4, last: 3 }));
    let error = server.send(outgoing(to_client, reliable, 4, b"x"));
    assert_eq!(error, Err(SendError::Channel { channel: 4, last: 3 }));
    client.send(outgoing(to_server, reliable, 3, b"x")).unwrap();
    let max = client.max_packet_size();
    assert_eq!(max, 6 * 4_096 * 1_364);
    let error = client.send(outgoing(to_server, reliable, 0, &vec![0; max + 1]));
    assert_eq!(error, Err(SendError::TooLarge { len: max + 1, max }));
}

#[test]
fn a_connection_with_too_few_channels_does_not_affect_the_others() {
    let mut world = World::new();
    let options = client_options().channels(1);
    let (mut server, to_client, mut client, _) = world.pair_with(ServerOptions::default(), options);
    let gone = ConnectionId { slot: 9, generation: 0 };
    let mut packet = outgoing(to_client, TransferMode::Unreliable, 5, b"x");
    packet.to = mp_core::Connections::Many([to_client, gone].into());
    server.send(packet.clone()).unwrap();
    assert_eq!(server.connection_stats(to_client).unwrap().send_drops, 1);
    packet.mode = TransferMode::Reliable;
    server.send(packet).unwrap();
    let (at_server, at_client) = world.run(&mut server, &mut client, 50);
    let reason = DisconnectReason::ProtocolViolation;
    assert_eq!(at_server, [PeerEvent::Disconnected { connection: to_client, reason }]);
    assert!(matches!(
        at_client[..],
        [PeerEvent::Disconnected { reason: DisconnectReason::Remote(0), .. }]
    ));
}

#[test]
fn a_client_without_a_reply_fails_without_an_event() {
    let mut world = World::new();
    let mut client = world.client(CLIENT, client_options());
    let begin = world.now;
    let mut events = Vec::new();
    client.flush(world.now);
    while let Some(next) = client.poll_timeout() {
        world.now = next;
        world.network.advance(next);
        turn(&mut client, next, &mut events);
    }
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(world.now - begin, Duration::from_millis(31_500));
    assert!(events.is_empty());
}

#[test]
fn a_rejected_client_fails_immediately_without_an_event() {
    let mut world = World::new();
    let mut server = world.server(ServerOptions::default().max_clients(1));
    let mut first = world.client(CLIENT, client_options());
    world.run(&mut server, &mut first, 50);
    let options = client_options().seed([3; 32]);
    let mut second = world.client("10.0.0.3:5000", options);
    let (at_server, at_client) = world.run(&mut server, &mut second, 10);
    assert_eq!(second.connection_status(), ConnectionStatus::Disconnected);
    assert!(at_server.is_empty() && at_client.is_empty());
}

#[test]
fn a_graceful_disconnect_is_reported_when_it_is_acknowledged() {
    let mut world = World::new();
    let (mut server, to_client, mut client, to_server) = world.pair();
    server.disconnect(to_client, DisconnectReason::Kicked, CloseMode::Graceful);
    assert_eq!(server.next_event(), None);
    let (at_server, at_client) = world.run(&mut server, &mut client, 20);
    let reason = DisconnectReason::Kicked;
    assert_eq!(at_server, [PeerEvent::Disconnected { connection: to_client, reason }]);
    let reason = DisconnectReason::Remote(0);
    assert_eq!(at_client, [PeerEvent::Disconnected { connection: to_server, reason }]);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn an_immediate_disconnect_is_retransmitted_when_lost() {
    let mut world = World::new();
    let (mut server, _, mut client, to_server) = world.pair();
    world.network.set_link(Link { loss_permille: 1_000, ..Link::default() });
    client.disconnect(to_server, DisconnectReason::Closed, CloseMode::Immediate);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    world.run(&mut server, &mut client, 5);
    world.network.set_link(Link::default());
    let (at_server, at_client) = world.run(&mut server, &mut client, 500);
    assert!(matches!(
        at_server[..],
        [PeerEvent::Disconnected { reason: DisconnectReason::Remote(0), .. }]
    ));
    assert!(at_client.is_empty());
}

#[test]
fn an_immediate_disconnect_removes_events_that_were_not_polled() {
    let mut world = World::new();
    let (mut server, to_client, mut client, to_server) = world.pair();
    client.send(outgoing(to_server, TransferMode::Reliable, 0, b"x")).unwrap();
    client.flush(world.now);
    world.now += Duration::from_millis(10);
    world.network.advance(world.now);
    server.poll(world.now);
    server.disconnect(to_client, DisconnectReason::Kicked, CloseMode::Immediate);
    assert_eq!(server.next_event(), None);
}

#[test]
fn closing_sends_one_disconnect_to_each_peer_and_reports_nothing() {
    let mut world = World::new();
    let (mut server, _, mut client, to_server) = world.pair();
    server.close();
    assert_eq!(server.connection_status(), ConnectionStatus::Disconnected);
    let (at_server, at_client) = world.run(&mut server, &mut client, 20);
    assert!(at_server.is_empty());
    let reason = DisconnectReason::Remote(0);
    assert_eq!(at_client, [PeerEvent::Disconnected { connection: to_server, reason }]);
    let mut late = world.client("10.0.0.3:5000", client_options());
    world.run(&mut server, &mut late, 50);
    assert_eq!(
        late.connection_status(),
        ConnectionStatus::Connecting,
        "a closed server must not reply"
    );
}

#[test]
fn a_server_that_vanished_times_out() {
    let mut world = World::new();
    let (server, _, mut client, to_server) = world.pair();
    drop(server);
    let mut events = Vec::new();
    let begin = world.now;
    while client.connection_status() == ConnectionStatus::Connected {
        world.now = client.poll_timeout().unwrap();
        world.network.advance(world.now);
        turn(&mut client, world.now, &mut events);
    }
    let reason = DisconnectReason::Timeout;
    assert_eq!(events, [PeerEvent::Disconnected { connection: to_server, reason }]);
    let waited = world.now - begin;
    assert!(waited > Duration::from_secs(5) && waited < Duration::from_secs(12), "{waited:?}");
}

#[test]
fn a_blocked_socket_loses_nothing() {
    let mut world = World::new();
    let (mut server, to_client, mut client, _) = world.pair();
    server.send(outgoing(to_client, TransferMode::Unreliable, 0, &pattern(0, 100_000))).unwrap();
    world.network.set_allowance(address(SERVER), Some(10));
    server.flush(world.now);
    assert!(server.socket_stats().send_blocked > 0);
    let retry = server.poll_timeout().unwrap();
    assert_eq!(retry, world.now + Duration::from_millis(1), "the socket must be tried again soon");
    world.network.set_allowance(address(SERVER), None);
    let (_, at_client) = world.run(&mut server, &mut client, 20);
    assert!(
        packets(&at_client)[0].payload == pattern(0, 100_000),
        "no fragment must be dropped, although they are unreliable"
    );
}

#[test]
fn a_poll_receives_a_bounded_number_of_datagrams_and_is_due_again() {
    let mut world = World::new();
    let (mut server, to_client, mut client, to_server) = world.pair();
    for _ in 0..2_500 {
        client.send(outgoing(to_server, TransferMode::Unreliable, 0, b"x")).unwrap();
        client.flush(world.now);
    }
    world.now += Duration::from_millis(10);
    world.network.advance(world.now);
    let mut arrived = Vec::new();
    for _ in 0..3 {
        server.poll(world.now);
        arrived.push(std::iter::from_fn(|| server.next_event()).count());
        server.flush(world.now);
    }
    assert_eq!(arrived, [1_024, 1_024, 452]);
    assert_ne!(server.poll_timeout(), Some(world.now), "the socket is drained");
    assert_eq!(server.connection_stats(to_client).unwrap().packets_received, 2_500);
}

#[test]
fn options_out_of_range_say_what_to_do() {
    let world = World::new();
    let socket = || world.network.socket(address(SERVER));
    let error = |options| Peer::server(socket(), options).unwrap_err().to_string();
    for clients in [0, 4_096] {
        let expected = format!("max_clients {clients} is out of range; use 1 to 4095");
        assert_eq!(error(ServerOptions::default().max_clients(clients)), expected);
    }
    let options = ServerOptions::default().mtu(500);
    assert_eq!(error(options), "mtu 500 is out of range; use 576 to 4096");
    let options = ServerOptions::default().channel_limit(0);
    assert_eq!(error(options), "channel_limit 0 is out of range; use 1 to 255");
    let client =
        |options| Peer::client(socket(), address(SERVER), options).unwrap_err().to_string();
    let error = client(client_options().channels(254));
    assert_eq!(error, "channels 254 is out of range; use at most 253");
    let error = client(client_options().receive_queue_packets(0));
    assert_eq!(error, "receive_queue_packets 0 is out of range; use 1 or more");
}

#[test]
fn a_server_is_created_with_godots_arguments() {
    let server = EnetMultiplayerPeer::create_server_on(0, 7).unwrap();
    assert!(server.local_addr().unwrap().ip().is_unspecified());
    let error = EnetMultiplayerPeer::create_server_on(0, 0).unwrap_err();
    assert!(matches!(error, CreateError::OutOfRange(_)), "{error:?}");
}

#[test]
fn queues_of_a_server_grow_with_its_clients_unless_they_are_set() {
    let queued = |options: ServerOptions| options.host_settings().queued_bytes;
    assert_eq!(queued(ServerOptions::default()), 256 << 20);
    assert_eq!(queued(ServerOptions::default().max_clients(4_095)), 4_095 * (256 << 10));
    assert_eq!(queued(ServerOptions::default().queued_bytes(1).max_clients(4_095)), 1);
}

#[test]
fn real_sockets_of_the_standard_library() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut server = EnetMultiplayerPeer::create_server(any, ServerOptions::default()).unwrap();
    let at = server.local_addr().unwrap();
    let taken = EnetMultiplayerPeer::create_server(at, ServerOptions::default());
    let error = taken.unwrap_err();
    assert!(matches!(error, CreateError::Bind(_)), "{error:?}");
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
    let mut client = EnetMultiplayerPeer::create_client(at, ClientOptions::default()).unwrap();
    let clock = mp_core::host::SystemClock::new();
    let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
    let begin = clock.now();
    let mut has_sent = false;
    while packets(&at_client).is_empty() {
        turn(&mut server, clock.now(), &mut at_server);
        turn(&mut client, clock.now(), &mut at_client);
        if !has_sent && let Some(PeerEvent::Connected { connection, .. }) = at_server.first() {
            server
                .send(outgoing(*connection, TransferMode::Reliable, 0, &pattern(0, 50_000)))
                .unwrap();
            has_sent = true;
        }
        assert!(clock.now() - begin < Duration::from_secs(120));
    }
    assert!(packets(&at_client)[0].payload == pattern(0, 50_000));
}

#[test]
fn a_tokio_socket_wakes_its_task() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = TokioUdpSocket::bind(any).unwrap();
        let mut server = EnetMultiplayerPeer::server(socket, ServerOptions::default()).unwrap();
        let at = server.local_addr().unwrap();
        assert_eq!(server.readiness(), Readiness::Waker);
        let now = Instant::from_millis(1_000);
        server.poll(now);
        server.flush(now);
        let is_ready = poll_fn(|cx| Poll::Ready(server.poll_ready(cx).is_ready())).await;
        assert!(!is_ready, "nothing to receive");

        let socket = TokioUdpSocket::bind_for(at, 0).unwrap();
        let mut client = EnetMultiplayerPeer::client(socket, at, ClientOptions::default()).unwrap();
        // The first datagram is sent when the runtime reports the socket as writable, which wakes
        // the task.
        let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
        turn(&mut client, now, &mut at_client);
        while at_server.is_empty() {
            poll_fn(|cx| match (server.poll_ready(cx), client.poll_ready(cx)) {
                (Poll::Pending, Poll::Pending) => Poll::Pending,
                _ => Poll::Ready(()),
            })
            .await;
            turn(&mut server, now, &mut at_server);
            turn(&mut client, now, &mut at_client);
        }
        let claimed_id = Some(client.unique_id());
        assert!(matches!(&at_server[..], [PeerEvent::Connected { claimed_id: id, .. }] if *id == claimed_id));
    });
}

#[test]
fn a_socket_for_ipv6_receives_ipv4_as_well() {
    let any: SocketAddr = "[::]:0".parse().unwrap();
    let mut both = match UdpSocket::bind(any) {
        Ok(both) => both,
        Err(error) => {
            // Without IPv6 the error names the address.
            assert_eq!(error.address, any);
            return;
        }
    };
    let port = both.local_addr().unwrap().port();
    let mut other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    other.try_send_to(b"hello", (Ipv4Addr::LOCALHOST, port).into()).unwrap();
    let mut buf = [0; 16];
    let received = (0..1_000_000).find_map(|_| both.try_recv_from(&mut buf).ok());
    let (len, from) = received.expect("a datagram");
    assert_eq!(&buf[..len], b"hello");
    assert_eq!(from.ip().to_canonical(), Ipv4Addr::LOCALHOST);
}

#[test]
fn a_client_reaches_a_server_over_ipv6() {
    let options = ServerOptions::default().compression(CompressionMode::RangeCoder);
    let any: SocketAddr = "[::1]:0".parse().unwrap();
    let mut server = match EnetMultiplayerPeer::create_server(any, options) {
        Ok(server) => server,
        // Without IPv6 the error names the address.
        Err(error) => {
            assert!(error.to_string().contains("[::1]:0"), "{error}");
            return;
        }
    };
    let options = client_options()
        .compression(CompressionMode::RangeCoder)
        .bind_ip(Ipv6Addr::LOCALHOST.into());
    let mut client =
        EnetMultiplayerPeer::create_client(server.local_addr().unwrap(), options).unwrap();
    let clock = mp_core::host::SystemClock::new();
    let mut events = Vec::new();
    while events.is_empty() {
        turn(&mut client, clock.now(), &mut Vec::new());
        turn(&mut server, clock.now(), &mut events);
        assert!(clock.now() < Instant::from_millis(120_000), "no connection");
    }
    let [PeerEvent::Connected { origin, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(origin.address(), client.local_addr().ok());
}

#[test]
fn a_client_sends_from_the_configured_address() {
    let server = "127.0.0.1:9".parse().unwrap();
    let options = client_options().bind_ip(Ipv4Addr::LOCALHOST.into());
    let client = EnetMultiplayerPeer::create_client(server, options.clone()).unwrap();
    assert_eq!(client.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    let server = "[2001:db8::1]:9".parse().unwrap();
    let error = EnetMultiplayerPeer::create_client(server, options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot send to [2001:db8::1]:9 from 127.0.0.1, an IPv4 address; use an IPv6 address or none"
    );
}
