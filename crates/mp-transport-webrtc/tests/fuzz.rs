//! The fuzz targets of this crate, run on their seed inputs and mutations of them.

mod captures;

use mp_core::fuzz::{Seeds, check};
use mp_transport_webrtc::fuzz;

/// Candidates of kinds that are not in the recordings.
const CANDIDATES: [&str; 4] = [
    "candidate:842163049 1 udp 2113937151 7c6e0f1e-1c5b-4b8a-9f3a-000000000000.local 35083 typ \
     host generation 0 ufrag M3Go network-cost 999",
    "candidate:2 1 UDP 1686052607 203.0.113.9 61000 typ srflx raddr 10.0.0.1 rport 9",
    "candidate:3 1 udp 41885439 2001:db8::1 50000 typ relay raddr 203.0.113.9 rport 61000",
    "candidate:4 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
];

/// Chunks: DATA of one message and of the parts of another, SACK, HEARTBEAT, FORWARD TSN,
/// RE-CONFIG that resets streams, INIT, COOKIE ECHO, ERROR, SHUTDOWN and ABORT.
const CHUNKS: [&[u8]; 12] = [
    &[0, 0, 3, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 53, b'd', b'a', b't', b'a'],
    &[0, 0, 2, 0, 17, 0, 0, 0, 2, 0, 1, 0, 1, 0, 0, 0, 53, b'd', 0, 0, 0],
    &[0, 0, 5, 0, 17, 0, 0, 0, 4, 0, 3, 0, 0, 0, 0, 0, 53, b'd', 0, 0, 0],
    &[0, 3, 0, 0, 20, 0, 0, 0, 1, 0, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 3],
    &[1, 4, 0, 0, 12, 0, 1, 0, 8, 1, 2, 3, 4],
    &[1, 192, 0, 0, 12, 0, 0, 0, 3, 0, 1, 0, 1],
    &[1, 130, 0, 0, 24, 0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0],
    &[2, 1, 0, 0, 20, 0, 0, 0, 9, 0, 1, 0, 0, 255, 255, 255, 255, 0, 0, 0, 1],
    &[2, 10, 0, 0, 8, 1, 2, 3, 4],
    &[2, 9, 0, 0, 8, 0, 1, 0, 4],
    &[250, 7, 0, 0, 8, 0, 0, 0, 1],
    &[1, 6, 0, 0, 4],
];

#[test]
fn connections_survive_any_session_description() {
    let texts = captures::strings(|text| text.starts_with("v=0"));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    check("session_description", Seeds::texts(&texts), 200, fuzz::session_description);
}

#[test]
fn any_candidate_is_parsed_or_rejected() {
    let texts = captures::strings(|text| text.starts_with("candidate:"));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let seeds = Seeds::texts(&texts).and(Seeds::texts(&CANDIDATES));
    check("ice_candidate", seeds, 20_000, fuzz::ice_candidate);
}

#[test]
fn servers_survive_any_datagram() {
    let file = ["webrtc/webrtc_handshake.json"];
    let seeds = |prefix| Seeds::testdata_pieces(&file, &["hex"], prefix);
    let seeds = seeds(&[0]).and(seeds(&[1])).and(seeds(&[0xfd])).and(seeds(&[0xff]));
    check("webrtc_datagram", seeds, 200, fuzz::webrtc_datagram);
}

#[test]
fn servers_survive_any_sctp_chunks_of_a_connected_client() {
    let each: Vec<Vec<u8>> = CHUNKS.iter().map(|chunk| chunk.to_vec()).collect();
    check("sctp_chunks", Seeds::pieces(&each), 100, fuzz::sctp_chunks);
}
