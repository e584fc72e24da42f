//! Worlds with loads are heavy enough for what they are meant to bring about.
#![allow(missing_docs, reason = "a test")]

use mp_sim::trace::Detail;
use mp_sim::world::World;
use mp_sim::{Options, simulate};

#[test]
fn endpoints_hold_their_links_for_a_server_that_is_busy_while_much_is_sent_to_it() {
    let options = Options::default();
    let has_loads = |seed: &u64| {
        let world = World::new(*seed, options.clients, options.storm, Detail::Nothing);
        world.plan().has_loads
    };
    let mut holding = 0;
    for seed in (0..).filter(has_loads).take(12) {
        let outcome = simulate(seed, &options);
        assert_eq!(outcome.violation, None, "seed {seed}; {}", outcome.plan);
        holding += usize::from(outcome.counts.holds > 0);
    }
    assert!(holding >= 1, "none of twelve worlds is heavy enough");
}
