//! Back-pressure: data received on a paused connection, and its delivery when the connection
//! resumes.

mod common;

use std::collections::VecDeque;

use common::{
    RawClient, SERVER, address, at, events, packets, pattern, reliable, server, transmits,
    unreliable,
};
use mp_core::{CloseMode, ConnectionId, DisconnectReason, Rng};
use mp_transport_enet::proto::command::{
    Body, Command, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment,
};
use mp_transport_enet::proto::{Admission, Host, HostEvent, HostSettings, PacketFlags};

fn connected() -> (Host, RawClient) {
    let mut host = server(HostSettings::default());
    let client = RawClient::connect(&mut host, at(10_000), "10.0.0.2:5000", 77);
    (host, client)
}

fn first_bytes(host: &mut Host) -> Vec<u8> {
    packets(host).iter().map(|(.., payload)| payload[0]).collect()
}

#[test]
fn a_paused_connection_buffers_reliable_packets_and_drops_the_others() {
    let (mut host, mut client) = connected();
    let now = at(10_100);
    host.pause_receiving(client.connection, true);
    let unsequenced = Command {
        flags: FLAG_UNSEQUENCED,
        channel: 0,
        sequence: 0,
        body: Body::SendUnsequenced { group: 1, payload: &[3] },
    };
    client.send(&mut host, now, &[reliable(0, 2, &[2]), reliable(1, 1, &[3])]);
    client.send(&mut host, now, &[reliable(0, 1, &[1]), unreliable(0, 0, 1, &[2]), unsequenced]);
    let ping = client.ping();
    client.send(&mut host, now, &[ping]);
    assert!(client.acknowledged(&mut host, now, 0).is_empty());
    assert!(packets(&mut host).is_empty());
    assert_eq!(host.connection_stats(client.connection).unwrap().receive_drops, 2);
    host.pause_receiving(client.connection, false);
    assert!(host.poll_timeout().unwrap() <= now, "the next turn must be due immediately");
    assert_eq!(first_bytes(&mut host), [1, 2, 3]);
    assert_eq!(host.waiting_bytes(client.connection), Some(0));
    client.send(&mut host, now, &[reliable(0, 3, &[4])]);
    assert_eq!(client.acknowledged(&mut host, now, 0), [1, 2, 3]);
    assert_eq!(first_bytes(&mut host), [4]);
}

#[test]
fn a_packet_with_fragments_received_during_a_pause_is_completed_after_it() {
    let (mut host, client) = connected();
    let now = at(10_100);
    let whole = pattern(0, 30);
    let piece = |number: u32| {
        let offset = number * 10;
        let payload = &whole[offset as usize..][..10];
        let fragment = Fragment { start: 1, count: 3, number, total: 30, offset, payload };
        let sequence = 1 + number as u16;
        let body = Body::SendFragment(fragment);
        Command { flags: FLAG_ACKNOWLEDGE, channel: 0, sequence, body }
    };
    client.send(&mut host, now, &[piece(0)]);
    assert_eq!(client.acknowledged(&mut host, now, 0), [1]);
    host.pause_receiving(client.connection, true);
    client.send(&mut host, now, &[piece(2), piece(2)]);
    assert!(client.acknowledged(&mut host, now, 0).is_empty());
    host.pause_receiving(client.connection, false);
    assert!(packets(&mut host).is_empty(), "the second piece is missing");
    assert_eq!(client.acknowledged(&mut host, now, 0), [3]);
    client.send(&mut host, now, &[piece(1)]);
    assert_eq!(packets(&mut host).len(), 1);
    assert_eq!(client.acknowledged(&mut host, now, 0), [2]);
}

#[test]
fn a_paused_connection_buffers_the_window_of_its_sender_and_not_much_more() {
    let (mut host, client) = connected();
    let now = at(10_100);
    let payload = pattern(0, 1_000);
    host.pause_receiving(client.connection, true);
    for sequence in 1..=1_000 {
        client.send(&mut host, now, &[reliable(0, sequence, &payload)]);
    }
    let waiting = host.waiting_bytes(client.connection).unwrap();
    assert!((64 << 10..=128 << 10).contains(&waiting), "{waiting} B");
    assert!(client.acknowledged(&mut host, now, 0).is_empty());
    host.pause_receiving(client.connection, false);
    let kept = packets(&mut host).len();
    assert!(kept * 1_000 >= 64 << 10, "{kept} packets");
    assert_eq!(client.acknowledged(&mut host, now, 0).len(), kept);
    client.send(&mut host, now, &[reliable(0, kept as u16 + 1, &payload)]);
    assert_eq!(packets(&mut host).len(), 1, "the retransmission must be accepted");
}

#[test]
fn resumed_connections_deliver_one_after_the_other_so_that_they_can_be_paused_again() {
    let mut host = server(HostSettings::default());
    let now = at(10_000);
    let connect =
        |host: &mut Host, id| RawClient::connect(host, now, &format!("10.0.0.2:{id}"), id);
    let clients: Vec<RawClient> = (100..104).map(|id| connect(&mut host, id)).collect();
    let pause = |host: &mut Host, is_paused| {
        clients.iter().for_each(|client| host.pause_receiving(client.connection, is_paused));
    };
    pause(&mut host, true);
    for (index, client) in clients.iter().enumerate().rev() {
        let payload = [index as u8];
        client.send(&mut host, now, &[reliable(0, 1, &payload), reliable(0, 2, &payload)]);
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        pause(&mut host, false);
        let Some(HostEvent::Packet { payload, .. }) = host.poll_event() else {
            panic!("no packet")
        };
        order.push(payload[0]);
        // The buffered data of this connection is delivered in any case, that of the others is not.
        pause(&mut host, true);
        assert_eq!(first_bytes(&mut host), [payload[0]]);
    }
    assert_eq!(
        order,
        [3, 2, 1, 0],
        "the connection that was paused with data first must resume first"
    );
}

#[test]
fn a_disconnecting_connection_delivers_no_buffered_packets() {
    let (mut host, client) = connected();
    let (connection, now) = (client.connection, at(10_100));
    host.pause_receiving(connection, true);
    client.send(&mut host, now, &[reliable(0, 1, &[1])]);
    let payload = bytes::Bytes::from_static(b"last words");
    host.send(connection, 0, PacketFlags::RELIABLE, payload.into()).unwrap();
    host.disconnect(connection, 0, DisconnectReason::Closed, CloseMode::Drain);
    host.pause_receiving(connection, false);
    assert_eq!(events(&mut host), []);
}

/// A client and its server, with a delay of 10 ms.
struct Pair {
    hosts: [Host; 2],
    /// Datagrams in flight: time of arrival, receiving host, bytes.
    on_their_way: VecDeque<(u64, usize, Vec<u8>)>,
    millis: u64,
    at_client: ConnectionId,
    at_server: ConnectionId,
    events: [Vec<HostEvent>; 2],
}

impl Pair {
    fn new() -> Self {
        let mut settings = HostSettings::default();
        settings.admission = Admission::Nobody;
        let mut client = Host::new(settings, Rng::seed_from_u64(1));
        let at_client = client.connect(address(SERVER), 1, 2).unwrap();
        let mut pair = Self {
            hosts: [server(HostSettings::default()), client],
            on_their_way: VecDeque::new(),
            millis: 1_000,
            at_client,
            at_server: ConnectionId { slot: 0, generation: 0 },
            events: [Vec::new(), Vec::new()],
        };
        pair.run(2_000);
        pair.at_server = pair.hosts[0].connections().next().unwrap();
        pair
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.millis += 1;
            let now = at(self.millis);
            while self.on_their_way.front().is_some_and(|&(due, ..)| due <= self.millis) {
                let (_, to, datagram) = self.on_their_way.pop_front().unwrap();
                let from = address([CLIENT, SERVER][to]);
                self.hosts[to].handle_datagram(now, from, &datagram);
            }
            for (index, host) in self.hosts.iter_mut().enumerate() {
                host.handle_timeout(now);
                self.events[index].extend(events(host));
                for (_, datagram) in transmits(host, now) {
                    self.on_their_way.push_back((self.millis + 10, 1 - index, datagram));
                }
            }
        }
    }
}

impl Pair {
    /// Has the client send four times its window while the server has paused the connection for
    /// `millis`.
    fn send_while_paused(&mut self, millis: u64) {
        self.hosts[0].pause_receiving(self.at_server, true);
        let payload = bytes::Bytes::from(vec![7; 256 << 10]);
        let client = &mut self.hosts[1];
        client.send(self.at_client, 0, PacketFlags::RELIABLE, payload.into()).unwrap();
        self.events = [Vec::new(), Vec::new()];
        self.run(millis);
        assert_eq!(self.events, [[], []]);
        self.hosts[0].pause_receiving(self.at_server, false);
    }
}

#[test]
fn a_connection_paused_for_less_than_the_timeout_of_its_sender_does_not_time_out() {
    // ENet times out 5 s after the last acknowledgement, when its last attempt expires. It makes no
    // attempt in the second half of that time.
    for pause in (2_000..5_000).step_by(100) {
        let mut pair = Pair::new();
        pair.send_while_paused(pause);
        pair.run(20_000);
        assert_eq!(pair.events[1], [], "paused for {pause} ms");
        assert_eq!(pair.events[0].len(), 1, "paused for {pause} ms");
    }
}

#[test]
fn a_resumed_connection_continues_immediately() {
    let mut pair = Pair::new();
    pair.send_while_paused(4_000);
    pair.run(200);
    assert_eq!(pair.events[0].len(), 1);
}

const CLIENT: &str = "10.0.0.2:5000";
