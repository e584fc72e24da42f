//! Runs this crate's fuzz targets with their seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{self, Seeds, check};

#[test]
fn node_paths_round_trip_through_text() {
    let paths = ["/", "../x", "/root/Main", "a//b/", ".:position:x", "a::b", "%Unique/x:", ":x"];
    check("node_path", Seeds::texts(&paths), 5_000, fuzz::node_path);
}
