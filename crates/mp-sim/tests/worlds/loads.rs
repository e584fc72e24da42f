//! Worlds with loads and floods produce enough traffic for the situations that they test.

use mp_sim::plan::Plan;
use mp_sim::trace::Detail;
use mp_sim::world::{Counters, World};
use mp_sim::{SimulationOptions, simulate};

/// Simulates the first twelve worlds for which `has` is true, checks that none has a violation, and
/// returns their counters.
fn first_twelve(has: fn(&Plan) -> bool) -> Vec<Counters> {
    let options = SimulationOptions::default();
    let is_one = |seed: &u64| {
        let world = World::new(*seed, options.clients, options.active_time, Detail::Nothing);
        has(world.plan())
    };
    let counters = |seed| {
        let outcome = simulate(seed, &options);
        assert_eq!(outcome.violation, None, "seed {seed}; {}", outcome.plan);
        outcome.counters
    };
    (0..).filter(is_one).take(12).map(counters).collect()
}

#[test]
fn endpoints_pause_receiving_for_a_busy_server_under_load() {
    let pausing = first_twelve(|plan| plan.has_loads).iter().filter(|it| it.pauses > 0).count();
    assert!(pausing >= 1, "in none of twelve worlds an endpoint pauses receiving");
}

#[test]
fn branches_abandon_hanging_endpoints_under_load() {
    let counters = first_twelve(|plan| plan.has_floods);
    let abandoning = counters.iter().filter(|it| it.abandoned > 0).count();
    assert!(abandoning >= 3, "an endpoint is abandoned in only {abandoning} of twelve worlds");
}
