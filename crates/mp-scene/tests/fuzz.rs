//! The fuzz targets of this crate, on their seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_scene::fuzz;

#[test]
fn decoded_values_can_be_encoded_and_decoded_again() {
    let files = ["godot4/variants.json", "godot4/conversions.json"];
    let seeds = Seeds::testdata(&files, &["hex", "hex_compressed", "from"]);
    check("variant", seeds, 5_000, fuzz::variant);
}

#[test]
fn decoded_messages_can_be_encoded_and_decoded_again() {
    let files = ["godot4/rpc.json", "godot4/replication.json", "godot4/sys.json"];
    check("scene_message", Seeds::testdata(&files, &["hex"]), 5_000, fuzz::scene_message);
}

#[test]
fn components_of_property_paths_accept_their_own_values() {
    let paths = [".:position", ".:position:x", "Sprite:basis:x", "a::b", ":x", ":r:g:b", "a/b"];
    check("property_path", Seeds::texts(&paths), 5_000, fuzz::property_path);
}
