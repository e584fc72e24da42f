//! The fuzz targets of this crate, on their seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::fuzz::{Seeds, check};
use mp_wire::fuzz;

#[test]
fn any_packets_have_a_bounded_text_and_are_counted_once() {
    let files = ["godot4/rpc.json", "godot4/replication.json", "godot4/sys.json"];
    let up = Seeds::testdata_pieces(&files, &["hex"], &[0]);
    let down = Seeds::testdata_pieces(&files, &["hex"], &[1]);
    check("wire_packets", up.and(down), 5_000, fuzz::wire_packets);
}

#[test]
fn any_datagrams_are_captured_within_bounds() {
    let files = ["enet/enet_connect.json", "enet/enet_modes.json", "enet/enet_compress_range.json"];
    let up = Seeds::testdata_pieces(&files, &["hex"], &[0]);
    let down = Seeds::testdata_pieces(&files, &["hex"], &[1]);
    check("wire_datagrams", up.and(down), 300, fuzz::wire_datagrams);
}
