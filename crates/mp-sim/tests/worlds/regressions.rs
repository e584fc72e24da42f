//! Seeds that have found a fault. A seed may test another world after the simulator has changed, so
//! each fixed fault has a test of its own, too.

use mp_sim::{SimulationOptions, simulate};

/// Seed and the fault that it found.
const FOUND: &[(u64, &str)] = &[
    (6, "a restarted client at its old address received packets for its predecessor"),
    (24, "calls were processed before the announcement of their sender"),
    (51, "one of 65 relayed packets was lost while queued for an announcement"),
    (265, "packets received before the end of an authentication were lost"),
    (3294, "a connection timed out seconds after it resumed receiving for a busy server"),
    (
        4663,
        "a child added to a node that moved at once was announced to peers that no longer had the node",
    ),
    (6023, "the checker took a restarted server for the one that a client had timed out"),
    (6253, "peers without a moved node were sent the paths of its children, and never again"),
    (9061, "a message sent by a method after the disconnect was accepted and lost"),
    (
        10_907,
        "a connection that failed to deliver its last packets was reported as closed gracefully",
    ),
];

#[test]
fn seeds_that_have_found_a_fault_find_no_violation() {
    for &(seed, found) in FOUND {
        let outcome = simulate(seed, &SimulationOptions::default());
        let plan = outcome.plan;
        assert_eq!(outcome.violation, None, "seed {seed}, which once found: {found}; {plan}");
    }
}
