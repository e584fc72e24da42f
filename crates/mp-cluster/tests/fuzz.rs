//! The fuzz target of this crate, run on its seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_cluster::fuzz;
use mp_core::fuzz::{Seeds, check};

#[test]
fn any_frames_are_handled_within_bounds() {
    check("cluster_frames", Seeds::pieces(&fuzz::seeds()), 20_000, fuzz::cluster_frames);
}
