//! The fuzz targets of this crate, on their seed inputs and mutations of them.

use mp_core::fuzz::{Seeds, check};
use mp_transport_enet::fuzz;

#[test]
fn hosts_survive_any_datagrams() {
    // Each datagram goes to the server without a pause.
    let seeds = Seeds::testdata_pieces(&["enet"], &["hex"], &[0]);
    check("enet_datagram", seeds, 500, fuzz::enet_datagram);
}

#[test]
fn hosts_survive_any_commands_of_a_connected_peer() {
    let seeds = Seeds::testdata_pieces(&["enet"], &["hex"], &[0]);
    check("enet_commands", seeds, 500, fuzz::enet_commands);
}

#[test]
fn compressed_input_decompresses_to_itself() {
    let keys = ["in", "fastlz", "zlib", "zstd"];
    let seeds = Seeds::testdata(&["godot4/compressed.json"], &keys);
    check("enet_compression", seeds, 1_000, fuzz::enet_compression);
}

#[test]
fn dtls_survives_any_records_and_delivers_nothing_without_keys() {
    let seeds = Seeds::pieces(&fuzz::dtls_client_hello());
    check("dtls_record", seeds, 200, fuzz::dtls_record);
}
