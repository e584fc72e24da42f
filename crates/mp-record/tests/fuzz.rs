//! The fuzz target of this crate, run on its seed inputs and mutations of them.
#![allow(missing_docs, reason = "a test")]

use std::sync::mpsc::{SyncSender, sync_channel};

use mp_core::fuzz::{Seeds, check};
use mp_core::{
    ConnectionId, ConnectionOrigin, ConnectionStatus, EndpointId, EndpointInfo, Instant, PeerEvent,
    PeerId, StateMachine, ToBranch,
};
use mp_host::{BranchRecorder, Recorded};
use mp_record::{BlockSink, RecordedBlock, Recording, RecordingEnd, end_block, fuzz};
use mp_scene::Branch;

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

struct Blocks(SyncSender<RecordedBlock>);

impl BlockSink for Blocks {
    fn accept(&mut self, block: RecordedBlock) -> bool {
        self.0.send(block).is_ok()
    }
}

/// Returns an uncompressed block of a recording that was started while a room has a player.
fn block_with_a_checkpoint() -> Vec<u8> {
    let recording = Recording::idle(None);
    let recorder: Box<dyn BranchRecorder> = Box::new(recording.clone());
    let branch = Branch::builder("/root").seed([0; 32]).build().unwrap();
    let mut branch = Recorded::new(branch, Some(recorder));
    let (now, endpoint) = (Instant::from_millis(3), EndpointId(0));
    let info = EndpointInfo {
        unique_id: PeerId::SERVER,
        status: ConnectionStatus::Connected,
        relay_supported: true,
        max_packet_size: 1 << 20,
        outlives_program: true,
    };
    branch.handle_input(now, ToBranch::Opened(endpoint, info));
    let connection = ConnectionId { slot: 0, generation: 0 };
    let (claimed_id, origin) = (PeerId::new(2), ConnectionOrigin::Process);
    let connected = PeerEvent::Connected { connection, claimed_id, origin };
    branch.handle_input(now, ToBranch::Events(endpoint, vec![connected]));
    let (sender, blocks) = sync_channel(8);
    assert!(recording.start(Box::new(Blocks(sender))));
    for _ in 0..2 {
        branch.end_turn(now);
        branch.deliver(&mut |_, _| Ok(()));
    }
    assert!(recording.stop());
    let block = blocks.recv().unwrap();
    assert!(block.is_start);
    block.bytes
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
    let seeds = Seeds::bytes([block(), block_with_a_checkpoint(), end, header, file]);
    check("recording", seeds, 5_000, fuzz::recording);
}
