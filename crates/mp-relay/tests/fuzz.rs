//! The fuzz target of this crate, run on its seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_relay::fuzz;

/// Parts of a state: a path, a SPAWN and its values, a placed synchronizer.
const PATH: &str = "\x07Spawnerd41d8cd98f00b204e9800998ecf8427e";
const SPAWN: &str = "\x04\0\0\0\0\0\0\0\0\0\x01\0\0\0\x05\0\0\0\0\0\0\0Tank\0\x02d\x02\0";
const VALUES: &str = "\x02\x02(\x01\0\x02\x02\x1e";

#[test]
fn any_snapshots_are_refused_or_can_be_encoded_again() {
    let node = format!("\x01{PATH}\x01\0\x1f{SPAWN}{VALUES}\0");
    let placed = format!("\x02{PATH}{PATH}\0\x02\0{VALUES}\x01{VALUES}");
    let length = char::from(node.len() as u8);
    let hosted = format!("mpsn\x01\0\x05arena\x07default\0\x01\x01{length}{node}");
    let program = "mpsn\x01\0\0\0\0\0\x07\x05state";
    assert!(mp_scene::Snapshot::decode(hosted.as_bytes()).is_ok());
    let seeds = Seeds::texts(&[&node, &placed, &hosted, program]);
    check("snapshot", seeds, 20_000, fuzz::snapshot);
}
