//! Operations on single peers and hosts beyond Godot's `MultiplayerPeer`: disconnecting, packet
//! flags, timeouts, pings, statistics, broadcasts, limits.

mod common;

use std::time::Duration;

use common::{SERVER, address};
use mp_core::{ConnectionId, DisconnectReason, Instant, Rng};
use mp_transport_enet::proto::command::ThrottleParameters;
use mp_transport_enet::proto::{
    Admission, CompressionMode, DatagramRefusal, HostEvent, HostSettings, HostStatistic,
    PacketFlags, PeerState, PeerStatistic,
};
use mp_transport_enet::testing::{Link, Network, Socket};
use mp_transport_enet::{EnetConnection, PeerSendError};

type Connection = EnetConnection<Socket>;

/// A connected server and client on a network in virtual time.
struct World {
    network: Network,
    sides: [Connection; 2],
    links: [ConnectionId; 2],
    /// Events of both hosts.
    events: [Vec<HostEvent>; 2],
}

const SERVERS: usize = 0;
const CLIENTS: usize = 1;

impl World {
    fn new(settings: HostSettings) -> Self {
        Self::with_latency(settings, 5)
    }

    fn with_latency(settings: HostSettings, millis: u64) -> Self {
        let link = Link { latency: Duration::from_millis(millis), ..Link::default() };
        let network = Network::new(Rng::seed_from_u64(1), link);
        network.advance(Instant::from_millis(1_000));
        let connection = |at: &str, settings: HostSettings| {
            Connection::with_socket(network.socket(address(at)), settings, Some([7; 32])).unwrap()
        };
        let server = connection(SERVER, settings.clone());
        let client = connection("10.0.0.2:5000", settings);
        let none = ConnectionId { slot: 0, generation: 0 };
        let mut world = Self {
            network: network.clone(),
            sides: [server, client],
            links: [none; 2],
            events: [Vec::new(), Vec::new()],
        };
        world.links[CLIENTS] = world.sides[CLIENTS].connect_to_host(address(SERVER), 4, 9).unwrap();
        world.run(200);
        let Some(HostEvent::Connected { connection, data: 9, .. }) = world.events[SERVERS].first()
        else {
            panic!("{:?}", world.events)
        };
        world.links[SERVERS] = *connection;
        world.events = [Vec::new(), Vec::new()];
        world
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            let now = self.network.now() + Duration::from_millis(1);
            self.network.advance(now);
            for (side, events) in self.sides.iter_mut().zip(&mut self.events) {
                while let Some(event) = side.service(now) {
                    events.push(event);
                }
                side.flush(now);
            }
        }
    }

    fn peer(&mut self, side: usize) -> mp_transport_enet::EnetPacketPeer<'_> {
        self.sides[side].peer(self.links[side]).expect("a peer")
    }

    fn statistic(&mut self, side: usize, statistic: PeerStatistic) -> u32 {
        self.peer(side).statistic(statistic)
    }

    fn end(&self, side: usize) -> Option<DisconnectReason> {
        self.events[side].iter().find_map(|event| match event {
            HostEvent::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    fn packets(&self, side: usize) -> Vec<(u8, u8, usize)> {
        let packet = |event: &HostEvent| match event {
            HostEvent::Packet { channel, flags, payload, .. } => {
                Some((*channel, flags.0, payload.len()))
            }
            _ => None,
        };
        self.events[side].iter().filter_map(packet).collect()
    }
}

fn settings() -> HostSettings {
    let mut settings = HostSettings::default();
    settings.admission = Admission::Anybody;
    settings
}

#[test]
fn every_kind_of_disconnect_sends_its_data() {
    for server_ends in [true, false] {
        let (ours, theirs) = if server_ends { (SERVERS, CLIENTS) } else { (CLIENTS, SERVERS) };

        let mut world = World::new(settings());
        world.peer(ours).put_packet(vec![0; 20_000]).unwrap();
        world.peer(ours).peer_disconnect(11);
        assert_eq!(world.peer(ours).state(), PeerState::Disconnecting);
        world.run(100);
        assert_eq!(world.packets(theirs), [], "queued packets must be dropped");
        assert_eq!(world.end(theirs), Some(DisconnectReason::Remote(11)));
        assert_eq!(world.end(ours), Some(DisconnectReason::Closed));

        let mut world = World::new(settings());
        world.peer(ours).put_packet(vec![0; 20_000]).unwrap();
        world.peer(ours).peer_disconnect_later(12);
        assert_eq!(world.peer(ours).state(), PeerState::DisconnectLater);
        assert_eq!(world.peer(ours).put_packet("late"), Err(PeerSendError::NotConnected));
        world.run(200);
        assert_eq!(world.packets(theirs), [(0, 1, 20_000)]);
        assert_eq!(world.end(theirs), Some(DisconnectReason::Remote(12)));
        assert_eq!(world.end(ours), Some(DisconnectReason::Closed));

        let mut world = World::new(settings());
        world.peer(ours).peer_disconnect_now(13);
        assert!(
            world.sides[ours].peer(world.links[ours]).is_none(),
            "the connection must be removed immediately"
        );
        world.run(1);
        assert_eq!(
            world.end(ours),
            Some(DisconnectReason::Closed),
            "the end must be reported immediately"
        );
        world.run(20);
        assert_eq!(world.end(theirs), Some(DisconnectReason::Remote(13)));

        let mut world = World::new(settings());
        world.peer(ours).reset();
        world.run(1_000);
        assert_eq!(world.end(ours), Some(DisconnectReason::Closed));
        assert_eq!(world.end(theirs), None, "nothing must be sent");
        world.run(31_000);
        assert_eq!(world.end(theirs), Some(DisconnectReason::Timeout));
    }
}

#[test]
fn raw_flags_choose_how_a_packet_travels() {
    let mut world = World::new(settings());
    for (flags, len) in [(0, 5), (1, 5), (2, 5), (8, 5), (8, 3_000), (0, 3_000), (10, 3_000)] {
        world.peer(CLIENTS).send(3, vec![7; len], PacketFlags(flags)).unwrap();
    }
    world.run(200);
    let mut packets = world.packets(SERVERS);
    packets.sort_unstable();
    let expected =
        [(3, 0, 5), (3, 0, 5), (3, 1, 5), (3, 1, 3_000), (3, 2, 5), (3, 8, 3_000), (3, 8, 3_000)];
    assert_eq!(packets, expected);
    let error = world.peer(CLIENTS).send(0, "x", PacketFlags(4)).unwrap_err();
    assert_eq!(error, PeerSendError::Flags(4));
    let error = world.peer(CLIENTS).send(4, "x", PacketFlags(1)).unwrap_err();
    assert_eq!(error.to_string(), "channel 4 is beyond the 4 channels agreed on");
    assert_eq!(world.peer(CLIENTS).channels(), 4);
}

#[test]
fn a_peer_times_out_as_configured() {
    let mut world = World::new(settings());
    let (one, three) = (Duration::from_secs(1), Duration::from_secs(3));
    let error = world.peer(CLIENTS).set_timeout(32, three, one).unwrap_err();
    assert!(error.to_string().contains("limit ≤ minimum ≤ maximum"), "{error}");
    world.peer(CLIENTS).set_timeout(8, one, three).unwrap();
    world.network.set_link(Link { loss_permille: 1_000, ..Link::default() });
    world.run(2_500);
    assert_eq!(world.end(CLIENTS), Some(DisconnectReason::Timeout));
    assert_eq!(world.end(SERVERS), None, "the server must keep its own timeout");
}

#[test]
fn an_idle_peer_is_pinged_as_configured() {
    let mut world = World::new(settings());
    let sent = |world: &mut World| {
        world.sides[CLIENTS].pop_statistic(HostStatistic::TotalSentPackets);
        world.run(1_010);
        world.sides[CLIENTS].pop_statistic(HostStatistic::TotalSentPackets)
    };
    world.peer(SERVERS).ping_interval(Duration::from_secs(1_000));
    world.run(1_500);
    let by_default = 1..=2;
    assert!(by_default.contains(&sent(&mut world)));
    world.peer(CLIENTS).ping_interval(Duration::from_millis(90));
    let often = sent(&mut world);
    assert!(
        (10..=11).contains(&often),
        "90 ms after each acknowledgement, which takes 10 ms: {often}"
    );
    world.peer(CLIENTS).ping_interval(Duration::ZERO);
    assert!(by_default.contains(&sent(&mut world)));
    world.peer(CLIENTS).ping();
    world.peer(CLIENTS).ping();
    world.sides[CLIENTS].pop_statistic(HostStatistic::TotalSentPackets);
    world.run(1);
    assert_eq!(world.sides[CLIENTS].pop_statistic(HostStatistic::TotalSentPackets), 1);
}

#[test]
fn statistics_are_those_of_enet() {
    let mut world = World::with_latency(settings(), 20);
    assert_eq!(world.statistic(CLIENTS, PeerStatistic::RoundTripTime), 40);
    assert_eq!(world.statistic(CLIENTS, PeerStatistic::RoundTripTimeVariance), 20);
    assert_eq!(world.statistic(CLIENTS, PeerStatistic::LastRoundTripTime), 40);
    assert_eq!(world.statistic(CLIENTS, PeerStatistic::LastRoundTripTimeVariance), 20);
    for (statistic, expected) in [
        (PeerStatistic::PacketThrottle, 32),
        (PeerStatistic::PacketThrottleLimit, 32),
        (PeerStatistic::PacketThrottleCounter, 0),
        (PeerStatistic::PacketThrottleAcceleration, 2),
        (PeerStatistic::PacketThrottleDeceleration, 2),
        (PeerStatistic::PacketThrottleInterval, 5_000),
        (PeerStatistic::PacketLoss, 0),
        (PeerStatistic::PacketLossVariance, 0),
    ] {
        assert_eq!(world.statistic(CLIENTS, statistic), expected, "{statistic:?}");
    }
    assert_eq!(world.statistic(CLIENTS, PeerStatistic::PacketLossEpoch), 1_001);
    assert!(world.statistic(CLIENTS, PeerStatistic::PacketThrottleEpoch) > 1_000);

    world.network.set_link(Link {
        latency: Duration::from_millis(20),
        loss_permille: 200,
        ..Link::default()
    });
    for _ in 0..120 {
        for _ in 0..5 {
            world.peer(CLIENTS).put_packet("x").unwrap();
        }
        world.run(100);
    }
    let loss = world.statistic(CLIENTS, PeerStatistic::PacketLoss);
    // One measurement with a loss of about 36 % (in either direction), of which the mean takes an
    // eighth.
    let percent = loss * 8 * 100 / PeerStatistic::PACKET_LOSS_SCALE;
    assert!((20..50).contains(&percent), "{percent} %");
    assert!(world.statistic(CLIENTS, PeerStatistic::PacketLossVariance) > 0);
}

#[test]
fn both_peers_apply_the_parameters_of_a_throttle() {
    let mut world = World::new(settings());
    let parameters = ThrottleParameters { interval: 2_000, acceleration: 3, deceleration: 4 };
    world.peer(CLIENTS).throttle_configure(parameters);
    world.run(20);
    for side in [SERVERS, CLIENTS] {
        let statistics = [
            PeerStatistic::PacketThrottleInterval,
            PeerStatistic::PacketThrottleAcceleration,
            PeerStatistic::PacketThrottleDeceleration,
        ];
        assert_eq!(statistics.map(|statistic| world.statistic(side, statistic)), [2_000, 3, 4]);
    }
}

#[test]
fn host_statistics_are_reset_when_polled() {
    let mut world = World::new(settings());
    for side in [SERVERS, CLIENTS] {
        let [sent, datagrams, received, arrived] =
            HostStatistic::ALL.map(|statistic| world.sides[side].pop_statistic(statistic));
        assert!(sent > 40 && received > 40 && datagrams > 1 && arrived > 1);
        let again = HostStatistic::ALL.map(|it| world.sides[side].pop_statistic(it));
        assert_eq!(again, [0; 4]);
    }
    let [client, server] = [CLIENTS, SERVERS].map(|side| world.sides[side].host().stats());
    assert_eq!(client.bytes_sent, server.bytes_received);
}

#[test]
fn a_broadcast_reaches_every_peer_that_has_the_channel() {
    let mut world = World::new(settings());
    let socket = world.network.socket(address("10.0.0.3:5000"));
    let mut other = Connection::with_socket(socket, settings(), Some([8; 32])).unwrap();
    other.connect_to_host(address(SERVER), 1, 10).unwrap();
    let mut arrived = 0;
    for turn in 0..100 {
        if turn == 50 {
            world.sides[SERVERS].broadcast(0, "all", PacketFlags::RELIABLE).unwrap();
            world.sides[SERVERS].broadcast(3, "some", PacketFlags::RELIABLE).unwrap();
        }
        world.run(1);
        while let Some(event) = other.service(world.network.now()) {
            arrived += usize::from(matches!(event, HostEvent::Packet { .. }));
        }
        other.flush(world.network.now());
    }
    assert_eq!((world.packets(CLIENTS).len(), arrived), (2, 1));
    assert_eq!(world.sides[SERVERS].peers().count(), 2);
}

#[test]
fn a_host_limits_channels_and_rejects_new_clients() {
    let mut world = World::new(settings());
    world.sides[SERVERS].channel_limit(2);
    assert_eq!(world.sides[SERVERS].max_channels(), 2);
    world.peer(CLIENTS).peer_disconnect_now(0);
    world.run(20);
    world.links[CLIENTS] = world.sides[CLIENTS].connect_to_host(address(SERVER), 9, 1).unwrap();
    world.run(50);
    assert_eq!(world.peer(CLIENTS).channels(), 2);

    world.peer(CLIENTS).peer_disconnect_now(0);
    world.run(20);
    world.sides[SERVERS].refuse_new_connections(true);
    world.sides[CLIENTS].connect_to_host(address(SERVER), 9, 1).unwrap();
    world.events = [Vec::new(), Vec::new()];
    world.run(50);
    assert!(matches!(world.events[CLIENTS][..], [HostEvent::ConnectFailed { .. }]));
}

#[test]
fn hosts_with_different_compression_cannot_connect() {
    let mut world = World::new(settings());
    world.peer(CLIENTS).peer_disconnect_now(0);
    world.run(20);
    world.sides[CLIENTS].compress(CompressionMode::RangeCoder);
    world.sides[CLIENTS].connect_to_host(address(SERVER), 9, 1).unwrap();
    world.events = [Vec::new(), Vec::new()];
    world.run(3_000);
    assert_eq!(world.events, [[], []]);
    assert!(
        world.sides[SERVERS]
            .host()
            .stats()
            .refused_datagrams
            .get(DatagramRefusal::UnexpectedCompression)
            > 2
    );
    world.run(30_000);
    assert!(matches!(world.events[CLIENTS][..], [HostEvent::ConnectFailed { .. }]));
}

#[test]
fn a_raw_datagram_is_sent_from_the_same_socket() {
    let mut world = World::new(settings());
    world.network.take_log();
    world.sides[CLIENTS].socket_send(address("10.0.0.9:1"), b"knock").unwrap();
    let log = world.network.take_log();
    assert_eq!(log[0].bytes, b"knock");
    assert_eq!(log[0].from, address("10.0.0.2:5000"));
}
