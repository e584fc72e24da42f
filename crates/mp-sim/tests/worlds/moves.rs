//! Worlds of players who move between rooms.

use std::time::Duration;

use mp_core::bug::{self, OnBug};
use mp_sim::moves::simulate;

#[test]
fn worlds_of_moves_are_clean_and_have_packets_in_flight() {
    let (mut moves, mut received, mut moved) = (0, 0, 0);
    let (mut late_at_rooms, mut late_at_clients) = (0, 0);
    for seed in 0..12 {
        let simulated = bug::with_policy(OnBug::Panic, || simulate(seed, Duration::from_secs(20)));
        let stats = simulated.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        moves += stats.moves;
        received += stats.received;
        moved += stats.moved_packets;
        late_at_rooms += stats.late_at_rooms;
        late_at_clients += stats.late_at_clients;
        if seed >= 3 && late_at_rooms > 0 && late_at_clients > 0 {
            println!("packets of all kinds were in flight after seed {seed}");
            break;
        }
    }
    assert!(moves > 100 && received > 2_000 && moved > 100, "{moves} {received} {moved}");
    // No fence orders these packets: a game must say to which room they belong.
    assert!(late_at_rooms > 0 && late_at_clients > 0, "{late_at_rooms} {late_at_clients}");
}
