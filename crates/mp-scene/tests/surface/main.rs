//! Godot's public surface of `MultiplayerAPI`, `SceneMultiplayer` and the replication classes:
//! members, defaults, errors and signals.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod defaults;
mod errors;
mod members;
mod signals;
#[path = "../vectors/mod.rs"]
mod vectors;

use serde_json::Value;

/// Returns the class reference that Godot 4.6.3 reports.
fn api() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/godot4/api.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("the recorded file is JSON")
}
