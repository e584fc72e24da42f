//! Recordings do not contain secrets.

use mp_core::{
    ConnectionId, ConnectionOrigin, EndpointId, Packet, PeerEvent, PeerId, ToBranch, TransferMode,
};
use mp_host::BranchRecorder;
use mp_record::{BlockSink, Frame, RecordedBlock, Recording, RecordingReader};
use mp_scene::prelude::*;

use crate::world::{File, Room, World};

/// A sink that does not compress, so that the test finds texts.
#[derive(Clone, Default)]
struct Raw(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl BlockSink for Raw {
    fn accept(&mut self, block: RecordedBlock) -> bool {
        self.0.lock().unwrap().extend(block.bytes);
        true
    }
}

#[test]
fn addresses_urls_and_authentications_are_masked_and_chat_is_not() {
    let raw = Raw::default();
    let mut recording = Recording::new(Box::new(raw.clone()));
    let connection = ConnectionId { slot: 0, generation: 0 };
    let url = "ws://example.org/room?token=SECRET";
    let origin =
        ConnectionOrigin::Url { address: ([0x53, 0x45, 0x43, 0x52], 9).into(), url: url.into() };
    let claimed_id = PeerId::new(2);
    let packet = |payload: &'static [u8]| {
        let payload = bytes::Bytes::from_static(payload);
        let (from, channel) = (connection, Channel(0));
        PeerEvent::Packet(Packet { from, mode: TransferMode::Reliable, channel, payload })
    };
    let events = vec![
        PeerEvent::Connected { connection, claimed_id, origin },
        packet(b"\x07\x00SECRET"),
        packet(b"\x07\x03\x02\0\0\0\x07\x00SECRET"),
        packet(b"\x03chat of a player"),
    ];
    let now = mp_core::Instant::from_millis(1);
    recording.input(now, &ToBranch::Events(EndpointId(0), events));
    drop(recording);
    let bytes = raw.0.lock().unwrap().clone();
    let contains = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(!contains(b"SECR") && !contains(b"example.org") && contains(b"chat of a player"));
}

#[test]
fn recorded_connections_have_no_address() {
    let mut world = World::new(Room::Relay, File::default());
    world.join();
    world.settle();
    let file = world.finish(mp_record::RecordingEnd::BranchEnded);
    let mut reader = RecordingReader::new(&file[..]).unwrap();
    let mut connected = 0;
    while let Some(frame) = reader.next_frame().unwrap() {
        let Frame::Input(ToBranch::Events(_, events)) = frame.frame else { continue };
        for event in events {
            if let PeerEvent::Connected { origin, claimed_id, .. } = event {
                assert_eq!(
                    (origin.to_string(), claimed_id),
                    ("this process".to_owned(), PeerId::new(2))
                );
                connected += 1;
            }
        }
    }
    assert_eq!(connected, 1);
}
