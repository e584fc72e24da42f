//! Properties of frames and items.

use bytes::Bytes;
use mp_core::{
    AnnouncedId, AssignedId, CarriedSession, Channel, CloseMode, ConnectionId, ConnectionOrigin,
    Connections, DisconnectReason, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, Rejection,
    TransferMode,
};
use mp_rooms::RoomName;
use proptest::collection::vec;
use proptest::prelude::*;

use super::frame::{Body, FrameHeader, FrameRefusal, GatewaySide, Mark, Piece, VERSION};
use super::item::{Item, Stream};
use crate::{ClusterId, ClusterNodeId, Epoch, FrameCodec, GatewayEnd, LinkId};

fn connections() -> impl Strategy<Value = ConnectionId> {
    (0..5_000_u32, 0..9_u32).prop_map(|(slot, generation)| ConnectionId { slot, generation })
}

fn modes() -> impl Strategy<Value = TransferMode> {
    (0..3_usize).prop_map(|index| TransferMode::ALL[index])
}

fn payloads() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn reasons() -> impl Strategy<Value = DisconnectReason> {
    prop_oneof![
        Just(DisconnectReason::Closed),
        Just(DisconnectReason::Timeout),
        Just(DisconnectReason::Rejected(Rejection::new("full", "the room is full"))),
        any::<u32>().prop_map(DisconnectReason::Remote),
    ]
}

fn origins() -> impl Strategy<Value = ConnectionOrigin> {
    let addresses = any::<([u8; 4], u16)>().prop_map(Into::into);
    prop_oneof![
        Just(ConnectionOrigin::Process),
        addresses.clone().prop_map(ConnectionOrigin::Address),
        addresses
            .prop_map(|address| ConnectionOrigin::Url { address, url: "ws://host/room".into() }),
    ]
}

fn sessions() -> impl Strategy<Value = CarriedSession> {
    let announced = vec(any::<(u32, bool)>(), 0..9);
    let assigned = vec((any::<u32>(), prop::option::of("[a-z/]{0,9}"), any::<[u8; 32]>()), 0..9);
    (announced, assigned, any::<(u32, u16, u64)>()).prop_map(|(announced, assigned, rest)| {
        let assigned = assigned.into_iter().map(|(id, path, checksum)| AssignedId {
            id,
            path: path.map(String::into_boxed_str),
            checksum,
        });
        CarriedSession {
            announced: announced
                .into_iter()
                .map(|(id, is_confirmed)| AnnouncedId { id, is_confirmed })
                .collect(),
            assigned: assigned.collect(),
            last_net_id: rest.0,
            sync_time: rest.1,
            malformed_packets: rest.2,
        }
    })
}

fn events() -> impl Strategy<Value = PeerEvent> {
    let ids = || prop::option::of((1..=i32::MAX).prop_map(|id| PeerId::new(id).unwrap()));
    prop_oneof![
        (connections(), ids(), origins()).prop_map(|(connection, claimed_id, origin)| {
            PeerEvent::Connected { connection, claimed_id, origin }
        }),
        (connections(), ids(), origins(), sessions()).prop_map(
            |(connection, claimed_id, origin, carried)| {
                let carried = Box::new(carried);
                PeerEvent::Moved { connection, claimed_id, origin, carried }
            }
        ),
        (connections(), ids(), origins()).prop_map(|(connection, claimed_id, origin)| {
            PeerEvent::Resumed { connection, claimed_id, origin, of: PeerId::SERVER }
        }),
        connections().prop_map(|connection| PeerEvent::Held { connection }),
        (connections(), modes(), any::<u8>(), payloads()).prop_map(
            |(from, mode, channel, payload)| {
                PeerEvent::Packet(Packet { from, mode, channel: Channel(channel), payload })
            }
        ),
        (connections(), reasons())
            .prop_map(|(connection, reason)| PeerEvent::Disconnected { connection, reason }),
    ]
}

fn items() -> impl Strategy<Value = Item> {
    let prefixes = vec(any::<u8>(), 0..=Prefix::CAPACITY);
    prop_oneof![
        events().prop_map(Item::Event),
        reasons().prop_map(Item::Closed),
        (vec(connections(), 2..9), modes(), prefixes, payloads()).prop_map(
            |(to, mode, prefix, payload)| {
                Item::Send(OutgoingPacket {
                    to: Connections::Many(to.into()),
                    mode,
                    channel: Channel(1),
                    prefix: Prefix::new(&prefix),
                    payload,
                })
            }
        ),
        (connections(), reasons()).prop_map(|(connection, reason)| {
            Item::Disconnect { connection, reason, close_mode: CloseMode::Graceful }
        }),
        connections().prop_map(Item::Hold),
        connections().prop_map(Item::Return),
        any::<bool>().prop_map(Item::Refuse),
        reasons().prop_map(|reason| Item::Leave { reason, close_mode: CloseMode::Drain }),
    ]
}

fn codec() -> FrameCodec {
    FrameCodec::new(ClusterId::named("test"))
}

fn header() -> FrameHeader {
    FrameHeader {
        node: ClusterNodeId::new(u64::MAX),
        link: LinkId(7),
        side: GatewaySide::Far,
        room: RoomName::new("arena-1").unwrap(),
        epoch: Epoch::new(300),
        credit: 1 << 40,
    }
}

fn encoded(item: &Item) -> Bytes {
    let mut bytes = Vec::new();
    item.encode(&mut bytes);
    bytes.into()
}

fn batch(items: &[Item]) -> Body {
    let stream = Stream::Connection(ConnectionId { slot: 4, generation: 0 });
    let pieces = items.iter().map(|item| (Piece::Whole, encoded(item))).collect();
    Body::Batch { sequence: 9, chain: vec![Mark { stream, back: 2 }], pieces }
}

proptest! {
    #[test]
    fn items_are_read_as_they_were_written_and_not_when_cut(item in items()) {
        let bytes = encoded(&item);
        prop_assert_eq!(Item::decode(&bytes, false), Ok(item));
        for len in 0..bytes.len() {
            prop_assert!(Item::decode(&bytes.slice(..len), false).is_err());
        }
        let longer = Bytes::from([&bytes[..], &[0]].concat());
        prop_assert!(Item::decode(&longer, false).is_err());
        prop_assert!(Item::decode(&longer, true).is_ok());
    }

    #[test]
    fn frames_are_read_as_they_were_written(items in vec(items(), 0..9)) {
        let body = batch(&items);
        let bytes = codec().encode(&header(), &body);
        let frame = codec().decode(&bytes).unwrap();
        prop_assert_eq!(frame.header, header());
        prop_assert_eq!(frame.body, body);
    }

    #[test]
    fn arbitrary_bytes_are_no_panic(bytes in vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        let _ = codec().decode(&bytes);
        let _ = Item::decode(&bytes, true);
        // Behind a valid header.
        let valid = codec().encode(&header(), &Body::End(GatewayEnd::Closed));
        let body = Bytes::from([&valid[..valid.len() - 2], &bytes[..]].concat());
        let _ = codec().decode(&body);
    }
}

#[test]
fn neighboring_versions_are_read_and_others_are_refused() {
    let bytes = codec().encode(&header(), &Body::Beat { next: 5, has_lost: true });
    let with_version = |version: u8| Bytes::from([&[version], &bytes[1..]].concat());
    for version in [VERSION - 1, VERSION, VERSION + 1] {
        let frame = codec().decode(&with_version(version)).unwrap();
        assert_eq!(frame.body, Body::Beat { next: 5, has_lost: true });
    }
    for version in [VERSION + 2, 0xff] {
        assert_eq!(codec().decode(&with_version(version)), Err(FrameRefusal::OtherVersion));
    }
}

#[test]
fn later_version_may_append_to_the_header_and_the_body() {
    let bytes = codec().encode(&header(), &Body::Beat { next: 5, has_lost: false });
    let len = u16::from_le_bytes([bytes[1], bytes[2]]);
    let (start, body) = bytes[3..].split_at(usize::from(len));
    let appended = |version: u8| {
        let len = (len + 2).to_le_bytes();
        Bytes::from([&[version], &len[..], start, b"ab", body, b"c"].concat())
    };
    let frame = codec().decode(&appended(VERSION + 1)).unwrap();
    assert_eq!((frame.header, frame.body), (header(), Body::Beat { next: 5, has_lost: false }));
    assert_eq!(codec().decode(&appended(VERSION)), Err(FrameRefusal::MalformedHeader));
}

#[test]
fn frames_of_another_cluster_are_refused() {
    let bytes = codec().encode(&header(), &Body::End(GatewayEnd::Closed));
    let other = FrameCodec::new(ClusterId::named("other"));
    assert_eq!(other.decode(&bytes), Err(FrameRefusal::OtherCluster));
}

#[test]
fn frames_beyond_the_limits_are_refused() {
    let long = Bytes::from(vec![VERSION; crate::limits::FRAME_BYTES_MAX + 1]);
    assert_eq!(codec().decode(&long), Err(FrameRefusal::TooLong));
    let items = vec![Item::Refuse(true); crate::limits::BATCH_ITEMS_MAX + 1];
    let bytes = codec().encode(&header(), &batch(&items));
    assert_eq!(codec().decode(&bytes), Err(FrameRefusal::TooLong));
}

#[test]
fn secrets_of_a_url_are_not_encoded() {
    let event = |url: &str| {
        let address = ([192, 0, 2, 1], 5).into();
        let origin = ConnectionOrigin::Url { address, url: url.into() };
        let connection = ConnectionId { slot: 0, generation: 0 };
        Item::Event(PeerEvent::Connected { connection, claimed_id: None, origin })
    };
    for url in ["ws://host/a?token=secret", "ws://host/a#secret", "wss://kay:secret@host/a"] {
        let bytes = encoded(&event(url));
        assert!(!bytes.windows(6).any(|part| part == b"secret"), "{url}");
    }
    let read = Item::decode(&encoded(&event("ws://host/a?token=secret")), false);
    assert_eq!(read, Ok(event("ws://host/a")));
}

#[test]
fn labels_of_reasons_are_their_names() {
    mp_core::testing::assert_labels_are_names::<FrameRefusal>();
    mp_core::testing::assert_labels_are_names::<GatewayEnd>();
}
