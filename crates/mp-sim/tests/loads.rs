//! Worlds with loads and floods are heavy enough for what they are meant to bring about.
#![allow(missing_docs, reason = "a test")]

use mp_sim::plan::Plan;
use mp_sim::trace::Detail;
use mp_sim::world::{Counts, World};
use mp_sim::{Options, simulate};

/// Returns what happened in the first twelve worlds whose plan `has` something; nothing is wrong
/// with any of them.
fn first_twelve(has: fn(&Plan) -> bool) -> Vec<Counts> {
    let options = Options::default();
    let is_one = |seed: &u64| {
        let world = World::new(*seed, options.clients, options.storm, Detail::Nothing);
        has(world.plan())
    };
    let counts = |seed| {
        let outcome = simulate(seed, &options);
        assert_eq!(outcome.violation, None, "seed {seed}; {}", outcome.plan);
        outcome.counts
    };
    (0..).filter(is_one).take(12).map(counts).collect()
}

#[test]
fn endpoints_hold_their_links_for_a_server_that_is_busy_while_much_is_sent_to_it() {
    let holding = first_twelve(|plan| plan.has_loads).iter().filter(|it| it.holds > 0).count();
    assert!(holding >= 1, "none of twelve worlds is heavy enough");
}

#[test]
fn branches_abandon_endpoints_that_hang_while_much_is_sent_over_them() {
    let counts = first_twelve(|plan| plan.has_floods);
    let abandoning = counts.iter().filter(|it| it.abandoned > 0).count();
    assert!(abandoning >= 3, "in {abandoning} of twelve worlds an endpoint is abandoned");
}
