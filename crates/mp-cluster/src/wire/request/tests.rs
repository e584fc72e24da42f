//! Requests and answers as bytes.

use std::collections::BTreeMap;

use mp_core::Rejection;
use mp_identity::{Attributes, Role};
use mp_rooms::{Code, RoomName};

use super::*;

fn codec(cluster: &str) -> RequestCodec {
    RequestCodec::new(ClusterId::named(cluster), ClusterNodeId::new(7))
}

fn join(host_key: Option<[u8; 32]>, ticket: Option<PlayerTicket>) -> NodeRequest {
    let attributes = BTreeMap::from([("rank".to_owned(), 3.into())]);
    let identity = Identity::new(Subject::new("kay").unwrap())
        .with_name("Kay")
        .unwrap()
        .with_role(Role::Spectator)
        .with_create(true)
        .with_attributes(Attributes::new(attributes).unwrap());
    let selection = Selection::new(RoomName::new("a").unwrap())
        .template(RoomName::new("arena").unwrap())
        .code(Code::new("sesame").unwrap());
    let join = RemoteJoin {
        endpoint: EndpointId(3),
        connection: ConnectionId { slot: 4, generation: 5 },
        claimed_id: PeerId::new(9),
        selection,
        identity: Arc::new(identity),
        host_key,
        ticket,
    };
    NodeRequest::Join(NodeRequestId::new(1), Box::new(join))
}

#[test]
fn requests_and_answers_survive_encoding_and_decoding() {
    let full = DisconnectReason::Rejected(Rejection::new("room_full", "the room is full"));
    let answers = [
        JoinAnswer::Admitted { epoch: Epoch::new(8), authenticates: true },
        JoinAnswer::Resumed { epoch: Epoch::new(8), peer: PeerId::SERVER },
        JoinAnswer::Refused(full),
        JoinAnswer::NotOwner,
    ];
    let answers = answers.map(|answer| NodeRequest::Answer(NodeRequestId::new(2), answer));
    let ticket = TicketHash::from_bytes([7; 32]);
    let resume = Resume { ticket, peer: PeerId::SERVER };
    let tickets = [PlayerTicket::Resume(resume), PlayerTicket::Seat(ticket)].map(Some);
    let joins = tickets.into_iter().chain([None]).map(|ticket| join(None, ticket));
    let joins = joins.chain([join(Some([8; 32]), None)]);
    for request in answers.into_iter().chain(joins).chain([NodeRequest::Leaving]) {
        let bytes = codec("a").encode(&request);
        let decoded = codec("a").decode(&bytes);
        assert_eq!(decoded, Ok((ClusterNodeId::new(7), request)));
        for length in 0..bytes.len() {
            assert!(codec("a").decode(&bytes[..length]).is_err());
        }
    }
}

#[test]
fn requests_of_other_clusters_and_versions_and_long_ones_are_refused() {
    let bytes = codec("a").encode(&join(None, None));
    assert_eq!(codec("b").decode(&bytes), Err(FrameRefusal::OtherCluster));
    let mut other = bytes.to_vec();
    other[0] = VERSION + 2;
    assert_eq!(codec("a").decode(&other), Err(FrameRefusal::OtherVersion));
    let mut long = bytes.to_vec();
    long[0] = VERSION + 1;
    long.resize(REQUEST_BYTES_MAX + 1, 0);
    assert_eq!(codec("a").decode(&long), Err(FrameRefusal::TooLong));
    other[0] = VERSION;
    other.push(0);
    assert_eq!(codec("a").decode(&other), Err(FrameRefusal::MalformedBody));
    // A later version may append fields.
    other[0] = VERSION + 1;
    assert!(codec("a").decode(&other).is_ok());
}
