//! Simulated network conditions of connections.

use std::time::Duration;

use mp_core::link_shaper::LinkConditions;
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    ConditionsError, ConnectionConditions, Endpoint, Instant, LinkSimulation, PeerId, Rng,
    StateMachine,
};

use crate::world::*;

const NOW: Instant = Instant::from_millis(1);

fn conditions() -> ConnectionConditions {
    ConnectionConditions::both(LinkConditions {
        delay: Duration::from_millis(100),
        loss_permille: 50,
        ..LinkConditions::default()
    })
}

fn rng() -> Rng {
    Rng::seed_from_u64(1)
}

/// Returns an endpoint of a transport that simulates `simulation`, which reports a connection in
/// the next turn.
fn endpoint(simulation: LinkSimulation) -> Endpoint<ScriptedPeer> {
    let mut peer = ScriptedPeer::server();
    peer.simulation = simulation;
    peer.connect(0, PeerId::new(2));
    let mut endpoint = Endpoint::new(ENDPOINT, peer, LOBBY);
    endpoint.serve(LOBBY);
    endpoint
}

#[test]
fn conditions_of_a_connection_are_passed_to_its_transport() {
    let mut endpoint = endpoint(LinkSimulation::Datagrams);
    endpoint.end_turn(NOW);
    let set = |endpoint: &mut Endpoint<_>, conditions| {
        endpoint.set_conditions(connection(0), conditions, &mut rng())
    };
    assert_eq!(set(&mut endpoint, Some(conditions())), Ok(()));
    assert_eq!(set(&mut endpoint, None), Ok(()));
    let expected = [(connection(0), Some(conditions())), (connection(0), None)];
    assert_eq!(endpoint.peer().conditions, expected);
}

#[test]
fn conditions_that_a_transport_cannot_simulate_are_an_error() {
    let of = |simulation, conditions| {
        let mut endpoint = endpoint(simulation);
        endpoint.end_turn(NOW);
        let set = endpoint.set_conditions(connection(0), Some(conditions), &mut rng());
        (set, endpoint.peer().conditions.len())
    };
    assert_eq!(of(LinkSimulation::None, conditions()), (Err(ConditionsError::Unsupported), 0));
    let refused = (Err(ConditionsError::DatagramsOnly), 0);
    assert_eq!(of(LinkSimulation::Stream, conditions()), refused);
    assert_eq!(of(LinkSimulation::Stream, conditions().of_stream()), (Ok(()), 1));
}

#[test]
fn conditions_of_an_unknown_connection_are_an_error() {
    let mut endpoint = endpoint(LinkSimulation::Datagrams);
    let set = endpoint.set_conditions(connection(0), None, &mut rng());
    assert_eq!(set, Err(ConditionsError::UnknownConnection));
}

#[test]
fn new_connections_get_the_initial_conditions_that_their_transport_can_simulate() {
    for (simulation, expected) in [
        (LinkSimulation::None, vec![]),
        (LinkSimulation::Stream, vec![(connection(0), Some(conditions().of_stream()))]),
        (LinkSimulation::Datagrams, vec![(connection(0), Some(conditions()))]),
    ] {
        let mut endpoint = endpoint(simulation);
        endpoint.set_initial_conditions(conditions(), rng());
        endpoint.end_turn(NOW);
        assert_eq!(endpoint.peer().conditions, expected, "{simulation:?}");
    }
}
