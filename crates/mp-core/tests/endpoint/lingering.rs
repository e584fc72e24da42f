//! Connections that receive a last packet before they are closed.

use std::time::Duration;

use mp_core::limits::{
    LINGER_CHECK_INTERVAL, LINGER_TIME, LINGER_TIMEOUT, LINGERING_CONNECTIONS_MAX,
};
use mp_core::testing::ScriptedPeer;
use mp_core::{
    ConnectionId, ConnectionRouter, DisconnectReason, DisconnectRequest, Endpoint, Instant,
    NewConnection, OutgoingPacket, PeerId, Rejection, Route, StateMachine,
};

use crate::world::*;

const FULL: DisconnectReason = DisconnectReason::Rejected(Rejection::new("full", "no capacity"));

/// A router that leaves connections undecided, or rejects all, and replies to those that are
/// rejected.
#[derive(Default)]
struct Explaining {
    rejects_all: bool,
}

impl ConnectionRouter for Explaining {
    fn route(&mut self, new: &NewConnection<'_>, replies: &mut Vec<OutgoingPacket>) -> Route {
        match self.rejects_all {
            true => self.handle_decision(new, Route::Reject(FULL), replies),
            false => Route::Undecided,
        }
    }

    fn handle_decision(
        &mut self,
        new: &NewConnection<'_>,
        decision: Route,
        replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        if matches!(decision, Route::Reject(_)) {
            replies.push(packet(new.connection, "full"));
        }
        decision
    }
}

fn bye(connection: ConnectionId) -> DisconnectRequest {
    DisconnectRequest::new(FULL).last_packet(packet(connection, "bye"))
}

/// Returns a world with a connected client.
fn with_client() -> (World<Explaining>, Client, ConnectionId) {
    let mut world = World::new(Explaining::default(), [LOBBY]).shared();
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = client.connection().expect("connected");
    (world, client, connection)
}

/// Checks that the client has received `last` and is disconnected at the end of the linger time.
fn assert_lingers(mut world: World<Explaining>, mut client: Client, last: &str) {
    world.turn();
    client.turn();
    assert_eq!(
        (client.payloads(), client.disconnect_reason()),
        (vec![last.to_owned().into()], None)
    );
    client.send("too late");
    world.turn();
    assert_eq!(world.endpoint.stats().lingering, 1);
    let end = world.now + LINGER_TIME;
    while client.disconnect_reason().is_none() {
        world.now = world.endpoint.poll_timeout().expect("a deadline");
        world.turn();
        client.turn();
    }
    assert_eq!((world.now, client.payloads().len()), (end, 1));
    assert!(!world.payloads(LOBBY).contains(&"too late".into()));
    let stats = world.endpoint.stats();
    assert_eq!((stats.connections, stats.lingering), (0, 0));
}

#[test]
fn rejected_connection_receives_the_routers_reply_before_its_end() {
    let (mut world, client, connection) = with_client();
    world.endpoint.decide(connection, Route::Reject(FULL));
    assert_lingers(world, client, "full");
}

#[test]
fn disconnected_connection_leaves_its_branch_at_once_and_receives_its_last_packet() {
    let (mut world, client, connection) = with_client();
    world.endpoint.decide(connection, Route::Branch(LOBBY));
    world.endpoint.disconnect(world.now, connection, bye(connection));
    world.turn();
    assert_eq!(world.ends(LOBBY), [(connection, FULL)]);
    assert_lingers(world, client, "bye");
}

#[test]
fn undecided_connection_is_disconnected_as_if_it_was_rejected() {
    let (mut world, client, connection) = with_client();
    world.endpoint.disconnect(world.now, connection, bye(connection));
    assert_lingers(world, client, "full");
}

#[test]
fn connection_without_a_last_packet_is_closed_at_once() {
    let (mut world, mut client, connection) = with_client();
    world.endpoint.decide(connection, Route::Branch(LOBBY));
    world.endpoint.disconnect(world.now, connection, DisconnectRequest::new(FULL));
    world.turn();
    client.turn();
    assert!(client.disconnect_reason().is_some());
    assert_eq!(world.ends(LOBBY), [(connection, FULL)]);
}

#[test]
fn client_that_leaves_while_it_lingers_is_forgotten() {
    let (mut world, client, connection) = with_client();
    world.endpoint.decide(connection, Route::Reject(FULL));
    world.turn();
    drop(client);
    world.turn();
    let stats = world.endpoint.stats();
    assert_eq!((stats.connections, stats.lingering), (0, 0));
}

#[test]
fn connections_beyond_the_limit_do_not_linger() {
    let mut world = World::new(Explaining { rejects_all: true }, [LOBBY]).shared();
    let mut clients = Vec::new();
    for id in 0..=LINGERING_CONNECTIONS_MAX as i32 {
        let mut client = world.join(2 + id);
        world.turn();
        client.turn();
        clients.push(client);
    }
    world.turn();
    clients.iter_mut().for_each(Client::turn);
    assert_eq!(world.endpoint.stats().lingering, LINGERING_CONNECTIONS_MAX);
    let (last, others) = clients.split_last().expect("clients");
    assert_eq!(last.payloads(), ["full"], "it is delivered first");
    assert!(last.disconnect_reason().is_some());
    assert!(others.iter().all(|client| client.disconnect_reason().is_none()));
}

/// An endpoint that has rejected a connection with a last packet, which the client has not
/// received.
struct Slow {
    endpoint: Endpoint<ScriptedPeer, Explaining>,
    now: Instant,
}

impl Slow {
    fn new() -> Self {
        let mut peer = ScriptedPeer::server();
        peer.connect(0, PeerId::new(2));
        peer.is_delivered = false;
        let router = Explaining { rejects_all: true };
        let mut endpoint = Endpoint::new(ENDPOINT, peer, router).shared();
        let now = Instant::from_millis(1_000);
        endpoint.end_turn(now);
        assert_eq!(endpoint.peer().sent.len(), 1);
        Self { endpoint, now }
    }

    /// Runs all turns that are due within `time`. Returns the number of closed connections.
    fn pass(&mut self, time: Duration) -> usize {
        let end = self.now + time;
        while let Some(due) = self.endpoint.poll_timeout().filter(|due| *due <= end) {
            self.endpoint.end_turn(due);
        }
        self.now = end;
        self.endpoint.peer().disconnected.len()
    }
}

#[test]
fn connection_lingers_until_its_client_has_had_time_with_the_last_packet() {
    let mut slow = Slow::new();
    assert_eq!(slow.pass(2 * LINGER_TIME), 0, "the client has not received the packet");
    slow.endpoint.peer_mut().is_delivered = true;
    let moment = Duration::from_millis(1);
    assert_eq!(slow.pass(LINGER_TIME - moment), 0, "the client has just received the packet");
    assert_eq!(slow.pass(LINGER_CHECK_INTERVAL + moment), 1);
    assert_eq!(slow.endpoint.stats().lingering, 0);
}

#[test]
fn connection_whose_client_confirms_nothing_is_closed_after_the_timeout() {
    let mut slow = Slow::new();
    let moment = Duration::from_millis(1);
    assert_eq!(slow.pass(LINGER_TIMEOUT - moment), 0);
    assert_eq!(slow.pass(moment), 1);
    assert_eq!(slow.endpoint.stats().lingering, 0);
}
