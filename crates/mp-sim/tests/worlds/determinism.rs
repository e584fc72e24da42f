//! The same seed produces the same world.

use std::time::Duration;

use mp_sim::{Outcome, SimulationOptions, simulate};

fn short(seed: u64) -> Outcome {
    let options =
        SimulationOptions { active_time: Duration::from_secs(10), ..SimulationOptions::default() };
    simulate(seed, &options)
}

#[test]
fn equal_seeds_produce_equal_worlds_and_different_seeds_different_ones() {
    let mut hashes = Vec::new();
    for seed in 0..12 {
        let (once, again) = (short(seed), short(seed));
        assert_eq!(once.hash, again.hash, "seed {seed}");
        assert_eq!(once.counters, again.counters, "seed {seed}");
        assert!(once.counters.sent > 0, "seed {seed}: {}", once.plan);
        hashes.push(once.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 12);
}

#[test]
fn the_same_seed_produces_the_same_world_on_another_thread() {
    let here = short(3).hash;
    let there = std::thread::spawn(|| short(3).hash).join().unwrap();
    assert_eq!(here, there);
}
