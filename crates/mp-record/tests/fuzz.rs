//! The fuzz target of this crate, run on its seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use mp_core::Instant;
use mp_core::fuzz::{Seeds, check};
use mp_record::{RecordingEnd, end_block, fuzz};

/// Returns an uncompressed block: an endpoint opens, a peer connects and sends, and leaves.
fn block() -> Vec<u8> {
    let session: [&[u8]; 6] = [
        // Opened, endpoint 0, peer 1, connected, relay, 16 MiB.
        b"\x80\x01\x00\x00\x00\x02\x02\x01\x80\x80\x80\x08\x00",
        // Events, endpoint 0: Connected 0.0, claims 2, from the network.
        b"\x01\x01\x00\x01\x01\x00\x00\x01\x04\x01",
        // Events: a raw packet.
        b"\x01\x01\x00\x01\x05\x00\x00\x02\x00\x03\x03hi",
        // End of the turn.
        b"\x00\x05",
        // Events: Disconnected, by the remote peer.
        b"\x01\x01\x00\x01\x06\x00\x00\x0d\x00",
        b"\x00\x05",
    ];
    session.concat()
}

#[test]
fn any_file_is_read_within_bounds() {
    let end = end_block(Instant::from_millis(1), RecordingEnd::BranchEnded);
    let header = mp_record::RecordingHeader::default().encode().unwrap();
    let mut file = header.clone();
    file.extend(mp_record::BlockWriter::new().unwrap().encode(&block()).unwrap());
    let mut reader = mp_record::RecordingReader::new(&file[..]).unwrap();
    let frames = std::iter::from_fn(|| reader.next_frame().unwrap());
    assert_eq!(frames.count(), 6, "the seed is a session");
    let seeds = Seeds::bytes([block(), end, header, file]);
    check("recording", seeds, 5_000, fuzz::recording);
}
