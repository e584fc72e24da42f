use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use mp_core::link_shaper::LinkConditions;

use super::link::{LINK_BYTES_MAX, SOCKET_BYTES_MAX};
use super::*;
use crate::Transmit;

type Datagrams = VecDeque<(SocketAddr, Vec<u8>)>;

/// Datagrams that a socket has sent and those that it is going to receive, with their addresses.
#[derive(Clone, Default)]
struct Wire {
    sent: Rc<RefCell<Datagrams>>,
    received: Rc<RefCell<Datagrams>>,
    /// Number of datagrams that the socket accepts before it is blocked.
    capacity: Rc<RefCell<usize>>,
}

impl Wire {
    fn new() -> Self {
        let wire = Self::default();
        *wire.capacity.borrow_mut() = usize::MAX;
        wire
    }

    /// Removes and returns the datagrams that were sent.
    fn sent(&self) -> Vec<(u16, String)> {
        let text = |(to, bytes): (SocketAddr, Vec<u8>)| {
            (to.port(), String::from_utf8_lossy(&bytes).into_owned())
        };
        self.sent.take().into_iter().map(text).collect()
    }

    fn receive(&self, from: SocketAddr, bytes: &[u8]) {
        self.received.borrow_mut().push_back((from, bytes.to_vec()));
    }
}

impl DatagramSocket for Wire {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let mut capacity = self.capacity.borrow_mut();
        *capacity = capacity.checked_sub(1).ok_or(io::ErrorKind::WouldBlock)?;
        self.sent.borrow_mut().push_back((to, datagram.to_vec()));
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let next = self.received.borrow_mut().pop_front();
        let (from, bytes) = next.ok_or(io::ErrorKind::WouldBlock)?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok((bytes.len(), from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(address(1))
    }
}

fn address(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn both(conditions: LinkConditions) -> ConnectionConditions {
    ConnectionConditions::both(conditions)
}

fn delayed(delay: u64) -> ConnectionConditions {
    both(LinkConditions { delay: millis(delay), ..LinkConditions::default() })
}

fn rng() -> Rng {
    Rng::seed_from_u64(7)
}

/// A shaped socket with a batch, and the wire below it.
struct Fixture {
    wire: Wire,
    socket: ShapedSocket<Wire>,
    now: Instant,
}

impl Fixture {
    fn new(make: impl FnOnce(ShapedSocket<Wire>) -> ShapedSocket<Wire>) -> Self {
        let wire = Wire::new();
        let socket = make(ShapedSocket::new(wire.clone()));
        let mut fixture = Self { wire, socket, now: Instant::from_millis(1_000) };
        fixture.socket.handle_timeout(fixture.now);
        fixture
    }

    fn advance(&mut self, time: u64) {
        self.now += millis(time);
        self.socket.handle_timeout(self.now);
    }

    /// Sends the datagrams in one batch.
    fn send(&mut self, datagrams: &[(u16, &str)]) {
        let mut batch = SendBatch::with_capacity(64 << 10);
        for (port, datagram) in datagrams {
            batch.room(datagram.len()).unwrap()[..datagram.len()]
                .copy_from_slice(datagram.as_bytes());
            let (to, len) = (address(*port), datagram.len());
            batch.push(Transmit { to, from: None, len, segment_size: None });
        }
        self.socket.try_send_batch(&mut batch).unwrap();
        assert!(batch.is_empty());
    }

    /// Receives up to `most` datagrams. Returns them and whether the socket is drained.
    fn receive(&mut self, most: usize) -> (Vec<(u16, usize)>, bool) {
        let mut received = Vec::new();
        let drained = self.socket.try_recv_batch(most, &mut |path, bytes| {
            received.push((path.remote.port(), bytes.len()));
        });
        (received, drained.unwrap())
    }
}

#[test]
fn datagrams_arrive_after_the_delay_of_each_direction() {
    let mut fixture = Fixture::new(|socket| socket.with_conditions(delayed(30), &mut rng()));
    fixture.send(&[(2, "there")]);
    fixture.wire.receive(address(2), b"back");
    assert_eq!(fixture.receive(8), (vec![], true));
    assert_eq!(fixture.socket.poll_timeout(), Some(fixture.now + millis(30)));
    fixture.advance(29);
    assert_eq!(fixture.receive(8), (vec![], true));
    assert_eq!(fixture.wire.sent(), []);
    fixture.advance(1);
    assert_eq!(fixture.wire.sent(), [(2, "there".to_owned())]);
    assert_eq!(fixture.receive(8), (vec![(2, 4)], true));
    assert_eq!(fixture.socket.poll_timeout(), None);
}

#[test]
fn conditions_of_one_address_do_not_affect_others() {
    let mut fixture = Fixture::new(|mut socket| {
        socket.set_conditions(address(2), delayed(30), &mut rng());
        socket
    });
    fixture.send(&[(2, "late"), (3, "early"), (2, "later")]);
    assert_eq!(fixture.wire.sent(), [(3, "early".to_owned())]);
    fixture.wire.receive(address(2), b"x");
    fixture.wire.receive(address(3), b"xx");
    assert_eq!(fixture.receive(8), (vec![(3, 2)], true));
    fixture.advance(31);
    assert_eq!(fixture.wire.sent(), [(2, "late".to_owned()), (2, "later".to_owned())]);
    assert_eq!(fixture.receive(8), (vec![(2, 1)], true));
}

#[test]
fn directions_have_conditions_of_their_own() {
    let mut fixture = Fixture::new(|mut socket| {
        let incoming = delayed(30).incoming;
        let conditions = ConnectionConditions { incoming, ..Default::default() };
        socket.set_conditions(address(2), conditions, &mut rng());
        socket
    });
    fixture.send(&[(2, "there")]);
    assert_eq!(fixture.wire.sent(), [(2, "there".to_owned())]);
    fixture.wire.receive(address(2), b"back");
    assert_eq!(fixture.receive(8), (vec![], true));
}

#[test]
fn datagrams_of_one_turn_are_not_delayed_without_a_delay() {
    let loss = both(LinkConditions { loss_permille: 1, ..LinkConditions::default() });
    let mut fixture = Fixture::new(|socket| socket.with_conditions(loss, &mut rng()));
    for _ in 0..5 {
        fixture.wire.receive(address(2), b"x");
    }
    fixture.send(&[(2, "a"), (2, "b"), (2, "c")]);
    assert_eq!(fixture.wire.sent().len(), 3);
    assert_eq!(fixture.receive(8).0.len(), 5);
}

#[test]
fn datagrams_are_lost_with_their_probability_in_both_directions() {
    let conditions = both(LinkConditions { loss_permille: 500, ..LinkConditions::default() });
    let mut fixture = Fixture::new(|mut socket| {
        socket.set_conditions(address(2), conditions, &mut rng());
        socket
    });
    let mut received = 0;
    for _ in 0..1_000 {
        fixture.send(&[(2, "x")]);
        fixture.wire.receive(address(2), b"x");
        received += fixture.receive(8).0.len();
    }
    let (sent, (_, stats)) =
        (fixture.wire.sent().len(), fixture.socket.conditions(address(2)).unwrap());
    assert!((400..600).contains(&sent), "{sent} sent");
    assert!((400..600).contains(&received), "{received} received");
    assert_eq!(stats.lost, (2_000 - sent - received) as u64);
}

#[test]
fn removed_conditions_leave_the_socket_when_nothing_is_on_its_way() {
    let mut fixture = Fixture::new(|mut socket| {
        socket.set_conditions(address(2), delayed(30), &mut rng());
        socket
    });
    fixture.send(&[(2, "first")]);
    fixture.socket.remove_conditions(address(2));
    assert_eq!(fixture.socket.conditions(address(2)), None);
    fixture.send(&[(2, "second")]);
    fixture.advance(0);
    assert_eq!(fixture.wire.sent(), [], "the second datagram overtakes the first");
    fixture.advance(31);
    assert_eq!(fixture.wire.sent(), [(2, "first".to_owned()), (2, "second".to_owned())]);
    fixture.advance(0);
    assert!(fixture.socket.links.is_none());
}

#[test]
fn a_receive_returns_no_more_datagrams_than_asked_for() {
    let mut fixture = Fixture::new(|socket| socket.with_conditions(delayed(10), &mut rng()));
    for _ in 0..10 {
        fixture.wire.receive(address(2), b"x");
    }
    for _ in 0..3 {
        assert_eq!(fixture.receive(4).0.len(), 0);
    }
    fixture.advance(11);
    let sizes = [0; 3].map(|_| {
        let (received, drained) = fixture.receive(4);
        (received.len(), drained)
    });
    assert_eq!(sizes, [(4, false), (4, false), (2, true)]);
}

#[test]
fn datagrams_beyond_the_limit_of_a_link_are_dropped_and_counted() {
    let mut fixture = Fixture::new(|mut socket| {
        socket.set_conditions(address(2), delayed(30), &mut rng());
        socket
    });
    let datagram = "x".repeat(1 << 10);
    for _ in 0..LINK_BYTES_MAX / datagram.len() + 5 {
        fixture.send(&[(2, &datagram)]);
    }
    let (_, stats) = fixture.socket.conditions(address(2)).unwrap();
    assert_eq!((stats.overflowed, stats.queued_bytes), (5, LINK_BYTES_MAX));
    fixture.advance(2_000);
    let (_, stats) = fixture.socket.conditions(address(2)).unwrap();
    assert_eq!(stats.queued_bytes, 0);
}

#[test]
fn datagrams_beyond_the_limit_of_all_links_are_dropped_and_counted() {
    let links = (SOCKET_BYTES_MAX / LINK_BYTES_MAX) as u16 + 1;
    let mut fixture = Fixture::new(|mut socket| {
        for port in 0..links {
            socket.set_conditions(address(port), delayed(30), &mut rng());
        }
        socket
    });
    let datagram = "x".repeat(4 << 10);
    for _ in 0..LINK_BYTES_MAX / datagram.len() {
        for port in 0..links {
            fixture.send(&[(port, &datagram)]);
        }
    }
    let stats = (0..links).filter_map(|port| fixture.socket.conditions(address(port)));
    let (overflowed, queued) = stats
        .fold((0, 0), |sum, (_, stats)| (sum.0 + stats.overflowed, sum.1 + stats.queued_bytes));
    assert_eq!((overflowed, queued), ((LINK_BYTES_MAX / datagram.len()) as u64, SOCKET_BYTES_MAX));
}

#[test]
fn datagrams_wait_while_the_socket_is_blocked() {
    let mut fixture = Fixture::new(|socket| socket.with_conditions(delayed(10), &mut rng()));
    fixture.send(&[(2, "a"), (2, "b"), (2, "c")]);
    *fixture.wire.capacity.borrow_mut() = 1;
    fixture.advance(11);
    assert_eq!(fixture.wire.sent(), [(2, "a".to_owned())]);
    assert_eq!(fixture.socket.poll_timeout(), Some(fixture.now + millis(1)));
    *fixture.wire.capacity.borrow_mut() = 8;
    fixture.advance(1);
    assert_eq!(fixture.wire.sent(), [(2, "b".to_owned()), (2, "c".to_owned())]);
}

#[test]
fn one_seed_reproduces_the_link() {
    let conditions = both(LinkConditions {
        jitter: millis(20),
        loss_permille: 100,
        duplication_permille: 100,
        reordering_permille: 100,
        ..delayed(20).outgoing
    });
    let run = || {
        let mut fixture = Fixture::new(|socket| socket.with_conditions(conditions, &mut rng()));
        let mut arrived = Vec::new();
        for number in 0..200 {
            fixture.send(&[(2, &number.to_string())]);
            fixture.advance(1);
            arrived.push(fixture.wire.sent());
        }
        arrived
    };
    let arrived = run();
    assert_eq!(arrived, run());
    assert!(!arrived.concat().is_sorted_by_key(|(_, text)| text.parse::<u32>().unwrap()));
}
