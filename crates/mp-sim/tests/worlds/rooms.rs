//! Worlds of rooms, on one node and on several.

use std::time::Duration;

use mp_core::bug::{self, OnBug};
use mp_rooms::JoinRefusal;
use mp_sim::cluster;
use mp_sim::rooms::simulate;

#[test]
fn worlds_of_rooms_are_clean_and_lively() {
    let (mut joined, mut failed, mut ended) = (0, 0, 0);
    let mut refused = mp_core::ReasonCounts::<JoinRefusal>::default();
    for seed in 0..12 {
        let simulated = bug::with_policy(OnBug::Panic, || simulate(seed, Duration::from_secs(20)));
        let stats = simulated.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        joined += stats.joined;
        failed += stats.failed_rooms;
        ended += stats.ended_rooms;
        refused.add_all(&stats.refused);
    }
    assert!(joined > 200 && failed > 0 && ended > 20, "{joined} {failed} {ended}");
    for reason in [JoinRefusal::RoomFull, JoinRefusal::WrongCode, JoinRefusal::RoomFailed] {
        assert!(refused.get(reason) > 0, "{refused:?}");
    }
}

#[test]
fn worlds_of_nodes_are_clean_and_lively() {
    let (mut connections, mut live, mut delivered, mut crashes) = (0, 0, 0, 0);
    let (mut lost, mut broken, mut adopted, mut regained) = (0, 0, 0, 0);
    for seed in 0..24 {
        let simulated =
            bug::with_policy(OnBug::Panic, || cluster::simulate(seed, Duration::from_secs(12)));
        let stats = simulated.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        connections += stats.connections;
        live += stats.live;
        delivered += stats.delivered;
        crashes += stats.crashes;
        lost += stats.gateways.lost_batches;
        broken += stats.gateways.broken_connections;
        adopted += stats.claims.adopted;
        regained += stats.claims.regained;
    }
    println!("{connections} {live} {delivered}; {crashes} {lost} {broken} {adopted} {regained}");
    assert!(connections > 500 && live > 100 && delivered > 50_000);
    assert!(crashes > 5 && lost > 10 && broken > 10 && adopted > 5 && regained > 3);
}
