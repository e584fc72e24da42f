//! The body of this crate's fuzz target. It accepts any bytes and panics if a property does not
//! hold. See `fuzz/` in the repository.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::fuzz::pieces;
use mp_core::{
    Channel, ConnectionId, Connections, EndpointId, Instant, OutgoingPacket, Packet, PeerEvent,
    PeerId, Prefix, TransferMode,
};
use mp_identity::{Identity, Subject};
use mp_rooms::{Code, MatchRequest, PartyRequest, Resume, RoomId, RoomName, Selection, TicketHash};

use crate::directory::{
    AddressKind, BanRecord, ClusterNodeName, NodeAddress, NodeContact, NodeRecord, Operation,
    RoomRecord, TicketRecord,
};
use crate::limits::{VALUE_BYTES_MAX, WINDOW_FRAMES};
use crate::wire::frame::{Body, FrameHeader, GatewaySide, Mark, Piece};
use crate::wire::item::{Item, Stream};
use crate::{
    ClusterId, ClusterNodeId, Epoch, FrameCodec, Gateways, JoinAnswer, LinkId, ListedRoom,
    NodeCall, NodeReply, NodeRequest, NodeRequestId, PlayerTicket, QueueCall, QueueReport,
    RemoteJoin, RequestCodec, SeatCall, SeatOffer, SeatVerb, StoredContent, StoredEndpoint,
    StoredPlayer, StoredRoom, StoredSeat,
};

/// Passes the [`pieces`] of the input to the gateways of a node, which owns every room.
pub fn cluster_frames(data: &[u8]) {
    let codec = codec();
    let mut gateways = Gateways::new(cluster(), ClusterNodeId::new(1), EndpointId(0));
    let mut now = Instant::ZERO;
    for bytes in pieces(data) {
        let bytes = Bytes::copy_from_slice(bytes);
        if let Ok(frame) = codec.decode(&bytes) {
            let again = codec.encode(&frame.header, &frame.body);
            if !frame.is_newer {
                assert_eq!(codec.decode(&again).as_ref(), Ok(&frame));
            }
        }
        let requests = RequestCodec::new(cluster(), ClusterNodeId::new(1));
        if let Ok((_, request)) = requests.decode(&bytes) {
            let again = requests.encode(&request);
            assert!(requests.decode(&again).is_ok());
        }
        if let Some(ban) = BanRecord::decode(&bytes) {
            let put = ban.put(0, None);
            assert!(matches!(put, Operation::Put { value, .. } if value.len() <= VALUE_BYTES_MAX));
        }
        check_records(&bytes);
        check_state(&bytes);
        gateways.handle_frame(now, &bytes, |_| Some(Epoch::new(1)));
        now += crate::limits::BEAT_INTERVAL;
        let mut opened = Vec::new();
        while let Some((link, _)) = gateways.next_opened() {
            opened.push(link);
        }
        for link in opened {
            let Some(far) = gateways.far_mut(link) else { continue };
            let mut messages = 0;
            far.deliver(&mut |_| {
                messages += 1;
                Ok(())
            });
            assert!(messages <= 3 * WINDOW_FRAMES, "{messages} messages of one frame");
        }
        gateways.handle_timeout(now);
        gateways.transmit(now, |_| Some(Epoch::new(1)), |_, _| {});
    }
}

/// Decodes the bytes as values of the directory. What is accepted fits a value, and is the same
/// when it is decoded again.
fn check_records(bytes: &[u8]) {
    if let Some(node) = NodeRecord::decode(bytes) {
        let again = node.encode();
        assert!(again.len() <= VALUE_BYTES_MAX);
        assert_eq!(NodeRecord::decode(&again), Some(node));
    }
    if let Some(room) = RoomRecord::decode(bytes) {
        let again = room.encode();
        assert!(again.len() <= VALUE_BYTES_MAX);
        assert_eq!(RoomRecord::decode(&again), Some(room));
    }
    if let Some(ticket) = TicketRecord::decode(bytes) {
        let again = ticket.encode();
        assert!(again.len() <= VALUE_BYTES_MAX);
        assert_eq!(TicketRecord::decode(&again), Some(ticket));
    }
}

/// Decodes the bytes as the stored state of a room. What is accepted is accepted again.
fn check_state(bytes: &Bytes) {
    if let Ok(state) = StoredRoom::decode(cluster(), bytes) {
        assert_eq!(StoredRoom::decode(cluster(), &state.encode(cluster())), Ok(state));
    }
}

/// Returns frames of all kinds, as seed inputs.
pub fn seeds() -> Vec<Vec<u8>> {
    let connection = ConnectionId { slot: 3, generation: 1 };
    let mut packet = Packet {
        from: connection,
        mode: TransferMode::Reliable,
        channel: Channel(2),
        payload: Bytes::from_static(b"payload"),
    };
    let to = Connections::Many([connection, ConnectionId { slot: 4, generation: 0 }].into());
    let send = OutgoingPacket {
        to,
        mode: TransferMode::Unreliable,
        channel: Channel(0),
        prefix: Prefix::new(b"relay"),
        payload: Bytes::from_static(b"sent"),
    };
    let received = Item::Event(PeerEvent::Packet(packet.clone()));
    packet.mode = TransferMode::Unreliable;
    let items = [received, Item::Event(PeerEvent::Packet(packet)), Item::Send(send)];
    let pieces = items.iter().map(|item| {
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        (Piece::Whole, bytes.into())
    });
    let marks = vec![
        Mark { stream: Stream::Link, back: 2 },
        Mark { stream: Stream::Connection(connection), back: 0 },
    ];
    let bodies = [
        Body::Batch { sequence: 1, chain: marks.clone(), pieces: pieces.collect() },
        Body::Beat { next: 2, has_lost: true },
        Body::Marks { sequence: 2, marks },
        Body::End(crate::GatewayEnd::DataLost),
    ];
    let header = FrameHeader {
        node: ClusterNodeId::new(2),
        link: LinkId(1),
        side: GatewaySide::Near,
        room: RoomName::new("arena").expect("a name"),
        epoch: Epoch::new(1),
        credit: 1,
    };
    let answer = JoinAnswer::Admitted { epoch: Epoch::new(1), authenticates: false };
    let requests = RequestCodec::new(cluster(), ClusterNodeId::new(2));
    let answer = requests.encode(&NodeRequest::Answer(NodeRequestId::new(1), answer)).to_vec();
    let frames = bodies.iter().map(|body| codec().encode(&header, body).to_vec());
    let ticket = TicketHash::from_bytes([7; 32]);
    let template = header.room.clone();
    let request = MatchRequest::new(template.clone());
    let identity = Arc::new(Identity::anonymous());
    let seat = SeatCall { verb: SeatVerb::Join, request, ticket, identity: Arc::clone(&identity) };
    let enter = QueueCall::Enter { rank: 1, party: PartyRequest::Alone, identity };
    let offer = SeatOffer {
        room: RoomId::new(1),
        name: template.clone(),
        template: template.clone(),
        expires_in: Duration::from_secs(15),
    };
    let room = ListedRoom {
        room: RoomId::new(1),
        name: template.clone(),
        players: 1,
        seats: 0,
        max_players: 2,
        metadata: [("mode".to_owned(), "duel".to_owned())].into(),
    };
    let id = NodeRequestId::new(1);
    let calls = [
        NodeRequest::Call(id, NodeCall::Seat(Box::new(seat))),
        NodeRequest::Call(id, NodeCall::Queue { template, ticket, call: enter }),
        NodeRequest::Reply(id, NodeReply::Rooms { rooms: vec![room], next: Some(1) }),
        NodeRequest::Reply(id, NodeReply::Queue(Ok(QueueReport::Seated(offer)))),
        NodeRequest::BansChanged,
        NodeRequest::RoomMoved(header.room.clone()),
    ];
    let calls = calls.iter().map(|call| requests.encode(call).to_vec());
    let ticket_join = requests.encode(&ticket_join()).to_vec();
    let frames = frames.chain([answer, ticket_join]).chain(calls).chain(records());
    frames.chain([state().encode(cluster()).to_vec()]).collect()
}

/// Returns values of the directory.
fn records() -> [Vec<u8>; 3] {
    let name: ClusterNodeName = "game-1".parse().expect("a name");
    let address: NodeAddress = "game-1.example.com:7777".parse().expect("an address");
    let contact = NodeContact::default().with_name(Some(name));
    let contact = Arc::new(contact.with_address(AddressKind::Enet, address));
    let node = NodeRecord { contact, ..NodeRecord::with_capacity(100) };
    let room = RoomName::new("arena").expect("a name");
    let owner = ClusterNodeId::new(2);
    let owned = RoomRecord { owner, is_open: true, template: Some(room.clone()), is_moved: true };
    let subject = Subject::new("kay").ok();
    let ticket = TicketRecord { room, peer: PeerId::new(2), subject };
    [node.encode().to_vec(), owned.encode().to_vec(), ticket.encode().to_vec()]
}

/// Returns the state of a room with a player.
fn state() -> StoredRoom {
    let node = ClusterNodeId::new(2);
    let player = StoredPlayer {
        node,
        join: RemoteJoin { ticket: None, ..join() },
        ticket: Some(TicketHash::from_bytes([7; 32])),
        kept_for: Some(Duration::from_secs(3)),
    };
    let (ticket, identity) = (TicketHash::from_bytes([8; 32]), Arc::new(Identity::anonymous()));
    let seat = StoredSeat { ticket, identity, time: Duration::from_secs(9) };
    StoredRoom {
        template: RoomName::new("arena").expect("a name"),
        code: Code::new("sesame").ok(),
        metadata: Some([("mode".to_owned(), "duel".to_owned())].into()),
        is_locked: false,
        max_players: 8,
        endpoints: vec![StoredEndpoint { id: EndpointId(1), node, there: EndpointId(3) }],
        players: vec![player],
        seats: vec![seat],
        content: StoredContent::Peers(Bytes::from_static(b"peers")),
    }
}

/// Returns the join of a player who shows a ticket.
fn ticket_join() -> NodeRequest {
    NodeRequest::Join(NodeRequestId::new(2), Box::new(join()))
}

fn join() -> RemoteJoin {
    let resume = Resume { ticket: TicketHash::from_bytes([7; 32]), peer: PeerId::SERVER };
    RemoteJoin {
        endpoint: EndpointId(3),
        connection: ConnectionId { slot: 4, generation: 5 },
        claimed_id: Some(PeerId::SERVER),
        selection: Selection::new(RoomName::new("arena").expect("a name")),
        identity: Arc::new(Identity::anonymous()),
        host_key: None,
        ticket: Some(PlayerTicket::Resume(resume)),
    }
}

fn cluster() -> ClusterId {
    ClusterId::named("fuzz")
}

fn codec() -> FrameCodec {
    FrameCodec::new(cluster())
}
