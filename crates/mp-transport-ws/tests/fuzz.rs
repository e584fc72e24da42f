//! The fuzz targets of this crate, run on their seed inputs and mutations of them.

use mp_core::fuzz::{Seeds, check};
use mp_transport_ws::fuzz;

#[test]
fn connections_survive_any_handshake() {
    let urls = ["ws://game.example:7778/room?a=b", "wss://[::1]/"];
    let seeds = Seeds::testdata_pieces(&["ws"], &["hex"], &[]).and(Seeds::texts(&urls));
    check("web_socket_handshake", seeds, 5_000, fuzz::web_socket_handshake);
}

#[test]
fn open_connections_survive_any_frames() {
    let seeds = Seeds::testdata_pieces(&["ws"], &["hex"], &[]);
    check("web_socket_frames", seeds, 5_000, fuzz::web_socket_frames);
}
