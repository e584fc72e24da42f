//! Tests of the forwarder with scripted transports.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{Channel, ConnectionStats, Rng, SendError, TransferMode};

use super::*;

/// A scripted transport that the test and the forwarder share.
#[derive(Clone)]
struct SharedPeer {
    peer: Rc<RefCell<ScriptedPeer>>,
    queued: Rc<RefCell<u64>>,
    closed_with: Rc<RefCell<Vec<u32>>>,
}

impl SharedPeer {
    fn new(peer: ScriptedPeer) -> Self {
        Self {
            peer: Rc::new(RefCell::new(peer)),
            queued: Rc::default(),
            closed_with: Rc::default(),
        }
    }
}

impl MultiplayerPeer for SharedPeer {
    fn poll(&mut self, now: Instant) {
        self.peer.borrow_mut().poll(now);
    }
    fn next_event(&mut self) -> Option<PeerEvent> {
        self.peer.borrow_mut().next_event()
    }
    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        self.peer.borrow_mut().send(outgoing)
    }
    fn flush(&mut self, now: Instant) {
        self.peer.borrow_mut().flush(now);
    }
    fn disconnect(&mut self, connection: ConnectionId, reason: DisconnectReason, mode: CloseMode) {
        self.peer.borrow_mut().disconnect(connection, reason, mode);
    }
    fn close(&mut self) {
        self.peer.borrow_mut().close();
    }
    fn unique_id(&self) -> PeerId {
        self.peer.borrow().unique_id()
    }
    fn connection_status(&self) -> ConnectionStatus {
        self.peer.borrow().connection_status()
    }
    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        self.peer.borrow_mut().pause_receiving(connection, held);
    }
    fn connection_stats(&self, _: ConnectionId) -> Option<ConnectionStats> {
        let mut stats = ConnectionStats::default();
        stats.queued_bytes = *self.queued.borrow();
        Some(stats)
    }
    fn set_conditions(
        &mut self,
        _: ConnectionId,
        _: Option<mp_core::ConnectionConditions>,
        _: &mut Rng,
    ) {
    }
}

impl ProxyPeer for SharedPeer {
    fn close_with(&mut self, connection: ConnectionId, code: u32) {
        self.closed_with.borrow_mut().push(code);
        self.disconnect(connection, DisconnectReason::Kicked, CloseMode::Drain);
    }
}

/// A forwarder with one client, and the transports around it.
struct World {
    now: Instant,
    forwarder: Forwarder<SharedPeer>,
    listener: SharedPeer,
    server: SharedPeer,
    dialed: Rc<RefCell<Vec<PeerId>>>,
    events: Vec<WireEvent>,
}

impl World {
    fn new() -> Self {
        let listener = SharedPeer::new(ScriptedPeer::server());
        let server = SharedPeer::new(ScriptedPeer::new(PeerId::new(7).unwrap()));
        let dialed: Rc<RefCell<Vec<PeerId>>> = Rc::default();
        let (ids, peer) = (Rc::clone(&dialed), server.clone());
        let dial: DialServer = Box::new(move |id| {
            ids.borrow_mut().push(id);
            Ok(Box::new(peer.clone()))
        });
        let forwarder = Forwarder::new(listener.clone(), 1, dial);
        let now = Instant::from_millis(1_000);
        let world = Self { now, forwarder, listener, server, dialed, events: Vec::new() };
        world.listener.peer.borrow_mut().connect(0, PeerId::new(7));
        world
    }

    fn turn(&mut self) {
        self.now += Duration::from_millis(1);
        let events = &mut self.events;
        self.forwarder.turn(self.now, &mut |event| events.push(event));
    }

    /// Lets the server accept the client.
    fn accept(&mut self) {
        self.server.peer.borrow_mut().connect(0, Some(PeerId::SERVER));
        self.turn();
    }

    fn closed(&self) -> Vec<WireCloseReason> {
        let reason = |event: &WireEvent| match event {
            WireEvent::Closed { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        self.events.iter().filter_map(reason).collect()
    }
}

fn receive(peer: &SharedPeer, mode: TransferMode, channel: u8, payload: &'static str) {
    let payload = Bytes::from_static(payload.as_bytes());
    let packet = Packet { from: connection(0), mode, channel: Channel(channel), payload };
    peer.peer.borrow_mut().events.push_back(PeerEvent::Packet(packet));
}

fn sent(peer: &SharedPeer) -> Vec<(TransferMode, u8, Bytes)> {
    let sent = std::mem::take(&mut peer.peer.borrow_mut().sent);
    sent.into_iter().map(|packet| (packet.mode, packet.channel.0, packet.payload)).collect()
}

#[test]
fn packets_keep_mode_channel_and_order_in_both_directions() {
    let mut world = World::new();
    receive(&world.listener, TransferMode::Reliable, 0, "before the server accepts");
    world.turn();
    assert_eq!(*world.dialed.borrow(), [PeerId::new(7).unwrap()], "the id of the client");
    assert_eq!(sent(&world.server), []);
    world.accept();
    receive(&world.listener, TransferMode::UnreliableOrdered, 3, "up");
    receive(&world.server, TransferMode::Unreliable, 5, "down");
    world.turn();
    let up = [
        (TransferMode::Reliable, 0, Bytes::from("before the server accepts")),
        (TransferMode::UnreliableOrdered, 3, Bytes::from("up")),
    ];
    assert_eq!(sent(&world.server), up);
    assert_eq!(sent(&world.listener), [(TransferMode::Unreliable, 5, Bytes::from("down"))]);
    let observed = |event: &WireEvent| match event {
        WireEvent::Packet(packet) => Some((packet.direction, packet.channel.0)),
        _ => None,
    };
    let observed: Vec<_> = world.events.iter().filter_map(observed).collect();
    let expected = [(Direction::ToServer, 0), (Direction::ToServer, 3), (Direction::ToClient, 5)];
    assert_eq!(observed, expected);
}

#[test]
fn codes_of_closed_connections_are_passed_on() {
    let mut world = World::new();
    world.turn();
    world.accept();
    let (connection, reason) = (connection(0), DisconnectReason::Remote(42));
    let event = PeerEvent::Disconnected { connection, reason };
    world.server.peer.borrow_mut().events.push_back(event.clone());
    world.turn();
    assert_eq!(*world.listener.closed_with.borrow(), [42]);
    assert_eq!(world.closed(), [WireCloseReason::Server(reason)]);

    let mut world = World::new();
    world.turn();
    world.accept();
    world.listener.peer.borrow_mut().events.push_back(event);
    world.turn();
    assert_eq!(*world.server.closed_with.borrow(), [42]);
    assert_eq!(world.closed(), [WireCloseReason::Client(reason)]);
    // The server does not acknowledge the end.
    world.now += CLOSE_TIMEOUT;
    world.turn();
    assert!(world.forwarder.sessions.is_empty());
}

#[test]
fn client_of_a_server_that_refuses_is_disconnected() {
    let mut world = World::new();
    world.turn();
    world.server.peer.borrow_mut().status = ConnectionStatus::Disconnected;
    world.turn();
    assert!(
        matches!(world.closed()[..], [WireCloseReason::Unreachable(_)]),
        "{:?}",
        world.closed()
    );
    assert_eq!(*world.listener.closed_with.borrow(), [0]);
}

#[test]
fn further_clients_are_rejected() {
    let mut world = World::new();
    world.listener.peer.borrow_mut().connect(1, PeerId::new(8));
    world.turn();
    assert_eq!(world.forwarder.stats().rejected, 1);
    let disconnected = world.listener.peer.borrow().disconnected.clone();
    let expected = (connection(1), DisconnectReason::Refused, CloseMode::Graceful);
    assert_eq!(disconnected, [expected]);
}

#[test]
fn side_is_paused_while_much_is_queued_for_the_other_one() {
    let mut world = World::new();
    let held = |peer: &SharedPeer| std::mem::take(&mut peer.peer.borrow_mut().held);
    world.turn();
    assert_eq!(held(&world.listener), [(connection(0), true)], "until the server accepts");
    world.accept();
    assert_eq!(held(&world.listener), [(connection(0), false)]);
    for (queued, is_paused) in [
        (PAUSE_BYTES, None),
        (PAUSE_BYTES + 1, Some(true)),
        (RESUME_BYTES + 1, None),
        (RESUME_BYTES, Some(false)),
    ] {
        for (full, paused) in [(&world.server, &world.listener), (&world.listener, &world.server)] {
            *full.queued.borrow_mut() = queued;
            let events = &mut world.events;
            world.forwarder.turn(world.now, &mut |event| events.push(event));
            let expected: Vec<_> = is_paused.map(|it| (connection(0), it)).into_iter().collect();
            assert_eq!(held(paused), expected, "{queued}");
        }
    }
}

#[test]
fn unreliable_packets_beyond_the_limit_are_dropped_until_the_server_accepts() {
    let mut world = World::new();
    for _ in 0..PENDING_PACKETS_MAX + 3 {
        receive(&world.listener, TransferMode::Unreliable, 0, "u");
    }
    receive(&world.listener, TransferMode::Reliable, 0, "r");
    world.turn();
    world.accept();
    assert_eq!(world.forwarder.stats().dropped, 3);
    let sent = sent(&world.server);
    assert_eq!(sent.len(), PENDING_PACKETS_MAX + 1);
    assert_eq!(sent.last().unwrap().2, "r");
}
