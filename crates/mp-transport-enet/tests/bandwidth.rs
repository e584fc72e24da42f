//! Bandwidth limits: hosts send within the limits, announce shares to peers, and the limits can be
//! removed.

mod common;

use std::net::SocketAddr;

use common::{RawClient, SERVER, address, at, parse, server, transmits};
use mp_core::{ConnectionId, Rng};
use mp_transport_enet::proto::command::Body;
use mp_transport_enet::proto::{
    Admission, Host, HostEvent, HostSettings, PacketFlags, PeerStatistic,
};

/// Hosts on a network without delay. The first one is the server of the others.
struct Net {
    hosts: Vec<(SocketAddr, Host)>,
    /// Connections of the server to the clients, and of the clients to the server.
    links: Vec<(ConnectionId, ConnectionId)>,
    millis: u64,
    /// Payload bytes received by each host since the last reset.
    arrived: Vec<usize>,
    /// Datagram bytes sent by each host.
    sent: Vec<usize>,
}

impl Net {
    fn new(server: (u32, u32), clients: &[(u32, u32)]) -> Self {
        let host = |index: usize, (incoming, outgoing): (u32, u32)| {
            let mut settings = HostSettings::default();
            settings.admission = if index == 0 { Admission::Anybody } else { Admission::Nobody };
            settings.incoming_bandwidth = incoming;
            settings.outgoing_bandwidth = outgoing;
            let at = if index == 0 { SERVER.to_owned() } else { format!("10.0.0.2:{index}") };
            (address(&at), Host::new(settings, Rng::seed_from_u64(index as u64)))
        };
        let all = [server].into_iter().chain(clients.iter().copied()).enumerate();
        let mut hosts: Vec<_> = all.map(|(index, limits)| host(index, limits)).collect();
        let mut theirs = Vec::new();
        for (_, client) in &mut hosts[1..] {
            theirs.push(client.connect(address(SERVER), 2, 0).unwrap());
        }
        let count = hosts.len();
        let mut net = Self {
            hosts,
            links: Vec::new(),
            millis: 1_000,
            arrived: vec![0; count],
            sent: vec![0; count],
        };
        net.run(10, |_| {});
        let ours: Vec<ConnectionId> = net.hosts[0].1.connections().collect();
        assert_eq!(ours.len(), theirs.len());
        net.links = ours.into_iter().zip(theirs).collect();
        net
    }

    /// Runs a number of turns of 10 ms, each of which starts with `act`.
    fn run(&mut self, turns: usize, mut act: impl FnMut(&mut Self)) {
        for _ in 0..turns {
            self.millis += 10;
            act(self);
            let (now, mut buf) = (at(self.millis), [0; 4_096]);
            for from in 0..self.hosts.len() {
                self.hosts[from].1.handle_timeout(now);
                self.hosts[from].1.end_turn(now);
                while let Some(transmit) = self.hosts[from].1.poll_transmit(now, &mut buf) {
                    self.sent[from] += transmit.len;
                    let origin = self.hosts[from].0;
                    let to = self.hosts.iter_mut().find(|(at, _)| *at == transmit.to).unwrap();
                    let segment = transmit.segment_size.unwrap_or(transmit.len);
                    for datagram in buf[..transmit.len].chunks(segment) {
                        to.1.handle_datagram(now, origin, datagram);
                    }
                }
            }
            for (index, (_, host)) in self.hosts.iter_mut().enumerate() {
                while let Some(event) = host.poll_event() {
                    match event {
                        HostEvent::Packet { payload, .. } => self.arrived[index] += payload.len(),
                        HostEvent::Connected { .. } => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    }

    /// Sends `bytes` per second to each client, unsequenced, for some seconds. Returns the bytes
    /// per second that each received.
    fn spray(&mut self, bytes: &[usize], seconds: usize) -> Vec<usize> {
        self.arrived.fill(0);
        self.run(seconds * 100, |net| {
            for (index, &bytes) in bytes.iter().enumerate() {
                let payload = bytes::Bytes::from(vec![7; bytes / 100]);
                let (link, flags) = (net.links[index].0, PacketFlags::UNSEQUENCED);
                net.hosts[0].1.send(link, 1, flags, payload.into()).unwrap();
            }
        });
        self.arrived[1..].iter().map(|arrived| arrived / seconds).collect()
    }

    fn limit(&self, index: usize) -> u32 {
        let link = self.links[index].0;
        self.hosts[0].1.peer_statistic(link, PeerStatistic::PacketThrottleLimit).unwrap()
    }
}

#[test]
fn sent_bytes_stay_within_the_hosts_limit() {
    let mut net = Net::new((0, 40_000), &[(0, 0), (0, 0)]);
    net.spray(&[50_000, 30_000], 2); // until it was measured
    let arrived = net.spray(&[50_000, 30_000], 10);
    // Each packet has 8 bytes of headers, so about half of the packets are within the limit.
    assert_eq!((net.limit(0), net.limit(1)), (15, 15));
    let total: usize = arrived.iter().sum();
    assert!((36_000..=41_000).contains(&total), "{arrived:?}");
    assert!(arrived[0] > arrived[1], "the bandwidth must be shared in proportion to the demand");
}

#[test]
fn the_hosts_limit_is_announced_to_an_unlimited_peer() {
    let mut net = Net::new((70_000, 0), &[(0, 0)]);
    net.run(250, |_| {});
    let theirs = net.links[0].1;
    let client = &mut net.hosts[1].1;
    for _ in 0..200 {
        let payload = bytes::Bytes::from(vec![7; 1_000]);
        client.send(theirs, 1, PacketFlags::UNSEQUENCED, payload.into()).unwrap();
    }
    net.run(250, |net| {
        for _ in 0..2 {
            let (payload, flags) = (bytes::Bytes::from(vec![7; 1_000]), PacketFlags::UNSEQUENCED);
            net.hosts[1].1.send(theirs, 1, flags, payload.into()).unwrap();
        }
    });
    let limit = net.hosts[1].1.peer_statistic(theirs, PeerStatistic::PacketThrottleLimit);
    assert_eq!(limit, Some(11), "70,000 of 200,000 bytes per second, in 32nds");
}

#[test]
fn sent_bytes_stay_within_the_limit_of_a_peer() {
    let mut net = Net::new((0, 0), &[(10_000, 0), (0, 0)]);
    net.spray(&[50_000, 50_000], 2);
    let arrived = net.spray(&[50_000, 50_000], 10);
    assert!((8_000..=12_000).contains(&arrived[0]), "{arrived:?}");
    assert_eq!(arrived[1], 50_000);
}

#[test]
fn reliable_data_is_delayed_and_not_lost() {
    let mut net = Net::new((0, 0), &[(8_192, 0)]);
    net.arrived.fill(0);
    let payload = bytes::Bytes::from(vec![7; 200_000]);
    let link = net.links[0].0;
    net.hosts[0].1.send(link, 0, PacketFlags::RELIABLE, payload.into()).unwrap();
    net.run(100, |_| {});
    net.run(20_000, |_| {});
    assert_eq!(net.arrived[1], 200_000);
}

#[test]
fn a_removed_limit_has_no_effect() {
    let mut net = Net::new((0, 0), &[(0, 0)]);
    assert_eq!(net.spray(&[50_000], 3), [50_000], "unlimited at first");
    net.hosts[0].1.bandwidth_limit(0, 10_000);
    net.spray(&[50_000], 3);
    let arrived = net.spray(&[50_000], 5)[0];
    assert!((8_000..=12_000).contains(&arrived), "{arrived}");
    net.hosts[0].1.bandwidth_limit(0, 0);
    net.spray(&[50_000], 2);
    assert_eq!(net.limit(0), 32);
    assert_eq!(net.spray(&[50_000], 3), [50_000]);
}

#[test]
fn incoming_bandwidth_is_divided_among_connected_peers() {
    // Each client announces 100,000 bytes per second, and receives its share of the limit.
    let mut net = Net::new((60_000, 0), &[(0, 100_000), (0, 100_000), (0, 10_000)]);
    net.run(250, |_| {});
    let spray = |net: &mut Net| {
        net.arrived.fill(0);
        net.run(1_000, |net| {
            for (index, (_, theirs)) in net.links.clone().into_iter().enumerate() {
                let payload = bytes::Bytes::from(vec![7; 900]);
                let client = &mut net.hosts[index + 1].1;
                if client.peer_statistic(theirs, PeerStatistic::PacketThrottle).is_some() {
                    client.send(theirs, 1, PacketFlags::UNSEQUENCED, payload.into()).unwrap();
                }
            }
        });
        net.arrived[0] / 10
    };
    spray(&mut net);
    let arrived = spray(&mut net);
    assert!((50_000..=62_000).contains(&arrived), "{arrived}");
}

#[test]
fn hosts_without_limits_have_nothing_to_do_every_second() {
    let mut net = Net::new((0, 0), &[(0, 0)]);
    net.run(250, |_| {});
    let deadline = net.hosts[0].1.poll_timeout().unwrap();
    // The next ping, and no bandwidth round.
    assert_ne!(deadline.as_millis() % 1_000, net.millis % 1_000);
    net.sent.fill(0);
    net.run(1_000, |_| {});
    assert!(net.sent[0] < 10 * 3 * 20, "{} bytes in ten seconds", net.sent[0]);
}

#[test]
fn limits_are_announced_only_when_they_change() {
    let mut settings = HostSettings::default();
    settings.incoming_bandwidth = 60_000;
    let mut host = server(settings);
    // Returns the peers to which the host announces a limit. All peers acknowledge.
    let announced_limits = |host: &mut Host, now: u64, clients: &[RawClient]| {
        host.handle_timeout(at(now));
        let mut limits = Vec::new();
        for (to, bytes) in transmits(host, at(now)) {
            let client = clients.iter().find(|client| client.address == to).unwrap();
            for command in parse(&bytes).1 {
                client.acknowledge(host, at(now), command.channel, command.sequence, at(now));
                if let Body::BandwidthLimit { incoming, .. } = command.body {
                    limits.push((to.port(), incoming));
                }
            }
        }
        limits
    };
    let mut clients = vec![RawClient::connect(&mut host, at(1_000), "10.0.0.2:1", 2)];
    assert_eq!(announced_limits(&mut host, 2_000, &clients), [(1, 60_000)]);
    clients.push(RawClient::connect(&mut host, at(2_100), "10.0.0.2:2", 3));
    assert_eq!(announced_limits(&mut host, 3_000, &clients), [(1, 30_000), (2, 30_000)]);
    host.bandwidth_limit(0, 0);
    assert_eq!(announced_limits(&mut host, 4_000, &clients), [(1, 0), (2, 0)]);
    clients.push(RawClient::connect(&mut host, at(4_100), "10.0.0.2:3", 4));
    assert_eq!(
        announced_limits(&mut host, 5_000, &clients),
        [(3, 0)],
        "the limits of the others have not changed"
    );
}
