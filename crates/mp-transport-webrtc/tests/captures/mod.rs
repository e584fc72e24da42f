//! The recordings of Godot's WebRTC in `testdata/webrtc`.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Returns a recording.
pub(crate) fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/webrtc").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The names of all recordings.
pub(crate) const NAMES: [&str; 8] = [
    "webrtc_disconnects.json",
    "webrtc_handshake.json",
    "webrtc_limits.json",
    "webrtc_native_native.json",
    "webrtc_native_web.json",
    "webrtc_signaling_demo.json",
    "webrtc_str0m.json",
    "webrtc_web_web.json",
];

/// Returns the strings of all recordings for which `is_wanted` is true, without duplicates.
pub(crate) fn strings(is_wanted: fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for name in NAMES {
        collect(&read(name), is_wanted, &mut found);
    }
    found.sort();
    found.dedup();
    assert!(!found.is_empty());
    found
}

fn collect(value: &Value, is_wanted: fn(&str) -> bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_wanted(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|it| collect(it, is_wanted, found)),
        Value::Object(fields) => fields.values().for_each(|it| collect(it, is_wanted, found)),
        _ => {}
    }
}
