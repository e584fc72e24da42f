//! Decisions of the program that a router completes by an exchange of packets, and the end of
//! connections as a router sees it.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::{
    CloseMode, ConnectionId, ConnectionRouter, DisconnectReason, NewConnection, OutgoingPacket,
    Packet, Route, ToEndpoint,
};

use crate::world::*;

/// A router that welcomes connections which the program admits, and assigns them when they have
/// answered.
#[derive(Clone, Default)]
struct Welcoming {
    decision: Option<Route>,
    forgotten: Rc<RefCell<Vec<ConnectionId>>>,
}

impl ConnectionRouter for Welcoming {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        Route::Undecided
    }

    fn handle_packet(
        &mut self,
        _: &NewConnection<'_>,
        packet: &Packet,
        _: &mut Vec<OutgoingPacket>,
    ) -> Route {
        match &self.decision {
            Some(decision) if packet.payload == "thanks" => decision.clone(),
            _ => Route::Undecided,
        }
    }

    fn handle_decision(
        &mut self,
        new: &NewConnection<'_>,
        decision: Route,
        replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        match decision {
            Route::Admit(_) => {
                replies.push(packet(new.connection, "welcome"));
                self.decision = Some(decision);
                Route::Undecided
            }
            decision => decision,
        }
    }

    fn retain_packets(&mut self, _: ConnectionId, packets: &mut Vec<Packet>) {
        packets.retain(|packet| packet.payload != "thanks");
    }

    fn forget(&mut self, connection: ConnectionId) {
        self.forgotten.borrow_mut().push(connection);
    }
}

#[test]
fn router_completes_an_admission_and_keeps_its_packets_to_itself() {
    let mut world = World::new(Welcoming::default(), [LOBBY]).shared();
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = client.connection().expect("connected");
    world.endpoint.decide(connection, Route::Admit(LOBBY));
    world.turn();
    client.turn();
    assert_eq!((client.payloads(), world.connections()), (vec!["welcome".into()], vec![]));
    client.queue("early");
    client.queue("thanks");
    client.send("late");
    world.turn();
    assert_eq!(world.payloads(LOBBY), ["early", "late"]);
}

#[test]
fn every_connection_that_ends_is_forgotten_once() {
    type End = fn(&mut World<Welcoming>, Client, ConnectionId);
    let ends: [(&str, End); 5] = [
        ("by the client", |_, client, _| drop(client)),
        ("kicked gracefully", |world, _client, connection| {
            let (reason, close_mode) = (DisconnectReason::Kicked, CloseMode::Graceful);
            world.handle(LOBBY, ToEndpoint::Disconnect { connection, reason, close_mode });
        }),
        ("kicked immediately", |world, _client, connection| {
            let (reason, close_mode) = (DisconnectReason::Kicked, CloseMode::Immediate);
            world.handle(LOBBY, ToEndpoint::Disconnect { connection, reason, close_mode });
        }),
        ("with its branch, gracefully", |world, _client, _| world.leave(LOBBY, CloseMode::Drain)),
        ("with its branch", |world, _client, _| world.leave(LOBBY, CloseMode::Immediate)),
    ];
    for (name, end) in ends {
        let router = Welcoming::default();
        let mut world = World::new(router.clone(), [LOBBY]).shared();
        let mut client = world.join(2);
        world.turn();
        client.turn();
        let connection = client.connection().expect("connected");
        world.endpoint.decide(connection, Route::Branch(LOBBY));
        world.turn();
        assert_eq!((world.connections(), router.forgotten.borrow().len()), (vec![connection], 0));
        end(&mut world, client, connection);
        world.turn();
        world.turn();
        assert_eq!(*router.forgotten.borrow(), [connection], "{name}");
    }
}
