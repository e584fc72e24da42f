//! Seeds that have found something, one line each. What a seed decides changes when the simulator does, so that an old one may test
//! another world than the one it failed in: each fault has a test of its own where it was mended.
#![allow(missing_docs, reason = "a test")]

use mp_sim::{Options, simulate};

/// The seed, and what it found.
const FOUND: &[(u64, &str)] = &[
    (6, "a client that began anew at its old address took what was sent to the one before it"),
    (24, "calls overtook the announcement of their sender"),
    (51, "of 65 relayed packets that waited for an announcement one was lost"),
    (265, "what overtook the end of an authentication was lost"),
    (3294, "a link that was held for a busy server was given up seconds after it was let go"),
    (
        4663,
        "what had entered a node that was moved at once was announced to those who had it no more",
    ),
    (
        6253,
        "who did not have a moved node was told the paths of what lay below it, and never again",
    ),
    (9061, "what a method said after the goodbye was taken and lost"),
    (10_907, "a link that failed to deliver its last words was reported as closed in peace"),
];

#[test]
fn seeds_that_have_found_something_find_nothing_any_more() {
    for &(seed, found) in FOUND {
        let outcome = simulate(seed, &Options::default());
        let plan = outcome.plan;
        assert_eq!(outcome.violation, None, "seed {seed}, which once found that {found}; {plan}");
    }
}
