//! The same seed makes the same world.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use mp_sim::{Options, Outcome, simulate};

fn short(seed: u64) -> Outcome {
    let options = Options { storm: Duration::from_secs(10), ..Options::default() };
    simulate(seed, &options)
}

#[test]
fn the_same_seed_makes_the_same_world_and_another_seed_another() {
    let mut hashes = Vec::new();
    for seed in 0..12 {
        let (once, again) = (short(seed), short(seed));
        assert_eq!(once.hash, again.hash, "seed {seed}");
        assert_eq!(once.counts, again.counts, "seed {seed}");
        assert!(once.counts.said > 0, "seed {seed}: {}", once.plan);
        hashes.push(once.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 12);
}

#[test]
fn the_same_seed_makes_the_same_world_on_another_thread() {
    let here = short(3).hash;
    let there = std::thread::spawn(|| short(3).hash).join().unwrap();
    assert_eq!(here, there);
}
