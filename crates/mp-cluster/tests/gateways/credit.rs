//! Back-pressure from the branch to the endpoint.

use std::time::Duration;

use mp_cluster::limits::{QUEUED_BATCHES_MAX, WINDOW_FRAMES};
use mp_core::TransferMode;

use super::pair::{Pair, connected, packet};

#[test]
fn gateway_accepts_nothing_while_the_branch_does_not() {
    let mut pair = Pair::new();
    pair.events(vec![connected(0)]);
    pair.turn();
    pair.received();
    pair.branch_accepts = false;
    let text = "x".repeat(30_000);
    let mut accepted = 0;
    for _ in 0..1_000 {
        if pair.near().has_capacity() {
            let reliable = TransferMode::Reliable;
            pair.events(vec![packet(0, reliable, &text), packet(0, reliable, &text)]);
            pair.events(vec![packet(0, reliable, &text)]);
            accepted += 3;
        }
        pair.turn();
    }
    assert!(!pair.near().has_capacity());
    let batches = WINDOW_FRAMES as usize + QUEUED_BATCHES_MAX + 1;
    assert!((batches..=3 * batches + 3).contains(&accepted), "{accepted}");
    let sent = pair.near().stats().batches_sent;
    assert!(sent <= WINDOW_FRAMES + 2, "{sent}");

    pair.branch_accepts = true;
    pair.run(Duration::from_secs(1));
    assert!(pair.near().has_capacity());
    assert_eq!(pair.received().len(), accepted);
}
